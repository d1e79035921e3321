//! What visitors get when a handler fails.

use std::{sync::Arc, time::Duration};

use axum::{extract::Path, http::HeaderMap, response::IntoResponse as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::{
    api::com::atproto::repo::get_record,
    axum::{HandlerError, HandlerErrorKind, NotSignedIn},
    oauth::{AuthorizeError, AuthorizeOptions, ClientError, SessionId},
    types::Data as _,
    xrpc::{self, DecodeError, ErrorResponse, Reauthenticate, ReauthenticateReason, TransportError},
};

const PAGE: &[(&str, &str)] = &[("sec-fetch-mode", "navigate"), ("accept", "text/html")];
const FETCH: &[(&str, &str)] = &[("sec-fetch-mode", "cors"), ("accept", "*/*")];
const SECRET: &str = "eyJhbGciOiJFUzI1NiJ9.secret";

fn id() -> SessionId {
    "did:web:alice.example.com#0123456789abcdefghijkl".parse().unwrap()
}

fn bob() -> SessionId {
    "did:web:bob.example.com#0123456789abcdefghijkl".parse().unwrap()
}

fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> xrpc::Error {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let response =
        ErrorResponse::new("a.b.c".into(), StatusCode::from_u16(status).unwrap(), &map, body.as_bytes());
    xrpc::Error::from_response(Box::new(response))
}

/// A handler that fails in one of the ways in which calls fail, all of them with `?`.
async fn fails(Path(how): Path<String>) -> Result<String, HandlerError> {
    match how.as_str() {
        "ended" => {
            let reason = ReauthenticateReason::Revoked;
            let ended = Reauthenticate::new(id().did().clone(), reason, Some(SECRET.to_owned()));
            Err(xrpc::Error::<get_record::Error>::Reauthenticate(ended))?
        }
        "other-ended" => {
            let reason = ReauthenticateReason::Revoked;
            Err(TransportError::Reauthenticate(Reauthenticate::new(bob().did().clone(), reason, None)))?
        }
        "moved" => {
            let reason = ReauthenticateReason::AccountMoved { pds: "https://new.example.com".to_owned() };
            Err(TransportError::Reauthenticate(Reauthenticate::new(id().did().clone(), reason, None)))?
        }
        "unknown-ended" => Err(answered(400, &[], r#"{"error":"ExpiredToken","message":"x"}"#))?,
        "no-session" => Err(ClientError::SessionNotFound { did: bob().did().clone() })?,
        "scope" | "other-scope" | "unknown-scope" => Err(TransportError::MissingScope {
            nsid: "a.b.c".into(),
            scope: "repo:a.b.note?action=create".to_owned(),
            item: None,
            did: match how.as_str() {
                "scope" => Some(id().did().clone()),
                "other-scope" => Some(bob().did().clone()),
                _ => None,
            },
            response: None,
        })?,
        "scope-of-another-app" => Err(TransportError::MissingScope {
            nsid: "a.b.c".into(),
            scope: "repo:a.b.other?action=create".to_owned(),
            item: None,
            did: Some(id().did().clone()),
            response: None,
        })?,
        "deactivated" => {
            Err(answered(400, &[], r#"{"error":"AccountDeactivated","message":"internal 10.0.0.7"}"#))?
        }
        "limited" => Err(answered(429, &[("retry-after", "17")], r#"{"error":"RateLimitExceeded"}"#))?,
        "down" => Err(TransportError::Connect {
            host: "https://pds.internal".to_owned(),
            source: Arc::new(std::io::Error::other(SECRET)),
        })?,
        "store" => Err(StoreError::backend(std::io::Error::other(SECRET)))?,
        "missing" => Err(answered(400, &[], r#"{"error":"RecordNotFound","message":"no such record"}"#))?,
        "refused" => Err(answered(400, &[], r#"{"error":"InvalidRequest","message":"internal 10.0.0.7"}"#))?,
        "text" => Ok(Did::new(how)?.to_string()),
        "empty" => Err(DecodeError::Empty { nsid: "a.b.c".into() })?,
        "own" => Err(HandlerError::internal(format!("the database said {SECRET}"))),
        "not-found" => Err(HandlerError::not_found("There is no <such> note.")),
        _ => Ok("fine".to_owned()),
    }
}

async fn by_hand(user: Result<OAuthClient, NotSignedIn>) -> Result<String, HandlerError> {
    Ok(user?.did().to_string())
}

fn site_with(change: impl FnOnce(WebAuthBuilder) -> WebAuthBuilder) -> Site {
    Site::with("", change, |web| {
        Router::new()
            .route("/fails/{how}", get(fails).post(fails))
            .route("/by-hand", get(by_hand))
            .nest("/deep", Router::new().route("/fails/{how}", get(fails)))
            .merge(web.routes())
    })
}

fn site() -> Site {
    site_with(|builder| builder)
}

async fn visit(site: &Site, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let cookie = cookie_of(&site.web, id());
    site.send(method, path, &[headers, &[("cookie", cookie.as_str())]].concat(), "").await
}

#[tokio::test]
async fn every_kind_of_failure_has_its_status_its_page_and_its_json() {
    let site = site();
    for (how, status, name, page) in [
        ("deactivated", 403, "AccountDeactivated", "deactivated"),
        ("limited", 503, "ServiceUnavailable", "try again later"),
        ("down", 503, "ServiceUnavailable", "try again later"),
        ("store", 503, "ServiceUnavailable", "try again later"),
        ("missing", 404, "NotFound", "no such page"),
        ("refused", 400, "InvalidRequest", "could not be processed"),
        ("text", 400, "InvalidRequest", "could not be processed"),
        ("empty", 502, "UpstreamFailure", "makes no sense"),
        ("own", 500, "InternalServerError", "went wrong here"),
        ("not-found", 404, "NotFound", "no &lt;such&gt; note"),
        ("scope-of-another-app", 403, "ScopeMissingError", "permission"),
    ] {
        let answer = visit(&site, Method::GET, &format!("/fails/{how}"), PAGE).await;
        assert_eq!(answer.status().as_u16(), status, "{how}");
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8", "{how}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{how}");
        assert!(answer.headers().get("set-cookie").is_none(), "{how}: nobody is signed out");
        let html = text(answer).await;
        assert!(html.to_lowercase().contains(&page.to_lowercase()), "{how}: {html}");

        let answer = visit(&site, Method::POST, &format!("/fails/{how}"), FETCH).await;
        assert_eq!(answer.status().as_u16(), status, "{how}");
        assert_eq!(answer.headers()["content-type"], "application/json", "{how}");
        let body: Value = serde_json::from_str(&text(answer).await).unwrap();
        assert_eq!(body["error"], name, "{how}");
        for shown in [html, body.to_string()] {
            for hidden in [SECRET, "10.0.0.7", "pds.internal", "a.b.c"] {
                assert!(!shown.contains(hidden), "{how} shows {hidden}: {shown}");
            }
        }
    }
    assert_eq!(text(visit(&site, Method::GET, "/fails/not", PAGE).await).await, "fine");
}

#[tokio::test]
async fn who_asks_for_json_gets_json_and_who_opens_a_page_gets_a_page() {
    let site = site();
    let html = "text/html; charset=utf-8";
    for (headers, content_type) in [
        (&[("sec-fetch-mode", "navigate")][..], html),
        (&[("sec-fetch-mode", "navigate"), ("accept", "text/html,application/xhtml+xml,*/*")], html),
        (&[("accept", "text/html,*/*")], html),
        (&[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")], "application/json"),
        (&[("accept", "application/json")], "application/json"),
        (&[("sec-fetch-mode", "navigate"), ("accept", "application/json")], "application/json"),
        (&[("sec-fetch-mode", "cors"), ("accept", "text/html")], "application/json"),
        (&[("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "empty")], "application/json"),
        (&[], "application/json"),
    ] {
        let answer = visit(&site, Method::GET, "/fails/own", headers).await;
        assert_eq!(answer.headers()["content-type"], content_type, "{headers:?}");
        let answer = visit(&site, Method::GET, "/fails/ended", headers).await;
        let redirected = answer.status() == StatusCode::SEE_OTHER;
        assert_eq!(redirected, content_type == html, "{headers:?}");
        assert!(redirected || answer.status() == StatusCode::UNAUTHORIZED, "{headers:?}");
    }
}

#[tokio::test]
async fn a_session_that_has_ended_leads_to_the_sign_in_and_back() {
    let site = site();
    for (path, back) in [
        ("/fails/ended?a=1", "/login?return_to=%2Ffails%2Fended%3Fa%3D1"),
        ("/deep/fails/ended", "/login?return_to=%2Fdeep%2Ffails%2Fended"),
    ] {
        let answer = visit(&site, Method::GET, path, PAGE).await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, back), "{path}");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("Max-Age=0"), "the ended session leaves the browser: {cookie}");
    }
    // A form leads back to its page, if that is one of this site.
    for (referer, back) in [
        (Some(format!("{ORIGIN}/drafts?page=2#x")), "/login?return_to=%2Fdrafts%3Fpage%3D2"),
        (Some("https://evil.example/drafts".to_owned()), "/login"),
        (Some("not a url".to_owned()), "/login"),
        (None, "/login"),
    ] {
        let mut headers = PAGE.to_vec();
        headers.extend(referer.as_deref().map(|referer| ("referer", referer)));
        let answer = visit(&site, Method::POST, "/fails/ended", &headers).await;
        assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, back), "{referer:?}");
    }
    let answer = visit(&site, Method::GET, "/fails/ended", FETCH).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let body = text(answer).await;
    assert!(body.contains("AuthRequired") && !body.contains(SECRET), "{body}");
}

/// A sign-in would lead back to the same failure, again and again.
#[tokio::test]
async fn the_end_of_a_session_of_no_account_of_this_browser_is_a_failure_of_the_app() {
    let site = site();
    for how in ["other-ended", "unknown-ended", "no-session"] {
        let path = format!("/fails/{how}");
        let answer = visit(&site, Method::GET, &path, PAGE).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{how}");
        assert!(answer.headers().get("set-cookie").is_none(), "{how}: nobody is signed out");
        assert!(text(answer).await.contains("went wrong here"), "{how}");
        let answer = visit(&site, Method::GET, &path, FETCH).await;
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{how}");
        assert!(text(answer).await.contains("InternalServerError"), "{how}");
        // Who is not signed in can sign in first.
        assert_eq!(site.send(Method::GET, &path, PAGE, "").await.status(), StatusCode::SEE_OTHER, "{how}");
    }
}

#[tokio::test]
async fn the_end_of_another_accounts_session_leaves_the_active_one_in_the_browser() {
    let site = site();
    let (mut sessions, jar) = (crate::axum::cookie::Sessions::default(), &site.web.inner.jar);
    for id in [bob(), id()] {
        jar.sign_in(&mut sessions, id);
    }
    let cookies = jar.set_sessions(&sessions);
    let pairs: Vec<&str> =
        cookies.iter().map(|set| set.to_str().unwrap().split(';').next().unwrap()).collect();
    let cookie = pairs.join("; ");
    let headers = [PAGE, &[("cookie", cookie.as_str())]].concat();
    let answer = site.send(Method::GET, "/fails/other-ended", &headers, "").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let removed: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|set| set.to_str().unwrap()).collect();
    let name = pairs[0].split('=').next().unwrap();
    assert!(
        matches!(removed[..], [set] if set.starts_with(name) && set.contains("Max-Age=0")),
        "{removed:?}"
    );
}

#[tokio::test]
async fn x14_the_session_of_an_account_that_has_moved_stays_in_the_browser_until_it_is_signed_out() {
    let site = site();
    let answer = visit(&site, Method::GET, "/fails/moved", PAGE).await;
    assert_eq!(
        (answer.status(), location(&answer)),
        (StatusCode::SEE_OTHER, "/login?return_to=%2Ffails%2Fmoved")
    );
    assert!(answer.headers().get("set-cookie").is_none());
}

#[tokio::test]
async fn no_link_leads_to_another_site() {
    let site = Site::with(
        "",
        |builder| builder,
        |web| Router::new().fallback(async || fails(Path("down".to_owned())).await).merge(web.routes()),
    );
    let page = text(visit(&site, Method::GET, "/evil", PAGE).await).await;
    assert!(page.contains("href=\"/evil\""), "{page}");
    let page = text(visit(&site, Method::GET, "//evil.example/x", PAGE).await).await;
    assert!(!page.contains("evil.example"), "{page}");
}

/// As a layer does that compresses, or answers with parts of files.
async fn describe_the_body(mut answer: Response) -> Response {
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("transfer-encoding", "chunked"),
        ("etag", "\"1\""),
        ("content-range", "bytes 0-1/2"),
        ("accept-ranges", "bytes"),
        ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ("content-language", "de"),
        ("set-cookie", "tab=1"),
        ("x-request-id", "7"),
    ] {
        answer.headers_mut().insert(name, value.parse().unwrap());
    }
    answer
}

#[tokio::test]
async fn headers_about_the_body_of_the_handler_do_not_describe_the_page() {
    let site = Site::with(
        "",
        |builder| builder,
        |web| {
            Router::new()
                .route("/fails/{how}", get(fails))
                .layer(axum::middleware::map_response(describe_the_body))
                .merge(web.routes())
        },
    );
    for headers in [PAGE, FETCH] {
        let answer = visit(&site, Method::GET, "/fails/down", headers).await;
        let mut names: Vec<&str> = answer.headers().keys().map(|name| name.as_str()).collect();
        names.retain(|name| {
            !["content-security-policy", "referrer-policy", "x-content-type-options"].contains(name)
        });
        names.sort_unstable();
        assert_eq!(
            names,
            ["cache-control", "content-length", "content-type", "set-cookie", "vary", "x-request-id"]
        );
        let length = answer.headers()["content-length"].to_str().unwrap().to_owned();
        assert_eq!(length, text(answer).await.len().to_string());
    }
}

#[tokio::test]
async fn a_rejection_of_the_extractor_answers_as_it_would_alone() {
    let site = site();
    let answer = site.send(Method::GET, "/by-hand", PAGE, "").await;
    assert_eq!((answer.status(), location(&answer)), (StatusCode::SEE_OTHER, "/login?return_to=%2Fby-hand"));
    assert_eq!(site.send(Method::GET, "/by-hand", FETCH, "").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn x4_what_a_server_asks_to_wait_is_passed_on() {
    let site = site();
    for headers in [PAGE, FETCH] {
        let answer = visit(&site, Method::GET, "/fails/limited", headers).await;
        assert_eq!(answer.headers()["retry-after"], "17");
        assert!(
            visit(&site, Method::GET, "/fails/down", headers).await.headers().get("retry-after").is_none()
        );
    }
    // Not too early.
    let error: xrpc::Error =
        TransportError::BudgetSpent { budget: "write budget".into(), wait: Duration::from_millis(1200) }
            .into();
    assert_eq!(HandlerError::from(error).into_response().headers()["retry-after"], "2");
}

#[tokio::test]
async fn what_is_wrong_with_the_data_is_told() {
    let post = crate::api::app::bsky::feed::post::Post::new("a".repeat(301), crate::types::Datetime::now());
    let error = HandlerError::from(post.validate().unwrap_err());
    assert_eq!(error.kind(), HandlerErrorKind::InvalidInput);
    assert!(error.user_message().contains("301 characters, at most 300"), "{}", error.user_message());
}

#[test]
fn an_account_that_cannot_be_resolved_is_no_typing_error_of_the_visitor_unless_it_does_not_exist() {
    let did = || id().did().clone();
    let handle = Handle::new("nobody.example.com").unwrap();
    for (error, kind) in [
        (IdentityError::HandleNotFound { handle }, HandlerErrorKind::InvalidInput),
        (IdentityError::NoPds { did: did() }, HandlerErrorKind::BadAnswer),
        (
            IdentityError::WrongDocument { did: did(), found: "did:web:x.example".to_owned() },
            HandlerErrorKind::BadAnswer,
        ),
        (
            IdentityError::Configuration { value: "ftp://x".to_owned(), problem: "it is not https" },
            HandlerErrorKind::Internal,
        ),
    ] {
        let authorize = AuthorizeError::Identity { input: "x".to_owned(), source: error };
        let source = std::error::Error::source(&authorize).unwrap().to_string();
        assert_eq!(HandlerError::from(authorize).kind(), kind, "{source}");
    }
    let error = IdentityError::InvalidPds { did: did(), url: "http://x".to_owned(), problem: "is not https" };
    assert_eq!(HandlerError::from(error).kind(), HandlerErrorKind::BadAnswer);
}

#[tokio::test]
async fn errors_with_a_source_mean_what_the_source_means() {
    use crate::records::DeleteAllError;

    let limited = || answered(429, &[("retry-after", "17")], r#"{"error":"RateLimitExceeded"}"#);
    let uri: crate::types::AtUri = "at://did:web:alice.example.com/a.b.c/1".parse().unwrap();
    let TransportError::MissingScope { scope, .. } = missing() else { panic!() };
    let error = HandlerError::from(DeleteAllError::DeleteOne { uri, source: missing().into() });
    assert_eq!((error.kind(), error.missing_scope()), (HandlerErrorKind::MissingScope, Some(scope.as_str())));
    let error = HandlerError::from(crate::types::AtIdentifier::from_input("alice").unwrap_err());
    assert_eq!(error.kind(), HandlerErrorKind::InvalidInput);
    assert!(error.user_message().contains("“alice” is not a valid handle: it has no dot"), "{error}");
    #[cfg(feature = "bsky")]
    {
        use crate::bsky::{post::ImageProblem, preferences::PreferencesError, video::VideoError};

        let error = HandlerError::from(VideoError::Service(Box::new(limited())));
        assert_eq!(
            (error.kind(), error.retry_after()),
            (HandlerErrorKind::TryLater, Some(Duration::from_secs(17)))
        );
        let error = HandlerError::from(PreferencesError::Busy { waited: Duration::from_secs(1) });
        assert_eq!(error.kind(), HandlerErrorKind::TryLater);
        let error = HandlerError::from(ImageProblem::TooLarge { found: 3_000_000, most: 2_000_000 });
        assert!(error.user_message().contains("at most 2000000"), "{}", error.user_message());
        assert_eq!(error.kind(), HandlerErrorKind::InvalidInput);
    }
    assert_eq!(HandlerError::from(limited()).retry_after(), Some(Duration::from_secs(17)));
}

fn missing() -> TransportError {
    TransportError::MissingScope {
        nsid: "a.b.c".into(),
        scope: "repo:a.b.note?action=delete".to_owned(),
        item: None,
        did: None,
        response: None,
    }
}

#[test]
fn texts_are_neutral_about_whose_server_or_account_it_is() {
    let gone = HandlerError::from(answered(400, &[], r#"{"error":"RepoNotFound","message":"x"}"#));
    assert_eq!(gone.kind(), HandlerErrorKind::AccountUnavailable);
    assert!(!gone.user_message().contains("sign in"), "{}", gone.user_message());
    let busy = HandlerError::from(StoreError::backend(std::io::Error::other("x")));
    assert!(!busy.user_message().contains("account"), "{}", busy.user_message());
}

const SCOPES: &str = "atproto repo:a.b.note blob:image/*";

fn asking_for_little() -> Site {
    let options = AuthorizeOptions::new().scope("atproto");
    Site::scoped(
        SCOPES,
        |builder| builder.authorize_options(options),
        |web| Router::new().route("/fails/{how}", get(fails).post(fails)).merge(web.routes()),
    )
}

#[tokio::test]
async fn o46_a_missing_scope_leads_to_a_form_that_asks_for_it() {
    let site = asking_for_little();
    let answer = visit(&site, Method::GET, "/fails/scope?a=1", PAGE).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.headers().get("set-cookie").is_none(), "the session remains");
    let html = text(answer).await;
    for part in [
        "<form method=\"post\" action=\"/login\">",
        "name=\"identifier\" value=\"did:web:alice.example.com\"",
        "name=\"scope\" value=\"repo:a.b.note?action=create\"",
        "name=\"return_to\" value=\"/fails/scope?a=1\"",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    let answer = visit(&site, Method::GET, "/fails/scope", FETCH).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let body: Value = serde_json::from_str(&text(answer).await).unwrap();
    assert_eq!(body["scope"], "repo:a.b.note?action=create");

    // Neither can that of another account than the active one, or of one that is not known.
    for how in ["other-scope", "unknown-scope"] {
        let answer = visit(&site, Method::GET, &format!("/fails/{how}"), PAGE).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{how}");
        let html = text(answer).await;
        assert!(html.contains("permission") && !html.contains("<form"), "{how}: {html}");
    }
    // No sign-in can give what the app may not request.
    let html = text(visit(&site, Method::GET, "/fails/scope-of-another-app", PAGE).await).await;
    assert!(!html.contains("<form"), "{html}");
}

#[tokio::test]
async fn o46_only_the_sites_own_form_decides_about_the_scope() {
    let site = asking_for_little();
    let body = "identifier=did%3Aweb%3Aalice.example.com&scope=repo%3Aa.b.note%3Faction%3Dcreate";
    let own = site.send(Method::POST, "/login", &[("sec-fetch-site", "same-origin")], body).await;
    assert_eq!(
        (own.status(), site.started()),
        (StatusCode::BAD_REQUEST, 1),
        "it starts; there is no such account"
    );
    let other = site.send(Method::POST, "/login", &[("sec-fetch-site", "cross-site")], body).await;
    assert_eq!((other.status(), site.started()), (StatusCode::FORBIDDEN, 0));
    let too_much = body.replace("a.b.note", "a.b.other");
    let refused = site.send(Method::POST, "/login", &[("sec-fetch-site", "same-origin")], &too_much).await;
    assert_eq!((refused.status(), site.started()), (StatusCode::BAD_REQUEST, 0));
}

#[tokio::test]
async fn the_sites_own_page_takes_the_place_of_the_pages() {
    let site = site_with(|builder| {
        builder.handler_error_page(|page| {
            let text = format!("own page: {} {:?}", page.error.user_message(), page.return_to);
            (StatusCode::IM_A_TEAPOT, text).into_response()
        })
    });
    let answer = visit(&site, Method::GET, "/fails/limited", PAGE).await;
    assert_eq!(
        (answer.status(), answer.headers()["retry-after"].as_bytes()),
        (StatusCode::IM_A_TEAPOT, &b"17"[..])
    );
    let page = text(answer).await;
    assert!(
        page.starts_with("own page: This is not possible at the moment")
            && page.contains("Some(\"/fails/limited\")"),
        "{page}"
    );
    let answer = visit(&site, Method::GET, "/fails/limited", FETCH).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "scripts get JSON as before");
}

#[tokio::test]
async fn without_the_layer_the_status_and_the_message_remain() {
    let answer = fails(Path("limited".to_owned())).await.into_response();
    assert_eq!(
        (answer.status(), answer.headers()["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"17"[..])
    );
    assert!(text(answer).await.contains("try again later"));
}

#[tokio::test]
async fn the_error_page_keeps_the_handle_that_was_typed() {
    let site = site();
    let form = [("sec-fetch-site", "same-origin")];
    let answer =
        site.send(Method::POST, "/login", &form, "identifier=nobody.example.com&return_to=%2Fdrafts").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let html = text(answer).await;
    for part in
        ["name=\"identifier\"", "value=\"nobody.example.com\"", "name=\"return_to\" value=\"/drafts\""]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    // Also what is no handle at all, and text that means something in HTML.
    let odd = text(site.send(Method::POST, "/login", &form, "identifier=%22%3E%3Cb%3E").await).await;
    assert!(odd.contains("value=\"&quot;&gt;&lt;b&gt;\"") && !odd.contains("<b>"), "{odd}");
    // And what is wrong with it is told.
    let short = text(site.send(Method::POST, "/login", &form, "identifier=alice").await).await;
    assert!(short.contains("“alice” is not a valid handle: it has no dot"), "{short}");
    // The site's own page is told the same.
    let own = site_with(|builder| {
        builder.error_page(|error| {
            let form = error.login_form();
            format!("again: {:?} {:?}", form.identifier, form.return_to).into_response()
        })
    });
    let page =
        text(own.send(Method::POST, "/login", &form, "identifier=nobody.example.com&return_to=%2Fx").await)
            .await;
    assert_eq!(page, "again: Some(\"nobody.example.com\") Some(\"/x\")");
}

/// A sign-in in progress whose saved key is broken, as the store has it.
async fn pending(site: &Site, state: &str) -> String {
    let app_state = r#"{"return_to":"/drafts","identifier":"alice.example.com"}"#;
    let saved = serde_json::json!({
        "issuer": "https://pds.example.com",
        "token_endpoint": "https://pds.example.com/token",
        "redirect_uri": format!("{ORIGIN}/callback"),
        "app_state": app_state,
        "expires_at": crate::clock::unix_now() + 60,
        "verifier": "v",
        "dpop_key": "broken",
    });
    let key = format!("pending/{}", URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes())));
    site.store.put(&key, saved.to_string().as_bytes(), None, Expected::Absent).await.unwrap();
    let cookie = site.web.inner.jar.begin(&HeaderMap::new(), state).remove(0);
    cookie.to_str().unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn whatever_fails_in_a_sign_in_the_next_attempt_keeps_the_handle_and_the_way_back() {
    let site = site();
    let state = "s".repeat(43);
    for issuer in ["https://other.example.com", "https://pds.example.com"] {
        let cookie = pending(&site, &state).await;
        let path = format!("/callback?state={state}&code=c&iss={issuer}");
        let answer =
            site.send(Method::GET, &path, &[PAGE, &[("cookie", cookie.as_str())]].concat(), "").await;
        let html = text(answer).await;
        for part in ["value=\"alice.example.com\"", "name=\"return_to\" value=\"/drafts\""] {
            assert!(html.contains(part), "{issuer}: {part}: {html}");
        }
    }
}
