//! Acting for an account, at a server that answers what it was told to.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use tests::{Answer, Stub};

use super::{builder::reference, pages::PNG};
use crate::{
    PublicClient,
    bsky::{
        Bluesky, PostBuilder, RichText,
        post::{ImageFile, ImageProblem, LinkCards, ReferenceError, UndoError, UploadError},
    },
    types::{AtUri, Cid, Did},
    xrpc::{
        BoxFuture, Error, ErrorKind, InvalidRequest, Request, Transport, TransportError, TransportResponse,
    },
};

const CREATE: &str = "/xrpc/com.atproto.repo.createRecord";
const DELETE: &str = "/xrpc/com.atproto.repo.deleteRecord";
const GET: &str = "/xrpc/com.atproto.repo.getRecord";
const UPLOAD: &str = "/xrpc/com.atproto.repo.uploadBlob";
const RESOLVE: &str = "/xrpc/com.atproto.identity.resolveHandle";

/// A client of an app's own, with an account.
struct Signed(PublicClient, Did);

fn did(text: &str) -> Did {
    Did::new(text).unwrap()
}

impl Signed {
    fn to(stub: &Stub) -> Self {
        Self(PublicClient::new(&stub.url()).unwrap(), did("did:plc:ewvi7nxzyoun6zhxrhs64oiz"))
    }
}

impl Transport for Signed {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        self.0.send(request)
    }

    fn account(&self) -> Option<&Did> {
        Some(&self.1)
    }
}

fn created(rkey: &str) -> Answer {
    let reference = reference(rkey);
    Answer::json(json!({"uri": reference.uri, "cid": reference.cid}).to_string())
}

fn error(name: &str) -> Answer {
    Answer::json(json!({"error": name, "message": "no"}).to_string()).with_status(400)
}

fn bodies(stub: &Stub, path: &str) -> Vec<Value> {
    stub.received_at(path).iter().map(|received| serde_json::from_slice(&received.body).unwrap()).collect()
}

#[tokio::test]
async fn what_people_do_is_a_record_in_their_repository() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, created("3jzfcijpj2z2b"));
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let subject = reference("3jzfcijpj2z2a");
    assert_eq!(bluesky.like(subject.clone()).await.unwrap(), reference("3jzfcijpj2z2b"));
    bluesky.repost(subject.clone()).await.unwrap();
    bluesky.follow(did("did:web:example.com")).await.unwrap();
    bluesky.block(did("did:web:example.com")).await.unwrap();
    let expected = [
        ("app.bsky.feed.like", json!({"uri": subject.uri, "cid": subject.cid})),
        ("app.bsky.feed.repost", json!({"uri": subject.uri, "cid": subject.cid})),
        ("app.bsky.graph.follow", json!("did:web:example.com")),
        ("app.bsky.graph.block", json!("did:web:example.com")),
    ];
    for (body, (collection, subject)) in bodies(&stub, CREATE).iter().zip(&expected) {
        assert_eq!((&body["collection"], &body["record"]["subject"]), (&json!(collection), subject));
        assert_eq!(body["repo"], client.1.as_str());
    }
    assert_eq!(bodies(&stub, CREATE).len(), 4);
}

#[tokio::test]
async fn what_people_do_not_want_to_see_is_a_call_and_no_record() {
    let stub = Stub::start().await.unwrap();
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let account = || did("did:web:mallory.example.com");
    let list = || AtUri::new("at://did:web:mallory.example.com/app.bsky.graph.list/3jzfcijpj2z2a").unwrap();
    let seen = crate::types::Datetime::new("2026-01-02T03:04:05Z").unwrap();
    let graph = |name: &str| format!("/xrpc/app.bsky.graph.{name}");
    for (name, input) in [
        ("muteActor", json!({"actor": account()})),
        ("unmuteActor", json!({"actor": account()})),
        ("muteActorList", json!({"list": list()})),
        ("unmuteActorList", json!({"list": list()})),
        ("muteThread", json!({"root": list()})),
        ("unmuteThread", json!({"root": list()})),
    ] {
        let path = graph(name);
        // The second call fails.
        for status in [200, 400] {
            stub.replace(&path, Answer::json("{}").with_status(status));
            let result = match name {
                "muteActor" => bluesky.mute(account()).await.map_err(|error| error.to_string()),
                "unmuteActor" => bluesky.unmute(account()).await.map_err(|error| error.to_string()),
                "muteActorList" => bluesky.mute_list(list()).await.map_err(|error| error.to_string()),
                "unmuteActorList" => bluesky.unmute_list(list()).await.map_err(|error| error.to_string()),
                "muteThread" => bluesky.mute_thread(list()).await.map_err(|error| error.to_string()),
                _ => bluesky.unmute_thread(list()).await.map_err(|error| error.to_string()),
            };
            assert_eq!(result.is_ok(), status == 200, "{name}: {result:?}");
        }
        assert_eq!(bodies(&stub, &path), [input.clone(), input], "{name}");
    }
    let path = "/xrpc/app.bsky.notification.updateSeen";
    stub.answer(path, Answer::status(200));
    bluesky.mark_notifications_seen(seen).await.unwrap();
    assert_eq!(bodies(&stub, path), [json!({"seenAt": "2026-01-02T03:04:05Z"})]);

    stub.answer(CREATE, created("3jzfcijpj2z2b"));
    bluesky.block_list(list()).await.unwrap();
    let record = &bodies(&stub, CREATE)[0];
    assert_eq!(
        (&record["collection"], &record["record"]["subject"]),
        (&json!("app.bsky.graph.listblock"), &json!(list()))
    );
}

#[tokio::test]
async fn a_client_without_an_account_cannot_act() {
    let stub = Stub::start().await.unwrap();
    let client = PublicClient::new(&stub.url()).unwrap();
    let error = Bluesky::over(&client).like(reference("3jzfcijpj2z2a")).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest(InvalidRequest::NotSignedIn)), "{error:?}");
    assert!(stub.received().is_empty());
}

#[tokio::test]
async fn only_what_can_be_undone_is_undone() {
    let stub = Stub::start().await.unwrap();
    stub.answer(DELETE, Answer::json("{}"));
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let uri = |text: &str| AtUri::new(text).unwrap();
    let own = "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    for kind in
        ["feed.like", "feed.repost", "graph.follow", "graph.block", "graph.listitem", "graph.listblock"]
    {
        bluesky.undo(&uri(&format!("{own}/app.bsky.{kind}/3jzfcijpj2z2a"))).await.unwrap();
    }
    let sent = bodies(&stub, DELETE);
    assert_eq!(sent.len(), 6);
    assert_eq!(
        (&sent[0]["collection"], &sent[0]["rkey"]),
        (&json!("app.bsky.feed.like"), &json!("3jzfcijpj2z2a"))
    );

    for other in ["/app.bsky.feed.post/3jzfcijpj2z2a", "/app.bsky.feed.likes/3jzfcijpj2z2a", ""] {
        let error = bluesky.undo(&uri(&format!("{own}{other}"))).await.unwrap_err();
        assert!(matches!(error, UndoError::NotAReaction { .. }), "{error:?}");
    }
    for other in
        [format!("{own}/app.bsky.feed.like"), "at://did:web:example.com/app.bsky.feed.like/x".to_owned()]
    {
        let UndoError::Call { source, .. } = bluesky.undo(&uri(&other)).await.unwrap_err() else {
            panic!("{other}")
        };
        assert_eq!(source.kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(bodies(&stub, DELETE).len(), 6, "nothing else was sent");
}

#[tokio::test]
async fn a_reply_finds_the_root_of_its_thread() {
    let stub = Stub::start().await.unwrap();
    let (root, parent) = (reference("3jzfcijpj2z2a"), reference("3jzfcijpj2z2b"));
    let refs =
        json!({"root": {"uri": root.uri, "cid": root.cid}, "parent": {"uri": root.uri, "cid": root.cid}});
    let post = json!({"$type": "app.bsky.feed.post", "text": "x", "createdAt": "2026-11-26T00:00:00Z", "reply": refs});
    let answer = |value: &Value| {
        Answer::json(json!({"uri": parent.uri, "cid": parent.cid, "value": value}).to_string())
    };
    stub.answer(GET, answer(&post));
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let reply = bluesky.reply_to(&parent.uri).await.unwrap();
    assert_eq!((reply.root, reply.parent), (root, parent.clone()));
    assert_eq!(bluesky.reference(&parent.uri).await.unwrap(), parent);

    stub.replace(GET, answer(&json!({"$type": "app.bsky.feed.like"})));
    assert!(matches!(bluesky.reply_to(&parent.uri).await, Err(ReferenceError::NotAPost { .. })));
    stub.replace(GET, answer(&json!({"$type": "app.bsky.feed.post"})));
    assert!(matches!(bluesky.reply_to(&parent.uri).await, Err(ReferenceError::Unreadable { .. })));
    stub.replace(GET, Answer::json(json!({"uri": parent.uri, "value": post}).to_string()));
    assert!(matches!(bluesky.reply_to(&parent.uri).await, Err(ReferenceError::NoVersion { .. })));
    stub.replace(GET, error("RecordNotFound"));
    assert!(matches!(bluesky.reply_to(&parent.uri).await, Err(ReferenceError::Call { .. })));
    let sent = stub.received_at(GET).len();
    let like = AtUri::new("at://did:web:example.com/app.bsky.feed.like/3jzfcijpj2z2a").unwrap();
    assert!(matches!(bluesky.reply_to(&like).await, Err(ReferenceError::NotAPost { .. })));
    let repository = AtUri::new("at://did:web:example.com").unwrap();
    assert!(matches!(bluesky.reply_to(&repository).await, Err(ReferenceError::NotARecord { .. })));
    assert_eq!(stub.received_at(GET).len(), sent, "nothing was asked for what is no post");
}

#[tokio::test]
async fn a_thread_that_fails_in_the_middle_tells_what_was_posted() {
    let stub = Stub::start().await.unwrap();
    stub.answer(CREATE, created("3jzfcijpj2z2a"));
    stub.answer(CREATE, created("3jzfcijpj2z2b"));
    stub.answer(CREATE, error("InvalidRequest"));
    let client = Signed::to(&stub);
    let posts = ["one", "two", "three", "four"].map(|text| PostBuilder::new(text).build());
    let error = Bluesky::over(&client).thread(posts).await.unwrap_err();
    assert_eq!(error.posted, [reference("3jzfcijpj2z2a"), reference("3jzfcijpj2z2b")]);
    let sent = bodies(&stub, CREATE);
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0]["record"].get("reply"), None);
    let reply = |index: usize, of: &str| sent[index]["record"]["reply"][of]["uri"].clone();
    assert_eq!(
        (reply(2, "root"), reply(2, "parent")),
        (json!(error.posted[0].uri), json!(error.posted[1].uri))
    );
    assert_eq!(
        (reply(1, "root"), reply(1, "parent")),
        (json!(error.posted[0].uri), json!(error.posted[0].uri))
    );
}

#[tokio::test]
async fn mentions_are_resolved_once_and_handles_that_nobody_has_stay_text() {
    let stub = Stub::start().await.unwrap();
    stub.answer(RESOLVE, Answer::json(r#"{"did": "did:web:alice.example"}"#));
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let text = bluesky.rich_text("@alice.com and @Alice.com (@alice.com) at example.com").await.unwrap();
    let mentions: Vec<_> = text.segments().filter_map(|segment| segment.mention()).collect();
    assert_eq!(mentions, [&did("did:web:alice.example"); 3]);
    assert_eq!((text.facets().len(), stub.received_at(RESOLVE).len()), (4, 1));

    for name in ["HandleNotFound", "InvalidRequest"] {
        stub.replace(RESOLVE, error(name));
        assert!(bluesky.rich_text("@alice.com").await.unwrap().facets().is_empty(), "{name}");
    }
    stub.replace(RESOLVE, Answer::status(501));
    let failed = bluesky.rich_text("@alice.com").await.unwrap_err();
    assert_eq!(failed.handle, "alice.com");
    // Text that mentions nobody needs no server.
    let sent = stub.received_at(RESOLVE).len();
    RichText::resolve("example.com", &client).await.unwrap();
    assert_eq!(stub.received_at(RESOLVE).len(), sent);
}

#[tokio::test]
async fn an_image_has_its_type_and_aspect_ratio_and_one_too_large_is_not_sent() {
    let stub = Stub::start().await.unwrap();
    let blob = json!({"$type": "blob", "ref": {"$link": Cid::of_raw(PNG).to_string()}, "mimeType": "image/png", "size": PNG.len()});
    stub.answer(UPLOAD, Answer::json(json!({"blob": blob}).to_string()));
    let client = Signed::to(&stub);
    let bluesky = Bluesky::over(&client);
    let image = bluesky.upload_image(ImageFile::new(PNG).unwrap(), "a dot").await.unwrap();
    assert_eq!((image.alt.as_str(), image.image.cid()), ("a dot", &Cid::of_raw(PNG)));
    let ratio = image.aspect_ratio.unwrap();
    assert_eq!((ratio.width, ratio.height), (1, 1));
    let sent = &stub.received_at(UPLOAD)[0];
    assert_eq!((sent.header("content-type"), sent.body.as_slice()), (Some("image/png"), PNG));

    // The picture of a GIF may have any number of blocks.
    let blocks = [&[255][..], &[0; 255]].concat().repeat(8000);
    let large = [b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02", &blocks[..], b"\0;"].concat();
    let error = bluesky.upload_image(ImageFile::new(large).unwrap(), "").await.unwrap_err();
    assert!(matches!(error, UploadError::Image(ImageProblem::TooLarge { most: 2_000_000, .. })), "{error:?}");
    assert_eq!(stub.received_at(UPLOAD).len(), 1);

    // The image of a link card is uploaded as well.
    stub.answer("/page", Answer::html("<title>T</title><meta property=og:image content=/i.png>"));
    stub.answer("/i.png", Answer::status(200).header("content-type", "image/png").body(PNG));
    let cards = LinkCards::for_development().unwrap();
    let card = bluesky.link_card(&cards, &format!("{}/page", stub.url())).await.unwrap();
    assert_eq!(card.external.thumb.as_ref().unwrap().cid(), &Cid::of_raw(PNG));
    assert_eq!(stub.received_at(UPLOAD).len(), 2);
}

#[tokio::test]
async fn a_post_that_is_too_long_is_not_sent() {
    let stub = Stub::start().await.unwrap();
    let client = Signed::to(&stub);
    let post = PostBuilder::new("x".repeat(301)).build();
    let error = Bluesky::over(&client).post(&post).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("301 graphemes") && stub.received().is_empty(), "{error}");
}
