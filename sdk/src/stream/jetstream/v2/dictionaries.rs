//! The dictionaries of a server, which it may replace at any time.
//!
//! Compression saves traffic and nothing else: without a dictionary, or with one that the server does not have any more, the stream
//! goes on uncompressed. What may pass is tried again with the next connection.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::super::compression::{Dictionary, MOST_DICTIONARY_BYTES};
use crate::{
    api::network::bsky::jetstream::{NetworkBskyJetstream, subscribe_events::SubscribeEvents},
    limits,
    xrpc::{
        BoxFuture, CallSettings, Deadline, ErrorKind, ErrorResponse, ReadError, Request, Subscription as _,
        Transport, TransportError, TransportResponse,
    },
};

/// What is known of a server's dictionaries. Shared by what asks for the stream and what reads it.
pub(super) struct Dictionaries(Mutex<Known>);

struct Known {
    /// All that were used, because a message may have been on its way; the last one is the current one.
    all: Vec<Dictionary>,
    /// Whether compression is used.
    on: bool,
}

/// How many dictionaries a server may go through in one stream.
const MOST: usize = 8;

impl Dictionaries {
    pub(super) fn new(on: bool) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Known { all: Vec::new(), on })))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_on(&self) -> bool {
        self.known().on
    }

    fn current(&self) -> Option<Dictionary> {
        let known = self.known();
        known.all.last().filter(|_| known.on).cloned()
    }

    /// Those that were added since there were so many.
    pub(super) fn added(&self, count: usize) -> Vec<Dictionary> {
        self.known().all.get(count..).unwrap_or_default().to_vec()
    }

    /// Takes a dictionary for the current one. Returns `false` if there were too many already.
    fn add(&self, dictionary: &Dictionary) -> bool {
        let mut known = self.known();
        if known.all.len() >= MOST {
            return false;
        }
        known.all.push(dictionary.clone());
        true
    }

    fn turn_off(&self) {
        self.known().on = false;
    }
}

/// Why there is no dictionary.
enum Without {
    /// The next connection may have one.
    ForNow(String),
    /// The server has none, or none that can be used.
    ForGood(String),
}

impl Without {
    fn of(kind: ErrorKind, problem: impl fmt::Display) -> Self {
        match kind {
            ErrorKind::TryLater => Self::ForNow(problem.to_string()),
            _ => Self::ForGood(problem.to_string()),
        }
    }
}

/// Asks for compressed messages, whenever a stream is asked for.
pub(super) struct Compressing {
    inner: Arc<dyn Transport>,
    dictionaries: Arc<Dictionaries>,
}

impl Compressing {
    pub(super) fn new(inner: Arc<dyn Transport>, dictionaries: Arc<Dictionaries>) -> Self {
        Self { inner, dictionaries }
    }

    /// The current dictionary, which is fetched if there is none yet, or if the last one is of no use any more.
    async fn dictionary(&self, refused: Option<u32>, deadline: Deadline) -> Result<Dictionary, Without> {
        if let Some(known) = self.dictionaries.current()
            && refused.is_none()
        {
            return Ok(known);
        }
        let dictionary = self.fetch(deadline).await?;
        // What was just refused, for example by one of several servers behind a name.
        if refused == Some(dictionary.id()) {
            return Err(Without::ForGood("the server does not accept its own dictionary".to_owned()));
        }
        if !self.dictionaries.add(&dictionary) {
            return Err(Without::ForGood(format!("the server has had more than {MOST} dictionaries")));
        }
        Ok(dictionary)
    }

    async fn fetch(&self, deadline: Deadline) -> Result<Dictionary, Without> {
        let limit = deadline.remaining().min(limits::DICTIONARY);
        let call = NetworkBskyJetstream::over(&*self.inner).get_zstd_dictionary().timeout(limit);
        let body = call.await.map_err(|error| Without::of(error.kind(), error))?;
        let bytes = body.bytes(MOST_DICTIONARY_BYTES).await.map_err(|error| match error {
            ReadError::Transport(error) => Without::ForNow(error.to_string()),
            error => Without::ForGood(error.to_string()),
        })?;
        Dictionary::new(bytes).map_err(|error| Without::ForGood(error.to_string()))
    }

    async fn send_stream(&self, request: Request) -> Result<TransportResponse, TransportError> {
        let deadline = request.deadline().unwrap_or_else(|| Deadline::after(limits::STREAM_HANDSHAKE));
        let mut refused = None;
        // The last time without compression.
        for _ in 0..2 {
            let Some(plain) = request.try_clone() else { break };
            let dictionary = match self.dictionary(refused, deadline).await {
                Ok(dictionary) => dictionary,
                Err(Without::ForNow(problem)) => {
                    tracing::debug!(problem, "this connection of the stream is not compressed");
                    return self.inner.send(request).await;
                }
                Err(Without::ForGood(problem)) => {
                    tracing::debug!(problem, "the stream is not compressed");
                    break;
                }
            };
            let response = self.inner.send(with_dictionary(plain, dictionary.id())).await?;
            if response.status != http::StatusCode::BAD_REQUEST {
                return Ok(response);
            }
            let (body, response) = response.buffered(deadline).await;
            let error =
                ErrorResponse::new(SubscribeEvents::NSID.into(), response.status, &response.headers, &body);
            if error.name.as_deref() != Some("UnknownZstdDictionary") {
                return Ok(response);
            }
            refused = Some(dictionary.id());
        }
        self.dictionaries.turn_off();
        self.inner.send(request).await
    }
}

fn with_dictionary(request: Request, id: u32) -> Request {
    let separator = if request.query().is_empty() { "" } else { "&" };
    let query = format!("{}{separator}zstdDictionary={id}", request.query());
    request.with_query(query)
}

impl Transport for Compressing {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        if self.dictionaries.is_on() { Box::pin(self.send_stream(request)) } else { self.inner.send(request) }
    }

    fn settings(&self) -> &CallSettings {
        self.inner.settings()
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }

    fn account(&self) -> Option<&crate::types::Did> {
        self.inner.account()
    }

    fn service(&self) -> Option<&str> {
        self.inner.service()
    }
}

impl fmt::Debug for Compressing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Compressing(..)")
    }
}
