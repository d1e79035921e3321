//! Signing in and out.

use atproto_sdk::{
    api::app::bsky::feed::post::Post,
    oauth::{AuthorizeOptions, CallbackError, CallbackParams, ClientError, ClientMetadata, Prompt, SignOut},
    scopes,
    scopes::needs::{create, delete},
    types::Expected,
};

use crate::{World, params};

#[tokio::test(flavor = "multi_thread")]
async fn o1_starts_from_a_handle_a_did_or_a_server() {
    let world = World::new().await;
    let (handle, did, server) =
        (world.account.handle.to_string(), world.account.did.to_string(), world.network.pds().to_owned());
    for input in [handle, did, server] {
        let client = world.sign_in_from(&input).await.unwrap();
        assert_eq!(*client.did(), world.did(), "{input}");
        let session = client.com_atproto_server().get_session().await.unwrap();
        assert_eq!(session.did, world.did());
    }
    // Each is a session of its own, and the newest one is found by the DID.
    assert_eq!(world.oauth.sessions(&world.did()).await.unwrap().len(), 3);
    world.oauth.client(&world.did()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn o20_a_callback_counts_once_and_only_for_its_own_state() {
    let world = World::new().await;
    let authorization =
        world.oauth.authorize(world.account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = world.network.approve(&authorization.url, &world.account).await.unwrap();
    let stranger = callback.replace(&authorization.state, "a-state-of-somebody-else");
    assert!(matches!(world.oauth.callback(&params(&stranger)).await, Err(CallbackError::UnknownState)));
    world.oauth.callback(&params(&callback)).await.unwrap();
    assert!(matches!(world.oauth.callback(&params(&callback)).await, Err(CallbackError::UnknownState)));
}

#[tokio::test(flavor = "multi_thread")]
async fn o21_a_callback_of_another_issuer_is_refused() {
    let world = World::new().await;
    let authorization =
        world.oauth.authorize(world.account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = world.network.approve(&authorization.url, &world.account).await.unwrap();
    let (address, query) = callback.split_once('?').unwrap();
    let without: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("iss=")).collect();
    let missing = CallbackParams::from_query(&without.join("&")).unwrap();
    let error = world.oauth.callback(&missing).await.unwrap_err();
    assert!(matches!(error, CallbackError::IssuerMismatch { found: None, .. }), "{error} ({address})");
    assert!(world.oauth.sessions(&world.did()).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn o22_a_user_who_denies_gives_a_typed_error() {
    let world = World::new().await;
    let authorization =
        world.oauth.authorize(world.account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = world.network.deny(&authorization.url).await.unwrap();
    let error = world.oauth.callback(&params(&callback)).await.unwrap_err();
    assert!(matches!(error, CallbackError::Denied { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn o24_another_account_than_the_one_asked_for_is_refused_and_revoked() {
    let world = World::new().await;
    let other = world.network.account("mallory").await.unwrap();
    let authorization =
        world.oauth.authorize(world.account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    // The page lets the user sign in as whom they like.
    match world.network.approve(&authorization.url, &other).await {
        Ok(callback) => {
            let error = world.oauth.callback(&params(&callback)).await.unwrap_err();
            assert!(matches!(error, CallbackError::SubjectMismatch { .. }), "{error:?}");
        }
        // A provider may refuse it by itself.
        Err(error) => {
            assert!(error.to_string().contains("consent") || error.to_string().contains("sign-in"), "{error}")
        }
    }
    for did in [world.did(), atproto_sdk::types::Did::new(&other.did).unwrap()] {
        assert!(world.oauth.sessions(&did).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o27_sign_out_ends_the_session_here_and_at_the_server() {
    let world = World::new().await;
    let client = world.sign_in().await;
    assert!(matches!(client.sign_out().await.unwrap(), SignOut::Confirmed));
    assert!(matches!(world.oauth.client(&world.did()).await, Err(ClientError::SessionNotFound { .. })));
    let error = client.com_atproto_server().get_session().await.unwrap_err();
    assert!(matches!(error, atproto_sdk::xrpc::Error::Reauthenticate(_)), "{error}");
    assert!(matches!(client.sign_out().await.unwrap(), SignOut::NoSession));
    assert!(world.store.list("session/").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn o27_the_local_session_goes_even_if_the_server_cannot_be_reached() {
    let world = World::new().await;
    let client = world.sign_in().await;
    drop(world.network);
    assert!(matches!(client.sign_out().await.unwrap(), SignOut::NotConfirmed { .. }));
    assert!(world.store.list("session/").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn o1_sign_up_starts_from_a_server() {
    let world = World::new().await;
    let sign_up = AuthorizeOptions::new().prompt(Prompt::Create).ui_locales("de");
    let authorization = world.oauth.authorize(world.network.pds(), sign_up).await.unwrap();
    assert!(authorization.url.starts_with(world.network.pds()), "{}", authorization.url);
}

#[tokio::test(flavor = "multi_thread")]
async fn o40_a_session_has_the_scopes_that_it_was_granted_and_no_call_goes_beyond() {
    let world = World::with_store_and_metadata(
        std::sync::Arc::new(atproto_sdk::store::MemoryStore::new()),
        ClientMetadata::loopback().scope(scopes![create::<Post>(), upload("image/*")]),
    )
    .await;
    let client = world.sign_in().await;
    let info = client.session_info().await.unwrap();
    assert_eq!(info.scopes.join(" "), "atproto blob:image/* repo:app.bsky.feed.post?action=create");
    assert!(
        client.allows(create::<Post>()).await.unwrap() && !client.allows(delete::<Post>()).await.unwrap()
    );
    let made = client.records::<Post>().create(&crate::post("allowed")).await.unwrap();
    let key = made.uri.record_key().unwrap();
    let before = world.network.counts().await.unwrap().requests;
    let error = client.records::<Post>().delete(&key, Expected::Any).await.unwrap_err();
    assert_eq!(error.missing_scope(), Some("repo:app.bsky.feed.post?action=delete"), "{error}");
    assert_eq!(world.network.counts().await.unwrap().requests, before, "nothing was sent");
    // The server is of the same opinion.
    let unchecked = client.clone().check_scopes(false);
    let error = unchecked.records::<Post>().delete(&key, Expected::Any).await.unwrap_err();
    assert_eq!(error.kind(), atproto_sdk::xrpc::ErrorKind::MissingScope, "{error}");
    assert_eq!(error.missing_scope(), Some("repo:app.bsky.feed.post?action=delete"), "{error}");
    assert!(error.to_string().contains("delete::<app::bsky::feed::post::Post>()"), "{error}");
    assert!(error.response().is_some_and(|response| response.status == 403), "{error}");
    let text = client.com_atproto_repo().upload_blob("text").content_type("text/plain").await.unwrap_err();
    assert_eq!(text.missing_scope(), Some("blob:text/plain"), "{text}");
    client.com_atproto_repo().upload_blob("not quite").content_type("image/png").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_resumed_by_name_without_asking_the_user() {
    let world = World::new().await;
    let client = world.sign_in().await;
    for input in [world.account.handle.as_str(), world.account.did.as_str(), world.network.pds()] {
        let resumed = world.oauth.resume_or_sign_in(input).browser(false).await.unwrap();
        assert!(resumed.resumed && resumed.client.session_id() == client.session_id(), "{input}");
    }
}
