mod archive_file;
mod archive_server;
mod archives;
mod compression;
mod durable;
mod messages;
mod replays;
mod version_1;
mod version_2;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{Event, Events};
use crate::{
    api::network::bsky::jetstream::subscribe_events::Error,
    stream::{Interruption, Notice, StreamError},
    xrpc::{Attempt, Backoff},
};

type Item = Result<Event, StreamError<Error>>;

/// What a test waits for happens long before.
const LIMIT: Duration = Duration::from_secs(20);

/// Hardly waits.
struct Quick;

impl Backoff for Quick {
    fn wait(&self, _: &Attempt<'_>) -> Duration {
        Duration::from_millis(5)
    }
}

/// What an observer was told.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    fn observe(&self) -> impl FnMut(&Notice) + Send + 'static {
        let notices = Arc::clone(&self.0);
        move |notice| notices.lock().unwrap().push(notice.clone())
    }

    fn all(&self) -> Vec<Notice> {
        self.0.lock().unwrap().clone()
    }

    fn interruptions(&self) -> Vec<Interruption> {
        let why = |notice| match notice {
            Notice::Interrupted { why, .. } => Some(why),
            _ => None,
        };
        self.all().into_iter().filter_map(why).collect()
    }
}

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
