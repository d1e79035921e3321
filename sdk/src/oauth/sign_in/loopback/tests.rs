#![allow(clippy::unwrap_used)]

use super::*;

const STATE: &str = "the-state-of-this-sign-in";

async fn server() -> (CallbackServer, u16) {
    let uri = Url::parse("http://127.0.0.1/callback").unwrap();
    let server = CallbackServer::bind(uri, None).await.unwrap();
    let port = server.redirect_uri.port().unwrap();
    (server, port)
}

async fn get(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn only_this_sign_in_s_callback_counts() {
    let (server, port) = server().await;
    // A connection that a browser opened in advance and never uses.
    let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let receiving = tokio::spawn(async move { server.receive(STATE).await });
    for (request, status) in [
        ("GET /favicon.ico HTTP/1.1\r\n\r\n", 404),
        ("GET /callback HTTP/1.1\r\n\r\n", 404),
        ("GET /callback?code=c&state=another HTTP/1.1\r\n\r\n", 400),
        ("POST /callback?code=c&state=x HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        let page = get(port, request).await;
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {page}");
    }
    let long = format!("GET /callback?{} HTTP/1.1\r\n", "x".repeat(2 * MAX_HEAD));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(long.as_bytes()).await.ok();
    assert!(!receiving.is_finished());

    let browser = tokio::spawn(async move {
        get(port, &format!("GET /callback?code=c&iss=i&state={STATE} HTTP/1.1\r\nHost: x\r\n\r\n")).await
    });
    let (params, stream) = receiving.await.unwrap();
    assert_eq!(params.unwrap().state(), STATE);
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "one callback, and the port is closed");
    answer(stream, &Page::not_found()).await;
    assert!(browser.await.unwrap().contains("There is nothing here"));
}

#[tokio::test]
async fn a_dropped_wait_closes_the_port() {
    let (server, port) = server().await;
    let waiting = timeout(Duration::from_millis(50), server.receive(STATE));
    assert!(waiting.await.is_err());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}

#[tokio::test]
async fn a_malformed_callback_ends_the_wait_with_its_error() {
    let (server, port) = server().await;
    let browser =
        tokio::spawn(
            async move { get(port, &format!("GET /callback?state={STATE} HTTP/1.1\r\n\r\n")).await },
        );
    let (params, stream) = server.receive(STATE).await;
    let error = params.unwrap_err();
    assert!(matches!(error, CallbackError::Malformed { .. }));
    answer(stream, &page::of_result(Err(&error))).await;
    assert!(browser.await.unwrap().starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error_with_its_address() {
    let (_server, port) = server().await;
    let uri = Url::parse("http://127.0.0.1/callback").unwrap();
    match CallbackServer::bind(uri, Some(port)).await {
        Err(SignInError::Listen { address, .. }) => assert_eq!(address, format!("127.0.0.1:{port}")),
        _ => panic!("bound twice"),
    }
}
