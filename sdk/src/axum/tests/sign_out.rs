//! Sign-out, if the store or the account's server does not answer.

use super::*;
use crate::oauth::SessionId;

const FORM: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

fn id() -> SessionId {
    "did:web:alice.example.com#0123456789abcdefghijkl".parse().unwrap()
}

fn key() -> String {
    format!("session/{}/{}", id().did(), id().random())
}

/// Browsers that wait for less than the store's and the requests' own limits.
fn impatient() -> Site {
    let limits = (Duration::from_millis(300), Duration::from_millis(300));
    Site::with(
        "",
        |mut builder| {
            builder.sign_out_limits = limits;
            builder
        },
        |web| web.routes(),
    )
}

/// A stored session whose authorization server is at this origin.
async fn stored(site: &Site, origin: &str) {
    let session = serde_json::json!({
        "v": 1, "id": id().to_string(), "issuer": origin, "token_endpoint": format!("{origin}/token"),
        "revocation_endpoint": format!("{origin}/revoke"), "pds": origin,
        "client_id": "https://app.example.com/client-metadata.json", "scope": "atproto", "access_token": "a",
        "refresh_token": "r", "expires_at": 4_000_000_000_i64, "refreshed_at": 1, "created_at": 1,
        "dpop_key": r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#,
    });
    site.store.inner.put(&key(), session.to_string().as_bytes(), None, Expected::Any).await.unwrap();
}

async fn sign_out(site: &Site) -> Response {
    let cookie = cookie_of(&site.web, id());
    let headers = [FORM, &[("cookie", cookie.as_str())]].concat();
    tokio::time::timeout(Duration::from_secs(20), site.send(Method::POST, "/logout", &headers, ""))
        .await
        .expect("a browser does not wait for minutes")
}

#[tokio::test]
async fn a_store_that_hangs_is_a_failure_that_the_user_sees_and_can_repeat() {
    let site = impatient();
    stored(&site, "https://pds.example.com").await;
    site.store.hangs.store(true, Ordering::SeqCst);
    let answer = sign_out(&site).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.headers().get("set-cookie").is_none(), "the session stays in the browser");
    assert!(text(answer).await.contains("Sign-out failed"));
    assert!(site.store.inner.get(&key()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_hangs_does_not_hold_up_a_sign_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = impatient();
    stored(&site, &format!("http://{}", listener.local_addr().unwrap())).await;
    let answer = sign_out(&site).await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/"));
    assert!(answer.headers()["set-cookie"].to_str().unwrap().contains("Max-Age=0"));
    assert!(site.store.inner.get(&key()).await.unwrap().is_none());
}

#[tokio::test]
async fn the_revocation_goes_on_after_the_browser_has_its_answer() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let site = impatient();
    stored(&site, &format!("http://{}", listener.local_addr().unwrap())).await;
    let (browser_has_answer, answered) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        // Asks for another proof, but only after the browser has gone on.
        let mut answered = Some(answered);
        for answer in [
            "HTTP/1.1 400 X\r\ncontent-type: application/json\r\ncontent-length: 26\r\ndpop-nonce: n\r\n\r\n\
             {\"error\":\"use_dpop_nonce\"}",
            "HTTP/1.1 200 X\r\ncontent-length: 0\r\ndpop-nonce: n\r\n\r\n",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"POST /revoke "));
            if let Some(answered) = answered.take() {
                answered.await.unwrap();
            }
            let closing = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            stream.write_all(closing.as_bytes()).await.unwrap();
        }
    });
    assert_eq!(sign_out(&site).await.status(), StatusCode::SEE_OTHER);
    browser_has_answer.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server).await.expect("it is asked twice").unwrap();
}

#[tokio::test]
async fn an_account_that_is_not_signed_in_is_said_to_be_none() {
    let site = impatient();
    let cookie = cookie_of(&site.web, id());
    let headers = [FORM, &[("cookie", cookie.as_str())]].concat();
    for path in ["/logout", "/switch"] {
        for did in ["did:web:bob.example.com", "nonsense"] {
            let answer = site.send(Method::POST, path, &headers, &format!("did={did}")).await;
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path} {did}");
            assert!(answer.headers().get("set-cookie").is_none(), "{path} {did}");
        }
    }
}
