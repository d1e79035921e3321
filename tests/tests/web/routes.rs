//! The routes and the extractors, one request after the other.

use std::time::Duration;

use atproto_sdk::axum::WebAuth;

use super::*;

const DEFAULTS: fn(WebAuthBuilder) -> WebAuthBuilder = |builder| builder;

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_and_out() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    assert_eq!(visitor.get("/").await.body, "user: None");
    // Someone who may not see a page is sent to sign in, and comes back to it.
    let sent = visitor.get("/private?a=1").await;
    assert_eq!((sent.status, sent.location()), (303, "/login?return_to=%2Fprivate%3Fa%3D1"));
    let form = visitor.get(sent.location()).await;
    assert!(form.status == 200 && form.body.contains("value=\"/private?a=1\""), "{}", form.body);
    let fields = [("identifier", site.account.handle.as_str()), ("return_to", "/private?a=1")];
    let leaving = visitor.post("/login", &fields).await;
    assert_eq!(leaving.status, 303, "a form is not posted again: {}", leaving.body);
    let login = leaving.set_cookie("atproto-login.").unwrap();
    assert!(login.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{login}");
    let callback = site.network.approve(leaving.location(), &site.account).await.unwrap();
    let back = visitor.get(&callback).await;
    assert_eq!((back.status, back.location()), (303, "/private?a=1"));
    let cookie = back.set_cookie("atproto.").unwrap();
    // `Secure` is off on loopback only.
    assert!(cookie.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"), "{cookie}");
    let session = site.web.oauth().sessions(&site.did()).await.unwrap().remove(0).id;
    let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!cookie.contains("did:") && !cookie.contains(session.random()) && session.random() != state);
    assert!(back.set_cookie("atproto-login.").unwrap().contains("Max-Age=0"));
    let private = visitor.get("/private").await;
    assert_eq!(private.body, format!("private: {}", site.account.handle));
    assert_eq!((private.header("cache-control"), private.header("vary")), ("no-store", "cookie"));
    assert_eq!(visitor.get("/outcome").await.body, format!("client of {}", site.account.did));

    let before = visitor.cookies.clone();
    assert_eq!(visitor.get("/logout").await.status, 405, "a link or a picture signs nobody out");
    let out = visitor.post("/logout", &[]).await;
    assert_eq!((out.status, out.location()), (303, "/"));
    assert!(out.set_cookie("atproto.").unwrap().contains("Max-Age=0") && visitor.cookies.is_empty());
    assert_eq!(site.network.sessions(&site.account).await.unwrap(), 0, "the server has revoked it");
    // A cookie that somebody has kept is of no use.
    visitor.cookies = before;
    assert_eq!(visitor.get("/outcome").await.body, "again: NotFound");
    assert_eq!(visitor.get("/").await.body, "user: None");
    let sent = visitor.get("/private").await;
    assert!(sent.status == 303 && visitor.cookies.is_empty(), "the browser forgets a session that has ended");
    assert_eq!(visitor.get("/outcome").await.body, "no session");
}

#[tokio::test(flavor = "multi_thread")]
async fn o1_the_form_takes_a_handle_as_people_paste_it() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    let handle = &site.account.handle;
    for typed in [
        format!("\u{202a}@{handle}\u{202c}"),
        format!(" {}. ", handle.as_str().to_uppercase()),
        format!("https://bsky.app/profile/{handle}"),
        format!("at://{}", site.account.did),
    ] {
        let leaving = visitor.post("/login", &[("identifier", typed.as_str())]).await;
        assert_eq!(leaving.status, 303, "{typed}: {}", leaving.body);
        site.network.approve(leaving.location(), &site.account).await.unwrap();
    }
    let refused = visitor.post("/login", &[("identifier", "alice")]).await;
    assert!(
        refused.status == 400 && refused.body.contains("is not a valid handle"),
        "{} {}",
        refused.status,
        refused.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn o20_a_callback_counts_once_and_only_in_the_browser_that_began() {
    let site = Site::start(DEFAULTS).await;
    let (mut attacker, mut victim) = (site.visitor(), site.visitor());
    let callback = site.begin(&mut attacker, &site.account, "/").await;
    // Login CSRF: the victim is made to open the attacker's callback.
    let refused = victim.get(&callback).await;
    assert!(refused.status == 400 && victim.cookies.is_empty(), "{}", refused.body);
    let other = site.network.account("bob").await.unwrap();
    let own = site.begin(&mut victim, &other, "/").await;
    assert_eq!(victim.get(&callback).await.status, 400, "also with a sign-in of the victim's own under way");
    // Neither of both sign-ins has suffered.
    assert_eq!(victim.get(&own).await.status, 303);
    assert_eq!(attacker.get(&callback).await.status, 303);
    assert_eq!(attacker.get("/outcome").await.body, format!("client of {}", site.account.did));
    assert_eq!(attacker.get(&callback).await.status, 400, "a second time");
    for query in ["", "?code=x", "?state=x&code=y", "?state=a&state=b&code=c"] {
        assert_eq!(attacker.get(&format!("/callback{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o22_whoever_denies_sees_a_page_and_the_way_back() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    let leaving = visitor.get_own(&format!("/login?identifier={}", site.account.handle)).await;
    let callback = site.network.deny(leaving.location()).await.unwrap();
    let page = visitor.get(&callback).await;
    assert!(page.status == 403 && page.body.contains("Access denied"), "{}", page.body);
    // The way back is a form with the handle that was typed.
    for part in ["action=\"/login\"", "value=\"alice.test\""] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(visitor.cookies.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_types_is_answered_in_words() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    for (typed, status, words) in [
        ("no one", 400, "it has a space inside; type one handle, such as alice.example.com"),
        ("<b>x</b>", 400, "&lt;b&gt;x&lt;/b&gt;"),
        ("nobody.test", 400, "There is no account"),
        ("https://127.0.0.1:1", 502, "could not be reached"),
        // A site that is no server of accounts, such as this one.
        (&site.origin, 400, "There is no server of accounts"),
    ] {
        let page = visitor.post("/login", &[("identifier", typed)]).await;
        assert_eq!(page.status, status, "{typed}: {}", page.body);
        assert!(page.body.contains(words), "{typed}: {}", page.body);
    }
    assert_eq!(visitor.post("/login", &[]).await.status, 400);
    let long = "x".repeat(20_000);
    assert_eq!(visitor.post("/login", &[("identifier", &long)]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn ways_back_lead_to_this_site_only() {
    let site = Site::start(|builder| builder.home("/start")).await;
    for (wanted, expected) in [
        ("https://evil.example/", "/start"),
        ("//evil.example", "/start"),
        ("/%5Cevil.example", "/start"),
        ("/%09/evil.example", "/start"),
        ("/a?b=c", "/a?b=c"),
        ("", "/start"),
    ] {
        let mut visitor = site.visitor();
        let callback = site.begin(&mut visitor, &site.account, wanted).await;
        let back = visitor.get(&callback).await;
        assert_eq!((back.status, back.location()), (303, expected), "{wanted}");
        let out = visitor
            .post("/logout", &[("return_to", &wanted.replace("%5C", "\\").replace("%09", "\t"))])
            .await;
        assert_eq!(out.location(), expected, "{wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_of_other_sites_are_refused() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    site.sign_in(&mut visitor, &site.account).await;
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
    ] {
        for path in ["/logout", "/switch", "/login"] {
            let fields = [("did", site.account.did.as_str()), ("identifier", "alice.test")];
            assert_eq!(visitor.post_with(path, &fields, headers).await.status, 403, "{path} {headers:?}");
        }
    }
    assert_eq!(visitor.get("/outcome").await.body, format!("client of {}", site.account.did));
    let origin = site.origin.clone();
    assert_eq!(visitor.post_with("/logout", &[], &[("origin", &origin)]).await.status, 303);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_accounts_are_signed_in_and_switched_between() {
    let site = Site::start(DEFAULTS).await;
    let bob = site.network.account("bob").await.unwrap();
    let mut visitor = site.visitor();
    site.sign_in(&mut visitor, &site.account).await;
    site.sign_in(&mut visitor, &bob).await;
    let shown = |did: &str| format!("client of {did}");
    assert_eq!(visitor.get("/outcome").await.body, shown(bob.did.as_str()));
    let switched =
        visitor.post("/switch", &[("did", site.account.did.as_str()), ("return_to", "/private")]).await;
    assert_eq!((switched.status, switched.location()), (303, "/private"));
    assert_eq!(visitor.get("/outcome").await.body, shown(site.account.did.as_str()));
    assert_eq!(visitor.post("/switch", &[("did", "did:web:stranger.example")]).await.status, 400);
    // Signing in again replaces the session in this browser, and ends the old one.
    site.sign_in(&mut visitor, &bob).await;
    assert_eq!(site.network.sessions(&bob).await.unwrap(), 1);
    visitor.post("/logout", &[("did", bob.did.as_str())]).await;
    assert_eq!(visitor.get("/outcome").await.body, shown(site.account.did.as_str()), "the other one stays");
    site.sign_in(&mut visitor, &bob).await;
    visitor.post("/logout", &[("all", "true")]).await;
    assert_eq!(visitor.get("/outcome").await.body, "no session");
    assert!(site.web.oauth().accounts().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ended_session_asks_to_sign_in_again_and_scripts_get_401() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    let sent = visitor.get_with("/private", &[("accept", "application/json")]).await;
    assert!(sent.status == 401 && sent.body.contains("AuthRequired"), "{}", sent.body);
    site.sign_in(&mut visitor, &site.account).await;
    site.network.end_sessions(&site.account).await.unwrap();
    site.web.oauth().client(&site.did()).await.unwrap().refresh().await.unwrap_err();
    assert_eq!(visitor.get("/outcome").await.body, "again: NotFound");
    assert_eq!(visitor.get_with("/private", &[("sec-fetch-mode", "cors")]).await.status, 401);

    // Nobody can come back to a form that was posted; who posts it is a person all the same.
    let posted = visitor.post("/private", &[]).await;
    assert_eq!((posted.status, posted.location()), (303, "/login"), "{}", posted.body);

    let api = Site::start(|builder| builder.answer_unauthorized()).await;
    assert_eq!(api.visitor().get("/private").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn localhost_becomes_the_name_that_the_callback_has() {
    let site = Site::start(DEFAULTS).await;
    let mut visitor = site.visitor();
    let port = site.origin.rsplit(':').next().unwrap();
    let host = format!("localhost:{port}");
    let sent = visitor.get_with("/login?identifier=alice.test&return_to=/a", &[("host", &host)]).await;
    let expected = format!("{}/login?identifier=alice.test&return_to=%2Fa", site.origin);
    assert_eq!((sent.status, sent.location()), (303, expected.as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_lie_under_any_prefix() {
    for prefix in ["/auth", "/a/b.c"] {
        let site = Site::with_prefix(prefix, DEFAULTS).await;
        let mut visitor = site.visitor();
        assert_eq!(visitor.get("/private").await.location(), format!("{prefix}/login?return_to=%2Fprivate"));
        site.sign_in(&mut visitor, &site.account).await;
        assert_eq!(
            visitor.post(&site.web.switch_path(), &[("did", site.account.did.as_str())]).await.status,
            303
        );
        assert_eq!(visitor.post(&site.web.logout_path(), &[]).await.status, 303);
        assert_eq!(visitor.get("/login").await.status, 404);
        // The development client has neither document.
        assert_eq!(visitor.get(&format!("{prefix}/client-metadata.json")).await.status, 404);
        assert_eq!(visitor.get(&format!("{prefix}/jwks.json")).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_called_and_pages_can_be_the_apps_own() {
    use axum::response::IntoResponse as _;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let tell_out = tell.clone();
    let site = Site::start(|builder| {
        builder
            .after_sign_in(move |signed_in| {
                let tell = tell.clone();
                async move { tell.send(format!("in {}", signed_in.client.did())).unwrap() }
            })
            .after_sign_out(move |session| {
                let tell = tell_out.clone();
                async move { tell.send(format!("out {}", session.did())).unwrap() }
            })
            .login_page(|form| format!("who? {:?} {:?}", form.identifier, form.return_to).into_response())
            .error_page(|error| (error.status(), format!("mine: {}", error.user_message())).into_response())
            .cookie_lifetime(Duration::from_secs(100))
            .cookie_name("mine")
    })
    .await;
    let mut visitor = site.visitor();
    assert_eq!(visitor.get("/login?return_to=/x&identifier=a").await.body, "who? Some(\"a\") Some(\"/x\")");
    assert!(visitor.get("/callback").await.body.starts_with("mine: "));
    site.sign_in(&mut visitor, &site.account).await;
    assert!(visitor.cookies.keys().any(|name| name.starts_with("mine.")), "{:?}", visitor.cookies);
    visitor.post("/logout", &[]).await;
    assert_eq!(told.recv().await.unwrap(), format!("in {}", site.account.did));
    assert_eq!(told.recv().await.unwrap(), format!("out {}", site.account.did));
}

#[tokio::test]
async fn a_site_that_cannot_work_is_not_built() {
    let build = |metadata: ClientMetadata, change: fn(WebAuthBuilder) -> WebAuthBuilder| {
        let oauth = OAuth::builder(metadata).build().unwrap();
        change(WebAuth::builder(oauth, keys())).build().map(drop).map_err(|error| error.to_string())
    };
    let loopback = |uri: &str| ClientMetadata::loopback().redirect_uri(uri);
    build(loopback("http://127.0.0.1:3000/callback"), DEFAULTS).unwrap();
    let error = build(loopback("http://127.0.0.1:3000/back"), DEFAULTS).unwrap_err();
    assert!(error.contains("/callback"), "{error}");
    let good = || loopback("http://127.0.0.1:3000/callback");
    assert!(build(good(), |b| b.home("//evil.example")).unwrap_err().contains("evil"));
    assert!(build(good(), |b| b.cookie_name("a b")).unwrap_err().contains("`a b`"));
    assert!(build(good(), |b| b.cookie_name("x".repeat(129))).unwrap_err().contains("at most 128"));
    assert!(build(good(), |b| b.mounted_at("auth/")).unwrap_err().contains("auth/"));
    assert!(
        build(good(), |b| b.stripped_prefix("/app")).unwrap_err().contains("`/app`, which the proxy strips")
    );
    let below = || loopback("http://127.0.0.1:3000/app/callback");
    build(below(), |b| b.stripped_prefix("/app")).unwrap();
    assert!(build(below(), |b| b.stripped_prefix("/ap")).is_err());
    assert!(build(below(), |b| b.stripped_prefix("/app/")).is_err());
}
