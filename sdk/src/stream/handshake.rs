//! The handshake of a WebSocket ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455#section-4)), as a request of a transport.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
        SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    },
};
use ring::digest;

use super::protocol::StreamRequest;
use crate::{
    random,
    server_text::{MESSAGE, SHORT, excerpt},
    xrpc::{Deadline, ErrorResponse, Kind, Request, Transport, TransportError, TransportResponse, Upgraded},
};

/// What the server adds to the key before it hashes it.
const SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why there is no stream after a handshake.
#[derive(Debug)]
pub(super) enum NoStream {
    /// There was no answer.
    Failed(TransportError),
    /// The server answered with an error.
    Refused(Box<ErrorResponse>),
    /// The server answered with something else.
    Other(Box<NotAStream>),
}

/// A server answered a handshake with something other than a stream: a page, for example.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{nsid}: the server does not answer with a stream, but with {found}; check its address, and what is between here and there"
)]
#[non_exhaustive]
pub struct NotAStream {
    /// The NSID of the subscription.
    pub nsid: Arc<str>,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the answer is instead, and how it begins if it is text.
    pub found: String,
}

/// An open connection.
pub(super) struct Opened {
    pub(super) upgraded: Upgraded,
    /// The subprotocol that the server has chosen.
    pub(super) chosen: Option<String>,
}

/// Sends the handshake, and checks the answer.
pub(super) async fn open(
    transport: &dyn Transport,
    nsid: Arc<str>,
    request: StreamRequest,
    deadline: Deadline,
) -> Result<Opened, NoStream> {
    let key = new_key().map_err(NoStream::Failed)?;
    let offered = request.subprotocols.clone();
    let settings = transport.settings();
    if let Some(problem) = settings.problem() {
        let problem = problem.to_string();
        return Err(NoStream::Failed(TransportError::InvalidRequest { problem }));
    }
    let mut own = request.headers;
    settings.add_headers(&mut own);
    let headers = headers(own, &key, &offered);
    let outgoing = Request::new(Kind::Query, Arc::clone(&nsid))
        .with_query(request.query)
        .with_headers(headers)
        .with_deadline(deadline);
    let answer = deadline.until(transport.send(outgoing)).await.unwrap_or_else(|| {
        Err(TransportError::Timeout { host: format!("the server of {nsid}"), limit: deadline.limit() })
    });
    let mut response = answer.map_err(NoStream::Failed)?;
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(refusal(nsid, response, deadline).await);
    }
    let other = |found: String| {
        NoStream::Other(Box::new(NotAStream {
            nsid: Arc::clone(&nsid),
            status: StatusCode::SWITCHING_PROTOCOLS,
            found,
        }))
    };
    let chosen = check(&response.headers, &key, &offered).map_err(other)?;
    match response.take_upgrade() {
        Some(upgraded) => Ok(Opened { upgraded, chosen }),
        None => Err(NoStream::Failed(TransportError::InvalidRequest {
            problem: "this transport cannot open streams: its response has no connection".to_owned(),
        })),
    }
}

/// Random, so that no server in between answers with what it remembers.
fn new_key() -> Result<String, TransportError> {
    let mut bytes = [0; 16];
    random::fill(&mut bytes)
        .map_err(|error| TransportError::InvalidRequest { problem: error.to_string() })?;
    Ok(STANDARD.encode(bytes))
}

fn headers(mut headers: HeaderMap, key: &str, offered: &[&'static str]) -> HeaderMap {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    headers.remove(SEC_WEBSOCKET_PROTOCOL);
    // Base64 and names are ASCII, which is always a valid header value.
    if let Ok(key) = HeaderValue::from_str(key) {
        headers.insert(SEC_WEBSOCKET_KEY, key);
    }
    if !offered.is_empty()
        && let Ok(offered) = HeaderValue::from_str(&offered.join(", "))
    {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    headers
}

/// Checks that the server has understood the handshake. Returns the subprotocol, or what is wrong.
fn check(headers: &HeaderMap, key: &str, offered: &[&'static str]) -> Result<Option<String>, String> {
    let text = |name: &HeaderName| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let upgraded = text(&UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
    if !upgraded {
        return Err("another protocol than WebSocket".to_owned());
    }
    if text(&SEC_WEBSOCKET_ACCEPT).is_none_or(|proof| proof.trim() != accepting(key)) {
        return Err("the answer to another handshake (`Sec-WebSocket-Accept` is wrong)".to_owned());
    }
    if let Some(extensions) = text(&SEC_WEBSOCKET_EXTENSIONS).filter(|it| !it.trim().is_empty()) {
        return Err(format!("the extension `{}`, which was not asked for", excerpt(&extensions, SHORT)));
    }
    match text(&SEC_WEBSOCKET_PROTOCOL).filter(|it| !it.trim().is_empty()) {
        None => Ok(None),
        Some(chosen) if offered.contains(&chosen.trim()) => Ok(Some(chosen.trim().to_owned())),
        Some(chosen) => {
            Err(format!("the subprotocol `{}`, which was not asked for", excerpt(&chosen, SHORT)))
        }
    }
}

/// What a server answers to a key.
fn accepting(key: &str) -> String {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(SALT);
    STANDARD.encode(hash.finish())
}

/// What a response means that is not a switch of protocols.
async fn refusal(nsid: Arc<str>, response: TransportResponse, deadline: Deadline) -> NoStream {
    let (body, response) = response.buffered(deadline).await;
    let (status, headers) = (response.status, &response.headers);
    let mut told = ErrorResponse::new(Arc::clone(&nsid), status, headers, &body);
    let mime =
        headers.get(CONTENT_TYPE).map(|mime| excerpt(&String::from_utf8_lossy(mime.as_bytes()), SHORT));
    if status.is_client_error() || status.is_server_error() {
        if let Some(mime) = mime.filter(|_| !body.is_empty() && told.json().is_none()) {
            told.message = Some(page(&mime, told.message.as_deref()));
        }
        return NoStream::Refused(Box::new(told));
    }
    let mut found = match mime {
        Some(mime) => format!("{status} and `{mime}`"),
        None => status.to_string(),
    };
    if let Some(text) = told.message {
        found.push_str(": ");
        found.push_str(&text);
    }
    NoStream::Other(Box::new(NotAStream { nsid, status, found }))
}

/// What is said of an error that is not in the form of XRPC: its words alone could be anybody's.
fn page(mime: &str, words: Option<&str>) -> String {
    let what = if mime.to_ascii_lowercase().contains("html") { "a page" } else { "a document" };
    let words = words.map(|words| format!(": {words}")).unwrap_or_default();
    let told = format!(
        "{what} (`{mime}`) in place of an error in JSON, perhaps of something between here and the server{words}"
    );
    excerpt(&told, MESSAGE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_answer_to_a_key_is_that_of_the_specification() {
        assert_eq!(accepting("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    fn answer(list: &[(&'static str, &str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        let usual = [("upgrade", "WebSocket"), ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")];
        for (name, value) in usual.iter().chain(list) {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        all
    }

    #[test]
    fn e7_only_what_was_offered_can_be_chosen() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let offered = ["xrpc.v1.json", "xrpc.v1.cbor"];
        let chosen = |list: &[(&'static str, &str)]| check(&answer(list), key, &offered);
        assert_eq!(chosen(&[]), Ok(None));
        assert_eq!(
            chosen(&[("sec-websocket-protocol", "xrpc.v1.cbor")]),
            Ok(Some("xrpc.v1.cbor".to_owned()))
        );
        for (list, problem) in [
            ([("sec-websocket-protocol", "xrpc.v9.cbor")], "`xrpc.v9.cbor`"),
            ([("sec-websocket-extensions", "permessage-deflate")], "`permessage-deflate`"),
            ([("sec-websocket-accept", "AAAA")], "another handshake"),
            ([("upgrade", "h2c")], "another protocol"),
        ] {
            let error = chosen(&list).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn the_headers_of_the_handshake_replace_those_of_the_caller() {
        let mut theirs = HeaderMap::new();
        for name in ["upgrade", "connection", "sec-websocket-key", "sec-websocket-extensions", "x-kept"] {
            theirs.insert(name, HeaderValue::from_static("theirs"));
        }
        let all = headers(theirs, "KEY", &[]);
        let text = |name: &str| all.get(name).map(|value| value.to_str().unwrap());
        assert_eq!((text("upgrade"), text("connection")), (Some("websocket"), Some("Upgrade")));
        assert_eq!((text("sec-websocket-key"), text("sec-websocket-extensions")), (Some("KEY"), None));
        assert_eq!((text("x-kept"), text("sec-websocket-protocol")), (Some("theirs"), None));
    }
}
