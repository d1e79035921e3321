//! A server with scripted answers: broken bodies, early ends, delays, wrong headers.

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// The largest request that is read; more is a mistake of the test.
const REQUEST_LIMIT: usize = 64 * 1024 * 1024;

/// An HTTP server on a free port of 127.0.0.1 that answers what it was told to. Dropping it ends it.
///
/// A path has a queue of answers; the last one stays. A path without answers gets 404. Every connection serves one
/// request.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Script {
    answers: HashMap<String, Vec<Answer>>,
    received: Vec<Received>,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script").field("received", &self.received.len()).finish_non_exhaustive()
    }
}

/// What the stub answers.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    close_after: Option<usize>,
}

/// A request that the stub got.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method, such as `GET`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, without the question mark.
    pub query: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without chunked encoding.
    pub body: Vec<u8>,
}

impl Received {
    /// The first header of that (lower case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// A field of the body, if that is a form.
    pub fn form(&self, name: &str) -> Option<String> {
        let is_form = |value: &str| value.starts_with("application/x-www-form-urlencoded");
        self.header("content-type").filter(|value| is_form(value))?;
        let mut fields = url::form_urlencoded::parse(&self.body);
        fields.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

impl Answer {
    /// An answer with that status and an empty body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, close_after: None }
    }

    /// 200 with JSON.
    pub fn json(body: impl Into<String>) -> Self {
        Self::status(200).header("content-type", "application/json").body(body.into())
    }

    /// 200 with a page.
    pub fn html(body: impl Into<String>) -> Self {
        Self::status(200).header("content-type", "text/html; charset=utf-8").body(body.into())
    }

    /// Another status, with everything else as it is.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// One more header. A `content-length` replaces the true one.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Waits that long before it answers.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Ends the connection after that many bytes of the body, while the header promised all of them.
    #[must_use]
    pub fn close_after(mut self, bytes: usize) -> Self {
        self.close_after = Some(bytes);
        self
    }

    /// Reads the request and ends the connection without a word.
    pub fn hang_up() -> Self {
        Self::status(0)
    }

    /// The bytes to send; none for [`hang_up`](Self::hang_up).
    pub(crate) fn bytes(&self, head_only: bool) -> Vec<u8> {
        if self.status == 0 {
            return Vec::new();
        }
        let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", self.status);
        let names_length = |name: &str| name.eq_ignore_ascii_case("content-length");
        let bodiless = self.status == 204 || self.status == 304;
        if !bodiless && !self.headers.iter().any(|(name, _)| names_length(name)) {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !head_only {
            let end = self.close_after.map_or(self.body.len(), |end| end.min(self.body.len()));
            bytes.extend_from_slice(&self.body[..end]);
        }
        bytes
    }
}

impl Stub {
    /// Starts the server; it serves while the current runtime runs.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let script = Arc::<Mutex<Script>>::default();
        let served = Arc::clone(&script);
        let task = tokio::spawn(async move {
            // Ends by being aborted. A connection that fails is the client's business.
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&served)));
            }
        });
        Ok(Self { address, script, task })
    }

    /// Its origin, `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// One more answer for a path, whatever the method.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.script().answers.entry(path.to_owned()).or_default().push(answer);
    }

    /// Forgets the answers of a path and answers this from now on.
    pub fn replace(&self, path: &str, answer: Answer) {
        self.script().answers.insert(path.to_owned(), vec![answer]);
    }

    /// The requests so far, in the order of their arrival.
    pub fn received(&self) -> Vec<Received> {
        self.script().received.clone()
    }

    /// The requests so far to a path.
    pub fn received_at(&self, path: &str) -> Vec<Received> {
        self.script().received.iter().filter(|request| request.path == path).cloned().collect()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, script: Arc<Mutex<Script>>) {
    let Some(request) = read_request(&mut connection).await else { return };
    let head_only = request.method == "HEAD";
    let answer = {
        let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = match script.answers.get_mut(&request.path) {
            Some(queue) if queue.len() > 1 => queue.remove(0),
            Some(queue) => queue.first().cloned().unwrap_or_else(|| Answer::status(404)),
            None => Answer::status(404).body(format!("nothing is scripted for {}", request.path)),
        };
        script.received.push(request);
        answer
    };
    tokio::time::sleep(answer.delay).await;
    // The client may have gone; that is what some tests want.
    let _ = connection.write_all(&answer.bytes(head_only)).await;
    let _ = connection.shutdown().await;
}

/// `None` for what is no whole request.
pub(crate) async fn read_request(connection: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = find(&bytes, b"\r\n\r\n") {
            break at;
        }
        read_more(connection, &mut bytes).await?;
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let mut rest = bytes.split_off(head_end + 4);
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request =
        Received { method, path: path.to_owned(), query: query.to_owned(), headers, body: Vec::new() };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        connection.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        request.body = read_chunks(connection, rest).await?;
    } else if let Some(length) = request.header("content-length") {
        let length: usize = length.parse().ok()?;
        while rest.len() < length {
            read_more(connection, &mut rest).await?;
        }
        rest.truncate(length);
        request.body = rest;
    }
    Some(request)
}

async fn read_chunks(connection: &mut TcpStream, mut rest: Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line_end = loop {
            if let Some(at) = find(&rest, b"\r\n") {
                break at;
            }
            read_more(connection, &mut rest).await?;
        };
        let line = std::str::from_utf8(&rest[..line_end]).ok()?;
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        let start = line_end + 2;
        let end = start.checked_add(length)?;
        while rest.len() < end.checked_add(2)? {
            read_more(connection, &mut rest).await?;
        }
        body.extend_from_slice(&rest[start..end]);
        rest.drain(..end + 2);
    }
}

async fn read_more(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let read = connection.read_buf(bytes).await.ok()?;
    (read > 0 && bytes.len() <= REQUEST_LIMIT).then_some(())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
