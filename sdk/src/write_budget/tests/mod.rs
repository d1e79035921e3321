//! Bulk work against a server that counts as the reference PDS does, with a clock that does not have to be waited for
//! (X13).
#![allow(clippy::unwrap_used)]

mod server;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{task::JoinSet, time::Instant};

use super::WriteBudget;
use crate::{
    api::com::atproto::repo::{ComAtprotoRepo, apply_writes, create_record, delete_record},
    store::{Entry, Expected, Hanging, MemoryStore, Store, StoreError, Version, passed_on},
    types::{Did, Nsid, RecordKey, Unknown},
    xrpc::{
        BoxFuture, ByteStream, CallSettings, Error, Pacing as _, Request, Transport, TransportError,
        TransportResponse,
    },
};
use http::StatusCode;
use server::{Client, Pds};

const ALICE: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB: &str = "did:plc:z72i7hdynmk6r22z27h6tvur";
const HOUR: Duration = Duration::from_secs(3600);

fn budget(pds: &Arc<Pds>) -> WriteBudget {
    let mut budget = WriteBudget::new();
    budget.sharing.clock = pds.clock();
    budget
}

fn shared_budget(pds: &Arc<Pds>, store: &Arc<dyn Store>) -> WriteBudget {
    shared_budget_at(pds, store, 0)
}

/// The budget of a process whose clock is ahead by so many seconds.
fn shared_budget_at(pds: &Arc<Pds>, store: &Arc<dyn Store>, ahead: i64) -> WriteBudget {
    let mut budget = WriteBudget::over(Arc::clone(store));
    let right = pds.clock();
    budget.sharing.clock = Arc::new(move || {
        let (now, apart) = (right(), Duration::from_secs(ahead.unsigned_abs()));
        if ahead < 0 { now.saturating_sub(apart) } else { now + apart }
    });
    budget
}

async fn create(client: &Client) -> Result<(), Error<create_record::Error>> {
    let collection = Nsid::new("com.example.item").unwrap();
    let input =
        create_record::Input::new(Did::new(ALICE).unwrap(), collection, Unknown::from_json("{}").unwrap());
    ComAtprotoRepo::over(client).create_record(input).await.map(drop)
}

/// Creates records in several tasks for each client until there are this many.
fn bulk(clients: &[Client], tasks: usize, left: &Arc<AtomicUsize>) -> JoinSet<()> {
    let mut set = JoinSet::new();
    for client in clients.iter().cycle().take(tasks * clients.len()) {
        let (client, left) = (client.clone(), Arc::clone(left));
        set.spawn(async move {
            while left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
                create(&client).await.unwrap();
            }
        });
    }
    set
}

async fn all(mut set: JoinSet<()>) {
    while let Some(done) = set.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn x13_ten_thousand_creates_are_never_refused() {
    for (tasks, ahead) in [(1, 0), (32, 0), (32, 7000)] {
        let (pds, begun) = (Pds::with(true, ahead), Instant::now());
        let client = Client::new(&pds, ALICE, budget(&pds));
        all(bulk(&[client], tasks, &Arc::new(AtomicUsize::new(10_000)))).await;
        assert_eq!((pds.accepted(), pds.refused()), (10_000, 0));
        // 1,666 in an hour, six hours for the last ones.
        let took = begun.elapsed();
        assert!(took > HOUR * 6 && took < HOUR * 6 + HOUR / 6, "{took:?}");
        assert!(tasks == 1 || pds.most_at_once() > 16, "{}", pds.most_at_once());
    }
}

#[tokio::test(start_paused = true)]
async fn x13_clients_that_share_a_store_share_the_budget() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (pds, begun) = (Pds::new(), Instant::now());
    let clients: Vec<Client> =
        (0..3).map(|_| Client::new(&pds, ALICE, shared_budget(&pds, &store))).collect();
    all(bulk(&clients, 8, &Arc::new(AtomicUsize::new(10_000)))).await;
    assert_eq!((pds.accepted(), pds.refused()), (10_000, 0));
    let took = begun.elapsed();
    assert!(took > HOUR * 6 && took < HOUR * 6 + HOUR / 4, "{took:?}");
    // Nothing is left of a window but what is too little to be shared.
    assert!(pds.most_at_once() > 8, "{}", pds.most_at_once());
}

#[tokio::test(start_paused = true)]
async fn x13_processes_whose_clocks_differ_share_the_budget() {
    for clocks in [[0, 600, -600], [0, 7200, 0], [0, -60, 90]] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (pds, begun) = (Pds::new(), Instant::now());
        let client = |ahead| Client::new(&pds, ALICE, shared_budget_at(&pds, &store, ahead));
        let clients: Vec<Client> = clocks.into_iter().map(client).collect();
        all(bulk(&clients, 8, &Arc::new(AtomicUsize::new(5000)))).await;
        assert_eq!((pds.accepted(), pds.refused()), (5000, 0), "{clocks:?}");
        let took = begun.elapsed();
        assert!(took > HOUR * 3 - HOUR / 60 && took < HOUR * 3 + HOUR / 4, "{clocks:?} {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn x13_a_process_that_dies_keeps_its_part_for_two_minutes_whatever_its_clock_says() {
    for ahead in [0, 600, 7200, 31_536_000, -600, -7200] {
        for others_looked_before in [false, true] {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            let pds = Pds::new();
            let client = Client::new(&pds, ALICE, shared_budget(&pds, &store));
            if others_looked_before {
                create(&client).await.unwrap();
                tokio::time::sleep(HOUR + HOUR / 10).await;
            }
            // It finds out what is left, and never comes back.
            let dead = shared_budget_at(&pds, &store, ahead);
            let asking = PacedRequest::new();
            let turn = dead.turn(asking.call()).await.unwrap();
            let begun = Instant::now();
            all(bulk(std::slice::from_ref(&client), 4, &Arc::new(AtomicUsize::new(100)))).await;
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(140), "{ahead} {others_looked_before} {took:?}");
            drop(turn);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_another_process_says_when_that_certainly_returns_its_part() {
    for ahead in [0, 600, 7200] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let pds = Pds::new();
        let dead = shared_budget_at(&pds, &store, ahead);
        let asking = PacedRequest::new();
        let _turn = dead.turn(asking.call()).await.unwrap();
        let budget = shared_budget(&pds, &store).longest_wait(Duration::from_secs(30));
        let error = create(&Client::new(&pds, ALICE, budget.clone())).await.unwrap_err();
        let Error::Transport(TransportError::BudgetSpent { wait, .. }) = error else { panic!("{error}") };
        assert!(wait > Duration::from_secs(80) && wait <= Duration::from_secs(90), "{ahead} {wait:?}");
        tokio::time::sleep(wait + Duration::from_secs(1)).await;
        create(&Client::new(&pds, ALICE, budget)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn x13_bulk_work_stops_at_once_and_goes_on_later() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let pds = Pds::new();
    let left = Arc::new(AtomicUsize::new(4000));
    for _ in 0..40 {
        let clients: Vec<Client> =
            (0..2).map(|_| Client::new(&pds, ALICE, shared_budget(&pds, &store))).collect();
        let mut work = bulk(&clients, 4, &left);
        tokio::time::sleep(Duration::from_secs(300)).await;
        // Whatever the tasks are doing, also in the middle of a call.
        work.shutdown().await;
    }
    all(bulk(&[Client::new(&pds, ALICE, shared_budget(&pds, &store))], 4, &left)).await;
    assert_eq!(pds.refused(), 0);
    // Calls that were in flight may not have been processed.
    assert!(pds.accepted() > 4000 - 40 * 8 && pds.accepted() <= 4000, "{}", pds.accepted());
}

#[tokio::test(start_paused = true)]
async fn x13_what_other_apps_take_is_noticed() {
    let pds = Pds::new();
    pds.take(ALICE, 4000);
    let client = Client::new(&pds, ALICE, budget(&pds));
    let begun = Instant::now();
    all(bulk(std::slice::from_ref(&client), 8, &Arc::new(AtomicUsize::new(333)))).await;
    assert!(begun.elapsed() < HOUR / 2 && pds.refused() == 0);
    // While nobody looks.
    tokio::time::sleep(HOUR + HOUR / 2).await;
    create(&client).await.unwrap();
    pds.take(ALICE, 4990);
    tokio::time::sleep(Duration::from_secs(90)).await;
    let begun = Instant::now();
    all(bulk(&[client], 8, &Arc::new(AtomicUsize::new(100)))).await;
    assert!(pds.refused() <= 1, "{}", pds.refused());
    assert!(begun.elapsed() > HOUR / 2, "{:?}", begun.elapsed());
    assert_eq!(pds.accepted(), 434);
}

#[tokio::test(start_paused = true)]
async fn x13_a_call_after_a_429_waits_for_the_points_and_succeeds() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    create(&client).await.unwrap();
    pds.take(ALICE, 5000);
    let begun = Instant::now();
    // Longer than the limit of a call, which is for the exchange with the server.
    create(&client).await.unwrap();
    assert_eq!(pds.refused(), 1);
    assert!(
        begun.elapsed() > HOUR - HOUR / 60 && begun.elapsed() < HOUR + HOUR / 60,
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn x13_a_day_is_not_waited_for() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    pds.take(ALICE, 4000);
    tokio::time::sleep(HOUR * 2).await;
    for _ in 0..7 {
        pds.take(ALICE, 4400);
        tokio::time::sleep(HOUR * 2).await;
    }
    // 200 points are left of the day.
    let mut done = 0;
    let error = loop {
        match create(&client).await {
            Ok(()) => done += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((done, pds.refused()), (66, 0));
    let Error::Transport(TransportError::BudgetSpent { wait, budget }) = &error else { panic!("{error}") };
    assert!(*wait > HOUR * 7 && *wait < HOUR * 9, "{wait:?}");
    assert!(budget.contains(ALICE), "{budget}");
    tokio::time::sleep(*wait).await;
    create(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_are_sent_in_the_order_in_which_they_came() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    create(&client).await.unwrap();
    pds.take(ALICE, 4990);
    create(&client).await.unwrap();
    // Four points are left of the hour: enough for one create.
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    let collection = || Nsid::new("com.example.item").unwrap();
    for n in 0..300 {
        let client = client.clone();
        waiting.spawn(async move {
            let record = Unknown::from_serde(&serde_json::json!({"n": n})).unwrap();
            let input = create_record::Input::new(Did::new(ALICE).unwrap(), collection(), record);
            ComAtprotoRepo::over(&client).create_record(input).await.map(drop)
        });
        // Each has its place before the next one comes.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // One that is given up, and a cheaper one behind all of them, for which there is still a point.
    assert!(tokio::time::timeout(Duration::from_secs(1), create(&client)).await.is_err());
    let key = RecordKey::new("self").unwrap();
    let input = delete_record::Input::new(Did::new(ALICE).unwrap(), collection(), key);
    ComAtprotoRepo::over(&client).delete_record(input).await.unwrap();
    assert!(begun.elapsed() > HOUR / 2, "it overtakes nobody: {:?}", begun.elapsed());
    while let Some(done) = waiting.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!((pds.accepted(), pds.refused()), (303, 0));
    assert_eq!(pds.sent(), (0..300).collect::<Vec<u64>>());
}

#[tokio::test(start_paused = true)]
async fn a_call_in_front_that_fails_or_is_dropped_lets_the_others_pass() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    create(&client).await.unwrap();
    pds.take(ALICE, 4993);
    create(&client).await.unwrap();
    let mut calls: Vec<_> = (0..5).map(|_| Box::pin(create(&client))).collect();
    for call in &mut calls {
        assert!(call.now_or_never().is_none());
    }
    // One point is left, and all wait behind the first one, until that and others are dropped.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let last = calls.pop().unwrap();
    drop(calls);
    let begun = Instant::now();
    last.await.unwrap();
    assert!(begun.elapsed() < HOUR + HOUR / 60, "{:?}", begun.elapsed());

    // One that does not wait for so long fails at once, wherever it stands.
    pds.take(ALICE, 4993);
    create(&client).await.unwrap();
    let long = tokio::spawn({
        let client = client.clone();
        async move { create(&client).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let begun = Instant::now();
    let collection = Nsid::new("com.example.item").unwrap();
    let input =
        create_record::Input::new(Did::new(ALICE).unwrap(), collection, Unknown::from_json("{}").unwrap());
    let error = ComAtprotoRepo::over(&client).create_record(input).timeout(Duration::from_secs(9)).await;
    assert!(matches!(error, Err(Error::Transport(TransportError::BudgetSpent { .. }))), "{error:?}");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    long.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_without_limits_is_not_paced() {
    let pds = Pds::with(false, 0);
    let begun = Instant::now();
    let client = Client::new(&pds, ALICE, budget(&pds));
    all(bulk(&[client], 50, &Arc::new(AtomicUsize::new(10_000)))).await;
    assert_eq!(pds.accepted(), 10_000);
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    assert_eq!(pds.most_at_once(), 50);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_limits_is_not_paced_over_a_store() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let pds = Pds::with(false, 0);
    let begun = Instant::now();
    let clients: Vec<Client> =
        (0..2).map(|_| Client::new(&pds, ALICE, shared_budget(&pds, &store))).collect();
    all(bulk(&clients, 20, &Arc::new(AtomicUsize::new(10_000)))).await;
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn x13_several_writes_at_once_count_one_by_one() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    let begun = Instant::now();
    let collection = || Nsid::new("com.example.item").unwrap();
    let item = || apply_writes::Create::new(collection(), Unknown::from_json("{}").unwrap());
    let writes: Vec<apply_writes::InputWritesItem> =
        (0..200).map(|_| apply_writes::InputWritesItem::Create(Box::new(item()))).collect();
    // 600 points each: eight fit into an hour.
    for _ in 0..10 {
        let input = apply_writes::Input::new(Did::new(ALICE).unwrap(), writes.clone());
        ComAtprotoRepo::over(&client).apply_writes(input).await.unwrap();
    }
    // And what is left is enough for deletes.
    let key = RecordKey::new("self").unwrap();
    for _ in 0..50 {
        let input = delete_record::Input::new(Did::new(ALICE).unwrap(), collection(), key.clone());
        ComAtprotoRepo::over(&client).delete_record(input).await.unwrap();
    }
    assert_eq!((pds.accepted(), pds.refused()), (60, 0));
    assert!(begun.elapsed() > HOUR && begun.elapsed() < HOUR + HOUR / 20, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn accounts_and_uploads_have_budgets_of_their_own() {
    let pds = Pds::new();
    let budget = budget(&pds);
    let (alice, bob) = (Client::new(&pds, ALICE, budget.clone()), Client::new(&pds, BOB, budget));
    pds.take(ALICE, 4990);
    let begun = Instant::now();
    for _ in 0..3 {
        create(&alice).await.unwrap();
        create(&bob).await.unwrap();
        ComAtprotoRepo::over(&alice).upload_blob("x").await.unwrap();
    }
    let error = tokio::time::timeout(HOUR / 2, create(&alice)).await;
    assert!(error.is_err(), "waits for the next hour");
    create(&bob).await.unwrap();
    ComAtprotoRepo::over(&alice).upload_blob("x").await.unwrap();
    assert!(begun.elapsed() < HOUR / 2 + HOUR / 60 && pds.refused() == 0);
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_a_single_call_includes_the_wait() {
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, budget(&pds));
    pds.take(ALICE, 4997);
    create(&client).await.unwrap();
    let begun = Instant::now();
    let collection = Nsid::new("com.example.item").unwrap();
    let input =
        create_record::Input::new(Did::new(ALICE).unwrap(), collection, Unknown::from_json("{}").unwrap());
    let call = ComAtprotoRepo::over(&client).create_record(input).timeout(Duration::from_secs(5));
    let error = call.await.unwrap_err();
    // Nothing was sent, and the points will not be there within the five seconds.
    let Error::Transport(TransportError::BudgetSpent { wait, .. }) = &error else { panic!("{error}") };
    assert!(*wait > HOUR - HOUR / 60 && *wait < HOUR + HOUR / 60, "{wait:?}");
    assert_eq!((error.retry_after(), begun.elapsed()), (Some(*wait), Duration::ZERO));
    assert_eq!((pds.accepted(), pds.refused()), (1, 0));
}

/// A transport that refuses every call with these headers.
struct Refusing(&'static [(&'static str, &'static str)], CallSettings, Did, AtomicUsize);

impl Transport for Refusing {
    fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        self.3.fetch_add(1, Relaxed);
        let headers = self.0.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let body = ByteStream::new(futures_util::stream::empty());
        let response = TransportResponse::new(StatusCode::TOO_MANY_REQUESTS, headers.collect(), body);
        Box::pin(async { Ok(response) })
    }
    fn settings(&self) -> &CallSettings {
        &self.1
    }
    fn account(&self) -> Option<&Did> {
        Some(&self.2)
    }
}

/// How long a call takes that is refused with these headers, and how often it is sent.
async fn refused_with(headers: &'static [(&'static str, &'static str)]) -> (Duration, usize) {
    let settings = CallSettings::new().pacing(WriteBudget::new());
    let client = Refusing(headers, settings, Did::new(ALICE).unwrap(), AtomicUsize::new(0));
    let begun = Instant::now();
    let collection = Nsid::new("com.example.item").unwrap();
    let input =
        create_record::Input::new(Did::new(ALICE).unwrap(), collection, Unknown::from_json("{}").unwrap());
    ComAtprotoRepo::over(&client).create_record(input).await.unwrap_err();
    (begun.elapsed(), client.3.load(Relaxed))
}

#[tokio::test(start_paused = true)]
async fn x13_a_429_that_says_nothing_about_points_is_followed_by_the_usual_wait() {
    let (took, sent) = refused_with(&[]).await;
    assert!(sent == 4 && took > Duration::from_secs(1), "{sent} {took:?}");
}

/// Counts what is done with a store.
#[derive(Default)]
struct Counting {
    inner: MemoryStore,
    gets: AtomicUsize,
    puts: AtomicUsize,
    /// Whether every conditional write meets another one.
    conflicts: AtomicBool,
}

impl Store for Counting {
    passed_on!(inner: delete, list, lock);

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.gets.fetch_add(1, Relaxed);
        self.inner.get(key)
    }
    fn put<'a>(
        &'a self,
        key: &'a str,
        value: &'a [u8],
        expires_at: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.puts.fetch_add(1, Relaxed);
        if self.conflicts.load(Relaxed) {
            return Box::pin(async { Err(StoreError::Conflict) });
        }
        self.inner.put(key, value, expires_at, expected)
    }
}

#[tokio::test(start_paused = true)]
async fn many_tasks_that_wait_for_others_ask_the_store_once_a_second() {
    let store = Arc::new(Counting::default());
    let pds = Pds::new();
    let shared = || shared_budget(&pds, &(Arc::clone(&store) as Arc<dyn Store>));
    // Another process is finding out, and does not come back.
    let other = shared();
    let asking = PacedRequest::new();
    let _turn = other.turn(asking.call()).await.unwrap();
    let (gets, puts) = (store.gets.load(Relaxed), store.puts.load(Relaxed));
    let work = bulk(&[Client::new(&pds, ALICE, shared())], 100, &Arc::new(AtomicUsize::new(100)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    let (gets, puts) = (store.gets.load(Relaxed) - gets, store.puts.load(Relaxed) - puts);
    assert!(gets > 30 && gets < 70 && puts == 0, "{gets} {puts}");
    all(work).await;
}

#[tokio::test(start_paused = true)]
async fn a_store_in_which_others_always_write_first_grants_nothing() {
    let store = Arc::new(Counting::default());
    store.conflicts.store(true, Relaxed);
    let pds = Pds::new();
    let budget = shared_budget(&pds, &(Arc::clone(&store) as Arc<dyn Store>));
    let work = bulk(&[Client::new(&pds, ALICE, budget)], 8, &Arc::new(AtomicUsize::new(8)));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(pds.accepted() + pds.refused(), 0, "no points are reserved");
    store.conflicts.store(false, Relaxed);
    all(work).await;
    assert_eq!((pds.accepted(), pds.refused()), (8, 0));
}

#[test]
fn what_could_not_be_told_is_told_after_the_next_call() {
    let store = Arc::new(Counting::default());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let budget = WriteBudget::over(Arc::clone(&store) as Arc<dyn Store>);
    let request = PacedRequest::new();
    let answer = || {
        let headers =
            [("ratelimit-limit", "5000"), ("ratelimit-remaining", "900"), ("ratelimit-reset", "3000")];
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let body = ByteStream::new(futures_util::stream::empty());
        TransportResponse::new(StatusCode::OK, headers.into_iter().collect(), body)
    };
    for _ in 0..3 {
        // The runtime ends before what is known has been told.
        runtime().block_on(async { budget.turn(request.call()).await.unwrap().end(Some(&answer())) });
    }
    let before = store.puts.load(Relaxed);
    runtime().block_on(async {
        budget.turn(request.call()).await.unwrap().end(Some(&answer()));
        tokio::time::sleep(crate::limits::BUDGET_POLL * 2).await;
    });
    assert!(store.puts.load(Relaxed) > before);
}

/// A call that takes three points of Alice's.
struct PacedRequest(Request, Did);

impl PacedRequest {
    fn new() -> Self {
        Self(
            Request::new(crate::xrpc::Kind::Procedure, "com.atproto.repo.createRecord"),
            Did::new(ALICE).unwrap(),
        )
    }

    fn call(&self) -> crate::xrpc::PacedCall<'_> {
        crate::xrpc::PacedCall::new(Some(&self.1), &self.0)
    }
}

/// A store that always fails.
struct Broken(Hanging);

impl Store for Broken {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async { Err(StoreError::backend(std::io::Error::other("broken"))) })
    }
    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: Option<i64>,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async { Err(StoreError::backend(std::io::Error::other("broken"))) })
    }

    passed_on!(0: delete, list, lock);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_does_not_stop_the_work() {
    let store: Arc<dyn Store> = Arc::new(Broken(Hanging));
    let pds = Pds::new();
    let client = Client::new(&pds, ALICE, shared_budget(&pds, &store));
    let begun = Instant::now();
    all(bulk(&[client], 8, &Arc::new(AtomicUsize::new(3000)))).await;
    assert_eq!((pds.accepted(), pds.refused()), (3000, 0));
    assert!(begun.elapsed() < HOUR + HOUR / 6, "{:?}", begun.elapsed());
}
