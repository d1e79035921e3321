//! Bytes, links and blobs (D2).

use serde_json::json;

use crate::types::{Blob, Bytes, CidLink};

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
        r#"{"$link":"x"}"#,
        r#"{"$bytes":"AQIDBA"}"#,
        r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a","a":1}"#,
        "5",
        "\"bafy\"",
    ] {
        assert!(serde_json::from_str::<CidLink>(bad).is_err(), "{bad}");
    }
    for bad in ["{}", r#"{"$bytes":"A"}"#, r#"{"$bytes":"ä"}"#, r#"{"$bytes":5}"#, "[1]"] {
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
    // Read, and written in the form in use.
    let legacy: Blob = serde_json::from_value(json!({"cid": cid, "mimeType": "image/jpeg"})).unwrap();
    assert_eq!(legacy.size(), None);
    assert_eq!(
        serde_json::to_value(&legacy).unwrap(),
        json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "image/jpeg", "size": -1})
    );
    for bad in [
        json!({}),
        json!({"mimeType": "a/b"}),
        json!({"$type": "x", "ref": {"$link": cid}, "mimeType": "a/b", "size": 1}),
        json!({"ref": {"$link": cid}, "mimeType": "a/b"}),
    ] {
        assert!(serde_json::from_value::<Blob>(bad.clone()).is_err(), "{bad}");
    }
}
