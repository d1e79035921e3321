//! A transport for the tests of this module: it answers with what a function returns.
#![allow(clippy::unwrap_used)]

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;

use crate::{
    types::Did,
    xrpc::{BoxFuture, ByteStream, Request, RequestBody, Transport, TransportError, TransportResponse},
};

type Answer = dyn FnMut(&str, &str, Value) -> (u16, Value) + Send;

/// Answers calls with what a function makes of method, query and body.
pub(super) struct Answering {
    account: Option<Did>,
    answer: Mutex<Box<Answer>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
    labelers: Mutex<Vec<Option<String>>>,
}

impl Answering {
    pub(super) fn new(answer: impl FnMut(&str, &str, Value) -> (u16, Value) + Send + 'static) -> Self {
        // Tests run at the same time, and what they do for one account waits for each other.
        static ACCOUNTS: AtomicUsize = AtomicUsize::new(0);
        let account = format!("did:web:a{}.test", ACCOUNTS.fetch_add(1, Ordering::Relaxed));
        Self {
            account: Some(Did::new(account).unwrap()),
            answer: Mutex::new(Box::new(answer)),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            labelers: Mutex::default(),
        }
    }

    /// The same for another account, or none.
    pub(super) fn of(mut self, account: Option<&str>) -> Self {
        self.account = account.map(|account| Did::new(account).unwrap());
        self
    }

    /// The labelers whose labels were asked for, call by call.
    pub(super) fn labelers(&self) -> Vec<Option<String>> {
        self.labelers.lock().unwrap().clone()
    }

    /// How many calls have been under way at once.
    pub(super) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl Transport for Answering {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            // Others get a chance to overtake.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let (nsid, query) = (request.nsid().to_owned(), request.query().to_owned());
            let labelers = request.headers().get("atproto-accept-labelers");
            let labelers = labelers.map(|list| list.to_str().unwrap().to_owned());
            self.labelers.lock().unwrap().push(labelers);
            let body = match request.into_body() {
                RequestBody::Bytes(bytes) => serde_json::from_slice(&bytes).unwrap(),
                _ => Value::Null,
            };
            let (status, answer) = (self.answer.lock().unwrap())(&nsid, &query, body);
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let mut headers = HeaderMap::new();
            headers.insert("content-type", HeaderValue::from_static("application/json"));
            let body = ByteStream::new(futures_util::stream::iter([Ok(answer.to_string().into())]));
            Ok(TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers, body))
        })
    }

    fn account(&self) -> Option<&Did> {
        self.account.as_ref()
    }
}

/// Runs a future on one thread.
pub(super) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(future)
}
