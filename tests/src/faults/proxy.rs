//! The proxy.

use std::{
    collections::HashMap,
    fmt, io,
    net::{Ipv4Addr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{
    answer::{Answered, http_date},
    exchange::{Delivered, Exchange},
    fault::{Fault, Kind, Matches, millis},
    rewrite::rewritten,
    seed::Seed,
};
use crate::{Network, NetworkError, Received, stub::read_request};

/// The limit for the server to answer.
const SERVER_LIMIT: Duration = Duration::from_secs(60);

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The network does not make room for it.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The public port of the PDS cannot be taken.
    #[error("the proxy cannot listen on the public port {port} of the PDS")]
    Listen {
        /// The port.
        port: u16,
        /// The cause.
        source: io::Error,
    },
    /// The client for the server behind cannot be made.
    #[error("there is no HTTP client for the server behind the proxy")]
    Client(#[from] reqwest::Error),
}

/// A proxy on the public port of a network's PDS, which listens elsewhere from then on. Dropping it ends it.
///
/// Nothing goes wrong until [`play`](Self::play).
pub struct FaultProxy {
    shared: Arc<Shared>,
    listeners: Vec<JoinHandle<()>>,
}

struct Shared {
    server: String,
    http: reqwest::Client,
    began: Instant,
    playing: Mutex<Option<Playing>>,
    log: Mutex<Vec<Exchange>>,
    holds: Mutex<Vec<Waiting>>,
    first_nonce: Mutex<Option<String>>,
    /// By how many seconds the `Date` of every answer is wrong.
    date_offset: AtomicI64,
}

/// The faults of a plan while they happen.
struct Playing {
    faults: Vec<Fault>,
    seed: Seed,
    /// How many requests each could have happened to, and to how many it happened.
    counts: Vec<(u64, u64)>,
}

/// Where a request is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Point {
    /// Before the server gets it.
    BeforeServer,
    /// When the server has answered and the client does not know yet.
    AfterServer,
}

struct Waiting {
    matches: Matches,
    point: Point,
    reached: mpsc::UnboundedSender<oneshot::Sender<bool>>,
}

/// Requests that stop at a point until they are told how to go on.
#[derive(Debug)]
pub struct Hold {
    reached: mpsc::UnboundedReceiver<oneshot::Sender<bool>>,
    stopped: Vec<oneshot::Sender<bool>>,
}

impl Hold {
    /// Waits until a request has stopped.
    pub async fn reached(&mut self) {
        if let Some(stopped) = self.reached.recv().await {
            self.stopped.push(stopped);
        }
    }

    /// Has all requests that have stopped go on. They end here if `on` is false.
    pub fn release(&mut self, on: bool) {
        while let Ok(stopped) = self.reached.try_recv() {
            self.stopped.push(stopped);
        }
        for stopped in self.stopped.drain(..) {
            // Fails for a connection that has ended.
            let _ = stopped.send(on);
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy").field("server", &self.shared.server).finish_non_exhaustive()
    }
}

impl FaultProxy {
    /// Puts a proxy before the PDS of a network. It serves while the current runtime runs.
    ///
    /// # Errors
    /// When the PDS cannot be moved or its port cannot be taken.
    pub async fn before(network: &Network) -> Result<Self, ProxyError> {
        let behind = network.step_behind().await?;
        let port = network.pds().rsplit(':').next().and_then(|port| port.trim_end_matches('/').parse().ok());
        let port: u16 = port.unwrap_or(80);
        let listen = |source| ProxyError::Listen { port, source };
        let mut listening = vec![TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?];
        // `localhost` is both, where there is IPv6.
        listening.extend(TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(SERVER_LIMIT)
            .build()?;
        let shared = Arc::new(Shared {
            server: format!("http://127.0.0.1:{behind}"),
            http,
            began: Instant::now(),
            playing: Mutex::default(),
            log: Mutex::default(),
            holds: Mutex::default(),
            first_nonce: Mutex::default(),
            date_offset: AtomicI64::new(0),
        });
        let listeners =
            listening.into_iter().map(|listener| tokio::spawn(listen_on(listener, Arc::clone(&shared))));
        Ok(Self { listeners: listeners.collect(), shared })
    }

    /// The address of the server behind it, for those who want to see what is really there.
    pub fn server(&self) -> &str {
        &self.shared.server
    }

    /// Has faults happen from now on.
    pub fn play(&self, faults: &[Fault], seed: Seed) {
        let counts = vec![(0, 0); faults.len()];
        *lock(&self.shared.playing) = Some(Playing { faults: faults.to_vec(), seed, counts });
    }

    /// Lets nothing go wrong from now on. Returns how often each fault happened.
    pub fn stop_playing(&self) -> HashMap<String, u64> {
        let Some(played) = lock(&self.shared.playing).take() else { return HashMap::new() };
        let counts = played.counts.iter().map(|(_, happened)| *happened);
        played.faults.into_iter().map(|fault| fault.name).zip(counts).collect()
    }

    /// Makes the `Date` of every answer wrong from now on.
    pub fn set_date_offset(&self, seconds: i64) {
        self.shared.date_offset.store(seconds, Ordering::Relaxed);
    }

    /// Stops requests of a kind at a point from now on, until the returned value is dropped, which ends those that have
    /// stopped.
    pub fn hold(&self, matches: Matches, point: Point) -> Hold {
        let (sender, reached) = mpsc::unbounded_channel();
        lock(&self.shared.holds).push(Waiting { matches, point, reached: sender });
        Hold { reached, stopped: Vec::new() }
    }

    /// Everything that has come to an end so far, in that order.
    pub fn exchanges(&self) -> Vec<Exchange> {
        lock(&self.shared.log).clone()
    }

    /// The time of the proxy's log.
    pub fn now(&self) -> Duration {
        self.shared.began.elapsed()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn listen_on(listener: TcpListener, shared: Arc<Shared>) {
    // Ends by being aborted. A connection that fails is the client's business.
    loop {
        match listener.accept().await {
            Ok((connection, _)) => drop(tokio::spawn(serve(connection, Arc::clone(&shared)))),
            // No file descriptor is free, for example.
            Err(_) => tokio::time::sleep(millis(20)).await,
        }
    }
}

async fn serve(mut connection: TcpStream, shared: Arc<Shared>) {
    // An answer is a few kilobytes and complete.
    let _ = connection.set_nodelay(true);
    while let Some(request) = read_request(&mut connection).await {
        let mut exchange = Exchange::begin(&request, shared.began.elapsed());
        let stays_open = shared.exchange(&request, &mut exchange, &mut connection).await;
        exchange.ended = shared.began.elapsed();
        lock(&shared.log).push(exchange);
        if !stays_open {
            break;
        }
    }
}

impl Shared {
    /// Answers a request. Returns whether the connection can be used for another one.
    async fn exchange(
        &self,
        request: &Received,
        exchange: &mut Exchange,
        connection: &mut TcpStream,
    ) -> bool {
        let fault = self.fault_for(request);
        let kind = fault.as_ref().map(|fault| fault.kind.clone());
        exchange.fault = fault.map(|fault| fault.name);
        if !self.hold(request, Point::BeforeServer).await {
            return false;
        }
        if let Some(Kind::Delay { millis: wait, answer: false } | Kind::Hang { millis: wait }) = kind {
            tokio::time::sleep(millis(wait)).await;
        }
        let answer = if kind.as_ref().is_none_or(Kind::reaches_server) {
            match self.ask_server(request, exchange, kind.as_ref()).await {
                Some(answer) => Some(answer),
                // The server is away, as during a restart.
                None => return false,
            }
        } else {
            None
        };
        if !self.hold(request, Point::AfterServer).await {
            return false;
        }
        self.deliver(request, exchange, connection, kind, answer).await.unwrap_or(false)
    }

    /// The fault that happens to a request: the first that can and that chance picks.
    fn fault_for(&self, request: &Received) -> Option<Fault> {
        let mut playing = lock(&self.playing);
        let Playing { faults, seed, counts } = playing.as_mut()?;
        for (number, (fault, (seen, happened))) in faults.iter().zip(counts).enumerate() {
            if !fault.matches.matches(request) {
                continue;
            }
            *seen += 1;
            let which = &fault.which;
            if which.nth.as_ref().is_none_or(|nth| nth.contains(seen))
                && which.at_most.is_none_or(|most| *happened < most)
                && seed.part(number as u64).fraction(*seen) < which.probability
            {
                *happened += 1;
                return Some(fault.clone());
            }
        }
        None
    }

    /// Waits where a test wants the request to stop. Returns whether it goes on.
    async fn hold(&self, request: &Received, point: Point) -> bool {
        let stopped = {
            let mut holds = lock(&self.holds);
            holds.retain(|hold| !hold.reached.is_closed());
            let mut here = holds.iter().filter(|hold| hold.point == point && hold.matches.matches(request));
            here.next().and_then(|hold| {
                let (sender, released) = oneshot::channel();
                hold.reached.send(sender).ok().map(|()| released)
            })
        };
        match stopped {
            Some(released) => released.await.unwrap_or(false),
            None => true,
        }
    }

    async fn ask_server(
        &self,
        request: &Received,
        exchange: &mut Exchange,
        kind: Option<&Kind>,
    ) -> Option<Answered> {
        let mut answer = self.forward(request).await;
        if let Some(answer) = &answer {
            exchange.note(answer);
            if let Some(nonce) = answer.header("dpop-nonce") {
                lock(&self.first_nonce).get_or_insert_with(|| nonce.to_owned());
            }
        } else {
            exchange.unanswered = true;
        }
        if let Some(Kind::Duplicate { second }) = kind
            && let Some(again) = self.forward(request).await
        {
            exchange.note(&again);
            if *second {
                answer = Some(again);
            }
        }
        answer
    }

    /// Sends a request to the server.
    async fn forward(&self, request: &Received) -> Option<Answered> {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let method = reqwest::Method::from_bytes(request.method.as_bytes()).ok()?;
        let mut forwarded = self.http.request(method, format!("{}{}{query}", self.server, request.path));
        for (name, value) in &request.headers {
            if !matches!(
                name.as_str(),
                "connection" | "content-length" | "transfer-encoding" | "expect" | "keep-alive"
            ) {
                forwarded = forwarded.header(name, value);
            }
        }
        if !request.body.is_empty() || request.header("content-length").is_some() {
            forwarded = forwarded.body(request.body.clone());
        }
        let response = forwarded.send().await.ok()?;
        let status = response.status().as_u16();
        let text =
            |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = response.headers().iter().filter(|(name, _)| {
            !matches!(name.as_str(), "connection" | "content-length" | "transfer-encoding" | "keep-alive")
        });
        let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
        let body = response.bytes().await.ok()?.to_vec();
        Some(Answered { status, headers, body })
    }

    /// Answers, or does what the fault says instead. Returns whether the connection can be used again.
    async fn deliver(
        &self,
        request: &Received,
        exchange: &mut Exchange,
        connection: &mut TcpStream,
        kind: Option<Kind>,
        answer: Option<Answered>,
    ) -> io::Result<bool> {
        let head_only = request.method == "HEAD";
        let kind = kind.unwrap_or(Kind::Delay { millis: 0, answer: false });
        if let Kind::Reset { .. } = kind {
            connection.set_zero_linger()?;
            return Ok(false);
        }
        if matches!(kind, Kind::Drop | Kind::Hang { .. } | Kind::Lose) {
            return Ok(false);
        }
        if let Kind::Delay { millis: wait, answer: true } = kind {
            tokio::time::sleep(millis(wait)).await;
        }
        let nonce = lock(&self.first_nonce).clone();
        let Some((mut told, same)) = rewritten(&kind, answer, &request.path, nonce.as_deref()) else {
            return Ok(false);
        };
        let offset = self.date_offset.load(Ordering::Relaxed);
        if offset != 0 {
            told.set("date", Some(http_date(offset)));
        }
        exchange.told = Some(told.status);
        if kind == Kind::Cut && !head_only {
            told.write_half(connection).await?;
            return Ok(false);
        }
        match kind {
            Kind::Drip { pieces, millis: pause } if !head_only => {
                told.drip(connection, pieces, millis(pause)).await?;
            }
            _ => told.write(connection, head_only).await?,
        }
        exchange.delivered = if same { Delivered::Whole } else { Delivered::Altered };
        Ok(true)
    }
}
