//! Positions: nothing is lost, given twice, or out of order.

use std::time::Duration;

use tests::stream_server::{Script, StreamServer, at, identity};

use super::{Notices, client, end, seqs, subscribe};
use crate::{
    api::com::atproto::sync::subscribe_repos::{Params, SubscribeRepos},
    stream::{Interruption, Notice, StreamError, Subscribe},
};

#[tokio::test]
async fn e4_positions_may_have_gaps_and_repeats_are_dropped() {
    let server = StreamServer::start().await.unwrap();
    let script = [1, 2, 2, 7, 7, 7, 100].into_iter();
    server.then(script.fold(Script::accept(), |script, seq| script.frame(identity(seq))));
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 4).await, [1, 2, 7, 100]);
    let stats = events.stats();
    assert_eq!((stats.repeated, stats.reconnects, stats.position), (3, 0, Some(100)));
    assert!(notices.interruptions().is_empty());
}

#[tokio::test]
async fn e4_positions_that_go_backwards_cost_the_connection_and_then_the_stream() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(5)).frame(identity(4)).frame(identity(6)));
    server.then(Script::accept().frame(identity(6)));
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 2).await, [5, 6]);
    assert_eq!(server.seen()[1].cursor(), Some(5));
    let why = notices.interruptions();
    assert!(matches!(why.as_slice(), [Interruption::OutOfOrder { previous: 5, found: 4 }]), "{why:?}");

    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(5)).frame(identity(4)));
    server.then(Script::accept().frame(identity(5)).frame(identity(4)));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [5]);
    let error = end(&mut events).await;
    let source = Interruption::OutOfOrder { previous: 5, found: 4 }.to_string();
    match &error {
        StreamError::Unusable { after: Some(5), source: found, .. } => assert_eq!(found.to_string(), source),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn e4_a_server_that_counts_from_the_beginning_again_is_not_dropped_in_silence() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(at(900, "2026-11-27T00:00:00Z")).cut());
    // An old message again, and then one that is newer than everything before.
    server.then(Script::accept().frame(at(1, "2026-11-26T23:00:00Z")).frame(at(2, "2026-11-27T00:05:00Z")));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [900]);
    let error = end(&mut events).await;
    assert!(
        matches!(error.interruption(), Some(Interruption::OutOfOrder { previous: 900, found: 2 })),
        "{error:?}"
    );
}

#[tokio::test]
async fn e5_a_stream_goes_on_after_the_last_message_and_gives_none_twice() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().frame(identity(11)).frame(identity(12)).cut());
    // Not even a server that sends more than it was asked for.
    server.then(
        Script::accept().frame(identity(11)).frame(identity(12)).frame(identity(13)).close(1012, "restart"),
    );
    server.then(Script::accept().close(1000, ""));
    server.then(Script::accept().frame(identity(14)));
    let notices = Notices::default();
    let params = Params::new().cursor(10);
    let subscribe: Subscribe<'_, SubscribeRepos> =
        Subscribe::new(client(&server), params).backoff(super::Quick);
    let mut events = subscribe.observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 4).await, [11, 12, 13, 14]);
    let cursors: Vec<_> = server.seen().iter().map(|seen| seen.cursor().unwrap()).collect();
    assert_eq!(cursors, [10, 12, 13, 13]);
    let told: Vec<String> = notices
        .all()
        .iter()
        .filter_map(|notice| match notice {
            Notice::Connecting { attempt, after } => Some(format!("connecting {attempt} {after:?}")),
            Notice::Connected { after } => Some(format!("connected {after:?}")),
            Notice::Resumed { after } => Some(format!("resumed {after:?}")),
            Notice::Interrupted { why, wait } => {
                assert_eq!(*wait, Duration::from_millis(5));
                Some(why.to_string())
            }
            _ => None,
        })
        .collect();
    let closed = "the connection was closed";
    assert_eq!(
        told[..5],
        [
            "connecting 1 Some(10)",
            "connected Some(10)",
            told[2].as_str(),
            "connecting 1 Some(12)",
            "resumed Some(12)"
        ]
    );
    assert_eq!(told[5], format!("{closed} with code 1012: restart"));
    assert_eq!(told[8], format!("{closed} with code 1000"));
    let stats = events.stats();
    assert_eq!((stats.reconnects, stats.repeated, stats.position), (3, 2, Some(14)));
    assert!(stats.connected_since.is_some() && stats.lag.is_some() && stats.rate > 0.0, "{stats:?}");
}

#[tokio::test]
async fn e5_what_was_received_before_the_connection_was_lost_is_given_first() {
    let server = StreamServer::start().await.unwrap();
    let first = (1..=50).fold(Script::accept(), |script, seq| script.frame(identity(seq)));
    server.then(first.cut());
    server.then(Script::accept().frame(identity(51)));
    let mut events = subscribe(&server).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    // The connection ends while the consumer is busy.
    server.wait_for(|seen| seen[0].written == 50).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(seqs(&mut events, 50).await, (2..=51).collect::<Vec<_>>());
    assert_eq!(server.seen()[1].cursor(), Some(50));
}

#[tokio::test]
async fn a_stream_from_now_on_has_no_cursor_until_there_is_a_message() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().cut());
    server.then(Script::accept().frame(identity(8)).cut());
    let notices = Notices::default();
    let mut events = subscribe(&server).observe(notices.observe()).stream();
    assert_eq!(seqs(&mut events, 1).await, [8]);
    assert!(notices.all().iter().any(|notice| matches!(notice, Notice::Resumed { after: None })));
    // What is dropped while it waits loses nothing.
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::from_millis(1), events.next()).await;
    }
    server.wait_for(|seen| seen.len() >= 3).await;
    assert_eq!(server.seen()[2].cursor(), Some(8));
}
