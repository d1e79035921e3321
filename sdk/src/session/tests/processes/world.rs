//! What is outside of the processes: the store with its lock, the server, and what goes wrong.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};
use zeroize::Zeroizing;

use crate::{
    clock::unix_now,
    limits,
    session::{Doubt, Refreshed, SessionFormatError, StoredSession},
    store::{Entry, Expected, Lease, RenewLease, Store, StoreError, StoreLock, Version},
    xrpc::BoxFuture,
};

/// How many things go wrong in a run.
const FAULTS: usize = 2;
/// After this many choices of a run, nothing goes wrong any more.
const LONGEST: usize = 30;
/// How long a process is stopped in an operation of the store: less than its limit, because the clock goes on for all.
const STOPPED_IN_STORE: Duration = Duration::from_secs(12);
/// When a stopped process loses its lease.
const LEASE_OF_STOPPED: Duration = Duration::from_secs(8);
/// How long the store is away. When it is back, others look at it before whoever has tokens for it tries again.
const DOWN: Duration = Duration::from_millis(20_100);

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setting {
    /// Whether the lock is a lease, which a dead process keeps for a while, and a stopped one loses.
    pub(super) leased: bool,
    /// Whether the access token has expired by the local clock.
    pub(super) expired: bool,
    /// Whether it has expired by the clock of the server.
    pub(super) expired_at_server: bool,
    /// How often waiting processes record that.
    pub(super) poll: Duration,
    /// How long they wait.
    pub(super) grace: Duration,
}

/// What is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) token: String,
    pub(super) generation: u32,
    pub(super) expires_at: i64,
    pub(super) doubt: Option<Doubt>,
}

impl Row {
    pub(super) fn of(generation: u32, expires_at: i64) -> Self {
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
pub(super) enum Life {
    Alive,
    Stopped,
    Dead,
}

/// Everything outside of the processes.
pub(super) struct World {
    pub(super) setting: Setting,
    state: Mutex<State>,
    /// A process has died or was stopped, or goes on.
    pub(super) changed: Notify,
}

pub(super) struct State {
    given: Vec<usize>,
    pub(super) made: Vec<(usize, usize)>,
    pub(super) faults: Vec<String>,
    pub(super) row: Option<(Vec<u8>, u64)>,
    versions: u64,
    /// Who has the lock, which of its locks it is, and when it ends if its holder has died.
    pub(super) lock: Option<(usize, u64, Option<Instant>)>,
    locks: u64,
    down_until: Option<Instant>,
    pub(super) lives: Vec<Life>,
    /// The lease of each process.
    pub(super) leases: Vec<Option<Lease>>,
    /// The newest tokens that each process has received.
    pub(super) received: Vec<u32>,
    /// The newest tokens that the server has given.
    pub(super) generation: u32,
    pub(super) is_session_alive: bool,
    pub(super) breaches: Vec<String>,
}

impl World {
    pub(super) fn new(setting: Setting, given: &[usize]) -> Arc<Self> {
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

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What happens to a process in a step: the first of the fates, unless something goes wrong.
    pub(super) fn fate(&self, process: usize, step: &str, fates: &[Fate]) -> Fate {
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
    pub(super) async fn turn(&self, process: usize) {
        loop {
            let changed = self.changed.notified();
            if self.state().lives[process] == Life::Alive {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn is_alive(&self, process: usize) -> bool {
        self.state().lives[process] == Life::Alive
    }

    /// The process ends, by itself or killed. The operating system releases its locks, and a database does so later.
    pub(super) fn end(&self, process: usize) {
        let mut state = self.state();
        state.lives[process] = Life::Dead;
        if let Some((holder, number, _)) = state.lock.filter(|(holder, ..)| *holder == process) {
            state.lock = self.setting.leased.then(|| (holder, number, Some(Instant::now() + limits::LEASE)));
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// The process is stopped, and goes on after a while.
    pub(super) fn stop(self: &Arc<Self>, process: usize, length: Duration) {
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
    pub(super) fn serve(&self, process: usize, generation: u32) -> Refreshed<Row> {
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
pub(super) enum Fate {
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
pub(super) struct ModelStore {
    pub(super) world: Arc<World>,
    pub(super) process: usize,
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
