//! Retries, waits and pacing can be replaced, for a client and for a call.

use std::{
    future::IntoFuture as _,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::Instant;

use super::{Answer, Scripted, answer, did, handle, json};
use crate::{
    api::com::atproto::identity::{ComAtprotoIdentity, resolve_handle},
    types::Did,
    xrpc::{
        Attempt, Backoff, BoxFuture, CallSettings, ErrorKind, Outcome, PacedCall, Pacing, Request,
        RetryPolicy, StandardRetry, Transport, TransportError, Turn,
    },
};

/// A transport with the settings of a client.
struct Client<T>(T, CallSettings, Did);

impl<T: Transport> Transport for Client<T> {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Answer> {
        self.0.send(request)
    }
    fn settings(&self) -> &CallSettings {
        &self.1
    }
    fn account(&self) -> Option<&Did> {
        Some(&self.2)
    }
}

fn call(transport: &dyn Transport) -> crate::xrpc::Call<'_, resolve_handle::ResolveHandle> {
    ComAtprotoIdentity::over(transport).resolve_handle(resolve_handle::Params::new(handle()))
}

struct Steady(u64);

impl Backoff for Steady {
    fn wait(&self, _: &Attempt<'_>) -> Duration {
        Duration::from_secs(self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_has_the_policies_of_its_client_unless_it_has_others() {
    let settings = CallSettings::new().retry(StandardRetry::new().attempts(3)).backoff(Steady(2));
    let client = Client(Scripted::new(|_, _| Ok(answer(503, &[], ""))), settings, did());
    assert!(call(&client).await.is_err());
    assert_eq!(client.0.times(), [0, 2, 4].map(Duration::from_secs));

    let client = Client(Scripted::new(|_, _| Ok(answer(503, &[], ""))), client.1, did());
    let other = call(&client).retry(StandardRetry::new().attempts(2)).backoff(Steady(5));
    assert!(other.await.is_err());
    assert_eq!(client.0.times(), [0, 5].map(Duration::from_secs));
}

#[tokio::test(start_paused = true)]
async fn a_policy_sees_the_outcome_of_every_attempt() {
    struct Watching(Mutex<Vec<String>>);
    impl RetryPolicy for Watching {
        fn retries(&self, attempt: &Attempt<'_>) -> bool {
            let Attempt { nsid, number, outcome, asked, .. } = attempt;
            self.0.lock().unwrap().push(format!("{nsid} {number} {outcome} {asked:?}"));
            // Even what is not repeated usually.
            !matches!(outcome, Outcome::Refused(status) if status.as_u16() == 404)
        }
    }
    let policy = Arc::new(Watching(Mutex::default()));
    let transport = Scripted::new(|number, _| match number {
        0 => Err(TransportError::InvalidRequest { problem: "none".into() }),
        1 => Ok(answer(429, &[("retry-after", "3")], "")),
        2 => Ok(answer(400, &[], "")),
        _ => Ok(answer(404, &[], "")),
    });
    let error = call(&transport).retry(Arc::clone(&policy)).await.unwrap_err();
    assert_eq!(error.response().unwrap().status, 404);
    let seen = policy.0.lock().unwrap().join("\n");
    assert_eq!(
        seen,
        "com.atproto.identity.resolveHandle 1 the request cannot be sent: none None\n\
         com.atproto.identity.resolveHandle 2 answered 429 Too Many Requests Some(3s)\n\
         com.atproto.identity.resolveHandle 3 answered 400 Bad Request None\n\
         com.atproto.identity.resolveHandle 4 answered 404 Not Found None"
    );
}

/// Makes every call wait, and notes what it sees.
#[derive(Clone, Default)]
struct Gate {
    wait: Duration,
    takes_over: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Pacing for Gate {
    fn turn<'a>(&'a self, call: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        Box::pin(async move {
            tokio::time::sleep(self.wait).await;
            let account = call.account.map_or("nobody", Did::as_str);
            self.seen.lock().unwrap().push(format!("{} of {account}", call.nsid));
            let seen = Arc::clone(&self.seen);
            let takes_over = self.takes_over;
            Ok(Turn::taking_over(move |response| {
                let status = response.map(|response| response.status.as_u16());
                seen.lock().unwrap().push(format!("{status:?}"));
                takes_over
            }))
        })
    }
}

#[tokio::test(start_paused = true)]
async fn every_attempt_waits_for_its_turn_and_tells_what_came_of_it() {
    let gate = Gate { wait: Duration::from_secs(100), takes_over: true, ..Gate::default() };
    let output = r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#;
    let scripted = Scripted::new(|number, _| match number {
        // The pacing waits, and not the backoff, however long the server asks for.
        0 => Ok(answer(429, &[("retry-after", "3000")], "")),
        1 => Err(TransportError::Connect { host: "x".into(), source: Arc::new(std::io::Error::other("x")) }),
        _ => Ok(json(output)),
    });
    let client = Client(scripted, CallSettings::new().pacing(gate.clone()).backoff(Steady(1)), did());
    let begun = Instant::now();
    // The limit of a client, 60 seconds, is not for the waits.
    call(&client).await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(301));
    let turn = format!("com.atproto.identity.resolveHandle of {}", did());
    let seen = gate.seen.lock().unwrap().clone();
    assert_eq!(seen, [&turn, "Some(429)", &turn, "None", &turn, "Some(200)"]);

    let begun = Instant::now();
    call(&client).without_pacing().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::ZERO);
    let other = Gate::default();
    call(&client).pacing(other.clone()).await.unwrap();
    assert_eq!((begun.elapsed(), other.seen.lock().unwrap().len()), (Duration::ZERO, 2));
}

#[tokio::test(start_paused = true)]
async fn x4_a_pacing_that_does_not_take_the_wait_over_leaves_it_to_the_backoff() {
    for (asked, expected) in [("3600", vec![0]), ("3", vec![0, 3, 6, 9])] {
        let transport = Scripted::new(move |_, _| Ok(answer(429, &[("retry-after", asked)], "")));
        let error = call(&transport).pacing(Gate::default()).await.unwrap_err();
        assert_eq!(error.response().unwrap().status, 429);
        let times: Vec<u64> = transport.times().iter().map(Duration::as_secs).collect();
        let late = |(time, expected): (&u64, &u64)| time < expected || *time > expected + 3;
        assert_eq!(times.len(), expected.len(), "{times:?}");
        assert!(!times.iter().zip(&expected).any(late), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_only_waited_for_its_turn_was_not_sent() {
    let gate = Gate { wait: Duration::from_secs(100), ..Gate::default() };
    let transport = Scripted::new(|_, _| Ok(answer(200, &[], "")));
    let begun = Instant::now();
    let error = call(&transport).pacing(gate).timeout(Duration::from_secs(5)).await.unwrap_err();
    let spent = matches!(&error, crate::xrpc::Error::Transport(TransportError::BudgetSpent { .. }));
    assert!(spent && error.to_string().contains("not sent"), "{error}");
    assert_eq!((begun.elapsed(), transport.count()), (Duration::from_secs(5), 0));
}

#[tokio::test(start_paused = true)]
async fn a_turn_ends_when_its_call_is_dropped() {
    struct Silent;
    impl Transport for Silent {
        fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Answer> {
            Box::pin(std::future::pending())
        }
    }
    let gate = Gate::default();
    let waiting = call(&Silent).pacing(gate.clone()).into_future();
    assert!(tokio::time::timeout(Duration::from_secs(1), waiting).await.is_err());
    assert_eq!(gate.seen.lock().unwrap().last().unwrap(), "None");
}

#[tokio::test(start_paused = true)]
async fn a_pacing_can_refuse_a_call() {
    struct Never;
    impl Pacing for Never {
        fn turn<'a>(&'a self, _: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
            let (budget, wait) = ("budget of tests".to_owned(), Duration::from_secs(7));
            Box::pin(async move { Err(TransportError::BudgetSpent { budget, wait }) })
        }
    }
    let transport = Scripted::new(|_, _| Ok(answer(200, &[], "")));
    let error = call(&transport).pacing(Never).await.unwrap_err();
    assert_eq!((error.kind(), transport.count()), (ErrorKind::TryLater, 0));
    assert!(error.to_string().contains("budget of tests") && error.to_string().contains("7s"), "{error}");
}
