//! Password sessions at servers that misbehave.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use atproto_sdk::{
    PasswordClient, PasswordError,
    api::com::atproto::server::create_session,
    store::MemoryStore,
    xrpc::{Error, TransportError},
};
use serde_json::json;
use tests::{Answer, Stub};

const CREATE: &str = "/xrpc/com.atproto.server.createSession";
const REFRESH: &str = "/xrpc/com.atproto.server.refreshSession";
const GET: &str = "/xrpc/com.atproto.server.getSession";
const DELETE: &str = "/xrpc/com.atproto.server.deleteSession";

fn session() -> serde_json::Value {
    // Of a server that departs from the lexicon in what a session does not need.
    json!({"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "accessJwt": "a", "refreshJwt": "r", "email": 7, "didDoc": "none"})
}

async fn client(stub: &Stub) -> PasswordClient {
    stub.answer(CREATE, Answer::json(session().to_string()));
    let store = Arc::new(MemoryStore::new());
    PasswordClient::resume_or_sign_in(store, &stub.url(), "alice.example", "secret").await.unwrap()
}

#[tokio::test]
async fn x11_sign_in_needs_an_account_and_tokens_and_nothing_else() {
    let stub = Stub::start().await.unwrap();
    let client = client(&stub).await;
    assert_eq!((client.did().as_str(), client.handle()), ("did:plc:ewvi7nxzyoun6zhxrhs64oiz", None));
    stub.replace(CREATE, Answer::json(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#));
    let error = PasswordClient::sign_in(&stub.url(), "alice.example", "secret").await.unwrap_err();
    assert!(matches!(error, PasswordError::Answer), "{error:?}");
    stub.replace(
        CREATE,
        Answer::status(401)
            .header("content-type", "application/json")
            .body(r#"{"error": "AuthFactorTokenRequired", "message": "a code was sent"}"#),
    );
    let error = PasswordClient::sign_in(&stub.url(), "alice.example", "secret").await.unwrap_err();
    let PasswordError::SignIn(error) = error else { panic!("{error:?}") };
    assert_eq!(error.lexicon_error(), Some(create_session::Error::AuthFactorTokenRequired));
}

#[tokio::test]
async fn x11_an_answer_that_makes_no_sense_does_not_end_a_session() {
    let stub = Stub::start().await.unwrap();
    let client = client(&stub).await;
    stub.answer(
        GET,
        Answer::status(400).header("content-type", "application/json").body(r#"{"error": "ExpiredToken"}"#),
    );
    stub.answer(
        REFRESH,
        Answer::status(401).header("content-type", "application/json").body(r#"{"error": "ExpiredToken"}"#),
    );
    stub.replace(CREATE, Answer::json("<html>"));
    for _ in 0..3 {
        let error = client.com_atproto_server().get_session().await.unwrap_err();
        assert!(matches!(error, Error::Transport(TransportError::Session { .. })), "{error:?}");
    }
    // Servers limit the number of sign-ins, so it is not tried with every call.
    assert_eq!((stub.received_at(REFRESH).len(), stub.received_at(CREATE).len()), (1, 2));
}

#[tokio::test]
async fn x11_a_sign_out_that_the_server_refuses_is_told_as_such() {
    let stub = Stub::start().await.unwrap();
    let client = client(&stub).await;
    stub.answer(DELETE, Answer::status(500));
    let error = client.sign_out().await.unwrap_err();
    assert!(matches!(error, PasswordError::SignOut { status: 500 }), "{error:?}");
    assert!(error.to_string().contains("500"), "{error}");
}
