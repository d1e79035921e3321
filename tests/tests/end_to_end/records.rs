//! Records of every type: the CID that the PDS computes is ours, and the bytes that it keeps are ours.

use std::fmt::Debug;

use atproto_sdk::{
    PasswordClient,
    api::{
        app::bsky,
        chat,
        com::{atproto, atproto::repo::create_record, atproto::sync, germnetwork},
        site::standard,
    },
    types::{
        AtIdentifier, Blob, Cid, Data as _, Datetime, Record, RecordKey, Tid, Unknown, Value, cid_of,
        from_cbor, from_json,
    },
};

use crate::{
    World,
    documents::{Examples, Lexicons, Random},
    post,
};

/// The smallest image there is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\x18\xdd\x8d\xb0\0\0\0\0IEND\xaeB`\x82";
/// The largest integer that a server in JavaScript keeps.
const SAFE: i64 = (1 << 53) - 1;

/// A document as this server can take it: its blobs are there, and its integers fit.
fn tame(value: &mut Value, blob: &Blob) {
    match value {
        Value::Integer(integer) => *integer = (*integer).clamp(-SAFE, SAFE),
        Value::Blob(found) => **found = blob.clone(),
        Value::List(list) => list.iter_mut().for_each(|item| tame(item, blob)),
        Value::Map(map) => map.values_mut().for_each(|value| tame(value, blob)),
        _ => {}
    }
}

/// The block of a CID in a CAR file: a header, then blocks, each with its length in front and its CID at the beginning.
fn block<'a>(car: &'a [u8], cid: &Cid) -> &'a [u8] {
    fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let (byte, behind) = rest.split_first()?;
            *rest = behind;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (taken, behind) = rest.split_at(length);
        *rest = behind;
        Some(taken)
    }
    let mut rest = car;
    take(&mut rest).expect("a CAR file has a header");
    while let Some(block) = take(&mut rest) {
        let (found, data) = block.split_at(36);
        if Cid::from_bytes(found).as_ref() == Some(cid) {
            return data;
        }
    }
    panic!("{cid} is not in the CAR file")
}

async fn kept_bytes(client: &PasswordClient, collection: &str, rkey: &RecordKey, cid: &Cid) -> Vec<u8> {
    let params =
        sync::get_record::Params::new(client.did().clone(), collection.parse().unwrap(), rkey.clone());
    let car = client.com_atproto_sync().get_record(params).await.unwrap();
    block(&car.bytes(1 << 20).await.unwrap(), cid).to_vec()
}

async fn agrees<T: Record + PartialEq + Debug>(client: &PasswordClient, lexicons: &Lexicons, blob: &Blob) {
    for seed in 1..5 {
        let made = Examples::new(lexicons, Random::new(seed)).definition(T::COLLECTION);
        let mut document: Value = from_json(made.to_string()).unwrap();
        tame(&mut document, blob);
        let record: T = from_json(document.to_json().unwrap()).unwrap();
        let rkey = RecordKey::from(Tid::now());
        let input = create_record::Input::new(
            AtIdentifier::from(client.did()),
            T::collection(),
            Unknown::encode(&record).unwrap(),
        );
        // The server checks what it likes; here it is about the bytes of whatever stands in a record.
        let made =
            client.com_atproto_repo().create_record(input.rkey(rkey.clone()).with_validate(false)).await;
        let made = made.unwrap_or_else(|error| panic!("{}: {error}\n{document:?}", T::COLLECTION));
        assert_eq!(made.cid, cid_of(&record).unwrap(), "{}\n{document:?}", T::COLLECTION);
        let kept = kept_bytes(client, T::COLLECTION, &rkey, &made.cid).await;
        assert_eq!(kept, record.to_cbor().unwrap());
        assert_eq!(from_cbor::<T>(&kept).unwrap(), record);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d3_d4_the_pds_computes_the_same_cid_for_records_of_every_type() {
    let world = World::new().await;
    let (pds, account) = (world.network.pds(), &world.account);
    let client = PasswordClient::sign_in(pds, account.handle.as_str(), &account.password).await.unwrap();
    let uploaded = client.com_atproto_repo().upload_blob(PNG).content_type("image/png").await.unwrap().blob;
    assert_eq!(*uploaded.cid(), Cid::of_raw(PNG));
    let lexicons = Lexicons::load();
    macro_rules! every {
        ($($record:ty),* $(,)?) => { $(agrees::<$record>(&client, &lexicons, &uploaded).await;)* };
    }
    every! {
        bsky::actor::content_visibility_declaration::ContentVisibilityDeclaration, bsky::actor::profile::Profile,
        bsky::actor::status::Status, bsky::feed::generator::Generator, bsky::feed::like::Like, bsky::feed::post::Post,
        bsky::feed::postgate::Postgate, bsky::feed::repost::Repost, bsky::feed::threadgate::Threadgate,
        bsky::graph::block::Block, bsky::graph::follow::Follow, bsky::graph::list::List,
        bsky::graph::listblock::Listblock, bsky::graph::listitem::Listitem,
        bsky::graph::referencelistoptout::Referencelistoptout, bsky::graph::starterpack::Starterpack,
        bsky::graph::verification::Verification, bsky::labeler::service::Service,
        bsky::notification::declaration::Declaration, chat::bsky::actor::declaration::Declaration,
        atproto::lexicon::schema::Schema, germnetwork::declaration::Declaration,
        standard::document::Document, standard::graph::recommend::Recommend,
        standard::graph::subscription::Subscription, standard::publication::Publication, standard::theme::basic::Basic,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn d4_records_that_the_pds_checks_have_the_same_cid_too() {
    let world = World::new().await;
    let client = world.sign_in().await;
    let blob = client.com_atproto_repo().upload_blob(PNG).content_type("image/png").await.unwrap().blob;
    let image = bsky::embed::images::Image::new(blob.clone(), "ein Bild 🖼️ – „schön“");
    let mut written = post("Grüße 日本語 👩‍🚀\n\u{1}").embed(bsky::embed::images::Images::new(vec![image]));
    written
        .extra
        .insert("com.example.mood", Unknown::from_json(r#"{"z":[1,null],"a":{"$bytes":"AQID"}}"#).unwrap());
    let made = client.records().create(&written).await.unwrap();
    assert_eq!(made.cid, cid_of(&written).unwrap());

    let profile =
        bsky::actor::profile::Profile::new().display_name("Alice").avatar(blob).created_at(Datetime::now());
    let key = RecordKey::new("self").unwrap();
    let put = client.records().put(&key, &profile, atproto_sdk::types::Expected::Any).await.unwrap();
    assert_eq!(put.cid, cid_of(&profile).unwrap());
    let read = client.records::<bsky::actor::profile::Profile>().get(&key).await.unwrap();
    assert_eq!((read.value, read.cid), (profile, Some(put.cid)));
}
