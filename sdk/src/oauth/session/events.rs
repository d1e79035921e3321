//! Session events.

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

/// How many events are buffered for a slow stream.
const BUFFERED: usize = 256;

/// An event in the life of a session. Only events in this process are reported.
///
/// ```
/// use atproto_sdk::oauth::{SessionEnd, SessionEvent};
///
/// fn log(event: &SessionEvent) {
///     match event {
///         SessionEvent::SignedIn { id } => println!("{id} signed in"),
///         SessionEvent::Refreshed { id, expires_at } => println!("{id} refreshed until {expires_at:?}"),
///         SessionEvent::Ended { id, reason: SessionEnd::SignedOut } => println!("{id} signed out"),
///         SessionEvent::Ended { id, reason } => println!("{id} must sign in again: {reason:?}"),
///         SessionEvent::Missed { count } => println!("{count} events were missed"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// A user signed in.
    SignedIn {
        /// The new session.
        id: SessionId,
    },
    /// The tokens of the session were refreshed and stored.
    Refreshed {
        /// The session.
        id: SessionId,
        /// When the new access token expires.
        expires_at: SystemTime,
    },
    /// The session ended and was removed from the store.
    Ended {
        /// The session.
        id: SessionId,
        /// Why it ended.
        reason: SessionEnd,
    },
    /// The stream was too slow, and missed events.
    Missed {
        /// The number of missed events.
        count: u64,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// The app ended it with a sign-out, or the account had
    /// [too many sessions](crate::oauth::OAuthBuilder::max_sessions_per_account).
    SignedOut,
    /// It can no longer be refreshed. The user must sign in again.
    Lost(ReauthenticateReason),
}

pub(crate) type Listener = Arc<dyn Fn(&SessionEvent) + Send + Sync>;

/// Distributes events.
pub(crate) struct Events {
    sender: broadcast::Sender<SessionEvent>,
    listeners: Vec<Listener>,
}

impl Events {
    pub(crate) fn new(listeners: Vec<Listener>) -> Self {
        Self { sender: broadcast::Sender::new(BUFFERED), listeners }
    }

    /// A stream of future events.
    pub(crate) fn subscribe(&self) -> SessionEvents {
        SessionEvents { state: State::Idle(self.sender.subscribe()) }
    }

    /// Sends an event to all listeners and streams. Must not be called with a mutex locked, because listeners are code of
    /// the app.
    pub(crate) fn emit(&self, event: SessionEvent) {
        for listener in &self.listeners {
            listener(&event);
        }
        // Fails if there are no streams, which is fine.
        let _ = self.sender.send(event);
    }
}

/// A stream of the events of all sessions. Returned by [`OAuth::events`](crate::oauth::OAuth::events).
///
/// ```no_run
/// use atproto_sdk::oauth::{OAuth, SessionEvent};
/// use futures_util::StreamExt as _;
///
/// # fn f(oauth: OAuth) {
/// let mut ended = oauth.events().filter(|event| {
///     std::future::ready(matches!(event, SessionEvent::Ended { .. }))
/// });
/// tokio::spawn(async move {
///     while let Some(event) = ended.next().await {
///         println!("{event:?}");
///     }
/// });
/// # }
/// ```
///
/// Up to 256 events are buffered for a stream that is not polled. After that, the oldest events are dropped, and the stream
/// yields [`SessionEvent::Missed`].
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
    /// Returns the next event, or `None` if the [`OAuth`](crate::oauth::OAuth) and all of its clients have been dropped.
    ///
    /// This is cancel safe: no event is lost if the future is dropped.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) {
    /// let mut events = oauth.events();
    /// while let Some(event) = events.next().await {
    ///     println!("{event:?}");
    /// }
    /// # }
    /// ```
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
