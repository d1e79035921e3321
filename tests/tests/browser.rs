//! The provider's own sign-in page, in a real browser.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth},
};
use tests::{Account, Answer, Browser, By, Network, Stub};

async fn authorize(network: &Network, account: &Account, stub: &Stub) -> (OAuth, String) {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let metadata = ClientMetadata::loopback().redirect_uri(format!("{}/callback", stub.url()));
    let oauth = OAuth::builder(metadata).resolver(resolver).allow_loopback_http().build().unwrap();
    let url = oauth.authorize(&account.handle, AuthorizeOptions::new()).await.unwrap().url;
    (oauth, url)
}

/// Opens the page and signs in, up to the question whether to allow the access.
async fn sign_in(browser: &Browser, url: &str, account: &Account) {
    browser.open(url).await.unwrap();
    let password = browser.find(By::Css("input[type=password]")).await.unwrap();
    let username = browser.find(By::Css("input[name=username]")).await.unwrap();
    assert_eq!(browser.property(&username, "value").await.unwrap(), account.handle, "from the login hint");
    browser.type_text(&password, &account.password).await.unwrap();
    let submit = browser.find(By::Css("button[type=submit]")).await.unwrap();
    browser.click(&submit).await.unwrap();
}

async fn press(browser: &Browser, button: &str) {
    let button = browser.find(By::XPath(&format!("//button[contains(., '{button}')]"))).await.unwrap();
    browser.click(&button).await.unwrap();
}

#[tokio::test]
async fn a_user_allows_the_access_in_the_browser() {
    let network = Network::shared().await.unwrap();
    let account = network.account("browser").await.unwrap();
    let stub = Stub::start().await.unwrap();
    stub.answer("/callback", Answer::html("<p id=done>Signed in</p>"));
    let (oauth, url) = authorize(network, &account, &stub).await;

    let browser = Browser::start().await.unwrap();
    sign_in(&browser, &url, &account).await;
    press(&browser, "Authorize").await;
    let shown = browser.wait_for_url(|url| url.starts_with(&stub.url())).await.unwrap();
    let done = browser.find(By::Css("#done")).await.unwrap();
    assert_eq!(browser.text(&done).await.unwrap(), "Signed in");
    assert!(browser.screenshot().await.unwrap().starts_with(b"\x89PNG"));
    browser.quit();

    let (_, query) = shown.split_once('?').unwrap();
    let received = stub.received_at("/callback");
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].query, query);
    let client = oauth.callback(&CallbackParams::from_query(query).unwrap()).await.unwrap().client;
    assert_eq!(client.did().as_str(), account.did);
    let session = client.com_atproto_server().get_session().await.unwrap();
    assert_eq!(session.did.as_str(), account.did);
}

#[tokio::test]
async fn a_user_denies_the_access_in_the_browser() {
    let network = Network::shared().await.unwrap();
    let account = network.account("unwilling").await.unwrap();
    let stub = Stub::start().await.unwrap();
    stub.answer("/callback", Answer::html("<p id=done>Not signed in</p>"));
    let (oauth, url) = authorize(network, &account, &stub).await;

    let browser = Browser::start().await.unwrap();
    sign_in(&browser, &url, &account).await;
    press(&browser, "Deny access").await;
    let shown = browser.wait_for_url(|url| url.starts_with(&stub.url())).await.unwrap();
    let (_, query) = shown.split_once('?').unwrap();
    let error = oauth.callback(&CallbackParams::from_query(query).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("denied"), "{error}");
}
