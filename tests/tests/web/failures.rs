//! Handlers that fail at a real PDS, and what visitors get.

use atproto_sdk::{
    api::app::bsky::feed::post::Post, axum::HandlerError, oauth::AuthorizeOptions, scopes, types::Datetime,
};
use axum::response::Redirect;

use super::*;

/// What the app may request.
const SCOPE: &str = scopes![create::<Post>()];

async fn write(client: OAuthClient) -> Result<Redirect, HandlerError> {
    client.records::<Post>().create(&Post::new("Written on the site", Datetime::now())).await?;
    Ok(Redirect::to("/written"))
}

async fn email(client: OAuthClient) -> Result<String, HandlerError> {
    Ok(client.com_atproto_server().get_session().await?.handle.to_string())
}

/// A site that asks for no more than a sign-in at first.
async fn site() -> Site {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let metadata = ClientMetadata::loopback().redirect_uri(format!("{origin}/callback")).scope(SCOPE);
    let oauth = app(&network, metadata).build().unwrap();
    let options = AuthorizeOptions::new().scope("atproto");
    let web = WebAuth::builder(oauth, keys()).authorize_options(options).build().unwrap();
    let router = Router::new()
        .route("/write", get(write).post(write))
        .route("/session", get(email))
        .merge(web.routes())
        .layer(web.layer())
        .with_state(App { web: web.clone() });
    tokio::spawn(axum::serve(listener, router).into_future());
    Site { network, account, web, origin }
}

#[tokio::test(flavor = "multi_thread")]
async fn o46_a_missing_scope_is_asked_for_granted_and_used() {
    let site = site().await;
    let mut visitor = site.visitor();
    site.sign_in(&mut visitor, &site.account).await;
    let script = visitor.get_with("/write", &[("sec-fetch-mode", "cors")]).await;
    assert!(
        script.status == 403 && script.body.contains("\"scope\":\"repo:app.bsky.feed.post?action=create\""),
        "{}",
        script.body
    );

    let page = visitor.get("/write").await;
    assert_eq!(page.status, 403, "{}", page.body);
    let value = |name: &str| {
        let (_, rest) = page
            .body
            .split_once(&format!("name=\"{name}\" value=\""))
            .unwrap_or_else(|| panic!("{name}: {}", page.body));
        rest.split('"').next().unwrap().replace("&amp;", "&")
    };
    let (identifier, scope, back) = (value("identifier"), value("scope"), value("return_to"));
    assert_eq!((identifier.as_str(), back.as_str()), (site.account.did.as_str(), "/write"));
    let fields = [("identifier", identifier.as_str()), ("scope", &scope), ("return_to", &back)];
    let leaving = visitor.post("/login", &fields).await;
    assert_eq!(leaving.status, 303, "{}", leaving.body);
    let callback = site.network.approve(leaving.location(), &site.account).await.unwrap();
    let returned = visitor.get(&callback).await;
    assert_eq!((returned.status, returned.location()), (303, "/write"), "{}", returned.body);
    let written = visitor.get("/write").await;
    assert_eq!((written.status, written.location()), (303, "/written"), "{}", written.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn o28_a_session_that_ends_during_a_call_leads_to_the_sign_in_and_back() {
    let site = site().await;
    let mut visitor = site.visitor();
    site.sign_in(&mut visitor, &site.account).await;
    assert_eq!(visitor.get("/session").await.body, "alice.test");
    // The store has the session still, so the extractor finds it.
    site.network.end_sessions(&site.account).await.unwrap();
    let sent = visitor.get("/session?tab=1").await;
    assert_eq!(
        (sent.status, sent.location()),
        (303, "/login?return_to=%2Fsession%3Ftab%3D1"),
        "{}",
        sent.body
    );
    assert!(visitor.cookies.is_empty(), "the session has left the browser: {:?}", visitor.cookies);
    site.sign_in(&mut visitor, &site.account).await;
    assert_eq!(visitor.get("/session").await.body, "alice.test");
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_a_server_that_is_down_says_so_and_nobody_is_signed_out() {
    let site = site().await;
    let mut visitor = site.visitor();
    site.sign_in(&mut visitor, &site.account).await;
    // The public port of the PDS is empty now.
    site.network.step_behind().await.unwrap();
    let page = visitor.get("/session").await;
    assert_eq!(page.status, 503, "{}", page.body);
    assert!(
        page.body.contains("try again later") && page.body.contains("href=\"/session\""),
        "{}",
        page.body
    );
    assert!(!page.body.contains(site.network.pds()), "no addresses: {}", page.body);
    assert_eq!(visitor.get_with("/session", &[("accept", "application/json")]).await.status, 503);
    assert!(!visitor.cookies.is_empty());
}
