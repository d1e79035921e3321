//! A server of streams that does what it was told to: WebSockets that are dropped, stall, send garbage, half a frame, unknown kinds
//! of frames, positions with gaps and repeats, floods; handshakes that are slow, or answered with something else.
//!
//! It writes the frames of WebSockets by itself, so that it can also write wrong ones, and records what clients send.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use tests::stream_server::{Script, StreamServer, identity};
//!
//! let server = StreamServer::start().await?;
//! // The first connection ends after two messages, and all others go on after the third.
//! server.then(Script::accept().frame(identity(1)).frame(identity(2)).cut());
//! server.then(Script::accept().frame(identity(3)));
//! // A client of `server.url()` reads, and then:
//! let seen = server.wait_for(|connections| connections.len() == 2).await;
//! assert_eq!(seen[1].cursor(), Some(2));
//! # Ok(()) }
//! ```

mod frames;
mod script;
mod websocket;

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

pub use frames::{at, cbor, error, identity, message, of_kind};
pub use script::Script;

use crate::{Received, stub::read_request};

/// What a test waits for happens long before.
const LIMIT: Duration = Duration::from_secs(20);

/// A server of streams on a free port of 127.0.0.1. Dropping it ends it, and its connections.
///
/// It has a queue of scripts, one for each connection; the last one stays. Every path is served.
#[derive(Debug)]
pub struct StreamServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

/// What the server has seen of a connection.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The request.
    pub request: Received,
    /// The texts that the client has sent.
    pub texts: Vec<String>,
    /// How many binary messages the client has sent.
    pub binaries: usize,
    /// How many pings the client has sent.
    pub pings: usize,
    /// How many pongs the client has sent.
    pub pongs: usize,
    /// The code of the client's close frame.
    pub close: Option<u16>,
    /// How many steps of the script, and messages of a flood, have been written to the connection.
    pub written: u64,
    /// Whether the client has ended the connection.
    pub left: bool,
}

impl Seen {
    /// A parameter of the query.
    pub fn param(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.request.query.as_bytes());
        pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }

    /// The cursor of the request.
    pub fn cursor(&self) -> Option<i64> {
        self.param("cursor")?.parse().ok()
    }
}

struct Shared {
    scripts: Mutex<Vec<Script>>,
    connections: Mutex<Vec<Seen>>,
    changed: watch::Sender<u64>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("connections", &*self.connections()).finish_non_exhaustive()
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, connection: usize, change: impl FnOnce(&mut Seen)) {
        if let Some(seen) = self.connections().get_mut(connection) {
            change(seen);
        }
        self.changed.send_modify(|version| *version += 1);
    }

    /// The script of the next connection.
    fn script(&self) -> Script {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        match scripts.len() {
            0 => Script::accept(),
            1 => scripts[0].clone(),
            _ => scripts.remove(0),
        }
    }

    /// Waits until what has been seen is as it should be. Returns whether it is.
    async fn wait(&self, mut is_so: impl FnMut(&[Seen]) -> bool) -> bool {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !is_so(&self.connections()) {
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(LIMIT, waiting).await.is_ok()
    }
}

impl StreamServer {
    /// Starts the server; it serves while the current runtime runs.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            connections: Mutex::default(),
            changed: watch::Sender::new(0),
        });
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            // With the server, its connections end.
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(serve(connection, Arc::clone(&served)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Its origin, `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its origin for WebSockets, `ws://127.0.0.1:<port>`.
    pub fn websocket_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// One more script: for the connection after those that have one, and for all that follow if none is added.
    pub fn then(&self, script: Script) {
        self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).push(script);
    }

    /// What has been seen of the connections so far, in their order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.connections().clone()
    }

    /// Waits until what has been seen is as it should be, and returns it.
    ///
    /// # Panics
    /// When it is not so within twenty seconds.
    pub async fn wait_for(&self, is_so: impl FnMut(&[Seen]) -> bool) -> Vec<Seen> {
        let came = self.shared.wait(is_so).await;
        let seen = self.seen();
        assert!(came, "what was waited for has not happened: {seen:?}");
        seen
    }
}

impl Drop for StreamServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    let _ = connection.set_nodelay(true);
    let Some(request) = read_request(&mut connection).await else { return };
    let script = shared.script();
    let number = {
        let mut connections = shared.connections();
        connections.push(Seen {
            request: request.clone(),
            texts: Vec::new(),
            binaries: 0,
            pings: 0,
            pongs: 0,
            close: None,
            written: 0,
            left: false,
        });
        connections.len() - 1
    };
    shared.note(number, |_| {});
    // The client may have gone; that is what some tests want.
    let _ = script::play(script, connection, &request, &shared, number).await;
}
