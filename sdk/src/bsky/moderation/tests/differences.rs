//! Where decisions differ from those of the reference, and cases that it does not have.

use serde_json::json;

use super::{view, *};
use crate::{
    api::app::bsky::{embed::record::View, labeler::defs::LabelerViewDetailed},
    bsky::moderation::LabelDefinitions,
    types::{AtUri, Datetime},
};

const CID: &str = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";

fn did(text: &str) -> Did {
    Did::new(text).unwrap()
}

fn subscribed() -> Moderation {
    let mut moderation = Moderation::new();
    moderation.viewer = Some(did("did:web:me.test"));
    moderation.labelers.entry(did("did:web:labeler.test")).or_default();
    moderation
}

fn labelled(label: Value) -> ProfileViewBasic {
    let mut full = json!({"src": "did:web:labeler.test", "uri": "did:web:bob.test", "val": "!hide", "cts": "2026-01-02T03:04:05Z"});
    full.as_object_mut().unwrap().extend(label.as_object().unwrap().clone());
    view(&json!({"did": "did:web:bob.test", "handle": "bob.test", "labels": [full]}))
}

/// The reference counts them; the specification of labels says that they are not in force.
#[test]
fn labels_that_were_taken_back_or_have_expired_do_not_count() {
    let at = |time: &str| subscribed().at(Datetime::new(time).unwrap().to_system_time().unwrap());
    let moderation = at("2026-05-01T00:00:00Z");
    let counts = |label| !moderation.profile(&labelled(label)).causes.is_empty();
    assert!(counts(json!({})));
    assert!(counts(json!({"neg": false})));
    assert!(!counts(json!({"neg": true})));
    assert!(counts(json!({"exp": "2026-05-01T00:00:01Z"})));
    assert!(!counts(json!({"exp": "2026-04-30T23:59:59Z"})));
    assert!(counts(json!({"exp": "some day"})));
}

/// The reference finds an empty word in texts with two spaces.
#[test]
fn an_empty_muted_word_is_found_nowhere() {
    let mut moderation = subscribed();
    moderation.muted_words.push(MutedWord::new("", vec!["content".into(), "tag".into()]));
    for text in ["", " ", "a  b", "hello", "."] {
        assert!(moderation.muted_words_in(&Passage::new(text)).is_empty(), "{text:?}");
    }
    assert!(moderation.muted_words_in(&Passage::new("x").tags(&[String::new()])).is_empty());
}

#[test]
fn a_muted_word_ends_when_it_says() {
    let word = || {
        let mut word = MutedWord::new("cat", vec!["content".into()]);
        word.expires_at = Some(Datetime::new("2026-01-02T03:04:05Z").unwrap());
        word
    };
    let at = |time: &str| {
        let mut moderation = subscribed().at(Datetime::new(time).unwrap().to_system_time().unwrap());
        moderation.muted_words.push(word());
        moderation.muted_words_in(&Passage::new("a cat")).len()
    };
    assert_eq!((at("2026-01-02T03:04:04Z"), at("2026-01-02T03:04:06Z")), (1, 0));
}

fn post(record: Value) -> PostView {
    view(&json!({
        "uri": "at://did:web:bob.test/app.bsky.feed.post/3kabcdefgh22a", "cid": CID, "record": record,
        "author": {"did": "did:web:bob.test", "handle": "bob.test"}, "indexedAt": "2026-01-02T03:04:05Z",
    }))
}

#[test]
fn a_field_that_does_not_fit_hides_no_muted_word() {
    let mut moderation = subscribed();
    moderation.muted_words.push(MutedWord::new("spiders", vec!["content".into()]));
    let found = |record| !moderation.post(&post(record)).causes.is_empty();
    let of = "app.bsky.feed.post";
    assert!(found(json!({"$type": of, "text": "spiders", "createdAt": "2026-01-02T03:04:05Z"})));
    assert!(found(json!({"$type": of, "text": "spiders", "facets": "none"})));
    assert!(found(json!({"$type": of, "text": 5, "tags": ["spiders"]})));
    assert!(!found(json!({"$type": "com.example.note", "text": "spiders"})));
    assert!(!found(json!({"text": "spiders"})));
    assert!(!found(json!("spiders")));
}

/// In `post`, a quote only keeps the post out of lists. The quote itself is decided about like a post of its own.
#[test]
fn a_quote_is_decided_about_like_a_post() {
    let mut moderation = subscribed();
    moderation.adult_content = true;
    moderation.muted_words.push(MutedWord::new("spiders", vec!["content".into()]));
    let quote = |more: Value| -> View {
        let mut record = json!({
            "$type": "app.bsky.embed.record#viewRecord", "uri": "at://did:web:carla.test/app.bsky.feed.post/3kabcdefgh22a",
            "cid": CID, "author": {"did": "did:web:carla.test", "handle": "carla.test"}, "indexedAt": "2026-01-02T03:04:05Z",
            "value": {"$type": "app.bsky.feed.post", "text": "Hello", "createdAt": "2026-01-02T03:04:05Z"},
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        view(&json!({"record": record}))
    };
    let decided = |more| described(&moderation.quote(&quote(more)).unwrap());
    assert_eq!(decided(json!({})), json!({}));
    let label = json!({"src": "did:web:labeler.test", "val": "sexual", "cts": "2026-01-02T03:04:05Z",
        "uri": "at://did:web:carla.test/app.bsky.feed.post/3kabcdefgh22a"});
    assert_eq!(
        decided(json!({"labels": [label]})),
        json!({"contentMedia": {"blurs": ["label sexual content did:web:labeler.test"]}})
    );
    let said = json!({"$type": "app.bsky.feed.post", "text": "spiders", "createdAt": "2026-01-02T03:04:05Z"});
    assert_eq!(decided(json!({"value": said}))["contentView"], json!({"blurs": ["muted-word spiders"]}));
    moderation
        .hidden_posts
        .insert(AtUri::new("at://did:web:carla.test/app.bsky.feed.post/3kabcdefgh22a").unwrap());
    let hidden = described(&moderation.quote(&quote(json!({}))).unwrap());
    assert_eq!(hidden["contentView"], json!({"blurs": ["hidden"]}));

    let gone = json!({"record": {"$type": "app.bsky.embed.record#viewNotFound", "notFound": true,
        "uri": "at://did:web:carla.test/app.bsky.feed.post/3kabcdefgh22a"}});
    assert!(moderation.quote(&view(&gone)).is_none());
}

#[test]
fn definitions_of_a_labeler_are_replaced_as_a_whole() {
    let labeler = |labels: &[&str]| -> LabelerViewDetailed {
        let definitions: Vec<Value> = labels
            .iter()
            .map(|label| json!({"identifier": label, "severity": "alert", "blurs": "none", "locales": []}))
            .collect();
        view(&json!({
            "uri": "at://did:web:labeler.test/app.bsky.labeler.service/self", "cid": CID, "indexedAt": "2026-01-02T03:04:05Z",
            "creator": {"did": "did:web:labeler.test", "handle": "labeler.test"},
            "policies": {"labelValues": labels, "labelValueDefinitions": definitions},
        }))
    };
    let own = did("did:web:labeler.test");
    let mut definitions: LabelDefinitions = [&labeler(&["rude", "spoiler", "rude"])].into_iter().collect();
    assert_eq!(definitions.of(&own).len(), 2);
    definitions.insert_labeler(&labeler(&["rude"]));
    assert!(definitions.get(&own, "rude").is_some() && definitions.get(&own, "spoiler").is_none());
    assert!(definitions.get(&did("did:web:other.test"), "rude").is_none());
}

#[test]
fn strings_are_found_in_the_best_language() {
    let definition = |languages: &[&str]| {
        let locales: Vec<Value> =
            languages.iter().map(|lang| json!({"lang": lang, "name": lang, "description": ""})).collect();
        let published: LabelValueDefinition =
            view(&json!({"identifier": "x", "severity": "none", "blurs": "none", "locales": locales}));
        LabelDefinition::new(&published, did("did:web:labeler.test"))
    };
    let found = |offered: &[&str], wanted: &[&str]| {
        let wanted: Vec<Language> = wanted.iter().map(|tag| Language::new(tag).unwrap()).collect();
        definition(offered).strings(&wanted).map(|strings| strings.name.clone())
    };
    let all = ["de", "en", "pt-PT", "pt-BR", "zh-Hant-TW"];
    for (wanted, expected) in [
        (&["pt-BR"][..], "pt-BR"),
        (&["PT-br"], "pt-BR"),
        (&["pt"], "pt-PT"),
        (&["pt-AO"], "pt-PT"),
        (&["de-AT"], "de"),
        (&["zh"], "zh-Hant-TW"),
        (&["ja", "de"], "de"),
        (&["ja"], "en"),
        (&[], "en"),
    ] {
        assert_eq!(found(&all, wanted).as_deref(), Some(expected), "{wanted:?}");
    }
    assert_eq!(found(&["de", "fr"], &["ja"]).as_deref(), Some("de"));
    assert_eq!(found(&[], &["ja"]), None);
}

/// The reference leaves threadgates to the app.
#[test]
fn a_reply_that_the_author_of_the_thread_has_hidden_is_left_out_except_for_its_own_author() {
    let reply =
        post(json!({"$type": "app.bsky.feed.post", "text": "Hello", "createdAt": "2026-01-02T03:04:05Z"}));
    let threadgate = |hidden: Value| -> crate::api::app::bsky::feed::defs::ThreadgateView {
        view(&json!({"record": {"$type": "app.bsky.feed.threadgate", "hiddenReplies": hidden}}))
    };
    let moderation = subscribed();
    let hidden = threadgate(json!([reply.uri.as_str()]));
    assert_eq!(
        described(&moderation.reply(&reply, Some(&hidden))),
        json!({"contentList": {"filters": ["hidden-by-thread-author"]}, "contentView": {"informs": ["hidden-by-thread-author"]}})
    );
    for gate in [None, Some(&threadgate(json!([]))), Some(&threadgate(json!("none")))] {
        assert_eq!(described(&moderation.reply(&reply, gate)), json!({}));
    }
    let mut own = subscribed();
    own.viewer = Some(did("did:web:bob.test"));
    assert_eq!(described(&own.reply(&reply, Some(&hidden))), json!({}));
}
