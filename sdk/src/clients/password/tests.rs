//! Password sessions at servers that end them, and at servers that only seem to (X11, X13, X14).
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use tests::{Answer, Stub};

use super::{AccountStatus, PasswordClient, PasswordError};
use crate::{
    limits,
    session::{Pace, SessionError},
    store::{
        Entry, Expected, Lease, MemoryStore, RenewLease, Store, StoreError, StoreLock, Version, passed_on,
    },
    xrpc::{
        AccountProblem, BoxFuture, CallSettings, DecodeError, Error, ErrorKind, PacedCall, Pacing,
        ReauthenticateReason, RequestBody, Transport as _, TransportError, Turn,
    },
};

const CREATE: &str = "/xrpc/com.atproto.server.createSession";
const REFRESH: &str = "/xrpc/com.atproto.server.refreshSession";
const DELETE: &str = "/xrpc/com.atproto.server.deleteSession";
const GET: &str = "/xrpc/com.atproto.server.getSession";
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

fn pace() -> Pace {
    Pace {
        store_again: Duration::from_millis(100),
        doubt_poll: Duration::from_millis(50),
        doubt_grace: Duration::from_millis(600),
        first_pause: Duration::from_millis(400),
        fresh_token_pause: Duration::from_millis(700),
        sign_in_pause: Duration::from_secs(2),
    }
}

fn named(status: u16, error: &str) -> Answer {
    let body = format!(r#"{{"error": "{error}", "message": "as it is"}}"#);
    Answer::status(status).header("content-type", "application/json").body(body)
}

fn session(access: &str, more: &str) -> Answer {
    Answer::json(format!(r#"{{"did": "{DID}", "accessJwt": "{access}", "refreshJwt": "r-{access}"{more}}}"#))
}

struct World {
    stub: Stub,
    store: Arc<dyn Store>,
    client: PasswordClient,
}

impl World {
    /// A session whose access token has expired.
    async fn new() -> Self {
        let stub = Stub::start().await.unwrap();
        stub.answer(CREATE, session("a0", ""));
        stub.answer(GET, named(400, "ExpiredToken"));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let client = resume(&stub, &store, pace()).await;
        Self { stub, store, client }
    }

    async fn call(&self) -> Result<(), Error> {
        call(&self.client).await
    }

    /// The server accepts the tokens from now on.
    fn works(&self) {
        self.stub.replace(GET, Answer::json(format!(r#"{{"did": "{DID}", "handle": "alice.example"}}"#)));
    }

    fn count(&self, path: &str) -> usize {
        self.stub.received_at(path).len()
    }
}

async fn resume(stub: &Stub, store: &Arc<dyn Store>, pace: Pace) -> PasswordClient {
    let builder = PasswordClient::builder(stub.url()).shared_store(Arc::clone(store)).pace(pace);
    builder.resume_or_sign_in("alice.example", "secret").await.unwrap()
}

async fn call(client: &PasswordClient) -> Result<(), Error> {
    client.com_atproto_server().get_session().await.map(drop).map_err(Error::erase)
}

fn cause(error: &Error) -> &SessionError {
    let Error::Transport(
        TransportError::Session { source, .. } | TransportError::UnusableSession { source, .. },
    ) = error
    else {
        panic!("{error:?}")
    };
    source.downcast_ref().unwrap()
}

#[tokio::test]
async fn x11_only_the_named_errors_end_a_session() {
    for temporary in [
        Answer::status(403).body("<html>blocked</html>"),
        Answer::status(404).body("<html>not here</html>"),
        Answer::status(401).body("<html>log in to the network</html>"),
        Answer::status(408),
        Answer::status(425),
        Answer::status(500),
        Answer::status(502).body("<html>"),
        named(400, "InvalidRequest"),
        named(403, "ExpiredToken"),
        Answer::html("<html>welcome</html>"),
        Answer::hang_up(),
    ] {
        let world = World::new().await;
        world.stub.answer(REFRESH, temporary.clone());
        for _ in 0..5 {
            let error = world.call().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TryLater, "{temporary:?}: {error:?}");
            assert!(matches!(cause(&error), SessionError::Unavailable { .. }), "{temporary:?}: {error:?}");
        }
        assert_eq!(world.count(CREATE), 1, "{temporary:?}");
        assert!(world.count(REFRESH) <= 2, "calls pause after a failure: {temporary:?}");
        // The session goes on as soon as the server answers.
        world.stub.replace(REFRESH, session("a1", ""));
        world.works();
        tokio::time::sleep(pace().first_pause * 2).await;
        world.stub.replace(GET, named(400, "ExpiredToken"));
        let _ = world.call().await;
        world.works();
        world.call().await.unwrap();
        assert_eq!(world.count(CREATE), 1, "{temporary:?}");
    }
}

#[tokio::test]
async fn x11_a_named_error_ends_it_and_the_client_signs_in_again() {
    for (status, error) in
        [(400, "ExpiredToken"), (401, "ExpiredToken"), (400, "InvalidToken"), (401, "InvalidToken")]
    {
        let world = World::new().await;
        world.stub.answer(REFRESH, named(status, error));
        world.stub.replace(CREATE, session("a1", ""));
        // The fresh token is rejected as well here, but the session is a new one.
        let _ = world.call().await;
        assert_eq!(world.count(CREATE), 2, "{status} {error}");
        world.works();
        world.call().await.unwrap();
        let calls = world.stub.received_at(GET);
        assert_eq!(calls.last().unwrap().header("authorization"), Some("Bearer a1"));
    }
}

#[tokio::test]
async fn x13_a_refused_password_is_remembered_by_all_clones_and_not_tried_again_before_a_pause() {
    let world = World::new().await;
    world.stub.answer(REFRESH, named(400, "ExpiredToken"));
    world.stub.replace(CREATE, named(401, "AuthenticationRequired"));
    let clone = world.client.clone();
    let ended = |error: Error| match error {
        Error::Reauthenticate(ended) => ended,
        other => panic!("{other:?}"),
    };
    for client in [&world.client, &clone, &world.client] {
        let ended = ended(call(client).await.unwrap_err());
        assert_eq!(ended.reason, ReauthenticateReason::Revoked);
        assert!(ended.detail.unwrap().contains("AuthenticationRequired"));
    }
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 2));
    // Another process knows it from the store, and sends nothing at all with the dead tokens.
    let calls = world.count(GET);
    let other = resume(&world.stub, &world.store, pace()).await;
    ended(call(&other).await.unwrap_err());
    assert_eq!((world.count(REFRESH), world.count(CREATE), world.count(GET)), (1, 2, calls));
    // After the pause it is tried once more, and then the pause is longer.
    tokio::time::sleep(pace().sign_in_pause + Duration::from_millis(100)).await;
    join_all((0..20).map(|_| world.call())).await;
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 3));
    tokio::time::sleep(pace().sign_in_pause + Duration::from_millis(100)).await;
    ended(world.call().await.unwrap_err());
    assert_eq!(world.count(CREATE), 3);
    // `sign_in` is the user's decision, and replaces the session for everybody.
    world.stub.replace(CREATE, session("a5", ""));
    world.works();
    let builder = PasswordClient::builder(world.stub.url()).shared_store(Arc::clone(&world.store));
    builder.sign_in("alice.example", "new secret").await.unwrap();
    call(&resume(&world.stub, &world.store, pace()).await).await.unwrap();
    assert_eq!(world.count(CREATE), 4);
}

#[tokio::test]
async fn x13_a_rate_limit_of_the_sign_in_is_obeyed() {
    let world = World::new().await;
    world.stub.answer(REFRESH, named(400, "ExpiredToken"));
    let limited = named(429, "RateLimitExceeded").header("retry-after", "3");
    world.stub.replace(CREATE, limited);
    let error = world.call().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TryLater, "{error:?}");
    let sent = world.count(CREATE);
    tokio::time::sleep(pace().sign_in_pause + Duration::from_millis(100)).await;
    assert_eq!(world.call().await.unwrap_err().kind(), ErrorKind::TryLater);
    assert_eq!(world.count(CREATE), sent, "the server asked for a longer wait than the pause");
    world.stub.replace(CREATE, session("a1", ""));
    world.works();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    world.call().await.unwrap();
    assert_eq!(world.count(CREATE), sent + 1);
}

#[tokio::test]
async fn x14_a_problem_of_the_account_is_neither_the_end_nor_a_reason_to_sign_in_again() {
    for (name, problem) in
        [("AccountTakedown", AccountProblem::TakenDown), ("AccountDeactivated", AccountProblem::Deactivated)]
    {
        let world = World::new().await;
        world.stub.answer(REFRESH, named(401, name));
        for _ in 0..3 {
            let error = world.call().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::AccountUnavailable, "{error:?}");
            assert_eq!(error.account_problem(), Some(problem));
            assert!(!error.to_string().contains("sign in"), "{error}");
        }
        assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 1));
        // At the call itself, nothing is refreshed.
        world.stub.replace(GET, named(401, name));
        assert_eq!(world.call().await.unwrap_err().kind(), ErrorKind::AccountUnavailable);
        assert_eq!(world.count(REFRESH), 1);
    }
}

#[tokio::test]
async fn x14_a_problem_of_the_account_at_the_next_sign_in_is_remembered_as_such() {
    let world = World::new().await;
    world.stub.answer(REFRESH, named(400, "ExpiredToken"));
    world.stub.replace(CREATE, named(401, "AccountTakedown"));
    let other = resume(&world.stub, &world.store, pace()).await;
    for client in [&world.client, &other, &world.client] {
        let error = call(client).await.unwrap_err();
        assert_eq!(error.account_problem(), Some(AccountProblem::TakenDown), "{error:?}");
    }
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 2));
}

#[tokio::test]
async fn x14_what_the_server_says_about_the_account_is_offered_and_kept_up_to_date() {
    let stub = Stub::start().await.unwrap();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let more = r#", "handle": "alice.example", "email": "a@b.example", "emailConfirmed": false, "active": false,
        "status": "deactivated", "didDoc": {"id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#;
    stub.answer(CREATE, session("a0", more));
    let client = resume(&stub, &store, pace()).await;
    let account = client.account();
    assert_eq!((account.active, account.status), (Some(false), Some(AccountStatus::Deactivated)));
    assert_eq!((account.email.as_deref(), account.email_confirmed), (Some("a@b.example"), Some(false)));
    assert!(account.did_document.is_some());
    // Also by a client that resumes the session.
    let resumed = resume(&stub, &store, pace()).await;
    assert_eq!(resumed.account().email.as_deref(), Some("a@b.example"));
    stub.answer(REFRESH, session("a1", r#", "active": true, "emailConfirmed": true"#));
    stub.answer(GET, named(400, "ExpiredToken"));
    stub.answer(GET, Answer::json(format!(r#"{{"did": "{DID}", "handle": "alice.example"}}"#)));
    call(&client).await.unwrap();
    let account = client.account();
    assert_eq!((account.active, account.status, account.email_confirmed), (Some(true), None, Some(true)));
    assert_eq!(account.email.as_deref(), Some("a@b.example"), "what was not said remains");
    assert_eq!(stub.received_at(CREATE).len(), 1);
}

#[tokio::test]
async fn x11_processes_share_one_refresh_and_one_sign_in() {
    let world = World::new().await;
    let other = resume(&world.stub, &world.store, pace()).await;
    world.stub.answer(REFRESH, named(400, "ExpiredToken").delay(Duration::from_millis(200)));
    world.stub.replace(CREATE, session("a1", ""));
    join_all((0..20).map(|n| call(if n % 2 == 0 { &world.client } else { &other }))).await;
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 2));
}

#[tokio::test]
async fn x11_without_a_store_the_password_is_not_kept() {
    let world = World::new().await;
    let builder = PasswordClient::builder(world.stub.url()).pace(pace());
    let client = builder.sign_in("alice.example", "secret").await.unwrap();
    let created = world.count(CREATE);
    world.stub.answer(REFRESH, named(400, "ExpiredToken"));
    for _ in 0..3 {
        assert_eq!(call(&client).await.unwrap_err().kind(), ErrorKind::SignInAgain);
    }
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, created));
}

#[tokio::test]
async fn x11_an_expired_token_in_the_input_costs_one_refresh_and_is_told() {
    use crate::api::com::atproto::server::confirm_email;
    let world = World::new().await;
    let path = "/xrpc/com.atproto.server.confirmEmail";
    world.stub.answer(path, named(400, "ExpiredToken"));
    world.stub.answer(REFRESH, session("a1", ""));
    let input = || confirm_email::Input::new("a@b.example", "code");
    let error = world.client.com_atproto_server().confirm_email(input()).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(confirm_email::Error::ExpiredToken));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(world.count(REFRESH), 1);
    world.works();
    world.call().await.unwrap();
}

#[tokio::test]
async fn x11_a_server_that_rejects_its_own_tokens_is_not_asked_for_more_of_them() {
    let world = World::new().await;
    for n in 1..20 {
        world.stub.answer(REFRESH, session(&format!("a{n}"), ""));
    }
    for _ in 0..10 {
        let error = world.call().await.unwrap_err();
        assert!(matches!(cause(&error), SessionError::FreshTokenRejected { .. }), "{error:?}");
    }
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 1));
    world.works();
    world.call().await.unwrap();
}

#[tokio::test]
async fn x11_signing_out_ends_the_session_for_all_clones_and_can_be_repeated() {
    let world = World::new().await;
    world.works();
    let clone = world.client.clone();
    call(&clone).await.unwrap();
    world.stub.answer(DELETE, Answer::status(503));
    let error = world.client.sign_out().await.unwrap_err();
    assert!(matches!(error, PasswordError::SignOut { status: 503 }), "{error:?}");
    assert!(world.store.list("").await.unwrap().is_empty());
    assert_eq!(call(&clone).await.unwrap_err().kind(), ErrorKind::SignInAgain);
    world.stub.replace(DELETE, Answer::status(200));
    clone.sign_out().await.unwrap();
    let sent = world.stub.received_at(DELETE);
    assert_eq!(sent.last().unwrap().header("authorization"), Some("Bearer r-a0"));
    assert_eq!((world.count(REFRESH), world.count(CREATE)), (0, 1));
}

/// A store that nothing can be written to.
struct ReadOnly(MemoryStore);

impl Store for ReadOnly {
    passed_on!(0: get, delete, list, lock);

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: Option<i64>,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async { Err(StoreError::backend(std::io::Error::other("disk full"))) })
    }
}

#[tokio::test]
async fn x11_a_session_that_cannot_be_stored_is_revoked() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, session("a0", ""));
    stub.answer(DELETE, Answer::status(200));
    let builder = PasswordClient::builder(stub.url()).store(ReadOnly(MemoryStore::new()));
    let error = builder.sign_in("alice.example", "secret").await.unwrap_err();
    assert!(matches!(error, PasswordError::Store(_)), "{error:?}");
    let revoked = stub.received_at(DELETE);
    assert_eq!(revoked[0].header("authorization"), Some("Bearer r-a0"));
}

#[tokio::test]
async fn x11_a_session_of_an_earlier_version_goes_on() {
    let world = World::new().await;
    let key = world.store.list("password/").await.unwrap().remove(0);
    let row = format!(r#"{{"v":1,"did":"{DID}","handle":null,"accessJwt":"old","refreshJwt":"r-old"}}"#);
    world.store.put(&key, row.as_bytes(), None, Expected::Any).await.unwrap();
    let resumed = resume(&world.stub, &world.store, pace()).await;
    world.stub.answer(REFRESH, session("a1", ""));
    let _ = call(&resumed).await;
    let sent = world.stub.received_at(REFRESH);
    assert_eq!(sent[0].header("authorization"), Some("Bearer r-old"));
    assert_eq!(world.count(CREATE), 1);
    // A session of a newer version is not overwritten.
    world.store.put(&key, br#"{"v":2}"#, None, Expected::Any).await.unwrap();
    let builder = PasswordClient::builder(world.stub.url()).shared_store(Arc::clone(&world.store));
    let outcome = builder.resume_or_sign_in("alice.example", "secret").await;
    assert!(matches!(outcome, Err(PasswordError::Store(_))), "{outcome:?}");
    assert_eq!(world.count(CREATE), 1);
}

#[tokio::test]
async fn a_session_of_another_account_in_the_same_place_is_not_used() {
    let world = World::new().await;
    world.works();
    world.call().await.unwrap();
    // The name was given to another account, whose owner has signed in.
    let key = world.store.list("password/").await.unwrap().remove(0);
    let row = r#"{"v":1,"did":"did:web:b.example","handle":null,"accessJwt":"b","refreshJwt":"r-b"}"#;
    world.store.put(&key, row.as_bytes(), None, Expected::Any).await.unwrap();
    tokio::time::sleep(limits::SESSION_RECHECK + Duration::from_millis(100)).await;
    let calls = world.count(GET);
    let error = world.call().await.unwrap_err();
    assert!(matches!(cause(&error), SessionError::Store(_)), "{error:?}");
    assert_eq!(world.count(GET), calls);
}

#[tokio::test]
async fn x11_a_token_that_is_not_valid_any_more_is_refreshed_or_leads_to_a_new_sign_in() {
    for status in [400, 401] {
        let world = World::new().await;
        world.stub.replace(GET, named(status, "InvalidToken"));
        world.stub.answer(REFRESH, named(status, "InvalidToken"));
        world.stub.replace(CREATE, session("a1", ""));
        let _ = world.call().await;
        assert_eq!((world.count(REFRESH), world.count(CREATE)), (1, 2), "{status}");
        world.works();
        world.call().await.unwrap();
        // A server that always says so is not asked again and again.
        tokio::time::sleep(pace().fresh_token_pause * 2).await;
        world.stub.replace(GET, named(status, "InvalidToken"));
        world.stub.replace(REFRESH, session("a2", ""));
        for _ in 0..5 {
            world.call().await.unwrap_err();
        }
        assert_eq!((world.count(REFRESH), world.count(CREATE)), (2, 2), "{status}");
    }
}

#[tokio::test]
async fn x11_a_token_in_the_input_that_is_not_valid_costs_no_refresh() {
    use crate::api::com::atproto::server::confirm_email;
    let world = World::new().await;
    world.stub.answer("/xrpc/com.atproto.server.confirmEmail", named(400, "InvalidToken"));
    let input = confirm_email::Input::new("a@b.example", "code");
    let error = world.client.com_atproto_server().confirm_email(input).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(confirm_email::Error::InvalidToken));
    assert_eq!(world.count(REFRESH), 0);
}

#[tokio::test]
async fn x11_a_new_session_that_is_not_kept_is_revoked() {
    let world = World::new().await;
    world.stub.answer(REFRESH, named(400, "ExpiredToken"));
    world.stub.replace(CREATE, session("a1", "").delay(Duration::from_millis(300)));
    world.stub.answer(DELETE, Answer::status(200));
    let other = async {
        while world.count(CREATE) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let key = world.store.list("password/").await.unwrap().remove(0);
        let row = format!(r#"{{"v":1,"did":"{DID}","handle":null,"accessJwt":"b","refreshJwt":"r-b"}}"#);
        world.store.put(&key, row.as_bytes(), None, Expected::Any).await.unwrap();
        world.works();
    };
    let (outcome, ()) = futures_util::future::join(world.call(), other).await;
    outcome.unwrap();
    assert_eq!(world.stub.received_at(DELETE)[0].header("authorization"), Some("Bearer r-a1"));
    let calls = world.stub.received_at(GET);
    assert_eq!(calls.last().unwrap().header("authorization"), Some("Bearer b"));
}

/// A store in which removals are executed, and then return an error.
struct DeletesWithoutAnswer(MemoryStore);

impl Store for DeletesWithoutAnswer {
    passed_on!(0: get, put, list, lock);

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            self.0.delete(key, expected).await?;
            Err(StoreError::backend(std::io::Error::other("connection reset")))
        })
    }
}

#[tokio::test]
async fn x11_a_session_that_was_removed_although_the_store_says_otherwise_is_revoked() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, session("a0", ""));
    stub.answer(DELETE, Answer::status(200));
    let store: Arc<dyn Store> = Arc::new(DeletesWithoutAnswer(MemoryStore::new()));
    let client = resume(&stub, &store, pace()).await;
    client.sign_out().await.unwrap();
    assert!(store.list("").await.unwrap().is_empty());
    assert_eq!(stub.received_at(DELETE)[0].header("authorization"), Some("Bearer r-a0"));
}

#[tokio::test]
async fn x11_processes_that_live_for_less_than_the_grace_get_through_it_together() {
    let world = World::new().await;
    let slower = || Pace { doubt_grace: Duration::from_millis(1500), ..pace() };
    world.stub.answer(REFRESH, session("a1", ""));
    let key = world.store.list("password/").await.unwrap().remove(0);
    let entry = world.store.get(&key).await.unwrap().unwrap();
    let mut row: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
    row["refresh_doubt"] = serde_json::json!({"by": "somebody", "since": 0});
    world.store.put(&key, row.to_string().as_bytes(), None, Expected::Any).await.unwrap();
    let mut lived = 0;
    while world.count(REFRESH) == 0 {
        lived += 1;
        assert!(lived < 20, "they never get through");
        let (origin, store) = (world.stub.url(), Arc::clone(&world.store));
        let process = tokio::task::spawn_blocking(move || {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(async move {
                let builder = PasswordClient::builder(origin).shared_store(store).pace(slower());
                let client = builder.resume_or_sign_in("alice.example", "secret").await.unwrap();
                let _ = tokio::time::timeout(slower().doubt_grace * 2 / 3, call(&client)).await;
            });
            runtime.shutdown_timeout(Duration::from_secs(5));
        });
        process.await.unwrap();
    }
    assert!(lived > 1, "one process is not enough");
    assert_eq!(world.count(CREATE), 1);
}

/// A store with one lock, which ends when the test says so.
struct Leased(MemoryStore, Mutex<Option<Lease>>);

struct NotRenewed;

impl RenewLease for NotRenewed {
    fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Leased {
    fn end(&self) {
        if let Some(lease) = &*self.1.lock().unwrap() {
            lease.end();
        }
    }
}

impl Store for Leased {
    passed_on!(0: get, put, delete, list);

    fn lock<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async {
            let lease = Lease::new();
            lease.request().granted(Duration::from_secs(60));
            *self.1.lock().unwrap() = Some(lease.clone());
            Ok(StoreLock::leased(lease, NotRenewed))
        })
    }
}

#[tokio::test]
async fn x11_without_the_lock_the_client_does_not_sign_in_again() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, session("a0", ""));
    stub.answer(GET, named(400, "ExpiredToken"));
    stub.answer(REFRESH, named(400, "ExpiredToken").delay(Duration::from_millis(300)));
    let leased = Arc::new(Leased(MemoryStore::new(), Mutex::default()));
    let store: Arc<dyn Store> = leased.clone();
    let client = resume(&stub, &store, pace()).await;
    let ending = async {
        while stub.received_at(REFRESH).is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        leased.end();
    };
    let (outcome, ()) = futures_util::future::join(call(&client), ending).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), stub.received_at(CREATE).len()), (ErrorKind::TryLater, 1), "{error:?}");
    assert_eq!(store.list("").await.unwrap().len(), 1);
}

#[tokio::test]
async fn signing_out_does_not_remove_the_session_of_another_account_in_the_same_place() {
    let world = World::new().await;
    world.works();
    world.call().await.unwrap();
    world.stub.answer(DELETE, Answer::status(200));
    let key = world.store.list("password/").await.unwrap().remove(0);
    let row = r#"{"v":1,"did":"did:web:b.example","handle":null,"accessJwt":"b","refreshJwt":"r-b"}"#;
    world.store.put(&key, row.as_bytes(), None, Expected::Any).await.unwrap();
    world.client.sign_out().await.unwrap();
    assert!(world.store.get(&key).await.unwrap().is_some());
    let revoked = world.stub.received_at(DELETE);
    assert_eq!((revoked.len(), revoked[0].header("authorization")), (1, Some("Bearer r-a0")));
}

#[tokio::test]
async fn the_settings_for_calls_are_those_of_the_sign_in_too() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, session("a0", &format!(r#", "long": "{}""#, "x".repeat(2000))));
    stub.answer(GET, Answer::json(format!(r#"{{"did": "{DID}", "handle": "alice.example"}}"#)));
    let builder =
        |settings: CallSettings| PasswordClient::builder(stub.url()).call_settings(settings).pace(pace());
    let small = CallSettings::new().max_response_size(1000);
    let error = builder(small).sign_in("alice.example", "secret").await.unwrap_err();
    let PasswordError::SignIn(error) = error else { panic!("{error:?}") };
    assert!(matches!(*error, Error::Decode(DecodeError::TooLarge { limit: 1000, .. })), "{error:?}");

    // A budget is for the calls that follow.
    let paced = Arc::new(AtomicUsize::new(0));
    let settings = CallSettings::new().pacing(Counted(Arc::clone(&paced))).timeout(Duration::from_secs(7));
    let client = builder(settings).sign_in("alice.example", "secret").await.unwrap();
    assert_eq!(paced.load(Ordering::SeqCst), 0);
    call(&client).await.unwrap();
    assert_eq!(paced.load(Ordering::SeqCst), 1);
    assert_eq!(
        client.settings().time_limit(&RequestBody::Empty, &http::HeaderMap::new()),
        Duration::from_secs(7)
    );
    // Without settings, everything is as before.
    let client = PasswordClient::sign_in(&stub.url(), "alice.example", "secret").await.unwrap();
    assert_eq!(
        client.settings().time_limit(&RequestBody::Empty, &http::HeaderMap::new()),
        limits::PLAIN_CALL
    );
}

/// Counts the calls that wait for it.
struct Counted(Arc<AtomicUsize>);

impl Pacing for Counted {
    fn turn<'a>(&'a self, _: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(Turn::free()) })
    }
}

#[tokio::test]
async fn a_session_is_stored_for_as_long_as_was_said_also_after_a_refresh() {
    let day = 24 * 3600;
    for (lifetime, days) in [(None, 91), (Some(Duration::from_secs(7 * 24 * 3600)), 8)] {
        let stub = Stub::start().await.unwrap();
        stub.answer(CREATE, session("a0", ""));
        stub.answer(GET, named(400, "ExpiredToken"));
        stub.answer(REFRESH, session("a1", ""));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let builder = PasswordClient::builder(stub.url()).shared_store(Arc::clone(&store)).pace(pace());
        let builder = match lifetime {
            Some(lifetime) => builder.session_lifetime(lifetime),
            None => builder,
        };
        let client = builder.resume_or_sign_in("alice.example", "secret").await.unwrap();
        let key = store.list("password/").await.unwrap().remove(0);
        let left = async || {
            let entry = store.get(&key).await.unwrap().unwrap();
            (entry.version, entry.expires_at.unwrap() - crate::clock::unix_now())
        };
        let (signed_in, end) = left().await;
        assert!((days * day - 60..=days * day).contains(&end), "{end}");
        let _ = call(&client).await;
        let (refreshed, end) = left().await;
        assert_ne!(refreshed, signed_in);
        assert!((days * day - 60..=days * day).contains(&end), "{end}");
    }
}
