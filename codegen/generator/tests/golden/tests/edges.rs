//! What servers and proxies really answer, over real connections to a server of our own.
#![allow(clippy::unwrap_used)]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use atproto_sdk::{
    PublicClient, at_uri,
    types::{Did, Nsid, Unknown},
    xrpc::{ByteStream, DecodeError, Error, ErrorKind, InvalidRequest, Labeler, TransportError},
};
use futures_util::StreamExt as _;
use golden::lexicons::{
    app::bsky::feed::{AppBskyFeedExt as _, get_new_thing},
    com::example::{self as example, ComExampleExt as _, data, foo::ComExampleFooExt as _},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// A server that answers every request with the next of some texts (the last one again and again) and keeps the
/// requests.
struct Stub {
    client: PublicClient,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    async fn answering(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        let next = AtomicUsize::new(0);
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let answer = answers[next.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1)].clone();
                let request = read_request(&mut socket).await;
                kept.lock().unwrap().push(request);
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            }
        });
        Self { client: PublicClient::new(&origin).unwrap(), requests }
    }

    fn seen(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    fn request(&self, number: usize) -> String {
        self.requests.lock().unwrap()[number].clone()
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map(|it| it.parse().unwrap());
            let done = if head.contains("transfer-encoding: chunked") {
                body.ends_with("0\r\n\r\n")
            } else {
                body.len() >= length.unwrap_or(0)
            };
            if done {
                return text;
            }
        }
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return String::from_utf8_lossy(&request).into_owned(),
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

fn json_answer(status: &str, body: serde_json::Value) -> Vec<u8> {
    answer(status, "content-type: application/json; charset=utf-8\r\n", &body.to_string())
}

fn params() -> example::foo::Params {
    example::foo::Params::new(Did::new("did:plc:z72i7hdynmk6r22z27h6tvur").unwrap())
}

async fn foo_error(answers: Vec<Vec<u8>>) -> (Error<example::foo::Error>, usize) {
    let stub = Stub::answering(answers).await;
    let error = stub.client.com_example().foo(params()).await.unwrap_err();
    (error, stub.seen())
}

#[tokio::test]
async fn x1_queries_are_get_and_procedures_post_on_a_top_level_path() {
    let stub = Stub::answering(vec![json_answer("200 OK", json!({"notes": []}))]).await;
    stub.client.com_example().foo(params().limit(3)).await.unwrap();
    let request = stub.request(0);
    let line = "GET /xrpc/com.example.foo?author=did%3Aplc%3Az72i7hdynmk6r22z27h6tvur&limit=3&order=new&deep=false HTTP/1.1";
    assert!(request.starts_with(line), "{request}");
    assert!(request.to_lowercase().contains("accept: application/json"), "{request}");

    let view = json!({"uri": "at://did:plc:z72i7hdynmk6r22z27h6tvur", "note": {"$type": "com.example.note", "text": "", "createdAt": "2026-01-01T00:00:00Z"}});
    let stub = Stub::answering(vec![json_answer("200 OK", view)]).await;
    let note = example::note::Note::new("hi", "2026-01-01T00:00:00Z".parse().unwrap());
    let input = example::foo::bar::Input::new(note).option(data::names::OptionDef::new());
    stub.client
        .com_example_foo()
        .bar(input)
        .params(example::foo::bar::Params::new().dry_run(true))
        .await
        .unwrap();
    let request = stub.request(0);
    assert!(request.starts_with("POST /xrpc/com.example.foo.bar?dryRun=true HTTP/1.1"), "{request}");
    assert!(request.to_lowercase().contains("content-type: application/json"), "{request}");
    assert!(request.contains(r#"{"note":{"$type":"com.example.note","text":"hi""#), "{request}");
}

#[tokio::test]
async fn x3_a_named_error_is_the_lexicons_own_whatever_the_status() {
    for status in ["400 Bad Request", "404 Not Found", "401 Unauthorized", "500 Internal Server Error"] {
        let body = json!({"error": "AuthorNotFound", "message": "who?"});
        let headers = "content-type: application/json\r\nwww-authenticate: Bearer error=\"other\"\r\n";
        let (error, _) = foo_error(vec![answer(status, headers, &body.to_string())]).await;
        assert_eq!(error.lexicon_error(), Some(example::foo::Error::AuthorNotFound), "{status}");
        assert_eq!(error.server_message(), Some("who?"));
    }
}

#[tokio::test]
async fn x3_other_errors_keep_name_and_message() {
    let (error, seen) = foo_error(vec![json_answer(
        "400 Bad Request",
        json!({"error": "InvalidRequest", "message": "limit is wrong"}),
    )])
    .await;
    assert_eq!((error.kind(), seen), (ErrorKind::InvalidInput, 1));
    assert_eq!(error.to_string(), "com.example.foo answered 400 Bad Request: InvalidRequest: limit is wrong");
}

#[tokio::test]
async fn x3_a_message_that_was_cut_within_a_character_does_not_hide_the_name() {
    let body = r#"{"error":"AuthorNotFound","message":"there is no \ud83d"}"#;
    let answer = answer("400 Bad Request", "content-type: application/json\r\n", body);
    let (error, _) = foo_error(vec![answer]).await;
    assert_eq!(error.lexicon_error(), Some(example::foo::Error::AuthorNotFound));
    assert!(error.to_string().contains("there is no \u{fffd}"), "{error}");
}

#[tokio::test]
async fn x3_an_html_page_is_an_error_with_its_text() {
    let page = "<html><head><title>502</title></head><body><h1>Bad\n gateway</h1></body></html>";
    let (error, _) =
        foo_error(vec![answer("500 Internal Server Error", "content-type: text/html\r\n", page)]).await;
    assert_eq!(error.to_string(), "com.example.foo answered 500 Internal Server Error: 502 Bad gateway");
    assert_eq!(error.kind(), ErrorKind::TryLater);
    // A page with status 200, as captive portals send it.
    let (error, _) = foo_error(vec![answer("200 OK", "content-type: text/html\r\n", page)]).await;
    assert!(
        matches!(&error, Error::Decode(DecodeError::ContentType { found, .. }) if found == "text/html"),
        "{error}"
    );
    assert_eq!(error.kind(), ErrorKind::BadAnswer);
}

#[tokio::test]
async fn x3_empty_bodies_are_errors_where_an_output_is_declared_and_fine_elsewhere() {
    let (error, _) = foo_error(vec![answer("200 OK", "", "")]).await;
    assert!(matches!(error, Error::Decode(DecodeError::Empty { .. })), "{error}");
    let (error, _) = foo_error(vec![answer("403 Forbidden", "", "")]).await;
    assert_eq!(error.to_string(), "com.example.foo answered 403 Forbidden");
    let stub = Stub::answering(vec![answer("200 OK", "", "")]).await;
    stub.client.com_example().ping().await.unwrap();
}

#[tokio::test]
async fn x9_truncated_or_wrong_json_names_the_place() {
    let body = r#"{"cursor":"c","notes":[{"uri":"at://did:plc:z72i7hdynmk6r22z27h6tvur","note":{"text":5"#;
    let (error, _) = foo_error(vec![answer("200 OK", "content-type: application/json\r\n", body)]).await;
    let Error::Decode(DecodeError::Json { nsid, problem, .. }) = &error else { panic!("{error}") };
    assert_eq!((&**nsid, problem.path().as_str()), ("com.example.foo", "notes[0].note.text"));
    // The connection breaks off before the promised length.
    let cut = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"notes\":["
        .to_vec();
    let (error, _) = foo_error(vec![cut]).await;
    assert!(matches!(error, Error::Transport(TransportError::Exchange { .. })), "{error}");
    assert_eq!(error.kind(), ErrorKind::TryLater);
}

#[tokio::test]
async fn x4_limits_are_told_and_waited_for() {
    let busy = answer("429 Too Many Requests", "retry-after: 1\r\nratelimit-limit: 30\r\n", "");
    let stub = Stub::answering(vec![busy, json_answer("200 OK", json!({"notes": []}))]).await;
    let begun = Instant::now();
    let response = stub.client.com_example().foo(params()).send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!((stub.seen(), response.rate_limit()), (2, None));

    let headers = "content-type: application/json\r\nratelimit-limit: 30\r\nratelimit-remaining: 29\r\nratelimit-reset: 1770000000\r\nratelimit-policy: 30;w=300\r\n";
    let stub = Stub::answering(vec![answer("200 OK", headers, r#"{"notes":[]}"#)]).await;
    let limit = stub.client.com_example().foo(params()).send().await.unwrap().rate_limit().unwrap();
    assert_eq!((limit.limit, limit.remaining, limit.reset), (Some(30), Some(29), Some(1_770_000_000)));
    assert_eq!(limit.policy.as_deref(), Some("30;w=300"));
}

#[tokio::test]
async fn x4_a_wait_that_is_too_long_is_left_to_the_caller() {
    let (error, seen) = foo_error(vec![answer("429 Too Many Requests", "retry-after: 900\r\n", "")]).await;
    assert_eq!((seen, error.kind()), (1, ErrorKind::TryLater));
    assert_eq!(error.response().unwrap().retry_after, Some(Duration::from_secs(900)));
}

#[tokio::test]
async fn x5_queries_are_sent_again_and_procedures_are_not() {
    let busy = || answer("503 Service Unavailable", "", "");
    let stub = Stub::answering(vec![busy(), busy(), json_answer("200 OK", json!({"notes": []}))]).await;
    stub.client.com_example().foo(params()).await.unwrap();
    assert_eq!(stub.seen(), 3);
    let stub = Stub::answering(vec![busy()]).await;
    assert!(stub.client.com_example().foo(params()).without_retry().await.is_err());
    assert_eq!(stub.seen(), 1);
    let stub = Stub::answering(vec![busy()]).await;
    assert!(stub.client.com_example().r#type(vec![1_u8]).await.is_err());
    assert_eq!(stub.seen(), 1);
    let (_, seen) = foo_error(vec![answer("501 Not Implemented", "", "")]).await;
    assert_eq!(seen, 1);
}

#[tokio::test]
async fn x5_a_refused_connection_is_tried_again_and_then_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = PublicClient::new(&origin).unwrap();
    let begun = Instant::now();
    let error = client.com_example().foo(params()).await.unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Connect { .. })), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(250));
    assert_eq!(error.kind(), ErrorKind::TryLater);
}

#[tokio::test]
async fn x6_proxy_labelers_and_headers_are_sent() {
    let headers = "content-type: application/json\r\natproto-content-labelers: did:plc:labeler\r\n";
    let stub = Stub::answering(vec![answer("200 OK", headers, r#"{"notes":[]}"#)]).await;
    let labeler = Did::new("did:plc:ar7c4by46qjdydhdevvrndac").unwrap();
    let response = stub
        .client
        .com_example()
        .foo(params())
        .proxy("did:web:api.example.com#example")
        .labelers([Labeler::redacting(labeler.clone()), labeler.into()])
        .header("accept-language", "de")
        .send()
        .await
        .unwrap();
    assert_eq!(response.content_labelers(), Some("did:plc:labeler"));
    let request = stub.request(0).to_lowercase();
    assert!(request.contains("atproto-proxy: did:web:api.example.com#example\r\n"), "{request}");
    let labelers = "atproto-accept-labelers: did:plc:ar7c4by46qjdydhdevvrndac;redact, did:plc:ar7c4by46qjdydhdevvrndac\r\n";
    assert!(request.contains(labelers), "{request}");
    assert!(request.contains("accept-language: de\r\n"), "{request}");
}

#[tokio::test]
async fn what_cannot_be_sent_is_told_before_it_is_sent() {
    let stub = Stub::answering(vec![answer("200 OK", "", "")]).await;
    let error = stub.client.com_example().ping().header("bad name", "x").await.unwrap_err();
    assert!(error.to_string().contains("the header `bad name` cannot be sent"), "{error}");
    let error = stub.client.com_example().ping().proxy("https://api.example.com").await.unwrap_err();
    assert!(error.to_string().contains("expected a DID and a service id"), "{error}");
    assert_eq!((error.kind(), stub.seen()), (ErrorKind::InvalidInput, 0));
}

#[tokio::test]
async fn l5_what_breaks_the_lexicon_is_not_sent_unless_the_check_is_turned_off() {
    let stub = Stub::answering(vec![json_answer("200 OK", json!({"notes": []}))]).await;
    let client = stub.client.clone();
    let params = params().limit(101);
    let error = client.com_example().foo(params.clone()).await.unwrap_err();
    let Error::InvalidRequest(InvalidRequest::Violations { nsid, problem }) = &error else {
        panic!("{error}")
    };
    assert_eq!((&**nsid, problem.violations[0].path.as_str()), ("com.example.foo", "limit"));
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(stub.seen(), 0);
    client.validate_input(false).com_example().foo(params).await.unwrap();
    assert!(stub.request(0).contains("limit=101"));
}

#[tokio::test]
async fn x7_bytes_go_out_with_their_type_and_come_in_as_a_stream() {
    let union = json!({"$type": "com.example.data.unions#view", "url": "x:y"});
    let stub = Stub::answering(vec![json_answer("200 OK", union)]).await;
    let pieces = futures_util::stream::iter(["one ", "two"]).map(|piece| Ok(piece.into()));
    stub.client.com_example().r#type(ByteStream::new(pieces)).content_type("image/png").await.unwrap();
    let request = stub.request(0);
    assert!(request.to_lowercase().contains("content-type: image/png"), "{request}");
    assert!(request.contains("one "), "{request}");

    let car = "content-type: application/vnd.ipld.car\r\n";
    let stub = Stub::answering(vec![answer("200 OK", car, "0123456789")]).await;
    let body = stub.client.com_example().download().await.unwrap();
    assert_eq!(&*body.bytes(100).await.unwrap(), b"0123456789");
    let body = stub.client.com_example().download().await.unwrap();
    assert!(body.bytes(5).await.is_err());
}

#[tokio::test]
async fn x8_pages_follow_the_cursor_and_end() {
    let page = |cursor: Option<&str>, number: usize| {
        let note = json!({"$type": "com.example.note", "text": number.to_string(), "createdAt": "2026-01-01T00:00:00Z"});
        let view = json!({"uri": "at://did:plc:z72i7hdynmk6r22z27h6tvur", "note": note});
        let mut page = json!({"notes": [view.clone(), view]});
        if let Some(cursor) = cursor {
            page["cursor"] = json!(cursor);
        }
        json_answer("200 OK", page)
    };
    let stub = Stub::answering(vec![page(Some("a"), 1), page(Some("b c"), 2), page(None, 3)]).await;
    let items: Vec<_> = stub.client.com_example().foo(params().limit(2)).items().collect().await;
    let texts: Vec<String> = items.into_iter().map(|item| item.unwrap().note.text).collect();
    assert_eq!(texts, ["1", "1", "2", "2", "3", "3"]);
    assert!(!stub.request(0).contains("cursor="), "{}", stub.request(0));
    assert!(stub.request(1).contains("limit=2&order=new&deep=false&cursor=a "), "{}", stub.request(1));
    assert!(stub.request(2).contains("cursor=b%20c "), "{}", stub.request(2));
    // A cursor that comes again ends the listing.
    let stub = Stub::answering(vec![page(Some("a"), 1), page(Some("a"), 2)]).await;
    assert_eq!(stub.client.com_example().foo(params()).pages().count().await, 2);
    // An error ends it too.
    let stub = Stub::answering(vec![page(Some("a"), 1), answer("400 Bad Request", "", "")]).await;
    let pages: Vec<_> = stub.client.com_example().foo(params()).pages().collect().await;
    assert_eq!(pages.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn methods_that_are_not_compiled_in_can_be_called() {
    let stub = Stub::answering(vec![json_answer("200 OK", json!({"x": 1}))]).await;
    let nsid = Nsid::new("com.example.secret").unwrap();
    let output = stub.client.get(&nsid, &json!({"limit": 3, "tags": ["a", "b"]})).await.unwrap();
    assert_eq!(output.as_json(), r#"{"x":1}"#);
    assert!(stub.request(0).starts_with("GET /xrpc/com.example.secret?limit=3&tags=a&tags=b HTTP/1.1"));
    stub.client.post(&nsid, &json!({"a": 1})).await.unwrap();
    assert!(stub.request(1).ends_with(r#"{"a":1}"#));
    let error = stub.client.get(&nsid, &json!({"a": {}})).await.unwrap_err();
    assert!(error.to_string().contains("the parameter `a` of com.example.secret"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_left_after_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = PublicClient::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let call = client.com_example().ping().timeout(Duration::from_millis(100));
    let error = call.await.unwrap_err();
    assert!(matches!(error, Error::Transport(TransportError::Timeout { .. })), "{error}");
}

/// Clients of the SDK have `app_bsky_feed` themselves, with the methods of the SDK's own documents.
#[tokio::test]
async fn methods_of_a_group_that_the_sdk_has_are_beside_its_own() {
    let stub = Stub::answering(vec![
        json_answer("200 OK", json!({"name": "thing"})),
        json_answer("200 OK", json!({"feed": []})),
    ])
    .await;
    let params = get_new_thing::Params::new(at_uri!("at://did:web:a.test/app.bsky.feed.post/3jzfcijpj2z2a"));
    let output = stub.client.app_bsky_feed_own().get_new_thing(params).await.unwrap();
    assert_eq!(output.name, "thing");
    assert!(
        stub.request(0).starts_with("GET /xrpc/app.bsky.feed.getNewThing?of=at%3A%2F%2F"),
        "{}",
        stub.request(0)
    );
    let timeline = stub.client.app_bsky_feed().get_timeline().await.unwrap();
    assert!(timeline.feed.is_empty() && stub.request(1).starts_with("GET /xrpc/app.bsky.feed.getTimeline"));
}

#[tokio::test]
async fn a_body_without_a_schema_is_any_json() {
    for json in [r#"["a",{"b":1}]"#, r#""text""#, "5", "null", r#"{"a":1}"#] {
        let stub = Stub::answering(vec![json_answer("200 OK", serde_json::from_str(json).unwrap())]).await;
        let input = Unknown::from_json(json).unwrap();
        let output: Unknown = stub.client.com_example().echo(input.clone()).await.unwrap();
        assert_eq!(output, input);
        assert!(stub.request(0).ends_with(&format!("\r\n\r\n{json}")), "{}", stub.request(0));
    }
    let stub = Stub::answering(vec![json_answer("200 OK", json!(null))]).await;
    let error = stub.client.com_example().echo(Unknown::from_json("[0.5]").unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("`[0]`") && stub.seen() == 0, "{error}");
}
