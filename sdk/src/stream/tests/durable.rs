//! Streams that are resumed by later processes.

use std::{sync::Arc, time::Duration};

use tests::stream_server::{Script, StreamServer, error, identity};

use super::{
    super::{CursorError, cursor::flaky::Flaky},
    *,
};
use crate::store::{Expected, FileStore, MemoryStore, Store};

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
    assert_eq!(seqs(&mut events, 4).await, [1, 2, 3, 4]);
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    // Nobody has asked for another one after the fourth, which may have been dropped because its processing was cancelled.
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
    assert_eq!(seqs(&mut events, 1).await, [5]);
    next(&mut events).await.unwrap().unwrap().ack_saved().await.unwrap();
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
    // The later one takes the cursor over, also from a write that arrives late.
    one.ack_saved().await.unwrap();
    two.ack_saved().await.unwrap();
    let one = next(&mut first).await.unwrap().unwrap();
    assert!(matches!(one.ack_saved().await, Err(CursorError::Taken { .. })));
    assert!(matches!(end(&mut first).await, StreamError::Cursor(CursorError::Taken { .. })));
    assert_eq!(seqs(&mut second, 1).await, [2]);
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
    next(&mut events).await.unwrap().unwrap().ack();
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
    let (store, server) = (store(), StreamServer::start().await.unwrap());
    let wrong = tests::stream_server::message("#identity", &serde_json::json!({"seq": 20, "did": 7}));
    let script = (1..=40).fold(Script::accept(), |script, position| match position {
        20 => script.frame(wrong.clone()),
        position => script.frame(identity(position)),
    });
    server.then(script);
    let events = durable(&server, &store).stream();
    let process = |event: Event<SubscribeRepos>| {
        let seq = event.seq();
        async move { if seq == Some(30) { Err("full") } else { Ok(()) } }
    };
    let result = events.for_each_concurrent(8, process).await;
    assert!(matches!(result, Err(super::super::ForEachError::Handler("full"))));
    let mut events = durable(&server, &store).stream();
    // The message that cannot be decoded counts as processed.
    assert_eq!(seqs(&mut events, 1).await, [30]);
}

#[tokio::test]
async fn an_event_that_another_task_drops_makes_room() {
    let (store, server) = (store(), server(1..=6).await);
    let mut events = durable(&server, &store).max_unacknowledged(2).stream();
    for _ in 0..6 {
        let event = next(&mut events).await.unwrap().unwrap();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            drop(event);
        });
    }
}

#[tokio::test]
async fn what_another_task_drops_is_saved_while_the_stream_is_quiet() {
    let (store, server) = (store(), server(1..=1).await);
    let mut events = durable(&server, &store).save_every(Duration::from_millis(10)).stream();
    let event = next(&mut events).await.unwrap().unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(event);
    });
    tokio::time::timeout(Duration::from_millis(500), events.next()).await.unwrap_err();
    let saved = store.get("cursor:indexer").await.unwrap().unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&saved.value).unwrap();
    assert_eq!(saved["cursor"], 1);
}

#[tokio::test]
async fn e5_what_was_being_processed_when_the_consumer_was_cancelled_comes_again_also_after_a_graceful_end() {
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
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream();
    assert_eq!(seqs(&mut events, 2).await, [2, 3]);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_told_while_the_first_event_waits() {
    let store = Arc::new(Flaky::default());
    store.is_full.store(true, std::sync::atomic::Ordering::SeqCst);
    let (shared, server, notices): (Arc<dyn Store>, _, _) =
        (Arc::<Flaky>::clone(&store), server(1..=3).await, Notices::default());
    let mut events = durable(&server, &shared).observe(notices.observe()).stream();
    tokio::time::timeout(Duration::from_millis(600), events.next()).await.unwrap_err();
    let is_told = |notice: &Notice| matches!(notice, Notice::CursorNotSaved { .. });
    assert!(notices.all().iter().any(is_told));
    store.is_full.store(false, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(seqs(&mut events, 1).await, [1]);
}

#[tokio::test]
async fn a_cursor_that_is_a_text_is_sent_and_a_stream_that_has_one_is_not_resumed() {
    let (store, server) = (store(), StreamServer::start().await.unwrap());
    server.then(Script::accept().frame(error("FutureCursor", None)));
    use crate::api::chat::bsky::moderation::subscribe_mod_events::{Params, SubscribeModEvents};
    let params = || Params::new().cursor("3jzfcijpj2z2a");
    let mut events = Subscribe::<SubscribeModEvents>::new(client(&server), params()).stream();
    assert!(events.next().await.unwrap().is_err());
    assert_eq!(server.seen()[0].param("cursor").as_deref(), Some("3jzfcijpj2z2a"));
    let events = Subscribe::<SubscribeModEvents>::new(client(&server), params()).resume_shared("mod", store);
    let error = events.stream().next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("cannot be resumed"), "{error}");
}

#[tokio::test]
async fn a_consumer_that_waits_is_told_that_its_cursor_is_taken() {
    let (store, server) = (store(), server(1..=1).await);
    let mut events = durable(&server, &store).save_every(Duration::from_millis(10)).stream();
    let event = next(&mut events).await.unwrap().unwrap();
    let other = r#"{"v":1,"by":"another","server":"x","subscription":"y"}"#;
    store.put("cursor:indexer", other.as_bytes(), None, Expected::Any).await.unwrap();
    event.ack();
    // Nothing more comes from the server.
    assert!(matches!(end(&mut events).await, StreamError::Cursor(CursorError::Taken { .. })));
}

#[tokio::test]
async fn an_event_that_is_processed_with_others_can_be_saved_before_the_end_of_its_processing() {
    let (store, server) = (store(), server(1..=3).await);
    let events = durable(&server, &store).stream();
    let saved = Arc::clone(&store);
    let process = |event: Event<SubscribeRepos>| {
        let (seq, saved) = (event.seq(), Arc::clone(&saved));
        async move {
            event.ack_saved().await.unwrap();
            let entry = saved.get("cursor:indexer").await.unwrap().unwrap();
            let entry: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
            if entry["cursor"].as_i64() >= seq && seq != Some(3) { Ok(()) } else { Err("the last") }
        }
    };
    let result = events.for_each_concurrent(1, process).await;
    assert!(matches!(result, Err(super::super::ForEachError::Handler("the last"))));
    // It was acknowledged by itself, although its processing has failed then.
    let saved = store.get("cursor:indexer").await.unwrap().unwrap();
    let saved: serde_json::Value = serde_json::from_slice(&saved.value).unwrap();
    assert_eq!(saved["cursor"], 3);
}

/// A program that ends with the first error, as often as it is started.
#[test]
fn e5_a_consumer_that_ends_at_a_message_that_cannot_be_decoded_gets_beyond_it_when_it_is_started_again() {
    type Ended = Result<(), Box<dyn std::error::Error>>;
    async fn program(server: &str, store: FileStore, seen: &mut Vec<i64>) -> Ended {
        let client = crate::PublicClient::new(server)?;
        let mut events =
            client.com_atproto_sync().subscribe_repos().after(0).resume("indexer", store).stream();
        while let Some(event) = tokio::time::timeout(Duration::from_secs(30), events.next()).await? {
            seen.extend(event?.seq());
            if seen.ends_with(&[6]) {
                break;
            }
        }
        Ok(())
    }
    let network = tokio::runtime::Runtime::new().unwrap();
    let server = network.block_on(async {
        let server = StreamServer::start().await.unwrap();
        let wrong =
            |seq| tests::stream_server::message("#identity", &serde_json::json!({"seq": seq, "did": 7}));
        let bytes = move |seq: u64| match seq {
            2 | 5 => wrong(seq),
            seq => identity(i64::try_from(seq).unwrap()),
        };
        server.then(Script::accept().after_cursor(6, bytes));
        server
    });
    let folder = tempfile::tempdir().unwrap();
    let (mut seen, mut ends) = (Vec::new(), Vec::new());
    while !seen.ends_with(&[6]) {
        let store = FileStore::open(folder.path().join("cursor.json")).unwrap();
        // Its tasks end with it, whether they are done or not.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let ended = runtime.block_on(program(&server.url(), store, &mut seen));
        runtime.shutdown_background();
        ends.push(ended.map_err(|error| error.to_string()));
        assert!(ends.len() <= 3, "{ends:?}");
    }
    // Its last event may come again, because nobody has asked for another one.
    seen.dedup();
    assert_eq!((seen, ends.len()), (vec![1, 3, 4, 6], 3), "{ends:?}");
}

/// A server could send as many as it likes.
#[tokio::test]
async fn many_messages_that_cannot_be_decoded_are_not_waited_for_one_by_one() {
    let (store, server) = (Arc::new(Flaky::default()), StreamServer::start().await.unwrap());
    let wrong = |seq| tests::stream_server::message("#identity", &serde_json::json!({"seq": seq, "did": 7}));
    server.then(Script::accept().frames((1..=500).map(wrong)).frame(identity(501)));
    let shared: Arc<dyn Store> = Arc::<Flaky>::clone(&store);
    let mut events = durable(&server, &shared).after(0).stream();
    for _ in 0..500 {
        assert!(matches!(next(&mut events).await, Some(Err(StreamError::Undecodable(_)))));
    }
    assert_eq!(seqs(&mut events, 1).await, [501]);
    let writes = store.writes.load(std::sync::atomic::Ordering::SeqCst);
    assert!(writes < 50, "{writes}");
}
