//! Streams through a forward proxy, which alone knows the servers.

use std::sync::{Arc, Mutex};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tests::{
    Authority,
    stream_server::{Script, StreamServer, identity},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::{Quick, next, seqs};
use crate::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Params, SubscribeRepos},
    http_client::choose_crypto,
    stream::{Events, StreamError, Subscribe},
};

/// A proxy, whatever it is asked for leads to one server.
struct Proxy {
    url: String,
    /// The first lines of the requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `server` has the port of the server behind it.
    async fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, server, Arc::clone(&log)));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn forward(mut client: TcpStream, server: u16, log: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let (first, rest) = head.split_once("\r\n").unwrap();
    log.lock().unwrap().push(first.to_owned());
    let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
    if first.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    } else {
        // The server is asked for the path alone.
        let path = first.replacen("http://relay.example.com", "", 1);
        upstream.write_all(format!("{path}\r\n{rest}").as_bytes()).await.unwrap();
    }
    let _ = copy_bidirectional(&mut client, &mut upstream).await;
}

/// TLS before a server. Returns the port.
async fn tls(authority: &Authority, name: &str, server: u16) -> u16 {
    let issued = authority.issue(name);
    let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut client = acceptor.accept(client).await.unwrap();
                let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    port
}

fn port(server: &StreamServer) -> u16 {
    server.url().rsplit(':').next().unwrap().parse().unwrap()
}

fn subscribe(client: PublicClient) -> Events<'static, SubscribeRepos> {
    Subscribe::<SubscribeRepos>::new(client, Params::new()).backoff(Quick).stream()
}

#[tokio::test]
async fn e5_a_stream_and_its_later_connections_go_through_the_tunnel_of_a_proxy() {
    choose_crypto();
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).ping().frame(identity(2)).cut());
    server.then(Script::accept().frame(identity(3)));
    let authority = Authority::new();
    let proxy = Proxy::start(tls(&authority, "relay.example.com", port(&server)).await).await;
    let root = reqwest::Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
    let http = reqwest::Client::builder()
        .tls_certs_only([root])
        .proxy(reqwest::Proxy::all(&proxy.url).unwrap())
        .build()
        .unwrap();
    let client = PublicClient::builder("https://relay.example.com").http_client(http).build().unwrap();
    let mut events = subscribe(client);
    assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
    assert_eq!(proxy.asked(), ["CONNECT relay.example.com:443 HTTP/1.1"; 2]);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[1].cursor()), (2, Some(2)));
}

#[tokio::test]
async fn a_stream_without_tls_goes_through_the_proxy_of_its_client() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).ping().frame(identity(2)));
    let proxy = Proxy::start(port(&server)).await;
    let client = PublicClient::builder("http://relay.example.com").proxy(&proxy.url).build().unwrap();
    let mut events = subscribe(client);
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    let asked = proxy.asked();
    assert!(
        asked.len() == 1
            && asked[0].starts_with("GET http://relay.example.com/xrpc/com.atproto.sync.subscribeRepos"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_a_proxy_answers_itself_is_told_as_no_stream() {
    let proxy = tests::Stub::start().await.unwrap();
    let page = tests::Answer::html("<h1>Sign in to the network</h1>").with_status(200);
    proxy.answer("http://relay.example.com/xrpc/com.atproto.sync.subscribeRepos", page.clone());
    proxy.answer("/xrpc/com.atproto.sync.subscribeRepos", page);
    let client = PublicClient::builder("http://relay.example.com").proxy(proxy.url()).build().unwrap();
    let mut events = subscribe(client);
    let error = next(&mut events).await.unwrap().unwrap_err();
    let StreamError::NotAStream(problem) = &error else { panic!("{error:?}") };
    assert!(problem.found.contains("Sign in to the network"), "{problem}");
}
