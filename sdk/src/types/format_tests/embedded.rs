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
    for bad in [
        json!({}),
        json!({"mimeType": "a/b"}),
        json!({"$type": "x", "ref": {"$link": cid}, "mimeType": "a/b", "size": 1}),
        json!({"ref": {"$link": cid}, "mimeType": "a/b"}),
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
fn d2_a_blob_with_a_size_that_is_negative_stays_as_it_is_and_is_refused() {
    let json = r#"{"$type":"blob","ref":{"$link":"bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"},"mimeType":"image/png","size":-1}"#;
    let blob: Blob = from_json(json).unwrap();
    assert_eq!((blob.size(), blob.to_json().unwrap().as_str()), (None, json));
    assert_eq!(blob.validate().unwrap_err().violations[0].to_string(), "`size` is -1, the minimum is 0");
}
