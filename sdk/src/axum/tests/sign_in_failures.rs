//! What visitors are told whose sign-in does not start: what they can change, what they have to wait for, and what neither helps.

use super::*;
use crate::{
    axum::{HandlerError, HandlerErrorKind as Kind, WebError},
    identity::FetchError,
    oauth::{AuthorizeError, AuthorizeOptions, DiscoveryError, ServerError},
};

const TYPED: &str = "https://bsky.example";

fn fetch(status: u16) -> DiscoveryError {
    let source = FetchError::Status { url: format!("{TYPED}/.well-known/x"), status };
    DiscoveryError::Fetch { server: TYPED.to_owned(), source }
}

fn no_server(resource: DiscoveryError, issuer: DiscoveryError) -> AuthorizeError {
    let (resource, issuer) = (Box::new(resource), Box::new(issuer));
    DiscoveryError::NotAServer { server: TYPED.to_owned(), resource, issuer }.into()
}

fn wrong_field() -> DiscoveryError {
    let document = format!("{TYPED}/.well-known/oauth-authorization-server");
    DiscoveryError::WrongField {
        document,
        field: "scopes_supported",
        problem: "must contain `atproto`".to_owned(),
    }
}

fn pushed(status: u16, error: &str) -> AuthorizeError {
    let (error, description, retry_after) = (error.to_owned(), None, None);
    server(ServerError::OAuth { status, error, description, retry_after })
}

fn server(source: ServerError) -> AuthorizeError {
    AuthorizeError::Server { issuer: TYPED.to_owned(), source }
}

fn bad_response(status: u16) -> AuthorizeError {
    let (host, retry_after) = (TYPED.to_owned(), None);
    server(ServerError::BadResponse { host, status, problem: "is none", retry_after })
}

#[test]
fn o7_o8_o17_what_a_sign_in_failed_of_decides_what_the_visitor_is_told() {
    let nowhere = || FetchError::NoSuchHost { url: TYPED.to_owned() };
    let nowhere = || DiscoveryError::Fetch { server: TYPED.to_owned(), source: nowhere() };
    let url =
        |what| DiscoveryError::Url { what, url: "http://x.example".to_owned(), problem: "must use https" };
    let (none, unsupported) =
        ("There is no server of accounts at “https://bsky.example”", "does not support");
    let (down, of_app) = ("could not be reached. Please try again", "could not be started here");
    let prompt = AuthorizeError::Prompt { issuer: TYPED.to_owned(), prompt: "create" };
    let answer = AuthorizeError::Answer { issuer: TYPED.to_owned(), problem: "is empty" };
    for (error, kind, status, told) in [
        // A site that has nothing to do with accounts.
        (no_server(fetch(404), fetch(404)), Kind::InvalidInput, 400, none),
        (no_server(nowhere(), nowhere()), Kind::InvalidInput, 400, none),
        (no_server(wrong_field(), fetch(404)), Kind::InvalidInput, 400, none),
        (url("the server to sign in at").into(), Kind::InvalidInput, 400, none),
        (no_server(fetch(503), fetch(404)), Kind::TryLater, 502, down),
        // The server of an account.
        (fetch(503).into(), Kind::TryLater, 502, down),
        (fetch(429).into(), Kind::TryLater, 502, down),
        (fetch(404).into(), Kind::BadAnswer, 502, unsupported),
        (nowhere().into(), Kind::BadAnswer, 502, unsupported),
        (wrong_field().into(), Kind::BadAnswer, 502, unsupported),
        (url("the PDS").into(), Kind::BadAnswer, 502, unsupported),
        (prompt, Kind::BadAnswer, 502, unsupported),
        (answer, Kind::BadAnswer, 502, unsupported),
        (bad_response(404), Kind::BadAnswer, 502, unsupported),
        (bad_response(502), Kind::TryLater, 502, down),
        // What the app asks for.
        (pushed(400, "invalid_client_metadata"), Kind::Internal, 500, of_app),
        (pushed(400, "invalid_scope"), Kind::Internal, 500, of_app),
        (pushed(401, "invalid_client"), Kind::Internal, 500, of_app),
        (pushed(429, "slow_down"), Kind::TryLater, 502, down),
        (pushed(500, "server_error"), Kind::TryLater, 502, down),
        (pushed(400, "temporarily_unavailable"), Kind::TryLater, 502, down),
        (server(ServerError::ClientKeyMissing { kid: "1".to_owned() }), Kind::Internal, 500, of_app),
    ] {
        let text = crate::report::with_causes(&error).to_string();
        let source = Box::new(error);
        let error = WebError::Authorize { source, identifier: TYPED.to_owned(), return_to: None };
        assert_eq!(error.status().as_u16(), status, "{text}");
        assert!(error.user_message().contains(told), "{text}: {}", error.user_message());
        let WebError::Authorize { source, .. } = error else { unreachable!() };
        assert_eq!(HandlerError::from(*source).kind(), kind, "{text}");
    }
    let source = Box::new(no_server(fetch(404), fetch(404)));
    let error = WebError::Authorize { source, identifier: TYPED.to_owned(), return_to: None };
    assert_eq!(HandlerError::from(error).kind(), Kind::InvalidInput);
    assert_eq!(HandlerError::from(fetch(404)).kind(), Kind::BadAnswer);
    assert_eq!(HandlerError::from(fetch(503)).kind(), Kind::TryLater);
    assert!(fetch(503).is_temporary() && !fetch(404).is_temporary() && !wrong_field().is_temporary());
}

/// Through the routes, at a server that answers 404 to everything.
#[tokio::test]
async fn o1_a_web_site_that_is_no_server_of_accounts_is_no_outage() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let site = Site::new();
    let body = format!("identifier={}", origin.replace(':', "%3A").replace('/', "%2F"));
    let answer = site.send(Method::POST, "/login", &[("sec-fetch-site", "same-origin")], &body).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let page = text(answer).await;
    assert!(page.contains("There is no server of accounts") && page.contains(&origin), "{page}");
    let error = site.web.oauth().authorize(&origin, AuthorizeOptions::new()).await.unwrap_err();
    let AuthorizeError::Discovery(error) = error else { panic!("{error:?}") };
    assert!(!error.is_temporary(), "{error}");
}
