//! Records of the crate's own lexicon on a real PDS, and records of a type without a lexicon.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    PasswordClient, datetime,
    types::{Cid, CidLink, Expected, RecordKey},
};
use books_lexicons::lexicons::com::example::books::{
    book::{Book, BookType},
    defs::Quote,
};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use tests::Network;

async fn client(name: &str) -> PasswordClient {
    let network = Network::shared().await.unwrap();
    let account = network.account(name).await.unwrap();
    PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap()
}

#[tokio::test]
async fn records_are_written_read_changed_and_deleted() {
    let client = client("bookworm").await;
    let books = client.records::<Book>();
    let book = Book::new("Moby-Dick", datetime!("2026-01-02T03:04:05Z"))
        .authors(vec!["Herman Melville".to_owned()])
        .form(BookType::Audio)
        .about(Quote::new("Call me Ishmael.").page(1));
    let created = books.create(&book).await.unwrap();
    let rkey = RecordKey::new(created.uri.rkey().unwrap()).unwrap();
    let found = books.get(&rkey).await.unwrap();
    assert_eq!((&found.value, found.cid.as_ref()), (&book, Some(&created.cid)));

    let mut changed = found.value;
    changed.title = "Moby-Dick; or, The Whale".to_owned();
    books.put(&rkey, &changed, Expected::Any).await.unwrap();
    let all: Vec<_> = books.list().try_collect().await.unwrap();
    assert_eq!(all.iter().map(|entry| &entry.value).collect::<Vec<_>>(), [&changed]);
    books.delete(&rkey, Expected::Any).await.unwrap();
    assert!(books.list().try_collect::<Vec<_>>().await.unwrap().is_empty());
}

/// A type that serde knows and no lexicon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct HandBook {
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pages: Option<u32>,
    source: CidLink,
}

atproto_sdk::record!(HandBook, "com.example.handBook", key = "any");

#[tokio::test]
async fn a_hand_written_type_is_a_record_too() {
    let client = client("writer").await;
    let source = CidLink(Cid::new("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a").unwrap());
    let book = HandBook { title: "Knots".to_owned(), pages: Some(12), source };
    let key = RecordKey::new("knots").unwrap();
    let records = client.records::<HandBook>();
    let written = records.put(&key, &book, Expected::Absent).await.unwrap();
    assert_eq!(written.cid, atproto_sdk::types::cid_of(&book).unwrap());
    let all: Vec<_> = records.list().try_collect().await.unwrap();
    assert_eq!(all.iter().map(|entry| &entry.value).collect::<Vec<_>>(), [&book]);
}
