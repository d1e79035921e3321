//! A model of processes that share a store, and that end, are killed or are stopped at any step of a refresh. The code that
//! refreshes runs as it is; the store, its lock and the server are those of the model. Each run chooses what goes wrong, and all
//! runs with some faults are tried, on a clock of their own.

mod world;

use std::{fmt, sync::Arc, time::Duration};

use tokio::time::{sleep, timeout};
use tracing::Span;

use self::world::{Fate, Life, ModelStore, Row, Setting, World};
use super::{Key, did};
use crate::{
    limits,
    session::{
        ActiveSession, ActiveSessions, CachedSession, Pace, Probed, ProcessId, Processed, RefreshFailure,
        Refreshed, Renewed, SessionContext, SessionError, SessionHandle, SessionRepository,
        SessionStoreError, StoredSession as _,
    },
    store::{LockWatch, StoreError},
    xrpc::ReauthenticateReason,
};

/// How many processes that live for a short time may come after the first one. One waits for a lease, one for the grace, and faults
/// cost some more.
const PROCESSES: usize = 9;
/// How long a process is stopped before it sends a refresh: longer than others wait for it.
const STOPPED: Duration = Duration::from_secs(100);

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
            pace: Pace {
                doubt_poll: world.setting.poll,
                doubt_grace: world.setting.grace,
                ..Pace::default()
            },
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

/// Calls again and again. Returns whether the session can be used in the end.
async fn calls(handle: SessionHandle<Modelled>) -> bool {
    loop {
        if let Some(outcome) = call(&handle).await {
            return outcome;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// What a process comes to that lives for as long as a call may take. `None` also if it is killed or stopped.
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
        biased;
        () = gone => None,
        called = timeout(limits::SESSION_CALL, calls(handle.clone())) => called.ok(),
    }
}

/// One run. Returns the choices that were made, or what was wrong with it.
async fn run(setting: Setting, given: &[usize]) -> (Vec<(usize, usize)>, Result<(), String>) {
    let world = World::new(setting, given);
    // The first process lives on after its call, unless something happens to it.
    let (_, first) = Modelled::start(&world);
    tokio::spawn(async move { call(&first).await });
    sleep(Duration::from_millis(200)).await;
    // The others come one after the other.
    let (mut handles, mut outcome) = (Vec::new(), None);
    for _ in 0..PROCESSES {
        let (number, handle) = Modelled::start(&world);
        outcome = live(&world, number, &handle).await;
        if world.is_alive(number) {
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

/// The rules of [`limits`], except that waiting processes record that less often, so that a run has fewer steps.
const SETTING: Setting = Setting {
    leased: false,
    expired: true,
    expired_at_server: true,
    poll: Duration::from_secs(3),
    grace: limits::DOUBT_GRACE,
};

#[test]
fn o25_whichever_processes_die_or_are_stopped_the_session_goes_on_unless_its_tokens_are_lost() {
    for leased in [false, true] {
        for (expired, expired_at_server) in [(true, true), (false, true), (false, false)] {
            let setting = Setting { leased, expired, expired_at_server, ..SETTING };
            let runs = explore(setting).unwrap_or_else(|problem| panic!("{problem}"));
            assert!(runs > 300, "{runs} in {setting:?}");
        }
    }
}

#[test]
fn o25_the_model_finds_processes_that_do_not_say_that_they_have_waited() {
    // None of them lives until it would say so.
    let problem = explore(Setting { poll: limits::SESSION_CALL * 2, ..SETTING }).unwrap_err();
    assert!(problem.contains("nobody gets through"), "{problem}");
}

#[test]
fn o25_the_model_finds_processes_that_do_not_wait() {
    let problem = explore(Setting { grace: Duration::ZERO, ..SETTING }).unwrap_err();
    assert!(problem.contains("again, and r1 was not lost"), "{problem}");
}
