//! Refreshes whose outcome is unknown, among processes that share a store (O25).

use std::time::Instant;

use super::*;

/// A session whose tokens were rotated, while the store did not accept the new ones. The lock is lost as well, like the lease
/// of a process that cannot reach the database.
async fn unsaved(expires_in: i64) -> World {
    let world = World::new(expires_in).await;
    world.control.loses_locks.store(true, Ordering::SeqCst);
    world.puts_left(1);
    let outcome = world.client.refresh().await;
    assert!(matches!(outcome, Err(SessionError::NotStored { .. })), "{outcome:?}");
    world
}

#[tokio::test]
async fn o25_tokens_that_wait_for_the_store_are_waited_for_by_others() {
    for expires_in in [-10, 200] {
        let world = unsaved(expires_in).await;
        let other = world.other_process();
        let waiting = tokio::spawn(async move { other.refresh().await });
        tokio::time::sleep(Duration::from_millis(800)).await;
        assert!(!waiting.is_finished() && world.refreshes() == 1);
        // The store works again, and nobody calls in the process that has the tokens.
        world.puts_left(None);
        waiting.await.unwrap().unwrap();
        assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a1"));
        ok(&world.client).await;
    }
}

#[tokio::test]
async fn o25_a_process_that_died_is_waited_for_no_longer_than_the_grace() {
    for (expires_in, refreshes) in [(200, 1), (-10, 2)] {
        let world = World::new(expires_in).await;
        world.stub.answer(&[Answer::CloseRotated]);
        world.stub.with(|s| s.probe_fails = true);
        let mut session = world.stored().await.unwrap();
        session.refresh_in_doubt = true;
        // As stored by an earlier version, without the process.
        world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
        world.stub.with(|s| (s.generation, s.probe_fails, s.refreshes) = (1, false, 1));
        world.stub.with(|s| s.answers.clear());
        let begun = Instant::now();
        let Err(SessionError::Reauthenticate(ended)) = world.client.refresh().await else { panic!() };
        assert_eq!((ended.reason, world.refreshes()), (ReauthenticateReason::LostRefresh, refreshes));
        assert!(begun.elapsed() >= pace().doubt_grace, "{:?}", begun.elapsed());
        assert!(world.stored().await.is_none());
    }
}

#[tokio::test]
async fn o25_if_the_old_token_is_accepted_nobody_waits() {
    let world = World::new(200).await;
    world.stub.with(|s| s.probe_fails = true);
    world.stub.answer(&[Answer::Close]);
    let error = world.client.refresh().await.unwrap_err();
    assert!(matches!(error, SessionError::Unavailable { in_doubt: true, .. }), "{error:?}");
    world.stub.with(|s| s.probe_fails = false);
    let begun = Instant::now();
    world.other_process().refresh().await.unwrap();
    assert!(begun.elapsed() < pace().doubt_grace, "{:?}", begun.elapsed());
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (2, "a1"));
}

#[tokio::test]
async fn o25_nobody_waits_for_a_process_that_got_no_answer() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Close, Answer::Close]);
    let error = world.client.refresh().await.unwrap_err();
    assert!(matches!(error, SessionError::Unavailable { in_doubt: true, .. }), "{error:?}");
    let begun = Instant::now();
    world.other_process().refresh().await.unwrap();
    assert!(begun.elapsed() < pace().doubt_grace, "{:?}", begun.elapsed());
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (3, "a1"));
}

#[tokio::test]
async fn o25_a_call_that_cannot_wait_for_so_long_fails_for_now() {
    let world = unsaved(-10).await;
    let other = world.other_process();
    let late = request(Kind::Query, RequestBody::Empty)
        .with_deadline(crate::xrpc::Deadline::after(Duration::from_millis(200)));
    let error = other.send(late).await.unwrap_err();
    // Unlike with a timeout, the call has certainly not been processed.
    let TransportError::Session { source, .. } = &error else { panic!("{error:?}") };
    assert!(source.to_string().contains("not processed"), "{source}");
    world.puts_left(None);
    ok(&other).await;
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn the_row_says_who_is_in_doubt_and_since_when() {
    let world = unsaved(-10).await;
    let text = world.store.get(&world.client.session_id().store_key()).await.unwrap().unwrap().value;
    let row: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(row["refresh_in_doubt"], true);
    assert!(!row["refresh_doubt"]["by"].as_str().unwrap().is_empty());
    assert!((row["refresh_doubt"]["since"].as_i64().unwrap() - unix_now()).abs() < 60);
    world.puts_left(None);
    ok(&world.client).await;
    let text = world.store.get(&world.client.session_id().store_key()).await.unwrap().unwrap().value;
    let row: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&row["refresh_in_doubt"], row.get("refresh_doubt")), (&false.into(), None));
}
