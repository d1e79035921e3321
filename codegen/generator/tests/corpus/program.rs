//! A program that reads and writes values of the types that are generated from documents with something wrong in them.

use std::fmt::Debug;

use atproto_sdk::types::{Data, FromData, Nullable, Record as _, from_cbor, from_json};
use corpus_types::types::{corpus, words};

/// Reads JSON, and finds it as it was after JSON and DAG-CBOR.
fn round_trip<T: Data + FromData + PartialEq + Debug>(json: &str) -> T {
    let value: T = from_json(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    assert_eq!(value.to_json().unwrap(), json);
    let cbor = value.to_cbor().unwrap();
    assert_eq!(from_cbor::<T>(&cbor).unwrap(), value);
    value
}

fn unions_of_strings() {
    use corpus::unions::strings::{Named, Strings, StringsKind, Text};
    let value: Strings = round_trip(r#"{"kind":"b","kinds":["a","new"]}"#);
    assert_eq!(value.kind, StringsKind::B);
    assert_eq!(Strings::new("other").kind.as_str(), "other");
    let values: [StringsKind; 4] = ["a", "b", "c", "d"].map(StringsKind::from);
    assert!(matches!(values, [StringsKind::A, StringsKind::B, StringsKind::C, StringsKind::Other(_)]));
    assert_eq!(round_trip::<Named>(r#""c""#), Named::C);
    let _: Text = round_trip(r#""any text""#);
    let tokens: corpus::unions::tokens::Tokens = round_trip(r#"{"reason":"corpus.unions.tokens#spam"}"#);
    assert_eq!(tokens.reason.unwrap().as_str(), corpus::unions::tokens::SPAM);
}

fn unions_of_other_things() {
    let json = r##"{"bytes":"x","unknown":{"a":1},"array":{"$type":"corpus.unions.others#object","a":[]},"mixed":{"$type":"com.example.new","b":null}}"##;
    let value: corpus::unions::others::Others = round_trip(json);
    assert!(matches!(value.array, Some(corpus::unions::others::OthersArray::Object(_))));
    assert!(matches!(value.mixed, Some(corpus::unions::others::OthersMixed::Other(_))));
    assert_eq!(value.bytes.unwrap().as_json(), r#""x""#);
}

fn degraded_types() {
    let json = r#"{"uri":"at://did:web:a.example","cid":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a","price":{"amount":5},"seller":{"did":"did:web:a.example","handle":"a.example"},"state":"sold?"}"#;
    let error = from_json::<corpus::shop::defs::ItemView>(json).unwrap_err().to_string();
    assert!(error.contains("state"), "{error}");
    let value: corpus::shop::defs::ItemView = round_trip(&json.replace("sold?", "#sold"));
    assert_eq!(value.state, Some(corpus::shop::defs::State::Sold));
    assert_eq!(value.price.as_json(), r#"{"amount":5}"#);
    assert_eq!(value.seller.unwrap().handle.as_str(), "a.example");
    let _: corpus::records::arrays::Arrays = round_trip(r#"{"none":[1,"a",null,{}],"several":["a",1]}"#);
}

fn renamed_fields() {
    use corpus::mixed::properties::Properties;
    assert_eq!((Properties::COLLECTION, Properties::KEY), ("corpus.mixed.properties", "literal:self"));
    // A record's fields come in the order of DAG-CBOR.
    let json = r#"{"a b":"1","a.b":"2","x:y":"3","1st":7,"$type":"corpus.mixed.properties","größe":"4","extra":"5","foo-bar":null,"日本":"6","new":true}"#;
    let value: Properties = from_json(json).unwrap();
    assert_eq!((value.field_1st, value.gr_uf6_udf_e.as_str(), value.extra_.as_deref()), (7, "4", Some("5")));
    assert_eq!(value.foo_bar2, Nullable::Null);
    let again: Properties = from_json(value.to_json().unwrap()).unwrap();
    assert_eq!(again, value);
    for part in [r#""a b":"1""#, r#""a.b":"2""#, r#""x:y":"3""#, r#""日本":"6""#, r#""foo-bar":null"#, r#""new":true"#] {
        assert!(value.to_json().unwrap().contains(part), "{part}");
    }
    let made = Properties::new("4", "b".to_owned(), 7).a_b("1").extra_("5");
    assert!(made.validate().is_ok());
    assert_eq!(corpus::records::self_key::SelfKey::KEY, "literal:self");
    assert_eq!(corpus::records::no_key::NoKey::KEY, "any");
}

fn keywords() {
    use words::properties::{constant::Constant, optional::Optional};
    let value: Optional = from_json(r#"{"$type":"words.properties.optional","gen":"a","self":"b","type":"c","Self":"d"}"#).unwrap();
    assert_eq!((value.r#gen.as_deref(), value.self_.as_deref(), value.r#type.as_deref()), (Some("a"), Some("b"), Some("c")));
    assert_eq!((value.self_or_default().as_str(), value.async_or_default().as_str()), ("b", "async"));
    let made = Optional::new().r#gen("a").self_("b").r#type("c").self_2("d");
    assert_eq!(made, value);
    let constant = Constant::new();
    assert_eq!((constant.r#while.as_str(), constant.crate_.as_str()), ("while", "crate"));
    assert!(constant.validate().is_ok());
}

fn values_with_defaults() {
    use corpus::values::closed_default::{ClosedDefault, ClosedDefaultKind, ClosedDefaultNeeded};
    let value: ClosedDefault = round_trip(r#"{"needed":"high"}"#);
    assert_eq!(value.kind_or_default(), ClosedDefaultKind::Low);
    assert_eq!(value.needed, ClosedDefaultNeeded::High);
    assert!(from_json::<ClosedDefault>(r#"{"needed":"middle"}"#).is_err());
    let holes: corpus::values::sets::Sets = round_trip(r#"{"holes":"c"}"#);
    assert_eq!(holes.holes.unwrap().as_str(), "c");
    use corpus::values::spelling::Spelling;
    for text in ["", " ", "👍", "a`b", "```", "Other", "other", "Self", "大きい", "\u{202e}abc", "new"] {
        assert_eq!(Spelling::from(text).as_str(), text);
    }
    assert!(matches!(Spelling::from("Other"), Spelling::OtherValue));
    assert!(matches!(Spelling::from("new"), Spelling::Other(_)));
}

fn recursion() {
    let json = r#"{"child":{"child":{"children":[{"child":{}}]}}}"#;
    let _: corpus::recursion::alias::Node = round_trip(json);
    let _: corpus::recursion::arrays::Entry = round_trip(r#"{"list":[{"list":[]}]}"#);
    let _: corpus::recursion::far::Far = round_trip(r#"{"near":{"far":{"near":{"far":null}}}}"#);
}

fn main() {
    unions_of_strings();
    unions_of_other_things();
    degraded_types();
    renamed_fields();
    keywords();
    values_with_defaults();
    recursion();
}
