//! The task that owns a WebSocket: it reads as long as there is room, answers and sends pings, and ends with the reason.

use std::{
    future::poll_fn,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_core::Stream as _;
use futures_util::SinkExt as _;
use tokio::{
    task::JoinHandle,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::{
    Interruption,
    channel::{Channel, Command, Incoming, Received, Room, Sender},
};
use crate::{
    limits,
    server_text::{SHORT, excerpt},
    xrpc::Upgraded,
};

/// How much is read at once, and so the memory that an idle connection keeps for reading.
const READ_BUFFER: usize = 8 << 10;
/// How much may wait to be sent: pongs to a server that does not read them, and long texts. A longer text is never sent.
pub(super) const WRITE_BUFFER: usize = 1 << 20;

/// How a connection is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) room: Room,
    /// The most bytes of a message.
    pub(super) max_message_size: usize,
    /// After how long a silence a ping is sent, and how long it may then be silent.
    pub(super) keep_alive: Duration,
}

/// A living connection. Dropping it closes it.
pub(super) struct Connection {
    channel: Arc<Channel>,
    task: Option<JoinHandle<()>>,
}

impl Connection {
    /// Starts the task.
    pub(super) fn start(upgraded: Upgraded, mut terms: Terms) -> Self {
        terms.keep_alive = terms.keep_alive.max(limits::SHORTEST_KEEP_ALIVE);
        let channel = Arc::new(Channel::new(terms.room));
        let mut running = Running { channel: Arc::clone(&channel), why: None };
        let task = tokio::spawn(async move {
            // Boxed, because the future would otherwise have room for the handshake's arguments too.
            let why = Box::pin(run(upgraded, &running.channel, terms)).await;
            running.note(why);
        });
        Self { channel, task: Some(task) }
    }

    pub(super) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<Received> {
        self.channel.poll_receive(cx)
    }

    pub(super) fn waiting(&self) -> usize {
        self.channel.waiting()
    }

    /// What sends on this connection.
    pub(super) fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.channel))
    }

    /// Closes the connection after what is to be sent, and waits for that.
    pub(super) async fn close(mut self) {
        self.channel.close();
        if let Some(task) = self.task.take() {
            let abort = task.abort_handle();
            if timeout(limits::STREAM_CLOSE, task).await.is_err() {
                abort.abort();
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The task ends by itself, within the limit for closing.
        self.channel.close();
    }
}

/// Tells the consumer that the task has ended, however it ends: the transport of a caller may panic.
struct Running {
    channel: Arc<Channel>,
    why: Option<Interruption>,
}

impl Running {
    fn note(&mut self, why: Interruption) {
        self.why = Some(why);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let early =
            || Interruption::Broken(Arc::new(io::Error::other("the task of the connection panicked")));
        self.channel.end(self.why.take().unwrap_or_else(early));
    }
}

/// What the task does next.
enum Event {
    Command(Command),
    Message(Option<Result<Message, Error>>),
    Silence,
}

async fn run(upgraded: Upgraded, channel: &Channel, terms: Terms) -> Interruption {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(terms.max_message_size))
        .max_frame_size(Some(terms.max_message_size));
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
    let mut silence = Silence::new(terms.keep_alive);
    loop {
        let event = poll_fn(|cx| poll_event(&mut socket, channel, &mut silence, cx)).await;
        match event {
            Event::Command(Command::Close) => {
                let goodbye = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                let _ = timeout(limits::STREAM_CLOSE, socket.close(Some(goodbye))).await;
                return Interruption::Closed { code: None, reason: String::new() };
            }
            Event::Command(Command::Send(text)) => {
                if let Err(why) = send(&mut socket, Message::Text(text.into()), terms.keep_alive).await {
                    return why;
                }
            }
            Event::Silence if silence.pinged => {
                return Interruption::Silent { limit: terms.keep_alive.saturating_mul(2) };
            }
            Event::Silence => {
                silence.ping();
                if let Err(why) = send(&mut socket, Message::Ping(Default::default()), terms.keep_alive).await
                {
                    return why;
                }
            }
            Event::Message(Some(Ok(message))) => match message {
                Message::Binary(bytes) => channel.push(Incoming::Binary(bytes)),
                Message::Text(text) => channel.push(Incoming::Text(text)),
                Message::Close(frame) => {
                    // The answer to it has to go out.
                    let _ = timeout(limits::STREAM_CLOSE, socket.flush()).await;
                    return closed(frame);
                }
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            },
            Event::Message(Some(Err(error))) => {
                let too_long = matches!(error, Error::Capacity(_));
                return if too_long {
                    Interruption::TooLarge { limit: terms.max_message_size }
                } else {
                    Interruption::Broken(Arc::new(error))
                };
            }
            Event::Message(None) => return closed(None),
        }
    }
}

fn poll_event(
    socket: &mut WebSocketStream<Upgraded>,
    channel: &Channel,
    silence: &mut Silence,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    if let Poll::Ready(command) = channel.poll_command(cx) {
        return Poll::Ready(Event::Command(command));
    }
    if channel.poll_room(cx).is_pending() {
        // Nothing is read, so that the window of the connection fills. Then silence says nothing about the server, and the timer is
        // not looked at. What was read last was a message, so that the first thing after a long time is at most a ping.
        return Poll::Pending;
    }
    if let Poll::Ready(message) = Pin::new(socket).poll_next(cx) {
        silence.hear();
        return Poll::Ready(Event::Message(message));
    }
    ready!(silence.poll(cx));
    Poll::Ready(Event::Silence)
}

/// Sends a message to a server that may not read it.
async fn send(
    socket: &mut WebSocketStream<Upgraded>,
    message: Message,
    limit: Duration,
) -> Result<(), Interruption> {
    match timeout(limit, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Interruption::Broken(Arc::new(error))),
        Err(_) => Err(Interruption::Silent { limit }),
    }
}

fn closed(frame: Option<CloseFrame>) -> Interruption {
    match frame {
        None => Interruption::Closed { code: None, reason: String::new() },
        Some(CloseFrame { code, reason }) => {
            Interruption::Closed { code: Some(code.into()), reason: excerpt(reason.as_str(), SHORT) }
        }
    }
}

/// How long nothing has been heard of the server.
struct Silence {
    limit: Duration,
    since: Instant,
    pinged: bool,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self { limit, since: now, pinged: false, timer: Box::pin(sleep_until(after(now, limit))) }
    }

    fn hear(&mut self) {
        self.since = Instant::now();
        self.pinged = false;
    }

    fn ping(&mut self) {
        self.since = Instant::now();
        self.pinged = true;
    }

    /// Ready when the limit has been reached.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            // The timer is not moved with every message, only when it has run out.
            let end = after(self.since, self.limit);
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(end);
        }
    }
}

/// A limit can be longer than any time.
fn after(begin: Instant, limit: Duration) -> Instant {
    begin.checked_add(limit.min(limits::LONGEST_KEEP_ALIVE)).unwrap_or(begin)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    use super::*;

    /// A connection of a transport with a mistake.
    struct Panicking;

    impl AsyncRead for Panicking {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            panic!("as part of the test");
        }
    }

    impl AsyncWrite for Panicking {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_consumer_is_told_that_the_connection_has_panicked() {
        let terms = Terms {
            room: Room { messages: 8, bytes: 1000 },
            max_message_size: 1000,
            keep_alive: limits::STREAM_KEEP_ALIVE,
        };
        let connection = Connection::start(Upgraded::new(Panicking), terms);
        let received = timeout(Duration::from_secs(20), poll_fn(|cx| connection.poll_receive(cx))).await;
        let Ok(Received::Ended(Interruption::Broken(why))) = received else { panic!("nobody tells it") };
        assert!(why.to_string().contains("panicked"), "{why}");
        assert!(!connection.sender().send("too late".to_owned()));
    }
}
