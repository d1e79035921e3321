//! What the task of a connection and the consumer of its messages share: a bounded buffer in one direction, and in the other what
//! is to be sent. An idle one takes little memory, because there may be many.

use std::{
    collections::VecDeque,
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::Interruption;

/// A message of a WebSocket.
#[derive(Debug)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
}

impl Incoming {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// How much may be waiting for the consumer. One message more than these bytes is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// What the consumer finds.
pub(super) enum Received {
    /// The messages since it last looked, at least one.
    Messages(VecDeque<Incoming>),
    /// There are no more messages, because the connection has ended.
    Ended(Interruption),
}

/// What the task of the connection is to do.
pub(super) enum Command {
    Send(String),
    Close,
}

pub(super) struct Channel {
    room: Room,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    incoming: VecDeque<Incoming>,
    /// Of the messages in `incoming`.
    bytes: usize,
    ended: Option<Interruption>,
    /// Whether the task has ended.
    over: bool,
    outgoing: VecDeque<String>,
    closing: bool,
    consumer: Option<Waker>,
    task: Option<Waker>,
}

impl Channel {
    pub(super) fn new(room: Room) -> Self {
        // The consumer takes what is there as a whole, and meanwhile as much again can arrive.
        let half = |most: usize| (most / 2).max(1);
        let room = Room { messages: half(room.messages), bytes: half(room.bytes) };
        Self { room, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // The side of the consumer.

    pub(super) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Received> {
        let mut state = self.state();
        if state.incoming.is_empty() {
            if let Some(ended) = state.ended.take() {
                return Poll::Ready(Received::Ended(ended));
            }
            state.consumer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        state.bytes = 0;
        let messages = mem::take(&mut state.incoming);
        let task = state.task.take();
        drop(state);
        wake(task);
        Poll::Ready(Received::Messages(messages))
    }

    /// How many messages are waiting.
    pub(super) fn waiting(&self) -> usize {
        self.state().incoming.len()
    }

    /// Returns whether the connection was living, so that the text has a chance to arrive.
    pub(super) fn send(&self, text: String) -> bool {
        let mut state = self.state();
        if state.closing || state.over {
            return false;
        }
        state.outgoing.push_back(text);
        let task = state.task.take();
        drop(state);
        wake(task);
        true
    }

    /// Nothing more is received, and the connection is closed after what is to be sent.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closing = true;
        state.incoming = VecDeque::new();
        let task = state.task.take();
        drop(state);
        wake(task);
    }

    // The side of the task.

    /// Returns whether there is room for a message.
    pub(super) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.incoming.len() < self.room.messages && state.bytes < self.room.bytes {
            return Poll::Ready(());
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn push(&self, message: Incoming) {
        let mut state = self.state();
        if state.closing {
            return;
        }
        state.bytes += message.len();
        state.incoming.push_back(message);
        let consumer = state.consumer.take();
        drop(state);
        wake(consumer);
    }

    pub(super) fn poll_command(&self, cx: &mut Context<'_>) -> Poll<Command> {
        let mut state = self.state();
        if let Some(text) = state.outgoing.pop_front() {
            return Poll::Ready(Command::Send(text));
        }
        if state.closing {
            return Poll::Ready(Command::Close);
        }
        state.task = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn end(&self, why: Interruption) {
        let mut state = self.state();
        state.ended = Some(why);
        state.over = true;
        state.outgoing = VecDeque::new();
        let consumer = state.consumer.take();
        drop(state);
        wake(consumer);
    }
}

/// Without the lock, because the other side may run at once.
fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Sends texts on one connection.
#[derive(Clone)]
pub(crate) struct Sender(std::sync::Arc<Channel>);

impl Sender {
    pub(super) fn new(channel: std::sync::Arc<Channel>) -> Self {
        Self(channel)
    }

    /// Sends a text. Returns `false` if the connection has ended; if it ends later, the text may be lost.
    pub(crate) fn send(&self, text: String) -> bool {
        self.0.send(text)
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn message(length: usize) -> Incoming {
        Incoming::Binary(vec![0; length].into())
    }

    fn channel(messages: usize, bytes: usize) -> Channel {
        Channel::new(Room { messages, bytes })
    }

    #[test]
    fn what_is_waiting_is_bounded_by_count_and_by_bytes() {
        for (channel, count) in [(channel(8, 1 << 20), 4), (channel(100, 40), 2), (channel(0, 0), 1)] {
            let waker = Arc::new(Count::default());
            let task = Waker::from(Arc::clone(&waker));
            let mut cx = Context::from_waker(&task);
            let mut pushed = 0;
            while channel.poll_room(&mut cx).is_ready() {
                channel.push(message(10));
                pushed += 1;
            }
            assert_eq!((pushed, channel.waiting()), (count, count));
            // The consumer makes room, and the task is told.
            let Poll::Ready(Received::Messages(taken)) =
                channel.poll_receive(&mut Context::from_waker(Waker::noop()))
            else {
                panic!()
            };
            assert_eq!((taken.len(), waker.0.load(Ordering::SeqCst)), (count, 1));
            assert!(channel.poll_room(&mut cx).is_ready());
        }
    }

    #[test]
    fn messages_come_before_the_end() {
        let channel = channel(8, 1000);
        let waker = Arc::new(Count::default());
        let consumer = Waker::from(Arc::clone(&waker));
        let mut cx = Context::from_waker(&consumer);
        assert!(channel.poll_receive(&mut cx).is_pending());
        channel.push(message(3));
        channel.end(Interruption::Closed { code: None, reason: String::new() });
        assert_eq!(waker.0.load(Ordering::SeqCst), 1);
        assert!(
            matches!(channel.poll_receive(&mut cx), Poll::Ready(Received::Messages(one)) if one.len() == 1)
        );
        assert!(matches!(channel.poll_receive(&mut cx), Poll::Ready(Received::Ended(_))));
    }

    #[test]
    fn what_is_to_be_sent_goes_out_before_the_connection_is_closed() {
        let channel = channel(8, 1000);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(channel.poll_command(&mut cx).is_pending());
        channel.send("one".to_owned());
        channel.close();
        assert!(matches!(channel.poll_command(&mut cx), Poll::Ready(Command::Send(text)) if text == "one"));
        assert!(matches!(channel.poll_command(&mut cx), Poll::Ready(Command::Close)));
        channel.push(message(3));
        assert_eq!(channel.waiting(), 0, "nobody reads any more");
        assert!(!channel.send("two".to_owned()), "nor sends");
    }
}
