//! What happens to sessions, for apps that want to know.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::SystemTime,
};

use futures_core::Stream;
use tokio::sync::broadcast::{self, error::RecvError};

use super::SessionId;
use crate::xrpc::{BoxFuture, ReauthenticateReason};

/// So many events are kept for a stream that does not keep up.
const KEPT: usize = 256;

/// Something that happened to a session in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A user signed in.
    SignedIn {
        /// The new session.
        id: SessionId,
    },
    /// The session has new tokens, and they are stored.
    Refreshed {
        /// The session.
        id: SessionId,
        /// When the new access token ends.
        expires_at: SystemTime,
    },
    /// The session has ended and is no longer in the store.
    Ended {
        /// The session.
        id: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// The stream did not keep up, and so many events are lost to it.
    Missed {
        /// How many.
        count: u64,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The app signed it out.
    SignedOut,
    /// It can no longer be refreshed: the user has to sign in again.
    Lost(ReauthenticateReason),
}

pub(crate) type Listener = Arc<dyn Fn(&SessionEvent) + Send + Sync>;

/// Where events go.
pub(crate) struct Events {
    sender: broadcast::Sender<SessionEvent>,
    listeners: Vec<Listener>,
}

impl Events {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self { sender: broadcast::Sender::new(KEPT), listeners }
    }

    /// The events from now on.
    pub(crate) fn subscribe(&self) -> SessionEvents {
        SessionEvents { state: State::Idle(self.sender.subscribe()) }
    }

    /// Tells everybody. No lock of a mutex is held here, for listeners are the app's code.
    pub(crate) fn emit(&self, event: SessionEvent) {
        for listener in &self.listeners {
            listener(&event);
        }
        // Nobody listens: that is no failure.
        let _ = self.sender.send(event);
    }
}

/// The events of all sessions; see [`OAuth::events`](crate::oauth::OAuth::events).
pub struct SessionEvents {
    state: State,
}

type Received = (Result<SessionEvent, RecvError>, broadcast::Receiver<SessionEvent>);

enum State {
    Idle(broadcast::Receiver<SessionEvent>),
    Waiting(BoxFuture<'static, Received>),
    Over,
}

impl SessionEvents {
    /// The next event; none when the app's [`OAuth`](crate::oauth::OAuth) is gone. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<SessionEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for SessionEvents {
    type Item = SessionEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SessionEvent>> {
        let this = self.get_mut();
        loop {
            this.state = match std::mem::replace(&mut this.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Idle(mut receiver) => State::Waiting(Box::pin(async move {
                    let event = receiver.recv().await;
                    (event, receiver)
                })),
                State::Waiting(mut waiting) => match waiting.as_mut().poll(cx) {
                    Poll::Pending => {
                        this.state = State::Waiting(waiting);
                        return Poll::Pending;
                    }
                    Poll::Ready((Err(RecvError::Closed), _)) => State::Over,
                    Poll::Ready((event, receiver)) => {
                        this.state = State::Idle(receiver);
                        let missed = |error| match error {
                            RecvError::Lagged(count) => SessionEvent::Missed { count },
                            RecvError::Closed => SessionEvent::Missed { count: 0 },
                        };
                        return Poll::Ready(Some(event.unwrap_or_else(missed)));
                    }
                },
            };
        }
    }
}

impl fmt::Debug for SessionEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionEvents(..)")
    }
}
