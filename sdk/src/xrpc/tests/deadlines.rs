//! One deadline for a call: its attempts, the waits between them, the head and a body that is read into memory.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::Instant,
};

use super::{Scripted, answer, did, dripping, handle, json};
use crate::{
    PasswordClient, PublicClient,
    api::com::atproto::{
        identity::{ComAtprotoIdentity, resolve_handle},
        sync::{ComAtprotoSync, get_blob},
    },
    types::Cid,
    xrpc::{Error, Transport, TransportError},
};

const SECOND: Duration = Duration::from_secs(1);

fn params() -> resolve_handle::Params {
    resolve_handle::Params::new(handle())
}

/// Resolves a handle within a second, and returns the error and how long that took.
async fn within_a_second(transport: &dyn Transport) -> (Error<resolve_handle::Error>, Duration) {
    let begun = Instant::now();
    let call = ComAtprotoIdentity::over(transport).resolve_handle(params()).timeout(SECOND);
    let result = tokio::time::timeout(SECOND * 600, call).await.expect("the call never ends");
    (result.unwrap_err(), begun.elapsed())
}

fn is_timeout<E: crate::xrpc::LexiconError>(error: &Error<E>) -> bool {
    matches!(error, Error::Transport(TransportError::Timeout { limit, .. }) if *limit == SECOND)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up_at_the_deadline() {
    let transport = Scripted::new(|_, _| Ok(dripping(200, "{")));
    let (error, took) = within_a_second(&transport).await;
    assert!(is_timeout(&error), "{error}");
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_error_whose_body_never_ends_is_still_that_error() {
    let transport = Scripted::new(|_, _| Ok(dripping(400, r#"{"error": "HandleNotFound"}"#)));
    let (error, took) = within_a_second(&transport).await;
    assert_eq!(error.lexicon_error(), Some(resolve_handle::Error::HandleNotFound), "{error}");
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_transport_that_never_answers_is_given_up_at_the_deadline() {
    struct Silent;
    impl Transport for Silent {
        fn send<'a>(&'a self, _: crate::xrpc::Request) -> crate::xrpc::BoxFuture<'a, super::Answer> {
            Box::pin(std::future::pending())
        }
    }
    let (error, took) = within_a_second(&Silent).await;
    assert!(is_timeout(&error), "{error}");
    assert_eq!(took, SECOND);
}

#[tokio::test(start_paused = true)]
async fn x5_attempts_and_the_waits_between_them_share_the_deadline() {
    struct Slow(Scripted<fn(usize, &crate::xrpc::Request) -> super::Answer>);
    impl Transport for Slow {
        fn send<'a>(&'a self, request: crate::xrpc::Request) -> crate::xrpc::BoxFuture<'a, super::Answer> {
            Box::pin(async move {
                let answer = self.0.send(request);
                tokio::time::sleep(Duration::from_millis(700)).await;
                answer.await
            })
        }
    }
    let slow = Slow(Scripted::new(|_, _| Ok(answer(503, &[], ""))));
    let (error, took) = within_a_second(&slow).await;
    assert!(took <= SECOND, "{took:?}: {error}");
    // The first wait may just fit, and then the deadline ends the second attempt.
    let of_server = error.response().is_some_and(|response| response.status == 503);
    assert!(of_server || is_timeout(&error), "{error}");
    assert!(slow.0.count() <= 2);
}

#[tokio::test(start_paused = true)]
async fn x4_a_wait_that_does_not_fit_is_not_begun() {
    let transport = Scripted::new(|_, _| Ok(answer(429, &[("retry-after", "20")], "")));
    let (error, took) = within_a_second(&transport).await;
    assert_eq!(error.response().unwrap().status, 429, "the server's answer, and not a timeout: {error}");
    assert_eq!((took, transport.count()), (Duration::ZERO, 1));
}

#[tokio::test(start_paused = true)]
async fn x4_retries_have_a_deadline_without_an_option() {
    let transport = Scripted::new(|_, _| Ok(answer(429, &[("retry-after", "29")], "")));
    let begun = Instant::now();
    let error = ComAtprotoIdentity::over(&transport).resolve_handle(params()).await.unwrap_err();
    assert_eq!(error.response().unwrap().status, 429);
    assert!(begun.elapsed() <= SECOND * 60, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_take_longer_than_the_deadline_of_its_head() {
    let transport = Scripted::new(|_, _| {
        let pieces = futures_util::stream::unfold(0, |n| async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            (n < 20).then(|| (Ok("piece".into()), n + 1))
        });
        let mut answer = json("");
        answer.body = crate::xrpc::ByteStream::new(pieces);
        answer.headers = super::headers(&[("content-type", "image/png")]);
        Ok(answer)
    });
    let cid = Cid::new("bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy").unwrap();
    let params = get_blob::Params::new(did(), cid);
    let blob = ComAtprotoSync::over(&transport).get_blob(params).timeout(SECOND).await.unwrap();
    assert_eq!(blob.bytes(1000).await.unwrap().len(), 100);
}

/// A server that answers every request with this, and then a byte every 20 milliseconds without end.
async fn endless_server(begin: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let mut rest = stream.write_all(begin.as_bytes()).await;
                while rest.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    rest = stream.write_all(b" ").await;
                }
            });
        }
    });
    origin
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{";
const SHORT: Duration = Duration::from_millis(300);
/// Far above what a loaded machine needs for a call that ends in time.
const GENEROUS: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_dripping_server_is_given_up_at_the_deadline() {
    let client = PublicClient::new(&endless_server(HEAD).await).unwrap();
    let call = client.com_atproto_identity().resolve_handle(params()).timeout(SHORT);
    let error = tokio::time::timeout(GENEROUS, call).await.expect("the call never ends").unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Timeout { limit: SHORT, .. })), "{error}");
}

#[tokio::test]
async fn a_head_that_never_ends_is_given_up_at_the_deadline() {
    let client = PublicClient::new(&endless_server("HTTP/1.1 200 OK\r\nX-Long: ").await).unwrap();
    let call = client.com_atproto_identity().resolve_handle(params()).timeout(SHORT);
    let error = tokio::time::timeout(GENEROUS, call).await.expect("the call never ends").unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Timeout { limit: SHORT, .. })), "{error}");
}

#[tokio::test]
async fn x11_signing_in_with_a_password_has_a_deadline_too() {
    tokio::time::pause();
    let origin = "http://127.0.0.1:9";
    let begun = Instant::now();
    let result = PasswordClient::sign_in(origin, "alice.example.com", "secret").await;
    assert!(result.is_err());
    assert!(begun.elapsed() <= SECOND * 61, "{:?}", begun.elapsed());
}
