//! Refreshes whose outcome is unknown, among processes that share a store (O25).

use std::time::Instant;

use super::*;
use crate::session::{Doubt, ProcessId, StoredSession as _};

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
    for expires_in in [200, -10] {
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
        assert_eq!((ended.reason, world.refreshes()), (ReauthenticateReason::LostRefresh, 2));
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

#[tokio::test]
async fn o25_a_token_that_was_rejected_before_shows_nothing_about_a_lost_answer() {
    for lost in 1..=2 {
        let world = World::new(200).await;
        world.stub.with(|s| s.rejected = Some("a0"));
        world.stub.answer(&[Answer::Close, Answer::Close][..lost]);
        let outcome = get(&world.client).await;
        if lost == 1 {
            assert_eq!(outcome.unwrap().status, 200);
            assert_eq!(world.refreshes(), 2);
            continue;
        }
        // Another process knows it from the store.
        outcome.unwrap_err();
        assert_eq!(world.refreshes(), 2);
        world.other_process().refresh().await.unwrap();
        assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (3, "a1"));
    }
}

#[tokio::test]
async fn o25_after_the_grace_the_refresh_token_is_tried_before_the_session_ends() {
    let world = World::new(200).await;
    let mut session = world.stored().await.unwrap();
    session.refresh_in_doubt = true;
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    // The process died before it sent anything, and the token was revoked for another reason.
    world.stub.with(|s| s.rejected = Some("a0"));
    let begun = Instant::now();
    world.client.refresh().await.unwrap();
    assert!(begun.elapsed() >= pace().doubt_grace, "{:?}", begun.elapsed());
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a1"));
}

#[tokio::test]
async fn o25_a_token_that_outlives_its_refresh_does_not_show_that_nothing_was_rotated() {
    let world = unsaved(10).await;
    world.stub.with(|s| s.outlive = true);
    let other = world.other_process();
    let begun = Instant::now();
    ok(&other).await;
    ok(&other).await;
    assert!(begun.elapsed() < Duration::from_millis(700), "the token is still valid: {:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.refreshes(), 1, "the old refresh token is not sent again");
    world.puts_left(None);
    ok(&world.client).await;
    ok(&other).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a1"));
}

#[tokio::test]
async fn o25_only_what_an_authenticated_request_gets_shows_that_a_token_is_accepted() {
    for (status, body, accepted) in [
        (200, "<html>", false),
        (200, "{}", false),
        (200, r#"{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","handle":"b.example"}"#, false),
        (403, "<html>", false),
        (403, r#"{"error":"Forbidden"}"#, false),
        (400, r#"{"error":"InvalidRequest"}"#, false),
        (404, r#"{"error":"ScopeMissingError"}"#, false),
        (403, r#"{"error":"ScopeMissingError"}"#, true),
        (400, r#"{"error":"AccountDeactivated"}"#, true),
        (401, r#"{"error":"AccountTakedown"}"#, true),
    ] {
        let world = World::new(200).await;
        world.stub.answer(&[Answer::Close]);
        world.stub.with(|s| s.probe = Some((status, body)));
        let outcome = world.client.refresh().await;
        assert_eq!(outcome.is_ok(), accepted, "{status} {body}: {outcome:?}");
        assert_eq!(world.refreshes(), 1 + u32::from(accepted), "{status} {body}");
        assert_eq!(world.stored().await.unwrap().refresh_in_doubt, !accepted);
    }
}

#[tokio::test]
async fn o25_a_refresh_in_doubt_does_not_fail_calls_whose_token_is_valid() {
    let world = World::new(10).await;
    world.stub.with(|s| s.probe_fails = true);
    world.stub.answer(&[Answer::Close]);
    ok(&world.client).await;
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().refresh_in_doubt), (1, true));
}

#[tokio::test]
async fn o25_the_doubt_is_over_if_the_token_is_accepted_and_the_next_attempt_is_refused() {
    let world = World::new(200).await;
    world.stub.answer(&[Answer::Close, Answer::Error400]);
    let error = world.client.refresh().await.unwrap_err();
    assert!(matches!(error, SessionError::Unavailable { in_doubt: false, .. }), "{error:?}");
    assert_eq!((world.refreshes(), world.stored().await.unwrap().refresh_in_doubt), (2, false));
}

#[tokio::test]
async fn o25_a_doubt_that_appears_while_the_intent_is_written_is_settled_first() {
    let world = World::new(-10).await;
    let (context, id) = (Arc::clone(&world.shared), world.client.session_id().clone());
    *world.control.before_put.lock().unwrap() = Some(Box::new(move || {
        Box::pin(async move {
            let mut session = context.sessions.get(&id).await.unwrap().unwrap();
            session.refresh_in_doubt = true;
            context.sessions.put(&id, &session, Expected::Any).await.unwrap();
        })
    }));
    let begun = Instant::now();
    world.client.refresh().await.unwrap();
    assert!(begun.elapsed() >= pace().doubt_grace, "{:?}", begun.elapsed());
    assert_eq!(world.refreshes(), 1);
}

/// A process that lives for so long, and makes one call. Whether the call succeeded.
async fn short_process(world: &World, lifetime: Duration) -> bool {
    let (store, id) = (Arc::clone(&world.store), world.client.session_id().clone());
    let process = tokio::task::spawn_blocking(move || {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let called = runtime.block_on(async move {
            let client = OAuthClient::new(&shared(&store), &id);
            tokio::time::timeout(lifetime, get(&client)).await
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        matches!(called, Ok(Ok(response)) if response.status == 200)
    });
    process.await.unwrap()
}

#[tokio::test]
async fn o25_processes_that_live_for_less_than_the_grace_get_through_it_together() {
    // The clock of the process that died was right, behind and ahead.
    for wrong in [0, -600, 600] {
        let world = World::new(-10).await;
        let mut session = world.stored().await.unwrap();
        session.refresh_in_doubt = true;
        let mut row: serde_json::Value = serde_json::from_slice(&session.to_bytes().unwrap()).unwrap();
        row["refresh_doubt"] = serde_json::json!({"by": "somebody", "since": unix_now() + wrong});
        let key = session.id.store_key();
        world.store.put(&key, row.to_string().as_bytes(), None, Expected::Any).await.unwrap();
        let (begun, mut lived) = (Instant::now(), 0);
        while !short_process(&world, pace().doubt_grace * 2 / 3).await {
            lived += 1;
            assert!(lived < 12, "they never get through");
            assert_eq!(world.refreshes(), 0);
        }
        assert!(lived >= 1 && begun.elapsed() >= pace().doubt_grace, "{lived} {:?}", begun.elapsed());
        assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a1"));
    }
}

#[tokio::test]
async fn o25_the_wait_begins_again_as_long_as_nothing_can_be_written() {
    let world = World::new(-10).await;
    let mut session = world.stored().await.unwrap();
    session.refresh_in_doubt = true;
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    let other = world.other_process();
    let waiting = tokio::spawn(async move { other.refresh().await });
    // Whoever has new tokens in memory cannot store them in this time.
    tokio::time::sleep(pace().doubt_grace / 3).await;
    world.puts_left(0);
    tokio::time::sleep(pace().doubt_grace / 3).await;
    world.puts_left(None);
    let begun = Instant::now();
    waiting.await.unwrap().unwrap();
    assert!(begun.elapsed() >= pace().doubt_grace - pace().doubt_poll, "{:?}", begun.elapsed());
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn o25_a_process_that_dies_between_two_attempts_makes_nobody_wait() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Close]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let client = world.other_process();
    runtime.spawn(async move { get(&client).await });
    world.stub.has_refreshed().await;
    // It has told that there was no answer, and looks whether somebody else has stored new tokens.
    let patience = Instant::now();
    let has_told = async || {
        let doubt = world.stored().await.unwrap().doubt();
        doubt.is_some_and(|doubt| !doubt.may_be_settled_by_another(&ProcessId::generate()))
    };
    while !has_told().await {
        assert!(patience.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runtime.shutdown_background();
    let begun = Instant::now();
    world.client.refresh().await.unwrap();
    assert!(begun.elapsed() < pace().doubt_grace, "{:?}", begun.elapsed());
    assert_eq!(world.refreshes(), 2);
}

#[tokio::test]
async fn o25_a_token_that_ends_at_the_server_before_it_ends_here_does_not_end_the_session() {
    for by_another in [false, true] {
        let world = World::new(200).await;
        // It ends while the refresh that nobody answers is in progress.
        world.stub.with(|s| s.ends = Some(("a0", Instant::now() + Duration::from_millis(200))));
        world.stub.answer(&[Answer::SlowClose]);
        if by_another {
            world.stub.with(|s| s.probe_fails = true);
            let error = world.other_process().refresh().await.unwrap_err();
            assert!(matches!(error, SessionError::Unavailable { in_doubt: true, .. }), "{error:?}");
            world.stub.with(|s| s.probe_fails = false);
        }
        world.client.refresh().await.unwrap();
        assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (2, "a1"));
        ok(&world.client).await;
    }
}

#[tokio::test]
async fn o25_if_the_last_attempt_gets_no_answer_the_session_does_not_end_yet() {
    let world = World::new(200).await;
    world.stub.with(|s| s.rejected = Some("a0"));
    let mut session = world.stored().await.unwrap();
    session.set_doubt(Some(Doubt::without_answer(&ProcessId::generate(), false)));
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    world.stub.answer(&[Answer::Close]);
    let error = world.client.refresh().await.unwrap_err();
    assert!(matches!(error, SessionError::Unavailable { in_doubt: true, .. }), "{error:?}");
    tokio::time::sleep(pace().first_pause * 2).await;
    world.client.refresh().await.unwrap();
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (2, "a1"));
}
