use super::super::{AccountStatus, Action, Message, message::id_of};
use crate::{test_lexicons::Note, types::Unknown};

const RECORD: &str = r#"{"id":12345,"type":"record","record":{"live":true,"rev":"3jzfcijpj2z2a",
    "did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","collection":"com.example.note","rkey":"3jzfcijpj2z2b","action":"create",
    "cid":"bafyreihgruwaqz6zoifwrfex67g7maftu63m2x7nlqpyssammcqshofkbq",
    "record":{"$type":"com.example.note","text":"hi","createdAt":"2026-01-02T03:04:05Z"},"new":1}}"#;
const DELETED: &str = r#"{"id":12346,"type":"record","record":{"live":false,"rev":"3jzfcijpj2z2a",
    "did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","collection":"com.example.note","rkey":"3jzfcijpj2z2b","action":"delete"}}"#;
const IDENTITY: &str = r#"{"id":12347,"type":"identity","identity":{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz",
    "handle":"alice.example.com","is_active":false,"status":"deactivated"}}"#;

fn read(json: &str) -> Message {
    Message::from_json(json).unwrap()
}

#[test]
fn e12_messages_of_tap_are_typed() {
    let Message::Record(event) = read(RECORD) else { panic!() };
    assert_eq!((event.id, event.live, &event.action), (12345, true, &Action::Create));
    assert_eq!(event.uri(), "at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/com.example.note/3jzfcijpj2z2b");
    assert_eq!(event.extra.get("new"), Some(&Unknown::from_json("1").unwrap()));
    assert!(read(RECORD).record::<Note>().unwrap().is_ok());
    assert!(read(&RECORD.replace(r#""text":"hi""#, r#""text":7"#)).record::<Note>().unwrap().is_err());
    let Message::Record(event) = read(DELETED) else { panic!() };
    assert_eq!((event.id, event.live, &event.action, &event.record), (12346, false, &Action::Delete, &None));
    assert!(event.record::<Note>().is_none());

    let Message::Identity(event) = read(IDENTITY) else { panic!() };
    assert_eq!((event.id, event.is_active, &event.status), (12347, false, &AccountStatus::Deactivated));
    assert_eq!(event.handle.as_ref().unwrap().as_str(), "alice.example.com");
}

#[test]
fn what_tap_knows_of_an_account_need_not_be_complete() {
    for (change, active) in [(r#""isActive":true,"#, true), ("", false)] {
        let Message::Identity(event) = read(&IDENTITY.replace(r#""is_active":false,"#, change)) else {
            panic!()
        };
        assert_eq!(event.is_active, active);
    }
    for handle in ["", "not a handle"] {
        let Message::Identity(event) = read(&IDENTITY.replace("alice.example.com", handle)) else { panic!() };
        assert_eq!(event.handle, None);
    }
}

#[test]
fn e12_unknown_messages_are_kept_whole_and_can_be_acknowledged() {
    let json = r#"{"id":7,"type":"weather","weather":{"sun":true}}"#;
    assert_eq!(read(json), Message::Other(Unknown::from_json(json).unwrap()));
    assert_eq!((read(json).id(), read(RECORD).id()), (Some(7), Some(12345)));
}

#[test]
fn e12_a_message_that_cannot_be_decoded_still_has_its_number() {
    let bad = RECORD.replace(r#""did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz""#, r#""did":["alice"]"#);
    assert_eq!(Message::from_json(&bad).unwrap_err().path(), "record.did");
    assert_eq!(id_of(bad.as_bytes()), Some(12345));
    for bad in ["", "[]", "{}", &RECORD[..50]] {
        assert!(Message::from_json(bad).is_err());
        assert_eq!(id_of(bad.as_bytes()), None);
    }
}
