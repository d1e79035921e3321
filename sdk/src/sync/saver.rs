//! The task that saves the states of repositories.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::task::AtomicWaker;
use tokio::{
    sync::{mpsc, oneshot},
    time::sleep,
};

use super::{RepoStates, accounts::Accounts};
use crate::{
    limits,
    store::{StoreError, limited},
    types::Did,
};

/// How many states are written in one go.
const BATCH: usize = 256;

type Reply = oneshot::Sender<Result<(), StoreError>>;

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
            limited(limits::STORE_OPERATION, self.states.save(&states)).await?;
            let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            batch.iter().for_each(|(did, _, changes)| accounts.saved(did, *changes));
        }
        self.room.wake();
        Ok(())
    }
}

/// Reads the state of a repository; a store that fails for the moment is asked again.
pub(super) async fn load(states: &dyn RepoStates, did: &Did) -> Result<Option<super::RepoState>, StoreError> {
    let loading = async {
        let mut failures = 0;
        loop {
            match limited(limits::STORE_OPERATION, states.load(did)).await {
                Err(error) if failures < limits::STATES_ATTEMPTS => {
                    failures += 1;
                    tracing::warn!(%did, %error, failures, "the state of a repository is not read");
                    sleep(limits::cursor_retry(failures)).await;
                }
                result => return result,
            }
        }
    };
    loading.await
}
