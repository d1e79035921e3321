//! The task that saves the states of repositories.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt as _, task::AtomicWaker};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep},
};

use super::{RepoState, RepoStates, accounts::Accounts};
use crate::{
    limits,
    store::{StoreError, limited},
    types::Did,
    xrpc::BoxFuture,
};

/// How many states are written in one go, if the store is fast enough.
const BATCH: usize = 256;
/// How many writes may fail before the rest is left for the next time: to find one state in a batch that is refused takes nine.
const FAILURES: usize = 30;

type Reply = oneshot::Sender<Result<(), StoreError>>;

/// The states could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("`RepoStates::save` has panicked")]
struct Panicked;

/// The states could not be saved for the moment, for how long, to be told.
#[derive(Debug)]
pub(super) struct Unsaved {
    pub(super) error: StoreError,
    pub(super) lasting: Duration,
}

/// Asks the task to save. The task ends when nobody can ask any longer, and saves what there is.
#[derive(Debug, Clone)]
pub(super) struct Saver {
    requests: mpsc::Sender<Reply>,
    unsaved: Arc<Mutex<Option<Unsaved>>>,
}

impl Saver {
    pub(super) fn new(
        accounts: Arc<Mutex<Accounts>>,
        states: Arc<dyn RepoStates>,
        room: Arc<AtomicWaker>,
    ) -> (Self, Saving) {
        let (sender, requests) = mpsc::channel(4);
        let unsaved = Arc::default();
        let saving = Saving { accounts, states, room, requests, unsaved: Arc::clone(&unsaved), batch: BATCH };
        (Self { requests: sender, unsaved }, saving)
    }

    /// Returns why the states could not be saved, if that is to be told.
    pub(super) fn unsaved(&self) -> Option<Unsaved> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Saves all states as they are now.
    pub(super) async fn save(&self) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        if self.requests.send(reply).await.is_err() {
            // Nothing was taken, so there is nothing to save; or the runtime is shutting down.
            return Ok(());
        }
        done.await.map_err(StoreError::backend)?
    }
}

/// The task.
pub(super) struct Saving {
    accounts: Arc<Mutex<Accounts>>,
    states: Arc<dyn RepoStates>,
    /// Whoever waits until something has been saved, and tells what could not be.
    room: Arc<AtomicWaker>,
    requests: mpsc::Receiver<Reply>,
    unsaved: Arc<Mutex<Option<Unsaved>>>,
    /// How many states are written in one go: as many as the store can in time.
    batch: usize,
}

impl Saving {
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        let (mut failures, mut since) = (0, Instant::now());
        loop {
            let pause = if failures == 0 { limits::STATES_INTERVAL } else { limits::cursor_retry(failures) };
            let request = tokio::select! {
                request = self.requests.recv() => Some(request),
                () = sleep(pause) => None,
            };
            let result = self.save().await;
            match &result {
                Ok(()) => failures = 0,
                Err(error) => {
                    if failures == 0 {
                        since = Instant::now();
                    }
                    failures += 1;
                    let lasting = since.elapsed();
                    tracing::warn!(%error, failures, ?lasting, "the states of repositories are not saved");
                    let unsaved = Unsaved { error: error.clone(), lasting };
                    *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(unsaved);
                    self.room.wake();
                }
            }
            match request {
                Some(Some(reply)) => drop(reply.send(result)),
                Some(None) => return result,
                None => {}
            }
        }
    }

    /// Saves all states. What can be saved is, also if something cannot: one that is refused does not keep others from it, and a store
    /// that is too slow for many gets few at a time.
    async fn save(&mut self) -> Result<(), StoreError> {
        let unsaved = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).unsaved();
        let (mut rest, mut size) = (unsaved.as_slice(), self.batch);
        let (mut first_error, mut failures, since) = (None, 0, Instant::now());
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(size.min(rest.len()));
            let begun = Instant::now();
            let Err(error) = self.write(batch).await else {
                rest = later;
                if begun.elapsed() < limits::STORE_OPERATION / 4 {
                    size = (size * 2).min(BATCH);
                    self.batch = self.batch.max(size);
                }
                continue;
            };
            failures += 1;
            let is_slow = matches!(error, StoreError::Timeout { .. });
            first_error.get_or_insert(error);
            size = (batch.len() / 2).max(1);
            if is_slow {
                self.batch = size;
            }
            if is_slow || failures >= FAILURES || since.elapsed() >= limits::STORE_OPERATION {
                break;
            }
            if batch.len() == 1 {
                rest = later;
            }
        }
        self.room.wake();
        first_error.map_or(Ok(()), Err)
    }

    async fn write(&self, batch: &[(Did, RepoState, u64)]) -> Result<(), StoreError> {
        let states: Vec<_> = batch.iter().map(|(did, state, _)| (did.clone(), state.clone())).collect();
        // Whoever waits would otherwise save the cursor without the states.
        let saving = async { limited(limits::STORE_OPERATION, self.states.save(&states)).await };
        AssertUnwindSafe(saving).catch_unwind().await.unwrap_or(Err(StoreError::backend(Panicked)))?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().for_each(|(did, _, changes)| accounts.saved(did, *changes));
        Ok(())
    }
}

/// Reads the state of a repository.
pub(super) async fn load(states: &dyn RepoStates, did: &Did) -> Result<Option<RepoState>, StoreError> {
    read(|| states.load(did)).await
}

/// Reads which repositories have still to be fetched.
pub(super) async fn unrepaired(states: &dyn RepoStates) -> Result<Option<Vec<Did>>, StoreError> {
    read(|| states.unrepaired()).await
}

/// A store that fails for the moment is asked again.
async fn read<'a, T>(reading: impl Fn() -> BoxFuture<'a, Result<T, StoreError>>) -> Result<T, StoreError> {
    let mut failures = 0;
    loop {
        match limited(limits::STORE_OPERATION, reading()).await {
            Err(error) if error.is_temporary() && failures < limits::STATES_ATTEMPTS => {
                failures += 1;
                tracing::warn!(%error, failures, "what is known of repositories is not read");
                sleep(limits::cursor_retry(failures)).await;
            }
            result => return result,
        }
    }
}
