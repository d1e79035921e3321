//! The way back to pages whose path the router or a proxy has shortened.

use super::*;

const NAVIGATES: &[(&str, &str)] = &[("sec-fetch-mode", "navigate")];

fn pages() -> Router<App> {
    Router::new().route("/private", get(async |_: OAuthClient| "private"))
}

#[tokio::test]
async fn the_way_back_keeps_the_prefix_of_a_nested_router() {
    let site = Site::with(
        "/auth",
        |builder| builder,
        |web| {
            let inner = Router::new().merge(pages()).nest("/deep", pages());
            Router::new().nest("/app", inner).merge(pages()).merge(web.routes())
        },
    );
    for (path, back) in [
        ("/private?a=1", "%2Fprivate%3Fa%3D1"),
        ("/app/private?a=1", "%2Fapp%2Fprivate%3Fa%3D1"),
        ("/app/deep/private", "%2Fapp%2Fdeep%2Fprivate"),
    ] {
        let answer = site.send(Method::GET, path, NAVIGATES, "").await;
        assert_eq!(location(&answer), format!("/auth/login?return_to={back}"), "{path}");
    }
}

#[tokio::test]
async fn the_routes_themselves_can_be_nested() {
    let site = Site::with(
        "/auth",
        |builder| builder.mounted_at(""),
        |web| Router::new().nest("/auth", web.routes()).nest("/app", pages()),
    );
    assert_eq!(site.send(Method::GET, "/auth/login", &[], "").await.status(), StatusCode::OK);
    let answer = site.send(Method::GET, "/app/private", NAVIGATES, "").await;
    assert_eq!(location(&answer), "/auth/login?return_to=%2Fapp%2Fprivate");
}

#[tokio::test]
async fn the_way_back_has_what_a_proxy_strips() {
    // The proxy forwards `/app/..` as `/..`.
    let site = Site::with(
        "/app/auth",
        |builder| builder.stripped_prefix("/app"),
        |web| pages().nest("/deep", pages()).merge(web.routes()),
    );
    assert_eq!(site.send(Method::GET, "/auth/login", &[], "").await.status(), StatusCode::OK);
    let signed_out = site.send(Method::POST, "/auth/logout", &[], "").await;
    assert_eq!(location(&signed_out), "/app/", "home");
    for (path, back) in [("/private", "%2Fapp%2Fprivate"), ("/deep/private?a", "%2Fapp%2Fdeep%2Fprivate%3Fa")]
    {
        let answer = site.send(Method::GET, path, NAVIGATES, "").await;
        assert_eq!(location(&answer), format!("/app/auth/login?return_to={back}"), "{path}");
    }
}
