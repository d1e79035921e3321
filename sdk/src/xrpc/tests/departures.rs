//! Servers that depart from their lexicons: more parameters, other outputs, errors that say more.

use serde_json::json;

use super::*;
use crate::{
    Client,
    api::{app::bsky::actor::get_profile, com::atproto::repo::upload_blob},
    types::Nsid,
    xrpc::{Error, ErrorKind, InvalidRequest, RequestBody},
};

fn answer(status: u16, mime: &'static str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(mime));
    let body = Bytes::copy_from_slice(body.as_bytes());
    let body = ByteStream::new(futures_util::stream::once(async { Ok(body) }));
    Ok(TransportResponse::new(StatusCode::from_u16(status).unwrap(), headers, body))
}

fn params() -> get_profile::Params {
    get_profile::Params::new(handle())
}

fn nsid() -> Nsid {
    Nsid::new("com.example.shop.upload").unwrap()
}

#[tokio::test]
async fn x2_parameters_beyond_the_lexicon_are_sent_after_those_of_it() {
    let client = Client::new(Scripted::new(|_, request: &Request| {
        answer(200, "application/json", &json!({"query": request.query()}).to_string())
    }));
    let call = client.app_bsky_actor().get_profile(params());
    let call = call.query_param("did", did()).query_param("n", 5).query_param("a b", "x&y");
    let sent = call.send_untyped().await.unwrap().output.get("query").unwrap().decode::<String>().unwrap();
    assert_eq!(sent, "actor=alice.example.com&did=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz&n=5&a%20b=x%26y");
    let call = client.get(&nsid(), &json!({"a": 1})).query_param("b", true);
    assert_eq!(call.await.unwrap().get("query").unwrap().decode::<String>().unwrap(), "a=1&b=true");
    let call = client.post(&nsid(), &json!({})).query_param("only", 1);
    assert_eq!(call.await.unwrap().get("query").unwrap().decode::<String>().unwrap(), "only=1");
}

#[tokio::test]
async fn x7_bytes_are_sent_with_a_query_and_a_type() {
    let client = Client::new(Scripted::new(|number, request: &Request| {
        let RequestBody::Bytes(body) = request.body() else { panic!("no bytes") };
        assert_eq!((&body[..], request.query()), (&b"abc"[..], "name=a.mp4"));
        let mime = if number == 1 { "application/octet-stream" } else { "video/mp4" };
        assert_eq!(request.headers()["content-type"], mime);
        answer(200, "application/json", "{}")
    }));
    client.post_bytes(&nsid(), "abc").content_type("video/mp4").query_param("name", "a.mp4").await.unwrap();
    client.post_bytes(&nsid(), "abc").query_param("name", "a.mp4").await.unwrap();
    // Also a typed call.
    let call =
        client.com_atproto_repo().upload_blob("abc").content_type("video/mp4").query_param("name", "a.mp4");
    assert!(matches!(call.await, Err(Error::Decode(_))));
    let _ = upload_blob::Params::new();
}

#[tokio::test]
async fn an_output_that_departs_from_the_lexicon_is_read_undecoded() {
    let client = Client::new(Scripted::new(|number, _: &Request| match number {
        0 | 1 => answer(200, "application/json", r#"{"did": 5, "other": ["x"]}"#),
        2 => answer(200, "application/json", ""),
        3 => answer(200, "text/html", "<html>"),
        _ => answer(200, "image/png", "png"),
    }));
    let call = || client.app_bsky_actor().get_profile(params());
    assert!(matches!(call().await, Err(Error::Decode(_))));
    let response = call().send_untyped().await.unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.output.get("other").unwrap().as_json(), r#"["x"]"#);
    assert!(call().send_untyped().await.unwrap().output.is_null());
    assert!(matches!(call().send_untyped().await, Err(Error::Decode(_))), "JSON is still JSON");
    let bytes = call().send_bytes().await.unwrap();
    assert_eq!(
        (&bytes.headers["content-type"], bytes.output.bytes(10).await.unwrap()),
        (&HeaderValue::from_static("image/png"), Bytes::from("png"))
    );
    let untyped = client.get(&nsid(), &json!({})).send_bytes().await.unwrap();
    assert_eq!(untyped.output.bytes(10).await.unwrap(), "png");
}

#[tokio::test]
async fn x3_an_error_keeps_what_the_server_has_said() {
    let told = r#"{"error": "already_exists", "message": "m", "jobStatus": {"jobId": "j1", "secret": "s3cret"}, "rate": 1.5}"#;
    let client = Client::new(Scripted::new(|number, _: &Request| match number {
        0 => answer(409, "application/json", told),
        1 => answer(502, "text/html", "<html>bad gateway</html>"),
        2 => answer(500, "text/plain", &"x".repeat(200_000)),
        _ => answer(400, "application/json", ""),
    }));
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(client.app_bsky_actor().get_profile(params()).without_retry().await.unwrap_err());
    }
    let response = errors[0].response().unwrap();
    assert_eq!((response.body(), errors[0].kind()), (told.as_bytes(), ErrorKind::InvalidInput));
    let job = response.json().and_then(|json| json.get("jobStatus")?.get("jobId"));
    assert_eq!(job.unwrap().decode::<String>().unwrap(), "j1");
    for text in [format!("{:?}", errors[0]), errors[0].to_string()] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    let bodies: Vec<usize> = errors[1..].iter().map(|error| error.response().unwrap().body().len()).collect();
    assert_eq!(bodies, [24, 64 << 10, 0]);
    assert!(errors[1..].iter().all(|error| error.response().unwrap().json().is_none()));
    // Also without the type of the lexicon's errors.
    assert_eq!(errors.swap_remove(0).erase().response().unwrap().body(), told.as_bytes());
}

#[tokio::test]
async fn d5_a_name_that_was_decoded_and_is_not_valid_is_no_method() {
    let client = Client::new(Scripted::new(|_, _: &Request| unreachable!("it was sent")));
    for name in ["../oauth/revoke", "a.b.c?x=1#", "a b", ""] {
        let nsid: Nsid = crate::types::from_json(json!(name).to_string()).unwrap();
        let error = client.get(&nsid, &json!({})).await.unwrap_err();
        assert!(matches!(error, Error::InvalidRequest(InvalidRequest::Method { .. })), "{error}");
        client.post(&nsid, &json!({})).await.unwrap_err();
        client.post_bytes(&nsid, "abc").await.unwrap_err();
    }
}
