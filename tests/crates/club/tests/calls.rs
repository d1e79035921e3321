//! Types of two crates in one call, and on a real PDS.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    PasswordClient, PublicClient,
    api::com::atproto::repo::strong_ref::StrongRef,
    at_uri, datetime, did,
    stream::Subscribe,
    types::{Expected, Reader, RecordKey},
    xrpc::Message as _,
};
use books_lexicons::lexicons::com::example::books::{
    book::Book,
    defs::{BookView, Quote, State},
};
use reading_club::lexicons::com::example::club::{
    ComExampleClubExt as _, get_meeting,
    meeting::{Meeting, MeetingAgendaItem, Talk},
    subscribe_meetings::{self, Message, SubscribeMeetings},
};
use serde_json::json;
use tests::{Answer, Network, Stub};

const GET: &str = "/xrpc/com.example.club.getMeeting";

#[tokio::test]
async fn a_query_answers_with_types_of_the_other_crate() {
    let stub = Stub::start().await.unwrap();
    let record =
        json!({"$type": "com.example.books.book", "title": "Moby-Dick", "createdAt": "2026-01-02T03:04:05Z"});
    let answer = json!({
        "meeting": {
            "$type": "com.example.club.meeting",
            "book": {"uri": "at://did:plc:abc/com.example.books.book/self", "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
            "agenda": [
                {"$type": "com.example.club.meeting#talk", "speaker": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"},
                {"$type": "com.example.books.defs#quote", "text": "Call me Ishmael."},
                {"$type": "org.other.break"},
            ],
            "startsAt": "2026-02-03T19:00:00Z",
        },
        "book": {
            "uri": "at://did:plc:abc/com.example.books.book/self",
            "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
            "record": record,
            "addedBy": {"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "alice.test"},
        },
        "chosenFrom": [record],
    });
    stub.answer(GET, Answer::json(answer.to_string()));
    stub.answer(GET, Answer::json(r#"{"error": "MeetingNotFound"}"#).with_status(400));
    let client = PublicClient::builder(stub.url()).build().unwrap();
    let uri = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.club.meeting/first");
    let params = get_meeting::Params::new(uri);
    let output = client.com_example_club().get_meeting(params.clone()).await.unwrap();
    let book: &BookView = &output.book;
    let candidates: &Vec<Book> = output.chosen_from.as_ref().unwrap();
    assert_eq!((book.record.title.as_str(), candidates.len()), ("Moby-Dick", 1));
    let agenda = output.meeting.agenda.as_ref().unwrap();
    assert!(matches!(&agenda[0], MeetingAgendaItem::Talk(talk) if talk.minutes_or_default() == 20));
    assert!(matches!(&agenda[1], MeetingAgendaItem::Quote(_)));
    assert!(matches!(&agenda[2], MeetingAgendaItem::Other(_)));
    let error = client.com_example_club().get_meeting(params).await.unwrap_err();
    assert_eq!(error.lexicon_error(), Some(get_meeting::Error::MeetingNotFound));
}

#[tokio::test]
async fn a_record_with_types_of_the_other_crate_is_written_and_read() {
    let network = Network::shared().await.unwrap();
    let account = network.account("club").await.unwrap();
    let client =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    let book =
        client.records::<Book>().create(&Book::new("Moby-Dick", datetime!("2026-01-02T03:04:05Z"))).await;
    let book = book.unwrap();
    let meeting = Meeting::new(StrongRef::new(book.uri, book.cid), datetime!("2026-02-03T19:00:00Z"))
        .favourite(Quote::new("Call me Ishmael."))
        .state(State::InPrint)
        .agenda(vec![
            Talk::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).minutes(5).into(),
            Quote::new("It is not down in any map; true places never are.").page(59).into(),
        ]);
    let key = RecordKey::new("first").unwrap();
    let written = client.records::<Meeting>().put(&key, &meeting, Expected::Absent).await.unwrap();
    let found = client.records::<Meeting>().get(&key).await.unwrap();
    assert_eq!((found.value, found.cid), (meeting, Some(written.cid)));
}

#[test]
fn l13_a_subscription_has_messages_of_both_crates_and_of_the_sdk() {
    let client = PublicClient::new("https://club.example.com").unwrap();
    let params = subscribe_meetings::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).cursor(3);
    let _: Subscribe<'_, SubscribeMeetings> = client.com_example_club().subscribe_meetings(params);

    let record =
        json!({"$type": "com.example.books.book", "title": "Moby-Dick", "createdAt": "2026-01-02T03:04:05Z"});
    let strong_ref = json!({
        "uri": "at://did:plc:abc/com.example.books.book/self",
        "cid": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
    });
    let meeting =
        json!({"$type": "com.example.club.meeting", "book": strong_ref, "startsAt": "2026-02-03T19:00:00Z"});
    let alice = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    let planned = json!({"seq": 1, "did": alice, "meeting": meeting, "time": "2026-01-02T03:04:05Z"});
    let mut book = strong_ref.clone();
    book["record"] = record;
    book["addedBy"] = json!({"did": alice, "handle": "alice.test"});
    let added = json!({"seq": 2, "book": book});
    let identity = json!({"seq": 3, "did": alice, "time": "2026-01-02T03:04:05Z"});
    for (tag, payload, is_it, seq, account) in [
        (
            "#planned",
            planned,
            (|it| matches!(it, Message::Planned(_))) as fn(&Message) -> bool,
            Some(1),
            Some(alice),
        ),
        // The field has another name in the other crate.
        ("com.example.books.watch#added", added, |it| matches!(it, Message::WatchAdded(_)), Some(2), None),
        (
            "com.atproto.sync.subscribeRepos#identity",
            identity,
            |it| matches!(it, Message::SubscribeReposIdentity(_)),
            Some(3),
            Some(alice),
        ),
        ("com.example.club.meeting", meeting, |it| matches!(it, Message::Meeting(_)), None, None),
        (
            "#moved",
            json!({"seq": 4, "did": alice}),
            |it| matches!(it, Message::Other(_)),
            Some(4),
            Some(alice),
        ),
    ] {
        let payload = payload.to_string();
        let message = Message::read_payload(tag, &mut Reader::json(&payload)).unwrap();
        assert!(is_it(&message), "{tag} {message:?}");
        assert_eq!(
            (message.seq(), message.account().as_ref().map(|it| it.as_str())),
            (seq, account),
            "{tag}"
        );
    }
}

/// Both crates have methods in `com.example.books`, and both can be called with both traits in scope.
#[tokio::test]
async fn methods_of_one_group_in_two_crates_are_beside_each_other() {
    use books_lexicons::lexicons::com::example::books::{ComExampleBooksExt as _, list_books};
    use reading_club::lexicons::com::example::books::ComExampleBooksExt as _;

    let stub = Stub::start().await.unwrap();
    stub.answer("/xrpc/com.example.books.getLoans", Answer::json(r#"{"count": 3}"#));
    stub.answer("/xrpc/com.example.books.listBooks", Answer::json(r#"{"books": []}"#));
    let client = PublicClient::builder(stub.url()).build().unwrap();
    assert_eq!(client.com_example_books_reading_club().get_loans().await.unwrap().count, 3);
    let params = list_books::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    assert!(client.com_example_books().list_books(params).await.unwrap().books.is_empty());
}
