//! What has to be on the wire, from the documents alone (X1, X2, X9).

use serde_json::Value;

use crate::{
    BYTES,
    documents::{Document, members, scalar},
    recorder::{Answer, Sent},
    typed::Given,
};

/// A request with its body as data.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) verb: &'static str,
    pub(crate) nsid: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    None,
    Json(Value),
    Bytes,
}

/// The request of a call.
pub(crate) fn request_of(document: &Document<'_>, given: &Given) -> Request {
    let accept = document.output_encoding().map(|encoding| ("accept".to_owned(), encoding.to_owned()));
    let content_type =
        content_type_of(document, given).map(|mime| ("content-type".to_owned(), mime.to_owned()));
    Request {
        verb: document.verb(),
        nsid: document.nsid.to_owned(),
        query: query_string(document, &given.params),
        headers: accept.into_iter().chain(content_type).collect(),
        body: match (document.input_encoding(), &given.input) {
            (None, _) => Body::None,
            (Some("application/json"), input) => Body::Json(input.clone().unwrap()),
            _ => Body::Bytes,
        },
    }
}

/// The content type of the body, if there is one: the document's or, where it leaves that open, the caller's.
pub(crate) fn content_type_of<'l>(document: &Document<'l>, given: &Given) -> Option<&'l str> {
    match document.input_encoding()? {
        "*/*" => Some(given.content_type.unwrap_or("application/octet-stream")),
        encoding => Some(encoding),
    }
}

/// The parameters in the order of the document, with defaults, and arrays as repeated names (X2).
pub(crate) fn query_string(document: &Document<'_>, params: &Value) -> String {
    let mut pairs = Vec::new();
    let properties = document.params().and_then(|params| params.get("properties"));
    for (name, schema) in properties.into_iter().flat_map(members) {
        let value = params.get(name).cloned().or_else(|| schema.get("default").map(scalar));
        let values = match value {
            None => Vec::new(),
            Some(Value::Array(values)) => values,
            Some(value) => vec![value],
        };
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            pairs.push(format!("{}={}", encoded(name), encoded(&text)));
        }
    }
    pairs.join("&")
}

/// Percent-encoded, all but the unreserved characters of RFC 3986.
fn encoded(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let byte =
        |byte: u8| if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// A successful answer.
pub(crate) fn answer_of(document: &Document<'_>, given: &Given) -> Answer {
    match (document.output_encoding(), &given.answer) {
        (None, _) => Answer { status: 200, content_type: None, body: Vec::new() },
        (Some(_), Some(answer)) => Answer::json(answer),
        (Some(encoding), None) => {
            let mime = match encoding {
                "*/*" => "image/png",
                "application/vnd.ipld.car" => "application/vnd.ipld.car",
                "application/jsonl" => "application/jsonl",
                "application/octet-stream" => "application/octet-stream",
                other => panic!("there is no answer of the type {other}"),
            };
            Answer { status: 200, content_type: Some(mime), body: BYTES.to_vec() }
        }
    }
}

impl Request {
    /// Compares with what was sent.
    pub(crate) fn assert_is(&self, sent: &Sent, what: &str) {
        assert_eq!((sent.verb, &sent.nsid), (self.verb, &self.nsid), "{what}");
        assert_eq!(sent.query, self.query, "{what}: the query string");
        assert_eq!(sent.headers, self.headers, "{what}: the headers");
        self.assert_body(sent.body.as_deref(), what);
    }

    /// Compares the body. JSON is compared as data, and has to be as short as possible, so that no key is in it twice.
    pub(crate) fn assert_body(&self, sent: Option<&[u8]>, what: &str) {
        match (&self.body, sent) {
            (Body::None, None) => {}
            (Body::Bytes, Some(sent)) => assert_eq!(sent, BYTES, "{what}: the body"),
            (Body::Json(expected), Some(sent)) => {
                let found: Value = serde_json::from_slice(sent).unwrap();
                assert_eq!(found, *expected, "{what}: the body");
                assert_eq!(sent.len(), expected.to_string().len(), "{what}: the length of the body");
            }
            (expected, sent) => panic!("{what}: {sent:?}, expected {expected:?}"),
        }
    }
}
