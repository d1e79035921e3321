//! Uploads of videos through a service that stores them at the reference PDS with the token that it gets (X15).
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::sync::{Arc, Mutex};

use atproto_sdk::{
    Client, PasswordClient, PublicClient,
    api::app::bsky::{
        embed::video::Video,
        feed::post::{Post, PostEmbed},
    },
    bsky::video::{Progress, VideoError, Videos},
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
    store::MemoryStore,
    types::{Cid, Datetime},
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::{Account, Network};

/// What is uploaded; nobody here looks at the pictures.
const FILE: &[u8] = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom";

/// What the service knows.
#[derive(Clone)]
struct Service {
    pds: String,
    http: reqwest::Client,
    /// The tokens that it got.
    tokens: Arc<Mutex<Vec<String>>>,
    /// The blob of the last job.
    blob: Arc<Mutex<Value>>,
}

type Answer = (StatusCode, [(&'static str, &'static str); 1], String);

fn answer(status: StatusCode, body: &Value) -> Answer {
    (status, [("content-type", "application/json")], body.to_string())
}

/// Stores the video at the PDS, as the account.
async fn upload(State(service): State<Service>, headers: HeaderMap, video: Bytes) -> Answer {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    service.tokens.lock().unwrap().push(token.clone());
    let request = service.http.post(format!("{}/xrpc/com.atproto.repo.uploadBlob", service.pds));
    let request = request.header("authorization", token).header("content-type", "video/mp4").body(video);
    let response = request.send().await.unwrap();
    let status = StatusCode::from_u16(response.status().as_u16()).unwrap();
    let stored: Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    if !status.is_success() {
        return answer(status, &stored);
    }
    *service.blob.lock().unwrap() = stored["blob"].clone();
    answer(StatusCode::OK, &json!({"jobId": "j1", "did": "did:web:any.test", "state": "JOB_STATE_CREATED"}))
}

async fn status(State(service): State<Service>) -> Answer {
    let blob = service.blob.lock().unwrap().clone();
    let job = json!({"jobId": "j1", "did": "did:web:any.test", "state": "JOB_STATE_COMPLETED", "blob": blob});
    answer(StatusCode::OK, &json!({"jobStatus": job}))
}

async fn limits(State(service): State<Service>, headers: HeaderMap) -> Answer {
    service.tokens.lock().unwrap().push(headers["authorization"].to_str().unwrap().to_owned());
    answer(StatusCode::OK, &json!({"canUpload": true, "remainingDailyVideos": 24}))
}

impl Service {
    /// Starts the service, and returns its origin.
    async fn start(network: &Network) -> (Self, String) {
        let http = tests::plain_client(std::time::Duration::from_secs(30)).unwrap();
        let service =
            Self { pds: network.pds().to_owned(), http, tokens: Arc::default(), blob: Arc::default() };
        let routes = Router::new()
            .route("/xrpc/app.bsky.video.uploadVideo", post(upload))
            .route("/xrpc/app.bsky.video.getJobStatus", get(status))
            .route("/xrpc/app.bsky.video.getUploadLimits", get(limits))
            .with_state(service.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (service, format!("http://localhost:{port}"))
    }

    /// What is in the last token.
    fn claims(&self) -> Value {
        let tokens = self.tokens.lock().unwrap();
        let token = tokens.last().unwrap().strip_prefix("Bearer ").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice(&claims).unwrap()
    }
}

async fn with_oauth(network: &Network, account: &Account, scope: &str) -> OAuthClient {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let metadata = ClientMetadata::loopback().scope(scope);
    let oauth = OAuth::builder(metadata)
        .store(MemoryStore::new())
        .resolver(resolver)
        .allow_loopback_http()
        .build()
        .unwrap();
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, account).await.unwrap();
    let query = callback.split_once('?').unwrap().1;
    oauth.callback(&CallbackParams::from_query(query).unwrap()).await.unwrap().client
}

/// Uploads a video and posts it, so that the PDS checks that it has the blob.
async fn post_video(client: &Client, service: &Service, origin: &str) {
    let videos = Videos::at(client, PublicClient::new(origin).unwrap());
    let blob = videos.upload(FILE).name("cat.mp4").await.unwrap();
    assert_eq!((blob.cid(), blob.mime_type()), (&Cid::of_raw(FILE), "video/mp4"));
    let claims = service.claims();
    assert_eq!(
        (&claims["iss"], &claims["lxm"]),
        (&json!(client.did()), &json!("com.atproto.repo.uploadBlob"))
    );

    let post = Post::new("My cat", Datetime::now()).embed(PostEmbed::from(Video::new(blob)));
    client.records::<Post>().create(&post).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn x15_a_video_service_can_store_a_video_with_the_token_of_an_account() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let (service, origin) = Service::start(&network).await;
    let alice = network.account("alice").await.unwrap();
    let bob = network.account("bob").await.unwrap();
    let password = Client::from(
        PasswordClient::sign_in(network.pds(), alice.handle.as_str(), &alice.password).await.unwrap(),
    );
    // With the scopes that the documentation names, and the one for the post.
    let scope = "atproto rpc:com.atproto.repo.uploadBlob?aud=* rpc:app.bsky.video.getUploadLimits?aud=* \
                 repo:app.bsky.feed.post";
    let client = Client::from(with_oauth(&network, &bob, scope).await);
    // This server is not called as its address is, which has a port.
    for with_document in [false, true] {
        network.set_did_documents(with_document).await.unwrap();
        let session = password.com_atproto_server().get_session().await.unwrap();
        assert_eq!(session.did_doc.is_some(), with_document);
        post_video(&password, &service, &origin).await;
        post_video(&client, &service, &origin).await;
    }
    let videos = Videos::at(&client, PublicClient::new(&origin).unwrap());
    assert_eq!(videos.limits().await.unwrap().remaining_daily_videos, Some(24));
    assert_eq!(service.claims()["lxm"], "app.bsky.video.getUploadLimits");
    let port = origin.rsplit_once(':').unwrap().1;
    assert_eq!(service.claims()["aud"], format!("did:web:localhost%3A{port}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn x15_without_the_scope_no_token_is_issued_and_nothing_is_sent() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let (service, origin) = Service::start(&network).await;
    let alice = network.account("alice").await.unwrap();
    let client = with_oauth(&network, &alice, "atproto repo:app.bsky.feed.post").await;
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let videos = Videos::at(&client, PublicClient::new(&origin).unwrap());
    let upload = videos.upload(FILE).on_progress(move |progress| {
        if let Progress::Sent { .. } = progress {
            *count.lock().unwrap() += 1;
        }
    });
    let error = upload.await.unwrap_err();
    assert!(matches!(error, VideoError::Token(_)), "{error:?}");
    assert_eq!((*seen.lock().unwrap(), service.tokens.lock().unwrap().len()), (0, 0));
}
