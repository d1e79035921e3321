//! Sessions against a server that checks every proof and counts.
#![allow(clippy::unwrap_used)]

mod doubt;
mod errors;
mod flaky;
mod locks;
mod lost_answers;
mod scopes;
mod stores;
mod stub;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;

use crate::{
    clock::unix_now,
    identity::Resolver,
    oauth::{
        OAuthClient, SessionError, SessionId,
        app::Client,
        session::{AppContext, AppSettings, Events, SessionRecord, SessionServers},
        wire::{DpopKey, TokenResponse},
    },
    session::{Pace, Removed},
    store::{Expected, MemoryStore, Store},
    types::Did,
    xrpc::{
        ByteStream, Kind, ReauthenticateReason, Request, RequestBody, Transport, TransportError,
        TransportResponse,
    },
};
use flaky::{Control, Flaky};
use stub::{Answer, DID, Stub};

/// Everything happens sooner than outside of tests.
fn pace() -> Pace {
    Pace {
        store_again: Duration::from_millis(100),
        doubt_poll: Duration::from_millis(50),
        doubt_grace: Duration::from_millis(1500),
        fresh_token_pause: Duration::from_millis(700),
        ..Pace::default()
    }
}

struct World {
    stub: Stub,
    store: Arc<dyn Store>,
    shared: Arc<AppContext>,
    client: OAuthClient,
    control: Arc<Control>,
}

fn shared(store: &Arc<dyn Store>) -> Arc<AppContext> {
    shared_with(store, Events::new(Vec::new()))
}

fn shared_with(store: &Arc<dyn Store>, events: Events) -> Arc<AppContext> {
    let http = || crate::http_client::builder().no_proxy();
    let client = Client { client_id: "https://other.example/client.json".into(), keyset: None };
    let settings = AppSettings { pace: pace(), ..AppSettings::default() };
    let resolver = Arc::new(Resolver::builder().build().unwrap());
    AppContext::new(http, Arc::clone(store), client, resolver, events, settings).unwrap()
}

impl World {
    /// A session whose token expires in this many seconds.
    async fn new(expires_in: i64) -> Self {
        let stub = Stub::start(300).await;
        let control = Arc::new(Control::default());
        let store: Arc<dyn Store> =
            Arc::new(Flaky { inner: MemoryStore::new(), control: Arc::clone(&control) });
        let shared = shared(&store);
        let body = format!(
            r#"{{"access_token":"a0","refresh_token":"r0","token_type":"DPoP","scope":"atproto","sub":"{DID}","expires_in":300}}"#
        );
        let servers = SessionServers {
            issuer: stub.origin.clone(),
            token_endpoint: format!("{}/token", stub.origin),
            revocation_endpoint: Some(format!("{}/revoke", stub.origin)),
            pds: stub.origin.clone(),
            client_id: "http://localhost".into(),
            client_key_id: None,
        };
        let tokens = TokenResponse::parse(body.as_bytes()).unwrap();
        let id = SessionId::generate(Did::new(DID).unwrap()).unwrap();
        let mut session = SessionRecord::new(id.clone(), servers, &DpopKey::generate().unwrap(), &tokens);
        session.expires_at = unix_now() + expires_in;
        session.refreshed_at = session.expires_at - 300;
        shared.sessions.put(&session.id, &session, Expected::Absent).await.unwrap();
        let client = OAuthClient::new(&shared, &id);
        Self { stub, store, shared, client, control }
    }

    async fn stored(&self) -> Option<SessionRecord> {
        self.shared.sessions.get(self.client.session_id()).await.unwrap()
    }

    /// Makes writes fail after this many, or never.
    fn puts_left(&self, count: impl Into<Option<i32>>) {
        self.control.puts_left.store(count.into().unwrap_or(-1), Ordering::SeqCst);
    }

    /// Another process with the same store.
    fn other_process(&self) -> OAuthClient {
        OAuthClient::new(&shared(&self.store), self.client.session_id())
    }

    fn refreshes(&self) -> u32 {
        self.stub.with(|s| s.refreshes)
    }

    fn calls(&self) -> Vec<String> {
        self.stub.with(|s| s.calls.clone())
    }
}

fn request(kind: Kind, body: RequestBody) -> Request {
    Request::new(kind, "a.b.c").with_query("x=1").with_body(body)
}

async fn get(client: &OAuthClient) -> Result<TransportResponse, TransportError> {
    client.send(request(Kind::Query, RequestBody::Empty)).await
}

async fn ok(client: &OAuthClient) {
    let mut response = get(client).await.unwrap();
    assert_eq!(response.status, 200);
    let mut body = Vec::new();
    while let Some(piece) = response.body.next().await {
        body.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(body, b"{}");
}

fn reason(error: TransportError) -> ReauthenticateReason {
    match error {
        TransportError::Reauthenticate(ended) => ended.reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_a_thousand_calls_on_an_expired_session_make_one_refresh() {
    let world = World::new(-10).await;
    join_all((0..1000).map(|_| ok(&world.client))).await;
    assert_eq!((world.refreshes(), world.calls().len()), (1, 1000));
    assert_eq!(world.stored().await.unwrap().access_token, "a1");
}

#[tokio::test(flavor = "multi_thread")]
async fn o25_two_processes_make_one_refresh() {
    let world = World::new(-10).await;
    let other = world.other_process();
    join_all((0..100).map(|n| ok(if n % 2 == 0 { &world.client } else { &other }))).await;
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn five_minute_tokens_are_not_refreshed_on_every_call() {
    let world = World::new(299).await;
    for _ in 0..5 {
        ok(&world.client).await;
    }
    assert_eq!(world.refreshes(), 0);
    // Within the margin, which is a tenth of the lifetime.
    let world = World::new(10).await;
    for _ in 0..5 {
        ok(&world.client).await;
    }
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_repeat_carries_the_new_one() {
    let world = World::new(250).await;
    ok(&world.client).await;
    // Another process refreshes: the server revokes the old token, and the store contains the new one.
    let other = world.other_process();
    other.refresh().await.unwrap();
    ok(&world.client).await;
    assert_eq!(world.refreshes(), 1, "the store had the new token");
    // The server revokes an access token before it expires. The stub compares the header with `ath`.
    let mut session = world.stored().await.unwrap();
    session.access_token = "revoked".into();
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let body = RequestBody::Bytes(Bytes::from_static(b"12345"));
    let response = world.client.send(request(Kind::Procedure, body)).await.unwrap();
    assert_eq!((response.status.as_u16(), world.refreshes()), (200, 2));
    assert_eq!(world.calls().last().unwrap(), "POST a.b.c 5");
}

#[tokio::test]
async fn a_dropped_caller_does_not_cancel_the_refresh() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Slow]);
    let dropped = tokio::time::timeout(Duration::from_millis(150), get(&world.client)).await;
    assert!(dropped.is_err());
    ok(&world.client).await;
    assert_eq!((world.refreshes(), world.stored().await.unwrap().access_token.as_str()), (1, "a1"));
}

#[tokio::test]
async fn lost_answer_and_nothing_rotated_is_refreshed_again() {
    for answer in [Answer::Close, Answer::Error500, Answer::Html, Answer::Page] {
        for expires_in in [200, -10] {
            let world = World::new(expires_in).await;
            world.stub.answer(&[answer]);
            world.client.refresh().await.unwrap();
            assert_eq!(world.refreshes(), 2, "{answer:?}");
            let probes = usize::from(expires_in > 0);
            assert_eq!(world.calls().len(), probes, "the old token is asked with only while it is good");
            ok(&world.client).await;
        }
    }
}

#[tokio::test]
async fn lost_answer_and_rotated_tokens_end_the_session_with_that_reason() {
    for expires_in in [200, -10] {
        let world = World::new(expires_in).await;
        world.stub.answer(&[Answer::CloseRotated]);
        let Err(SessionError::Reauthenticate(ended)) = world.client.refresh().await else { panic!() };
        assert_eq!(ended.reason, ReauthenticateReason::LostRefresh);
        assert!(ended.detail.unwrap().contains("failed during the exchange"));
        assert_eq!(world.refreshes(), 2, "the token is tried once more before the session ends");
        assert!(world.stored().await.is_none());
        assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::LostRefresh);
    }
}

#[tokio::test]
async fn an_unclear_outcome_is_remembered_and_not_blindly_repeated() {
    let world = World::new(200).await;
    world.stub.with(|s| s.probe_fails = true);
    world.stub.answer(&[Answer::CloseRotated]);
    let error = world.client.refresh().await.unwrap_err();
    assert!(matches!(error, SessionError::Unavailable { in_doubt: true, .. }), "{error:?}");
    assert!(world.stored().await.unwrap().refresh_in_doubt);
    // Another process sees this as well, and reconciles before it refreshes.
    world.stub.with(|s| s.probe_fails = false);
    let other = world.other_process();
    let Err(SessionError::Reauthenticate(ended)) = other.refresh().await else { panic!() };
    assert_eq!((ended.reason, world.refreshes()), (ReauthenticateReason::LostRefresh, 2));
}

#[tokio::test]
async fn the_loser_of_two_refreshes_takes_the_winners_tokens() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Error500]);
    let (sessions, id) = (Arc::clone(&world.shared), world.client.session_id().clone());
    let stub = world.stub.clone();
    let winner = tokio::spawn(async move {
        stub.has_refreshed().await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        stub.with(|s| s.generation = 7);
        let mut session = sessions.sessions.get(&id).await.unwrap().unwrap();
        (session.access_token, session.refresh_token) = ("a7".into(), Some("r7".into()));
        session.expires_at = unix_now() + 300;
        session.refreshed_at = unix_now();
        sessions.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    });
    ok(&world.client).await;
    winner.await.unwrap();
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn o26_tokens_of_another_account_end_the_session_and_are_revoked() {
    for answer in [Answer::OtherSub, Answer::Bearer] {
        let world = World::new(-10).await;
        world.stub.answer(&[answer]);
        assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::InvalidRefresh);
        assert!(world.stored().await.is_none() && world.calls().is_empty());
        assert_eq!(world.stub.with(|s| s.revoked.clone()), ["r1"], "{answer:?}");
    }
}

#[tokio::test]
async fn o36_a_missing_nonce_does_not_cost_a_session_whose_tokens_were_rotated() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::NoNonce]);
    ok(&world.client).await;
    assert_eq!(world.stored().await.unwrap().access_token, "a1");
    assert!(world.stub.with(|s| s.revoked.is_empty()));
}

#[tokio::test]
async fn o28_invalid_grant_ends_the_session_for_everybody_the_same_way() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::InvalidGrant]);
    let outcomes = join_all((0..50).map(|_| get(&world.client))).await;
    for outcome in outcomes {
        assert_eq!(reason(outcome.unwrap_err()), ReauthenticateReason::Revoked);
    }
    assert!(world.stored().await.is_none());
    assert_eq!(world.refreshes(), 1);
}

#[tokio::test]
async fn o28_invalid_grant_with_newer_tokens_in_the_store_uses_them() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Slow]);
    // A process that ignores the lock writes while the request is in progress, which is then rejected.
    world.stub.with(|s| s.generation = 3);
    let (id, writer) = (world.client.session_id().clone(), Arc::clone(&world.shared));
    let stub = world.stub.clone();
    let other = tokio::spawn(async move {
        while stub.with(|s| s.requests) == 0 {
            tokio::task::yield_now().await;
        }
        let mut session = writer.sessions.get(&id).await.unwrap().unwrap();
        (session.access_token, session.refresh_token) = ("a3".into(), Some("r3".into()));
        session.expires_at = unix_now() + 300;
        session.refreshed_at = unix_now();
        writer.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    });
    ok(&world.client).await;
    other.await.unwrap();
    assert_eq!(world.stored().await.unwrap().access_token, "a3");
}

#[tokio::test]
async fn o33_o34_nonces_are_followed_at_both_servers() {
    let world = World::new(250).await;
    world.stub.with(|s| s.rotate = true);
    for _ in 0..3 {
        ok(&world.client).await;
    }
    assert_eq!(world.stub.with(|s| s.requests), 4, "one refused proof at first, none afterwards");
    world.stub.with(|s| s.nonce += 10);
    let body = RequestBody::Bytes(Bytes::from_static(b"123"));
    assert_eq!(world.client.send(request(Kind::Procedure, body)).await.unwrap().status, 200);
    assert_eq!(world.calls().last().unwrap(), "POST a.b.c 3");
    world.stub.with(|s| s.nonce += 10);
    world.client.refresh().await.unwrap();
    assert_eq!(world.refreshes(), 1);
    // A new client does not start with an empty cache.
    let again = OAuthClient::new(&world.shared, world.client.session_id());
    let before = world.stub.with(|s| s.requests);
    ok(&again).await;
    assert_eq!(world.stub.with(|s| s.requests), before + 1);
}

#[tokio::test]
async fn o35_a_wrong_clock_is_corrected_by_the_servers() {
    for clock in [600, -600] {
        let world = World::new(250).await;
        world.stub.with(|s| s.clock = clock);
        ok(&world.client).await;
        world.client.refresh().await.unwrap();
        ok(&world.client).await;
        assert_eq!(world.refreshes(), 1);
    }
}

#[tokio::test]
async fn a_stream_is_sent_once_with_everything_fresh() {
    let world = World::new(-10).await;
    let stream = futures_util::stream::iter([Ok(Bytes::from_static(b"abc")), Ok(Bytes::from_static(b"def"))]);
    // The refresh returns a nonce for its origin, which here is that of the PDS: remove it.
    ok(&world.client).await;
    world.shared.nonces.forget(world.client.session_id());
    let again = world.other_process();
    let response = again.send(request(Kind::Procedure, RequestBody::Stream(ByteStream::new(stream)))).await;
    assert_eq!(response.unwrap().status, 200);
    let calls = world.calls();
    assert_eq!(calls[1], "GET com.atproto.server.getSession 0");
    assert!(calls[2].starts_with("POST a.b.c") && calls.len() == 3, "{calls:?}");
}

#[tokio::test]
async fn a_network_error_is_not_the_end_of_the_session() {
    for expires_in in [-10, 10] {
        let world = World::new(expires_in).await;
        let mut session = world.stored().await.unwrap();
        session.token_endpoint = "http://127.0.0.1:1/token".into();
        world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
        let outcome = get(&world.client).await;
        if expires_in > 0 {
            assert_eq!(outcome.unwrap().status, 200, "the token is good for ten seconds more");
        } else {
            assert!(matches!(outcome, Err(TransportError::Session { .. })));
        }
        assert!(world.stored().await.is_some());
    }
}

#[tokio::test]
async fn a_signed_out_session_stays_signed_out() {
    let world = World::new(250).await;
    ok(&world.client).await;
    let other = world.other_process();
    ok(&other).await;
    let removed = world.shared.remove(world.client.session_id()).await.unwrap();
    assert!(matches!(removed, Removed::Session(_)));
    assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::NotFound);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(reason(get(&other).await.unwrap_err()), ReauthenticateReason::NotFound);
    assert!(world.stored().await.is_none());
}

#[tokio::test]
async fn signing_out_during_a_refresh_is_not_undone_by_it() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Slow]);
    let call = get(&world.client);
    let out = async {
        world.stub.has_refreshed().await;
        // Like a process that ignores the lock.
        world.store.delete(&world.client.session_id().store_key(), Expected::Any).await.unwrap();
    };
    let (outcome, ()) = futures_util::future::join(call, out).await;
    assert_eq!(reason(outcome.unwrap_err()), ReauthenticateReason::NotFound);
    assert!(world.stored().await.is_none());
}

#[tokio::test]
async fn a_refresh_killed_with_its_runtime_does_not_block_later_calls() {
    let world = World::new(-10).await;
    world.stub.answer(&[Answer::Slow]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let client = world.client.clone();
    runtime.spawn(async move { get(&client).await });
    world.stub.has_refreshed().await;
    runtime.shutdown_background();
    let outcome = tokio::time::timeout(Duration::from_secs(10), get(&world.client)).await.unwrap();
    // The new tokens were lost with the runtime.
    assert_eq!(reason(outcome.unwrap_err()), ReauthenticateReason::LostRefresh);
}

#[tokio::test]
async fn credentials_do_not_follow_redirects() {
    let world = World::new(250).await;
    world.stub.with(|s| s.redirects = true);
    let response = get(&world.client).await.unwrap();
    assert_eq!((response.status.as_u16(), world.calls().len()), (302, 1));
}

#[tokio::test]
async fn tables_do_not_grow() {
    let world = World::new(250).await;
    ok(&world.client).await;
    assert_eq!(world.shared.active_count(), 1);
    drop(world.client);
    for n in 0..10 {
        let did = Did::new(DID).unwrap();
        let client = OAuthClient::new(&world.shared, &SessionId::generate(did).unwrap());
        assert_eq!(reason(get(&client).await.unwrap_err()), ReauthenticateReason::NotFound, "{n}");
    }
    assert_eq!(world.shared.active_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_task_of_a_refresh_holds_nothing_once_its_outcome_is_heard() {
    for _ in 0..50 {
        let world = World::new(-10).await;
        world.stub.answer(&[Answer::InvalidGrant]);
        assert_eq!(reason(get(&world.client).await.unwrap_err()), ReauthenticateReason::Revoked);
        drop(world.client);
        assert_eq!(world.shared.active_count(), 0);
    }
}

#[tokio::test]
async fn nothing_shown_holds_a_token() {
    let world = World::new(250).await;
    let info = world.client.session_info().await.unwrap();
    assert_eq!((info.scopes.as_slice(), info.can_refresh), (["atproto".to_owned()].as_slice(), true));
    let text = format!("{:?} {info:?}", world.client);
    assert!(text.contains(DID) && !text.contains("\"a0\"") && !text.contains("\"r0\""), "{text}");
}

#[tokio::test]
async fn d5_a_did_that_is_not_valid_has_no_sessions() {
    let world = World::new(300).await;
    assert_eq!(world.shared.sessions.ids(&Did::new(DID).unwrap()).await.unwrap().len(), 1);
    let random = world.client.session_id().random().to_owned();
    for text in
        [String::new(), "did:plc".into(), format!("{DID}/{random}"), format!("{DID}/"), "../session".into()]
    {
        let did: Did = crate::types::from_json(format!("{text:?}")).unwrap();
        assert!(world.shared.sessions.ids(&did).await.unwrap().is_empty(), "{text}");
    }
}
