//! Streams that are resumed by later processes.

use std::{sync::Arc, time::Duration};

use tests::stream_server::{Script, StreamServer, error, identity};

use super::{super::CursorError, *};
use crate::store::{MemoryStore, Store};

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn durable(server: &StreamServer, store: &Arc<dyn Store>) -> Subscribe<'static, SubscribeRepos> {
    subscribe(server).resume_shared("indexer", Arc::clone(store))
}

async fn server(positions: std::ops::RangeInclusive<i64>) -> StreamServer {
    let server = StreamServer::start().await.unwrap();
    server.then(positions.fold(Script::accept(), |script, position| script.frame(identity(position))));
    server
}

#[tokio::test]
async fn e5_the_next_process_goes_on_after_what_was_dropped() {
    let (store, server) = (store(), server(1..=6).await);
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 3).await, [1, 2, 3]);
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 3).await, [4, 5, 6]);
    assert_eq!(
        server.seen().iter().map(tests::stream_server::Seen::cursor).collect::<Vec<_>>(),
        [None, Some(3)]
    );
}

#[tokio::test]
async fn e5_what_was_being_processed_when_the_consumer_was_cancelled_comes_again() {
    let (store, server) = (store(), server(1..=3).await);
    let mut events = durable(&server, &store).stream();
    let processing = async {
        while let Some(event) = next(&mut events).await {
            if event.unwrap().seq() == Some(2) {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::time::timeout(Duration::from_millis(300), processing).await.unwrap_err();
    // The runtime ends the stream like this when the program ends.
    drop(events);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 2).await, [2, 3]);
}

#[tokio::test]
async fn e5_events_are_acknowledged_in_any_order() {
    let (store, server) = (store(), server(1..=6).await);
    let mut events = durable(&server, &store).explicit_acknowledgements().stream();
    let mut given = Vec::new();
    for _ in 0..4 {
        given.push(next(&mut events).await.unwrap().unwrap());
    }
    let (fourth, third) = (given.pop().unwrap(), given.pop().unwrap());
    given.remove(0).ack();
    fourth.ack_saved().await.unwrap();
    assert_eq!(events.stats().unacknowledged, 2);
    // As if the process were killed: nothing is dropped in order.
    std::mem::forget((third, given));
    drop(events);
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 4).await, [2, 3, 5, 6]);
    assert_eq!(server.seen().last().unwrap().cursor(), Some(1));
}

#[tokio::test]
async fn e5_an_event_that_was_given_and_not_acknowledged_is_not_lost_though_it_was_the_first() {
    let (store, server) = (store(), server(7..=9).await);
    let mut events = durable(&server, &store).stream();
    std::mem::forget(next(&mut events).await.unwrap().unwrap());
    drop(events);
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [7]);
    assert_eq!(server.seen().last().unwrap().cursor(), Some(6));
}

#[tokio::test]
async fn a_stored_cursor_counts_more_than_where_to_start() {
    let (store, server) = (store(), server(1..=9).await);
    let mut events = durable(&server, &store).after(4).stream();
    assert_eq!(seqs(&mut events, 2).await, [5, 6]);
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).after(4).stream();
    assert_eq!(seqs(&mut events, 1).await, [7]);
}

#[tokio::test]
async fn a_consumer_that_acknowledges_nothing_is_given_only_so_many_events() {
    let (store, server) = (store(), server(1..=9).await);
    let mut events = durable(&server, &store).max_unacknowledged(3).explicit_acknowledgements().stream();
    let mut given = Vec::new();
    for _ in 0..3 {
        given.push(next(&mut events).await.unwrap().unwrap());
    }
    tokio::time::timeout(Duration::from_millis(200), events.next()).await.unwrap_err();
    given.remove(0).ack();
    assert_eq!(seqs_of_one(&mut events, &mut given).await, 4);
}

async fn seqs_of_one(events: &mut Events<'_, SubscribeRepos>, given: &mut Vec<Event<SubscribeRepos>>) -> i64 {
    given.push(next(events).await.unwrap().unwrap());
    given.last().unwrap().seq().unwrap()
}

#[tokio::test]
async fn an_event_that_is_lost_by_a_panic_ends_the_stream() {
    let (store, server) = (store(), server(1..=9).await);
    let mut events = durable(&server, &store).stream();
    let event = next(&mut events).await.unwrap().unwrap();
    let task = tokio::spawn(async move {
        let _event = event;
        panic!("as part of the test");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert!(matches!(end(&mut events).await, StreamError::Unacknowledged { position: Some(1) }));
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
}

#[tokio::test]
async fn an_explicit_consumer_that_drops_an_event_is_told() {
    let (store, server) = (store(), server(1..=9).await);
    let mut events = durable(&server, &store).explicit_acknowledgements().stream();
    drop(next(&mut events).await);
    let error = end(&mut events).await;
    assert!(error.to_string().contains("(at 1)"), "{error}");
}

#[tokio::test]
async fn a_cursor_of_another_server_is_refused_before_anything_is_read() {
    let (store, first, second) = (store(), server(1..=3).await, server(1..=3).await);
    let mut events = durable(&first, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    events.stop().await.unwrap();
    let mut events = durable(&second, &store).stream();
    let error = end(&mut events).await;
    let StreamError::Cursor(CursorError::OtherStream { server, .. }) = &error else { panic!("{error}") };
    assert_eq!((server, error.to_string().contains("another name")), (&first.url(), true));
    assert!(second.seen().is_empty());
}

#[tokio::test]
async fn two_consumers_of_one_name_do_not_both_go_on() {
    let (store, server) = (store(), server(1..=9).await);
    let mut first = durable(&server, &store).after(0).stream();
    let mut second = durable(&server, &store).after(0).stream();
    let (one, two) = (next(&mut first).await.unwrap().unwrap(), next(&mut second).await.unwrap().unwrap());
    one.ack_saved().await.unwrap();
    assert!(matches!(two.ack_saved().await, Err(CursorError::Taken { .. })));
    assert!(matches!(end(&mut second).await, StreamError::Cursor(CursorError::Taken { .. })));
    assert_eq!(seqs(&mut first, 1).await, [2]);
}

#[tokio::test]
async fn a_message_that_cannot_be_decoded_does_not_hold_up_the_cursor() {
    let (store, server) = (store(), StreamServer::start().await.unwrap());
    let wrong = tests::stream_server::message("#identity", &serde_json::json!({"seq": 2, "did": 7}));
    server.then(Script::accept().frame(identity(1)).frame(wrong).frame(identity(3)));
    server.then(Script::accept().frame(identity(4)));
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    assert!(matches!(next(&mut events).await, Some(Err(StreamError::Undecodable(_)))));
    assert_eq!(seqs(&mut events, 1).await, [3]);
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [4]);
}

#[tokio::test]
async fn e3_a_server_that_ends_the_stream_leaves_the_cursor_where_it_was() {
    let (store, server) = (store(), StreamServer::start().await.unwrap());
    server.then(Script::accept().frame(identity(1)).frame(error("FutureCursor", None)));
    server.then(Script::accept().frame(identity(2)));
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [1]);
    assert!(matches!(end(&mut events).await, StreamError::Ended { .. }));
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [2]);
}

#[tokio::test]
async fn e12_a_stream_is_processed_by_several_at_once_and_resumed() {
    let (store, server) = (store(), server(1..=40).await);
    let mut events = durable(&server, &store).stream();
    let seen = std::cell::RefCell::new(Vec::new());
    let result = events
        .for_each_concurrent(8, |message| {
            use crate::xrpc::Message as _;
            let seen = &seen;
            async move {
                let seq = message.seq().unwrap();
                seen.borrow_mut().push(seq);
                if seq == 30 { Err("full") } else { Ok(()) }
            }
        })
        .await;
    assert!(matches!(result, Err(super::super::ForEachError::Handler("full"))));
    assert!(matches!(end(&mut events).await, StreamError::Unacknowledged { .. }));
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 1).await, [30]);
}
