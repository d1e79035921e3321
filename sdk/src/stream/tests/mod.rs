//! Streams from a server that does what a test says.
#![allow(clippy::unwrap_used)]

mod connections;
mod durable;
mod frames;
mod handshakes;
mod logged;
mod other_kinds;
mod positions;
mod proxies;
mod subprotocols;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tests::stream_server::StreamServer;

#[cfg(feature = "repo")]
pub(crate) use logged::Logged;

use super::{Event, Events, Interruption, Notice, StreamError, Subscribe};
use crate::{
    PublicClient,
    api::com::atproto::sync::subscribe_repos::{Error, Params, SubscribeRepos},
    xrpc::{Attempt, Backoff},
};

type Item = Result<Event<SubscribeRepos>, StreamError<Error>>;

/// What a test waits for happens long before.
const LIMIT: Duration = Duration::from_secs(20);

/// Hardly waits.
pub(super) struct Quick;

impl Backoff for Quick {
    fn wait(&self, _: &Attempt<'_>) -> Duration {
        Duration::from_millis(5)
    }
}

fn client(server: &StreamServer) -> PublicClient {
    PublicClient::new(&server.url()).unwrap()
}

/// A subscription that tries again at once.
fn subscribe(server: &StreamServer) -> Subscribe<'static, SubscribeRepos> {
    Subscribe::new(client(server), Params::new()).backoff(Quick)
}

/// What an observer was told.
#[derive(Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(super) fn observe(&self) -> impl FnMut(&Notice) + Send + 'static {
        let notices = Arc::clone(&self.0);
        move |notice| notices.lock().unwrap().push(notice.clone())
    }

    pub(super) fn all(&self) -> Vec<Notice> {
        self.0.lock().unwrap().clone()
    }

    pub(super) fn interruptions(&self) -> Vec<Interruption> {
        let why = |notice| match notice {
            Notice::Interrupted { why, .. } => Some(why),
            _ => None,
        };
        self.all().into_iter().filter_map(why).collect()
    }
}

async fn next(events: &mut Events<'_, SubscribeRepos>) -> Option<Item> {
    tokio::time::timeout(LIMIT, events.next()).await.unwrap()
}

/// The positions of the next messages.
async fn seqs(events: &mut Events<'_, SubscribeRepos>, count: usize) -> Vec<i64> {
    let mut all = Vec::new();
    while all.len() < count {
        all.push(next(events).await.unwrap().unwrap().seq().unwrap());
    }
    all
}

/// The error that ends the stream, which is the next item.
async fn end(events: &mut Events<'_, SubscribeRepos>) -> StreamError<Error> {
    let error = next(events).await.unwrap().unwrap_err();
    assert!(error.is_end(), "{error}");
    assert!(next(events).await.is_none(), "nothing comes after the end");
    error
}
