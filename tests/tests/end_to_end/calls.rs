//! Typed calls as a signed-in user.

use atproto_sdk::{
    api::{
        app::bsky::feed::post::Post,
        com::atproto::{
            repo::{create_record, delete_record, get_record, list_records, put_record},
            sync::get_blob,
        },
    },
    types::{Expected, Record as _, RecordKey, Unknown},
    xrpc::ErrorKind,
};
use futures_util::StreamExt as _;

use crate::{World, post};

#[tokio::test(flavor = "multi_thread")]
async fn x8_list_records_over_several_pages() {
    let world = World::new().await;
    let client = world.sign_in().await;
    for number in 0..7 {
        client.records::<Post>().create(&post(&format!("number {number}"))).await.unwrap();
    }
    let params = list_records::Params::new(client.did(), Post::collection()).limit(3);
    let page = client.com_atproto_repo().list_records(params.clone()).await.unwrap();
    assert_eq!((page.records.len(), page.cursor.is_some()), (3, true));
    let pages: Vec<_> = client.com_atproto_repo().list_records(params.clone()).pages().collect().await;
    let sizes: Vec<usize> = pages.into_iter().map(|page| page.unwrap().records.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 7, "{sizes:?}");
    let texts: Vec<String> = client
        .com_atproto_repo()
        .list_records(params.reverse(true))
        .items()
        .map(|record| record.unwrap().value.decode::<Post>().unwrap().text)
        .collect()
        .await;
    assert_eq!(texts, ["number 0", "number 1", "number 2", "number 3", "number 4", "number 5", "number 6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn create_get_put_with_swap_and_delete() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let repo = client.com_atproto_repo();
    let value = Unknown::encode(&post("first")).unwrap();
    let input = create_record::Input::new(client.did(), Post::collection(), value);
    let made = repo.create_record(input).await.unwrap();
    let rkey = made.uri.record_key().unwrap();

    let params = || get_record::Params::new(client.did(), Post::collection(), rkey.clone());
    let found = repo.get_record(params()).await.unwrap();
    assert_eq!(
        (found.cid.as_ref(), found.value.type_name().as_deref()),
        (Some(&made.cid), Some("app.bsky.feed.post"))
    );

    // What the lexicon does not know survives a change.
    let mut changed: Post = found.value.decode().unwrap();
    changed.text = "second".to_owned();
    changed.extra.insert("com.example.mood", serde_json::json!({"happy": [true]}).into());
    let input = || {
        put_record::Input::new(
            client.did(),
            Post::collection(),
            rkey.clone(),
            Unknown::encode(&changed).unwrap(),
        )
    };
    let put = repo.put_record(input().swap_record(made.cid.clone())).await.unwrap();
    // Somebody else's change in between is not overwritten.
    let other = Unknown::encode(&post("third")).unwrap();
    let late = put_record::Input::new(client.did(), Post::collection(), rkey.clone(), other);
    let error = repo.put_record(late.swap_record(made.cid.clone())).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(put_record::Error::InvalidSwap), "{error}");
    let again: Post = repo.get_record(params()).await.unwrap().value.decode().unwrap();
    assert_eq!(again, changed);

    let delete = || delete_record::Input::new(client.did(), Post::collection(), rkey.clone());
    let error = repo.delete_record(delete().swap_record(made.cid.clone())).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(delete_record::Error::InvalidSwap), "{error}");
    repo.delete_record(delete().swap_record(put.cid)).await.unwrap();
    let error = repo.get_record(params()).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(get_record::Error::RecordNotFound), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_records_of_a_collection() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let posts = client.records::<Post>();
    let key = RecordKey::from(atproto_sdk::types::Tid::now());
    let first = posts.put(&key, &post("one"), Expected::Absent).await.unwrap();
    let error = posts.put(&key, &post("two"), Expected::Absent).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(put_record::Error::InvalidSwap), "{error}");
    let second = posts.put(&key, &post("two"), Expected::Version(&first.cid)).await.unwrap();
    assert_eq!(posts.get(&key).await.unwrap().value.text, "two");
    let all: Vec<_> = posts.list().collect().await;
    assert_eq!((all.len(), all[0].as_ref().unwrap().cid.as_ref()), (1, Some(&second.cid)));
    posts.delete(&key, Expected::Version(&second.cid)).await.unwrap();
    assert_eq!(posts.get(&key).await.unwrap_err().lexicon_error(), Some(get_record::Error::RecordNotFound));
    // Deleting what is not there is no error.
    posts.delete(&key, Expected::Any).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn x7_blobs_go_up_with_their_type_and_come_down_as_a_stream() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let picture: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let uploaded =
        client.com_atproto_repo().upload_blob(picture.clone()).content_type("image/png").await.unwrap();
    assert_eq!((uploaded.blob.mime_type(), uploaded.blob.size()), ("image/png", Some(300_000)));
    // A stream cannot be sent twice: the session makes sure of token and nonce before it starts.
    let pieces: Vec<_> = picture.chunks(10_000).map(|piece| Ok(bytes_of(piece))).collect();
    let stream = atproto_sdk::xrpc::ByteStream::new(futures_util::stream::iter(pieces));
    let streamed = client.com_atproto_repo().upload_blob(stream).content_type("image/png").await.unwrap();
    assert_eq!(streamed.blob.cid(), uploaded.blob.cid());

    // A blob can be read once a record refers to it.
    use atproto_sdk::api::app::bsky::actor::profile::Profile;
    let profile = Profile::new().avatar(uploaded.blob.clone());
    let key = RecordKey::new("self").unwrap();
    client.records::<Profile>().put(&key, &profile, Expected::Any).await.unwrap();
    let params = get_blob::Params::new(world.did(), uploaded.blob.cid().clone());
    let mut body = client.com_atproto_sync().get_blob(params.clone()).await.unwrap();
    let mut pieces = 0;
    let mut received = Vec::new();
    while let Some(piece) = body.next().await {
        received.extend_from_slice(&piece.unwrap());
        pieces += 1;
    }
    assert!(received == picture && pieces > 1, "{pieces} pieces, {} bytes", received.len());
    let whole = client.com_atproto_sync().get_blob(params).await.unwrap().bytes(1 << 20).await.unwrap();
    assert!(*whole == *picture);
}

fn bytes_of(piece: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(piece)
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_tell_what_to_do() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let params =
        get_record::Params::new(client.did(), Post::collection(), RecordKey::new("nothing").unwrap());
    let error = client.com_atproto_repo().get_record(params).await.unwrap_err();
    assert_eq!(
        (error.lexicon_error(), error.kind()),
        (Some(get_record::Error::RecordNotFound), ErrorKind::InvalidInput)
    );
    assert!(error.server_message().unwrap().contains("Could not locate record"), "{error}");

    let broken = serde_json::json!({"$type": "app.bsky.feed.post", "text": 5}).into();
    let input = create_record::Input::new(client.did(), Post::collection(), broken);
    let error = client.com_atproto_repo().create_record(input).await.unwrap_err();
    assert_eq!((error.lexicon_error(), error.kind()), (None, ErrorKind::InvalidInput), "{error}");
    assert!(error.to_string().contains("text"), "{error}");
}
