//! Sessions that refresh by themselves, and how they end.

use std::{sync::Arc, time::Duration};

use atproto_sdk::{
    api::{app::bsky::feed::post::Post, com::atproto::repo::list_records},
    oauth::{ClientError, OAuthClient},
    store::SqliteStore,
    types::Record as _,
    xrpc::{Error, ReauthenticateReason},
};
use tokio::task::JoinSet;

use crate::{World, app};

async fn list(client: &OAuthClient) -> Result<(), Error> {
    let params = list_records::Params::new(client.did(), Post::collection());
    client.com_atproto_repo().list_records(params).await.map(drop).map_err(Error::erase)
}

/// A call that only the signed-in user may make.
async fn session(client: &OAuthClient) -> Result<(), Error> {
    client.com_atproto_server().get_session().await.map(drop).map_err(Error::erase)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_during_a_run_of_calls_is_refreshed_once() {
    let world = World::new().await;
    world.network.set_token_lifetime(Duration::from_secs(4)).await.unwrap();
    let client = world.sign_in().await;
    // The next token lives long enough for the rest of the run.
    world.network.set_token_lifetime(Duration::from_secs(600)).await.unwrap();
    for _ in 0..25 {
        session(&client).await.unwrap();
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let counts = world.network.counts().await.unwrap();
    assert_eq!((counts.refreshes, counts.refused_refreshes), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_thousand_calls_on_an_expired_session_make_one_refresh() {
    let world = World::new().await;
    world.network.set_token_lifetime(Duration::from_secs(1)).await.unwrap();
    let client = world.sign_in().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.network.set_token_lifetime(Duration::from_secs(600)).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..1000 {
        let client = client.clone();
        calls.spawn(async move { list(&client).await });
    }
    while let Some(outcome) = calls.join_next().await {
        outcome.unwrap().unwrap();
    }
    let counts = world.network.counts().await.unwrap();
    assert_eq!((counts.refreshes, counts.refused_refreshes), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_apps_on_one_store_make_one_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Arc::new(SqliteStore::open(folder.path().join("sessions.db")).unwrap());
    let world = World::with_store(store()).await;
    world.network.set_token_lifetime(Duration::from_secs(1)).await.unwrap();
    let one = world.sign_in().await;
    let other = app(&world.network, store()).client(&world.did()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.network.set_token_lifetime(Duration::from_secs(600)).await.unwrap();
    let mut calls = JoinSet::new();
    for number in 0..200 {
        let client = if number % 2 == 0 { one.clone() } else { other.clone() };
        calls.spawn(async move { session(&client).await });
    }
    while let Some(outcome) = calls.join_next().await {
        outcome.unwrap().unwrap();
    }
    let counts = world.network.counts().await.unwrap();
    assert_eq!((counts.refreshes, counts.refused_refreshes), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn o33_nonces_that_rotate_are_followed() {
    let world = World::new().await;
    let client = world.sign_in().await;
    for _ in 0..5 {
        session(&client).await.unwrap();
        world.network.rotate_nonces().await.unwrap();
    }
    client.refresh().await.unwrap();
    world.network.rotate_nonces().await.unwrap();
    session(&client).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_server_has_ended_asks_to_sign_in_again() {
    let world = World::new().await;
    let client = world.sign_in().await;
    session(&client).await.unwrap();
    world.network.end_sessions(&world.account).await.unwrap();
    let error = match session(&client).await {
        Err(error) => error,
        // The server may honour the access token until it has expired; the refresh is refused in any case.
        Ok(()) => {
            client.refresh().await.unwrap_err();
            session(&client).await.unwrap_err()
        }
    };
    let Error::Reauthenticate(error) = error else { panic!("{error}") };
    assert_eq!(error.did, world.did());
    assert!(
        matches!(error.reason, ReauthenticateReason::Revoked | ReauthenticateReason::NotFound),
        "{error}"
    );
    assert!(world.store.list("session/").await.unwrap().is_empty());
    assert!(matches!(world.oauth.client(&world.did()).await, Err(ClientError::SessionNotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_starts_again_goes_on_with_its_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let store = || Arc::new(SqliteStore::open(folder.path().join("sessions.db")).unwrap());
    let world = World::with_store(store()).await;
    world.network.set_token_lifetime(Duration::from_secs(1)).await.unwrap();
    session(&world.sign_in().await).await.unwrap();
    let World { network, account, oauth, .. } = world;
    drop(oauth);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let oauth = app(&network, store());
    let did = account.did.clone();
    session(&oauth.client(&did).await.unwrap()).await.unwrap();
    assert_eq!(network.counts().await.unwrap().tokens, 1, "nobody has signed in a second time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_for_a_moment_ends_no_session() {
    let world = World::new().await;
    world.network.set_token_lifetime(Duration::from_secs(1)).await.unwrap();
    let client = world.sign_in().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.network.set_token_lifetime(Duration::from_secs(600)).await.unwrap();
    let call = {
        let client = client.clone();
        async move { session(&client).await }
    };
    let (restarted, outcome) = tokio::join!(world.network.restart(Duration::from_secs(2)), call);
    restarted.unwrap();
    // It may have come too early; the session is still there and works.
    if let Err(error) = outcome {
        assert!(!matches!(error, Error::Reauthenticate(_)), "{error}");
    }
    session(&client).await.unwrap();
}
