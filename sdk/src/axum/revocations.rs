//! Revocations that browsers do not wait for.

use std::sync::{Mutex, PoisonError};

use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};

/// The revocations in progress, each of which ends with the time limits of its requests. They are cancelled when this
/// is dropped.
#[derive(Default)]
pub(super) struct Revocations(Mutex<JoinSet<()>>);

/// Cancels a task that has not ended.
struct CancelOnDrop<T>(JoinHandle<T>);

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Revocations {
    /// Takes over a revocation, whose end can be waited for.
    pub(super) fn take<T: Send + 'static>(&self, revocation: JoinHandle<T>) -> oneshot::Receiver<()> {
        let (tell, ended) = oneshot::channel();
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are not kept.
        while pending.try_join_next().is_some() {}
        let mut revocation = CancelOnDrop(revocation);
        pending.spawn(async move {
            let _ = (&mut revocation.0).await;
            let _ = tell.send(());
        });
        ended
    }
}
