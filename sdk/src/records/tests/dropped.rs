//! Writes whose future or stream is dropped.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::xrpc::{Attempt, Backoff, PacedCall, Pacing, RetryPolicy, Turn};

/// As many turns as there are, and then none.
struct Turns(AtomicUsize);

impl Pacing for Turns {
    fn turn<'a>(&'a self, _: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        Box::pin(async {
            if self.0.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err() {
                std::future::pending::<()>().await;
            }
            Ok(Turn::free())
        })
    }
}

/// Every attempt is followed by another one, after an hour.
struct Hourly;

impl RetryPolicy for Hourly {
    fn retries(&self, attempt: &Attempt<'_>) -> bool {
        attempt.number < 3
    }
}

impl Backoff for Hourly {
    fn wait(&self, _: &Attempt<'_>) -> Duration {
        Duration::from_secs(3600)
    }
}

fn collect<'c>(client: &'c Client, count: usize) -> Writes<'c> {
    let mut writes = client.writes();
    for n in 0..count {
        writes.create_at(&key(&format!("r{n:03}")), &post("x"));
    }
    writes
}

#[tokio::test(start_paused = true)]
async fn a_write_that_waits_for_its_turn_is_still_collected_when_sending_is_given_up() {
    for given in [0, 1, 2] {
        let (client, state) = world();
        let turns = Arc::new(Turns(given.into()));
        let client = client.pacing(turns.clone());
        let (mut writes, left) = (collect(&client, 450), 450 - 200 * given);
        assert!(tokio::time::timeout(Duration::from_secs(1800), writes.send()).await.is_err());
        assert_eq!((writes.len(), state.calls("applyWrites").len()), (left, given));

        // The same as a stream, which is not lost if only a wait for it is given up.
        let mut batches = writes.batches();
        for _ in 0..2 {
            assert!(tokio::time::timeout(Duration::from_secs(1800), batches.next()).await.is_err());
            assert_eq!(writes.len(), 0, "they are being made");
        }
        writes.create_at(&key("s"), &post("added"));
        drop(batches);
        assert_eq!(writes.len(), left + 1);

        turns.0.store(10, SeqCst);
        let written = writes.send().await.unwrap();
        let keys: Vec<String> = written.iter().map(|it| it.uri.rkey().unwrap().to_owned()).collect();
        let expected = (450 - left..450).map(|n| format!("r{n:03}")).chain(["s".to_owned()]);
        assert_eq!(keys, expected.collect::<Vec<_>>(), "each once, in the order in which they were added");
        assert_eq!(state.records.lock().unwrap().len(), 451);
    }
}

#[tokio::test(start_paused = true)]
async fn x13_writes_that_wait_for_points_are_still_collected_when_sending_is_given_up() {
    // After the first call, the next points come in a while for which writes wait.
    let (client, state) = world();
    state.reset.store(1800, SeqCst);
    *state.points.lock().unwrap() = Some(700);
    let mut writes = collect(&client, 450);
    assert!(tokio::time::timeout(Duration::from_secs(600), writes.send()).await.is_err());
    assert_eq!((writes.len(), state.calls("applyWrites").len()), (250, 1));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_refused_and_waits_for_another_attempt_is_still_collected() {
    let limit = Duration::from_secs(1800);
    let long = Duration::from_secs(100_000);
    for (first, kept) in [
        (refused(429, "RateLimitExceeded"), 250),
        (refused(400, "InvalidRequest"), 250),
        (Err(TransportError::InvalidRequest { problem: "not sent".into() }), 250),
        // These may have been processed.
        (refused(503, "NotAvailable"), 50),
        (refused(408, "Timeout"), 50),
        (Err(TransportError::Timeout { host: "pds.example".into(), limit }), 50),
    ] {
        let (client, state) = world();
        let client = client.retry(Hourly).backoff(Hourly).timeout(long);
        state.fails.lock().unwrap().push((1, first.clone()));
        let mut writes = collect(&client, 450);
        assert!(tokio::time::timeout(limit, writes.send()).await.is_err());
        assert_eq!(writes.len(), kept, "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn writes_that_an_earlier_attempt_may_have_made_are_unknown_also_if_the_last_one_was_refused() {
    let long = Duration::from_secs(100_000);
    for (attempts, is_unknown) in [([503, 429, 429], true), ([429, 503, 429], true), ([429, 429, 429], false)]
    {
        let (client, state) = world();
        let client = client.retry(Hourly).backoff(Hourly).timeout(long);
        for (number, status) in attempts.into_iter().enumerate() {
            state.fails.lock().unwrap().push((number, refused(status, "No")));
        }
        let error = collect(&client, 250).send().await.unwrap_err();
        let expected = if is_unknown { (200, 50) } else { (0, 250) };
        assert_eq!((error.unknown.len(), error.not_done.len()), expected, "{attempts:?}");
    }
}
