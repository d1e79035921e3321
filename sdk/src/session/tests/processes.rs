//! A model of processes that share a store, and that end, are killed or are stopped at any step of a refresh. The code that
//! refreshes runs as it is; the store, its lock and the server are those of the model. Each run chooses what goes wrong, and all
//! runs with up to [`FAULTS`] faults are tried, on a clock of their own.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};
use tracing::Span;
use zeroize::Zeroizing;

use super::{Key, did};
use crate::{
    clock::unix_now,
    limits,
    session::{
        ActiveSession, ActiveSessions, CachedSession, Doubt, Pace, Probed, ProcessId, Processed,
        RefreshFailure, Refreshed, Renewed, SessionContext, SessionError, SessionFormatError, SessionHandle,
        SessionRepository, SessionStoreError, StoredSession,
    },
    store::{Entry, Expected, Lease, LockWatch, RenewLease, Store, StoreError, StoreLock, Version},
    xrpc::{BoxFuture, ReauthenticateReason},
};

/// How many things go wrong in a run.
const FAULTS: usize = 2;
/// After this many choices of a run, nothing goes wrong any more.
const LONGEST: usize = 22;
/// How many processes that make one call may come after the first one. One waits for a lease, one for the grace, and faults
/// cost some more.
const PROCESSES: usize = 9;
/// How long a process is stopped before it sends a refresh: longer than others wait for it.
const STOPPED: Duration = Duration::from_secs(100);
/// The same in an operation of the store: less than its limit, because the clock of the model goes on for all.
const STOPPED_IN_STORE: Duration = Duration::from_secs(12);
/// When a stopped process loses its lease.
const LEASE_OF_STOPPED: Duration = Duration::from_secs(8);
/// How long the store is away.
const DOWN: Duration = Duration::from_secs(20);

/// What a run is about.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Whether the lock is a lease, which a dead process keeps for a while, and a stopped one loses.
    leased: bool,
    /// Whether the access token has expired by the local clock.
    expired: bool,
    /// Whether it has expired by the clock of the server.
    expired_at_server: bool,
    /// How often waiting processes record that.
    poll: Duration,
}

/// What is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    token: String,
    generation: u32,
    expires_at: i64,
    doubt: Option<Doubt>,
}

impl Row {
    fn of(generation: u32, expires_at: i64) -> Self {
        Self { token: format!("a{generation}"), generation, expires_at, doubt: None }
    }
}

impl StoredSession for Row {
    fn access_token(&self) -> &str {
        &self.token
    }

    fn can_refresh(&self) -> bool {
        true
    }

    fn refreshed_at(&self) -> i64 {
        0
    }

    fn expires_at(&self) -> Option<i64> {
        Some(self.expires_at)
    }

    fn doubt(&self) -> Option<Doubt> {
        self.doubt.clone()
    }

    fn set_doubt(&mut self, doubt: Option<Doubt>) {
        self.doubt = doubt;
    }

    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SessionFormatError> {
        Ok(Zeroizing::new(serde_json::to_vec(self)?))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, SessionFormatError> {
        Ok(serde_json::from_slice(bytes)?)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Alive,
    Stopped,
    Dead,
}

/// Everything outside of the processes.
struct World {
    setting: Setting,
    state: Mutex<State>,
    /// A process has died or was stopped, or goes on.
    changed: Notify,
}

struct State {
    given: Vec<usize>,
    made: Vec<(usize, usize)>,
    faults: Vec<String>,
    row: Option<(Vec<u8>, u64)>,
    versions: u64,
    /// Who has the lock, which of its locks it is, and when it ends if its holder has died.
    lock: Option<(usize, u64, Option<Instant>)>,
    locks: u64,
    down_until: Option<Instant>,
    lives: Vec<Life>,
    /// The lease of each process.
    leases: Vec<Option<Lease>>,
    /// The newest tokens that each process has received.
    received: Vec<u32>,
    /// The newest tokens that the server has given.
    generation: u32,
    is_session_alive: bool,
    breaches: Vec<String>,
}

impl World {
    fn new(setting: Setting, given: &[usize]) -> Arc<Self> {
        let end = if setting.expired { 1 } else { unix_now() + 3600 };
        let row = Some((Row::of(0, end).to_bytes().unwrap().to_vec(), 1));
        let state = State {
            given: given.to_vec(),
            made: Vec::new(),
            faults: Vec::new(),
            row,
            versions: 1,
            lock: None,
            locks: 0,
            down_until: None,
            lives: Vec::new(),
            leases: Vec::new(),
            received: Vec::new(),
            generation: 0,
            is_session_alive: true,
            breaches: Vec::new(),
        };
        Arc::new(Self { setting, state: Mutex::new(state), changed: Notify::new() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What happens to a process in a step: the first of the fates, unless something goes wrong.
    fn fate(&self, process: usize, step: &str, fates: &[Fate]) -> Fate {
        let mut state = self.state();
        if fates.is_empty() || state.faults.len() >= FAULTS || state.made.len() >= LONGEST {
            return Fate::Done;
        }
        let choice = state.given.get(state.made.len()).copied().unwrap_or(0);
        state.made.push((choice, fates.len() + 1));
        if choice == 0 {
            return Fate::Done;
        }
        let fate = fates[choice - 1];
        state.faults.push(format!("{fate:?} at {step} of process {process}"));
        fate
    }

    /// Goes on when the process does.
    async fn turn(&self, process: usize) {
        loop {
            let changed = self.changed.notified();
            if self.state().lives[process] == Life::Alive {
                return;
            }
            changed.await;
        }
    }

    fn is_alive(&self, process: usize) -> bool {
        self.state().lives[process] == Life::Alive
    }

    /// The process ends, by itself or killed. The operating system releases its locks, and a database does so later.
    fn end(&self, process: usize) {
        let mut state = self.state();
        state.lives[process] = Life::Dead;
        if let Some((holder, number, _)) = state.lock.filter(|(holder, ..)| *holder == process) {
            state.lock = self.setting.leased.then(|| (holder, number, Some(Instant::now() + limits::LEASE)));
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The process is stopped, and goes on after a while.
    fn stop(self: &Arc<Self>, process: usize, length: Duration) {
        let mut state = self.state();
        state.lives[process] = Life::Stopped;
        if self.setting.leased {
            if let Some((holder, number, _)) = state.lock.filter(|(holder, ..)| *holder == process) {
                state.lock = Some((holder, number, Some(Instant::now() + LEASE_OF_STOPPED)));
            }
            if let Some(lease) = &state.leases[process] {
                lease.end();
            }
        }
        drop(state);
        self.changed.notify_waiters();
        let world = Arc::clone(self);
        tokio::spawn(async move {
            sleep(length).await;
            let mut state = world.state();
            if state.lives[process] == Life::Stopped {
                state.lives[process] = Life::Alive;
            }
            drop(state);
            world.changed.notify_waiters();
        });
    }

    /// Whether somebody else has the lock.
    fn is_locked(&self) -> bool {
        self.state().lock.is_some_and(|(.., end)| end.is_none_or(|end| Instant::now() < end))
    }

    fn is_down(&self) -> bool {
        self.state().down_until.is_some_and(|until| Instant::now() < until)
    }

    /// The server gets a refresh token.
    fn serve(&self, process: usize, generation: u32) -> Refreshed<Row> {
        let mut state = self.state();
        if state.is_session_alive && generation == state.generation {
            state.generation += 1;
            return Refreshed::Tokens(Row::of(state.generation, unix_now() + 3600));
        }
        // A token that was used before: the session is over, whoever has the newest tokens.
        let newest = state.generation;
        let stored =
            state.row.as_ref().is_some_and(|(bytes, _)| Row::from_bytes(bytes).unwrap().generation == newest);
        let holders = state.received.iter().zip(&state.lives);
        let held = holders.filter(|(received, life)| **received == newest && **life == Life::Alive).count();
        if state.is_session_alive && (stored || held > 0) {
            let breach =
                format!("process {process} has used r{generation} again, and r{newest} was not lost");
            state.breaches.push(breach);
        }
        state.is_session_alive = false;
        Refreshed::Rejected("replayed".into())
    }
}

/// What goes wrong in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    KilledBefore,
    KilledAfter,
    StoppedBefore,
    /// It returns an error, and has no effect.
    Fails,
    /// It returns an error, although it was done.
    AnswerLost,
    /// It is not done, and nothing is heard for as long as a request may take.
    Hangs,
    /// The store is away for a while.
    StoreDown,
}

/// The store, as a process sees it.
struct ModelStore {
    world: Arc<World>,
    process: usize,
}

fn away<T>() -> Result<T, StoreError> {
    Err(StoreError::backend(std::io::Error::other("away")))
}

impl ModelStore {
    /// A step of this process. Returns what `work` did, or an error.
    async fn step<T>(
        &self,
        name: &str,
        fates: &[Fate],
        work: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (world, process) = (&self.world, self.process);
        world.turn(process).await;
        let fate = if world.is_down() { Fate::Done } else { world.fate(process, name, fates) };
        match fate {
            Fate::KilledBefore => world.end(process),
            Fate::StoppedBefore => world.stop(process, STOPPED_IN_STORE),
            Fate::StoreDown => world.state().down_until = Some(Instant::now() + DOWN),
            _ => {}
        }
        world.turn(process).await;
        if world.is_down() || fate == Fate::Fails {
            return away();
        }
        let done = work(&mut world.state());
        if fate == Fate::KilledAfter {
            world.end(process);
        }
        world.turn(process).await;
        if fate == Fate::AnswerLost { away() } else { done }
    }
}

fn is_expected(row: Option<&(Vec<u8>, u64)>, expected: Expected<Version>) -> bool {
    match expected {
        Expected::Any => true,
        Expected::Absent => row.is_none(),
        Expected::Version(version) => row.is_some_and(|(_, stored)| *stored == version.0),
    }
}

impl Store for ModelStore {
    fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let entry = |state: &mut State| {
            Ok(state.row.clone().map(|(value, version)| Entry::new(value, Version(version))))
        };
        Box::pin(self.step("get", &[], entry))
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        value: &'a [u8],
        _: Option<i64>,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        const FATES: &[Fate] =
            &[Fate::KilledBefore, Fate::KilledAfter, Fate::StoppedBefore, Fate::AnswerLost, Fate::StoreDown];
        let value = value.to_vec();
        let write = move |state: &mut State| {
            if !is_expected(state.row.as_ref(), expected) {
                return Err(StoreError::Conflict);
            }
            state.versions += 1;
            state.row = Some((value, state.versions));
            Ok(Version(state.versions))
        };
        Box::pin(self.step("put", FATES, write))
    }

    fn delete<'a>(
        &'a self,
        key: &'a str,
        expected: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let remove = move |state: &mut State| match state.row.as_ref() {
            None => Ok(None),
            row if !is_expected(row, expected) => Err(StoreError::Conflict),
            _ => Ok(state.row.take().map(|(value, version)| Entry::new(value, Version(version)))),
        };
        let _ = key;
        Box::pin(self.step("delete", &[Fate::KilledBefore, Fate::AnswerLost], remove))
    }

    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn lock<'a>(&'a self, _: &'a str, wait: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async move {
            let (world, process) = (&self.world, self.process);
            let begun = Instant::now();
            loop {
                world.turn(process).await;
                if !world.is_locked() {
                    break;
                }
                if begun.elapsed() > wait {
                    return Err(StoreError::LockTimeout { waited: wait });
                }
                sleep(Duration::from_millis(300)).await;
            }
            let lease = Lease::new();
            // The clock of a lease is not that of the model, which ends leases itself.
            lease.request().granted(Duration::from_secs(100_000));
            let number = {
                let mut state = world.state();
                state.locks += 1;
                state.lock = Some((process, state.locks, None));
                state.leases[process] = Some(lease.clone());
                state.locks
            };
            let held = Held { world: Arc::clone(world), number };
            if world.fate(process, "lock", &[Fate::KilledAfter]) == Fate::KilledAfter {
                world.end(process);
            }
            world.turn(process).await;
            Ok(StoreLock::leased(lease, held))
        })
    }
}

/// A lock that is held.
struct Held {
    world: Arc<World>,
    number: u64,
}

impl RenewLease for Held {
    fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.world.state();
        // That of a dead process ends otherwise.
        if state.lock.is_some_and(|(_, number, end)| number == self.number && end.is_none()) {
            state.lock = None;
        }
    }
}

/// A process.
struct Modelled {
    world: Arc<World>,
    number: usize,
    sessions: SessionRepository<Self>,
    id: ProcessId,
    pace: Pace,
}

impl Modelled {
    fn start(world: &Arc<World>) -> (usize, SessionHandle<Self>) {
        let number = {
            let mut state = world.state();
            state.lives.push(Life::Alive);
            state.leases.push(None);
            state.received.push(0);
            state.lives.len() - 1
        };
        let store = Arc::new(ModelStore { world: Arc::clone(world), process: number });
        let context = Self {
            world: Arc::clone(world),
            number,
            sessions: SessionRepository::new(store, |_, now| now + 3600),
            id: ProcessId::generate(),
            pace: Pace { doubt_poll: world.setting.poll, ..Pace::default() },
        };
        let active = ActiveSessions::default().get(&Key(did()), || ());
        (number, SessionHandle::new(Arc::new(context), active))
    }
}

impl SessionContext for Modelled {
    type Key = Key;
    type Session = Row;
    type Prepared = ();
    type Local = ();

    const REFRESH: &'static str = "modelled_refresh";

    fn sessions(&self) -> &SessionRepository<Self> {
        &self.sessions
    }

    fn process(&self) -> &ProcessId {
        &self.id
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn refresh_span(_: &Key) -> Span {
        Span::none()
    }

    fn prepare(&self, _: &Key, _: &Row) -> Result<(), SessionStoreError> {
        Ok(())
    }

    fn host((): &()) -> &str {
        "https://pds.example"
    }

    async fn refresh(
        &self,
        _: &ActiveSession<Self>,
        current: &CachedSession<Self>,
        lock: LockWatch,
    ) -> Refreshed<Row> {
        const FATES: &[Fate] = &[
            Fate::KilledBefore,
            Fate::KilledAfter,
            Fate::StoppedBefore,
            Fate::Fails,
            Fate::AnswerLost,
            Fate::Hangs,
        ];
        let (world, process) = (&self.world, self.number);
        let unknown = || Refreshed::Failed(RefreshFailure::new("no answer", Processed::Unknown));
        world.turn(process).await;
        let fate = world.fate(process, "refresh", FATES);
        match fate {
            Fate::KilledBefore => world.end(process),
            Fate::StoppedBefore => world.stop(process, STOPPED),
            Fate::Fails => return unknown(),
            Fate::Hangs => {
                sleep(limits::AUTHORIZATION_SERVER).await;
                world.turn(process).await;
                return unknown();
            }
            _ => {}
        }
        world.turn(process).await;
        if !lock.holds_for(Duration::ZERO) {
            return Refreshed::Failed(RefreshFailure::new(StoreError::LockLost, Processed::No));
        }
        let answer = world.serve(process, current.record.generation);
        if fate == Fate::KilledAfter {
            world.end(process);
        }
        world.turn(process).await;
        if fate == Fate::AnswerLost {
            return unknown();
        }
        if let Refreshed::Tokens(row) = &answer {
            world.state().received[process] = row.generation;
        }
        answer
    }

    async fn probe(&self, _: &ActiveSession<Self>, current: &CachedSession<Self>) -> Probed {
        let (world, process) = (&self.world, self.number);
        world.turn(process).await;
        if world.fate(process, "probe", &[Fate::Fails]) == Fate::Fails {
            return Probed::Unknown("no answer".into());
        }
        let state = world.state();
        let early = world.setting.expired_at_server && current.record.generation == 0;
        if state.is_session_alive && current.record.generation == state.generation && !early {
            Probed::Accepted
        } else {
            Probed::Refused
        }
    }

    async fn revoke(&self, _: &ActiveSession<Self>, _: &Row) -> Result<(), String> {
        Ok(())
    }

    async fn renew(
        &self,
        _: &ActiveSession<Self>,
        _: &CachedSession<Self>,
        _: &ReauthenticateReason,
        _: Option<LockWatch>,
    ) -> Renewed<Row> {
        Renewed::Impossible
    }

    fn note_refreshed(&self, _: &Key, _: &Row) {}

    fn note_ended(&self, _: &Key, reason: &ReauthenticateReason) {
        if *reason != ReauthenticateReason::LostRefresh {
            self.world.state().breaches.push(format!("the session has ended as {reason:?}"));
        }
    }
}

impl fmt::Debug for Modelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Modelled").field(&self.number).finish()
    }
}

/// Refreshes, or finds what others have refreshed. Returns `None` if it neither could nor the session has ended.
async fn call(handle: &SessionHandle<Modelled>) -> Option<bool> {
    let refreshed = async {
        let current = handle.current().await?;
        if current.record.generation > 0 {
            return Ok(current);
        }
        handle.refresh(current.record.access_token()).await
    };
    match refreshed.await {
        Ok(_) => Some(true),
        Err(SessionError::Reauthenticate(_)) => Some(false),
        Err(_) => None,
    }
}

/// What a process with one call comes to, within the limit of a call. `None` also if it is killed or stopped.
async fn live(world: &Arc<World>, number: usize, handle: &SessionHandle<Modelled>) -> Option<bool> {
    let gone = async {
        loop {
            let changed = world.changed.notified();
            if !world.is_alive(number) {
                return;
            }
            changed.await;
        }
    };
    tokio::select! {
        called = timeout(limits::SESSION_CALL, call(handle)) => called.ok().flatten(),
        () = gone => None,
    }
}

/// One run. Returns the choices that were made, or what was wrong with it.
async fn run(setting: Setting, given: &[usize]) -> (Vec<(usize, usize)>, Result<(), String>) {
    let world = World::new(setting, given);
    let mut handles = Vec::new();
    // The first process lives on, unless something happens to it. The others end after their call.
    let mut outcome = None;
    for _ in 0..=PROCESSES {
        let (begun, (number, handle)) = (Instant::now(), Modelled::start(&world));
        outcome = live(&world, number, &handle).await;
        if outcome.is_none() && world.is_alive(number) {
            // Whoever starts them does not do so all the time.
            tokio::time::sleep_until(begun + limits::SESSION_CALL).await;
        }
        if number > 0 && world.is_alive(number) {
            world.end(number);
        }
        handles.push(handle);
        if outcome.is_some() {
            break;
        }
    }
    // Whoever was stopped goes on.
    sleep(STOPPED * 2).await;
    let state = world.state();
    let mut problems = state.breaches.clone();
    let stored = state.row.as_ref().map(|(bytes, _)| Row::from_bytes(bytes).unwrap().generation);
    match outcome {
        None => problems.push(format!("nobody gets through: {stored:?}")),
        Some(true) if stored != Some(state.generation) || !state.is_session_alive => {
            problems.push(format!("the row has {stored:?}, and the server {}", state.generation));
        }
        Some(false) if state.is_session_alive => problems.push("the session ended here alone".into()),
        Some(_) => {}
    }
    let made = state.made.clone();
    if problems.is_empty() {
        return (made, Ok(()));
    }
    (made, Err(format!("{problems:?} after {:?} in {setting:?}", state.faults)))
}

/// Tries everything. Returns how many runs there were, or what was wrong with the first one that was not right.
fn explore(setting: Setting) -> Result<u32, String> {
    let (mut given, mut runs) = (Vec::new(), 0_u32);
    loop {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (made, outcome) = runtime.block_on(run(setting, &given));
        outcome?;
        runs += 1;
        // The next run differs in the last choice that has another alternative.
        let Some(last) = made.iter().rposition(|(choice, count)| choice + 1 < *count) else { break };
        given = made[..last].iter().map(|(choice, _)| *choice).collect();
        given.push(made[last].0 + 1);
    }
    Ok(runs)
}

/// Waiting processes record that every three seconds here, so that a run has fewer steps.
const POLL: Duration = Duration::from_secs(3);

#[test]
fn o25_whichever_processes_die_or_are_stopped_the_session_goes_on_unless_its_tokens_are_lost() {
    for leased in [false, true] {
        for (expired, expired_at_server) in [(true, true), (false, true), (false, false)] {
            let setting = Setting { leased, expired, expired_at_server, poll: POLL };
            let begun = std::time::Instant::now();
            let runs = explore(setting).unwrap_or_else(|problem| panic!("{problem}"));
            println!("{setting:?}: {runs} runs in {:.1?}", begun.elapsed());
            assert!(runs > 300, "{runs}");
        }
    }
}

#[test]
fn o25_the_model_finds_processes_that_do_not_say_that_they_have_waited() {
    // None of them lives until it would say so.
    let poll = limits::SESSION_CALL * 2;
    let setting = Setting { leased: false, expired: true, expired_at_server: true, poll };
    let problem = explore(setting).unwrap_err();
    assert!(problem.contains("nobody gets through"), "{problem}");
}
