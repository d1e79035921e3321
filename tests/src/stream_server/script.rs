//! What the server does with a connection, step by step.

use std::{fmt, io, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Mutex,
    time::sleep,
};

use super::{
    Seen, Shared, frames,
    websocket::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, accepting, close, frame, read_frame},
};
use crate::{Answer, Received};

/// What the server does with a connection. After the last step the connection stays open, and pings are answered.
#[derive(Debug, Clone)]
pub struct Script {
    greeting: Greeting,
    delay: Duration,
    pongs: bool,
    reads: bool,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Greeting {
    Accept {
        subprotocol: Option<String>,
        proof: Option<String>,
        headers: Vec<(String, String)>,
    },
    Answer(Answer),
    /// Reads the request and says nothing.
    Silence,
}

/// Makes a message of its number.
type Made = Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>;

#[derive(Clone)]
enum Step {
    Write(Vec<u8>),
    Wait(Duration),
    /// Until the client has sent so many texts.
    Texts(usize),
    /// Until the client has sent so many pings.
    Pings(usize),
    Flood(u64, Made),
    /// From the position after the cursor of the request to the last one.
    After(i64, Made),
    Cut,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(bytes) => write!(f, "Write({} bytes)", bytes.len()),
            Self::Wait(time) => write!(f, "Wait({time:?})"),
            Self::Texts(count) => write!(f, "Texts({count})"),
            Self::Pings(count) => write!(f, "Pings({count})"),
            Self::Flood(count, _) => write!(f, "Flood({count})"),
            Self::After(last, _) => write!(f, "After({last})"),
            Self::Cut => f.write_str("Cut"),
        }
    }
}

impl Script {
    fn new(greeting: Greeting) -> Self {
        Self { greeting, delay: Duration::ZERO, pongs: true, reads: true, steps: Vec::new() }
    }

    /// Opens the WebSocket, without a subprotocol.
    pub fn accept() -> Self {
        Self::new(Greeting::Accept { subprotocol: None, proof: None, headers: Vec::new() })
    }

    /// Opens the WebSocket with a subprotocol, whether it was offered or not.
    pub fn accept_as(subprotocol: &str) -> Self {
        let subprotocol = Some(subprotocol.to_owned());
        Self::new(Greeting::Accept { subprotocol, proof: None, headers: Vec::new() })
    }

    /// Opens the WebSocket with an answer to another key than the client's.
    pub fn accept_wrongly() -> Self {
        let proof = Some("AAAAAAAAAAAAAAAAAAAAAAAAAAA=".to_owned());
        Self::new(Greeting::Accept { subprotocol: None, proof, headers: Vec::new() })
    }

    /// Answers the handshake with something else.
    pub fn answer(answer: Answer) -> Self {
        Self::new(Greeting::Answer(answer))
    }

    /// Never answers the handshake.
    pub fn never_answer() -> Self {
        Self::new(Greeting::Silence)
    }

    /// One more header of the answer that opens the WebSocket.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Greeting::Accept { headers, .. } = &mut self.greeting {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Waits that long before it answers the handshake.
    #[must_use]
    pub fn slowly(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Never answers pings.
    #[must_use]
    pub fn never_pong(mut self) -> Self {
        self.pongs = false;
        self
    }

    /// Never reads what the client sends.
    #[must_use]
    pub fn never_read(mut self) -> Self {
        self.reads = false;
        self
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Sends a binary message: a frame of an event stream.
    #[must_use]
    pub fn frame(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::Write(frame(BINARY, true, bytes.as_ref())))
    }

    /// Sends several binary messages at once.
    #[must_use]
    pub fn frames(self, all: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let all: Vec<u8> = all.into_iter().flat_map(|bytes| frame(BINARY, true, &bytes)).collect();
        self.step(Step::Write(all))
    }

    /// Sends a message with a header of that type.
    #[must_use]
    pub fn message(self, kind: &str, payload: &Value) -> Self {
        self.frame(frames::message(kind, payload))
    }

    /// Sends a text message.
    #[must_use]
    pub fn text(self, text: impl AsRef<str>) -> Self {
        self.step(Step::Write(frame(TEXT, true, text.as_ref().as_bytes())))
    }

    /// Sends a binary message in pieces of that many bytes.
    #[must_use]
    pub fn pieces(self, bytes: &[u8], size: usize) -> Self {
        let count = bytes.len().div_ceil(size);
        let pieces = bytes.chunks(size).enumerate();
        let all = pieces.flat_map(|(number, piece)| {
            let kind = if number == 0 { BINARY } else { CONTINUATION };
            frame(kind, number + 1 == count, piece)
        });
        let all: Vec<u8> = all.collect();
        self.step(Step::Write(all))
    }

    /// Sends bytes as they are, which need not be a WebSocket.
    #[must_use]
    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.step(Step::Write(bytes.into()))
    }

    /// Sends the first half of a binary message, and ends the connection.
    #[must_use]
    pub fn half(self, bytes: impl AsRef<[u8]>) -> Self {
        let mut whole = frame(BINARY, true, bytes.as_ref());
        whole.truncate(whole.len() / 2);
        self.raw(whole).cut()
    }

    /// Sends a ping.
    #[must_use]
    pub fn ping(self) -> Self {
        self.step(Step::Write(frame(PING, true, b"are you there?")))
    }

    /// Waits.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// Waits until the client has sent so many texts in all.
    #[must_use]
    pub fn await_texts(self, count: usize) -> Self {
        self.step(Step::Texts(count))
    }

    /// Waits until the client has sent so many pings in all.
    #[must_use]
    pub fn await_pings(self, count: usize) -> Self {
        self.step(Step::Pings(count))
    }

    /// Sends that many binary messages as fast as the client reads them: those that are made of their numbers, from zero.
    #[must_use]
    pub fn flood(self, count: u64, bytes: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.step(Step::Flood(count, Arc::new(bytes)))
    }

    /// Sends the binary messages after the cursor of the request up to the last one, as a server does that has kept them: those that
    /// are made of their positions, from one.
    #[must_use]
    pub fn after_cursor(self, last: i64, bytes: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static) -> Self {
        self.step(Step::After(last, Arc::new(bytes)))
    }

    /// Sends a close frame.
    #[must_use]
    pub fn close(self, code: u16, reason: &str) -> Self {
        self.step(Step::Write(close(code, reason)))
    }

    /// Ends the connection without a word.
    #[must_use]
    pub fn cut(self) -> Self {
        self.step(Step::Cut)
    }
}

/// Plays a script, until the client has gone.
pub(super) async fn play(
    script: Script,
    connection: TcpStream,
    request: &Received,
    shared: &Arc<Shared>,
    number: usize,
) -> io::Result<()> {
    let Script { greeting, delay, pongs, reads, steps } = script;
    let (reader, mut writer) = connection.into_split();
    sleep(delay).await;
    match greeting {
        Greeting::Accept { subprotocol, proof, headers } => {
            let proof = proof.unwrap_or_else(|| accepting(request.header("sec-websocket-key").unwrap_or("")));
            let mut head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
                 sec-websocket-accept: {proof}\r\n"
            );
            let subprotocol = subprotocol.map(|name| ("sec-websocket-protocol".to_owned(), name));
            for (name, value) in headers.into_iter().chain(subprotocol) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("\r\n");
            writer.write_all(head.as_bytes()).await?;
        }
        Greeting::Answer(answer) => {
            writer.write_all(&answer.bytes(false)).await?;
            return writer.shutdown().await;
        }
        Greeting::Silence => {
            let _ = reader.readable().await;
            return std::future::pending().await;
        }
    }
    let writer = Arc::new(Mutex::new(writer));
    let listening = async {
        if reads {
            listen(reader, &writer, pongs, shared, number).await
        } else {
            std::future::pending().await
        }
    };
    tokio::select! {
        left = listening => left,
        cut = speak(steps, &writer, shared, number) => {
            if cut.is_err() {
                shared.note(number, |seen| seen.left = true);
            }
            cut
        }
    }
}

/// Takes the steps. Returns if the connection is to end.
async fn speak(
    steps: Vec<Step>,
    writer: &Mutex<OwnedWriteHalf>,
    shared: &Shared,
    number: usize,
) -> io::Result<()> {
    let write = async |bytes: &[u8]| {
        writer.lock().await.write_all(bytes).await?;
        shared.note(number, |seen| seen.written += 1);
        io::Result::Ok(())
    };
    for step in steps {
        match step {
            Step::Write(bytes) => write(&bytes).await?,
            Step::Wait(time) => sleep(time).await,
            Step::Texts(count) => {
                shared.wait(|seen| seen.get(number).is_some_and(|seen| seen.texts.len() >= count)).await;
            }
            Step::Pings(count) => {
                shared.wait(|seen| seen.get(number).is_some_and(|seen| seen.pings >= count)).await;
            }
            Step::Flood(count, bytes) => {
                for index in 0..count {
                    write(&frame(BINARY, true, &bytes(index))).await?;
                }
            }
            Step::After(last, bytes) => {
                let cursor = shared.connections().get(number).and_then(Seen::cursor).unwrap_or(0);
                for seq in cursor + 1..=last {
                    write(&frame(BINARY, true, &bytes(seq.unsigned_abs()))).await?;
                }
            }
            Step::Cut => return Ok(()),
        }
    }
    std::future::pending().await
}

/// Records what the client sends, and answers pings, until the client has gone.
async fn listen(
    reader: OwnedReadHalf,
    writer: &Mutex<OwnedWriteHalf>,
    pongs: bool,
    shared: &Shared,
    number: usize,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    loop {
        let Ok((kind, payload)) = read_frame(&mut reader).await else {
            shared.note(number, |seen| seen.left = true);
            return Ok(());
        };
        shared.note(number, |seen| match kind {
            TEXT => seen.texts.push(String::from_utf8_lossy(&payload).into_owned()),
            BINARY => seen.binaries += 1,
            PING => seen.pings += 1,
            PONG => seen.pongs += 1,
            CLOSE => seen.close = payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
            _ => {}
        });
        match kind {
            PING if pongs => writer.lock().await.write_all(&frame(PONG, true, &payload)).await?,
            CLOSE => {
                let _ = writer.lock().await.write_all(&frame(CLOSE, true, &payload)).await;
                shared.note(number, |seen| seen.left = true);
                return Ok(());
            }
            _ => {}
        }
    }
}
