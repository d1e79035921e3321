//! The clients without OAuth, and untyped calls.

use atproto_sdk::{
    PasswordClient, PasswordError, PublicClient,
    api::{app::bsky::feed::post::Post, com::atproto::identity::resolve_handle},
    types::{Handle, Nsid},
    xrpc::ErrorKind,
};
use futures_util::StreamExt as _;
use serde_json::json;

use crate::{World, post};

#[tokio::test(flavor = "multi_thread")]
async fn the_public_client_asks_what_everybody_may() {
    let world = World::new().await;
    let client = PublicClient::new(world.network.pds()).unwrap();
    let params = resolve_handle::Params::new(Handle::new(&world.account.handle).unwrap());
    assert_eq!(client.com_atproto_identity().resolve_handle(params).await.unwrap().did, world.did());
    assert_eq!(client.records_of::<Post>(&world.did()).list().count().await, 0);
    let error = client.com_atproto_server().get_session().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SignInAgain, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn x11_the_password_client_signs_in_writes_and_signs_out() {
    let world = World::new().await;
    let (pds, account) = (world.network.pds(), &world.account);
    let wrong = PasswordClient::sign_in(pds, &account.handle, "wrong").await.unwrap_err();
    assert!(
        matches!(&wrong, PasswordError::SignIn(error) if error.kind() == ErrorKind::SignInAgain),
        "{wrong:?}"
    );
    let client = PasswordClient::sign_in(pds, &account.handle, &account.password).await.unwrap();
    assert_eq!(*client.did(), world.did());
    assert!(!format!("{client:?}").contains(&account.password));
    client.records::<Post>().create(&post("by password")).await.unwrap();
    assert_eq!(client.records::<Post>().list().next().await.unwrap().unwrap().value.text, "by password");
    client.sign_out().await.unwrap();
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
