//! The clients without OAuth, and untyped calls.

use std::time::Duration;

use atproto_sdk::{
    AdminClient, PasswordClient, PasswordError, PublicClient,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::{admin::get_account_info, identity::resolve_handle},
    },
    types::Nsid,
    xrpc::ErrorKind,
};
use futures_util::StreamExt as _;
use serde_json::json;
use tests::{Answer, Stub};

use crate::{World, post};

#[tokio::test(flavor = "multi_thread")]
async fn the_public_client_asks_what_everybody_may() {
    let world = World::new().await;
    let client = PublicClient::new(world.network.pds()).unwrap();
    let params = resolve_handle::Params::new(world.account.handle.clone());
    assert_eq!(client.com_atproto_identity().resolve_handle(params).await.unwrap().did, world.did());
    assert_eq!(client.records_of::<Post>(&world.did()).list().count().await, 0);
    let error = client.com_atproto_server().get_session().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "no session has ended: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_the_password_client_signs_in_writes_and_signs_out() {
    let world = World::new().await;
    let (pds, account) = (world.network.pds(), &world.account);
    let wrong = PasswordClient::sign_in(pds, account.handle.as_str(), "wrong").await.unwrap_err();
    assert!(
        matches!(&wrong, PasswordError::SignIn(error) if error.kind() == ErrorKind::InvalidInput),
        "{wrong:?}"
    );
    let client = PasswordClient::sign_in(pds, account.handle.as_str(), &account.password).await.unwrap();
    assert_eq!(*client.did(), world.did());
    assert!(!format!("{client:?}").contains(&account.password));
    let told = client.account();
    assert_eq!((told.active, told.email_confirmed), (Some(true), Some(false)), "{told:?}");
    assert_eq!(told.handle.unwrap(), account.handle);
    client.records::<Post>().create(&post("by password")).await.unwrap();
    assert_eq!(client.records::<Post>().list().next().await.unwrap().unwrap().value.text, "by password");
    client.sign_out().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_an_expired_password_session_is_refreshed_once() {
    let world = World::new().await;
    let account = &world.account;
    let client = PasswordClient::sign_in(world.network.pds(), account.handle.as_str(), &account.password)
        .await
        .unwrap();
    // Access tokens live two hours there.
    world.network.forward(Duration::from_secs(3 * 3600)).await.unwrap();
    let calls = (0..20).map(|_| async { client.com_atproto_server().get_session().await.map(drop) });
    for outcome in futures_util::future::join_all(calls).await {
        outcome.unwrap();
    }
    let requests = world.network.requests().await.unwrap();
    assert_eq!(requests["POST /xrpc/com.atproto.server.refreshSession"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_a_bot_keeps_its_session_and_signs_in_again_by_itself() {
    let world = World::new().await;
    let (pds, account) = (world.network.pds(), &world.account);
    let start = || {
        PasswordClient::resume_or_sign_in(
            world.store.clone(),
            pds,
            account.handle.as_str(),
            &account.password,
        )
    };
    let requests = async |name: &str| {
        let all = world.network.requests().await.unwrap();
        all.get(&format!("POST /xrpc/com.atproto.server.{name}")).copied().unwrap_or(0)
    };
    // Two that start at once, and one later: one session.
    let (one, two) = tokio::join!(start(), start());
    let (one, two, later) = (one.unwrap(), two.unwrap(), start().await.unwrap());
    assert_eq!(requests("createSession").await, 1);
    world.network.forward(Duration::from_secs(3 * 3600)).await.unwrap();
    for bot in [&one, &two, &later] {
        bot.com_atproto_server().get_session().await.unwrap();
    }
    assert_eq!((requests("createSession").await, requests("refreshSession").await), (1, 1));
    // Refresh tokens live ninety days: the bot signs in once more, and the others take what it has got.
    world.network.forward(Duration::from_secs(100 * 24 * 3600)).await.unwrap();
    for bot in [&one, &two] {
        bot.records::<Post>().create(&post("still here")).await.unwrap();
    }
    assert_eq!((requests("createSession").await, requests("refreshSession").await), (2, 2));
    let kept = world.store.list("password/").await.unwrap();
    assert!(kept.len() == 1 && !kept[0].contains(account.handle.as_str()), "{kept:?}");
    one.sign_out().await.unwrap();
    assert!(world.store.list("").await.unwrap().is_empty());
    world.network.forward(Duration::from_secs(3 * 3600)).await.unwrap();
    let error = two.com_atproto_server().get_session().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInAgain, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn x12_the_administrator_sees_accounts() {
    let world = World::new().await;
    let pds = world.network.pds();
    let admin = AdminClient::new(pds, world.network.admin_password()).unwrap();
    let params = get_account_info::Params::new(world.did());
    let info = admin.com_atproto_admin().get_account_info(params.clone()).await.unwrap();
    assert_eq!(info.handle, world.account.handle);
    assert!(!format!("{admin:?}").contains(world.network.admin_password()));
    let wrong = AdminClient::new(pds, "wrong").unwrap();
    let error = wrong.com_atproto_admin().get_account_info(params).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_can_be_called_by_their_nsid() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let record = json!({"repo": client.did(), "collection": "com.example.note", "record": {"$type": "com.example.note", "a": 1}});
    let made = client.post(&Nsid::new("com.atproto.repo.createRecord").unwrap(), &record).await.unwrap();
    let uri = made.deserialize::<serde_json::Value>().unwrap()["uri"].clone();
    let params = json!({"repo": client.did(), "collection": "com.example.note"});
    let listed = client.get(&Nsid::new("com.atproto.repo.listRecords").unwrap(), &params).await.unwrap();
    assert_eq!(listed.deserialize::<serde_json::Value>().unwrap()["records"][0]["uri"], uri);
}

/// A service that a PDS can forward calls to, with its DID and what is said about it there.
async fn service(id: &str) -> (Stub, String) {
    let stub = Stub::start().await.unwrap();
    let did = format!("did:web:localhost%3A{}", stub.port());
    let service = json!({"id": format!("#{id}"), "type": "Service", "serviceEndpoint": stub.url()});
    let document = json!({"@context": ["https://www.w3.org/ns/did/v1"], "id": did, "service": [service]});
    stub.answer("/.well-known/did.json", Answer::json(document.to_string()));
    (stub, format!("{did}#{id}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn x6_a_pds_forwards_the_calls_of_applications_to_the_services_of_a_client() {
    let world = World::new().await;
    let account = &world.account;
    let client = PasswordClient::sign_in(world.network.pds(), account.handle.as_str(), &account.password)
        .await
        .unwrap();
    let convos = Nsid::new("chat.bsky.convo.listConvos").unwrap();
    let things = Nsid::new("com.example.app.getThings").unwrap();
    // Without a service, this PDS forwards everything to an AppView, which is not there.
    for nsid in [&things, &convos] {
        let error = client.get(nsid, &json!({})).without_proxy().without_retry().await.unwrap_err();
        assert_eq!(
            error.response().and_then(|it| it.name.as_deref()),
            Some("UpstreamFailure"),
            "{nsid}: {error}"
        );
    }

    let ((app, app_service), (chat, chat_service)) = (service("example").await, service("bsky_chat").await);
    chat.answer("/xrpc/chat.bsky.convo.listConvos", Answer::json(r#"{"convos": []}"#));
    app.answer("/xrpc/com.example.app.getThings", Answer::json(r#"{"things": 2}"#));
    let client = client.proxy(&app_service).proxy_for("chat.bsky", &chat_service).labelers([world.did()]);
    assert!(client.get(&convos, &json!({})).await.unwrap().get("convos").is_some());
    let answer = client.get(&things, &json!({})).await.unwrap();
    assert_eq!(answer.get("things").unwrap().decode::<i64>().unwrap(), 2);
    let received = &app.received_at("/xrpc/com.example.app.getThings")[0];
    assert!(received.header("authorization").unwrap().starts_with("Bearer "), "as the account");
    assert_eq!(received.header("atproto-accept-labelers"), Some(world.did().as_str()));

    // What is about the account stays where the account is.
    client.records::<Post>().create(&post("not forwarded")).await.unwrap();
    let posts: Vec<_> = client.records::<Post>().list().collect().await;
    assert_eq!(posts[0].as_ref().unwrap().value.text, "not forwarded");
    let session = client.com_atproto_server().get_session().await.unwrap();
    assert_eq!(session.did, world.did());
    assert_eq!((app.received().len(), chat.received().len()), (2, 2), "the documents, and a call for each");
    client.sign_out().await.unwrap();
}
