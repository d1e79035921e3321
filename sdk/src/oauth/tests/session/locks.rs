//! Locks that are lost, and sessions that change, in the middle of a refresh or a sign-out.

use super::*;
use crate::store::Lease;

/// A lease that is held for this long.
fn lease(world: &World, lifetime: Duration) -> Lease {
    let lease = Lease::new();
    lease.request().granted(lifetime);
    *world.control.lease.lock().unwrap() = Some(lease.clone());
    lease
}

fn told(error: &SessionError) -> String {
    let SessionError::Store(error) = error else { panic!("{error:?}") };
    std::error::Error::source(error).unwrap().to_string()
}

#[tokio::test]
async fn o25_the_refresh_token_is_not_sent_if_the_lock_ends_before_an_answer_can_come() {
    for lifetime in [Duration::ZERO, Duration::from_secs(5)] {
        let world = World::new(-10).await;
        lease(&world, lifetime);
        let error = world.client.refresh().await.unwrap_err();
        assert!(told(&error).contains("lock"), "{error:?}");
        assert_eq!(world.stub.with(|s| s.requests), 0, "{lifetime:?}");
        assert!(!world.stored().await.unwrap().refresh_in_doubt, "nothing was sent");
        *world.control.lease.lock().unwrap() = None;
        ok(&world.client).await;
        assert_eq!(world.refreshes(), 1);
    }
}

#[tokio::test]
async fn o25_a_lock_that_ends_between_the_check_and_the_sending_keeps_the_token_back() {
    let world = World::new(-10).await;
    let lease = lease(&world, Duration::from_secs(60));
    // The first proof is rejected because of its nonce; by the time that the second one is sent, the lock is gone.
    world.stub.with(|s| s.lease = Some(lease));
    let error = world.client.refresh().await.unwrap_err();
    let SessionError::Unavailable { steps, in_doubt: false, .. } = &error else { panic!("{error:?}") };
    assert!(steps.contains("was not sent, because the lock of the session was lost"), "{steps}");
    assert_eq!(world.stub.with(|s| (s.requests, s.refreshes)), (1, 0), "the second request has no body");
    assert!(!world.stored().await.unwrap().refresh_in_doubt);
    *world.control.lease.lock().unwrap() = None;
    world.client.refresh().await.unwrap();
    assert_eq!(world.refreshes(), 1);
}

/// Before the next removal, another process stores these tokens.
fn overtaken(world: &World, access_token: &str) {
    let (context, id) = (Arc::clone(&world.shared), world.client.session_id().clone());
    let (access_token, inner) = (access_token.to_owned(), Arc::clone(&world.store));
    *world.control.before_delete.lock().unwrap() = Some(Box::new(move || {
        Box::pin(async move {
            let mut session = context.sessions.get(&id).await.unwrap().unwrap();
            session.access_token = access_token;
            session.refresh_token = Some("r9".into());
            session.expires_at = unix_now() + 300;
            session.refreshed_at = unix_now();
            context.sessions.put(&id, &session, Expected::Any).await.unwrap();
            drop(inner);
        })
    }));
}

#[tokio::test]
async fn o28_ending_a_session_does_not_remove_newer_tokens() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::InvalidGrant]);
    overtaken(&world, "a9");
    world.client.refresh().await.unwrap();
    assert_eq!(world.stored().await.unwrap().access_token, "a9");
    let deletes = world.control.deletes.lock().unwrap().clone();
    assert!(matches!(deletes.as_slice(), [Expected::Version(_)]), "{deletes:?}");
}

#[tokio::test]
async fn o28_a_session_that_only_changed_otherwise_still_ends() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::InvalidGrant]);
    overtaken(&world, "a0");
    assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::Revoked);
    assert!(world.stored().await.is_none());
}

#[tokio::test]
async fn o27_signing_out_revokes_what_was_stored_last() {
    let world = World::new(200).await;
    overtaken(&world, "a9");
    let removed = world.shared.remove(world.client.session_id()).await.unwrap();
    assert!(matches!(&removed, Removed::Session(session) if session.access_token == "a9"), "{removed:?}");
    assert!(world.stored().await.is_none());
}

#[tokio::test]
async fn signing_out_does_not_wait_long_for_another_process() {
    let world = World::new(200).await;
    let _held = world.store.lock(&world.client.session_id().store_key(), Duration::ZERO).await.unwrap();
    let removing = world.shared.remove(world.client.session_id());
    let limit = crate::limits::SIGN_OUT_LOCK + Duration::from_secs(3);
    let removed = tokio::time::timeout(limit, removing).await.unwrap().unwrap();
    assert!(matches!(removed, Removed::Session(_)) && world.stored().await.is_none());
}

#[tokio::test]
async fn o25_a_refresh_that_loses_its_lock_while_in_doubt_says_that_it_waits_for_no_answer() {
    let world = World::new(-10).await;
    let lease = lease(&world, Duration::from_secs(60));
    world.stub.answer(&[Answer::Close]);
    let ending = async {
        world.stub.has_refreshed().await;
        lease.end();
    };
    let (outcome, ()) = futures_util::future::join(world.client.refresh(), ending).await;
    assert!(told(&outcome.unwrap_err()).contains("lock"));
    let text = world.store.get(&world.client.session_id().store_key()).await.unwrap().unwrap().value;
    let row: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((world.refreshes(), &row["refresh_doubt"]["given_up"]), (1, &true.into()));
}

#[tokio::test]
async fn a_lock_whose_renewal_hangs_ends_the_refresh() {
    let world = World::new(-10).await;
    lease(&world, Duration::from_secs(5));
    world.control.renewal_hangs.store(true, Ordering::SeqCst);
    tokio::time::pause();
    let limit = crate::limits::STORE_OPERATION * 2;
    let outcome = tokio::time::timeout(limit, world.client.refresh()).await.unwrap();
    assert!(matches!(outcome, Err(SessionError::Store(_))), "{outcome:?}");
    assert_eq!(world.stub.with(|s| s.requests), 0);
}
