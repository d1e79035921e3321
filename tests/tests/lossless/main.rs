//! Whatever a record holds, its generated type gives it back: documents made at random from the lexicons, with fields
//! that no lexicon names at every depth, go through every record type and compare by their canonical bytes.
#![allow(clippy::unwrap_used)]

mod documents;

use std::{collections::BTreeSet, fmt::Debug, path::Path};

use atproto_sdk::{
    api::{
        app::bsky,
        chat,
        com::{atproto, germnetwork},
        site::standard,
        tools,
    },
    types::{Data, FromData, Record, Unknown, Value, from_cbor, from_json},
};
use atproto_sdk_codegen::{
    catalog::Catalog,
    document::{DefId, Definition, Object, Type},
};
use documents::{Documents, Random};

const DOCUMENTS_PER_TYPE: u64 = 300;

fn catalog() -> Catalog {
    let lexicons = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lexicons");
    Catalog::load(&lexicons).unwrap()
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

fn record_goes_through<T: Record + PartialEq + Debug>(catalog: &Catalog) {
    let id = DefId { nsid: T::COLLECTION.to_owned(), name: "main".to_owned() };
    for seed in 0..DOCUMENTS_PER_TYPE {
        let mut random = Random::new(seed);
        // Every tenth has things in it that are common and not valid.
        let is_valid = seed % 10 != 0;
        let document = Documents { catalog, random: &mut random, is_valid }.record(&id);
        goes_through::<T>(&document, is_valid, &mut Random::new(seed));
    }
}

#[test]
fn l10_every_record_type_gives_back_what_it_was_given() {
    let catalog = catalog();
    let tried = for_every_record!(record_goes_through, &catalog);
    let tried: BTreeSet<&str> = tried.iter().map(|(nsid, ())| *nsid).collect();
    let is_record = |nsid: &&str| {
        let document = catalog.document(nsid).unwrap();
        matches!(document.defs.get("main"), Some(Definition::Record(_)))
    };
    let all: BTreeSet<&str> =
        catalog.documents().map(|document| document.id.as_str()).filter(is_record).collect();
    assert_eq!(tried, all, "the list of record types is complete");
}

#[test]
fn l10_views_give_back_what_they_were_given() {
    fn try_view<T: Data + FromData + PartialEq + Debug>(catalog: &Catalog, id: &str) {
        let (nsid, name) = id.split_once('#').unwrap();
        let id = DefId { nsid: nsid.to_owned(), name: name.to_owned() };
        for seed in 0..DOCUMENTS_PER_TYPE {
            let mut random = Random::new(seed);
            let document = Documents { catalog, random: &mut random, is_valid: true }.definition(&id);
            goes_through::<T>(&document, true, &mut Random::new(seed));
        }
    }
    let catalog = catalog();
    try_view::<bsky::feed::defs::PostView>(&catalog, "app.bsky.feed.defs#postView");
    try_view::<bsky::feed::defs::FeedViewPost>(&catalog, "app.bsky.feed.defs#feedViewPost");
    try_view::<bsky::feed::defs::ThreadViewPost>(&catalog, "app.bsky.feed.defs#threadViewPost");
    try_view::<bsky::actor::defs::ProfileViewDetailed>(&catalog, "app.bsky.actor.defs#profileViewDetailed");
    try_view::<bsky::graph::defs::StarterPackView>(&catalog, "app.bsky.graph.defs#starterPackView");
    try_view::<chat::bsky::convo::defs::ConvoView>(&catalog, "chat.bsky.convo.defs#convoView");
    try_view::<tools::ozone::moderation::defs::ModEventView>(
        &catalog,
        "tools.ozone.moderation.defs#modEventView",
    );
    try_view::<atproto::sync::subscribe_repos::Commit>(&catalog, "com.atproto.sync.subscribeRepos#commit");
}

#[test]
fn l10_one_field_changes_and_the_others_stay() {
    let catalog = catalog();
    let id = DefId { nsid: "app.bsky.feed.post".to_owned(), name: "main".to_owned() };
    for seed in 0..DOCUMENTS_PER_TYPE {
        let mut random = Random::new(seed);
        let document = Documents { catalog: &catalog, random: &mut random, is_valid: true }.record(&id);
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
    let catalog = catalog();
    let id = DefId { nsid: "app.bsky.feed.post".to_owned(), name: "main".to_owned() };
    for seed in 0..DOCUMENTS_PER_TYPE {
        let mut random = Random::new(seed);
        let document = Documents { catalog: &catalog, random: &mut random, is_valid: true }.record(&id);
        let json = Unknown::from_json(shuffled_json(&document, &mut random)).unwrap();
        let cbor = Unknown::from_cbor(&document.to_cbor().unwrap()).unwrap();
        assert_eq!(json, cbor);
        assert_eq!(json.type_name().as_deref(), Some("app.bsky.feed.post"));
        assert_eq!(cbor.type_name(), json.type_name());
        assert_eq!((json.get("text"), json.get("embed.$type")), (cbor.get("text"), cbor.get("embed.$type")));
        assert_eq!(json.to_value().unwrap(), document);
    }
}

/// Breaks every constraint of the fields of an object, one after another.
fn violations_are_found<T: Record>(catalog: &Catalog) -> usize {
    let id = DefId { nsid: T::COLLECTION.to_owned(), name: "main".to_owned() };
    let Some(Definition::Record(record)) = catalog.definition(&id) else {
        panic!("{} is a record", T::COLLECTION)
    };
    let mut found = 0;
    for (key, broken, at) in broken_values(&record.object, &id, catalog) {
        let document = Documents { catalog, random: &mut Random::new(1), is_valid: true }.record(&id);
        let Value::Map(mut fields) = document else { panic!("a record is a map") };
        fields.insert(key.clone(), broken);
        let typed: T = from_json(Value::Map(fields).to_json().unwrap()).unwrap();
        let error = typed.validate().expect_err(&format!("{}, {key}", T::COLLECTION));
        let path = format!("{key}{at}");
        assert!(
            error.violations.iter().any(|violation| violation.path == path),
            "{}: {path}: {error}",
            T::COLLECTION
        );
        found += 1;
    }
    found
}

/// A field, a value that breaks one of its constraints, and where behind the field the violation is.
fn broken_values(object: &Object, id: &DefId, catalog: &Catalog) -> Vec<(String, Value, &'static str)> {
    let mut broken = Vec::new();
    for (key, schema) in &object.properties {
        let mut push = |value: Value, at: &'static str| broken.push((key.clone(), value, at));
        match &schema.ty {
            Type::String(text) => {
                if let Some(most) = text.max_graphemes {
                    push(Value::from("é".repeat(most as usize + 1)), "");
                }
                if let Some(most) = text.max_length {
                    push(Value::from("x".repeat(most as usize + 1)), "");
                }
            }
            Type::Integer(integer) => {
                integer.maximum.into_iter().for_each(|most| push(Value::from(most + 1), ""));
                integer.minimum.into_iter().for_each(|least| push(Value::from(least - 1), ""));
            }
            Type::Array(array) => {
                let mut random = Random::new(2);
                let mut documents = Documents { catalog, random: &mut random, is_valid: true };
                if let Some(most) = array.max_length {
                    let item = documents.value(&array.items.ty, &id.nsid, 9);
                    push(Value::List(vec![item; most as usize + 1]), "");
                }
                if let Type::String(text) = &array.items.ty
                    && let Some(most) = text.max_length
                {
                    push(Value::List(vec![Value::from("x".repeat(most as usize + 1))]), "[0]");
                }
            }
            Type::Blob(blob) => {
                let cid = atproto_sdk::types::Cid::of_raw(b"blob");
                if let Some(most) = blob.max_size {
                    let mime = blob.accept.first().map_or("image/png", String::as_str).replace('*', "png");
                    push(atproto_sdk::types::Blob::new(cid.clone(), mime, most + 1).into(), "");
                }
                if !blob.accept.is_empty() && !blob.accept.iter().any(|mime| mime == "*/*") {
                    push(atproto_sdk::types::Blob::new(cid, "wrong/type", 1).into(), "");
                }
            }
            _ => {}
        }
    }
    broken
}

#[test]
fn l4_l5_a_broken_constraint_is_reported_with_its_path() {
    let catalog = catalog();
    let found = for_every_record!(violations_are_found, &catalog);
    let all: usize = found.iter().map(|(_, found)| found).sum();
    assert!(all >= 30, "there are more constraints in the lexicons than {all}");
}
