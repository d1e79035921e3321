mod archive_file;
mod archive_server;
mod archives;
mod compression;
mod durable;
mod messages;
mod replays;
mod version_1;
mod version_2;

use std::time::Duration;

use super::{Event, Events};
use crate::{
    api::network::bsky::jetstream::subscribe_events::Error,
    stream::{
        StreamError,
        tests::{Notices, Quick},
    },
};

type Item = Result<Event, StreamError<Error>>;

/// What a test waits for happens long before.
const LIMIT: Duration = Duration::from_secs(20);

async fn next(events: &mut Events<'_>) -> Option<Item> {
    tokio::time::timeout(LIMIT, events.next()).await.unwrap()
}

/// The positions of the next messages.
async fn seqs(events: &mut Events<'_>, count: usize) -> Vec<i64> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next(events).await.unwrap().unwrap().seq().unwrap());
    }
    all
}

/// The error that ends a stream.
async fn end(events: &mut Events<'_>) -> StreamError<Error> {
    loop {
        match next(events).await.unwrap() {
            Err(error) if error.is_end() => {
                assert!(next(events).await.is_none(), "nothing comes after the end");
                return error;
            }
            _ => {}
        }
    }
}
