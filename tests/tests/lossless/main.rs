//! Whatever a record holds, its generated type gives it back: documents made at random from the lexicons, with fields
//! that no lexicon names at every depth, go through every record type and compare by their canonical bytes.
#![allow(clippy::unwrap_used)]

#[path = "../documents/mod.rs"]
mod documents;

use std::{collections::BTreeSet, fmt::Debug};

use atproto_sdk::{
    api::{
        app::bsky,
        chat,
        com::{atproto, germnetwork},
        network,
        site::standard,
        tools,
    },
    types::{Data, FromData, Reader, Record, Unknown, Value, from_cbor, from_json},
    xrpc::{Message as _, Subscription},
};
use documents::{Breaker, Choices, Examples, Expected, Lexicons, Random, Systematic};

const DOCUMENTS_PER_TYPE: u64 = 300;

/// A value of a definition.
fn example(lexicons: &Lexicons, id: &str, choices: impl Choices) -> Value {
    from_json(Examples::new(lexicons, choices).definition(id).to_string()).unwrap()
}

/// Calls a function for every record type.
macro_rules! for_every_record {
    ($call:ident, $($argument:expr),*) => {
        for_every_record! { @ $call, ($($argument),*), [
            bsky::actor::content_visibility_declaration::ContentVisibilityDeclaration,
            bsky::actor::profile::Profile, bsky::actor::status::Status,
            bsky::graph::referencelistoptout::Referencelistoptout, germnetwork::declaration::Declaration,
            bsky::feed::generator::Generator, bsky::feed::like::Like, bsky::feed::post::Post,
            bsky::feed::postgate::Postgate, bsky::feed::repost::Repost, bsky::feed::threadgate::Threadgate,
            bsky::graph::block::Block, bsky::graph::follow::Follow, bsky::graph::list::List,
            bsky::graph::listblock::Listblock, bsky::graph::listitem::Listitem,
            bsky::graph::starterpack::Starterpack, bsky::graph::verification::Verification,
            bsky::labeler::service::Service, bsky::notification::declaration::Declaration,
            chat::bsky::actor::declaration::Declaration, atproto::lexicon::schema::Schema,
            standard::document::Document, standard::graph::recommend::Recommend,
            standard::graph::subscription::Subscription, standard::publication::Publication,
            standard::theme::basic::Basic,
        ] }
    };
    (@ $call:ident, $arguments:tt, [$($record:ty),* $(,)?]) => {
        [$((<$record as Record>::COLLECTION, for_every_record! { @@ $call, $record, $arguments })),*]
    };
    (@@ $call:ident, $record:ty, ($($argument:expr),*)) => { $call::<$record>($($argument),*) };
}

/// JSON with the fields of every object in an order of its own.
fn shuffled_json(value: &Value, random: &mut Random) -> String {
    match value {
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(|item| shuffled_json(item, random)).collect();
            format!("[{}]", items.join(if random.chance(20) { " ,\n" } else { "," }))
        }
        Value::Map(map) => {
            let mut entries: Vec<String> = map
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}:{}",
                        Value::from(key.as_str()).to_json().unwrap(),
                        shuffled_json(value, random)
                    )
                })
                .collect();
            for at in (1..entries.len()).rev() {
                entries.swap(at, random.below(at as u64 + 1) as usize);
            }
            format!("{{{}}}", entries.join(","))
        }
        other => other.to_json().unwrap(),
    }
}

/// Nothing lost, nothing changed, whichever way it goes.
fn goes_through<T: Data + FromData + PartialEq + Debug>(
    document: &Value,
    is_valid: bool,
    random: &mut Random,
) {
    let json = shuffled_json(document, random);
    let typed: T = from_json(&json).unwrap_or_else(|error| panic!("{error}\n{json}"));
    let canonical = document.to_cbor().unwrap();
    assert_eq!(typed.to_cbor().unwrap(), canonical, "JSON to DAG-CBOR\n{json}\n{typed:?}");
    let written = typed.to_json().unwrap();
    assert_eq!(&from_json::<Value>(&written).unwrap(), document, "JSON to JSON\n{json}\n{written}");

    let from_bytes: T = from_cbor(&canonical).unwrap_or_else(|error| panic!("{error}\n{json}"));
    assert_eq!(from_bytes, typed, "both formats give the same\n{json}");
    assert_eq!(from_bytes.to_cbor().unwrap(), canonical, "DAG-CBOR to DAG-CBOR\n{json}");
    let written = from_bytes.to_json().unwrap();
    assert_eq!(&from_json::<Value>(&written).unwrap(), document, "DAG-CBOR to JSON\n{json}");

    if is_valid {
        typed.validate().unwrap_or_else(|violations| panic!("{violations}\n{json}"));
    }
}

fn record_goes_through<T: Record + PartialEq + Debug>(lexicons: &Lexicons) {
    for seed in 0..DOCUMENTS_PER_TYPE {
        // Every tenth has things in it that are common and not valid.
        let is_valid = seed % 10 != 0;
        let random = if is_valid { Random::new(seed) } else { Random::new(seed).with_invalid() };
        let document = example(lexicons, T::COLLECTION, random);
        goes_through::<T>(&document, is_valid, &mut Random::new(seed));
    }
}

#[test]
fn l10_every_record_type_gives_back_what_it_was_given() {
    let lexicons = Lexicons::load();
    let tried = for_every_record!(record_goes_through, &lexicons);
    let tried: BTreeSet<&str> = tried.iter().map(|(nsid, ())| *nsid).collect();
    assert_eq!(tried, lexicons.records(), "the list of record types is complete");
}

#[test]
fn l10_views_give_back_what_they_were_given() {
    fn try_view<T: Data + FromData + PartialEq + Debug>(lexicons: &Lexicons, id: &str) {
        for seed in 0..DOCUMENTS_PER_TYPE {
            let document = example(lexicons, id, Random::new(seed));
            goes_through::<T>(&document, true, &mut Random::new(seed));
        }
    }
    let lexicons = Lexicons::load();
    try_view::<bsky::feed::defs::PostView>(&lexicons, "app.bsky.feed.defs#postView");
    try_view::<bsky::feed::defs::FeedViewPost>(&lexicons, "app.bsky.feed.defs#feedViewPost");
    try_view::<bsky::feed::defs::ThreadViewPost>(&lexicons, "app.bsky.feed.defs#threadViewPost");
    try_view::<bsky::actor::defs::ProfileViewDetailed>(&lexicons, "app.bsky.actor.defs#profileViewDetailed");
    try_view::<bsky::graph::defs::StarterPackView>(&lexicons, "app.bsky.graph.defs#starterPackView");
    try_view::<chat::bsky::convo::defs::ConvoView>(&lexicons, "chat.bsky.convo.defs#convoView");
    let event = "tools.ozone.moderation.defs#modEventView";
    try_view::<tools::ozone::moderation::defs::ModEventView>(&lexicons, event);
    try_view::<atproto::sync::subscribe_repos::Commit>(&lexicons, "com.atproto.sync.subscribeRepos#commit");
}

/// Every message of a subscription, as frames have it: without `$type`, which is in the header.
fn messages_go_through<S: Subscription>(lexicons: &Lexicons) -> &'static str
where
    S::Message: PartialEq,
{
    for reference in &lexicons.messages()[S::NSID] {
        let whole = if reference.starts_with('#') {
            format!("{}{reference}", S::NSID)
        } else {
            (*reference).to_owned()
        };
        for seed in 0..DOCUMENTS_PER_TYPE {
            let payload = example(lexicons, &whole, Random::new(seed));
            let tag = if seed % 2 == 0 { reference } else { whole.as_str() };
            let json = shuffled_json(&payload, &mut Random::new(seed));
            let message = S::Message::read_payload(tag, &mut Reader::json(&json)).unwrap();
            let cbor = payload.to_cbor().unwrap();
            let from_bytes = S::Message::read_payload(tag, &mut Reader::cbor(&cbor)).unwrap();
            assert_eq!(message, from_bytes, "both formats give the same\n{json}");

            let text = |key: &str| payload.get(key).and_then(Value::as_str).map(str::to_owned);
            assert_eq!(message.seq(), payload.get("seq").and_then(Value::as_i64), "{json}");
            assert_eq!(message.time().map(|it| it.as_str().to_owned()), text("time"), "{json}");
            let account = message.account().map(|it| it.as_str().to_owned());
            assert_eq!(account, text("did").or_else(|| text("repo")), "{json}");

            let Value::Map(mut whole_message) = payload else { panic!("a message is a map") };
            whole_message.insert("$type".to_owned(), Value::from(whole.as_str()));
            let whole_message = Value::Map(whole_message);
            goes_through::<S::Message>(&whole_message, true, &mut Random::new(seed));
            assert_eq!(message.to_cbor().unwrap(), whole_message.to_cbor().unwrap(), "{json}");
        }
        // It has a variant: what is kept as it is would have no required fields.
        let error = S::Message::read_payload(reference, &mut Reader::json("{}")).unwrap_err();
        assert!(error.to_string().contains(&whole), "{error}");
    }
    S::NSID
}

#[test]
fn e1_every_message_is_read_by_the_type_in_its_header() {
    let lexicons = Lexicons::load();
    let tried = [
        messages_go_through::<atproto::label::subscribe_labels::SubscribeLabels>(&lexicons),
        messages_go_through::<atproto::sync::subscribe_repos::SubscribeRepos>(&lexicons),
        messages_go_through::<chat::bsky::moderation::subscribe_mod_events::SubscribeModEvents>(&lexicons),
        messages_go_through::<network::bsky::jetstream::subscribe_events::SubscribeEvents>(&lexicons),
    ];
    let all: BTreeSet<&str> = lexicons.messages().into_keys().collect();
    assert_eq!(BTreeSet::from(tried), all, "the list of subscriptions is complete");
}

#[test]
fn l10_one_field_changes_and_the_others_stay() {
    let lexicons = Lexicons::load();
    for seed in 0..DOCUMENTS_PER_TYPE {
        let document = example(&lexicons, "app.bsky.feed.post", Random::new(seed));
        let mut post: bsky::feed::post::Post = from_json(document.to_json().unwrap()).unwrap();
        post.text = "changed".to_owned();
        post.langs = Some(vec!["de".parse().unwrap()]);
        let Value::Map(mut expected) = document else { panic!("a record is a map") };
        expected.insert("text".to_owned(), Value::from("changed"));
        expected.insert("langs".to_owned(), Value::List(vec![Value::from("de")]));
        assert_eq!(post.to_cbor().unwrap(), Value::Map(expected).to_cbor().unwrap());
    }
}

#[test]
fn unknown_values_are_equal_by_what_they_mean() {
    let lexicons = Lexicons::load();
    for seed in 0..DOCUMENTS_PER_TYPE {
        let mut random = Random::new(seed);
        let document = example(&lexicons, "app.bsky.feed.post", Random::new(seed));
        let json = Unknown::from_json(shuffled_json(&document, &mut random)).unwrap();
        let cbor = Unknown::from_cbor(&document.to_cbor().unwrap()).unwrap();
        assert_eq!(json, cbor);
        assert_eq!(json.type_name().as_deref(), Some("app.bsky.feed.post"));
        assert_eq!(cbor.type_name(), json.type_name());
        assert_eq!((json.get("text"), json.get("embed.$type")), (cbor.get("text"), cbor.get("embed.$type")));
        assert_eq!(json.to_value().unwrap(), document);
    }
}

/// Breaks every constraint of a record, one after another.
fn violations_are_found<T: Record>(lexicons: &Lexicons) -> usize {
    let target = lexicons.resolve(T::COLLECTION, T::COLLECTION);
    let (mut breaker, mut found) = (Breaker::new(lexicons), 0);
    let mut examples = Examples::new(lexicons, Systematic::every());
    examples.choices.begin();
    for count in 1.. {
        let record = examples.definition(T::COLLECTION);
        for broken in breaker.of(target.schema, target.nsid, &record) {
            let what = format!("{}, {} of `{}`", T::COLLECTION, broken.rule.1, broken.path);
            let typed = from_json::<T>(broken.value.to_string());
            match (&broken.expected, typed) {
                (Expected::Prevented, Err(_)) => {}
                (Expected::Refused(wrong), Ok(typed)) => {
                    broken.assert_found(wrong, &typed.validate().expect_err(&what), &what);
                }
                (expected, typed) => panic!("{what}: {:?}, expected {expected:?}", typed.err()),
            }
            found += 1;
        }
        if examples.choices.are_enough(count) {
            break;
        }
    }
    found
}

#[test]
fn l4_l5_a_broken_constraint_is_reported_with_its_path() {
    let lexicons = Lexicons::load();
    let found = for_every_record!(violations_are_found, &lexicons);
    let all: usize = found.iter().map(|(_, found)| found).sum();
    assert!(all >= 100, "there are more constraints in the lexicons than {all}");
}
