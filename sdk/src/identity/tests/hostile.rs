//! Servers that attack whoever fetches from them (protocol O9), each limit for itself.

use std::io::Write as _;

use tokio::net::TcpListener;

use super::*;

/// A server that sends a head and then pieces of a body for as long as anybody listens.
async fn endless(head: &'static str, piece: Vec<u8>, pause: Duration) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let piece = piece.clone();
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(head.as_bytes()).await;
                while stream.write_all(&piece).await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
            });
        }
    });
    origin
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

fn patient(limit: Duration) -> UntrustedHttp {
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
    UntrustedHttp::for_tests(true, lookup, limit).unwrap()
}

#[tokio::test]
async fn o9_a_body_without_end_is_left() {
    let origin = endless(CHUNKED, chunk(&[b' '; 8192]), Duration::ZERO).await;
    let error = patient(Duration::from_secs(20)).get_json::<Value>(&origin).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn o9_a_body_that_drips_is_left() {
    let origin = endless(CHUNKED, chunk(b" "), Duration::from_millis(20)).await;
    let begun = std::time::Instant::now();
    let error = patient(Duration::from_millis(400)).get_json::<Value>(&origin).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn o9_headers_that_drip_are_left() {
    let origin = endless("HTTP/1.1 200 OK\r\n", b"x-a: b\r\n".to_vec(), Duration::from_millis(20)).await;
    let error = patient(Duration::from_millis(400)).get_json::<Value>(&origin).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. } | FetchError::Exchange { .. }), "{error:?}");
}

#[tokio::test]
async fn o9_a_gzip_bomb_counts_as_large_as_it_becomes() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b' '; 50 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 60 << 10, "it is small on the wire: {}", bomb.len());
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let origin = endless(HEAD, chunk(&bomb), Duration::from_millis(50)).await;
    let error = patient(Duration::from_secs(20)).get_json::<Value>(&origin).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn o9_redirects_lead_to_no_address_that_could_not_be_asked_itself() {
    let web = Web::start().await;
    for target in [
        "https://127.0.0.1/secret",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "http://example.com/",
        "file:///etc/passwd",
    ] {
        web.redirect("/", target);
        // Without the development switch nothing here could be asked at all; with it, this machine by name.
        let error = patient(Duration::from_secs(5)).get_text(&web.origin, 3).await.unwrap_err();
        let refused = matches!(error, FetchError::ForbiddenAddress { .. } | FetchError::InsecureUrl { .. });
        let is_loopback = target.contains("127.0.0.1") || target.contains("[::1]");
        assert!(refused || is_loopback, "{target}: {error:?}");
    }
    // A name that leads to a private address, behind a redirect.
    let lookup: Lookup = Arc::new(|name| {
        let address = if name == "localhost" { [127, 0, 0, 1] } else { [10, 0, 0, 1] };
        Box::pin(async move { Ok(vec![IpAddr::from(address)]) })
    });
    web.redirect("/", "https://inside.example.com/");
    let http = UntrustedHttp::for_tests(true, lookup, Duration::from_secs(5)).unwrap();
    let error = http.get_text(&web.origin, 3).await.unwrap_err();
    assert!(matches!(error, FetchError::ForbiddenAddress { range: "private", .. }), "{error:?}");
    // Metadata follows none, wherever it leads.
    web.redirect("/", "https://example.com/");
    let error = patient(Duration::from_secs(5)).get_json::<Value>(&web.origin).await.unwrap_err();
    assert!(matches!(error, FetchError::Redirect { .. }), "{error:?}");
}
