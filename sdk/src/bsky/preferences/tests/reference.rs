//! Compared with the reference: what `@atproto/api` 0.21.0 and `@bsky/sdk` 1.1.4 read from the same preferences, and make of
//! them. `tests/reference/preferences/cases.mjs` writes the cases; where the packages differ, either result will do.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Preferences, did, json_of, of};
use crate::{
    api::app::bsky::actor::defs::{
        FeedViewPref, LiveEventPreferences, MutedWord, PersonalDetailsPref, SavedFeed, ThreadViewPref,
        VerificationPrefs,
    },
    bsky::moderation::{LabelDefinition, LabelSetting},
    types::AtUri,
};

type Map<T> = BTreeMap<String, T>;

#[derive(Deserialize)]
struct Cases {
    starts: Vec<(String, Value)>,
    /// What is read from each of the starts.
    readings: Map<Vec<Value>>,
    /// What is called, and with what.
    changes: Map<(String, Value)>,
    results: Vec<Outcome>,
    /// For each change, the results from each of the starts.
    expected: Map<Vec<Vec<usize>>>,
    /// Words as they are typed and as they are stored, if they are.
    typed: Vec<(String, Option<String>)>,
}

/// What a change has removed from the list of preferences and added to it.
#[derive(Debug, Clone, PartialEq, Deserialize, serde::Serialize)]
struct Outcome {
    removed: Vec<Value>,
    added: Vec<Value>,
}

/// Where the results are others.
#[derive(Deserialize)]
struct Differences {
    typed: Vec<OtherWord>,
    changes: Vec<OtherOutcome>,
}

#[derive(Deserialize)]
struct OtherWord {
    why: String,
    typed: String,
    ours: Option<String>,
}

#[derive(Deserialize)]
struct OtherOutcome {
    why: String,
    change: String,
    /// The result from each of these starts.
    ours: Map<Outcome>,
}

fn cases() -> Cases {
    serde_json::from_str(include_str!("reference.json")).unwrap()
}

fn differences() -> Differences {
    serde_json::from_str(include_str!("differences.json")).unwrap()
}

/// Without the defaults of the lexicon, new identifiers and the current time, as the cases are.
fn steady(value: &Value) -> Value {
    let defaults = json!({
        "hideRepliesByUnfollowed": true, "actorTarget": "all", "hideBadges": false, "hideAllFeeds": false,
    });
    let one = |(name, value): (&String, &Value)| match (name.as_str(), value) {
        (name, value) if defaults.get(name) == Some(value) => None,
        ("id", Value::String(id)) if crate::types::Tid::new(id).is_ok() => Some((name.clone(), "new".into())),
        ("updatedAt", Value::String(time)) if time.as_str() > "2026" => Some((name.clone(), "now".into())),
        (_, value) => Some((name.clone(), steady(value))),
    };
    match value {
        Value::Object(object) => object.iter().filter_map(one).collect::<serde_json::Map<_, _>>().into(),
        Value::Array(array) => array.iter().map(steady).collect(),
        other => other.clone(),
    }
}

/// What is not in the other list, in the order of its text.
fn without(list: &[Value], other: &[Value]) -> Vec<Value> {
    let mut left = list.to_vec();
    for one in other {
        if let Some(at) = left.iter().position(|left| left == one) {
            left.swap_remove(at);
        }
    }
    left.sort_by_key(Value::to_string);
    left
}

fn outcome(before: &Preferences, after: &Preferences) -> Outcome {
    let [before, after] = [before, after].map(|preferences| match steady(&json_of(preferences)) {
        Value::Array(items) => items,
        other => panic!("{other}"),
    });
    Outcome { removed: without(&before, &after), added: without(&after, &before) }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// Makes a change as an app would with these preferences.
fn change(preferences: &mut Preferences, name: &str, value: &Value) {
    let text = || value.as_str().unwrap();
    match name {
        "adultContent" => preferences.set_adult_content(value.as_bool().unwrap()),
        "label" => {
            let (label, setting) =
                (value["key"].as_str().unwrap(), setting(value["value"].as_str().unwrap()));
            match value["labelerDid"].as_str() {
                Some(labeler) => preferences.set_label_of(&did(labeler), label, setting),
                None => preferences.set_label(label, setting),
            }
        }
        "addLabeler" => drop(preferences.subscribe_labeler(did(text()))),
        "removeLabeler" => drop(preferences.unsubscribe_labeler(&did(text()))),
        "addWord" => drop(preferences.mute_word(parsed::<MutedWord>(value))),
        // Of a word that was shown to the viewer.
        "updateWord" if shown(preferences, value).is_some() => drop(preferences.mute_word(parsed(value))),
        "removeWord" => drop(shown(preferences, value).map(|word| preferences.unmute_word(&word.value))),
        "updateWord" => {}
        "hidePost" => drop(preferences.hide_post(AtUri::new(text()).unwrap())),
        "unhidePost" => drop(preferences.unhide_post(&AtUri::new(text()).unwrap())),
        "interests" => preferences.set_interests(parsed::<Vec<String>>(&value["tags"])),
        "feedView" => {
            let mut view =
                serde_json::to_value(preferences.feed_view(value["feed"].as_str().unwrap())).unwrap();
            view.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            preferences.set_feed_view(parsed::<FeedViewPref>(&view));
        }
        "threadView" => {
            let sort = value["sort"].as_str().unwrap();
            preferences.edit(|view: &mut ThreadViewPref| view.sort = Some(sort.into()));
        }
        "addFeed" => {
            let feed = |name: &str| value[name].as_str().unwrap();
            preferences.save_feed(feed("type"), feed("value"), value["pinned"].as_bool().unwrap());
        }
        "updateFeed" => preferences.edit_saved_feeds(|feeds| {
            let updated: SavedFeed = parsed(value);
            feeds
                .iter_mut()
                .filter(|feed| feed.id == updated.id)
                .for_each(|feed| feed.pinned = updated.pinned);
        }),
        "removeFeed" => drop(preferences.remove_saved_feed(text())),
        "replaceFeeds" => preferences.edit_saved_feeds(|feeds| *feeds = parsed(value)),
        "verification" => preferences.edit(|settings: &mut VerificationPrefs| {
            settings.hide_badges = value["hideBadges"].as_bool();
        }),
        "birthDate" => {
            preferences.edit(|details: &mut PersonalDetailsPref| details.birth_date = parsed(value))
        }
        "hideLiveEvent" => preferences.edit(|events: &mut LiveEventPreferences| {
            events.hidden_feed_ids.get_or_insert_default().push(text().to_owned());
        }),
        other => panic!("{other}"),
    }
}

/// The muted word that the reference would take for this one.
fn shown(preferences: &Preferences, word: &Value) -> Option<MutedWord> {
    let is_it = |known: &&MutedWord| match known.id.as_deref() {
        None | Some("") => word["value"] == *known.value,
        Some(id) => word["id"] == *id,
    };
    preferences.muted_words().iter().find(is_it).cloned()
}

fn setting(name: &str) -> LabelSetting {
    LabelSetting::of(&name.into()).unwrap()
}

fn name(setting: LabelSetting) -> String {
    crate::api::app::bsky::actor::defs::ContentLabelPrefVisibility::from(setting).to_string()
}

#[test]
fn changes_result_in_what_the_reference_writes() {
    let cases = cases();
    let mut differences = differences().changes;
    assert!(differences.iter().all(|difference| !difference.why.is_empty()));
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (how, expected) in &cases.expected {
        let (called, value) = &cases.changes[how];
        assert_eq!(expected.len(), cases.starts.len());
        for ((from, start), expected) in cases.starts.iter().zip(expected) {
            let before = of(start.clone());
            let mut after = before.clone();
            change(&mut after, called, value);
            let found = outcome(&before, &after);
            let reference: Vec<&Outcome> = expected.iter().map(|result| &cases.results[*result]).collect();
            let listed = differences.iter_mut().filter(|difference| difference.change == *how);
            let listed = listed.filter_map(|difference| difference.ours.remove(from)).next();
            let is_expected = match &listed {
                Some(ours) => *ours == found && !reference.contains(&ours),
                None => reference.contains(&&found),
            };
            if !is_expected {
                wrong.push(json!({"change": how, "start": from, "found": found, "reference": reference, "listed": listed}));
            }
            compared += 1;
        }
    }
    assert!(compared >= 650, "{compared}");
    let wrong: Vec<String> = wrong.iter().map(Value::to_string).collect();
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
    let unused: Vec<_> = differences.iter().filter(|difference| !difference.ours.is_empty()).collect();
    assert!(unused.is_empty(), "{:?}", unused.iter().map(|it| (&it.change, &it.ours)).collect::<Vec<_>>());
}

/// What is read from preferences, in the form of the cases. It is read of the same labels and feeds.
fn reading(preferences: &Preferences, like: &Value) -> Value {
    let moderation = preferences.moderation([]);
    let label = |label: &String| {
        let default = || LabelDefinition::global(label).map(|definition| definition.default_setting);
        (label.clone(), moderation.labels.get(label).copied().or_else(default).map(name))
    };
    let labels: Map<_> = like["labels"].as_object().unwrap().keys().map(label).collect();
    let labelers: Map<Map<String>> = moderation
        .labelers
        .iter()
        .map(|(did, settings)| {
            (
                did.to_string(),
                settings.iter().map(|(label, setting)| (label.clone(), name(*setting))).collect(),
            )
        })
        .collect();
    let view = |feed: &String| {
        let Ok(Value::Object(mut view)) = serde_json::to_value(preferences.feed_view(feed)) else {
            panic!("{feed}")
        };
        view.remove("feed");
        view.remove("$type");
        for name in ["hideReplies", "hideReposts", "hideQuotePosts"] {
            view.entry(name).or_insert(false.into());
        }
        view.entry("hideRepliesByLikeCount").or_insert(0.into());
        (feed.clone(), view)
    };
    let views: Map<_> = like["feedViews"].as_object().unwrap().keys().map(view).collect();
    let events = preferences.get::<LiveEventPreferences>().cloned().unwrap_or_default();
    let verification = preferences.get::<VerificationPrefs>();
    let mut found = json!({
        "adultContent": moderation.adult_content,
        "labels": labels,
        "labelers": labelers,
        "mutedWords": moderation.muted_words,
        "hiddenPosts": preferences.hidden_posts(),
        "savedFeeds": preferences.saved_feeds(),
        "feedViews": views,
        "sort": preferences.thread_view().sort.map_or("hotness".to_owned(), |sort| sort.to_string()),
        "interests": preferences.interests(),
        "hideBadges": verification.is_some_and(VerificationPrefs::hide_badges_or_default),
        "liveEvents": {
            "hiddenFeedIds": events.hidden_feed_ids.clone().unwrap_or_default(),
            "hideAllFeeds": events.hide_all_feeds_or_default(),
        },
    });
    if let Some(date) =
        preferences.get::<PersonalDetailsPref>().and_then(|details| details.birth_date.clone())
    {
        found["birthDate"] = date.as_str().into();
    }
    steady(&found)
}

#[test]
fn words_are_stored_as_the_reference_stores_them() {
    let cases = cases();
    let mut differences = differences().typed;
    for (typed, reference) in &cases.typed {
        let mut preferences = Preferences::new();
        let is_stored = preferences.mute_word(MutedWord::new(typed, vec!["content".into()]));
        let found = preferences.muted_words().first().map(|word| word.value.clone());
        assert_eq!(is_stored, found.is_some(), "{typed:?}");
        match differences.iter().position(|difference| difference.typed == *typed) {
            Some(at) => {
                let difference = differences.swap_remove(at);
                assert!(!difference.why.is_empty() && difference.ours != *reference, "{typed:?}");
                assert_eq!(found, difference.ours, "{typed:?}");
            }
            None => assert_eq!(found, *reference, "{typed:?}"),
        }
    }
    assert!(cases.typed.len() >= 35 && differences.is_empty());
}

#[test]
fn preferences_are_read_as_the_reference_reads_them() {
    let cases = cases();
    assert!(cases.readings.len() >= 14);
    for (name, start) in &cases.starts {
        let reference: Vec<Value> = cases.readings[name].iter().map(steady).collect();
        let found = reading(&of(start.clone()), &reference[0]);
        assert!(reference.contains(&found), "{name}:\n{found}\n{}", reference[0]);
    }
}
