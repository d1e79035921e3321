//! The scripted server says exactly what it was told to.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use tests::{Answer, Stub};

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test]
async fn answers_come_in_order_and_the_last_one_stays() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/a", Answer::status(429).header("retry-after", "1"));
    stub.answer("/a", Answer::json("{}"));
    let url = format!("{}/a?x=1", stub.url());
    let first = http().get(&url).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    for _ in 0..2 {
        let next = http().get(&url).send().await.unwrap();
        assert_eq!(next.headers()["content-type"], "application/json");
        assert_eq!(next.text().await.unwrap(), "{}");
    }
    assert_eq!(http().get(stub.url()).send().await.unwrap().status(), 404);
    stub.replace("/a", Answer::status(204));
    assert_eq!(http().get(&url).send().await.unwrap().status(), 204);
    assert_eq!((stub.received().len(), stub.received_at("/a").len()), (5, 4));
    assert_eq!(stub.received()[0].query, "x=1");
}

#[tokio::test]
async fn bodies_are_recorded_with_a_length_and_in_chunks() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/", Answer::status(200));
    http().post(stub.url()).header("X-Name", "value").body("whole").send().await.unwrap();
    let pieces = reqwest::Body::wrap_stream(futures_util::stream::iter(
        ["in ", "chunks"].map(|piece| Ok::<_, std::io::Error>(piece.to_owned())),
    ));
    http().post(stub.url()).body(pieces).send().await.unwrap();
    let received = stub.received();
    assert_eq!(received[0].header("x-name"), Some("value"));
    assert_eq!((received[0].body.as_slice(), received[0].method.as_str()), (&b"whole"[..], "POST"));
    assert_eq!(received[1].body, b"in chunks");
}

#[tokio::test]
async fn it_breaks_off_hangs_up_and_delays() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/short", Answer::json("{\"a\":1}").close_after(3));
    stub.answer("/none", Answer::hang_up());
    stub.answer("/late", Answer::html("late").delay(Duration::from_millis(200)).with_status(502));
    let short = http().get(format!("{}/short", stub.url())).send().await.unwrap();
    assert_eq!(short.status(), 200);
    short.bytes().await.unwrap_err();
    http().get(format!("{}/none", stub.url())).send().await.unwrap_err();
    let started = Instant::now();
    let late = http().get(format!("{}/late", stub.url())).send().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!((late.status().as_u16(), late.text().await.unwrap().as_str()), (502, "late"));
    let origin = stub.url();
    drop(stub);
    tokio::time::sleep(Duration::from_millis(50)).await;
    http().get(origin).send().await.unwrap_err();
}
