//! The example site in Chromium.

use tests::Browser;

use super::*;

struct World {
    network: Network,
    alice: Account,
    bob: Account,
    origin: String,
    browser: Browser,
}

async fn world() -> World {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let (alice, bob) = (network.account("alice").await.unwrap(), network.account("bob").await.unwrap());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let oauth = example::local_oauth(&network, port).unwrap();
    tokio::spawn(axum::serve(listener, example::site(oauth, keys()).unwrap()).into_future());
    let browser = Browser::start().await.unwrap();
    World { network, alice, bob, origin: format!("http://127.0.0.1:{port}"), browser }
}

impl World {
    /// Types a handle on the site, and the password on the provider's page.
    async fn go_to_the_provider(&self, account: &Account) {
        let browser = &self.browser;
        browser.type_into("//input[@name='identifier']", account.handle.as_str()).await.unwrap();
        browser.click("//button[text()='Sign in']").await.unwrap();
        self.enter_password(account).await;
    }

    async fn enter_password(&self, account: &Account) {
        self.browser.type_into("//input[@type='password']", &account.password).await.unwrap();
        self.browser.click("//button[@type='submit']").await.unwrap();
    }

    async fn sign_in(&self, account: &Account) {
        self.go_to_the_provider(account).await;
        self.authorize(account).await;
    }

    async fn authorize(&self, account: &Account) {
        self.browser.click("//button[text()='Authorize']").await.unwrap();
        self.shown(account).await;
    }

    async fn shown(&self, account: &Account) {
        let xpath = format!("//header//span[text()='{}']", account.handle);
        self.browser.find(&xpath).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_signs_in_posts_switches_and_signs_out() {
    let world = world().await;
    let browser = &world.browser;
    // By the name that people type; the site knows that its cookie would be lost.
    browser.open(&world.origin.replace("127.0.0.1", "localhost")).await.unwrap();
    browser.type_into("//input[@name='identifier']", world.alice.handle.as_str()).await.unwrap();
    browser.click("//button[text()='Sign in']").await.unwrap();
    // To the browser, that is a form of another site, so it is shown again, filled in.
    browser.find(&format!("//input[@name='identifier'][@value='{}']", world.alice.handle)).await.unwrap();
    browser.click("//button[text()='Sign in']").await.unwrap();
    world.enter_password(&world.alice).await;
    world.authorize(&world.alice).await;
    browser.type_into("//textarea", "A note of Alice's").await.unwrap();
    browser.click("//button[text()='Write']").await.unwrap();
    browser.find("//article//p[text()=\"A note of Alice's\"]").await.unwrap();

    browser.click("//a[text()='Add account']").await.unwrap();
    world.sign_in(&world.bob).await;
    assert!(!browser.text().await.unwrap().contains("A note of Alice's"));
    browser.click(&format!("//button[text()='Switch to {}']", world.alice.handle)).await.unwrap();
    world.shown(&world.alice).await;
    browser.find("//article//p[text()=\"A note of Alice's\"]").await.unwrap();
    if let Ok(path) = std::env::var("ATPROTO_TEST_SCREENSHOT") {
        std::fs::write(path, browser.screenshot().await.unwrap()).unwrap();
    }

    browser.click("//button[text()='Sign out']").await.unwrap();
    world.shown(&world.bob).await;
    browser.click("//button[text()='Sign out']").await.unwrap();
    browser.find("//input[@name='identifier']").await.unwrap();
    // The back button shows nothing of the user who has left.
    for _ in 0..3 {
        browser.back().await.unwrap();
        let text = browser.text().await.unwrap();
        assert!(!text.contains("A note of Alice's") && !text.contains("Sign out"), "{text}");
    }
    for account in [&world.alice, &world.bob] {
        assert_eq!(world.network.sessions(account).await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deny_access_leads_back_to_the_site() {
    let world = world().await;
    let browser = &world.browser;
    browser.open(&world.origin).await.unwrap();
    world.go_to_the_provider(&world.alice).await;
    browser.click("//button[text()='Deny access']").await.unwrap();
    browser.find("//h2[text()='Access denied']").await.unwrap();
    let text = browser.text().await.unwrap();
    assert!(text.contains("You did not allow access"), "{text}");
    // And from there in after all, without typing the handle again.
    browser.find(&format!("//input[@name='identifier'][@value='{}']", world.alice.handle)).await.unwrap();
    browser.click("//button[text()='Sign in']").await.unwrap();
    world.enter_password(&world.alice).await;
    world.authorize(&world.alice).await;
}
