//! The body of a request that must not be sent by a process that has lost the lock of the session.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::store::LockWatch;

/// A body that fails instead of being sent if a lock is not held any more when the connection asks for it.
///
/// Between the decision to send a request and its sending, a connection is established, and the process or the machine may be
/// suspended for any time. Nothing but the body knows when its first byte is about to be sent.
pub(super) struct GuardedBody {
    bytes: Option<Bytes>,
    lock: LockWatch,
    refused: Arc<AtomicBool>,
}

/// Tells whether the body was not sent because of the lock.
#[derive(Clone, Default)]
pub(super) struct Refused(Arc<AtomicBool>);

impl Refused {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The lock is not held any more.
#[derive(Debug, thiserror::Error)]
#[error("the lock of the session was lost")]
pub(super) struct LockLost;

impl GuardedBody {
    pub(super) fn new(bytes: Bytes, lock: LockWatch, refused: &Refused) -> Self {
        Self { bytes: Some(bytes), lock, refused: Arc::clone(&refused.0) }
    }
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = LockLost;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, LockLost>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if !self.lock.holds_for(Duration::ZERO) {
            self.refused.store(true, Ordering::SeqCst);
            return Poll::Ready(Some(Err(LockLost)));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::future::poll_fn;

    use super::*;
    use crate::store::StoreLock;

    async fn first(body: &mut GuardedBody) -> Option<Result<Bytes, LockLost>> {
        let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        Some(frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn o25_a_body_is_not_given_out_once_the_lock_is_gone() {
        let (lock, refused) = (StoreLock::new(()), Refused::default());
        let mut sent = GuardedBody::new(Bytes::from_static(b"token"), lock.watch(), &refused);
        let mut kept = GuardedBody::new(Bytes::from_static(b"token"), lock.watch(), &refused);
        assert_eq!(sent.size_hint().exact(), Some(5));
        assert_eq!(first(&mut sent).await.unwrap().unwrap(), "token");
        assert!(sent.is_end_stream() && first(&mut sent).await.is_none() && !refused.get());
        drop(lock);
        assert!(first(&mut kept).await.unwrap().is_err());
        assert!(refused.get() && first(&mut kept).await.is_none());
    }
}
