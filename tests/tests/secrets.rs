//! Everything that is logged in a full run, at the finest level, read for secrets.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "web/visitor.rs"]
mod visitor;

use std::{
    collections::BTreeSet,
    io::Write,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use atproto_sdk::{
    PasswordClient,
    api::app::bsky::feed::post::Post,
    axum::WebAuth,
    identity::{HandleResolver, Resolver},
    oauth::{ClientKey, ClientMetadata, Keyset, OAuth, OAuthClient},
    store::{self, EncryptedStore, SealingKey, SealingKeys, Store},
    types::Datetime,
};
use axum::{Router, extract::FromRef, routing::get};
use serde_json::Value;
use tests::{Account, Network, PostgresServer, RedisServer};
use tokio::net::TcpListener;
use visitor::Visitor;

const PUBLIC: &str = "https://app.example.com";

/// All that is written, of every crate.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What must not be found, with a name each.
#[derive(Default)]
struct Secrets(BTreeSet<(String, String)>);

impl Secrets {
    fn add(&mut self, name: &str, text: &str) {
        assert!(text.len() >= 8, "{name} is too short to be looked for: {text}");
        self.0.insert((name.to_owned(), text.to_owned()));
    }

    /// The secrets of everything that a store has.
    async fn add_stored(&mut self, store: &dyn Store) {
        for key in store.list("").await.unwrap() {
            let Some(entry) = store.get(&key).await.unwrap() else { continue };
            let value: Value = serde_json::from_slice(&entry.value).unwrap();
            for name in ["access_token", "refresh_token", "verifier", "accessJwt", "refreshJwt"] {
                if let Some(text) = value[name].as_str() {
                    self.add(name, text);
                }
            }
            if let Some(key) = value["dpop_key"].as_str() {
                self.add("DPoP key", serde_json::from_str::<Value>(key).unwrap()["d"].as_str().unwrap());
            }
        }
    }
}

#[derive(Clone)]
struct App(WebAuth);

impl FromRef<App> for WebAuth {
    fn from_ref(app: &App) -> Self {
        app.0.clone()
    }
}

/// One sign-in, calls, a refresh, a failure and a sign-out, over a store.
async fn full_run(network: &Network, account: &Account, store: Arc<dyn Store>, secrets: &mut Secrets) {
    let client_key = ClientKey::generate().unwrap();
    let jwk: Value = serde_json::from_str(&client_key.to_jwk()).unwrap();
    secrets.add("client key", jwk["d"].as_str().unwrap());
    let cookie_key = SealingKey::generate().unwrap();
    secrets.add("cookie key", &cookie_key.to_base64());
    let keyset = Keyset::new([client_key]).unwrap();
    let metadata = ClientMetadata::confidential(format!("{PUBLIC}/client-metadata.json"), &keyset)
        .redirect_uri(format!("{PUBLIC}/callback"));
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    let oauth = OAuth::builder(metadata).keyset(keyset).resolver(resolver).shared_store(Arc::clone(&store));
    let oauth = oauth.allow_loopback_http().build().unwrap();
    let web = WebAuth::builder(oauth.clone(), SealingKeys::new([cookie_key]).unwrap()).build().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    network.serve_client(PUBLIC, &origin).await.unwrap();
    let write = async |client: OAuthClient| {
        client.records::<Post>().create(&Post::new("x", Datetime::now())).await.unwrap().uri.to_string()
    };
    let app = Router::new().route("/write", get(write)).merge(web.routes()).layer(web.layer());
    let server = tokio::spawn(axum::serve(listener, app.with_state(App(web))).into_future());

    let mut visitor = Visitor::new(&origin);
    let leaving = visitor.get_own(&format!("/login?identifier={}", account.handle)).await;
    secrets.add_stored(&*store).await;
    secrets.add(
        "login cookie",
        leaving.set_cookie("__Host-atproto-login.").unwrap().split([';', '=']).nth(1).unwrap(),
    );
    let callback = network.approve(leaving.location(), account).await.unwrap();
    let query: Vec<(String, String)> =
        url::Url::parse(&callback).unwrap().query_pairs().into_owned().collect();
    for wanted in ["code", "state"] {
        secrets.add(wanted, &query.iter().find(|(name, _)| name == wanted).unwrap().1);
    }
    let back = visitor.get(&callback).await;
    secrets.add("cookie", back.set_cookie("__Host-atproto.").unwrap().split([';', '=']).nth(1).unwrap());
    let written = visitor.get("/write").await;
    assert!(written.status == 200 && written.body.starts_with("at://"), "{}", written.body);
    secrets.add_stored(&*store).await;
    let did = account.did.clone();
    let client = oauth.client(&did).await.unwrap();
    client.refresh().await.unwrap();
    secrets.add_stored(&*store).await;
    network.expire_tokens(account).await.unwrap();
    assert!(visitor.get("/write").await.body.starts_with("at://"));
    network.rotate_nonces().await.unwrap();
    client.com_atproto_server().get_session().await.unwrap();
    secrets.add_stored(&*store).await;
    network.end_sessions(account).await.unwrap();
    client.refresh().await.unwrap_err();
    visitor.get(&callback).await;
    visitor.post("/logout", &[]).await;

    let bot = PasswordClient::resume_or_sign_in(
        Arc::clone(&store),
        network.pds(),
        account.handle.as_str(),
        &account.password,
    );
    let bot = bot.await.unwrap();
    secrets.add_stored(&*store).await;
    bot.com_atproto_server().get_session().await.unwrap();
    bot.sign_out().await.unwrap();
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_logged_is_a_secret() {
    let output = Output::default();
    let writer = output.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let (postgres, redis) = (PostgresServer::start().unwrap(), RedisServer::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut secrets = Secrets::default();
    for (name, url) in [
        ("file", format!("file:{}/sessions.json", folder.path().display())),
        ("sqlite", format!("sqlite:{}/sessions.db", folder.path().display())),
        ("postgres", postgres.url()),
        ("redis", redis.url()),
        ("sealed", "memory:".to_owned()),
    ] {
        let account = network.account("alice").await.unwrap();
        secrets.add("password", &account.password);
        let mut store = store::connect(&url).await.unwrap();
        if name == "sealed" {
            let key = SealingKey::generate().unwrap();
            secrets.add("sealing key", &key.to_base64());
            store = Arc::new(EncryptedStore::shared(store, SealingKeys::new([key]).unwrap()));
        }
        full_run(&network, &account, store, &mut secrets).await;
    }
    let text = String::from_utf8_lossy(&output.0.lock().unwrap()).into_owned();
    // Everything was told, by everybody.
    for words in [
        "oauth_authorize",
        "oauth_callback",
        "oauth_refresh",
        "xrpc_call",
        "duration_ms",
        "outcome=\"refreshed\"",
        "nsid=\"com.atproto.repo.createRecord\"",
        "status=200",
        "hyper",
        "monotonic_counter.atproto_operations=1",
    ] {
        assert!(text.contains(words), "{words} is missing in {} bytes", text.len());
    }
    assert!(secrets.0.len() > 40, "{} secrets", secrets.0.len());
    for (name, secret) in &secrets.0 {
        if let Some(at) = text.find(secret.as_str()) {
            let begin = text[..at].rfind('\n').map_or(0, |at| at + 1);
            let line: String = text[begin..].chars().take(600).collect();
            panic!("{name} was logged: {line}");
        }
    }
    // Not in the form of bytes either, as Debug of a slice would show it.
    for (name, secret) in &secrets.0 {
        let bytes: Vec<String> = secret.bytes().take(12).map(|byte| byte.to_string()).collect();
        assert!(!text.contains(&bytes.join(", ")), "{name} was logged as bytes");
    }
}
