//! Services, labelers and headers of a client, and of single calls.

use std::sync::{Arc, Mutex};

use http::HeaderMap;

use super::{Answer, did, json};
use crate::{
    Client,
    api::app::bsky::actor::get_profile,
    types::{Did, Nsid, from_json},
    xrpc::{
        BoxFuture, CallSettings, Error, InvalidRequest, Labeler, Request, Transport, UntypedCall, services,
    },
};

const OTHER: &str = "did:web:api.example.com#other";

/// Remembers the headers of requests.
#[derive(Clone, Default)]
struct Remembering {
    account: Option<Did>,
    headers: Arc<Mutex<Vec<HeaderMap>>>,
}

impl Remembering {
    fn client(signed_in: bool) -> (Client, Self) {
        let transport = Self { account: signed_in.then(did), headers: Arc::default() };
        (Client::new(transport.clone()), transport)
    }

    /// The header of the last request.
    fn last(&self, name: &str) -> Option<String> {
        let headers = self.headers.lock().unwrap();
        headers.last().unwrap().get(name).map(|value| value.to_str().unwrap().to_owned())
    }
}

impl Transport for Remembering {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Answer> {
        self.headers.lock().unwrap().push(request.headers().clone());
        Box::pin(async { Ok(json("{}")) })
    }

    fn account(&self) -> Option<&Did> {
        self.account.as_ref()
    }
}

fn call<'c>(client: &'c Client, nsid: &str) -> UntypedCall<'c> {
    client.get(&Nsid::new(nsid).unwrap(), &serde_json::json!({}))
}

/// Where a client with these settings has a call of a method forwarded.
async fn service(settings: CallSettings, nsid: &str) -> Option<String> {
    let (client, transport) = Remembering::client(true);
    let client = client.with_call_settings(settings);
    call(&client, nsid).await.unwrap();
    transport.last("atproto-proxy")
}

#[tokio::test]
async fn x6_calls_are_forwarded_to_the_service_of_the_longest_namespace() {
    let settings = || {
        CallSettings::new()
            .proxy(services::BLUESKY)
            .proxy_for("com.example", "did:web:example.com#all")
            .proxy_for("com.example.shop.search", "did:web:example.com#search")
            .without_proxy_for("com.example.shop")
            .proxy_for("com.atproto.moderation", services::BLUESKY_MODERATION)
    };
    for (nsid, expected) in [
        ("app.bsky.feed.getTimeline", Some(services::BLUESKY)),
        ("org.example.getThing", Some(services::BLUESKY)),
        ("com.example.getThing", Some("did:web:example.com#all")),
        ("com.example.shopping.getThing", Some("did:web:example.com#all")),
        ("com.example.shop.listItems", None),
        ("com.example.shop.search", Some("did:web:example.com#search")),
        ("com.example.shop.searchAll", None),
        ("chat.bsky.convo.listConvos", Some(services::BLUESKY_CHAT)),
        ("com.atproto.moderation.createReport", Some(services::BLUESKY_MODERATION)),
        ("com.atproto.label.queryLabels", None),
        ("tools.ozone.moderation.emitEvent", None),
    ] {
        assert_eq!(service(settings(), nsid).await.as_deref(), expected, "{nsid}");
    }
}

#[tokio::test]
async fn x6_what_only_the_own_server_does_is_never_forwarded_for_a_client() {
    for nsid in [
        "com.atproto.admin.getAccountInfo",
        "com.atproto.identity.resolveHandle",
        "com.atproto.repo.createRecord",
        "com.atproto.repo.getRecord",
        "com.atproto.repo.uploadBlob",
        "com.atproto.server.getSession",
        "com.atproto.sync.getRepo",
    ] {
        let settings = CallSettings::new().header("Atproto-Proxy", OTHER).proxy_for("com", OTHER);
        assert_eq!(service(settings.proxy_for("com.atproto", OTHER), nsid).await, None, "{nsid}");
        let namespace = nsid.rsplit_once('.').unwrap().0;
        for refused in [nsid, namespace] {
            let (client, transport) = Remembering::client(true);
            let client = client.proxy_for(refused, OTHER);
            let error = call(&client, "app.bsky.feed.getTimeline").await.unwrap_err();
            let Error::InvalidRequest(InvalidRequest::Namespace { namespace }) = &error else {
                panic!("{error:?}")
            };
            assert_eq!(namespace, refused);
            assert!(transport.headers.lock().unwrap().is_empty());
        }
        // A single call says itself what it wants.
        let (client, transport) = Remembering::client(true);
        call(&client, nsid).proxy(OTHER).await.unwrap();
        assert_eq!(transport.last("atproto-proxy").as_deref(), Some(OTHER));
    }
}

#[tokio::test]
async fn chats_are_found_by_who_is_signed_in_unless_they_are_elsewhere() {
    const CONVOS: &str = "chat.bsky.convo.listConvos";
    assert_eq!(service(CallSettings::new(), CONVOS).await.as_deref(), Some(services::BLUESKY_CHAT));
    assert_eq!(service(CallSettings::new(), "chat.bskyish.listConvos").await, None);
    assert_eq!(
        service(CallSettings::new().proxy_for("chat.bsky", OTHER), CONVOS).await.as_deref(),
        Some(OTHER)
    );
    assert_eq!(service(CallSettings::new().without_proxy_for("chat.bsky"), CONVOS).await, None);
    // Who is not signed in talks to the service itself.
    for settings in [CallSettings::new(), CallSettings::new().proxy(OTHER)] {
        let (client, transport) = Remembering::client(false);
        call(&client.with_call_settings(settings), CONVOS).await.unwrap();
        assert_eq!(transport.last("atproto-proxy"), None);
    }
}

#[tokio::test]
async fn x6_a_call_has_its_own_service_or_none() {
    let (client, transport) = Remembering::client(true);
    let client = client.proxy(services::BLUESKY);
    for nsid in ["app.bsky.feed.getTimeline", "chat.bsky.convo.listConvos"] {
        call(&client, nsid).proxy(OTHER).await.unwrap();
        assert_eq!(transport.last("atproto-proxy").as_deref(), Some(OTHER));
        call(&client, nsid).header("atproto-proxy", OTHER).await.unwrap();
        assert_eq!(transport.last("atproto-proxy").as_deref(), Some(OTHER));
        call(&client, nsid).proxy(OTHER).without_proxy().await.unwrap();
        assert_eq!(transport.last("atproto-proxy"), None);
        call(&client, nsid).without_proxy().proxy(OTHER).await.unwrap();
        assert_eq!(transport.last("atproto-proxy").as_deref(), Some(OTHER));
    }
    // Calls with bindings are the same.
    let params = || get_profile::Params::new(super::handle());
    let _ = client.app_bsky_actor().get_profile(params()).await;
    assert_eq!(transport.last("atproto-proxy").as_deref(), Some(services::BLUESKY));
    let _ = client.app_bsky_actor().get_profile(params()).without_proxy().await;
    assert_eq!(transport.last("atproto-proxy"), None);
}

#[tokio::test]
async fn x6_labelers_and_headers_of_a_client_are_those_of_calls_that_have_none() {
    let (client, transport) = Remembering::client(true);
    let labeler = || Did::new("did:web:labeler.example.com").unwrap();
    let client = client.labelers([Labeler::redacting(did()), labeler().into()]);
    let client =
        client.header("accept-language", "de").header("Accept-Language", "pt").header("accept", "x/y");
    let (labelers, language) = ("atproto-accept-labelers", "accept-language");
    call(&client, "app.bsky.feed.getTimeline").await.unwrap();
    let both = "did:plc:ewvi7nxzyoun6zhxrhs64oiz;redact, did:web:labeler.example.com";
    assert_eq!(transport.last(labelers).as_deref(), Some(both));
    assert_eq!(transport.last(language).as_deref(), Some("pt"), "the last one counts");
    assert_eq!(transport.last("accept").as_deref(), Some("application/json"), "that is for the call to say");

    let own =
        call(&client, "app.bsky.feed.getTimeline").labelers([labeler()]).header("accept-language", "en");
    own.await.unwrap();
    assert_eq!(transport.last(labelers).as_deref(), Some("did:web:labeler.example.com"));
    assert_eq!(transport.last(language).as_deref(), Some("en"));
    call(&client, "app.bsky.feed.getTimeline").labelers::<Labeler>([]).await.unwrap();
    assert_eq!(transport.last(labelers).as_deref(), Some(""), "none at all");

    // A clone is another client from then on.
    let other = client.clone().labelers::<Labeler>([]);
    call(&other, "app.bsky.feed.getTimeline").await.unwrap();
    assert_eq!((transport.last(labelers), transport.last(language).as_deref()), (None, Some("pt")));
    call(&client, "app.bsky.feed.getTimeline").await.unwrap();
    assert_eq!(transport.last(labelers).as_deref(), Some(both));
}

#[tokio::test]
async fn what_a_client_cannot_do_for_its_calls_is_an_error_of_each_before_it_is_sent() {
    let of = |change: fn(Client) -> Client| async move {
        let (client, transport) = Remembering::client(true);
        let client = change(client);
        let error = call(&client, "app.bsky.feed.getTimeline").await.unwrap_err();
        let typed = client.app_bsky_feed().get_timeline().await.unwrap_err();
        assert_eq!(error.to_string(), typed.to_string());
        assert!(transport.headers.lock().unwrap().is_empty(), "nothing is sent");
        match error {
            Error::InvalidRequest(problem) => problem,
            other => panic!("{other:?}"),
        }
    };
    for problem in [
        of(|client| client.proxy("https://proxy.example.com")).await,
        of(|client| client.proxy("did:web:api.bsky.app")).await,
        of(|client| client.proxy_for("chat.bsky", "did:web:api.bsky.app#")).await,
        of(|client| client.header("atproto-proxy", "x")).await,
    ] {
        assert!(matches!(problem, InvalidRequest::Service { .. }), "{problem}");
    }
    for problem in [
        of(|client| client.proxy_for("", OTHER)).await,
        of(|client| client.proxy_for("chat.bsky.", OTHER)).await,
        of(|client| client.without_proxy_for("chat.bsky.*")).await,
    ] {
        assert!(matches!(problem, InvalidRequest::Namespace { .. }), "{problem}");
    }
    let secret = of(|client| client.header("authorization", "Bearer\nhunter2")).await;
    assert!(matches!(secret, InvalidRequest::Header { .. }) && !format!("{secret:?}").contains("hunter2"));
    let odd =
        of(|client| client.labelers([from_json::<Did>(r#""did:plc:abc, did:plc:def""#).unwrap()])).await;
    assert!(matches!(odd, InvalidRequest::Labeler { .. }), "{odd}");
}

#[test]
fn settings_show_no_header() {
    let settings = CallSettings::new().header("authorization", "Bearer hunter2");
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[cfg(feature = "stream")]
#[tokio::test(start_paused = true)]
async fn streams_begin_with_the_headers_of_their_client() {
    let (client, transport) = Remembering::client(true);
    let client = client.header("x-example", "1").header("connection", "close").labelers([did()]);
    let _ = client.com_atproto_sync().subscribe_repos().stream().next().await;
    assert_eq!(transport.last("x-example").as_deref(), Some("1"));
    assert_eq!(transport.last("connection").as_deref(), Some("Upgrade"), "or there would be no stream");
    assert_eq!(transport.last("atproto-accept-labelers"), None);

    let (client, transport) = Remembering::client(true);
    let client = client.header("not a name", "1");
    let mut stream = client.com_atproto_sync().subscribe_repos().stream();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(crate::report::with_causes(&error).to_string().contains("`not a name`"), "{error:?}");
    assert!(transport.headers.lock().unwrap().is_empty());
}
