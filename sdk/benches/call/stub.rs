//! A server in another process, whose cost is not counted: it answers like a PDS, without thinking. On request it holds its
//! answers back.

use std::{
    env,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// The body of a PDS's answer to `describeServer`.
const DESCRIPTION: &str = r##"{"did":"did:web:pds.example","availableUserDomains":[".pds.example"],"inviteCodeRequired":false,"links":{"privacyPolicy":"https://pds.example/privacy","termsOfService":"https://pds.example/terms"},"contact":{"email":"admin@pds.example"}}"##;
const SESSION: &str = r##"{"accessJwt":"ACCESS","refreshJwt":"REFRESH","handle":"alice.pds.example","did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","email":"alice@pds.example","emailConfirmed":true,"active":true}"##;

/// The process. It ends with this one.
pub(crate) struct Stub {
    child: Child,
    origin: String,
    http: reqwest::Client,
}

impl Stub {
    pub(crate) fn start() -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let mut child =
            command.arg("serve-stub").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut origin = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut origin).unwrap();
        Self { child, origin: origin.trim().to_owned(), http: crate::clients::plain_http() }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Keeps requests waiting from now on.
    pub(crate) async fn hold(&self) {
        self.control("hold").await;
    }

    /// The number of requests that are waiting.
    pub(crate) async fn waiting(&self) -> usize {
        self.control("waiting").await.parse().unwrap()
    }

    /// Answers all requests that are waiting.
    pub(crate) async fn release(&self) {
        self.control("release").await;
    }

    /// Goes through more memory than the caches of the processor hold before each answer from now on, so that the caller finds
    /// nothing in them.
    pub(crate) async fn empty_caches(&self) {
        self.control("empty-caches").await;
    }

    async fn control(&self, what: &str) -> String {
        self.http.get(format!("{}/{what}", self.origin)).send().await.unwrap().text().await.unwrap()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

struct State {
    held: watch::Sender<bool>,
    waiting: AtomicUsize,
    empties_caches: AtomicBool,
    memory: Mutex<Vec<u8>>,
}

impl State {
    fn empty_caches(&self) {
        // Larger than the last cache of most processors.
        const SIZE: usize = 64 << 20;
        const LINE: usize = 64;
        let mut memory = self.memory.lock().unwrap();
        memory.resize(SIZE, 1);
        memory.chunks_mut(LINE).for_each(|line| line[0] = line[0].wrapping_add(1));
    }
}

/// Serves until the standard input is closed.
pub(crate) async fn serve() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let state = Arc::new(State {
        held: watch::Sender::new(false),
        waiting: AtomicUsize::new(0),
        empties_caches: AtomicBool::new(false),
        memory: Mutex::default(),
    });
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        tokio::spawn(answer_all(connection, Arc::clone(&state)));
    }
}

/// Answers the requests of a connection until it ends.
async fn answer_all(mut connection: TcpStream, state: Arc<State>) -> Option<()> {
    connection.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    loop {
        let path = read_request(&mut connection, &mut bytes).await?;
        let body = match path.as_str() {
            "/hold" => state.held.send_replace(true).to_string(),
            "/release" => state.held.send_replace(false).to_string(),
            "/empty-caches" => state.empties_caches.swap(true, Ordering::SeqCst).to_string(),
            "/waiting" => state.waiting.load(Ordering::SeqCst).to_string(),
            "/xrpc/com.atproto.server.createSession" => SESSION.to_owned(),
            _ => {
                let mut held = state.held.subscribe();
                if *held.borrow_and_update() {
                    state.waiting.fetch_add(1, Ordering::SeqCst);
                    held.wait_for(|held| !held).await.ok()?;
                    state.waiting.fetch_sub(1, Ordering::SeqCst);
                }
                if state.empties_caches.load(Ordering::SeqCst) {
                    state.empty_caches();
                }
                DESCRIPTION.to_owned()
            }
        };
        connection.write_all(response(&body).as_bytes()).await.ok()?;
    }
}

/// The headers are those that the reference PDS sends.
fn response(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nAccess-Control-Allow-Origin: *\r\n\
         DPoP-Nonce: MlkKsnLTcAZmAQVbnDuPpDEJdWxMnYMCnTCRzjcPlH0\r\n\
         Access-Control-Expose-Headers: DPoP-Nonce\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {length}\r\n\
         ETag: W/\"10d-MMgmHLFzRuBDyhxzdXv1LjAUkYk\"\r\nVary: Accept-Encoding\r\n\
         Date: Thu, 26 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=60\r\n\r\n{body}"
    )
}

/// Reads a request, and returns its path.
async fn read_request(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    bytes.clear();
    let head = loop {
        if connection.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let end = head + length.map_or(0, |length| length.parse::<usize>().unwrap());
    while bytes.len() < end {
        if connection.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8_lossy(&bytes[..head]);
    Some(text.split(' ').nth(1)?.split('?').next()?.to_owned())
}
