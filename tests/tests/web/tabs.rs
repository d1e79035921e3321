//! Several tabs of one browser at once: what one tab does, another does not undo.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use atproto_sdk::{
    store::{Entry, Expected, MemoryStore, Store, StoreError, StoreLock, Version},
    xrpc::BoxFuture,
};

use super::*;

const DEFAULTS: fn(WebAuthBuilder) -> WebAuthBuilder = |builder| builder;

/// Another tab of the same browser, whose request leaves with the cookies of this moment.
fn tab(visitor: &Visitor, site: &Site) -> Visitor {
    let mut tab = site.visitor();
    tab.cookies = visitor.cookies.clone();
    tab
}

/// What arrives later is applied later, by name, like a browser does.
fn apply(browser: &mut Visitor, before: &Visitor, tab: &Visitor) {
    for (name, value) in &tab.cookies {
        if before.cookies.get(name) != Some(value) {
            browser.cookies.insert(name.clone(), value.clone());
        }
    }
    for name in before.cookies.keys() {
        if !tab.cookies.contains_key(name) {
            browser.cookies.remove(name);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_begin_and_complete_their_sign_ins_at_once() {
    let site = Site::start(DEFAULTS).await;
    let bob = site.network.account("bob").await.unwrap();
    let mut browser = site.visitor();
    // Both requests leave before either answer has arrived.
    let (mut first, mut second) = (tab(&browser, &site), tab(&browser, &site));
    let to_alice = site.begin(&mut first, &site.account, "/").await;
    let to_bob = site.begin(&mut second, &bob, "/").await;
    let before = tab(&browser, &site);
    apply(&mut browser, &before, &first);
    apply(&mut browser, &before, &second);
    // And so do both callbacks.
    let before = tab(&browser, &site);
    let (mut first, mut second) = (tab(&browser, &site), tab(&browser, &site));
    assert_eq!(first.get(&to_alice).await.status, 303, "the sign-in of the first tab is not forgotten");
    assert_eq!(second.get(&to_bob).await.status, 303);
    apply(&mut browser, &before, &first);
    apply(&mut browser, &before, &second);
    // The browser has both accounts, and the later one is active.
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", bob.did));
    let switched = browser.post("/switch", &[("did", site.account.did.as_str())]).await;
    assert_eq!(switched.status, 303, "the account of the first tab is not lost: {}", switched.body);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", site.account.did));
    browser.post("/logout", &[("all", "true")]).await;
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    assert!(site.web.oauth().accounts().await.unwrap().is_empty(), "none is left where nobody can end it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_in_one_tab_and_a_sign_in_in_another_both_hold() {
    let site = Site::start(DEFAULTS).await;
    let bob = site.network.account("bob").await.unwrap();
    let mut browser = site.visitor();
    site.sign_in(&mut browser, &site.account).await;
    let callback = site.begin(&mut browser, &bob, "/").await;
    let before = tab(&browser, &site);
    let (mut first, mut second) = (tab(&browser, &site), tab(&browser, &site));
    assert_eq!(first.post("/logout", &[]).await.status, 303);
    assert_eq!(second.get(&callback).await.status, 303);
    apply(&mut browser, &before, &first);
    apply(&mut browser, &before, &second);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", bob.did));
    browser.post("/logout", &[]).await;
    assert_eq!(browser.get("/outcome").await.body, "no session", "the account that has left stays away");
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_account_signs_in_in_two_tabs_at_once() {
    let site = Site::start(DEFAULTS).await;
    let mut browser = site.visitor();
    let first_callback = site.begin(&mut browser, &site.account, "/").await;
    let second_callback = site.begin(&mut browser, &site.account, "/").await;
    let before = tab(&browser, &site);
    let (mut first, mut second) = (tab(&browser, &site), tab(&browser, &site));
    assert_eq!(first.get(&first_callback).await.status, 303);
    assert_eq!(second.get(&second_callback).await.status, 303);
    apply(&mut browser, &before, &first);
    apply(&mut browser, &before, &second);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", site.account.did));
    browser.post("/logout", &[]).await;
    assert_eq!(browser.get("/outcome").await.body, "no session");
    assert!(site.web.oauth().accounts().await.unwrap().is_empty(), "both sessions have ended");
}

/// Ends the sessions of an account at its server, and has this app find out.
async fn revoked(site: &Site, account: &Account) {
    site.network.end_sessions(account).await.unwrap();
    site.web.oauth().client(&account.did).await.unwrap().refresh().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_from_a_page_of_an_account_whose_session_has_ended_is_not_done_as_another_account() {
    let site = Site::start(DEFAULTS).await;
    let bob = site.network.account("bob").await.unwrap();
    let mut browser = site.visitor();
    site.sign_in(&mut browser, &bob).await;
    site.sign_in(&mut browser, &site.account).await;
    // The first tab shows a form. The second one finds that the session has ended.
    revoked(&site, &site.account).await;
    let sent = browser.get("/private").await;
    assert_eq!((sent.status, sent.location()), (303, "/login?return_to=%2Fprivate"));
    // Neither the form nor anything else is Bob's now.
    let posted = browser.post("/private", &[]).await;
    assert_eq!((posted.status, posted.location()), (303, "/login"), "{}", posted.body);
    assert_eq!(browser.get("/outcome").await.body, "again: NotFound");
    assert_eq!(browser.get("/").await.body, "user: None");

    // Until the user decides.
    let undecided = tab(&browser, &site);
    assert_eq!(browser.post("/switch", &[("did", bob.did.as_str())]).await.status, 303);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", bob.did));
    assert_eq!(browser.cookies.len(), 1, "what has ended is forgotten: {:?}", browser.cookies);
    let mut browser = tab(&undecided, &site);
    assert_eq!(browser.post("/logout", &[("did", site.account.did.as_str())]).await.status, 303);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", bob.did));
    let mut browser = undecided;
    site.sign_in(&mut browser, &site.account).await;
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", site.account.did));
    assert_eq!(browser.cookies.len(), 2, "{:?}", browser.cookies);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_can_say_which_account_it_was_shown_for() {
    let site = Site::start(DEFAULTS).await;
    let bob = site.network.account("bob").await.unwrap();
    let mut browser = site.visitor();
    site.sign_in(&mut browser, &bob).await;
    site.sign_in(&mut browser, &site.account).await;
    let (alice, bob_did) = ([("did", site.account.did.as_str())], [("did", bob.did.as_str())]);
    for (fields, did) in [(alice, &site.account.did), (bob_did, &bob.did)] {
        assert_eq!(browser.post("/as", &fields).await.body, format!("as {did}"));
    }
    assert_eq!(
        browser.get("/outcome").await.body,
        format!("client of {}", site.account.did),
        "it is no switch"
    );
    let stranger = browser.post("/as", &[("did", "did:web:stranger.example")]).await;
    assert_eq!((stranger.status, stranger.location()), (303, "/login"), "{}", stranger.body);
    // The end of the session of the one changes nothing for the other.
    revoked(&site, &bob).await;
    assert_eq!(browser.post("/as", &bob_did).await.status, 303);
    assert_eq!(browser.post("/as", &alice).await.body, format!("as {}", site.account.did));
    revoked(&site, &site.account).await;
    site.sign_in(&mut browser, &bob).await;
    assert_eq!(browser.post("/as", &alice).await.status, 303);
}

/// A store that does not remove anything for a while.
#[derive(Debug, Default)]
struct Keeping {
    inner: MemoryStore,
    keeps: AtomicBool,
}

impl Store for Keeping {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.inner.get(key)
    }

    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.inner.put(key, value, expires_at, expected)
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        if self.keeps.load(Ordering::SeqCst) && key.starts_with("session/") {
            return Box::pin(async { Err(StoreError::backend(std::io::Error::other("not now"))) });
        }
        self.inner.delete(key, expected)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.inner.list(prefix)
    }

    fn lock<'a>(&'a self, key: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        self.inner.lock(key, wait)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_session_that_cannot_be_removed_is_signed_out_later() {
    let store = Arc::new(Keeping::default());
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let metadata = ClientMetadata::loopback().redirect_uri(format!("{origin}/callback"));
    let oauth = app(&network, metadata).shared_store(Arc::clone(&store) as Arc<dyn Store>).build().unwrap();
    let web = WebAuth::builder(oauth, keys()).build().unwrap();
    tokio::spawn(axum::serve(listener, router(&web)).into_future());
    let site = Site { network, account, web, origin };

    let mut browser = site.visitor();
    site.sign_in(&mut browser, &site.account).await;
    store.keeps.store(true, Ordering::SeqCst);
    site.sign_in(&mut browser, &site.account).await;
    assert_eq!(browser.cookies.len(), 2, "{:?}", browser.cookies);
    assert_eq!(site.web.oauth().sessions(&site.did()).await.unwrap().len(), 2);
    assert_eq!(browser.get("/outcome").await.body, format!("client of {}", site.account.did));
    store.keeps.store(false, Ordering::SeqCst);
    assert_eq!(browser.post("/logout", &[]).await.status, 303);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
    assert!(
        site.web.oauth().sessions(&site.did()).await.unwrap().is_empty(),
        "none is left where nobody can end it"
    );
}
