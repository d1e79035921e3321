//! One connection: pings, a slow consumer, and the end.

use std::time::{Duration, SystemTime};

use tests::stream_server::{Script, StreamServer, identity, message};

use super::{Notices, next, seqs, subscribe};
use crate::stream::{Interruption, Notice};

const SHORT: Duration = Duration::from_millis(60);

#[tokio::test]
async fn e9_a_quiet_stream_is_left_alone() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().await_pings(6).frame(identity(1)));
    let notices = Notices::default();
    let mut events = subscribe(&server).keep_alive(SHORT).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    assert!(notices.interruptions().is_empty());
    let seen = server.seen();
    assert!(seen.len() == 1 && seen[0].pings >= 6, "{seen:?}");
}

#[tokio::test]
async fn e9_a_server_that_neither_sends_nor_answers_is_replaced() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).never_pong());
    server.then(Script::accept().never_pong().never_read());
    server.then(Script::accept().frame(identity(2)));
    let notices = Notices::default();
    let mut events = subscribe(&server).keep_alive(SHORT).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    let why = notices.interruptions();
    assert!(
        matches!(why.as_slice(), [Interruption::Silent { limit }, Interruption::Silent { .. }] if *limit == SHORT * 2),
        "{why:?}"
    );
    assert_eq!(server.seen()[0].pings, 1);
}

#[tokio::test]
async fn e9_messages_show_that_a_server_is_there_even_if_it_answers_no_pings() {
    let server = StreamServer::start().await.unwrap();
    let script =
        (1..=8).fold(Script::accept().never_pong(), |script, seq| script.wait(SHORT).frame(identity(seq)));
    server.then(script);
    let notices = Notices::default();
    let mut events = subscribe(&server).keep_alive(SHORT * 3 / 2).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 8).await.len(), 8);
    assert!(notices.interruptions().is_empty(), "{:?}", notices.interruptions());
}

#[tokio::test]
async fn e9_pings_are_answered_while_the_consumer_works() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).ping().ping());
    let mut events = subscribe(&server).keep_alive(SHORT).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    // Nobody polls the stream. Of several pings in a row, the last one may be the only one that is answered.
    server.wait_for(|seen| seen[0].pongs >= 1 && seen[0].pings >= 2).await;
}

#[tokio::test]
async fn e9_a_silence_of_no_time_does_not_end_every_connection() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)).await_pings(3).frame(identity(2)));
    let notices = Notices::default();
    let mut events = subscribe(&server).keep_alive(Duration::ZERO).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    assert!(notices.interruptions().is_empty(), "{:?}", notices.interruptions());
}

/// About 64 KiB each, so that what the system buffers is a few messages.
fn large(seq: u64) -> Vec<u8> {
    let payload = serde_json::json!({"seq": seq + 1, "name": "x".repeat(64 << 10)});
    message("#large", &payload)
}

#[tokio::test]
async fn a_slow_consumer_makes_the_server_wait_and_loses_nothing() {
    const COUNT: u64 = 600;
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().flood(COUNT, large));
    let notices = Notices::default();
    let mut events =
        subscribe(&server).buffer(10, 1 << 20).keep_alive(SHORT).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    // It is not read for much longer than a silent server would be waited for.
    let mut written = server.seen()[0].written;
    loop {
        tokio::time::sleep(SHORT * 6).await;
        let now = server.seen()[0].written;
        if now == written {
            break;
        }
        written = now;
    }
    assert!(written < COUNT, "the server has to wait");
    let buffered = events.stats().buffered;
    assert!(buffered <= 10, "{buffered}");
    let rest = seqs(&mut events, COUNT as usize - 1).await;
    assert_eq!(rest, (2..=COUNT as i64).collect::<Vec<_>>());
    assert!(notices.interruptions().is_empty(), "{:?}", notices.interruptions());
}

#[tokio::test]
async fn e9_a_server_whose_pings_are_not_read_because_the_buffer_is_full_may_give_up_and_nothing_is_lost() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frames((1..=9).map(identity)).ping().wait(SHORT * 5).cut());
    server.then(Script::accept().frames((1..=10).map(identity)));
    let mut events = subscribe(&server).buffer(4, 1 << 20).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    // The consumer works.
    tokio::time::sleep(SHORT * 10).await;
    assert_eq!((server.seen().len(), server.seen()[0].pongs), (1, 0));
    assert_eq!(seqs(&mut events, 9).await, (2..=10).collect::<Vec<_>>());
    assert_eq!(events.stats().reconnects, 1);
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_too() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().flood(600, large));
    let mut events = subscribe(&server).buffer(100_000, 512 << 10).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    tokio::time::sleep(SHORT * 6).await;
    let buffered = events.stats().buffered;
    assert!((1..=10).contains(&buffered), "{buffered}");
}

#[tokio::test]
async fn a_stream_that_is_stopped_says_goodbye_and_one_that_is_dropped_closes_its_connection() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(1)));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    events.stop().await.unwrap();
    let seen = server.wait_for(|seen| seen[0].left).await;
    assert_eq!(seen[0].close, Some(1000));

    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    drop(events);
    server.wait_for(|seen| seen[1].left).await;
    // One that was never polled does not connect.
    drop(subscribe(&server).stream());
    subscribe(&server).stream().stop().await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_consumer_that_never_polls_again_does_not_keep_the_task() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().flood(100_000, large).never_read());
    let mut events = subscribe(&server).buffer(4, 1 << 20).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    drop(events);
    server.wait_for(|seen| seen[0].left).await;
}

#[tokio::test]
async fn old_messages_tell_that_the_consumer_has_fallen_behind_and_new_ones_that_it_has_caught_up() {
    let server = StreamServer::start().await.unwrap();
    let time = |ago: u64| {
        let since =
            (SystemTime::now() - Duration::from_secs(ago)).duration_since(SystemTime::UNIX_EPOCH).unwrap();
        crate::types::Datetime::from_unix_millis(since.as_millis() as i64).as_str().to_owned()
    };
    let frame = |seq, ago| tests::stream_server::at(seq, &time(ago));
    server.then(Script::accept().frame(frame(1, 3600)).frame(frame(2, 1800)).frame(frame(3, 0)));
    let notices = Notices::default();
    let mut events = subscribe(&server).after(0).observe(notices.observe()).stream();
    let first = next(&mut events).await.unwrap().unwrap();
    assert!(first.lag().unwrap() >= Duration::from_secs(3600) && first.time().is_some());
    assert!(events.stats().lag.unwrap() >= Duration::from_secs(3600));
    assert_eq!(seqs(&mut events, 2).await, [2, 3]);
    let told: Vec<_> = notices
        .all()
        .into_iter()
        .filter(|notice| matches!(notice, Notice::FallingBehind { .. } | Notice::CaughtUp { .. }))
        .collect();
    assert!(
        matches!(
            told.as_slice(),
            [Notice::FallingBehind { lag }, Notice::CaughtUp { .. }] if *lag >= Duration::from_secs(3600)
        ),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_server_that_sends_nothing_of_use_does_not_keep_others_from_running() {
    use futures_util::FutureExt as _;
    let server = StreamServer::start().await.unwrap();
    let useless = tests::stream_server::of_kind(2, &serde_json::json!({}));
    server.then(Script::accept().frames(vec![useless; 2000]).frame(identity(1)));
    let mut events = subscribe(&server).buffer(10_000, 1 << 20).stream();
    while events.stats().connected_since.is_none() {
        assert!(events.next().now_or_never().is_none());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    while events.stats().buffered < 1000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = events.stats().skipped;
    assert!(events.next().now_or_never().is_none(), "it lets others run first");
    assert_eq!(events.stats().skipped - before, 256);
    assert_eq!(seqs(&mut events, 1).await, [1]);
    assert_eq!(events.stats().skipped, 2000);
}
