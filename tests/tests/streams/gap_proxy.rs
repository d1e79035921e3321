//! A proxy before a PDS that leaves out some of the commits in its stream, and is slow with whole repositories.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy, copy_bidirectional},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf},
    task::JoinHandle,
    time::sleep,
};

/// One of so many commits is left out, beside those that have to be.
const LEFT_OUT: i64 = 6;

/// The proxy. Dropping it ends it.
pub(crate) struct GapProxy {
    address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    pds: String,
    slow: Duration,
    /// What is in a commit that is left out, and in one that is not.
    lost: &'static str,
    kept: &'static str,
    fetching: AtomicUsize,
    left_out: AtomicUsize,
}

/// A repository that is being fetched.
struct Fetching<'a>(&'a AtomicUsize);

impl Drop for Fetching<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl GapProxy {
    /// Commits with the path `lost` in them are left out, and those with `kept` are not.
    pub(crate) async fn before(pds: &str, slow: Duration, lost: &'static str, kept: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pds = pds.strip_prefix("http://").unwrap().to_owned();
        let (fetching, left_out) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let state = Arc::new(State { pds, slow, lost, kept, fetching, left_out });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // The client may be killed at any time.
                tokio::spawn(async move { drop(state.serve(connection).await) });
            }
        });
        Self { address, state, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many repositories are being fetched.
    pub(crate) fn fetching(&self) -> usize {
        self.state.fetching.load(SeqCst)
    }

    /// How often a commit was left out.
    pub(crate) fn left_out(&self) -> usize {
        self.state.left_out.load(SeqCst)
    }
}

impl Drop for GapProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    async fn serve(&self, client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        let head = read_head(&mut client).await?;
        let mut server = TcpStream::connect(&self.pds).await?;
        if head.contains("/xrpc/com.atproto.sync.subscribeRepos") {
            server.write_all(head.as_bytes()).await?;
            return self.stream(client.into_inner(), server).await;
        }
        let mut fetching = None;
        if head.contains("/xrpc/com.atproto.sync.getRepo") {
            self.fetching.fetch_add(1, SeqCst);
            fetching = Some(Fetching(&self.fetching));
            sleep(self.slow).await;
        }
        // Only one request for each connection.
        let head = head.replacen("\r\n\r\n", "\r\nconnection: close\r\n\r\n", 1);
        server.write_all(head.as_bytes()).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        drop(fetching);
        Ok(())
    }

    async fn stream(&self, client: TcpStream, server: TcpStream) -> io::Result<()> {
        let (mut from_client, mut to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let up = copy(&mut from_client, &mut to_server);
        let down = async {
            let mut from_server = BufReader::new(from_server);
            to_client.write_all(read_head(&mut from_server).await?.as_bytes()).await?;
            loop {
                let frame = read_frame(&mut from_server).await?;
                if self.leaves_out(&frame) {
                    self.left_out.fetch_add(1, SeqCst);
                } else {
                    to_client.write_all(&frame).await?;
                }
            }
        };
        tokio::select! {
            ended = up => ended.map(drop),
            ended = down => ended,
        }
    }

    fn leaves_out(&self, frame: &[u8]) -> bool {
        let is_commit = find(frame, b"#commit").is_some_and(|at| at < 40);
        if !is_commit || find(frame, self.kept.as_bytes()).is_some() {
            return false;
        }
        let is_lost = find(frame, self.lost.as_bytes()).is_some();
        is_lost || position(frame).is_some_and(|seq| seq % LEFT_OUT == 1)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The field `seq` of a message in DAG-CBOR.
fn position(frame: &[u8]) -> Option<i64> {
    let value = frame.get(find(frame, b"\x63seq")? + 4..)?;
    match value {
        [small @ 0..24, ..] => Some(i64::from(*small)),
        [0x18, byte, ..] => Some(i64::from(*byte)),
        [0x19, high, low, ..] => Some(i64::from(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

async fn read_head<R: tokio::io::AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// A frame of a WebSocket as the server sends it.
async fn read_frame(reader: &mut BufReader<OwnedReadHalf>) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 2];
    reader.read_exact(&mut frame).await?;
    let more = match frame[1] & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    frame.resize(2 + more, 0);
    reader.read_exact(&mut frame[2..]).await?;
    let length = match more {
        0 => u64::from(frame[1] & 0x7f),
        _ => frame[2..].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    let begin = frame.len();
    frame.resize(begin + length as usize, 0);
    reader.read_exact(&mut frame[begin..]).await?;
    Ok(frame)
}
