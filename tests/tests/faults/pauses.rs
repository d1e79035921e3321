//! A process that is stopped in a refresh for longer than its lease and then goes on: it neither spends the refresh
//! token that another one has spent, nor overwrites what another one has written.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use atproto_sdk::{oauth::OAuth, types::Did, xrpc::Error};
use tests::faults::Exchange;

use crate::{
    chains::{Chain, chains},
    crashes::{Child, rows, sign_in},
    held_store::Place,
    protocol::{Command, Failure, Reason, Report},
    worker,
    world::World,
};

/// Until another process can have taken over.
const TAKEOVER: Duration = Duration::from_secs(150);

/// What is at the store and at the server after both processes are through.
struct After {
    /// What the stopped process said in the end.
    stopped: Option<Failure>,
    /// Why the other one's session has ended, if it has.
    other: Option<Reason>,
    chain: Chain,
    /// The refresh tokens in the store when the other process was through, and in the end.
    rows: (Vec<String>, Vec<String>),
    oauth: OAuth,
    did: Did,
    _world: World,
}

/// Stops a process at an operation of the store, lets another one refresh, and lets the first one go on.
///
/// `put` is which write of its refresh it is: the first records the intent, the second stores the tokens.
async fn stopped_at(kind: &str, put: usize, done: bool) -> After {
    let world = World::start().await;
    let url = world.store(kind, "pauses");
    let store = worker::open(&url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(&store));
    world.network.set_token_lifetime(Duration::from_secs(3600)).await.unwrap();
    let account = world.network.account("carla").await.unwrap();
    sign_in(&world, &oauth, &account).await;
    let place = write_of_a_refresh(&world, &url, &account, put, done).await;

    let mut child = Child::start(&world, &url, &account, Some(place)).await;
    child.driver.tell(&Command::Refresh { did: account.did.to_string() }).await;
    child.until(|report| matches!(report, Report::Held { .. })).await;
    child.driver.signal("STOP").await;

    let did = Did::new(&account.did).unwrap();
    let other = take_over(&oauth, &did).await;
    let between = tokens(&store, &account).await;
    child.driver.tell(&Command::Release).await;
    child.driver.signal("CONT").await;
    let said = child.until(|report| matches!(report, Report::Refreshed { .. })).await;
    let Report::Refreshed { failure: stopped, .. } = said else { unreachable!() };
    // Whatever it still does, such as revoking what it cannot store.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = tokens(&store, &account).await;
    let exchanges: Vec<Exchange> = world.proxy.exchanges();
    let chain = chains(&exchanges).into_iter().rfind(|chain| chain.did == account.did.as_str()).unwrap();
    println!("{kind}, write {put}: the stopped one says {stopped:?}, the other {other:?}");
    After { stopped, other, chain, rows: (between, after), oauth, did, _world: world }
}

/// The place of a write in a refresh, as another refresh shows.
async fn write_of_a_refresh(
    world: &World,
    url: &str,
    account: &tests::Account,
    put: usize,
    done: bool,
) -> Place {
    let mut child = Child::start(world, url, account, Some(Place { step: u32::MAX, done: false })).await;
    let operations = {
        child.driver.tell(&Command::Refresh { did: account.did.to_string() }).await;
        let mut operations = Vec::new();
        loop {
            let wanted = |report: &Report| matches!(report, Report::Step { .. } | Report::Refreshed { .. });
            match child.until(wanted).await {
                Report::Step { operation, .. } => operations.push(operation),
                _ => break operations,
            }
        }
    };
    child.driver.kill().await;
    let mut writes = operations.iter().enumerate().filter(|(_, operation)| *operation == "put");
    let (found, _) = writes.nth(put - 1).unwrap();
    Place { step: u32::try_from(found + 1).unwrap(), done }
}

/// Another process refreshes as soon as it can. Gives why the session has ended, if it has.
async fn take_over(oauth: &OAuth, did: &Did) -> Option<Reason> {
    let begun = Instant::now();
    let client = oauth.client(did).await.unwrap();
    loop {
        match client.refresh().await {
            Ok(_) => break,
            Err(error) => {
                let failure = worker::refresh_failure(&error);
                if failure.ended.is_some() {
                    return failure.ended;
                }
                assert!(begun.elapsed() < TAKEOVER, "{}", failure.message);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    }
    println!("taken over after {:.1?}", begun.elapsed());
    None
}

async fn tokens(store: &Arc<dyn atproto_sdk::store::Store>, account: &tests::Account) -> Vec<String> {
    let rows = rows(store, account.did.as_str()).await;
    rows.iter().map(|row| row["refresh_token"].as_str().unwrap().to_owned()).collect()
}

impl After {
    /// No token was presented once more after the server had given others for it, and nothing newer was overwritten.
    fn nothing_was_done_twice(&self) {
        let attempts = &self.chain.attempts;
        for (number, attempt) in attempts.iter().enumerate().filter(|(_, attempt)| attempt.gave) {
            let again = attempts[number + 1..].iter().find(|later| later.presented == attempt.presented);
            assert!(again.is_none(), "a refresh token was spent twice: {attempts:#?}");
        }
        assert_eq!(self.rows.0, self.rows.1, "what the other process had written was overwritten");
    }
}

/// It has said that it will refresh, and not done it yet.
async fn stopped_before_it_sends(kind: &str) {
    let after = stopped_at(kind, 1, true).await;
    after.nothing_was_done_twice();
    assert!(after.other.is_none() && after.rows.0.len() == 1, "{:?}", after.other);
    // Neither is an end: it may have found the tokens of the other one.
    assert!(after.stopped.as_ref().is_none_or(|failure| failure.ended.is_none()), "{:?}", after.stopped);
    let client = after.oauth.client(&after.did).await.unwrap();
    client.com_atproto_server().get_session().await.unwrap();
    client.refresh().await.unwrap();
}

/// It has new tokens, and has not written them yet: the others give up before it goes on.
async fn stopped_before_it_writes(kind: &str) {
    let after = stopped_at(kind, 2, false).await;
    // After the wait, the others try the old token once before they end the session.
    let attempts = &after.chain.attempts;
    let given = attempts.iter().rposition(|attempt| attempt.gave).unwrap();
    let again: Vec<_> =
        attempts[given + 1..].iter().filter(|later| later.presented == attempts[given].presented).collect();
    assert!(again.len() == 1 && again[0].refused, "{attempts:#?}");
    assert_eq!(after.rows.0, after.rows.1, "what the other process had written was overwritten");
    assert_eq!(after.other, Some(Reason::LostRefresh));
    assert!(after.rows.1.is_empty(), "an ended session has come back");
    assert!(after.stopped.is_some());
    let client = after.oauth.client(&after.did).await;
    assert!(client.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_process_stopped_before_it_refreshes_on_postgresql_does_not_refresh_later() {
    stopped_before_it_sends("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_process_stopped_before_it_refreshes_on_redis_does_not_refresh_later() {
    stopped_before_it_sends("redis").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_process_stopped_with_new_tokens_on_postgresql_brings_no_session_back() {
    stopped_before_it_writes("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_process_stopped_with_new_tokens_on_redis_brings_no_session_back() {
    stopped_before_it_writes("redis").await;
}

/// Locks of the operating system stay with a process that is stopped: the others wait for it, and nobody loses
/// anything.
async fn stopped_with_a_lock(kind: &str) {
    let world = World::start().await;
    let url = world.store(kind, "pauses");
    let store = worker::open(&url).await;
    let oauth = worker::app(world.pds(), world.network.plc(), Arc::clone(&store));
    let account = world.network.account("carla").await.unwrap();
    sign_in(&world, &oauth, &account).await;
    let place = write_of_a_refresh(&world, &url, &account, 2, false).await;
    let mut child = Child::start(&world, &url, &account, Some(place)).await;
    child.driver.tell(&Command::Refresh { did: account.did.to_string() }).await;
    child.until(|report| matches!(report, Report::Held { .. })).await;
    child.driver.signal("STOP").await;
    let did = Did::new(&account.did).unwrap();
    let client = oauth.client(&did).await.unwrap();
    let waiting = client.com_atproto_server().get_session().timeout(Duration::from_secs(2)).await;
    let error = waiting.expect_err("the new tokens are with the stopped process");
    assert!(!matches!(error, Error::Reauthenticate(_)), "{}", worker::chain(&error));
    child.driver.tell(&Command::Release).await;
    child.driver.signal("CONT").await;
    let said = child.until(|report| matches!(report, Report::Refreshed { .. })).await;
    assert!(matches!(said, Report::Refreshed { failure: None, .. }), "{said:?}");
    client.com_atproto_server().get_session().await.unwrap();
    let exchanges = world.proxy.exchanges();
    let chain = chains(&exchanges).into_iter().rfind(|chain| chain.did == account.did.as_str()).unwrap();
    assert_eq!(chain.given().count(), 2, "{chain:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_others_wait_for_a_process_stopped_with_the_lock_of_a_file() {
    stopped_with_a_lock("file").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_others_wait_for_a_process_stopped_with_the_lock_of_sqlite() {
    stopped_with_a_lock("sqlite").await;
}
