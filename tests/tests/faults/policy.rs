//! How many sessions survive when one refresh in ten is lost on its way, with the policy of a client.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tests::faults::{Fault, Kind, Matches, Seed, Which};

use crate::{
    crashes::Child,
    driver::Client,
    protocol::{Command, Report},
    reference::Reference,
    world::World,
};

/// What came of it.
#[derive(Debug, Default)]
struct Survival {
    refreshes: u64,
    failed: u64,
    sessions: u64,
    ended: BTreeMap<String, u64>,
    faults: BTreeMap<String, u64>,
}

/// One in ten requests is lost, half of them before the server and half of them after it.
fn losses() -> Vec<Fault> {
    let lost = |name: &str, kind, probability| Fault {
        name: name.to_owned(),
        kind,
        matches: Matches {
            path: Some("/oauth/token".to_owned()),
            grant: Some("refresh_token".to_owned()),
            ..Matches::default()
        },
        which: Which { probability, ..Which::default() },
    };
    // The second is asked only where the first did not happen.
    vec![lost("before the server", Kind::Drop, 0.05), lost("after the server", Kind::Lose, 0.05 / 0.95)]
}

/// Refreshes until that many have succeeded; who loses a session signs in again.
async fn survive(client: &Client, wanted: u64) -> Survival {
    let world = World::start().await;
    world.network.set_token_lifetime(Duration::from_secs(3600)).await.unwrap();
    let account = world.network.account("carla").await.unwrap();
    let mut child = Child::start_with(client, &world, &world.store("memory", ""), &account, None).await;
    let did = account.did.to_string();
    let mut survival = Survival::default();
    world.proxy.play(&losses(), Seed::new(1));
    child.driver.tell(&Command::SignIn { did: did.clone() }).await;
    while survival.refreshes < wanted {
        let said = child.until(|report| !matches!(report, Report::Step { .. })).await;
        match said {
            Report::Authorize { url, .. } => {
                let back = world.network.approve(&url, &account).await.unwrap();
                let query = back.split_once(['?', '#']).unwrap().1.to_owned();
                child.driver.tell(&Command::Callback { did: did.clone(), query }).await;
            }
            Report::SignedIn { .. } => {
                survival.sessions += 1;
                child.driver.tell(&Command::Refresh { did: did.clone() }).await;
            }
            Report::Ended { reason, .. } => *survival.ended.entry(format!("{reason:?}")).or_default() += 1,
            Report::Refreshed { failure: None, .. } => {
                survival.refreshes += 1;
                child.driver.tell(&Command::Refresh { did: did.clone() }).await;
            }
            Report::Refreshed { failure: Some(failure), .. } => {
                survival.failed += 1;
                let next = if failure.ended.is_some() {
                    Command::SignIn { did: did.clone() }
                } else {
                    // A client may want a pause after a failure.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Command::Refresh { did: did.clone() }
                };
                child.driver.tell(&next).await;
            }
            other => panic!("{other:?}"),
        }
    }
    survival.faults = world.proxy.stop_playing().into_iter().collect();
    survival
}

/// A client may tell of the same end several times; every one but the last was followed by a sign-in.
fn ended(survival: &Survival) -> u64 {
    survival.sessions - 1
}

/// Nothing can keep a session whose new tokens were lost; everything else is kept.
fn only_lost_tokens_end_sessions(survival: &Survival) {
    assert!(ended(survival) <= survival.faults["after the server"], "{survival:?}");
    assert_eq!(survival.ended.keys().collect::<Vec<_>>(), ["LostRefresh"], "{survival:?}");
    assert!(survival.faults["before the server"] > 0, "{survival:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_refreshes_that_never_reach_the_server_end_no_session() {
    let survival = survive(&Client::Sdk, 150).await;
    println!("{survival:?}");
    only_lost_tokens_end_sessions(&survival);
}

/// The figures of a thousand refreshes, beside a client that simply tries again.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes long: tests/run --survival"]
async fn a_thousand_refreshes_of_which_one_in_ten_is_lost() {
    let sdk = survive(&Client::Sdk, 1000).await;
    println!("atproto-sdk: {} sessions ended; {sdk:?}", ended(&sdk));
    let reference = Client::Reference(Arc::new(Reference::install().await));
    let blind = survive(&reference, 1000).await;
    println!("blind retry (oauth-client-node): {} sessions ended; {blind:?}", ended(&blind));
    only_lost_tokens_end_sessions(&sdk);
}
