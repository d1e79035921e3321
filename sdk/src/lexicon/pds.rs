//! Calls to a server that anybody can choose, without credentials.

use std::{io, sync::Arc};

use futures_util::stream::unfold;
use http::HeaderMap;

use crate::xrpc::{BoxFuture, ByteStream, Request, Transport, TransportError, TransportResponse, service};

/// The maximum size of an answer: a proof has some nodes of a tree and one record, a page has a hundred lexicons.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// The server at an origin that has been checked, over a client that checks addresses.
pub(super) struct Pds<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) origin: &'a str,
}

impl Transport for Pds<'_> {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let mut response = service::send(self.http, self.origin, request, HeaderMap::new()).await?;
            response.body = limited(response.body, self.origin.to_owned());
            Ok(response)
        })
    }
}

/// Ends a body with an error where it exceeds the limit.
fn limited(body: ByteStream, host: String) -> ByteStream {
    ByteStream::new(unfold(Some((body, MAX_ANSWER)), move |state| {
        let host = host.clone();
        async move {
            let (mut body, left) = state?;
            match body.next().await? {
                Ok(bytes) if bytes.len() > left => {
                    let problem = format!("the answer has more than {MAX_ANSWER} bytes");
                    let source = Arc::new(io::Error::other(problem));
                    Some((Err(TransportError::Exchange { host, source }), None))
                }
                Ok(bytes) => {
                    let left = left - bytes.len();
                    Some((Ok(bytes), Some((body, left))))
                }
                Err(error) => Some((Err(error), None)),
            }
        }
    }))
}
