//! A name server on this machine with TXT records that a test sets.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{net::UdpSocket, task::JoinHandle};

/// Of the answer to a name that does not exist.
const NAME_ERROR: u8 = 3;
/// Of the answer of a server that cannot answer now.
const SERVER_FAILURE: u8 = 2;

/// A name server on a free UDP port of 127.0.0.1 that answers TXT questions from a table. Dropping it ends it.
///
/// Names that are not in the table do not exist.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    table: Arc<Mutex<Table>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Table {
    records: HashMap<String, Vec<String>>,
    asked: Vec<String>,
    fails: bool,
}

impl DnsServer {
    /// Starts the server; it serves while the current runtime runs.
    ///
    /// # Errors
    /// When no port can be opened.
    pub async fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let table = Arc::<Mutex<Table>>::default();
        let served = Arc::clone(&table);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = answer(&buffer[..length], &mut lock(&served));
                if let Some(answer) = answer {
                    // The client may have gone.
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Ok(Self { address, table, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets the TXT records of a name. With none, the name exists and has no records.
    pub fn set(&self, name: &str, records: &[&str]) {
        let records = records.iter().map(|text| (*text).to_owned()).collect();
        lock(&self.table).records.insert(name.to_ascii_lowercase(), records);
    }

    /// Makes the name not exist.
    pub fn remove(&self, name: &str) {
        lock(&self.table).records.remove(&name.to_ascii_lowercase());
    }

    /// Makes every answer from now on one of a server that has failed, or a good one again.
    pub fn fail(&self, fails: bool) {
        lock(&self.table).fails = fails;
    }

    /// The names that were asked for so far, in lower case.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.table).asked.clone()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answer to a question; `None` to what is no question.
fn answer(question: &[u8], table: &mut Table) -> Option<Vec<u8>> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while *question.get(at)? != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(question.get(at + 1..at + 1 + length)?).to_lowercase());
        at += length + 1;
    }
    let asked = question.get(12..at + 5)?;
    let name = labels.join(".");
    let texts = table.records.get(&name).filter(|_| !table.fails);
    let code = match (texts, table.fails) {
        (_, true) => SERVER_FAILURE,
        (None, _) => NAME_ERROR,
        (Some(_), _) => 0,
    };
    let count = u8::try_from(texts.map_or(0, Vec::len)).ok()?;
    // Response, recursion desired and available.
    let mut out = vec![question[0], question[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    out.extend_from_slice(asked);
    for text in texts.into_iter().flatten() {
        // Pointer to the name in the question, type TXT, class IN, a day to live.
        out.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 1, 0x51, 0x80]);
        // Split in two character strings, as long records are.
        let (first, second) = text.as_bytes().split_at(text.len() / 2);
        out.extend_from_slice(&u16::try_from(text.len() + 2).ok()?.to_be_bytes());
        for part in [first, second] {
            out.push(u8::try_from(part.len()).ok()?);
            out.extend_from_slice(part);
        }
    }
    table.asked.push(name);
    Some(out)
}
