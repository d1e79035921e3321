//! A DNS server and a web server on loopback, with answers made by hand.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
};

/// Answers TXT questions from a table; names that are not in it do not exist.
pub(super) async fn dns(records: &[(&str, &[&str])]) -> SocketAddr {
    let table: HashMap<String, Vec<String>> = records
        .iter()
        .map(|(name, texts)| (name.to_string(), texts.iter().map(|text| text.to_string()).collect()))
        .collect();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let answer = answer(&buffer[..length], &table);
            socket.send_to(&answer, from).await.unwrap();
        }
    });
    address
}

fn answer(question: &[u8], table: &HashMap<String, Vec<String>>) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] != 0 {
        let length = question[at] as usize;
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    let asked = &question[12..at + 5];
    let texts = table.get(&labels.join("."));
    let count = texts.map_or(0, Vec::len) as u8;
    // Response, recursion desired and available; NXDOMAIN for names that are not in the table.
    let code = if texts.is_some() { 0x80 } else { 0x83 };
    let mut out = vec![question[0], question[1], 0x81, code, 0, 1, 0, count, 0, 0, 0, 0];
    out.extend_from_slice(asked);
    for text in texts.into_iter().flatten() {
        // Pointer to the name in the question, type TXT, class IN, a day to live.
        out.extend_from_slice(&[0xc0, 12, 0, 16, 0, 1, 0, 1, 0x51, 0x80]);
        // Split in two character strings, as long records are.
        let (a, b) = text.as_bytes().split_at(text.len() / 2);
        out.extend_from_slice(&((a.len() + b.len() + 2) as u16).to_be_bytes());
        for part in [a, b] {
            out.push(part.len() as u8);
            out.extend_from_slice(part);
        }
    }
    out
}

/// A web server with a table of whole answers by path and query.
pub(super) struct Web {
    pub(super) port: u16,
    pub(super) origin: String,
    hits: Arc<AtomicUsize>,
    answers: Arc<Mutex<HashMap<String, String>>>,
}

impl Web {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let hits = Arc::new(AtomicUsize::new(0));
        let answers: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let (counted, table) = (Arc::clone(&hits), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counted, table) = (Arc::clone(&counted), Arc::clone(&table));
                tokio::spawn(async move {
                    let mut buffer = vec![0; 8192];
                    let length = stream.read(&mut buffer).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    counted.fetch_add(1, Ordering::SeqCst);
                    let answer = table.lock().unwrap().get(&path).cloned();
                    match answer.as_deref() {
                        Some("hang") => tokio::time::sleep(std::time::Duration::from_secs(60)).await,
                        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                        None => drop(stream.write_all(answer_with("404 Not Found", "", "").as_bytes()).await),
                    }
                });
            }
        });
        Self { port, origin: format!("http://localhost:{port}"), hits, answers }
    }

    /// Sets a whole answer.
    pub(super) fn raw(&self, path: &str, answer: impl Into<String>) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer.into());
    }

    pub(super) fn status(&self, path: &str, status: &str) {
        self.raw(path, answer_with(status, "", ""));
    }

    pub(super) fn json(&self, path: &str, body: &serde_json::Value) {
        self.raw(path, answer_with("200 OK", "content-type: application/json\r\n", &body.to_string()));
    }

    pub(super) fn text(&self, path: &str, body: &str) {
        self.raw(path, answer_with("200 OK", "content-type: text/plain\r\n", body));
    }

    pub(super) fn redirect(&self, path: &str, to: &str) {
        self.raw(path, answer_with("302 Found", &format!("location: {to}\r\n"), ""));
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

pub(super) fn answer_with(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}
