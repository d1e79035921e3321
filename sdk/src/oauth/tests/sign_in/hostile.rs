//! Servers that attack (protocol O9, O20-O24). Each attack is answered with an error, in a limited time, and without
//! giving anything away.
//!
//! | attacker | attack | test |
//! | --- | --- | --- |
//! | DNS | no answer, answers to other questions, loops of pointers, endless or short TCP | `identity::tests::dns` |
//! | DNS | a thousand records, contradicting ones, DIDs with line breaks | `identity::tests::dns` |
//! | DNS | thousands of names that hang | `identity::tests::dns`, `name_lookup` |
//! | DNS | names of private addresses, at once or later (rebinding) | `identity::tests` (O9), [`o9_endpoints_lead_to_no_private_address`] |
//! | handle server | endless, dripping, compressed and large texts, redirects inside | `identity::tests::hostile` |
//! | PLC directory | another's document, JSON that is deep or wide, large and endless documents, private PDS | `identity::tests::hostile`, `identity::tests` (O4, O5) |
//! | everyone | heads and bodies that drip or stop | [`o9_answers_that_drip_or_stop_end_in_time`] |
//! | everyone | bodies without end | [`o9_answers_without_end_are_left`] |
//! | everyone | JSON bombs, floods of headers | [`o9_bombs_and_floods_are_errors`] |
//! | everyone | redirects, also with 307, of documents, forms and calls | [`o9_nothing_follows_a_redirect`] |
//! | PDS | names several, no or another's authorization server | `sign_in::tests` (O7, O8), [`o8_a_pds_cannot_make_another_server_its_own`] |
//! | PDS | asks for another proof, or calls the token invalid, for ever | [`o34_a_server_that_is_never_content_is_left`] |
//! | authorization server | the metadata of another issuer, endpoints at another server | [`o21_a_mixed_up_issuer_gets_neither_code_nor_tokens`] |
//! | authorization server | tokens of another account, of another type, with line breaks | `sign_in::tests` (O23, O24), [`o23_tokens_that_would_break_a_header_are_refused`] |
//! | authorization server | callbacks that were not asked for, from another issuer, or repeated | `sign_in::tests` (O20, O21) |
//! | both | a session in the store that leads to a plain http server | [`o9_a_stored_session_sends_nothing_in_plain_text`] |
//! | PDS | answers to calls that drip, stop or never end | `xrpc::tests::deadlines`, [`o9_answers_without_end_are_left`] |
//! | PDS | cursors that repeat or never end | `xrpc::tests::pages` |

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{stub::Manner, *};
use crate::types::Nsid;

const HANDLE: &str = "/xrpc/com.atproto.identity.resolveHandle";
const DOCUMENT: &str = "/did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const CALL: &str = "/xrpc/com.atproto.server.getSession";
/// Every request of a sign-in from a handle, in order.
const STEPS: [&str; 6] = [HANDLE, DOCUMENT, RESOURCE, SERVER, "/par", "/token"];

/// A sign-in, a call and a sign-out, of which one request gets this answer. Returns the error and how long it took.
async fn attempt(path: &str, reply: &Reply) -> (String, Duration) {
    let net = Net::start().await;
    if STEPS.contains(&path) {
        net.stub.answer(path, reply.clone());
        let begun = Instant::now();
        let error = match net.authorize("alice.example.com").await {
            Err(error) => error_text(&error),
            Ok(_) => error_text(&net.callback(&net.stub.consent()).await.expect_err(path)),
        };
        assert_eq!(net.stored("session/").await, 0, "{path}");
        return (error, begun.elapsed());
    }
    let client = net.sign_in("alice.example.com").await.unwrap().client;
    net.stub.answer(path, reply.clone());
    let begun = Instant::now();
    let error = match path {
        "/revoke" => match client.sign_out().await.unwrap() {
            SignOut::NotConfirmed { problem } => problem,
            // What the server says in addition does not matter.
            SignOut::Confirmed => "confirmed".to_owned(),
            SignOut::NoSession => panic!("there was a session"),
        },
        "/refresh" => {
            net.stub.answer("/token", reply.clone());
            error_text(&client.refresh().await.expect_err(path))
        }
        _ => error_text(&client.com_atproto_server().get_session().await.expect_err(path)),
    };
    (error, begun.elapsed())
}

async fn everywhere(reply: &Reply, limit: Duration) -> Vec<(&'static str, String)> {
    at(&[&STEPS[..], &["/revoke", "/refresh"]].concat(), reply, limit).await
}

async fn at(paths: &[&'static str], reply: &Reply, limit: Duration) -> Vec<(&'static str, String)> {
    let all = join_all(paths.iter().map(async |path| (*path, attempt(path, reply).await))).await;
    for (path, (error, took)) in &all {
        assert!(*took < limit, "{path} took {took:?}: {error}");
    }
    all.into_iter().map(|(path, (error, _))| (path, error)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_answers_that_drip_or_stop_end_in_time() {
    // Documents have a shorter limit. Calls and refreshes, which have several requests, are not in this test.
    let limit = crate::limits::AUTHORIZATION_SERVER + Duration::from_secs(8);
    let manners = [Manner::DripsHead, Manner::DripsBody, Manner::Silent];
    let paths = [&STEPS[..], &["/revoke"]].concat();
    for all in
        join_all(manners.map(async |manner| at(&paths, &Reply::without_end(manner), limit).await)).await
    {
        for (path, error) in all {
            assert!(error.contains("within") || error.contains("respond"), "{path}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_answers_without_end_are_left() {
    let (endless, limit) = (Reply::without_end(Manner::Endless), Duration::from_secs(20));
    for (path, error) in everywhere(&endless, limit).await {
        assert!(error.contains("more than 262144 bytes") || error.contains("256 KiB"), "{path}: {error}");
    }
    let called = at(&[CALL], &endless, limit).await;
    assert!(called[0].1.contains("bytes"), "{called:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_bombs_and_floods_are_errors() {
    let mut deep = Reply::json(200, json!({}));
    deep.body = "[".repeat(200_000);
    let mut objects = deep.clone();
    objects.body = "{\"a\":".repeat(40_000);
    let mut wide = deep.clone();
    wide.body = format!("[{}0]", "0,".repeat(100_000));
    let mut fields = deep.clone();
    fields.body = format!("{{{}\"z\":0}}", (0..20_000).map(|n| format!("\"{n}\":0,")).collect::<String>());
    let mut many = Reply::json(200, json!({}));
    many.headers.extend((0..20_000).map(|n| ("X-Flood", n.to_string())));
    let mut long = Reply::json(200, json!({}));
    long.headers.push(("X-Flood", "x".repeat(2 << 20)));
    let mut nonces = Reply::json(200, json!({}));
    nonces.headers.retain(|(name, _)| *name != "DPoP-Nonce");
    nonces.headers.extend((0..50).map(|_| ("DPoP-Nonce", "n".repeat(4000))));
    for reply in [deep, objects, wide, fields, many, long, nonces] {
        let limit = Duration::from_secs(20);
        for (path, error) in [everywhere(&reply, limit).await, at(&[CALL], &reply, limit).await].concat() {
            // The body of a confirmation is not looked at.
            assert!(path == "/revoke" || error != "confirmed", "{path}");
            assert!(error.len() < 2000, "{path}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_nothing_follows_a_redirect() {
    let elsewhere = Stub::start().await;
    for status in [301, 302, 303, 307, 308] {
        let mut moved = Reply::json(status, json!({}));
        moved.headers.push(("Location", format!("{}/token", elsewhere.origin)));
        for (path, error) in everywhere(&moved, Duration::from_secs(20)).await {
            assert!(error.contains("redirect"), "{path} {status}: {error}");
        }
        let (error, _) = attempt(CALL, &moved).await;
        assert!(error.contains(&status.to_string()), "{error}");
    }
    assert!(elsewhere.all().is_empty(), "{:?}", elsewhere.all());
}

#[tokio::test]
async fn o8_a_pds_cannot_make_another_server_its_own() {
    // An honest server that says for whom it works.
    let honest = Stub::start().await;
    honest.change(SERVER, json!({ "protected_resources": ["https://pds.example.com"] }));
    let net = Net::start().await;
    net.stub.change(RESOURCE, json!({ "authorization_servers": [honest.origin] }));
    let error = pushed(&net).await;
    assert!(error.contains("does not protect"), "{error}");
    assert!(honest.requests("/par").is_empty() && net.stub.requests("/par").is_empty());
}

#[tokio::test]
async fn o21_a_mixed_up_issuer_gets_neither_code_nor_tokens() {
    let honest = Stub::start().await;
    // The attacker pretends to be the honest server.
    let net = Net::start().await;
    net.stub.change(SERVER, json!({ "issuer": honest.origin }));
    let error = pushed(&net).await;
    assert!(error.contains("has the issuer"), "{error}");
    assert!(net.stub.requests("/par").is_empty() && honest.all().is_empty());

    // The attacker sends the user to the honest server, and wants its code.
    let net = Net::start().await;
    net.stub.change(SERVER, json!({ "authorization_endpoint": format!("{}/authorize", honest.origin) }));
    net.authorize("alice.example.com").await.unwrap();
    let of = |issuer: &str| {
        format!("iss={}", url::form_urlencoded::byte_serialize(issuer.as_bytes()).collect::<String>())
    };
    let callback = net.stub.consent().replace(&of(&net.stub.origin), &of(&honest.origin));
    let error = net.callback(&callback).await.unwrap_err();
    assert!(matches!(error, CallbackError::IssuerMismatch { .. }), "{error:?}");
    assert!(net.stub.requests("/token").is_empty());

    // The attacker lets the honest server issue tokens, and wants to have them revoked at its own.
    let net = Net::start().await;
    let at = |path: &str| format!("{}{path}", honest.origin);
    let endpoints = json!({
        "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"),
        "pushed_authorization_request_endpoint": at("/par"),
    });
    net.stub.change(SERVER, endpoints);
    net.authorize("alice.example.com").await.unwrap();
    let error = net.callback(&honest.consent()).await.unwrap_err();
    assert!(matches!(error, CallbackError::IssuerMismatch { .. }), "{error:?}");
    for path in ["/token", "/revoke"] {
        assert!(net.stub.requests(path).is_empty() && honest.requests(path).is_empty(), "{path}");
    }
    // What the honest server got was signed for it and for nobody else, and the attacker got nothing that is signed.
    for request in honest.all() {
        assert_eq!(request.proof_claims()["htu"], at(&request.path));
        assert!(!request.headers.contains_key("authorization"));
    }
    assert!(net.stub.all().iter().all(|request| !request.headers.contains_key("dpop")));
}

#[tokio::test]
async fn o23_tokens_that_would_break_a_header_are_refused() {
    for name in ["access_token", "refresh_token"] {
        for token in ["a\r\nX-Injected: b", "a\nb", "a b", "a\u{0}b", "\u{e9}", "", "a\u{7f}", "a\u{2028}b"] {
            let net = Net::start().await;
            tokens(&net, json!({ name: token }));
            let error = error_text(&net.sign_in(DID).await.unwrap_err());
            assert!(error.contains("a token is empty or contains characters"), "{token:?}: {error}");
            assert!(token.is_empty() || !error.contains(token), "{error}");
            assert_eq!(net.stored("").await, 0);
            assert!(net.stub.all().iter().all(|request| !request.headers.contains_key("x-injected")));
        }
    }
}

#[tokio::test]
async fn o34_a_server_that_is_never_content_is_left() {
    for error in ["use_dpop_nonce", "invalid_dpop_proof", "invalid_token", "invalid_client", "slow_down"] {
        let mut refusal = Reply::json(400, json!({ "error": error }));
        let clock = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned());
        refusal.headers.push(clock.clone());
        let net = Net::start().await;
        net.stub.answer("/par", refusal);
        assert!(pushed(&net).await.contains(error));
        // The first, one more with a nonce, and one more with the server's clock.
        assert!(net.stub.requests("/par").len() <= 3, "{error}: {}", net.stub.requests("/par").len());

        let net = Net::start().await;
        let client = net.sign_in(DID).await.unwrap().client;
        let mut refusal = Reply::json(401, json!({ "error": error }));
        refusal.headers.push(clock);
        refusal.headers.push(("WWW-Authenticate", format!("DPoP error=\"{error}\"")));
        net.stub.answer(CALL, refusal.clone());
        client.com_atproto_server().get_session().await.unwrap_err();
        let calls = net.stub.requests(CALL).len();
        assert!(calls <= 8, "{error}: {calls} calls");
        let nsid = Nsid::new("com.atproto.server.deleteSession").unwrap();
        net.stub.answer("/xrpc/com.atproto.server.deleteSession", refusal);
        client.post(&nsid, &json!({})).await.unwrap_err();
    }
}

async fn pushed(net: &Net) -> String {
    error_text(&net.authorize("alice.example.com").await.unwrap_err())
}

#[tokio::test]
async fn o9_credentials_do_not_follow_redirects_of_the_server() {
    let net = Net::start().await;
    let mut moved = Reply::json(307, json!({}));
    moved.headers.push(("Location", format!("{}/elsewhere", net.stub.origin)));
    net.stub.answer("/par", moved.clone());
    assert!(pushed(&net).await.contains("a redirect, which is not followed"));
    assert!(net.stub.requests("/elsewhere").is_empty());
    let net = Net::start().await;
    net.authorize("alice.example.com").await.unwrap();
    net.stub.answer("/token", moved);
    net.callback(&net.stub.consent()).await.unwrap_err();
    assert!(net.stub.requests("/elsewhere").is_empty());
    assert_eq!(net.stored("session/").await, 0);
}

#[tokio::test]
async fn o9_answers_of_the_server_are_bounded() {
    let net = Net::start().await;
    let mut large = Reply::json(201, json!({}));
    large.body = " ".repeat(300 << 10);
    net.stub.answer("/par", large);
    assert!(pushed(&net).await.contains("longer than 256 KiB"));
}

#[tokio::test]
async fn o9_endpoints_lead_to_no_private_address() {
    for endpoint in
        ["https://10.0.0.1/par", "https://[::1]/par", "http://example.com/par", "https://u:p@a.example/par"]
    {
        let net = Net::start().await;
        net.stub.change(SERVER, json!({ "pushed_authorization_request_endpoint": endpoint }));
        let text = pushed(&net).await;
        let refused = text.contains("pushed_authorization_request_endpoint");
        // In development, requests to this machine are allowed, but nothing listens there.
        assert!(refused || (endpoint.contains("[::1]") && text.contains("connect")), "{endpoint}: {text}");
    }
    // A public name that resolves to a private address is rejected when connecting, regardless of earlier resolutions.
    let http = crate::identity::http::Egress::default().session_builder().build().unwrap();
    let error = http.get("https://localhost/").send().await.unwrap_err();
    assert!(error_text(&error).contains("loopback"), "{}", error_text(&error));
}

#[tokio::test]
async fn errors_of_the_server_show_its_words_and_not_without_end() {
    let net = Net::start().await;
    let words = json!({ "error": "invalid_request", "error_description": "x".repeat(10_000) });
    net.stub.answer("/par", Reply::json(400, words));
    let text = pushed(&net).await;
    assert!(text.contains("invalid_request") && text.len() < 1500, "{}", text.len());
}

/// A valid response without `DPoP-Nonce`.
fn without_nonce(status: u16, body: Value) -> Reply {
    let mut reply = Reply::json(status, body);
    reply.headers.retain(|(name, _)| *name != "DPoP-Nonce");
    reply
}

#[tokio::test]
async fn o36_a_missing_nonce_is_refused_at_the_authorization_server_unless_told_otherwise() {
    let pushed = without_nonce(201, json!({ "request_uri": "urn:req:1", "expires_in": 300 }));
    let net = Net::start().await;
    net.stub.answer("/par", pushed.clone());
    let text = error_text(&net.authorize(DID).await.unwrap_err());
    assert!(text.contains("DPoP-Nonce") && text.contains("MissingNoncePolicy::Accept"), "{text}");
    // At the token endpoint, the received tokens are revoked as well.
    let net = Net::start().await;
    net.stub.answer("/token", without_nonce(200, net.stub.tokens()));
    net.sign_in(DID).await.unwrap_err();
    assert_eq!(net.stored("session/").await, 0);
    assert_eq!(net.stub.last("/revoke").form["token"], "refresh-1");
    let net = Net::with(|builder| builder.missing_nonce(crate::oauth::MissingNoncePolicy::Accept)).await;
    net.stub.answer("/par", pushed);
    net.sign_in(DID).await.unwrap();
}

#[tokio::test]
async fn o36_a_missing_nonce_is_recorded_at_the_resource_server() {
    let net = Net::start().await;
    let client = net.sign_in(DID).await.unwrap().client;
    let session = json!({ "handle": "alice.example.com", "did": DID });
    net.stub.answer("/xrpc/com.atproto.server.getSession", Reply::json(200, session.clone()));
    client.com_atproto_server().get_session().await.unwrap();
    assert!(!client.session_info().await.unwrap().nonce_missing);
    net.stub.answer("/xrpc/com.atproto.server.getSession", without_nonce(200, session));
    client.com_atproto_server().get_session().await.unwrap();
    assert!(client.session_info().await.unwrap().nonce_missing);
}

#[tokio::test]
async fn o32_the_token_goes_with_the_scheme_dpop_and_a_proof() {
    let net = Net::start().await;
    let client = net.sign_in(DID).await.unwrap().client;
    let session = json!({ "handle": "alice.example.com", "did": DID });
    net.stub.answer("/xrpc/com.atproto.server.getSession", Reply::json(200, session));
    client.com_atproto_server().get_session().await.unwrap();
    let sent = net.stub.last("/xrpc/com.atproto.server.getSession").headers;
    assert_eq!(sent["authorization"], "DPoP access-1");
    assert_eq!(sent["dpop"].split('.').count(), 3);
}

#[tokio::test]
async fn o9_a_stored_session_sends_nothing_in_plain_text() {
    let net = Net::start().await;
    let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
    let before = net.stub.all().len();
    // The same store without the switch for development, as if somebody had written the session.
    let store = Arc::clone(&net.store) as Arc<dyn Store>;
    let oauth = OAuth::builder(ClientMetadata::loopback().scope("atproto transition:generic"))
        .shared_store(store)
        .build()
        .unwrap();
    let client = oauth.client_for(&id).await.unwrap();
    let error = error_text(&client.com_atproto_server().get_session().await.unwrap_err());
    assert!(error.contains("is not https") && error.contains("sign in again"), "{error}");
    let error = error_text(&client.refresh().await.unwrap_err());
    assert!(error.contains("is not the https URL"), "{error}");
    let SignOut::NotConfirmed { problem } = client.sign_out().await.unwrap() else { panic!("it was sent") };
    assert!(problem.contains("is not the https URL"), "{problem}");
    assert_eq!(net.stub.all().len(), before);
}
