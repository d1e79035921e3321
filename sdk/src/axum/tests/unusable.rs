//! Stored sessions that the app cannot use, which does not pass by itself.

use super::*;
use crate::{axum::HandlerError, oauth::SessionId};

const PAGE: &[(&str, &str)] = &[("sec-fetch-mode", "navigate"), ("accept", "text/html")];
const FETCH: &[(&str, &str)] = &[("sec-fetch-mode", "cors"), ("accept", "*/*")];

fn id(name: &str) -> SessionId {
    format!("did:web:{name}.example.com#0123456789abcdefghijkl").parse().unwrap()
}

async fn handle(client: OAuthClient) -> Result<String, HandlerError> {
    Ok(client.com_atproto_server().get_session().await?.handle.to_string())
}

async fn of_bob(axum::extract::State(App(web)): axum::extract::State<App>) -> Result<String, HandlerError> {
    handle(web.oauth().client_named(&id("bob"))).await
}

#[tokio::test]
async fn a_damaged_session_is_no_outage_and_a_new_sign_in_is_offered() {
    let site = Site::with(
        "",
        |builder| builder,
        |web| Router::new().route("/me", get(handle)).route("/bob", get(of_bob)).merge(web.routes()),
    );
    for name in ["alice", "bob"] {
        let key = format!("session/{}/{}", id(name).did(), id(name).random());
        site.store.inner.put(&key, b"{\"v\":1,", None, Expected::Absent).await.unwrap();
    }
    let cookie = cookie_of(&site.web, id("alice"));
    let visit = async |path: &str, headers: &[(&str, &str)]| {
        site.send(Method::GET, path, &[headers, &[("cookie", cookie.as_str())]].concat(), "").await
    };
    let answer = visit("/me?a=1", PAGE).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.headers().get("set-cookie").is_none(), "the session has not ended");
    let html = text(answer).await;
    for part in [
        "<form method=\"post\" action=\"/login\">",
        "name=\"identifier\" value=\"did:web:alice.example.com\"",
        "name=\"return_to\" value=\"/me?a=1\"",
        "Sign in again",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let answer = visit("/me", FETCH).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(text(answer).await.contains("InternalServerError"));
    // For another account than the visitor's, it would be of no use.
    let html = text(visit("/bob", PAGE).await).await;
    assert!(html.contains("went wrong here") && !html.contains("<form"), "{html}");
    assert_eq!(site.store.inner.list("session/").await.unwrap().len(), 2);
    // The new session takes the place of the damaged one.
    site.web.oauth().sign_out(&id("alice")).await.unwrap();
    assert_eq!(site.store.inner.list("session/").await.unwrap().len(), 1);
}

#[test]
fn what_passes_is_told_apart_from_what_has_to_be_mended() {
    use crate::axum::HandlerErrorKind as Kind;

    let unusable =
        || StoreError::Unusable { key: "session/x".to_owned(), problem: "it is no hash".to_owned() };
    for (error, kind) in [
        (StoreError::backend(std::io::Error::other("x")), Kind::TryLater),
        (StoreError::LockLost, Kind::TryLater),
        (unusable(), Kind::Internal),
        (StoreError::Schema { found: 3, known: 2 }, Kind::Internal),
    ] {
        assert_eq!(HandlerError::from(error).kind(), kind);
    }
    let source = crate::oauth::SessionStoreError::from(unusable());
    assert_eq!(HandlerError::from(crate::oauth::ClientError::Store(source)).kind(), Kind::Internal);
}
