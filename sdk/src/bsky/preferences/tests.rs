#![allow(clippy::unwrap_used)]

mod reference;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::{
    api::app::bsky::actor::defs::{
        FeedViewPref, LiveEventPreferences, MutedWord, MutedWordTarget, SavedFeed, SavedFeedType,
    },
    bsky::{
        moderation::LabelSetting,
        transport_tests::{Answering, run},
    },
    types::Unknown,
};

const POST: &str = "at://did:web:bob.test/app.bsky.feed.post/3kabcdefgh22a";
const FEED: &str = "at://did:web:bob.test/app.bsky.feed.generator/cats";
const LIST: &str = "at://did:web:bob.test/app.bsky.graph.list/3klist2222222";

fn of(items: Value) -> Preferences {
    Preferences::from(serde_json::from_value::<Vec<PreferencesItem>>(items).unwrap())
}

fn json_of(preferences: &Preferences) -> Value {
    serde_json::to_value(preferences.items()).unwrap()
}

fn did(text: &str) -> Did {
    Did::new(text).unwrap()
}

/// A server that keeps preferences: what it has, and how often it was read and written.
#[derive(Default)]
struct Kept {
    items: Vec<Value>,
    reads: usize,
    writes: usize,
}

fn server(items: Value) -> (Answering, Arc<Mutex<Kept>>) {
    let kept = Arc::new(Mutex::new(Kept { items: items.as_array().unwrap().clone(), ..Kept::default() }));
    let server = kept.clone();
    let transport = Answering::new(move |nsid, _, body| {
        let mut kept = server.lock().unwrap();
        match nsid {
            "app.bsky.actor.getPreferences" => {
                kept.reads += 1;
                (200, json!({"preferences": kept.items}))
            }
            "app.bsky.actor.putPreferences" => {
                kept.writes += 1;
                kept.items = body["preferences"].as_array().unwrap().clone();
                (200, json!({}))
            }
            other => panic!("{other}"),
        }
    });
    (transport, kept)
}

#[test]
fn what_is_not_known_is_written_back_as_it_was() {
    let unknown = json!([
        {"$type": "app.bsky.actor.defs#somethingNew", "value": {"deep": [1, 2]}},
        {"$type": "app.bsky.actor.defs#adultContentPref", "enabled": false, "since": "2020"},
        {"$type": "app.bsky.actor.defs#threadViewPref", "sort": "upside-down", "lab_tree": true},
        {"$type": "app.bsky.actor.defs#savedFeedsPrefV2", "items": [
            {"id": "1", "type": "orbit", "value": "x", "pinned": true, "color": "red"}]},
    ]);
    let (client, kept) = server(unknown.clone());
    run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap();
    let mut expected = unknown;
    expected[1]["enabled"] = true.into();
    assert_eq!(Value::from(kept.lock().unwrap().items.clone()), expected);

    run(update(&client, |preferences| preferences.save_feed("feed", FEED, false))).unwrap();
    let items = &kept.lock().unwrap().items;
    assert_eq!((&items[0], &items[2]), (&expected[0], &expected[2]));
    assert_eq!(items[3]["items"][0], expected[3]["items"][0]);
    assert_eq!(items[3]["items"][1]["value"], FEED);
}

#[test]
fn what_others_have_written_wrongly_is_written_back_and_what_is_added_is_checked() {
    let hidden = "app.bsky.actor.defs#hiddenPostsPref";
    let odd = json!([
        {"$type": hidden, "items": ["https://example.com/not/an/at-uri", POST]},
        {"$type": "app.bsky.actor.defs#labelersPref", "labelers": [{"did": "nobody"}]},
        {"$type": "app.bsky.actor.defs#interestsPref", "tags": ["x".repeat(700)], "updatedAt": "yesterday"},
        {"$type": "app.bsky.actor.defs#savedFeedsPref", "pinned": ["?"], "saved": []},
    ]);
    let (client, kept) = server(odd.clone());
    run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap();
    assert_eq!(kept.lock().unwrap().items[..4], odd.as_array().unwrap()[..]);
    // Also where it is next to what is changed.
    let other = "at://did:web:bob.test/app.bsky.feed.post/3kabcdefgh33b";
    run(update(&client, |preferences| preferences.hide_post(AtUri::new(other).unwrap()))).unwrap();
    run(update(&client, |preferences| preferences.subscribe_labeler(did("did:web:l.test")))).unwrap();
    assert_eq!(
        kept.lock().unwrap().items[0]["items"],
        json!(["https://example.com/not/an/at-uri", POST, other])
    );

    let writes = kept.lock().unwrap().writes;
    let long = || MutedWord::new("x".repeat(20_000), vec![]);
    let error = run(update(&client, |preferences| preferences.mute_word(long()))).unwrap_err();
    let PreferencesError::Write(error) = error else { panic!("{error:?}") };
    let Error::InvalidRequest(InvalidRequest::Violations { problem, .. }) = *error else {
        panic!("{error:?}")
    };
    let paths: Vec<&str> = problem.violations.iter().map(|violation| violation.path.as_str()).collect();
    assert!(!paths.is_empty() && paths.iter().all(|path| path.ends_with("items[0].value")), "{paths:?}");
    assert_eq!(kept.lock().unwrap().writes, writes);
}

/// What is no preference, and known kinds with fields of other types than their lexicon has.
fn of_other_types() -> Value {
    json!([
        "text", 7, null, true, [{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true}], {},
        {"enabled": true},
        {"$type": 3, "enabled": true},
        {"$type": "app.bsky.actor.defs#adultContentPref", "enabled": "yes", "deep": [1.5, {"a": null}]},
        {"$type": "app.bsky.actor.defs#adultContentPref"},
        {"$type": "app.bsky.actor.defs#mutedWordsPref", "items": [{"value": "cat", "targets": ["tag"]}, {"value": 5}]},
        {"$type": "app.bsky.actor.defs#labelersPref", "labelers": {"did": "did:web:l.test"}},
        {"$type": "app.bsky.actor.defs#hiddenPostsPref", "items": [POST, 4]},
        {"$type": "app.bsky.actor.defs#threadViewPref", "sort": ["newest"]},
    ])
}

#[test]
fn a_preference_of_another_type_costs_no_other_one_and_is_written_back_as_it_was() {
    let hidden = json!({"$type": "app.bsky.actor.defs#interestsPref", "tags": ["science"]});
    let mut items = of_other_types();
    items.as_array_mut().unwrap().insert(3, hidden);
    let (client, kept) = server(items.clone());

    let preferences = run(read(&client)).unwrap();
    assert_eq!(preferences.interests(), ["science"]);
    assert_eq!(json_of(&preferences), items, "each is kept in its place");
    let known = preferences.items().iter().filter(|item| !matches!(item, PreferencesItem::Other(_)));
    assert_eq!(known.count(), 1);
    // Nothing is read from what cannot be read.
    assert!(!preferences.adult_content() && preferences.muted_words().is_empty());
    assert!(preferences.hidden_posts().is_empty() && preferences.labelers().next().is_none());

    run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap();
    run(update(&client, |preferences| preferences.mute_word(MutedWord::new("dog", vec![])))).unwrap();
    let kept = kept.lock().unwrap();
    let (written, added) = kept.items.split_at(items.as_array().unwrap().len());
    assert_eq!(written, items.as_array().unwrap());
    assert_eq!(added[0], json!({"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true}));
    assert_eq!((added.len(), &added[1]["items"][0]["value"]), (2, &json!("dog")));
}

#[test]
fn an_answer_without_a_list_of_preferences_is_still_an_error() {
    for answer in [json!({}), json!({"preferences": null}), json!({"preferences": {}}), json!([]), json!("x")]
    {
        let client = Answering::new(move |nsid, _, _| {
            assert!(nsid.ends_with("getPreferences"), "nothing is written");
            (200, answer.clone())
        });
        let error = run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap_err();
        let PreferencesError::Read(error) = error else { panic!("{error:?}") };
        assert!(matches!(*error, Error::Decode(_)), "{error:?}");
        assert!(error.to_string().contains("app.bsky.actor.getPreferences"), "{error}");
    }
}

#[test]
fn fields_of_newer_apps_are_kept_when_something_is_changed() {
    let kind = |name: &str| format!("app.bsky.actor.defs#{name}");
    let before = json!([
        {"$type": kind("contentLabelPref"), "label": "porn", "visibility": "hide", "blur": 3},
        {"$type": kind("contentLabelPref"), "labelerDid": "did:web:l.test", "label": "rude", "visibility": "hide", "blur": 4},
        {"$type": kind("mutedWordsPref"), "items": [
            {"id": "1", "value": "cat", "targets": ["tag"], "actorTarget": "all", "regex": true, "color": "red"}], "sorted": true},
        {"$type": kind("feedViewPref"), "feed": "home", "hideReplies": true, "lab_merge": true},
        {"$type": kind("savedFeedsPref"), "pinned": [POST, FEED], "saved": [FEED, POST], "lab": 1},
    ]);
    let mut preferences = of(before.clone());
    preferences.set_label("porn", LabelSetting::Warn);
    preferences.set_label_of(&did("did:web:l.test"), "rude", LabelSetting::Ignore);
    let mut word = MutedWord::new("Cat", vec![MutedWordTarget::Content]);
    word.extra.insert("color", Unknown::from_serde(&"blue").unwrap());
    preferences.mute_word(word);
    preferences.set_feed_view(FeedViewPref::new("home").hide_reposts(true));
    preferences.save_feed("list", LIST, false);

    let mut expected = before;
    expected[0]["visibility"] = "warn".into();
    expected[1]["visibility"] = "ignore".into();
    expected[2]["items"] =
        json!([{"id": "1", "value": "Cat", "targets": ["content"], "regex": true, "color": "blue"}]);
    expected[3] =
        json!({"$type": kind("feedViewPref"), "feed": "home", "hideReposts": true, "lab_merge": true});
    expected[4] = json!({"$type": kind("savedFeedsPref"), "pinned": [FEED, POST], "saved": [FEED, LIST, POST], "lab": 1});
    for (index, expected) in expected.as_array().unwrap().iter().enumerate() {
        assert_eq!(json_of(&preferences)[index], *expected);
    }
}

#[test]
fn nothing_is_written_if_nothing_changes() {
    let (client, kept) = server(json!([{"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true}]));
    assert!(run(update(&client, |preferences| preferences.adult_content())).unwrap());
    run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap();
    let kept = kept.lock().unwrap();
    assert_eq!((kept.reads, kept.writes), (2, 0));
}

#[test]
fn what_the_server_derives_is_not_written() {
    for derived in [json!(true), json!("of another type than the lexicon has")] {
        let (client, kept) =
            server(json!([{"$type": "app.bsky.actor.defs#declaredAgePref", "isOverAge18": derived}]));
        run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap();
        let items = kept.lock().unwrap().items.clone();
        assert_eq!(items, [json!({"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true})]);
    }
}

/// Without turns, all of them read the same and the last one wins.
#[test]
fn changes_at_the_same_time_do_not_overwrite_each_other() {
    let (client, kept) = server(json!([]));
    let change = async |n: usize| {
        let word = MutedWord::new(format!("word{n}"), vec![MutedWordTarget::Content]);
        update(&client, |preferences| preferences.mute_word(word)).await.unwrap()
    };
    run(futures_util::future::join_all((0..20).map(change)));
    let kept = kept.lock().unwrap();
    assert_eq!(kept.items[0]["items"].as_array().unwrap().len(), 20);
    assert_eq!((kept.reads, kept.writes), (20, 20));
    assert_eq!(client.most_at_once(), 1);
}

#[test]
fn two_clients_of_an_account_take_turns_and_two_accounts_do_not() {
    let most = |accounts: [&str; 2]| {
        let under_way = Arc::new(Mutex::new((0_usize, 0_usize)));
        let clients = accounts.map(|account| {
            let under_way = under_way.clone();
            Answering::new(move |nsid, _, _| {
                let mut counts = under_way.lock().unwrap();
                match nsid {
                    "app.bsky.actor.getPreferences" => {
                        counts.0 += 1;
                        counts.1 = counts.1.max(counts.0);
                    }
                    _ => counts.0 -= 1,
                }
                (200, json!({"preferences": []}))
            })
            .of(Some(account))
        });
        let change = async |client: &Answering| {
            for _ in 0..5 {
                update(client, |preferences| preferences.set_adult_content(true)).await.unwrap();
            }
        };
        run(futures_util::future::join(change(&clients[0]), change(&clients[1])));
        under_way.lock().unwrap().1
    };
    assert_eq!(most(["did:web:turns.test", "did:web:turns.test"]), 1);
    assert_eq!(most(["did:web:turns.test", "did:web:other.test"]), 2);
}

#[test]
fn a_change_that_is_dropped_lets_the_next_one_go_on() {
    let (client, kept) = server(json!([]));
    run(async {
        // It is at the first call when it is dropped.
        tokio::select! {
            biased;
            changed = update(&client, |preferences| preferences.set_adult_content(true)) => panic!("{changed:?}"),
            () = std::future::ready(()) => {}
        }
        update(&client, |preferences| preferences.set_interests(["science"])).await.unwrap();
    });
    assert_eq!(kept.lock().unwrap().items.len(), 1);
}

#[test]
fn a_wait_for_other_changes_ends() {
    let client = Answering::new(|_, _, _| panic!("nothing is sent")).of(Some("did:web:busy.test"));
    run(async {
        let account = did("did:web:busy.test");
        let _turn = turn::of(Some(&account)).await.unwrap();
        let error = update(&client, |_| ()).await.unwrap_err();
        assert!(matches!(error, PreferencesError::Busy { .. }), "{error:?}");
    });
}

#[test]
fn errors_say_what_has_become_of_the_change() {
    for (failing, writes) in [("getPreferences", false), ("putPreferences", true)] {
        let client = Answering::new(move |nsid, _, _| match nsid.ends_with(failing) {
            true => (400, json!({"error": "InvalidRequest", "message": "no"})),
            false => (200, json!({"preferences": []})),
        });
        let error = run(update(&client, |preferences| preferences.set_adult_content(true))).unwrap_err();
        assert_eq!(matches!(error, PreferencesError::Write(_)), writes, "{error:?}");
        assert_eq!(matches!(error, PreferencesError::Read(_)), !writes, "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("no") && !error.to_string().contains(&source), "{error}: {source}");
    }
}

#[test]
fn of_several_of_a_kind_the_last_counts_and_the_others_go() {
    let kind = "app.bsky.actor.defs#liveEventPreferences";
    let mut preferences = of(json!([
        {"$type": kind, "hideAllFeeds": true},
        {"$type": "com.example#x"},
        {"$type": kind, "hideAllFeeds": false, "hiddenFeedIds": ["a"]},
    ]));
    assert_eq!(preferences.get::<LiveEventPreferences>().unwrap().hide_all_feeds, Some(false));
    preferences.edit(|live: &mut LiveEventPreferences| live.hide_all_feeds = Some(true));
    assert_eq!(
        json_of(&preferences),
        json!([{"$type": "com.example#x"}, {"$type": kind, "hideAllFeeds": true, "hiddenFeedIds": ["a"]}])
    );
}

/// What the reference client writes for the same calls.
#[test]
fn labels_with_an_older_name_are_set_under_both() {
    let kind = "app.bsky.actor.defs#contentLabelPref";
    let mut preferences = Preferences::new();
    preferences.set_label("porn", LabelSetting::Warn);
    preferences.set_label("graphic-media", LabelSetting::Hide);
    preferences.set_label_of(&did("did:web:l.test"), "rude", LabelSetting::Hide);
    assert_eq!(
        json_of(&preferences),
        json!([
            {"$type": kind, "label": "porn", "visibility": "warn"},
            {"$type": kind, "label": "nsfw", "visibility": "warn"},
            {"$type": kind, "label": "graphic-media", "visibility": "hide"},
            {"$type": kind, "label": "gore", "visibility": "hide"},
            {"$type": kind, "labelerDid": "did:web:l.test", "label": "rude", "visibility": "hide"},
        ])
    );
}

/// What the reference client makes of the same preferences.
#[test]
fn settings_for_moderation_are_those_of_the_reference() {
    let kind = "app.bsky.actor.defs#contentLabelPref";
    let preferences = of(json!([
        {"$type": kind, "label": "nsfw", "visibility": "show"},
        {"$type": kind, "label": "suggestive", "visibility": "hide"},
        {"$type": kind, "label": "gore", "visibility": "hide"},
        {"$type": kind, "label": "custom", "labelerDid": "did:web:l.test", "visibility": "warn"},
        {"$type": kind, "label": "odd", "visibility": "odd"},
        {"$type": "app.bsky.actor.defs#labelersPref", "labelers": [{"did": "did:web:l.test"}]},
        {"$type": kind, "label": "other", "labelerDid": "did:web:not.test", "visibility": "warn"},
        {"$type": kind, "label": "porn", "visibility": "hide"},
        {"$type": "app.bsky.actor.defs#adultContentPref", "enabled": true},
        {"$type": "app.bsky.actor.defs#adultContentPref", "enabled": false},
        {"$type": "app.bsky.actor.defs#mutedWordsPref", "items": [{"value": "a", "targets": ["content"]}]},
        {"$type": "app.bsky.actor.defs#mutedWordsPref", "items": [{"value": "b", "targets": ["content"]}]},
        {"$type": "app.bsky.actor.defs#hiddenPostsPref", "items": [POST]},
    ]));
    let moderation = preferences.moderation([crate::bsky::labelers::BLUESKY]);
    assert!(!moderation.adult_content);
    let settings = |labels: &[(&str, LabelSetting)]| -> std::collections::HashMap<String, LabelSetting> {
        labels.iter().map(|(label, setting)| ((*label).to_owned(), *setting)).collect()
    };
    use LabelSetting::{Hide, Ignore, Warn};
    assert_eq!(
        moderation.labels,
        settings(&[
            ("nsfw", Ignore),
            ("porn", Ignore),
            ("suggestive", Hide),
            ("sexual", Hide),
            ("gore", Hide),
            ("graphic-media", Hide)
        ])
    );
    assert_eq!(preferences.label("porn"), Some(Ignore));
    assert_eq!(moderation.labelers.len(), 2);
    assert_eq!(moderation.labelers[&did("did:web:l.test")], settings(&[("custom", Warn)]));
    assert_eq!(moderation.muted_words.iter().map(|word| word.value.as_str()).collect::<Vec<_>>(), ["b"]);
    assert!(moderation.hidden_posts.contains(&AtUri::new(POST).unwrap()));
}

#[test]
fn muted_words_are_stored_as_the_reference_stores_them() {
    for (typed, stored) in [
        ("  #Cat ", "Cat"),
        ("##cat", "#cat"),
        ("#️⃣", "#️⃣"),
        ("a\u{200b}b", "ab"),
        ("\u{ad}x", "x"),
        ("@cat", "@cat"),
        ("a\nb", "ab"),
        ("  a  b ", "a  b"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("cat\u{200d}", "cat"),
    ] {
        let mut preferences = Preferences::new();
        assert!(preferences.mute_word(MutedWord::new(typed, vec![])), "{typed:?}");
        assert_eq!(preferences.muted_words()[0].value, stored, "{typed:?}");
        assert!(preferences.unmute_word(typed), "{typed:?}");
    }
    for empty in ["", " ", "#", " # ", "\u{200b}\n"] {
        let mut preferences = Preferences::new();
        assert!(!preferences.mute_word(MutedWord::new(empty, vec![])), "{empty:?}");
        assert!(preferences.items().is_empty());
    }
}

#[test]
fn a_muted_word_keeps_its_identifier_when_it_is_changed() {
    let mut preferences = Preferences::new();
    preferences.mute_word(MutedWord::new("cat", vec![MutedWordTarget::Tag]));
    let id = preferences.muted_words()[0].id.clone();
    assert!(id.is_some());
    preferences.mute_word(MutedWord::new("CAT", vec![MutedWordTarget::Content]));
    preferences.mute_word(MutedWord::new("dog", vec![]));
    let words = preferences.muted_words();
    assert_eq!((words.len(), &words[0].id, words[0].value.as_str()), (2, &id, "CAT"));
    assert_ne!(words[1].id, id);
}

fn feeds(preferences: &Preferences) -> Vec<(SavedFeedType, String, bool)> {
    let parts = |feed: SavedFeed| (feed.r#type, feed.value, feed.pinned);
    preferences.saved_feeds().into_iter().map(parts).collect()
}

/// What the reference client makes of the older form.
#[test]
fn saved_feeds_of_the_older_form_are_converted_and_kept_in_step() {
    let older = "app.bsky.actor.defs#savedFeedsPref";
    let mut preferences =
        of(json!([{"$type": older, "pinned": [FEED], "saved": [FEED, LIST, POST], "timelineIndex": 0}]));
    let timeline = (SavedFeedType::Timeline, "following".to_owned(), true);
    let (feed, list) =
        ((SavedFeedType::Feed, FEED.to_owned(), true), (SavedFeedType::List, LIST.to_owned(), false));
    assert_eq!(feeds(&preferences), [timeline.clone(), feed.clone(), list]);

    preferences.save_feed("list", LIST, true);
    let list = (SavedFeedType::List, LIST.to_owned(), true);
    assert_eq!(feeds(&preferences), [timeline, feed, list]);
    let items = json_of(&preferences);
    assert_eq!(
        items[0],
        json!({"$type": older, "pinned": [FEED, LIST], "saved": [FEED, LIST, POST], "timelineIndex": 0})
    );
    assert_eq!(items[1]["$type"], "app.bsky.actor.defs#savedFeedsPrefV2");

    let id = preferences.saved_feeds()[1].id.clone();
    assert!(preferences.remove_saved_feed(&id) && !preferences.remove_saved_feed(&id));
    assert_eq!(json_of(&preferences)[0]["saved"], json!([LIST, POST]));
}

#[test]
fn a_saved_feed_of_the_older_form_is_found_by_the_identifier_that_was_shown() {
    let older =
        json!([{"$type": "app.bsky.actor.defs#savedFeedsPref", "pinned": [FEED], "saved": [FEED, LIST]}]);
    let ids = |preferences: &Preferences| {
        preferences.saved_feeds().into_iter().map(|feed| feed.id).collect::<Vec<_>>()
    };
    let shown = ids(&of(older.clone()));
    assert_eq!(shown.len(), 3);
    assert_eq!(shown.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    assert!(shown.iter().all(|id| crate::types::Tid::new(id).is_ok()), "other apps expect TIDs: {shown:?}");
    // Read again, by another process.
    let mut preferences = of(older);
    assert_eq!(ids(&preferences), shown);
    assert!(preferences.remove_saved_feed(&shown[1]));
    assert_eq!(ids(&preferences), [&*shown[0], &*shown[2]]);
    assert_eq!(ids(&Preferences::new()), ids(&Preferences::new()));
}

#[test]
fn pinned_feeds_come_first() {
    let mut preferences = Preferences::new();
    preferences.save_feed("feed", FEED, false);
    preferences.save_feed("list", LIST, true);
    let values = |preferences: &Preferences| {
        preferences.saved_feeds().into_iter().map(|feed| feed.value).collect::<Vec<_>>()
    };
    assert_eq!(values(&preferences), ["following", LIST, FEED]);
    // Saved once, however often.
    let id = preferences.save_feed("feed", FEED, true);
    assert_eq!(values(&preferences), ["following", LIST, FEED]);
    assert_eq!(preferences.saved_feeds()[2].id, id);
}

#[test]
fn feeds_are_shown_by_their_own_preference() {
    let mut preferences = Preferences::new();
    preferences.set_feed_view(FeedViewPref::new("home").hide_reposts(true));
    preferences.set_feed_view(FeedViewPref::new(FEED).hide_quote_posts(true));
    preferences.set_feed_view(FeedViewPref::new("home").hide_replies(true));
    assert_eq!(preferences.items().len(), 2);
    assert_eq!(preferences.feed_view("home").hide_reposts, None);
    assert_eq!(preferences.feed_view(FEED).hide_quote_posts, Some(true));
}

/// A repository with a profile, whose versions are counted.
fn profiles(first: Option<Value>, disturbed: usize) -> (Answering, Arc<Mutex<Option<Value>>>) {
    let version = |n: usize| crate::types::cid_of(&Unknown::from_serde(&n).unwrap()).unwrap().to_string();
    let stored = Arc::new(Mutex::new(first));
    let (kept, mut current, mut disturbances) = (stored.clone(), 0, disturbed);
    let client = Answering::new(move |nsid, _, body| {
        let mut stored = kept.lock().unwrap();
        let uri = "at://did:web:me.test/app.bsky.actor.profile/self";
        if nsid == "com.atproto.repo.getRecord" {
            return match &*stored {
                Some(profile) => (200, json!({"uri": uri, "cid": version(current), "value": profile})),
                None => (400, json!({"error": "RecordNotFound", "message": "none"})),
            };
        }
        if disturbances > 0 {
            // Somebody else writes right before.
            disturbances -= 1;
            current += 1;
            let profile = stored.get_or_insert_with(|| json!({"$type": "app.bsky.actor.profile"}));
            profile["pronouns"] = format!("changed {current}").into();
        }
        let expected = match &*stored {
            Some(_) => json!(version(current)),
            None => Value::Null,
        };
        if body.get("swapRecord") != Some(&expected) {
            return (400, json!({"error": "InvalidSwap", "message": "changed"}));
        }
        current += 1;
        *stored = Some(body["record"].clone());
        (200, json!({"uri": uri, "cid": version(current)}))
    });
    (client, stored)
}

#[test]
fn a_profile_is_changed_without_losing_what_others_write() {
    let before = json!({"$type": "app.bsky.actor.profile", "description": "old", "com.example.mood": "calm"});
    for (first, disturbed) in [(Some(before.clone()), 0), (Some(before), 3), (None, 0), (None, 1)] {
        let (client, stored) = profiles(first.clone(), disturbed);
        run(update_profile(&client, |profile| profile.description = Some("new".into()))).unwrap();
        let stored = stored.lock().unwrap().clone().unwrap();
        assert_eq!(stored["description"], "new");
        assert_eq!(
            stored.get("com.example.mood"),
            first.as_ref().and_then(|first| first.get("com.example.mood"))
        );
        let expected = (disturbed > 0).then(|| json!(format!("changed {disturbed}")));
        assert_eq!(stored.get("pronouns").cloned(), expected);
    }
}

#[test]
fn a_profile_that_others_change_all_the_time_is_given_up() {
    let (client, _) = profiles(None, usize::MAX);
    let error = run(update_profile(&client, |profile| profile.description = Some("new".into()))).unwrap_err();
    assert!(matches!(error, UpdateProfileError::Contended), "{error:?}");
    let nobody = Answering::new(|_, _, _| panic!("nothing is sent")).of(None);
    let error = run(update_profile(&nobody, |_| ())).unwrap_err();
    assert!(matches!(error, UpdateProfileError::NotSignedIn), "{error:?}");
}

#[test]
fn a_profile_that_stays_as_it_is_is_not_written() {
    let client = Answering::new(|nsid, _, _| match nsid {
        "com.atproto.repo.getRecord" => {
            let cid = "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq";
            let profile = json!({"$type": "app.bsky.actor.profile", "description": "same"});
            (
                200,
                json!({"uri": "at://did:web:me.test/app.bsky.actor.profile/self", "cid": cid, "value": profile}),
            )
        }
        other => panic!("{other}"),
    });
    run(update_profile(&client, |profile| profile.description = Some("same".into()))).unwrap();
}

#[test]
fn a_profile_whose_version_is_not_known_is_not_overwritten() {
    let client = Answering::new(|nsid, _, _| match nsid {
        "com.atproto.repo.getRecord" => {
            let uri = "at://did:web:me.test/app.bsky.actor.profile/self";
            (200, json!({"uri": uri, "value": {"$type": "app.bsky.actor.profile", "description": "old"}}))
        }
        other => panic!("{other}: changes of others would be lost"),
    });
    let error = run(update_profile(&client, |profile| profile.description = Some("new".into()))).unwrap_err();
    assert!(matches!(error, UpdateProfileError::NoVersion), "{error:?}");
    // Nothing can be lost if nothing changes.
    run(update_profile(&client, |profile| profile.description = Some("old".into()))).unwrap();
}
