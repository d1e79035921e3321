//! The sign-in flow against a stub server that can be told to misbehave.

#![allow(clippy::unwrap_used)]

mod confidential;
mod hostile;
mod sessions;
mod stub;

use std::sync::Arc;

use serde_json::{Value, json};
use stub::{DID, OTHER_DID, RESOURCE, Reply, SERVER, Stub};

use crate::{
    identity::{HandleResolver, Resolver},
    oauth::{
        Authorization, AuthorizeError, AuthorizeOptions, CallbackError, CallbackParams, ClientError,
        ClientMetadata, DiscoveryError, Display, OAuth, OAuthBuilder, Prompt, SignOut, SignedIn,
    },
    store::{Expected, MemoryStore, Store},
    types::Did,
};

fn resolver(stub: &Stub) -> Resolver {
    Resolver::builder()
        .plc_directory(&stub.origin)
        .handle_resolver(HandleResolver::Xrpc(stub.origin.clone()))
        .allow_loopback_http(true)
        .build()
        .unwrap()
}

struct Net {
    stub: Stub,
    oauth: OAuth,
    store: Arc<MemoryStore>,
}

impl Net {
    async fn start() -> Self {
        Self::with(|builder| builder).await
    }

    async fn with(change: impl FnOnce(OAuthBuilder) -> OAuthBuilder) -> Self {
        let stub = Stub::start().await;
        let store = Arc::new(MemoryStore::new());
        let builder = OAuth::builder(ClientMetadata::loopback().scope("atproto transition:generic"))
            .shared_store(Arc::clone(&store) as Arc<dyn Store>)
            .resolver(resolver(&stub))
            .allow_loopback_http();
        let oauth = change(builder).build().unwrap();
        Self { stub, oauth, store }
    }

    async fn authorize(&self, input: &str) -> Result<Authorization, AuthorizeError> {
        self.oauth.authorize(input, AuthorizeOptions::new().app_state("basket")).await
    }

    async fn callback(&self, query: &str) -> Result<SignedIn, CallbackError> {
        self.oauth.callback(&CallbackParams::from_query(query)?).await
    }

    /// Starts a sign-in from `input`, and returns with consent.
    async fn sign_in(&self, input: &str) -> Result<SignedIn, CallbackError> {
        self.authorize(input).await.unwrap();
        self.callback(&self.stub.consent()).await
    }

    async fn stored(&self, prefix: &str) -> usize {
        self.store.list(prefix).await.unwrap().len()
    }

    /// A sign-in whose tokens were rejected: they are revoked, and no session is stored.
    async fn assert_discarded(&self) {
        assert_eq!(self.stub.last("/revoke").form["token"], "refresh-1");
        assert_eq!(self.stored("").await, 0);
    }
}

fn tokens(net: &Net, changes: Value) {
    let mut tokens = net.stub.tokens();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => tokens.as_object_mut().unwrap().remove(name),
            value => tokens.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    net.stub.answer("/token", Reply::json(200, tokens));
}

#[tokio::test]
async fn o1_sign_in_starts_from_handle_did_or_server() {
    let net = Net::start().await;
    let pasted = [
        "@alice.example.com",
        "  Alice.Example.com.\n",
        "\u{202a}@alice.example.com\u{202c}",
        "https://bsky.app/profile/alice.example.com",
        "at://alice.example.com",
    ];
    for input in pasted {
        net.authorize(input).await.unwrap_or_else(|e| panic!("{input}: {e:?}"));
        let hint = net.stub.last("/par").form["login_hint"].to_ascii_lowercase();
        assert_eq!(hint, "alice.example.com", "servers do not know what people paste (O17)");
        net.callback(&net.stub.consent()).await.unwrap();
    }
    for session in net.oauth.sessions(&Did::new(DID).unwrap()).await.unwrap() {
        net.oauth.sign_out(&session.id).await.unwrap();
    }
    for input in
        ["alice.example.com", "@alice.example.com", "  alice.example.com\n", DID, &net.stub.origin.clone()]
    {
        let signed_in = net.sign_in(input).await.unwrap_or_else(|e| panic!("{input}: {e:?}"));
        assert_eq!(signed_in.client.did().as_str(), DID, "{input}");
        assert_eq!(signed_in.app_state.as_deref(), Some("basket"));
    }
    assert_eq!(net.stored("session/").await, 5, "every sign-in is a session of its own");
    assert_eq!(net.stored("pending/").await, 0);
    let did = Did::new(DID).unwrap();
    assert_eq!(net.oauth.sessions(&did).await.unwrap().len(), 5);
    assert_eq!(net.oauth.client(&did).await.unwrap().did(), &did);
}

#[tokio::test]
async fn o1_input_that_is_nothing() {
    let net = Net::start().await;
    for input in ["", "alice", "did:", "not a handle", "@"] {
        let error = net.authorize(input).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::Input { .. }), "{input}: {error:?}");
    }
    let error = net.authorize("ftp://pds.example").await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Discovery(DiscoveryError::Url { .. })), "{error:?}");
    let error = net.authorize("nobody.example.com").await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Identity { .. }), "{error:?}");
}

#[tokio::test]
async fn o7_protected_resource_metadata_is_checked() {
    let net = Net::start().await;
    let origin = net.stub.origin.clone();
    for (changes, field) in [
        (json!({ "authorization_servers": null }), "authorization_servers"),
        (json!({ "authorization_servers": [] }), "authorization_servers"),
        (json!({ "authorization_servers": [origin, "https://b.example"] }), "authorization_servers"),
        (json!({ "authorization_servers": "x" }), "authorization_servers"),
        (json!({ "authorization_servers": [format!("{origin}/")] }), "authorization_servers"),
        (json!({ "resource": "https://other.example" }), "resource"),
    ] {
        net.stub.change(RESOURCE, changes.clone());
        let error = net.authorize(DID).await.unwrap_err();
        assert!(error_text(&error).contains(field), "{changes}: {error:?}");
    }
    for issuer in ["http://issuer.example", "https://u:p@issuer.example", "https://issuer.example/path"] {
        net.stub.change(RESOURCE, json!({ "authorization_servers": [issuer] }));
        let error = net.authorize(DID).await.unwrap_err();
        assert!(
            matches!(error, AuthorizeError::Discovery(DiscoveryError::Url { .. })),
            "{issuer}: {error:?}"
        );
    }
    assert!(net.stub.requests("/par").is_empty());
}

#[tokio::test]
async fn o7_o8_status_type_and_redirects_of_metadata() {
    for path in [RESOURCE, SERVER] {
        let net = Net::start().await;
        let good = if path == RESOURCE { net.stub.resource() } else { net.stub.server() };
        let mut html = Reply::json(200, good.clone());
        html.headers[0].1 = "text/html".into();
        let mut redirect = Reply::json(302, good.clone());
        redirect.headers.push(("Location", format!("{}{path}", net.stub.origin)));
        let mut broken = Reply::json(200, good.clone());
        broken.body.pop();
        for reply in [html, redirect, broken, Reply::json(201, good.clone()), Reply::json(404, good)] {
            net.stub.answer(path, reply.clone());
            let error = net.authorize(DID).await.unwrap_err();
            let fetch = matches!(error, AuthorizeError::Discovery(DiscoveryError::Fetch { .. }));
            assert!(fetch, "{path} {reply:?}: {error:?}");
        }
        net.stub.answer(path, Reply::json(200, json!([1])));
        let error = net.authorize(DID).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::Discovery(DiscoveryError::NotAnObject { .. })), "{error:?}");
    }
}

#[tokio::test]
async fn o8_server_metadata_errors_name_the_field() {
    let net = Net::start().await;
    let good = net.stub.server();
    for (field, wrong) in [
        ("pushed_authorization_request_endpoint", json!("http://par.example")),
        ("require_pushed_authorization_requests", json!(false)),
        ("code_challenge_methods_supported", json!(["plain"])),
        ("token_endpoint_auth_methods_supported", json!(["none"])),
        ("token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
        ("token_endpoint_auth_signing_alg_values_supported", json!(["RS256"])),
        ("dpop_signing_alg_values_supported", json!("ES256")),
        ("scopes_supported", json!(["openid"])),
        ("authorization_response_iss_parameter_supported", json!("true")),
        ("client_id_metadata_document_supported", json!(false)),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("token_endpoint", json!(7)),
        ("revocation_endpoint", json!("https://u@b.example")),
    ] {
        assert!(good[field] != Value::Null, "{field}");
        net.stub.change(SERVER, json!({ field: wrong }));
        match net.authorize(DID).await.unwrap_err() {
            AuthorizeError::Discovery(DiscoveryError::WrongField { field: found, .. }) => {
                assert_eq!(found, field)
            }
            other => panic!("{field}: {other:?}"),
        }
        net.stub.change(SERVER, json!({ field: null }));
        match net.authorize(DID).await {
            // The only field that a server may omit.
            Ok(_) => assert_eq!(field, "revocation_endpoint"),
            Err(AuthorizeError::Discovery(DiscoveryError::MissingField { field: found, .. })) => {
                assert_eq!(found, field);
            }
            Err(other) => panic!("{field}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn o8_issuer_equals_the_origin_asked() {
    let net = Net::start().await;
    for issuer in ["https://other.example".to_owned(), format!("{}/", net.stub.origin)] {
        net.stub.change(SERVER, json!({ "issuer": issuer }));
        let error = net.authorize(DID).await.unwrap_err();
        assert!(matches!(error, AuthorizeError::Discovery(DiscoveryError::Issuer { .. })), "{error:?}");
    }
    net.stub.change(SERVER, json!({ "protected_resources": ["https://other.example"] }));
    let error = net.authorize(DID).await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Discovery(DiscoveryError::NotProtected { .. })), "{error:?}");
}

#[tokio::test]
async fn o9_http_needs_the_development_switch() {
    let net = Net::start().await;
    let strict = OAuth::builder(ClientMetadata::loopback()).build().unwrap();
    let error = strict.authorize(&net.stub.origin, AuthorizeOptions::new()).await.unwrap_err();
    assert!(error_text(&error).contains("https"), "{error:?}");
    assert!(net.stub.requests(RESOURCE).is_empty());
}

#[tokio::test]
async fn o14_the_browser_gets_client_id_and_request_uri_only() {
    let net = Net::start().await;
    let authorization = net.authorize("alice.example.com").await.unwrap();
    let url = url::Url::parse(&authorization.url).unwrap();
    assert_eq!(url.path(), "/authorize");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let client_id = net.oauth.metadata().client_id().to_owned();
    assert_eq!(pairs, [("client_id".into(), client_id), ("request_uri".into(), "urn:req:1".into())]);
    assert!(!format!("{authorization:?}").contains(&authorization.state));
    net.stub.answer("/par", Reply::json(201, json!({ "expires_in": 1 })));
    assert!(matches!(net.authorize(DID).await, Err(AuthorizeError::Answer { .. })));
    net.stub
        .answer("/par", Reply::json(400, json!({ "error": "invalid_request", "error_description": "No!" })));
    let error = net.authorize(DID).await.unwrap_err();
    assert!(error_text(&error).contains("invalid_request"), "{error:?}");
}

#[tokio::test]
async fn o15_o16_o18_verifier_state_and_key_are_fresh_per_request() {
    let net = Net::start().await;
    net.sign_in(DID).await.unwrap();
    net.sign_in(DID).await.unwrap();
    let (par, token) = (net.stub.requests("/par"), net.stub.requests("/token"));
    let (first, second) = (&par[0], &par[par.len() - 1]);
    assert_eq!(second.form["code_challenge_method"], "S256");
    assert_eq!(second.form["response_type"], "code");
    assert_ne!(first.form["state"], second.form["state"]);
    assert_ne!(first.form["code_challenge"], second.form["code_challenge"]);
    assert_ne!(first.proof_header()["jwk"], second.proof_header()["jwk"]);
    // The key is the same from PAR on, and its private part is not sent.
    assert_eq!(token[token.len() - 1].proof_header(), second.proof_header());
    assert_eq!(second.proof_header()["jwk"].get("d"), None);
}

#[tokio::test]
async fn o16_a_pending_sign_in_expires() {
    let net = Net::start().await;
    let authorization = net.authorize(DID).await.unwrap();
    let key = net.store.list("pending/").await.unwrap().remove(0);
    assert!(!key.contains(&authorization.state), "whoever reads the store learns no state");
    let entry = net.store.get(&key).await.unwrap().unwrap();
    let mut pending: Value = serde_json::from_slice(&entry.value).unwrap();
    let expiry = pending["expires_at"].as_i64().unwrap() - crate::clock::unix_now();
    assert!((595..=600).contains(&expiry), "{expiry}");
    pending["expires_at"] = 1.into();
    let value = pending.to_string();
    net.store.put(&key, value.as_bytes(), None, Expected::Any).await.unwrap();
    assert!(matches!(net.callback(&net.stub.consent()).await, Err(CallbackError::Expired)));
    assert!(net.stub.requests("/token").is_empty());
}

#[tokio::test]
async fn o17_scope_and_login_hint() {
    let net = Net::start().await;
    for (input, hint) in [("ALICE.example.com", Some("ALICE.example.com")), (DID, Some(DID))] {
        net.authorize(input).await.ok();
        if let Some(par) = net.stub.requests("/par").pop() {
            assert_eq!(par.form.get("login_hint").map(String::as_str), hint);
        }
    }
    net.authorize(&net.stub.origin).await.unwrap();
    assert_eq!(net.stub.last("/par").form.get("login_hint"), None);
    assert_eq!(net.stub.last("/par").form["scope"], "atproto transition:generic");

    net.oauth.authorize(DID, AuthorizeOptions::new().scope("atproto")).await.unwrap();
    assert_eq!(net.stub.last("/par").form["scope"], "atproto");
    for scope in ["transition:generic", "atproto account:email", ""] {
        let result = net.oauth.authorize(DID, AuthorizeOptions::new().scope(scope)).await;
        assert!(matches!(result, Err(AuthorizeError::Scope { .. })), "{scope}");
    }
    let options = AuthorizeOptions::new().redirect_uri("http://127.0.0.1:1234/elsewhere");
    assert!(matches!(net.oauth.authorize(DID, options).await, Err(AuthorizeError::RedirectUri { .. })));
}

#[tokio::test]
async fn o19_prompt_locales_and_display_pass_through() {
    let net = Net::start().await;
    net.authorize(DID).await.unwrap();
    for name in ["prompt", "ui_locales", "display"] {
        assert_eq!(net.stub.last("/par").form.get(name), None);
    }
    let options =
        AuthorizeOptions::new().prompt(Prompt::SelectAccount).ui_locales("nl en").display(Display::Popup);
    net.oauth.authorize(DID, options).await.unwrap();
    let form = net.stub.last("/par").form;
    assert_eq!(
        (&*form["prompt"], &*form["ui_locales"], &*form["display"]),
        ("select_account", "nl en", "popup")
    );
    assert!(!form.contains_key("app_state") && !form.values().any(|value| value == "basket"));
}

#[tokio::test]
async fn o20_state_is_known_and_good_once() {
    let net = Net::start().await;
    net.authorize(DID).await.unwrap();
    let consent = net.stub.consent();
    for state in ["x".to_owned(), "A".repeat(43), "../session/x".to_owned(), "%00".to_owned()] {
        let query = format!("code=c&iss={}&state={state}", net.stub.origin);
        assert!(matches!(net.callback(&query).await, Err(CallbackError::UnknownState)), "{state}");
    }
    net.callback(&consent).await.unwrap();
    assert!(matches!(net.callback(&consent).await, Err(CallbackError::UnknownState)));
    assert_eq!(net.stub.requests("/token").len(), 1);
}

#[tokio::test]
async fn o20_two_callbacks_at_once_make_one_session() {
    let net = Net::start().await;
    net.authorize(DID).await.unwrap();
    let consent = net.stub.consent();
    let (a, b) = tokio::join!(net.callback(&consent), net.callback(&consent));
    assert!(a.is_ok() != b.is_ok());
    assert_eq!(net.stored("session/").await, 1);
}

#[tokio::test]
async fn o21_iss_must_equal_the_stored_issuer() {
    let net = Net::start().await;
    for iss in ["", "&iss=https://evil.example", "&iss=", "&iss=http://127.0.0.1"] {
        let state = net.authorize(DID).await.unwrap().state;
        let error = net.callback(&format!("code=code-1&state={state}{iss}")).await.unwrap_err();
        assert!(matches!(error, CallbackError::IssuerMismatch { .. }), "{iss}: {error:?}");
        // The state can be used only once, so a second attempt with the correct issuer fails.
        let again = net.callback(&format!("code=code-1&state={state}&iss={}", net.stub.origin)).await;
        assert!(matches!(again, Err(CallbackError::UnknownState)));
    }
    assert!(net.stub.requests("/token").is_empty());
}

#[tokio::test]
async fn o22_errors_are_typed() {
    let net = Net::start().await;
    let origin = &net.stub.origin;
    let state = net.authorize(DID).await.unwrap().state;
    let query = format!("?error=access_denied&error_description=Said+no&state={state}&iss={origin}");
    let error = net.callback(&query).await.unwrap_err();
    assert!(error.is_denied());
    match error {
        CallbackError::Denied { description, app_state } => {
            assert_eq!((description.as_deref(), app_state.as_deref()), (Some("Said no"), Some("basket")));
        }
        other => panic!("{other:?}"),
    }
    let state = net.authorize(DID).await.unwrap().state;
    match net.callback(&format!("error=login_required&state={state}&iss={origin}")).await.unwrap_err() {
        CallbackError::Authorization { error, .. } => assert_eq!(error, "login_required"),
        other => panic!("{other:?}"),
    }
    assert_eq!(net.stored("").await, 0);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn o22_errors_after_the_state_was_found_come_with_the_app_state() {
    let net = Net::start().await;
    let spoil = |how: &str| match how {
        "token" => net.stub.answer("/token", Reply::json(400, json!({ "error": "invalid_grant" }))),
        "response" => tokens(&net, json!({ "token_type": "Bearer" })),
        _ => tokens(&net, json!({ "sub": OTHER_DID })),
    };
    for how in ["token", "response", "subject"] {
        net.authorize(DID).await.unwrap();
        spoil(how);
        let params = CallbackParams::from_query(&net.stub.consent()).unwrap();
        let failed = net.oauth.callback_or_state(&params).await.unwrap_err();
        let expected = match how {
            "token" => matches!(failed.error, CallbackError::Token { .. }),
            "response" => matches!(failed.error, CallbackError::TokenResponse { .. }),
            _ => matches!(failed.error, CallbackError::SubjectMismatch { .. }),
        };
        assert!(expected, "{how}: {:?}", failed.error);
        assert_eq!(failed.app_state.as_deref(), Some("basket"), "{how}");
        // The state is used up.
        let again = net.oauth.callback_or_state(&params).await.unwrap_err();
        assert!(matches!(again.error, CallbackError::UnknownState), "{how}: {:?}", again.error);
        assert_eq!(again.app_state, None);
    }
}

#[test]
fn o22_malformed_callbacks() {
    for query in ["", "code=x", "state=s", "state=s&code=", "state=s&code=a&code=b", "state=a&state=b&code=c"]
    {
        let result = CallbackParams::from_query(query);
        assert!(matches!(result, Err(CallbackError::Malformed { .. })), "{query}");
    }
    let params = CallbackParams::from_query("?state=s%21&code=SECRET&iss=i&more=1").unwrap();
    assert_eq!(params.state(), "s!");
    let shown = format!("{params:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("s!"), "{shown}");
}

#[tokio::test]
async fn o23_token_response_is_checked_and_discarded() {
    for changes in [
        json!({ "token_type": "Bearer" }),
        json!({ "token_type": null }),
        json!({ "scope": null }),
        json!({ "scope": "transition:generic" }),
        json!({ "sub": null }),
        json!({ "sub": "alice" }),
    ] {
        let net = Net::start().await;
        tokens(&net, changes.clone());
        let error = net.sign_in(DID).await.unwrap_err();
        assert!(!format!("{error:?} {}", error_text(&error)).contains("access-1"), "no token in errors");
        assert!(matches!(error, CallbackError::TokenResponse { .. }), "{changes}: {error:?}");
        net.assert_discarded().await;
    }
    let net = Net::start().await;
    tokens(&net, json!({ "token_type": "dpop" }));
    net.sign_in(DID).await.unwrap();
    net.stub.answer("/token", Reply::json(400, json!({ "error": "invalid_grant" })));
    let error = net.sign_in(DID).await.unwrap_err();
    assert!(error_text(&error).contains("invalid_grant"), "{error:?}");
}

#[tokio::test]
async fn o24_sub_equals_the_did_that_sign_in_started_from() {
    for input in [DID, "alice.example.com"] {
        let net = Net::start().await;
        tokens(&net, json!({ "sub": OTHER_DID }));
        match net.sign_in(input).await.unwrap_err() {
            CallbackError::SubjectMismatch { expected, found } => {
                assert_eq!((expected.as_str(), found.as_str()), (DID, OTHER_DID));
            }
            other => panic!("{other:?}"),
        }
        net.assert_discarded().await;
    }
}

#[tokio::test]
async fn o24_from_a_server_the_did_must_lead_back_to_it() {
    let net = Net::start().await;
    let other = Stub::start().await;
    net.stub.answer(&format!("/{DID}"), Reply::json(200, other.did_document(DID)));
    match net.sign_in(&net.stub.origin).await.unwrap_err() {
        CallbackError::WrongServer { expected, found, .. } => {
            assert_eq!((expected, found), (net.stub.origin.clone(), other.origin));
        }
        error => panic!("{error:?}"),
    }
    net.assert_discarded().await;

    let net = Net::start().await;
    net.stub.answer(&format!("/{DID}"), Reply::json(404, json!({})));
    let error = net.sign_in(&net.stub.origin).await.unwrap_err();
    assert!(matches!(error, CallbackError::Identity { .. }), "{error:?}");
    net.assert_discarded().await;
}

#[tokio::test]
async fn o24_from_an_entryway_the_pds_leads_back() {
    // The PDS and its authorization server are different servers.
    let net = Net::start().await;
    let pds = Stub::start().await;
    pds.change(RESOURCE, json!({ "authorization_servers": [net.stub.origin] }));
    net.stub.answer(&format!("/{DID}"), Reply::json(200, pds.did_document(DID)));
    net.stub.answer(RESOURCE, Reply::json(404, json!({})));
    for input in [net.stub.origin.clone(), pds.origin.clone(), DID.to_owned()] {
        let signed_in = net.sign_in(&input).await.unwrap_or_else(|e| panic!("{input}: {e:?}"));
        assert_eq!(signed_in.client.did().as_str(), DID);
    }
    net.stub.answer(SERVER, Reply::json(404, json!({})));
    let error = net.authorize(&net.stub.origin).await.unwrap_err();
    assert!(matches!(error, AuthorizeError::Discovery(DiscoveryError::NotAServer { .. })), "{error:?}");
    let told = format!("{:?}", crate::Report::new(error));
    assert_eq!(told.matches("404").count(), 2, "both reasons: {told}");
}

#[tokio::test]
async fn o1_a_server_that_does_not_answer_is_not_said_to_be_no_server() {
    let net = Net::start().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = net.authorize(&format!("http://{closed}")).await.unwrap_err();
    assert!(
        matches!(error, AuthorizeError::Discovery(DiscoveryError::Fetch { .. })),
        "nothing is known about what it is: {error:?}"
    );
    let told = format!("{:?}", crate::Report::new(error));
    assert!(told.contains(&closed.to_string()) && told.to_lowercase().contains("refused"), "{told}");
}

#[tokio::test]
async fn o27_sign_out_revokes_and_forgets() {
    let net = Net::start().await;
    // RFC 7009: any 2xx is a success, with or without a body.
    for status in [200, 204] {
        let mut reply = Reply::json(status, json!({}));
        reply.body.clear();
        net.stub.answer("/revoke", reply);
        let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
        assert_eq!(net.oauth.sign_out(&id).await.unwrap(), SignOut::Confirmed);
        let form = net.stub.last("/revoke").form;
        assert_eq!((&*form["token"], &*form["token_type_hint"]), ("refresh-1", "refresh_token"));
        assert_eq!(net.stored("").await, 0);
        assert_eq!(net.oauth.sign_out(&id).await.unwrap(), SignOut::NoSession);
    }
    let did = Did::new(DID).unwrap();
    assert!(matches!(net.oauth.client(&did).await, Err(ClientError::SessionNotFound { .. })));
}

#[tokio::test]
async fn o27_the_local_session_goes_without_the_server_too() {
    let net = Net::start().await;
    let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
    net.stub.answer("/revoke", Reply::json(503, json!({})));
    let outcome = net.oauth.sign_out(&id).await.unwrap();
    assert!(matches!(outcome, SignOut::NotConfirmed { .. }), "{outcome:?}");
    assert_eq!(net.stored("").await, 0);

    net.stub.change(SERVER, json!({ "revocation_endpoint": null }));
    let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
    let outcome = net.oauth.sign_out(&id).await.unwrap();
    assert!(matches!(outcome, SignOut::NotConfirmed { .. }), "{outcome:?}");
    assert_eq!(net.stored("").await, 0);
}

#[tokio::test]
async fn o27_a_session_that_cannot_be_read_is_signed_out_too() {
    let net = Net::start().await;
    let id = net.sign_in(DID).await.unwrap().client.session_id().clone();
    net.store.put(&id.store_key(), b"{}", None, Expected::Any).await.unwrap();
    let SignOut::NotConfirmed { problem } = net.oauth.sign_out(&id).await.unwrap() else { panic!() };
    assert!(problem.contains("damaged"), "{problem}");
    assert_eq!((net.stored("").await, net.stub.requests("/revoke").len()), (0, 0));
    assert_eq!(net.oauth.sign_out(&id).await.unwrap(), SignOut::NoSession);
}

#[tokio::test]
async fn sign_in_through_the_local_callback_server() {
    let net = Net::start().await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let sign_in = net.oauth.sign_in(DID).browser(false).on_url(move |url| tell.send(url.to_owned()).unwrap());
    let browser = async {
        told.await.unwrap();
        let back = net.stub.last("/par").form["redirect_uri"].clone();
        assert!(back.starts_with("http://127.0.0.1:") && back.ends_with("/callback"), "{back}");
        let http = plain_get(&back, "/favicon.ico?x=1").await;
        assert!(http.starts_with("HTTP/1.1 404"), "{http}");
        plain_get(&back, &format!("/callback?{}", net.stub.consent())).await
    };
    let (signed_in, page) = tokio::join!(sign_in, browser);
    assert_eq!(signed_in.unwrap().client.did().as_str(), DID);
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("Signed in"), "{page}");
}

/// A GET request over a plain socket, without retries and caching.
async fn plain_get(origin: &str, target: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let url = url::Url::parse(origin).unwrap();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// The message of an error with its causes.
fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
