//! A model of the single flight: some callers find that the token `a0` is rejected and want another one. Every order of their
//! steps and every outcome of a refresh is tried.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};
use zeroize::Zeroizing;

use super::{Plain, Token, did, session};
use crate::{
    session::{
        SessionError, SessionStoreError,
        state::{Flight, Join, Outcome, State, UnsavedTokens},
    },
    xrpc::{Reauthenticate, ReauthenticateReason},
};

const CALLERS: usize = 3;

/// After this many choices of a run, nothing goes wrong any more.
const LONGEST: usize = 9;

/// What becomes of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// New tokens.
    Refreshed,
    /// A temporary failure without effect.
    Failed,
    /// The session has ended.
    Ended,
    /// New tokens that could not be stored.
    NotStored,
    /// The task was killed with its runtime.
    Killed,
}

const ENDS: [End; 5] = [End::Refreshed, End::Failed, End::Ended, End::NotStored, End::Killed];

/// A caller.
enum Caller {
    Idle,
    Waiting(Flight<Plain>),
    Done(Outcome<Plain>),
}

/// The task of a refresh, between its start and the publication of its outcome.
struct Task {
    sender: watch::Sender<Option<Outcome<Plain>>>,
    /// Set once the state has been changed, and only the waiting callers have not been told yet.
    told: Option<Outcome<Plain>>,
}

/// The choices of a run: of those that are given, then always the first. Records how many there were.
struct Choices<'c> {
    given: &'c [usize],
    made: Vec<(usize, usize)>,
}

impl Choices<'_> {
    fn of(&mut self, count: usize) -> usize {
        let choice = self.given.get(self.made.len()).copied().unwrap_or(0);
        self.made.push((choice, count));
        choice
    }
}

struct World {
    state: State<Plain>,
    callers: Vec<Caller>,
    task: Option<Task>,
    /// The generation of the newest token.
    generation: u64,
    /// The ends of the refreshes so far.
    ends: Vec<End>,
}

impl World {
    fn new() -> Self {
        let mut state = State::default();
        state.take_read(&session("a0", 1), Instant::now(), 0);
        let callers = (0..CALLERS).map(|_| Caller::Idle).collect();
        Self { state, callers, task: None, generation: 0, ends: Vec::new() }
    }

    /// What can happen next: the step of a caller, or of the task.
    fn possible(&self) -> Vec<Option<usize>> {
        let ready = |caller: &Caller| match caller {
            Caller::Idle => true,
            Caller::Waiting(flight) => flight.borrow().is_some() || flight.has_changed().is_err(),
            Caller::Done(_) => false,
        };
        let callers = (0..CALLERS).filter(|at| ready(&self.callers[*at])).map(Some);
        callers.chain(self.task.is_some().then_some(None)).collect()
    }

    fn step_of_caller(&mut self, at: usize) {
        if let Caller::Waiting(flight) = &self.callers[at] {
            let outcome = flight.borrow().clone();
            // If the task was killed, the caller joins again.
            if let Some(outcome) = outcome {
                self.callers[at] = Caller::Done(outcome);
                return;
            }
        }
        self.callers[at] = match self.state.join(Some("a0"), 0) {
            Join::Done(outcome) => Caller::Done(outcome),
            Join::Wait(flight) => Caller::Waiting(flight),
            Join::Start(sender, flight) => {
                assert!(self.task.is_none(), "two refreshes at the same time");
                self.task = Some(Task { sender, told: None });
                Caller::Waiting(flight)
            }
        };
    }

    fn step_of_task(&mut self, choices: &mut Choices<'_>) {
        let Some(task) = self.task.take() else { return };
        if let Some(outcome) = task.told {
            self.state.land();
            task.sender.send_replace(Some(outcome));
            return;
        }
        let outcome = match self.state.unsaved() {
            Some(unsaved) => self.store(&unsaved.record, choices),
            None => self.refresh(choices),
        };
        let Some(outcome) = outcome else { return };
        self.task = Some(Task { sender: task.sender, told: Some(outcome) });
    }

    /// A flight that begins with tokens that are not stored.
    fn store(&mut self, unsaved: &Token, choices: &mut Choices<'_>) -> Option<Outcome<Plain>> {
        match choices.of(3) {
            0 => {
                let new = session(&unsaved.0, 1 + self.generation);
                self.state.note_stored();
                self.state.take_written(&new, 0);
                Some(Ok(new))
            }
            1 => Some(Err(not_stored())),
            _ => None,
        }
    }

    /// A flight that sends a refresh. Returns `None` if its task is killed.
    fn refresh(&mut self, choices: &mut Choices<'_>) -> Option<Outcome<Plain>> {
        let end = ENDS[choices.of(ENDS.len())];
        self.ends.push(end);
        Some(match end {
            End::Killed => return None,
            End::Failed => Err(SessionError::Timeout { limit: Duration::ZERO }),
            End::Ended => {
                let ended = Reauthenticate::new(did(), ReauthenticateReason::Revoked, None);
                self.state.end(ended.clone(), None);
                Err(ended.into())
            }
            End::Refreshed => {
                self.generation += 1;
                let new = session(&format!("a{}", self.generation), 1 + self.generation);
                self.state.note_stored();
                self.state.take_written(&new, 0);
                Ok(new)
            }
            End::NotStored => {
                self.generation += 1;
                self.state.keep_unsaved(UnsavedTokens {
                    record: Token(format!("a{}", self.generation)),
                    old_access_token: Zeroizing::new("a0".to_owned()),
                    renewed: false,
                });
                Err(not_stored())
            }
        })
    }

    fn check(&self, run: &[(usize, usize)]) {
        let describe = || format!("{:?} after {run:?}", self.ends);
        for caller in &self.callers {
            let Caller::Done(outcome) = caller else { panic!("a caller waits without end: {}", describe()) };
            if let Ok(cached) = outcome {
                assert!(cached.differs_from("a0"), "the rejected token came back: {}", describe());
            }
        }
        // After tokens were received, nothing more is sent: the next flight only stores them.
        let last =
            self.ends.iter().position(|end| matches!(end, End::Refreshed | End::NotStored | End::Ended));
        if let Some(last) = last {
            assert_eq!(last + 1, self.ends.len(), "one refresh too many: {}", describe());
        }
        assert!(self.generation <= 1, "the refresh token was used twice: {}", describe());
    }
}

fn not_stored() -> SessionError {
    let source = SessionStoreError::Timeout { limit: Duration::ZERO };
    SessionError::NotStored { source: Arc::new(source) }
}

/// One run. Returns the choices that were made.
fn run(given: &[usize]) -> Vec<(usize, usize)> {
    let (mut world, mut choices) = (World::new(), Choices { given, made: Vec::new() });
    // A refresh is killed at most a few times, so every run ends; the bound makes a mistake visible.
    for _ in 0..60 {
        let possible = world.possible();
        if possible.is_empty() {
            break;
        }
        let next = if possible.len() == 1 { 0 } else { choices.of(possible.len()) };
        match possible[next] {
            Some(caller) => world.step_of_caller(caller),
            // In the end, tasks succeed: otherwise a run could consist of tasks that are killed.
            None if choices.made.len() > LONGEST => {
                world.step_of_task(&mut Choices { given: &[], made: Vec::new() });
            }
            None => world.step_of_task(&mut choices),
        }
    }
    world.check(&choices.made);
    choices.made
}

#[test]
fn o25_in_every_order_of_steps_there_is_one_refresh_at_a_time_and_nobody_waits_without_end() {
    let (mut given, mut runs) = (Vec::new(), 0_u32);
    loop {
        let made = run(&given);
        runs += 1;
        // The next run differs in the last choice that has another alternative.
        let Some(last) = made.iter().rposition(|(choice, count)| choice + 1 < *count) else { break };
        given = made[..last].iter().map(|(choice, _)| *choice).collect();
        given.push(made[last].0 + 1);
    }
    assert!(runs > 1000, "{runs}");
}
