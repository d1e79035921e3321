//! A name server and a web server on loopback, with answers made by hand.

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
    net::TcpListener,
};

/// Answers TXT questions from a table; names that are not in it do not exist.
pub(super) async fn dns(records: &[(&str, &[&str])]) -> SocketAddr {
    let server = tests::DnsServer::start().await.unwrap();
    for (name, texts) in records {
        server.set(name, texts);
    }
    let address = server.address();
    // Serves until the test's runtime ends.
    std::mem::forget(server);
    address
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
