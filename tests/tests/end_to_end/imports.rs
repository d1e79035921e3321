//! Repositories that the SDK has made or changed, given to a PDS.

use std::collections::BTreeMap;

use atproto_sdk::{
    PasswordClient, PublicClient,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::{repo::list_records, sync::get_repo},
    },
    identity::{HandleResolver, Resolver},
    nsid,
    repo::{Blocks, Commit, Repository, RepositoryEditor, SigningKey, write_car},
    types::{Bytes, Did, Nsid, RecordKey, Value},
};
use tests::Network;

use crate::post;

/// The paths and CIDs of a repository.
fn entries(repository: &Repository) -> BTreeMap<String, String> {
    let entries = repository.entries().map(|entry| entry.unwrap());
    entries.map(|entry| (format!("{}/{}", entry.collection, entry.rkey), entry.cid.to_string())).collect()
}

async fn fetched(network: &Network, did: &Did) -> Repository {
    let client = PublicClient::new(network.pds()).unwrap();
    let stream = client.com_atproto_sync().get_repo(get_repo::Params::new(did.clone())).await.unwrap();
    Repository::open_bytes(stream.bytes(64 << 20).await.unwrap()).unwrap()
}

fn thing(number: usize) -> Value {
    Value::from([
        ("$type", Value::from("com.example.thing")),
        ("number", Value::from(number as i64)),
        ("bytes", Value::from(Bytes::from(vec![number as u8; number % 40]))),
        ("nested", Value::from([("list", Value::from(vec![Value::from(true), Value::from("ä€😀")]))])),
    ])
}

/// Creates, changes and deletes, and signs a commit after every fifty of them.
fn edit<B: Blocks>(editor: &mut RepositoryEditor<B>, key: &SigningKey, count: usize) -> Commit {
    let things = nsid!("com.example.thing");
    for number in 0..count {
        let rkey = RecordKey::new(format!("{:04}-{number}", number * 7919 % 10_000)).unwrap();
        editor.put_untyped(&things, &rkey, &thing(number)).unwrap();
        if number % 3 == 0 {
            editor
                .put(&RecordKey::new(format!("post-{number}")).unwrap(), &post(&format!("number {number}")))
                .unwrap();
        }
        if number % 7 == 0 {
            editor.delete_untyped(&things, &rkey).unwrap();
        }
        if number % 11 == 0 && number % 7 != 0 {
            editor.put_untyped(&things, &rkey, &thing(number + 1)).unwrap();
        }
        if number % 50 == 49 {
            editor.commit(key).unwrap();
        }
    }
    editor.commit(key).unwrap();
    editor.last_commit().unwrap().clone()
}

async fn listed(client: &PasswordClient, collection: &Nsid) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut cursor = None;
    loop {
        let mut params = list_records::Params::new(client.did(), collection.clone()).limit(100);
        params.cursor = cursor;
        let page = client.com_atproto_repo().list_records(params).await.unwrap();
        for record in page.records {
            let path = record.uri.as_str().split('/').skip(3).collect::<Vec<_>>().join("/");
            all.insert(path, record.cid.to_string());
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_a_pds_takes_repositories_that_were_made_and_changed_here() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let client =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    let key = SigningKey::generate_secp256k1().unwrap();

    // Made from nothing.
    let mut editor = RepositoryEditor::new(account.did.clone());
    let commit = edit(&mut editor, &key, 300);
    let car = write_car(&commit, &editor.all_blocks(), Vec::new()).unwrap();
    let expected = entries(&Repository::open_bytes(car.clone()).unwrap());
    assert!(expected.len() > 300);
    client.com_atproto_repo().import_repo(car).await.unwrap();
    let stored = fetched(&network, &account.did).await;
    assert_eq!(entries(&stored), expected);
    assert_eq!(stored.commit().as_bytes(), commit.as_bytes());
    stored.verify(&account.did, &key.verifying_key()).unwrap();
    let mut of_posts_and_things = listed(&client, &nsid!("app.bsky.feed.post")).await;
    of_posts_and_things.extend(listed(&client, &nsid!("com.example.thing")).await);
    assert_eq!(of_posts_and_things, expected);
    let known = client.records::<Post>().get(&RecordKey::new("post-3").unwrap()).await.unwrap();
    assert_eq!(known.value.text, "number 3");

    // The PDS goes on from our tree, with its own key.
    let made = client.records::<Post>().create(&post("made by the PDS")).await.unwrap();
    let repository = fetched(&network, &account.did).await;
    let mut expected = expected;
    let path = made.uri.as_str().split('/').skip(3).collect::<Vec<_>>().join("/");
    expected.insert(path, made.cid.to_string());
    assert_eq!(entries(&repository), expected);
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    repository.verify_with(&resolver).await.unwrap();

    // What the PDS has sent, changed here and given back.
    let mut editor = repository.edit();
    editor.delete::<Post>(&RecordKey::new("post-3").unwrap()).unwrap();
    editor.put(&RecordKey::new("post-6").unwrap(), &post("changed")).unwrap();
    editor.commit(&key).unwrap();
    let commit = editor.last_commit().unwrap().clone();
    let car = write_car(&commit, &editor.all_blocks(), Vec::new()).unwrap();
    let expected = entries(&Repository::open_bytes(car.clone()).unwrap());
    client.com_atproto_repo().import_repo(car).await.unwrap();
    assert_eq!(entries(&fetched(&network, &account.did).await), expected);
    let listed = listed(&client, &nsid!("app.bsky.feed.post")).await;
    assert!(!listed.contains_key("app.bsky.feed.post/post-3"), "{listed:?}");
    let changed = client.records::<Post>().get(&RecordKey::new("post-6").unwrap()).await.unwrap();
    assert_eq!(changed.value.text, "changed");
}
