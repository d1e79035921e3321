//! Records and pages with what cannot be read, and what is refused before it is sent.

use futures_util::StreamExt as _;

use super::{Scripted, did, json};
use crate::{
    api::{
        app::bsky::feed::like::Like,
        com::atproto::repo::{ComAtprotoRepo, delete_record, get_record, list_records},
    },
    records::Records,
    types::{AtUri, Cid, Did, RecordKey, from_json},
    xrpc::{Caller, DecodeError, Error, InvalidRequest, Labeler},
};

const CID: &str = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a";

fn like(rkey: &str, cid: &str, value: &str) -> String {
    format!(r#"{{"uri":"at://{}/app.bsky.feed.like/{rkey}","cid":"{cid}","value":{value}}}"#, did())
}

fn fine() -> String {
    let uri = format!("at://{}/app.bsky.feed.post/1", did());
    format!(
        r#"{{"$type":"app.bsky.feed.like","subject":{{"uri":"{uri}","cid":"{CID}"}},"createdAt":"2026-01-02T03:04:05Z"}}"#
    )
}

#[tokio::test]
async fn l10_an_error_about_a_record_has_the_record_and_the_listing_goes_on() {
    let broken = r#"{"$type":"app.bsky.feed.like","subject":"nothing","createdAt":"2026-01-02T03:04:05Z"}"#;
    let page = format!(
        r#"{{"records":[{},{},{}]}}"#,
        like("a", CID, &fine()),
        like("b", "", broken),
        like("c", CID, &fine())
    );
    let transport = Scripted::new(move |_, _| Ok(json(page.clone())));
    let listed: Vec<_> = Records::<Like>::new(Caller::new(&transport), did()).list().collect().await;
    assert_eq!(listed.len(), 3);
    assert!(listed[0].is_ok() && listed[2].is_ok());
    let error = listed[1].as_ref().unwrap_err();
    let record = error.unreadable_record().unwrap();
    assert_eq!(record.uri, format!("at://{}/app.bsky.feed.like/b", did()).as_str());
    assert_eq!(record.cid.as_ref().map(Cid::is_valid), Some(false));
    assert_eq!(record.value.as_json(), broken);
    assert_eq!(record.problem.path(), "subject");
    let text = error.to_string();
    assert!(text.contains("com.atproto.repo.listRecords") && text.contains(record.uri.as_str()), "{text}");
    assert!(text.contains("subject: expected an object, found a string"), "{text}");
    // The record as it is can still be used, and the error survives the loss of its type.
    assert_eq!(record.value.get("createdAt").unwrap(), "2026-01-02T03:04:05Z".into());
}

/// Servers accept records with a thousand levels, of anybody.
#[tokio::test]
async fn l10_a_record_that_is_nested_too_deep_costs_no_other_one() {
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let in_extra = fine().replacen('{', &format!(r#"{{"odd":{deep},"#), 1);
    let in_field =
        format!(r#"{{"$type":"app.bsky.feed.like","subject":{deep},"createdAt":"2026-01-02T03:04:05Z"}}"#);
    let records = [
        like("a", CID, &fine()),
        like("b", CID, &in_extra),
        like("c", CID, &in_field),
        like("d", CID, &fine()),
    ];
    let page = format!(r#"{{"records":[{}]}}"#, records.join(","));
    let transport = Scripted::new(move |_, _| Ok(json(page.clone())));
    let listed: Vec<_> = Records::<Like>::new(Caller::new(&transport), did()).list().collect().await;
    assert_eq!(listed.len(), 4);
    assert!(listed[0].is_ok() && listed[3].is_ok());
    let extra = &listed[1].as_ref().unwrap().value.extra;
    assert_eq!(extra.get("odd").unwrap().as_json(), deep);
    assert!(extra.get("odd").unwrap().to_value().unwrap_err().to_string().contains("nested deeper"));
    assert_eq!(listed[2].as_ref().unwrap_err().unreadable_record().unwrap().value.as_json(), in_field);
}

#[tokio::test]
async fn l10_the_error_of_a_single_record_has_the_record_too() {
    let answer = like("b", CID, r#"{"$type":"app.bsky.feed.post","text":"not a like"}"#);
    let transport = Scripted::new(move |_, _| Ok(json(answer.clone())));
    let likes = Records::<Like>::new(Caller::new(&transport), did());
    let error = likes.get(&RecordKey::new("b").unwrap()).await.unwrap_err().erase();
    assert!(matches!(&error, Error::Decode(DecodeError::Record { .. })), "{error}");
    let record = error.unreadable_record().unwrap();
    assert_eq!(record.value.type_name().as_deref(), Some("app.bsky.feed.post"));
    assert_eq!(record.cid, Some(CID.parse().unwrap()));
}

#[tokio::test]
async fn d5_a_page_with_broken_identifiers_arrives_and_what_is_broken_is_not_sent_back() {
    let page = format!(
        r#"{{"records":[{},{{"uri":"at://","cid":"","value":{}}}]}}"#,
        like("a", "", &fine()),
        fine()
    );
    let transport = Scripted::new(move |_, _| Ok(json(page.clone())));
    let params = list_records::Params::new(did(), "app.bsky.feed.like".parse().unwrap());
    let listed = ComAtprotoRepo::over(&transport).list_records(params).await.unwrap();
    assert_eq!(listed.records.len(), 2);
    let broken: &AtUri = &listed.records[1].uri;
    assert!(!broken.is_valid() && !listed.records[0].cid.is_valid());
    // The parts of a broken address are missing, and the CID of no record is a condition for a deletion.
    assert_eq!(broken.record_key(), None);
    let sent = transport.count();
    let input = delete_record::Input::new(did(), "app.bsky.feed.like".parse().unwrap(), "a".parse().unwrap());
    let input = input.swap_record(listed.records[0].cid.clone());
    let error = ComAtprotoRepo::over(&transport).delete_record(input).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest(InvalidRequest::Violations { .. })), "{error}");
    let params = get_record::Params::new(
        from_json::<Did>("\"did:plc:a/b\"").unwrap(),
        "a.b.c".parse().unwrap(),
        "r".parse().unwrap(),
    );
    let error = ComAtprotoRepo::over(&transport).get_record(params).await.unwrap_err();
    assert!(error.to_string().contains("`repo` `did:plc:a/b` is not a valid DID or handle"), "{error}");
    assert_eq!(transport.count(), sent);
}

#[tokio::test]
async fn x6_a_labeler_that_is_not_a_did_is_not_asked_for() {
    let transport = Scripted::new(|_, _| Ok(json("{}")));
    let broken: Did = from_json(r#""did:plc:abc, did:plc:def""#).unwrap();
    let params = list_records::Params::new(did(), "app.bsky.feed.like".parse().unwrap());
    let call =
        ComAtprotoRepo::over(&transport).list_records(params).labelers([Labeler::new(did()), broken.into()]);
    let error = call.await.unwrap_err();
    assert!(matches!(error, Error::InvalidRequest(InvalidRequest::Labeler { .. })), "{error}");
    assert_eq!(transport.count(), 0);
}
