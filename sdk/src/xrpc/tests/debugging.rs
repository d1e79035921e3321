//! `Debug` of requests and responses is for logs, so it shows nothing that is secret.

use super::{answer, headers};
use crate::xrpc::{ByteStream, Kind, Request, RequestBody, Response};

const SECRET: &str = "hunter2";

fn shows_nothing(value: &dyn std::fmt::Debug) -> String {
    let text = format!("{value:?} {value:#?}");
    assert!(!text.contains(SECRET), "{text}");
    // Bytes in decimal.
    assert!(!text.contains("104, 117, 110"), "{text}");
    text
}

#[test]
fn a_body_shows_only_its_kind_and_length() {
    assert!(shows_nothing(&RequestBody::from(SECRET)).contains('7'));
    shows_nothing(&RequestBody::from(SECRET.to_owned().into_bytes()));
    shows_nothing(&RequestBody::from(ByteStream::new(futures_util::stream::iter([Ok(SECRET.into())]))));
    assert_eq!(format!("{:?}", RequestBody::Empty), "Empty");
}

#[test]
fn a_request_shows_no_body_no_parameters_and_no_header_values() {
    let sent = headers(&[("authorization", SECRET), ("cookie", SECRET), ("x-admin-key", SECRET)]);
    let request = Request::new(Kind::Procedure, "com.example.signIn")
        .with_query(format!("token={SECRET}"))
        .with_headers(sent)
        .with_body(format!(r#"{{"password": "{SECRET}"}}"#));
    let text = shows_nothing(&request);
    for shown in ["com.example.signIn", "x-admin-key", "authorization", "23"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn a_response_shows_no_body_and_no_header_values() {
    let received = answer(200, &[("set-cookie", SECRET), ("dpop-nonce", SECRET)], SECRET);
    let text = shows_nothing(&received);
    assert!(text.contains("200") && text.contains("set-cookie"), "{text}");
    shows_nothing(&Response::new(received.status, received.headers, ()));
}
