//! Authorization servers that attack (protocol O9): what is posted to them goes through the same limits.

use super::*;

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
    let http = crate::identity::http::Egress::default().untrusted_builder().build().unwrap();
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
