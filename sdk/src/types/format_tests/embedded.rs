//! Bytes, links and blobs (D2).

use serde_json::json;

use crate::{
    api::app::bsky::actor::profile::Profile,
    types::{Blob, Bytes, CidLink, Data as _, Unknown, ViolationKind, cid_of, from_cbor, from_json},
};

#[test]
fn d2_bytes_and_links() {
    let bytes: Bytes = serde_json::from_str(r#"{"$bytes":"AQIDBA=="}"#).unwrap();
    assert_eq!(bytes, serde_json::from_str::<Bytes>(r#"{"$bytes":"AQIDBA"}"#).unwrap());
    assert_eq!(
        (&*bytes, serde_json::to_string(&bytes).unwrap().as_str()),
        (&[1, 2, 3, 4][..], r#"{"$bytes":"AQIDBA"}"#)
    );
    let json = r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}"#;
    assert_eq!(serde_json::to_string(&serde_json::from_str::<CidLink>(json).unwrap()).unwrap(), json);
    for bad in [
        "{}",
        r#"{"$bytes":"AQIDBA"}"#,
        r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a","a":1}"#,
        "5",
        "\"bafy\"",
    ] {
        assert!(serde_json::from_str::<CidLink>(bad).is_err(), "{bad}");
    }
    for bad in
        ["{}", r#"{"$bytes":"A"}"#, r#"{"$bytes":"A==="}"#, r#"{"$bytes":"ä"}"#, r#"{"$bytes":5}"#, "[1]"]
    {
        assert!(serde_json::from_str::<Bytes>(bad).is_err(), "{bad}");
    }
}

#[test]
fn d2_blobs_in_use_and_legacy() {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    let json =
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/png", "size": 9, "new": {"a": 1}});
    let blob: Blob = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(
        (blob.cid().to_string().as_str(), blob.mime_type(), blob.size(), blob.extra().len()),
        (cid, "image/png", Some(9), 1)
    );
    assert_eq!(serde_json::to_value(&blob).unwrap(), json);
    // Beside a `ref`, `cid` is a field like any other.
    for extra in [json!(cid), json!("other"), json!(5), json!({"a": null})] {
        let json =
            json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/png", "size": 9, "cid": extra});
        let blob: Blob = serde_json::from_value(json.clone()).unwrap();
        assert_eq!((blob.cid().to_string().as_str(), blob.is_legacy(), blob.size()), (cid, false, Some(9)));
        assert_eq!(serde_json::to_value(&blob).unwrap(), json);
        let kept = Unknown::from_json(json.to_string()).unwrap();
        assert_eq!(blob.to_cbor().unwrap(), kept.to_cbor().unwrap());
        assert!(blob.validate().is_ok() && kept.to_value().unwrap().validate().is_ok());
    }
    for bad in [
        json!({}),
        json!({"mimeType": "a/b"}),
        json!({"$type": "x", "ref": {"$link": cid}, "mimeType": "a/b", "size": 1}),
        json!({"ref": {"$link": cid}, "mimeType": "a/b"}),
        json!({"cid": 5, "mimeType": "a/b"}),
        json!({"cid": cid, "mimeType": "a/b", "size": 1}),
    ] {
        assert!(serde_json::from_value::<Blob>(bad.clone()).is_err(), "{bad}");
    }
}

#[test]
fn d2_a_legacy_blob_is_written_as_it_was_read_and_refused_until_it_is_converted() {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    for json in [
        format!(r#"{{"cid":"{cid}","mimeType":"image/jpeg"}}"#),
        format!(r#"{{"mimeType":"image/jpeg","cid":"{cid}"}}"#),
        format!(r#"{{ "cid" : "{cid}",  "mimeType":"image\/jpeg" , "new":[1.0, null] }}"#),
    ] {
        let legacy: Blob = from_json(&json).unwrap();
        assert!(legacy.is_legacy());
        assert_eq!(
            (legacy.size(), legacy.mime_type(), legacy.cid().to_string()),
            (None, "image/jpeg", cid.into())
        );
        assert_eq!(legacy.to_json().unwrap(), json);
        // The same bytes, and so the same CID, as those of the data without a type.
        let cbor = legacy.to_cbor().unwrap();
        assert_eq!(cbor, Unknown::from_json(&json).unwrap().to_cbor().unwrap());
        let from_bytes: Blob = from_cbor(&cbor).unwrap();
        assert_eq!(from_bytes.to_cbor().unwrap(), cbor);
        assert_eq!(from_bytes, legacy);
        let through_serde = serde_json::to_value(&legacy).unwrap();
        assert_eq!(through_serde, serde_json::from_str::<serde_json::Value>(&json).unwrap());

        let found = legacy.validate().unwrap_err();
        assert_eq!(found.violations[0].kind, ViolationKind::LegacyBlob);
        let current = legacy.to_current(9);
        current.validate().unwrap();
        assert_eq!(
            (current.size(), current.mime_type(), current.cid()),
            (Some(9), "image/jpeg", legacy.cid())
        );
        assert_eq!((current.is_legacy(), current.extra()), (false, legacy.extra()));
        assert_eq!(from_json::<Blob>(current.to_json().unwrap()).unwrap(), current);
    }
    let record = format!(
        r#"{{"$type":"app.bsky.actor.profile","avatar":{{"cid":"{cid}","mimeType":"image/jpeg"}},"displayName":"a"}}"#
    );
    let profile: Profile = from_json(&record).unwrap();
    assert_eq!(cid_of(&profile).unwrap(), cid_of(&Unknown::from_json(&record).unwrap()).unwrap());
    assert_eq!(profile.validate().unwrap_err().violations[0].path, "avatar");
}

#[test]
fn d2_a_blob_without_a_type_is_written_as_it_was_read_and_refused_until_it_is_converted() {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    let json = format!(r#"{{"size":9,"ref":{{"$link":"{cid}"}},"mimeType":"image/png"}}"#);
    let blob: Blob = from_json(&json).unwrap();
    assert_eq!((blob.is_legacy(), blob.size(), blob.mime_type()), (false, Some(9), "image/png"));
    assert_eq!(blob.to_json().unwrap(), json);
    let cbor = Unknown::from_json(&json).unwrap().to_cbor().unwrap();
    assert_eq!(blob.to_cbor().unwrap(), cbor);
    assert_eq!(from_cbor::<Blob>(&cbor).unwrap().to_cbor().unwrap(), cbor);
    let error = blob.validate().unwrap_err().to_string();
    assert!(error.ends_with("`$type` is missing; `Blob::to_current` adds it"), "{error}");
    let current = blob.to_current(9);
    assert!(current.validate().is_ok() && current.to_json().unwrap().starts_with(r#"{"$type":"blob","#));
}

#[test]
fn d3_what_was_decoded_has_the_same_bytes_again() {
    let cid = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    for json in [
        r#"{"$type":"app.bsky.actor.profile"}"#.to_owned(),
        // Without a type, which other software has let through.
        "{}".to_owned(),
        r#"{"displayName":"a","new":[1,null]}"#.to_owned(),
        r#"{"displayName":null}"#.to_owned(),
        format!(r#"{{"avatar":{{"ref":{{"$link":"{cid}"}},"mimeType":"image/png","size":9}}}}"#),
        format!(
            r#"{{"avatar":{{"$type":"blob","ref":{{"$link":"{cid}"}},"mimeType":"image/png","size":9,"cid":1}}}}"#
        ),
        format!(r#"{{"$type":"app.bsky.actor.profile","avatar":{{"cid":"{cid}","mimeType":"image/png"}}}}"#),
        r#"{"labels":{"$type":"com.atproto.label.defs#selfLabels","values":[]}}"#.to_owned(),
        r#"{"labels":{"$type":"com.example.labels"},"pinnedPost":{"$type":"x","uri":"","cid":""}}"#
            .to_owned(),
    ] {
        let cbor = Unknown::from_json(&json).unwrap().to_cbor().unwrap();
        let profile: Profile = from_cbor(&cbor).unwrap();
        assert_eq!(profile.to_cbor().unwrap(), cbor, "{json}");
        assert_eq!(profile.clone().to_cbor().unwrap(), cbor, "{json}");
        // What is sent has the type in any case.
        assert!(profile.to_json().unwrap().starts_with(r#"{"$type":"app.bsky.actor.profile""#), "{json}");
        let sent: Profile = from_json(profile.to_json().unwrap()).unwrap();
        assert_eq!(sent, profile, "{json}");
    }
    // In JSON, which callers write by hand, the type of a record is understood.
    let by_hand: Profile = from_json(r#"{"displayName":"a"}"#).unwrap();
    assert_eq!(cid_of(&by_hand).unwrap(), cid_of(&Profile::new().display_name("a")).unwrap());
    // A field that is removed again leaves no trace, and the record still lacks its type.
    let cbor = Unknown::from_json(r#"{"displayName":"a","new":1}"#).unwrap().to_cbor().unwrap();
    let mut profile: Profile = from_cbor(&cbor).unwrap();
    assert!(profile.extra.remove("new").is_some() && profile.extra.is_empty());
    let expected = Unknown::from_json(r#"{"displayName":"a"}"#).unwrap().to_cbor().unwrap();
    assert_eq!(profile.to_cbor().unwrap(), expected);
}

#[test]
fn d2_a_blob_with_a_size_that_is_negative_stays_as_it_is_and_is_refused() {
    let json = r#"{"$type":"blob","ref":{"$link":"bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"},"mimeType":"image/png","size":-1}"#;
    let blob: Blob = from_json(json).unwrap();
    assert_eq!((blob.size(), blob.to_json().unwrap().as_str()), (None, json));
    assert_eq!(blob.validate().unwrap_err().violations[0].to_string(), "`size` is -1, the minimum is 0");
}
