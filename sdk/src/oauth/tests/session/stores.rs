//! Stores that fail while tokens are exchanged.

use super::*;

fn told(error: &TransportError) -> String {
    match error {
        TransportError::Session { source, .. } | TransportError::UnusableSession { source, .. } => {
            source.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_kept_and_stored_later() {
    let world = World::new(-10).await;
    world.puts_left(1);
    let error = get(&world.client).await.unwrap_err();
    assert!(told(&error).contains("remain in memory"), "{error:?}");
    assert!(get(&world.client).await.is_err());
    assert!(world.calls().is_empty(), "not used until they are stored");
    world.puts_left(None);
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().refresh_token.as_deref()), (1, Some("r1")));
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_stored_even_if_nobody_calls() {
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    let id = world.client.session_id().clone();
    let World { stub: _stub, store, shared: first, client, control } = world;
    drop((client, first));
    control.puts_left.store(-1, Ordering::SeqCst);
    let stored = async {
        while shared(&store).sessions.get(&id).await.unwrap().unwrap().access_token != "a1" {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), stored).await.unwrap();
}

#[tokio::test]
async fn an_ended_session_that_could_not_be_removed_is_removed_later() {
    let world = World::new(-10).await;
    world.control.deletes_fail.store(3, Ordering::SeqCst);
    world.stub.answer(&[Answer::InvalidGrant]);
    let ended = reason(get(&world.client).await.unwrap_err());
    assert!(world.stored().await.is_some(), "{ended:?}");
    let removed = async {
        while world.stored().await.is_some() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), removed).await.unwrap();
    assert_eq!(reason(get(&world.client).await.unwrap_err()), ended);

    // What somebody else has stored meanwhile stays.
    let world = World::new(-10).await;
    world.control.deletes_fail.store(1, Ordering::SeqCst);
    world.stub.answer(&[Answer::InvalidGrant]);
    get(&world.client).await.unwrap_err();
    let mut newer = world.stored().await.unwrap();
    newer.access_token = "newer".to_owned();
    world.shared.sessions.put(world.client.session_id(), &newer, Expected::Any).await.unwrap();
    tokio::time::sleep(pace().store_again * 5).await;
    assert_eq!(*world.stored().await.unwrap().access_token, *"newer");
    assert_eq!(world.control.deletes.lock().unwrap().len(), 1, "it was not tried again");
}

#[tokio::test]
async fn nobody_else_refreshes_while_new_tokens_wait_for_the_store() {
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    let other = world.other_process();
    let waiting = tokio::spawn(async move { ok(&other).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    world.puts_left(None);
    ok(&world.client).await;
    waiting.await.unwrap();
    assert_eq!((world.refreshes(), world.calls().len()), (1, 2));
}

#[tokio::test]
async fn a_store_that_cannot_be_written_costs_no_token() {
    let world = World::new(-10).await;
    world.puts_left(0);
    let error = get(&world.client).await.unwrap_err();
    assert!(told(&error).contains("store"), "{error:?}");
    assert_eq!(world.stub.with(|s| s.requests), 0, "nothing was sent");
    world.puts_left(None);
    ok(&world.client).await;
    assert_eq!(world.refreshes(), 1);
    // A token that should be refreshed but is still valid is used until it expires.
    let world = World::new(10).await;
    world.puts_left(0);
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.calls().len()), (0, 1));
}

#[tokio::test]
async fn signing_out_takes_the_tokens_that_wait_for_the_store() {
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    let removed = world.shared.remove(world.client.session_id());
    let removed = tokio::time::timeout(Duration::from_secs(5), removed).await.unwrap().unwrap();
    let Removed::Session(session) = removed else { panic!("{removed:?}") };
    assert_eq!(session.access_token, "a1");
    assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::NotFound);
    // The session was removed in the meantime, so the new tokens must be revoked.
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    world.store.delete(&world.client.session_id().store_key(), Expected::Any).await.unwrap();
    let removed = world.shared.remove(world.client.session_id()).await.unwrap();
    assert!(matches!(&removed, Removed::Session(session) if session.access_token == "a1"), "{removed:?}");
}

#[tokio::test]
async fn a_process_that_died_during_a_refresh_leaves_word() {
    let world = World::new(200).await;
    world.stub.answer(&[Answer::Slow]);
    let refresh = world.client.refresh();
    let seen = async {
        world.stub.has_refreshed().await;
        assert!(world.stored().await.unwrap().refresh_in_doubt);
    };
    tokio::join!(refresh, seen).0.unwrap();
    assert!(!world.stored().await.unwrap().refresh_in_doubt);
}

#[tokio::test]
async fn a_server_that_is_slow_to_fail_is_left_alone_for_a_while() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Error500, Answer::Error500]);
    let first = get(&world.client).await.unwrap_err();
    let second = get(&world.client).await.unwrap_err();
    assert_eq!((told(&first), world.refreshes()), (told(&second), 2));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    ok(&world.client).await;
}

#[cfg(feature = "encryption")]
#[tokio::test]
async fn a_session_under_a_lost_key_can_be_signed_out() {
    use crate::{
        oauth::{ClientMetadata, OAuth, SignOut},
        store::{EncryptedStore, SealingKey, SealingKeys},
    };
    let inner: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let keys = || SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
    let before = EncryptedStore::shared(Arc::clone(&inner), keys());
    let id: SessionId = "did:web:a.example#0123456789abcdefghijkl".parse().unwrap();
    before.put(&id.store_key(), b"{}", None, Expected::Any).await.unwrap();
    let oauth = OAuth::builder(ClientMetadata::loopback())
        .store(EncryptedStore::shared(Arc::clone(&inner), keys()))
        .build()
        .unwrap();
    let outcome = oauth.sign_out(&id).await.unwrap();
    let SignOut::NotConfirmed { problem } = &outcome else { panic!("{outcome:?}") };
    assert!(problem.contains("key"), "{problem}");
    assert!(inner.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn tokens_that_can_never_be_stored_are_revoked() {
    let world = World::new(-10).await;
    world.puts_left(1);
    get(&world.client).await.unwrap_err();
    world.puts_left(None);
    // Written by a newer version of this crate.
    let key = world.client.session_id().store_key();
    world.store.put(&key, br#"{"v":2}"#, None, Expected::Any).await.unwrap();
    let revoked = async {
        while world.stub.with(|s| s.revoked.is_empty()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), revoked).await.unwrap();
    assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r1"]);
    let error = get(&world.client).await.unwrap_err();
    assert!(told(&error).contains("cannot be decoded"), "{error:?}");
    assert_eq!(
        crate::xrpc::Error::<crate::xrpc::NoError>::from(error).kind(),
        crate::xrpc::ErrorKind::Internal
    );
}
