//! Many hosts that strangers name (protocol O9): how many sockets they take, and whether one domain holds up the others.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::limits;

/// A server that keeps every connection open for as long as the other side does, and counts them.
#[derive(Clone, Default)]
struct Crowd {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Crowd {
    async fn start(&self, hangs: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let crowd = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let crowd = crowd.clone();
                tokio::spawn(async move {
                    let open = crowd.open.fetch_add(1, Ordering::SeqCst) + 1;
                    crowd.most.fetch_max(open, Ordering::SeqCst);
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                        crowd.asked.fetch_add(1, Ordering::SeqCst);
                        if hangs {
                            continue;
                        }
                        let head =
                            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok";
                        if stream.write_all(head.as_bytes()).await.is_err() {
                            break;
                        }
                    }
                    crowd.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        address
    }

    fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let patience = tokio::time::timeout(Duration::from_secs(30), async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(patience.await.is_ok(), "{} open, {} asked", self.open(), self.asked.load(Ordering::SeqCst));
    }
}

/// A client with places of its own, in whose world all names are at this machine.
fn client(at_once: usize, of_domain: usize, kept: usize) -> UntrustedHttp {
    let places = super::super::places::Places::new(
        at_once,
        crate::domains::Domains::new(of_domain, 10_000, 10_000),
        kept,
    );
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
    UntrustedHttp::crowded(lookup, Duration::from_secs(60), places).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_two_hundred_hosts_that_keep_connections_open_take_few_sockets() {
    let crowd = Crowd::default();
    let port = crowd.start(false).await.port();
    let http = client(20, 20, 30);
    let fetches = (0..200).map(|n| {
        let http = http.clone();
        tokio::spawn(
            async move { http.get_text(&format!("http://h{n}.localhost:{port}/"), 0).await.unwrap() },
        )
    });
    for text in futures_util::future::join_all(fetches).await {
        assert_eq!(text.unwrap(), "ok");
    }
    assert_eq!(crowd.asked.load(Ordering::SeqCst), 200);
    // Those that are closed are noticed a moment later.
    crowd.until(|crowd| crowd.open() <= 30).await;
    let most = crowd.most.load(Ordering::SeqCst);
    assert!(most <= 20 + 30 + 20, "{most} sockets at once");
    let begun = tokio::time::Instant::now();
    crowd.until(|crowd| crowd.open() == 0).await;
    assert!(begun.elapsed() < limits::FETCH_IDLE * 3, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_what_a_client_keeps_is_one_connection_for_each_host_and_not_for_long() {
    let crowd = Crowd::default();
    let port = crowd.start(false).await.port();
    let http = client(20, 20, 1000);
    let url = format!("http://one.localhost:{port}/");
    let fetches = (0..10).map(|_| http.get_text(&url, 0));
    futures_util::future::try_join_all(fetches).await.unwrap();
    crowd.until(|crowd| crowd.open() <= 1).await;
    http.get_text(&url, 0).await.unwrap();
    assert_eq!(crowd.asked.load(Ordering::SeqCst), 11);
    crowd.until(|crowd| crowd.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_redirects_leave_no_connections_to_further_hosts() {
    let crowd = Crowd::default();
    let target = crowd.start(false).await.port();
    let web = Web::start().await;
    let http = client(20, 20, 1000);
    for n in 0..10 {
        web.redirect("/", &format!("http://h{n}.localhost:{target}/"));
        assert_eq!(http.get_text(&web.origin, 3).await.unwrap(), "ok");
    }
    let begun = tokio::time::Instant::now();
    crowd.until(|crowd| crowd.open() == 0).await;
    assert!(begun.elapsed() < limits::FETCH_IDLE / 2, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn o9_hosts_of_one_domain_that_hang_do_not_hold_up_others() {
    let (hanging, quick) = (Crowd::default(), Crowd::default());
    let (silent, port) = (hanging.start(true).await.port(), quick.start(false).await.port());
    let http = client(8, 4, 0);
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let http = http.clone();
            tokio::spawn(
                async move { http.get_text(&format!("http://h{n}.evil.localhost:{silent}/"), 0).await },
            )
        })
        .collect();
    hanging.until(|crowd| crowd.asked.load(Ordering::SeqCst) == 4).await;
    for n in 0..20 {
        let url = format!("http://alice.example{n}.localhost:{port}/");
        assert_eq!(http.get_text(&url, 0).await.unwrap(), "ok");
    }
    assert_eq!(hanging.most.load(Ordering::SeqCst), 4);
    waiting.iter().for_each(|fetch| fetch.abort());
}
