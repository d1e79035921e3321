use super::super::{CommitOperation, Message, v1};
use crate::{
    stream::jetstream::Commit,
    test_lexicons::Note,
    types::{Data as _, Unknown, from_json},
    xrpc::Message as _,
};

const CREATED: &str = r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":1767323045678901,"kind":"commit",
    "commit":{"rev":"3jzfcijpj2z2a","operation":"create","collection":"com.example.note","rkey":"3jzfcijpj2z2b",
    "record":{"$type":"com.example.note","text":"hi","createdAt":"2026-01-02T03:04:05Z"},
    "cid":"bafyreihgruwaqz6zoifwrfex67g7maftu63m2x7nlqpyssammcqshofkbq"},"cursor":12345}"#;
const DELETED: &str = r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":1767323045678902,"kind":"commit",
    "commit":{"rev":"3jzfcijpj2z2c","operation":"delete","collection":"com.example.note","rkey":"3jzfcijpj2z2b"}}"#;
const IDENTITY: &str = r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":1767323045678903,"kind":"identity",
    "identity":{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","handle":"alice.example.com","seq":1409752997,
    "time":"2026-01-02T03:04:04.966Z"}}"#;
const ACCOUNT: &str = r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":1767323045678904,"kind":"account",
    "account":{"active":false,"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","seq":1409753013,"status":"deleted",
    "time":"2026-01-02T03:04:05.085Z"}}"#;

fn read(json: &str) -> Message {
    v1::read(json.as_bytes()).unwrap()
}

#[test]
fn e8_messages_of_version_1_have_the_form_of_version_2() {
    let created = read(CREATED);
    assert_eq!(created.seq(), Some(1_767_323_045_678_901));
    assert_eq!(created.time().unwrap().as_str(), "2026-01-02T03:04:05.678901Z");
    assert_eq!(created.account().unwrap().as_str(), "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
    let commit = created.as_commit().unwrap();
    assert_eq!(commit.operation, CommitOperation::Create);
    assert_eq!(commit.uri(), "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.note/3jzfcijpj2z2b");
    assert!(commit.cid.is_some() && !commit.is_delete());
    // What only newer servers send is not lost.
    assert_eq!(commit.extra.get("cursor").unwrap().as_json(), "12345");

    let deleted = read(DELETED);
    let commit = deleted.as_commit().unwrap();
    assert!(commit.is_delete() && commit.record.is_none() && commit.cid.is_none());

    let Message::Identity(event) = read(IDENTITY) else { panic!() };
    assert_eq!((event.seq, event.identity.seq), (1_767_323_045_678_903, 1_409_752_997));
    assert_eq!(event.identity.handle.as_ref().unwrap().as_str(), "alice.example.com");
    let Message::Account(event) = read(ACCOUNT) else { panic!() };
    assert!(!event.account.active);
    assert_eq!(event.account.status.as_ref().unwrap().as_str(), "deleted");
}

#[test]
fn e8_unknown_kinds_are_kept_whole() {
    for json in [
        r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":5,"kind":"weather","weather":{"sun":[1]}}"#,
        // Not what the kind says.
        r#"{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time_us":5,"kind":"commit"}"#,
    ] {
        let Message::Other(value) = read(json) else { panic!() };
        assert_eq!(value.as_json(), json);
    }
}

#[test]
fn a_message_that_is_none_is_an_error_that_names_the_place() {
    let error = v1::read(CREATED.replace(r#""rkey":"3jzfcijpj2z2b""#, r#""rkey":7"#).as_bytes()).unwrap_err();
    assert_eq!(error.path(), "commit.rkey");
    for bad in ["", "[]", "{}", &CREATED[..100]] {
        assert!(v1::read(bad.as_bytes()).is_err());
    }
}

#[test]
fn records_decode_by_collection() {
    let created = read(CREATED);
    let note = created.record::<Note>().unwrap().unwrap();
    assert!(note.to_json().unwrap().contains(r#""text":"hi""#));
    // Another collection is not an error.
    let moved =
        read(&CREATED.replace(r#""collection":"com.example.note""#, r#""collection":"com.example.other""#));
    assert!(moved.record::<Note>().is_none());
    assert!(read(DELETED).record::<Note>().is_none() && read(IDENTITY).record::<Note>().is_none());
    // Something else in the right collection is one.
    let wrong = read(&CREATED.replace(r#""text":"hi""#, r#""text":7"#));
    assert_eq!(wrong.record::<Note>().unwrap().unwrap_err().path(), "text");
}

#[test]
fn e8_messages_of_version_2_are_those_of_the_lexicon() {
    let json = r#"{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":12345,
        "did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","time":"2026-01-02T03:04:05.678901Z",
        "witnessedAt":"2026-01-02T03:04:06.000001Z","rev":"3jzfcijpj2z2a","operation":"create",
        "collection":"com.example.note","rkey":"3jzfcijpj2z2b",
        "record":{"$type":"com.example.note","text":"hi","createdAt":"2026-01-02T03:04:05Z"}}"#;
    let message: Message = from_json(json).unwrap();
    let commit: &Commit = message.as_commit().unwrap();
    assert_eq!(
        (commit.seq, commit.witnessed_at.as_ref().unwrap().unix_micros()),
        (12345, Some(1_767_323_046_000_001))
    );
    assert!(message.record::<Note>().unwrap().is_ok());
    let json = r#"{"$type":"network.bsky.jetstream.subscribeEvents#weather","seq":7}"#;
    let message: Message = from_json(json).unwrap();
    assert_eq!(message, Message::Other(Unknown::from_json(json).unwrap()));
    assert_eq!(message.seq(), Some(7));
}
