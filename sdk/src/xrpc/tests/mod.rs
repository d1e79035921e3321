//! Calls over a transport that answers what a test says, and over connections that never finish.
#![allow(clippy::unwrap_used)]

mod deadlines;
mod debugging;
mod departures;
mod pages;
mod policies;
mod rate_limits;
mod records;
mod services;
mod sizes;
mod texts;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{BoxFuture, ByteStream, Request, Transport, TransportError, TransportResponse};
use crate::types::{Did, Handle};

fn did() -> Did {
    Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap()
}

fn handle() -> Handle {
    Handle::new("alice.example.com").unwrap()
}

type Answer = Result<TransportResponse, TransportError>;

/// Answers each request with what a function makes of its number, counted from zero, and of the request.
struct Scripted<F> {
    answer: F,
    sent: Arc<Mutex<Vec<tokio::time::Instant>>>,
}

impl<F: Fn(usize, &Request) -> Answer + Send + Sync> Scripted<F> {
    fn new(answer: F) -> Self {
        Self { answer, sent: Arc::default() }
    }

    /// How many requests there were.
    fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    /// When they were sent, since the first one.
    fn times(&self) -> Vec<Duration> {
        let sent = self.sent.lock().unwrap();
        sent.iter().map(|at| *at - sent[0]).collect()
    }
}

impl<F: Fn(usize, &Request) -> Answer + Send + Sync> Transport for Scripted<F> {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Answer> {
        let number = self.count();
        self.sent.lock().unwrap().push(tokio::time::Instant::now());
        let answer = (self.answer)(number, &request);
        Box::pin(async { answer })
    }
}

fn headers(list: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    list.iter().map(pair).collect()
}

fn answer(status: u16, list: &[(&'static str, &str)], body: impl Into<Bytes>) -> TransportResponse {
    let body = ByteStream::new(futures_util::stream::iter([Ok(body.into())]));
    TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers(list), body)
}

fn json(body: impl Into<Bytes>) -> TransportResponse {
    answer(200, &[("content-type", "application/json")], body)
}

/// A body that begins with this text and goes on with a space every half second, without end.
fn dripping(status: u16, begin: &'static str) -> TransportResponse {
    let stream = futures_util::stream::unfold(Some(begin), |begin| async move {
        match begin {
            Some(begin) => Some((Ok(Bytes::from_static(begin.as_bytes())), None)),
            None => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                Some((Ok(Bytes::from_static(b" ")), None))
            }
        }
    });
    let headers = headers(&[("content-type", "application/json")]);
    TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers, ByteStream::new(stream))
}
