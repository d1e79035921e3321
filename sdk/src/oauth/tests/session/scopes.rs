//! Calls against the granted scopes: what is forbidden is not sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{World, get};
use crate::{
    api::com::atproto::repo::{create_record, delete_record},
    oauth::{OAuthClient, SessionError},
    scopes::needs::{call, create, delete},
    store::Expected,
    test_lexicons::{Note, Ping, Profile},
    types::{Nsid, RecordKey},
    xrpc::{Error, ErrorKind, Kind, Request, RequestBody, Transport, TransportError, services},
};

/// A session with these granted scopes.
async fn world(scope: &str) -> World {
    let world = World::new(250).await;
    let mut session = world.stored().await.unwrap();
    session.scope = scope.into();
    world.shared.sessions.put(&session.id, &session, Expected::Any).await.unwrap();
    world
}

/// `GET` for queries, `header: value` lines, a body.
fn request(nsid: &str, headers: &[(&'static str, &str)], body: &str) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, HeaderValue::from_str(value).unwrap());
    }
    let (path, query) = nsid.split_once('?').unwrap_or((nsid, ""));
    let kind = if body.is_empty() { Kind::Query } else { Kind::Procedure };
    let body = match body {
        "" => RequestBody::Empty,
        body => RequestBody::Bytes(Bytes::copy_from_slice(body.as_bytes())),
    };
    Request::new(kind, path).with_query(query).with_headers(map).with_body(body)
}

/// The missing scope, if the call was not sent.
async fn missing(client: &OAuthClient, request: Request) -> Option<String> {
    match client.send(request).await {
        Ok(_) => None,
        Err(TransportError::MissingScope { scope, .. }) => Some(scope),
        Err(other) => panic!("{other:?}"),
    }
}

/// Checks requests against scopes, and that forbidden ones are not sent.
async fn check(scope: &str, cases: Vec<(Request, Option<&str>)>) {
    let world = world(scope).await;
    for (request, expected) in cases {
        let before = world.stub.with(|s| s.requests);
        let what = format!("{scope} / {request:?}");
        assert_eq!(missing(&world.client, request).await.as_deref(), expected, "{what}");
        let sent = world.stub.with(|s| s.requests) > before;
        assert_eq!(sent, expected.is_none(), "{what}");
    }
}

const SERVICE: (&str, &str) = ("atproto-proxy", "did:web:api.example.com#x");

#[tokio::test]
async fn o41_writes_need_their_collection_and_action() {
    let record = r#""record": {"text": "\u0061", "collection": 7}"#;
    let write = |method: &str, collection: &str| {
        let body = format!(r#"{{{record}, "repo": "did:web:a.example", "collection": "{collection}"}}"#);
        request(&format!("com.atproto.repo.{method}"), &[], &body)
    };
    let writes = |list: &str| {
        request("com.atproto.repo.applyWrites", &[], &format!(r#"{{"repo": "x", "writes": [{list}]}}"#))
    };
    let create = r#"{"$type": "com.atproto.repo.applyWrites#create", "collection": "a.b.note", "value": {}}"#;
    let remove = r#"{"rkey": "x", "collection": "a.b.note", "$type": "com.atproto.repo.applyWrites#delete"}"#;
    let odd = r#"{"$type": "com.atproto.repo.applyWrites#move", "collection": "a.b.other"}"#;
    check(
        "atproto repo:a.b.note?action=create&action=update",
        vec![
            (write("createRecord", "a.b.note"), None),
            (write("putRecord", "a.b.note"), None),
            (write("deleteRecord", "a.b.note"), Some("repo:a.b.note?action=delete")),
            (write("createRecord", "a.b.other"), Some("repo:a.b.other?action=create")),
            (write("putRecord", "a.b.other"), Some("repo:a.b.other?action=create&action=update")),
            (writes(create), None),
            (writes(&format!("{create}, {odd}")), None),
            (writes(&format!("{create}, {remove}")), Some("repo:a.b.note?action=delete")),
            // A body that cannot be parsed is left to the server to reject.
            (request("com.atproto.repo.createRecord", &[], "{\"collection\": 1}"), None),
            (request("com.atproto.repo.deleteRecord", &[], "nonsense"), None),
        ],
    )
    .await;
    check("atproto transition:generic", vec![(write("deleteRecord", "a.b.note"), None)]).await;
    check(
        "atproto include:a.b.set",
        vec![
            (write("createRecord", "a.b.note"), None),
            (write("createRecord", "a.c.note"), Some("repo:a.c.note?action=create")),
        ],
    )
    .await;
}

#[tokio::test]
async fn o41_uploads_need_the_type_of_the_body() {
    let upload = |mime| request("com.atproto.repo.uploadBlob", &[("content-type", mime)], "bytes");
    check(
        "atproto blob:image/*",
        vec![
            (upload("image/png"), None),
            (upload("IMAGE/PNG; charset=utf-8"), None),
            (upload("video/mp4"), Some("blob:video/mp4")),
            (upload("nonsense"), None),
            (request("com.atproto.repo.uploadBlob", &[], "bytes"), None),
        ],
    )
    .await;
}

#[tokio::test]
async fn o41_calls_of_other_services_need_method_and_audience() {
    check(
        "atproto rpc:app.bsky.feed.getTimeline?aud=did:web:api.example.com%23x rpc:app.bsky.feed.getFeed?aud=*",
        vec![
            (request("app.bsky.feed.getTimeline", &[SERVICE], ""), None),
            // The server may choose the granted service.
            (request("app.bsky.feed.getTimeline", &[], ""), None),
            (request("app.bsky.feed.getFeed", &[], ""), None),
            (
                request("app.bsky.feed.getTimeline", &[("atproto-proxy", "did:web:b.example#x")], ""),
                Some("rpc:app.bsky.feed.getTimeline?aud=did:web:b.example%23x"),
            ),
            (request("app.bsky.feed.getLikes", &[], ""), Some("rpc:app.bsky.feed.getLikes?aud=*")),
            (request("chat.bsky.convo.listConvos", &[], ""), Some("rpc:chat.bsky.convo.listConvos?aud=*")),
            (
                request("org.example.thing", &[SERVICE], ""),
                Some("rpc:org.example.thing?aud=did:web:api.example.com%23x"),
            ),
            // A server may handle this itself.
            (request("org.example.thing", &[], ""), None),
            (request("org.example.thing", &[("atproto-proxy", "nonsense")], ""), None),
            (
                request("com.atproto.moderation.createReport", &[], "{}"),
                Some("rpc:com.atproto.moderation.createReport?aud=*"),
            ),
            (
                request("com.atproto.server.getServiceAuth?aud=did%3Aweb%3Ab.example&lxm=a.b.call", &[], ""),
                Some("rpc:a.b.call?aud=*"),
            ),
        ],
    )
    .await;
    check(
        "atproto transition:generic",
        vec![
            (request("app.bsky.feed.getLikes", &[], ""), None),
            (request("chat.bsky.convo.listConvos", &[], ""), Some("rpc:chat.bsky.convo.listConvos?aud=*")),
        ],
    )
    .await;
}

#[tokio::test]
async fn o41_account_and_identity_methods_need_what_the_reference_server_demands() {
    let call = |name: &str| request(&format!("com.atproto.{name}"), &[], "{}");
    check(
        "atproto account:email identity:handle",
        vec![
            (call("identity.updateHandle"), None),
            (call("identity.signPlcOperation"), Some("identity:*")),
            (call("identity.requestPlcOperationSignature"), Some("identity:*")),
            (call("identity.submitPlcOperation"), Some("identity:*")),
            (call("server.requestEmailConfirmation"), Some("account:email?action=manage")),
            (call("server.confirmEmail"), Some("account:email?action=manage")),
            (call("server.deactivateAccount"), Some("account:status?action=manage")),
            (call("repo.importRepo"), Some("account:repo?action=manage")),
        ],
    )
    .await;
    check(
        "atproto",
        vec![
            (request("com.atproto.server.getSession", &[], ""), None),
            (request("com.atproto.repo.listRecords", &[], ""), None),
            (request("com.atproto.sync.getRepo", &[], ""), None),
            (call("identity.updateHandle"), Some("identity:handle")),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_forbidden_call_names_the_scope_and_is_not_repeated() {
    let world = world("atproto repo:com.example.profile").await;
    let key = RecordKey::new("x").unwrap();
    let error: Error<delete_record::Error> =
        world.client.records::<Note>().delete(&key, Expected::Any).await.unwrap_err();
    assert_eq!(error.missing_scope(), Some("repo:com.example.note?action=delete"));
    assert_eq!(error.kind(), ErrorKind::MissingScope);
    assert_eq!(
        error.to_string(),
        "com.atproto.repo.deleteRecord requires the scope `repo:com.example.note?action=delete`, \
         which was not granted; the user must sign in again with this scope, \
         in `scopes!`: `delete::<com::example::note::Note>()`"
    );
    assert_eq!(world.stub.with(|s| s.requests), 0);
    // The response of the stub does not conform to the lexicon, but the call was sent.
    let note = Note::new("hi", "2026-01-01T00:00:00Z".parse().unwrap());
    let unchecked = world.client.clone().check_scopes(false);
    let error: Error<create_record::Error> = unchecked.records::<Note>().create(&note).await.unwrap_err();
    assert!(matches!(error, Error::Decode(_)), "{error:?}");
    assert!(world.calls()[0].starts_with("POST com.atproto.repo.createRecord"));
}

#[tokio::test]
async fn clients_tell_what_is_allowed() {
    let world = world("atproto repo:com.example.profile rpc:com.example.ping?aud=*").await;
    let client = &world.client;
    assert!(client.allows(create::<Profile>()).await.unwrap());
    assert!(!client.allows(create::<Note>()).await.unwrap());
    assert!(!client.allows([create::<Profile>(), delete::<Note>()]).await.unwrap());
    assert!(client.allows(call::<Ping>(SERVICE.1)).await.unwrap());
    let scopes = client.scopes().await.unwrap();
    assert!(client.allows(&scopes).await.unwrap());
    assert_eq!(scopes.iter().count(), 3);
    assert_eq!(world.stub.with(|s| s.requests), 0);
    world.shared.remove(client.session_id()).await.unwrap();
    let ended = client.allows(create::<Profile>()).await;
    assert!(matches!(ended, Err(SessionError::Reauthenticate(_))), "{ended:?}");
}

#[tokio::test]
async fn new_tokens_bring_their_own_scopes() {
    let world = world("atproto repo:com.example.profile").await;
    get(&world.client).await.unwrap();
    assert!(world.client.allows(create::<Profile>()).await.unwrap());
    // The stub grants only `atproto`.
    world.client.refresh().await.unwrap();
    assert!(!world.client.allows(create::<Profile>()).await.unwrap());
}

#[tokio::test]
async fn o41_the_service_of_a_client_is_the_audience_of_its_calls() {
    let scope = "atproto rpc:app.bsky.feed.getTimeline?aud=did:web:api.example.com%23x \
        rpc:chat.bsky.convo.listConvos?aud=did:web:api.bsky.chat%23bsky_chat";
    let world = world(scope).await;
    let missing = async |client: OAuthClient, name: &str| {
        let before = world.stub.with(|s| s.requests);
        let outcome = client.get(&Nsid::new(name).unwrap(), &serde_json::json!({})).await;
        let sent = world.stub.with(|s| s.requests) > before;
        let missing = outcome.err().and_then(|error| error.missing_scope().map(str::to_owned));
        assert_eq!(sent, missing.is_none(), "{name}");
        missing
    };
    let client = || world.client.clone();
    let (timeline, convos) = ("app.bsky.feed.getTimeline", "chat.bsky.convo.listConvos");
    // Chats are where they are without being told.
    assert_eq!(missing(client(), convos).await, None);
    assert_eq!(
        missing(client().proxy_for("chat.bsky", "did:web:chat.example.com#chat"), convos).await.as_deref(),
        Some("rpc:chat.bsky.convo.listConvos?aud=did:web:chat.example.com%23chat")
    );
    assert_eq!(missing(client().proxy("did:web:api.example.com#x"), timeline).await, None);
    assert_eq!(
        missing(client().proxy(services::BLUESKY), timeline).await.as_deref(),
        Some("rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview")
    );
}
