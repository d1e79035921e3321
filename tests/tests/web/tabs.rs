//! Several tabs of one browser at once: what one tab does, another does not undo.

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
