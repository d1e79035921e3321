//! Calls of the crate's own lexicons, to a server with scripted answers and over a transport of the user's own.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    PublicClient, at_uri, cid, datetime, did,
    stream::Subscribe,
    types::{Data as _, PermissionSet as _, Reader, Record as _, from_json},
    xrpc::{
        BoxFuture, ByteStream, ErrorKind, LexiconError as _, Message as _, Request, Subscription as _,
        Transport, TransportError, TransportResponse,
    },
};
use books_lexicons::lexicons::com::example::books::{
    ComExampleBooksExt as _, add_note,
    auth_reader::AuthReader,
    book::{Book, BookAbout, BookType},
    defs::{self, BookView, Quote, State},
    list_books,
    watch::{self, Added, Watch},
};
use futures_util::TryStreamExt as _;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tests::{Answer, Stub};

const LIST: &str = "/xrpc/com.example.books.listBooks";
const ADD: &str = "/xrpc/com.example.books.addNote";

fn view(title: &str) -> Value {
    json!({
        "uri": "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.books.book/3jzfcijpj2z2a",
        "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
        "record": {"$type": "com.example.books.book", "title": title, "createdAt": "2026-01-02T03:04:05Z"},
        "addedBy": {"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "alice.test"},
        "state": "com.example.books.defs#rare",
        "shelf": 7,
    })
}

#[tokio::test]
async fn a_paginated_query_of_its_own_is_followed_over_its_pages() {
    let stub = Stub::start().await.unwrap();
    stub.answer(LIST, Answer::json(json!({"books": [view("One")], "cursor": "next"}).to_string()));
    stub.answer(LIST, Answer::json(json!({"books": [view("Two")]}).to_string()));
    let client = PublicClient::builder(stub.url()).build().unwrap();
    let params = list_books::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).limit(1);
    let books: Vec<BookView> =
        client.com_example_books().list_books(params).items().try_collect().await.unwrap();
    let titles: Vec<&str> = books.iter().map(|book| book.record.title.as_str()).collect();
    assert_eq!(titles, ["One", "Two"]);
    // A type of the SDK, an open set with a token in it, and a field that the lexicon does not know.
    assert_eq!(books[0].added_by.handle.as_str(), "alice.test");
    assert_eq!(books[0].state, Some(State::Rare));
    assert_eq!(defs::RARE, "com.example.books.defs#rare");
    assert_eq!(books[0].extra.len(), 1);
    let asked: Vec<String> = stub.received_at(LIST).iter().map(|it| it.query.clone()).collect();
    let first = "actor=did%3Aplc%3Aewvi7nxzyoun6zhxrhs64oiz&limit=1";
    assert_eq!(asked, [first.to_owned(), format!("{first}&cursor=next")]);
}

#[tokio::test]
async fn a_procedure_takes_a_closed_union_of_its_own_and_foreign_types() {
    let stub = Stub::start().await.unwrap();
    stub.answer(ADD, Answer::json(r#"{"notes": 2}"#));
    let client = PublicClient::builder(stub.url()).build().unwrap();
    let subject = atproto_sdk::api::com::atproto::repo::strong_ref::StrongRef::new(
        at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.books.book/3jzfcijpj2z2a"),
        cid!("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"),
    );
    let input = add_note::Input::new(subject.clone(), Quote::new("Call me Ishmael.").page(1));
    assert_eq!(client.com_example_books().add_note(input).await.unwrap().notes, 2);
    let sent: Value = serde_json::from_slice(&stub.received_at(ADD)[0].body).unwrap();
    assert_eq!(
        sent["note"],
        json!({"$type": "com.example.books.defs#quote", "text": "Call me Ishmael.", "page": 1})
    );
    let post = atproto_sdk::api::app::bsky::feed::post::Post::new("Good.", datetime!("2026-01-02T03:04:05Z"));
    client.com_example_books().add_note(add_note::Input::new(subject.clone(), post)).await.unwrap();
    let sent: Value = serde_json::from_slice(&stub.received_at(ADD)[1].body).unwrap();
    assert_eq!(sent["note"]["$type"], "app.bsky.feed.post");

    // What the lexicon forbids is not sent, and what it names as an error has a name.
    let input = add_note::Input::new(subject.clone(), Quote::new("x").page(0));
    let error = client.com_example_books().add_note(input).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("note.page"), "{error}");
    assert_eq!(stub.received_at(ADD).len(), 2);
    let answer = Answer::json(r#"{"error": "BookNotFound", "message": "gone"}"#).with_status(400);
    stub.replace(ADD, answer);
    let error = client
        .com_example_books()
        .add_note(add_note::Input::new(subject, Quote::new("x")))
        .await
        .unwrap_err();
    assert_eq!(error.lexicon_error(), Some(add_note::Error::BookNotFound));
}

#[test]
fn a_record_mixes_types_of_its_own_and_of_the_sdk() {
    let json = r#"{"$type":"com.example.books.book","title":"Moby-Dick","type":"audio","about":{"$type":"com.atproto.repo.strongRef","uri":"at://did:plc:abc/com.example.books.book/self","cid":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},"createdAt":"2026-01-02T03:04:05Z"}"#;
    let book: Book = from_json(json).unwrap();
    // The name was chosen in lexicons.toml; in the data, the field is `type`.
    assert_eq!(book.form, Some(BookType::Audio));
    assert!(matches!(book.about, Some(BookAbout::StrongRef(_))));
    assert_eq!(Book::new("x", datetime!("2026-01-02T03:04:05Z")).form_or_default(), BookType::Paper);
    assert_eq!(serde_json::to_value(&book).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    assert_eq!((Book::COLLECTION, Book::KEY), ("com.example.books.book", "tid"));
    assert!(Book::new("", datetime!("2026-01-02T03:04:05Z")).validate().is_err());
    // A variant of tomorrow is kept as it is.
    let book: Book = from_json(json.replace("com.atproto.repo.strongRef", "org.other.thing")).unwrap();
    assert!(matches!(book.about, Some(BookAbout::Other(_))));
}

#[test]
fn types_have_the_traits_that_the_configuration_names() {
    assert_eq!(
        (Book::DESCRIBED, BookType::DESCRIBED, BookAbout::DESCRIBED),
        ("Book", "BookType", "BookAbout")
    );
}

#[test]
fn l13_the_messages_of_a_subscription_have_types() {
    let added: Added = from_json(json!({"seq": 3, "book": view("One")}).to_string()).unwrap();
    // The name was chosen in lexicons.toml; in the data, the field is `seq`.
    assert_eq!((added.position, added.book.record.title.as_str()), (3, "One"));
    let payload = json!({"seq": 3, "book": view("One")}).to_string();
    let message = watch::Message::read_payload("#added", &mut Reader::json(&payload)).unwrap();
    assert_eq!((message.seq(), &message), (Some(3), &watch::Message::from(added)));
    assert_eq!(watch::Message::DESCRIBED, "Message");
}

#[test]
fn l13_a_subscription_of_its_own_starts_over_every_client() {
    let client = PublicClient::new("https://books.example.com").unwrap();
    let _: Subscribe<'_, Watch> = client.com_example_books().watch();
    let _: Subscribe<'_, Watch> = Empty.com_example_books().watch().params(watch::Params::new().cursor(3));
    assert_eq!(Watch::NSID, "com.example.books.watch");
    assert_eq!(watch::Error::from_name("FutureCursor"), Some(watch::Error::FutureCursor));
}

#[test]
fn l11_a_permission_set_is_a_scope() {
    assert_eq!(AuthReader::scope(), "include:com.example.books.authReader");
    assert_eq!(AuthReader::PERMISSIONS.len(), 2);
}

/// A transport that answers every query without books.
struct Empty;

impl Transport for Empty {
    fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async {
            let body = ByteStream::new(futures_util::stream::iter([Ok(r#"{"books": []}"#.into())]));
            Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body))
        })
    }
}

#[tokio::test]
async fn a_transport_of_ones_own_has_the_methods_too() {
    let params = list_books::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    assert!(Empty.com_example_books().list_books(params).await.unwrap().books.is_empty());
}
