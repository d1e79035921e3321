//! The harness itself: every control of the local network does what it says, at the live servers.
#![allow(clippy::unwrap_used)]

use std::{path::Path, time::Duration};

use atproto_sdk::{
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
};
use serde_json::{Value, json};
use tests::{Account, Network};

fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

async fn create_session(network: &Network, account: &Account) -> (u16, Value) {
    let body = json!({ "identifier": account.handle, "password": account.password });
    let response = http()
        .post(format!("{}/xrpc/com.atproto.server.createSession", network.pds()))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

fn oauth(network: &Network) -> OAuth {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    OAuth::builder(ClientMetadata::loopback()).resolver(resolver).allow_loopback_http().build().unwrap()
}

async fn sign_in(network: &Network, account: &Account) -> OAuthClient {
    let oauth = oauth(network);
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, account).await.unwrap();
    assert!(
        callback.starts_with("http://127.0.0.1"),
        "the client's own address, not the server's: {callback}"
    );
    let (_, query) = callback.split_once('?').unwrap();
    oauth.callback(&CallbackParams::from_query(query).unwrap()).await.unwrap().client
}

/// A call that needs the session.
async fn call(client: &OAuthClient) {
    client.com_atproto_server().get_session().await.unwrap();
}

#[tokio::test]
async fn accounts_resolve_and_can_sign_in_with_their_password() {
    let network = Network::shared().await.unwrap();
    let account = network.account("pat").await.unwrap();
    let (status, session) = create_session(network, &account).await;
    assert_eq!((status, session["did"].as_str()), (200, Some(account.did.as_str())), "{session}");

    let document = http().get(format!("{}/{}", network.plc(), account.did)).send().await.unwrap();
    let document: Value = serde_json::from_slice(&document.bytes().await.unwrap()).unwrap();
    assert_eq!(document["alsoKnownAs"], json!([format!("at://{}", account.handle)]));
    assert_eq!(document["service"][0]["serviceEndpoint"], json!(network.pds()));

    let other = network.account("pat").await.unwrap();
    assert_ne!(other.handle, account.handle);
    let error = network.approve("http://127.0.0.1:1/oauth/authorize", &account).await.unwrap_err();
    assert!(error.to_string().contains("authorize"), "{error}");
}

#[tokio::test]
async fn sessions_are_counted_expired_and_ended() {
    let network = Network::shared().await.unwrap();
    let account = network.account("counted").await.unwrap();
    assert_eq!(network.sessions(&account).await.unwrap(), 0);
    let client = sign_in(network, &account).await;
    assert_eq!(network.sessions(&account).await.unwrap(), 1);
    call(&client).await;

    let path = "GET /xrpc/com.atproto.server.getSession";
    let before = network.requests().await.unwrap();
    let session_before = client.session_info().await.unwrap();
    assert_eq!(network.expire_tokens(&account).await.unwrap(), 1);
    call(&client).await;
    assert!(network.requests().await.unwrap()[path] >= before[path] + 2, "refused once, then accepted");
    assert!(network.counts().await.unwrap().refreshes >= 1);
    assert!(client.session_info().await.unwrap().expires_at >= session_before.expires_at);
    assert_eq!(network.sessions(&account).await.unwrap(), 1, "the session goes on");

    network.end_sessions(&account).await.unwrap();
    assert_eq!(network.sessions(&account).await.unwrap(), 0);
    client.com_atproto_server().get_session().await.unwrap_err();
}

#[tokio::test]
async fn denied_access_comes_back_as_an_error() {
    let network = Network::shared().await.unwrap();
    let account = network.account("denied").await.unwrap();
    let authorization =
        oauth(network).authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = network.deny(&authorization.url).await.unwrap();
    assert!(
        callback.starts_with("http://127.0.0.1") && callback.contains("error=access_denied"),
        "{callback}"
    );
    assert!(callback.contains("state=") && callback.contains("iss="), "{callback}");
}

#[tokio::test]
async fn lifetime_nonces_and_restart_of_a_network_of_its_own() {
    let network = Network::start(&|_| ()).await.unwrap();
    let account = network.account("restarted").await.unwrap();
    network.set_token_lifetime(Duration::from_secs(2)).await.unwrap();
    let client = sign_in(&network, &account).await;
    let before = network.counts().await.unwrap();
    assert_eq!((before.tokens, before.refreshes), (1, 0));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    call(&client).await;
    assert_eq!(network.counts().await.unwrap().refreshes, 1, "a token of two seconds has to be refreshed");

    // From here on tokens last: what happens now is not about their time.
    network.set_token_lifetime(Duration::from_secs(600)).await.unwrap();
    network.expire_tokens(&account).await.unwrap();
    call(&client).await;
    let before = network.requests().await.unwrap();
    network.rotate_nonces().await.unwrap();
    call(&client).await;
    let path = "GET /xrpc/com.atproto.server.getSession";
    assert_eq!(network.requests().await.unwrap()[path], before[path] + 2, "once more with the new nonce");

    let refreshes = network.counts().await.unwrap().refreshes;
    let pds = network.pds().to_owned();
    network.restart(Duration::from_millis(200)).await.unwrap();
    assert_eq!(network.pds(), pds);
    call(&client).await;
    assert_eq!(network.counts().await.unwrap().refreshes, refreshes, "the session has survived");
    assert_eq!(create_session(&network, &account).await.0, 200);

    network.stop();
    http().get(pds).send().await.unwrap_err();
}

/// A process that dies without a word leaves no network behind.
#[cfg(unix)]
#[tokio::test]
async fn the_network_ends_with_the_process_that_started_it() {
    let mut parent = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_network_until_it_is_killed", "--ignored", "--nocapture"])
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = parent.stdout.take().unwrap();
    let pds = tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let mut lines = std::io::BufReader::new(stdout).lines().map_while(Result::ok);
        lines.find_map(|line| line.split_once("PDS=").map(|(_, url)| url.to_owned()))
    });
    let pds = pds.await.unwrap().unwrap();
    assert!(http().get(format!("{pds}/xrpc/_health")).send().await.unwrap().status().is_success());
    parent.kill().unwrap();
    parent.wait().unwrap();
    for _ in 0..100 {
        if http().get(format!("{pds}/xrpc/_health")).send().await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{pds} still answers ten seconds after its parent was killed");
}

/// Not a test: the process that the one above kills.
#[tokio::test]
#[ignore = "started by the_network_ends_with_the_process_that_started_it"]
async fn holds_a_network_until_it_is_killed() {
    let network = Network::start(&|_| ()).await.unwrap();
    #[expect(clippy::print_stdout, reason = "the test reads it")]
    {
        println!("\nPDS={}", network.pds());
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
}

#[test]
fn the_lock_files_tell_no_download_addresses() {
    for lock in ["network/package-lock.json", "network/runtime/package-lock.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(lock);
        let text = std::fs::read_to_string(path).unwrap();
        assert!(!text.contains("\"resolved\""), "{lock}: make it with npm's omit-lockfile-registry-resolved");
    }
}
