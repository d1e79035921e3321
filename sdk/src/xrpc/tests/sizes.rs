//! Responses that are larger than they may be, on the wire or in memory.

#[allow(dead_code)]
#[path = "../../../benches/data/pages.rs"]
mod bench_pages;

use std::io::Write as _;

use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::{Answer, Scripted, did, json};
use crate::{
    PublicClient,
    api::{
        app::bsky::{
            actor::{defs::ViewerState, profile::Profile},
            feed::get_timeline,
        },
        com::atproto::{
            repo::{ComAtprotoRepo, describe_repo},
            sync::ComAtprotoSync,
        },
    },
    records::Records,
    types::{FromData, Nsid, RecordKey, Unknown, Value, from_json_within},
    xrpc::{Call, Caller, DecodeError, Error, Request, Transport, UntypedCall},
};

const MIB: usize = 1 << 20;

fn with_fields(fields: &str) -> String {
    format!(
        r#"{{"handle": "alice.example.com", "did": "{}", "didDoc": {{}}, "collections": [], "handleIsCorrect": true{fields}}}"#,
        did()
    )
}

/// The error of a call whose answer is this.
async fn error_of(body: String, limit: usize) -> String {
    let transport = Scripted::new(move |_, _| Ok(json(body.clone())));
    let params = describe_repo::Params::new(did());
    let call = ComAtprotoRepo::over(&transport).describe_repo(params.clone()).max_response_size(limit);
    let error = call.await.unwrap_err();
    // The limit of a client is the same.
    let client = WithLimit(transport, crate::xrpc::CallSettings::new().max_response_size(limit));
    let other = ComAtprotoRepo::over(&client).describe_repo(params).await.unwrap_err();
    assert_eq!(error.to_string(), other.to_string());
    error.to_string()
}

struct WithLimit<T>(T, crate::xrpc::CallSettings);

impl<T: Transport> Transport for WithLimit<T> {
    fn send<'a>(&'a self, request: Request) -> crate::xrpc::BoxFuture<'a, Answer> {
        self.0.send(request)
    }
    fn settings(&self) -> &crate::xrpc::CallSettings {
        &self.1
    }
}

fn is_clear(error: &str, limit: usize) {
    for part in ["com.atproto.repo.describeRepo", &limit.to_string(), "max_response_size"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit_that_the_error_names() {
    let body = with_fields(&" ".repeat(10_000));
    is_clear(&error_of(body.clone(), 10_000).await, 10_000);
    let transport = Scripted::new(move |_, _| Ok(json(body.clone())));
    let params = describe_repo::Params::new(did());
    assert!(ComAtprotoRepo::over(&transport).describe_repo(params).max_response_size(11_000).await.is_ok());
}

#[tokio::test]
async fn there_is_a_limit_without_an_option() {
    let body = with_fields(&" ".repeat(9 * MIB));
    let transport = Scripted::new(move |_, _| Ok(json(body.clone())));
    let params = describe_repo::Params::new(did());
    let error = ComAtprotoRepo::over(&transport).describe_repo(params).await.unwrap_err();
    assert!(
        matches!(error, Error::Decode(DecodeError::TooLarge { limit, .. }) if limit == 8 * MIB),
        "{error}"
    );
    let nsid = Nsid::new("com.example.get").unwrap();
    let error = UntypedCall::get(Caller::new(&transport), &nsid, &()).await.unwrap_err();
    assert!(
        matches!(error, Error::Decode(DecodeError::TooLarge { limit, .. }) if limit == 8 * MIB),
        "{error}"
    );
}

#[tokio::test]
async fn what_a_body_is_decoded_to_has_a_limit() {
    let many =
        |field: &str| (0..).map(|n| field.replace('#', &n.to_string())).take(20_000).collect::<String>();
    for fields in
        [many(", \"#\": 0"), many(", \"#\": []"), format!(r#", "didDoc2": [{}0]"#, "0,".repeat(60_000))]
    {
        // What is kept as it came costs little more than its text, and small fields cost much more.
        let kept_as_text = fields.contains("didDoc2");
        let transport = Scripted::new({
            let body = with_fields(&fields);
            move |_, _| Ok(json(body.clone()))
        });
        let size = with_fields(&fields).len();
        let params = describe_repo::Params::new(did());
        let call = ComAtprotoRepo::over(&transport).describe_repo(params).max_response_size(size);
        match call.await {
            Ok(_) => assert!(kept_as_text),
            Err(error) => {
                assert!(!kept_as_text, "{error}");
                is_clear(&error.to_string(), size);
            }
        }
    }
}

#[tokio::test]
async fn lists_of_empty_objects_have_a_limit() {
    // Three bytes each on the wire, and hundreds in memory.
    let body = format!(r#"{{"cursor": "1", "repos": [{}]}}"#, vec!["{}"; 100_000].join(","));
    let transport = Scripted::new(move |_, _| Ok(json(body.clone())));
    let error = ComAtprotoSync::over(&transport).list_repos().await.unwrap_err();
    // These have required fields.
    assert!(matches!(error, Error::Decode(DecodeError::Json { .. })), "{error}");
    fn refused<T: FromData>(text: &str) {
        let json = format!("[{}]", vec![text; 300_000].join(","));
        let error = from_json_within::<Vec<T>>(json.as_bytes(), 4 * json.len()).err().unwrap();
        assert!(error.to_string().contains("memory"), "{error}");
    }
    refused::<crate::api::app::bsky::actor::defs::ViewerState>("{}");
    refused::<Box<crate::api::app::bsky::actor::defs::ViewerState>>("{}");
    refused::<Unknown>("0");
    refused::<Value>("[]");
    refused::<Value>("0");
    refused::<Value>("{}");
    refused::<Value>(r#"{"a":0}"#);
    refused::<String>(r#""""#);
}

#[tokio::test]
async fn a_record_has_a_limit_when_it_is_decoded() {
    // The record is kept as text until then.
    let fields = (0..100_000).map(|n| format!(r#","{n}":0"#)).collect::<String>();
    let uri = format!("at://{}/app.bsky.actor.profile/self", did());
    let entry = format!(
        r#"{{"uri": "{uri}", "cid": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy",
            "value": {{"$type": "app.bsky.actor.profile"{fields}}}}}"#
    );
    let page = format!(r#"{{"records": [{entry}]}}"#);
    let transport = Scripted::new(move |_, request| {
        Ok(json(if request.nsid().ends_with("listRecords") { page.clone() } else { entry.clone() }))
    });
    let records = Records::<Profile>::new(Caller::new(&transport), did());
    let one = records.get(&RecordKey::new("self").unwrap()).await.unwrap_err();
    let all = records.list().next().await.unwrap().unwrap_err();
    for error in [one.to_string(), all.to_string()] {
        assert!(error.contains("memory") && error.contains("com.atproto.repo."), "{error}");
    }
    // What is decoded is small and large, and a tree of numbers is none of it.
    let numbers = Unknown::from_json(format!("[{}0]", "0,".repeat(300_000))).unwrap();
    assert!(numbers.decode::<Vec<i64>>().is_ok() && numbers.to_value().is_ok());
    assert_eq!(Unknown::from_json("[{}]").unwrap().decode::<Vec<ViewerState>>().unwrap().len(), 1);
}

#[test]
fn deep_lists_have_a_limit() {
    let json = format!("[{}]", vec![format!("{}{}", "[".repeat(100), "]".repeat(100)); 1000].join(","));
    assert!(from_json_within::<Value>(json.as_bytes(), 4 * json.len()).is_err());
    assert!(from_json_within::<Unknown>(json.as_bytes(), 4 * json.len()).is_ok());
}

/// Real pages are far from the limit, as are pages of records that are nothing but text.
#[test]
fn real_pages_fit() {
    fn fits<T: FromData>(json: &[u8]) {
        assert!(from_json_within::<T>(json, 2 * json.len()).is_ok());
    }
    let record = format!(r#"{{"$type": "com.example.text", "text": "{}"}}"#, "long ".repeat(1000));
    let entry = format!(
        r#"{{"uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.text/self", "cid": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy", "value": {record}}}"#
    );
    let page = format!(r#"{{"records": [{}]}}"#, vec![entry; 100].join(","));
    fits::<crate::api::com::atproto::repo::list_records::Output>(page.as_bytes());
    fits::<get_timeline::Output>(bench_pages::Pages::new(1).timeline().as_bytes());
    fits::<crate::api::com::atproto::repo::list_records::Output>(
        bench_pages::Pages::new(2).records().as_bytes(),
    );
}

#[tokio::test]
async fn a_compressed_body_is_counted_after_decompression() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(b"{\"a\": \"").unwrap();
    for _ in 0..256 {
        packed.write_all(&vec![b' '; MIB]).unwrap();
    }
    let packed = packed.finish().unwrap();
    assert!(packed.len() < MIB);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = PublicClient::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                packed.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(&packed).await;
        }
    });
    let nsid = Nsid::new("com.example.get").unwrap();
    let error = client.get(&nsid, &()).await.unwrap_err();
    assert!(matches!(error, Error::Decode(DecodeError::TooLarge { .. })), "{error}");
    let params = describe_repo::Params::new(did());
    let error = Call::<describe_repo::DescribeRepo>::new(Caller::new(&client), params, ()).await.unwrap_err();
    assert!(matches!(error, Error::Decode(DecodeError::TooLarge { .. })), "{error}");
}
