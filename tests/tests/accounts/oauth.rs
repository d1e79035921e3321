//! OAuth sessions.

use std::time::{Duration, Instant};

use atproto_sdk::{
    api::com::atproto::server::get_session,
    oauth::{AuthorizeOptions, CallbackParams, OAuthClient},
    xrpc::{AccountProblem, Error, ErrorKind, ReauthenticateReason},
};

use crate::{World, builder, post};

/// How old the results of a resolver may be.
const AGE: Duration = Duration::from_secs(2);

async fn session(client: &OAuthClient) -> Result<get_session::Output, Error> {
    client.com_atproto_server().get_session().await.map_err(Error::erase)
}

async fn create(client: &OAuthClient) -> Result<(), Error> {
    client.records().create(&post()).await.map(drop).map_err(Error::erase)
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_a_deactivated_account_keeps_its_session_and_goes_on_when_it_is_active_again() {
    let world = World::new().await;
    let client = world.sign_in().await;
    world.network.deactivate(&world.account).await.unwrap();
    assert_eq!(session(&client).await.unwrap().active, Some(false), "the account can still be looked at");
    for _ in 0..3 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{error}");
        assert_eq!(error.account_problem(), Some(AccountProblem::Deactivated));
        // The token is replaced in between, which has nothing to do with the state of the account.
        assert_eq!(world.network.expire_tokens(&world.account).await.unwrap(), 1);
        session(&client).await.unwrap();
    }
    world.network.activate(&world.account).await.unwrap();
    create(&client).await.unwrap();
    assert_eq!(world.network.sessions(&world.account).await.unwrap(), 1);
    assert_eq!(world.network.counts().await.unwrap().refused_refreshes, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn o28_a_takedown_or_a_deletion_ends_all_sessions_of_the_account() {
    for delete in [false, true] {
        let world = World::new().await;
        let (one, two) = (world.sign_in().await, world.sign_in().await);
        match delete {
            true => world.network.delete_account(&world.account).await.unwrap(),
            false => world.network.take_down(&world.account, true).await.unwrap(),
        }
        for client in [&one, &two] {
            for _ in 0..2 {
                let error = create(client).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::SignInAgain, "{error}");
                let Error::Reauthenticate(ended) = error else { panic!("{error}") };
                assert_eq!(ended.reason, ReauthenticateReason::Revoked);
            }
        }
        assert!(world.oauth.sessions(&world.did()).await.unwrap().is_empty(), "ended sessions are removed");
        assert_eq!(world.network.counts().await.unwrap().refused_refreshes, 2, "one for each session");
        if !delete {
            let authorization =
                world.oauth.authorize(world.account.did.as_str(), AuthorizeOptions::new()).await;
            let refused = world.network.approve(&authorization.unwrap().url, &world.account).await;
            assert!(refused.is_err(), "nobody can sign in until it is undone: {refused:?}");
            world.network.take_down(&world.account, false).await.unwrap();
            create(&world.sign_in().await).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x14_an_account_that_moves_during_a_session_is_told_where_it_has_gone() {
    let world = World::new().await;
    let client = world.sign_in().await;
    create(&client).await.unwrap();
    let pds = world.network.move_account(&world.account).await.unwrap();
    for _ in 0..3 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignInAgain, "{error}");
        let Error::Reauthenticate(moved) = error else { panic!("{error}") };
        assert_eq!(moved.reason, ReauthenticateReason::AccountMoved { pds: pds.clone() });
        let text = moved.to_string();
        assert!(text.contains(world.network.pds()) && text.contains(&pds), "{text}");
    }
    assert_eq!(session(&client).await.unwrap().active, Some(false), "the old PDS still answers");
    assert_eq!(world.oauth.sessions(&world.did()).await.unwrap().len(), 1);

    // Signing in again leads to the new PDS, where the records are. From the DID, because the PDS that resolves handles for
    // these tests does not know the account any more.
    let authorization =
        world.oauth.authorize(world.account.did.as_str(), AuthorizeOptions::new()).await.unwrap();
    assert!(authorization.url.starts_with(&pds), "{} {pds}", authorization.url);
    let callback = world.network.approve(&authorization.url, &world.account).await.unwrap();
    let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
    let there = world.oauth.callback(&params).await.unwrap().client;
    create(&there).await.unwrap();
    let newest = world.oauth.client(&world.did()).await.unwrap();
    assert_eq!(newest.session_info().await.unwrap().pds, pds);
    let mut records = newest.records::<atproto_sdk::api::app::bsky::feed::post::Post>().list();
    let mut count = 0;
    while let Some(record) = futures_util::StreamExt::next(&mut records).await {
        record.unwrap();
        count += 1;
    }
    assert_eq!(count, 2, "one from before the move, one from after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_handle_changes_nothing_about_the_session() {
    let world = World::new().await;
    let client = world.sign_in().await;
    world.network.change_handle(&world.account, "renamed.test").await.unwrap();
    assert_eq!(world.network.expire_tokens(&world.account).await.unwrap(), 1);
    create(&client).await.unwrap();
    assert_eq!(session(&client).await.unwrap().handle.as_str(), "renamed.test");
    // By itself, a resolver tells the new handle when what it knows has become too old.
    let aging = builder(&world.network).cache_lifetime(AGE).display_lifetime(AGE).build().unwrap();
    let resolver = world.oauth.resolver();
    resolver.invalidate(client.did());
    let identity = resolver.resolve(client.did().as_str()).await.unwrap();
    assert_eq!(identity.display_handle(), "renamed.test");
    let error = resolver.resolve(world.account.handle.as_str()).await.unwrap_err();
    assert!(error.to_string().contains(world.account.handle.as_str()), "{error}");

    let shown = async || {
        let identity = aging.resolve_for_display(client.did().as_str()).await.unwrap();
        identity.display_handle().to_owned()
    };
    assert_eq!(shown().await, "renamed.test");
    let known = Instant::now();
    world.network.change_handle(&world.account, "again.test").await.unwrap();
    while shown().await != "again.test" {
        assert!(known.elapsed() < AGE * 3, "it is older than it may be");
        tokio::time::sleep(AGE / 20).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o46_a_scope_that_was_not_granted_is_named_and_the_session_stays() {
    let world = World::new().await;
    let options = AuthorizeOptions::new().scope("atproto");
    let authorization = world.oauth.authorize(world.account.handle.as_str(), options).await.unwrap();
    let callback = world.network.approve(&authorization.url, &world.account).await.unwrap();
    let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
    let client = world.oauth.callback(&params).await.unwrap().client;
    for _ in 0..2 {
        let error = create(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingScope, "{error}");
        assert_eq!(error.missing_scope(), Some("repo:app.bsky.feed.post?action=create"));
        session(&client).await.unwrap();
    }
    assert_eq!(world.oauth.sessions(&world.did()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn o4_accounts_with_did_web_sign_in_and_refresh() {
    let mut world = World::new().await;
    world.account = world.network.web_account("librarian").await.unwrap();
    assert!(world.account.did.as_str().starts_with("did:web:"));
    let client = world.sign_in().await;
    assert_eq!(*client.did(), world.did());
    create(&client).await.unwrap();
    assert_eq!(world.network.expire_tokens(&world.account).await.unwrap(), 1);
    create(&client).await.unwrap();
    assert_eq!(world.network.counts().await.unwrap().refreshes, 1);
}
