//! A transport that keeps the request and gives an answer.

use std::sync::Mutex;

use atproto_sdk::xrpc::{
    BoxFuture, ByteStream, Kind, Request, RequestBody, Transport, TransportError, TransportResponse,
};
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self { status: 200, content_type: Some("application/json"), body: value.to_string().into_bytes() }
    }
}

/// A request as it was passed to the transport.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) verb: &'static str,
    pub(crate) nsid: String,
    pub(crate) query: String,
    /// By name.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// Gives its answers one after another.
#[derive(Debug)]
pub(crate) struct Recorder {
    answers: Mutex<std::vec::IntoIter<Answer>>,
    sent: Mutex<Vec<Sent>>,
}

impl Recorder {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers: Vec<Answer> = answers.into_iter().collect();
        Self { answers: Mutex::new(answers.into_iter()), sent: Mutex::default() }
    }

    /// The requests so far.
    pub(crate) fn sent(self) -> Vec<Sent> {
        self.sent.into_inner().unwrap()
    }
}

impl Transport for Recorder {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let mut headers: Vec<(String, String)> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        headers.sort();
        self.sent.lock().unwrap().push(Sent {
            verb: if request.kind() == Kind::Query { "GET" } else { "POST" },
            nsid: request.nsid().to_owned(),
            query: request.query().to_owned(),
            headers,
            body: match request.into_body() {
                RequestBody::Empty => None,
                RequestBody::Bytes(bytes) => Some(bytes.to_vec()),
                RequestBody::Stream(_) => panic!("no test sends a stream"),
            },
        });
        let answer =
            self.answers.lock().unwrap().next().expect("no more requests are sent than there are answers");
        let mut headers = HeaderMap::new();
        if let Some(mime) = answer.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
        }
        let body = ByteStream::new(futures_util::stream::iter([Ok(answer.body.into())]));
        let status = StatusCode::from_u16(answer.status).unwrap();
        Box::pin(async move { Ok(TransportResponse::new(status, headers, body)) })
    }
}
