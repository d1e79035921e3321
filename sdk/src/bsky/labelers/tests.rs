#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::bsky::transport_tests::{Answering, run};

const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";

fn view(did: &str, values: &[&str]) -> Value {
    json!({
        "$type": "app.bsky.labeler.defs#labelerViewDetailed",
        "uri": format!("at://{did}/app.bsky.labeler.service/self"), "cid": CID, "indexedAt": "2026-01-02T03:04:05Z",
        "creator": {"did": did, "handle": "labeler.test"},
        "policies": {"labelValues": values, "labelValueDefinitions": [
            {"identifier": "rude", "severity": "alert", "blurs": "none", "locales": [
                {"lang": "en", "name": "Rude", "description": "Not polite."}]},
            {"identifier": "never-used", "severity": "alert", "blurs": "none", "locales": []}]},
    })
}

#[test]
fn many_labelers_are_fetched_in_several_calls_and_each_once() {
    let requested = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = requested.clone();
    let client = Answering::new(move |nsid, query, _| {
        assert_eq!(nsid, "app.bsky.labeler.getServices");
        assert!(query.contains("detailed=true"), "{query}");
        let dids: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| name == "dids")
            .map(|(_, did)| did.into_owned())
            .collect();
        let mut views: Vec<Value> = dids.iter().map(|did| view(did, &["rude"])).collect();
        // One that this version does not know.
        views.push(json!({"$type": "app.bsky.labeler.defs#somethingNew"}));
        seen.lock().unwrap().push(dids.len());
        (200, json!({"views": views}))
    });
    let mut dids: Vec<Did> = (0..60).map(|n| Did::new(format!("did:web:l{n}.test")).unwrap()).collect();
    dids.extend(dids.clone());
    let found = run(fetch(&client, &dids)).unwrap();
    assert_eq!((found.len(), &*requested.lock().unwrap()), (60, &vec![25, 25, 10]));
    let definitions: LabelDefinitions = found.iter().collect();
    assert!(dids.iter().all(|did| definitions.get(did, "rude").is_some()));
}

#[test]
fn nothing_is_requested_without_labelers() {
    let client = Answering::new(|_, _, _| panic!("nothing is sent"));
    assert!(run(fetch(&client, &[])).unwrap().is_empty());
}

#[test]
fn choices_are_what_a_labeler_uses_and_viewers_can_change() {
    let labeler: LabelerViewDetailed =
        serde_json::from_value(view("did:web:l.test", &["!hide", "porn", "rude", "undefined", "rude"]))
            .unwrap();
    let choices = choices(&labeler);
    let names: Vec<&str> = choices.iter().map(|definition| &*definition.identifier).collect();
    assert_eq!(names, ["porn", "rude"]);
    assert_eq!(choices[1].strings(&[]).unwrap().name, "Rude");
}
