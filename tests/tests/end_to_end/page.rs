//! The provider's page in a real browser, with the one-shot callback server.

use std::time::Duration;

use atproto_sdk::oauth::{CallbackError, OAuthClient, SignInError};
use tests::Browser;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::World;

/// Begins a sign-in as an app on the user's machine does; gives the page's address and what comes of it.
async fn begin(world: &World) -> (String, JoinHandle<Result<OAuthClient, SignInError>>) {
    let (tell, told) = oneshot::channel();
    let sign_in = world
        .oauth
        .sign_in(world.account.handle.as_str())
        .browser(false)
        .timeout(Duration::from_secs(120))
        .on_url(move |url| drop(tell.send(url.to_owned())));
    let outcome = tokio::spawn(async move { Ok(sign_in.await?.client) });
    (told.await.unwrap(), outcome)
}

async fn type_password(browser: &Browser, world: &World, url: &str) {
    browser.open(url).await.unwrap();
    browser.type_into("//input[@type='password']", &world.account.password).await.unwrap();
    browser.click("//button[@type='submit']").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_and_allows_the_access_in_the_browser() {
    let world = World::new().await;
    let browser = Browser::start().await.unwrap();
    let (url, outcome) = begin(&world).await;
    type_password(&browser, &world, &url).await;
    browser.click("//button[normalize-space()='Authorize']").await.unwrap();
    let client = outcome.await.unwrap().unwrap();
    assert_eq!(*client.did(), world.did());
    client.com_atproto_server().get_session().await.unwrap();
    let page = browser.text().await.unwrap();
    assert!(page.contains("close"), "what the user is told at the end: {page}");
    browser.quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn o22_a_user_who_presses_deny_ends_the_sign_in_at_once() {
    let world = World::new().await;
    let browser = Browser::start().await.unwrap();
    let (url, outcome) = begin(&world).await;
    type_password(&browser, &world, &url).await;
    browser.click("//button[normalize-space()='Deny access']").await.unwrap();
    let error = outcome.await.unwrap().unwrap_err();
    assert!(matches!(error, SignInError::Callback(CallbackError::Denied { .. })), "{error:?}");
    browser.quit().await.unwrap();
}
