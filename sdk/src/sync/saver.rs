//! The task that saves the states of repositories.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{FutureExt as _, task::AtomicWaker};
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{RepoStates, accounts::Accounts};
use crate::{
    limits,
    store::{StoreError, limited},
    types::Did,
    xrpc::BoxFuture,
};

/// How many states are written in one go.
const BATCH: usize = 256;

type Reply = oneshot::Sender<Result<(), StoreError>>;

/// The states could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("`RepoStates::save` has panicked")]
struct Panicked;

/// Asks the task to save. The task ends when nobody can ask any longer, and saves what there is.
#[derive(Debug, Clone)]
pub(super) struct Saver(mpsc::Sender<Reply>);

impl Saver {
    pub(super) fn new(
        accounts: Arc<Mutex<Accounts>>,
        states: Arc<dyn RepoStates>,
        room: Arc<AtomicWaker>,
    ) -> (Self, Saving) {
        let (sender, requests) = mpsc::channel(4);
        (Self(sender), Saving { accounts, states, room, requests })
    }

    /// Saves all states as they are now.
    pub(super) async fn save(&self) -> Result<(), StoreError> {
        let (reply, done) = oneshot::channel();
        if self.0.send(reply).await.is_err() {
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
    /// Whoever waits until something has been saved.
    room: Arc<AtomicWaker>,
    requests: mpsc::Receiver<Reply>,
}

impl Saving {
    pub(super) async fn run(mut self) -> Result<(), StoreError> {
        let mut failures = 0;
        loop {
            let pause = if failures == 0 { limits::STATES_INTERVAL } else { limits::cursor_retry(failures) };
            let request = tokio::select! {
                request = self.requests.recv() => Some(request),
                () = sleep(pause) => None,
            };
            let result = self.save().await;
            failures = if result.is_ok() { 0 } else { failures + 1 };
            if let Err(error) = &result {
                tracing::warn!(%error, failures, "the states of repositories are not saved");
            }
            match request {
                Some(Some(reply)) => drop(reply.send(result)),
                Some(None) => return result,
                None => {}
            }
        }
    }

    async fn save(&self) -> Result<(), StoreError> {
        let unsaved = self.accounts.lock().unwrap_or_else(PoisonError::into_inner).unsaved();
        for batch in unsaved.chunks(BATCH) {
            let states: Vec<_> = batch.iter().map(|(did, state, _)| (did.clone(), state.clone())).collect();
            // Whoever waits would otherwise save the cursor without the states.
            let saving = async { limited(limits::STORE_OPERATION, self.states.save(&states)).await };
            AssertUnwindSafe(saving).catch_unwind().await.unwrap_or(Err(StoreError::backend(Panicked)))?;
            let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            batch.iter().for_each(|(did, _, changes)| accounts.saved(did, *changes));
        }
        self.room.wake();
        Ok(())
    }
}

/// Reads the state of a repository.
pub(super) async fn load(states: &dyn RepoStates, did: &Did) -> Result<Option<super::RepoState>, StoreError> {
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
