//! Streams of version 2 that are resumed by later processes.

use std::sync::Arc;

use tests::stream_server::{Script, StreamServer};

use super::{
    super::{Jetstream, V2},
    Quick,
    archive_server::{Archive, ArchiveServer},
    archives::{event, note},
    end, next, seqs,
    version_2::{Split, commit},
};
use crate::{
    store::{MemoryStore, Store},
    stream::{CursorError, StreamError},
};

fn store() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new())
}

fn durable(server: &StreamServer, store: &Arc<dyn Store>) -> V2<'static> {
    Jetstream::v2(server.url()).compressed(false).backoff(Quick).resume_shared("indexer", Arc::clone(store))
}

async fn server(positions: std::ops::RangeInclusive<i64>) -> StreamServer {
    let server = StreamServer::start().await.unwrap();
    server.then(positions.fold(Script::accept(), |script, seq| script.text(commit(seq))));
    server
}

#[tokio::test]
async fn e8_a_cursor_of_version_2_is_for_one_server() {
    for compressed in [false, true] {
        let (store, first, second) = (store(), server(1..=3).await, server(1..=3).await);
        let stream = |server: &StreamServer| {
            let over = Split::new(server, &server.url());
            let stream = Jetstream::v2_over(over).backoff(Quick).compressed(compressed);
            stream.resume_shared("indexer", Arc::clone(&store)).stream().unwrap()
        };
        let mut events = durable(&first, &store).stream().unwrap();
        assert_eq!(seqs(&mut events, 1).await, [1]);
        events.stop().await.unwrap();
        let error = end(&mut stream(&second)).await;
        let StreamError::Cursor(CursorError::OtherStream { server, .. }) = &error else { panic!("{error}") };
        assert_eq!(server, &first.url());
        assert!(second.seen().is_empty());
    }
}

#[tokio::test]
async fn e8_the_next_process_goes_on_in_version_2_after_what_was_dropped() {
    let (store, server) = (store(), server(1..=6).await);
    // The server sends what is at the cursor again.
    server.then((3..=6).fold(Script::accept(), |script, seq| script.text(commit(seq))));
    let mut events = durable(&server, &store).stream().unwrap();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    next(&mut events).await.unwrap().unwrap().ack();
    events.stop().await.unwrap();
    let mut events = durable(&server, &store).stream().unwrap();
    assert_eq!(seqs(&mut events, 3).await, [4, 5, 6]);
    assert_eq!(server.seen().last().unwrap().cursor(), Some(3));
}

#[tokio::test]
async fn e8_the_next_process_goes_on_in_the_archive_and_then_in_the_stream() {
    let stored =
        |seqs: std::ops::RangeInclusive<u64>| seqs.map(|seq| event(seq, 1, note("archived"))).collect();
    let files = vec![vec![stored(1..=4), stored(5..=6)], vec![stored(7..=10)]];
    let archive = ArchiveServer::start(Archive { files, page: 1, ..Archive::default() }).await;
    let (store, server) = (store(), StreamServer::start().await.unwrap());
    server.then(Script::accept().text(commit(10)).text(commit(11)).text(commit(12)));
    let stream = || {
        let stream = Jetstream::v2_over(Split::new(&server, archive.url())).compressed(false).backoff(Quick);
        stream.replay().resume_shared("indexer", Arc::clone(&store)).stream().unwrap()
    };
    // In the middle of a block of the archive.
    let mut events = stream();
    assert_eq!(seqs(&mut events, 2).await, [1, 2]);
    next(&mut events).await.unwrap().unwrap().ack();
    events.stop().await.unwrap();
    assert!(server.seen().is_empty());
    // In the stream, where one is still being processed when the process ends.
    let mut events = stream();
    assert_eq!(seqs(&mut events, 8).await, [4, 5, 6, 7, 8, 9, 10, 11]);
    std::mem::forget(next(&mut events).await.unwrap().unwrap());
    events.stop().await.unwrap();
    let mut events = stream();
    assert_eq!(seqs(&mut events, 1).await, [12]);
    let plans = archive.archive().plans.clone();
    let afters: Vec<_> = plans.iter().map(|plan| plan["afterSeq"].as_i64().unwrap()).collect();
    assert!(afters.contains(&0) && afters.contains(&3), "{afters:?}");
    assert_eq!(server.seen().last().unwrap().cursor(), Some(11));
}
