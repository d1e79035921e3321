//! Servers that attack whoever fetches from them (protocol O9), each limit for itself. The list of all attacks is in
//! `oauth/tests/sign_in/hostile.rs`.

use std::io::Write as _;

use tokio::net::TcpListener;

use super::{super::did::DidLookup, *};

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

#[tokio::test]
async fn o4_o9_a_directory_with_bombs_in_its_documents() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    let did = Did::new(ALICE).unwrap();
    let json = |body: String| answer_with("200 OK", "content-type: application/json\r\n", &body);
    let services = json!({"id": "#x", "type": "X", "serviceEndpoint": "https://x.example.com"});
    let bombs = [
        "[".repeat(200_000),
        "{\"a\":".repeat(40_000),
        format!("{{\"id\":\"{ALICE}\",\"service\":{}", "[".repeat(100_000)),
        format!("{{\"id\":\"{ALICE}\",\"alsoKnownAs\":[{}0]}}", "0,".repeat(120_000)),
        format!("{{\"id\":\"{ALICE}\",\"service\":[{}{services}]}}", format!("{services},").repeat(3500)),
        format!("{{\"id\":\"{}\"}}", "did:plc:".repeat(20_000)),
        format!("{{\"id\":\"{ALICE}\",\"id\":\"{BOB}\"}}"),
        format!("{{\"id\":1e{}}}", "9".repeat(100_000)),
    ];
    for bomb in bombs {
        web.raw(&format!("/{ALICE}"), json(bomb.clone()));
        let begun = std::time::Instant::now();
        // Those that are documents all the same have no PDS.
        let error = resolver.resolve(did.as_str()).await.unwrap_err();
        resolver.invalidate(&did);
        let excerpt = &bomb[..40];
        assert!(begun.elapsed() < Duration::from_secs(5), "{excerpt}: {:?}", begun.elapsed());
        let expected = matches!(
            error,
            IdentityError::DidUnresolved { .. }
                | IdentityError::NoPds { .. }
                | IdentityError::WrongDocument { .. }
        );
        assert!(expected && error.to_string().len() < 500, "{excerpt}: {error:?}");
    }
}

#[tokio::test]
async fn o4_o9_a_directory_that_drips_or_never_ends() {
    let did = Did::new(ALICE).unwrap();
    for (piece, pause) in [(chunk(b" "), Duration::from_millis(20)), (chunk(&[b' '; 8192]), Duration::ZERO)] {
        let plc_http = patient(Duration::from_millis(1500));
        let plc_directory = endless(CHUNKED, piece, pause).await;
        let lookup = DidLookup { plc_directory, web_http: plc_http.clone(), plc_http, development: true };
        let begun = std::time::Instant::now();
        let error = lookup.resolve(&did).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        let IdentityError::DidUnresolved { source, .. } = error else { panic!("{error:?}") };
        assert!(matches!(source, FetchError::Timeout { .. } | FetchError::TooLarge { .. }), "{source:?}");
    }
}

#[tokio::test]
async fn o2_o9_a_handle_server_sends_anything_but_a_did() {
    let web = Web::start().await;
    let handle = alice_handle();
    for body in [
        format!("{ALICE}\n{BOB}"),
        format!("{ALICE}\u{0}"),
        format!("{ALICE}\r\nX-Injected: a"),
        format!("did:plc:{}", "a".repeat(4000)),
        "x".repeat(9000),
        "did:".repeat(2000),
        String::new(),
    ] {
        web.text("/alice.example.com", &body);
        let error = lookup(&[], well_known_at(&web)).await.resolve(&handle).await.unwrap_err();
        let IdentityError::HandleUnresolved { well_known, .. } = &error else { panic!("{error:?}") };
        assert!(
            matches!(**well_known, FetchError::Text { .. } | FetchError::TooLarge { .. }),
            "{well_known:?}"
        );
        assert!(error.to_string().len() < 1000 && !error.to_string().contains('\r'), "{error}");
    }
    // A circle of redirects.
    web.redirect("/alice.example.com", "/alice.example.com");
    let before = web.hits();
    lookup(&[], well_known_at(&web)).await.resolve(&handle).await.unwrap_err();
    assert_eq!(web.hits() - before, 4);
    // Whatever it does, the records of DNS are enough.
    let origin = endless(CHUNKED, chunk(b" "), Duration::from_millis(50)).await;
    let well_known = Box::leak(format!("{origin}/{{handle}}").into_boxed_str());
    let begun = std::time::Instant::now();
    let lookup = lookup(&[(ALICE_TXT, [ALICE_RECORD].as_slice())], well_known).await;
    assert_eq!(lookup.resolve(&handle).await.unwrap().as_str(), ALICE);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn o9_a_name_that_moves_to_a_private_address_is_refused_at_each_connection() {
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // Public when it is looked at first, private ever after (DNS rebinding); and both at once.
    for later in [vec![[10, 0, 0, 1]], vec![[127, 0, 0, 1], [169, 254, 169, 254]]] {
        let counted = Arc::clone(&counted);
        counted.store(0, std::sync::atomic::Ordering::SeqCst);
        let lookup: Lookup = Arc::new(move |_| {
            let first = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
            // The documentation's range is not public either, so nothing leaves this machine.
            let addresses = if first { vec![[203, 0, 113, 1]] } else { later.clone() };
            Box::pin(async move { Ok(addresses.into_iter().map(IpAddr::from).collect()) })
        });
        let http = UntrustedHttp::for_tests(false, lookup, Duration::from_secs(5)).unwrap();
        for _ in 0..2 {
            let error = http.get_json::<Value>("https://rebind.example.com/").await.unwrap_err();
            assert!(matches!(error, FetchError::ForbiddenAddress { .. }), "{error:?}");
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 2);
    }
}
