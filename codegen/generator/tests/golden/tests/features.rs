//! What the generator's golden files do once they are compiled: one test per feature of the Lexicon language.
#![allow(clippy::unwrap_used)]

use atproto_sdk::{
    PublicClient,
    types::{self, Nullable, PermissionSet as _, Record as _, Unknown},
    xrpc::{
        BoxFuture, ByteStream, Kind, LexiconError as _, Method, Paginated, Params as _, Request, Transport,
        TransportError, TransportResponse,
    },
};
use golden::lexicons::com::example::{self as example, ComExampleExt as _, data, foo::ComExampleFooExt as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

fn round_trip<T: serde::Serialize + serde::de::DeserializeOwned>(json: Value) -> T {
    let value: T = serde_json::from_str(&json.to_string()).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), json);
    value
}

fn refused<T: serde::de::DeserializeOwned>(json: Value) -> String {
    serde_json::from_str::<T>(&json.to_string()).err().unwrap().to_string()
}

#[test]
fn l4_every_string_format_has_its_type() {
    let strings: data::strings::Strings = round_trip(json!({
        "plain": "p", "fixed": "always", "kind": "one", "size": "small",
        "at_identifierField": "alice.test", "at_uriField": "at://did:plc:abc/com.example.note/3jzfcijpj2z2a",
        "cidField": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a", "datetimeField": "2026-01-02T03:04:05.678Z",
        "didField": "did:plc:z72i7hdynmk6r22z27h6tvur", "handleField": "alice.test", "nsidField": "com.example.note",
        "tidField": "3jzfcijpj2z2a", "record_keyField": "self", "uriField": "https://example.com/", "languageField": "de-AT",
    }));
    let _: Option<types::AtUri> = strings.at_uri_field;
    let _: Option<types::RecordKey> = strings.record_key_field;
    // What a server sends is kept, and is not sent back as what it should be.
    let broken: data::strings::Strings = round_trip(
        json!({"plain": "p", "fixed": "always", "kind": "one", "size": "small", "didField": "no did"}),
    );
    assert!(broken.did_field.as_ref().is_some_and(|did| !did.is_valid()));
    assert!(types::Data::validate(&broken).unwrap_err().to_string().contains("DID"));
}

#[test]
fn l4_known_values_are_an_open_set_and_enums_a_closed_one() {
    use data::strings::{StringsKind, StringsSize};
    for (text, kind) in [
        ("one", StringsKind::One),
        ("two words", StringsKind::TwoWords),
        ("!bang", StringsKind::BangBang),
        ("3d", StringsKind::Value3d),
        ("com.example.data.tokens#red", StringsKind::Red),
        ("quite new", StringsKind::Other("quite new".into())),
    ] {
        assert_eq!(round_trip::<StringsKind>(json!(text)), kind);
        assert_eq!((kind.as_str(), StringsKind::from(text)), (text, kind.clone()));
    }
    assert_eq!(round_trip::<StringsSize>(json!("large")), StringsSize::Large);
    let error = refused::<StringsSize>(json!("huge"));
    assert!(error.contains("expected one of `small` `large`"), "{error}");
}

#[test]
fn l3_constants_are_filled_in_and_defaults_can_be_read() {
    let numbers = data::numbers::Numbers::new(7);
    assert_eq!(serde_json::to_value(&numbers).unwrap(), json!({"count": 7, "version": 2, "agreed": true}));
    assert_eq!((numbers.level_or_default(), numbers.on_or_default()), (3, true));
    let strings = data::strings::Strings::new("p", "one", data::strings::StringsSize::Small);
    assert_eq!((strings.fixed.as_str(), strings.usual_or_default().as_str()), ("always", "mostly"));
}

#[test]
fn l3_absent_null_and_present_are_three_things() {
    use data::presence::Presence;
    let all: Presence =
        round_trip(json!({"required": "", "nullableRequired": null, "nullableOptional": null}));
    assert_eq!((all.nullable_required, all.nullable_optional), (Nullable::Null, Some(Nullable::Null)));
    let some: Presence =
        round_trip(json!({"required": "", "nullableRequired": "x", "inline": {"deep": {"deeper": "y"}}}));
    assert_eq!(some.inline.unwrap().deep.unwrap().deeper, "y");
    assert_eq!(some.nullable_optional, None);
    let error = refused::<Presence>(json!({"required": ""}));
    assert!(
        error.contains("the field `nullableRequired` of com.example.data.presence is missing"),
        "{error}"
    );
}

#[test]
fn recursive_types_are_boxed_only_where_needed() {
    use data::recursion::{Ping, Pong, Recursion};
    let _: Option<Option<Box<Recursion>>> = None::<Recursion>.map(|it| it.next);
    let _: Option<Option<Vec<Recursion>>> = None::<Recursion>.map(|it| it.children);
    let _: Option<Option<Box<Ping>>> = None::<Recursion>.map(|it| it.left);
    let _: Option<Option<Box<Pong>>> = None::<Ping>.map(|it| it.pong);
    let _: Option<Option<Box<data::numbers::Numbers>>> = None::<Pong>.map(|it| it.not);
    round_trip::<Recursion>(
        json!({"value": "a", "next": {"next": {}}, "children": [{}, {"value": "b"}], "left": {"pong": {"ping": {}}}}),
    );
}

#[test]
fn l6_unions_open_closed_single_and_empty() {
    use data::unions::{Unions, UnionsOpen};
    let view = json!({"$type": "com.example.data.unions#view", "url": "x:y"});
    let unions: Unions = round_trip(json!({
        "open": {"$type": "com.example.data.numbers", "count": 1, "version": 2, "agreed": true},
        "closed": view, "single": view, "empty": {"$type": "anything", "a": 1},
        "many": [view, {"$type": "com.example.data.unions#other"}, {"$type": "com.example.new"}],
    }));
    assert!(matches!(unions.open, Some(UnionsOpen::Numbers(_))));
    let _: Option<Unknown> = unions.empty;
    // One variant is still a union: `$type` is written, and a foreign variant does not fail.
    round_trip::<Unions>(json!({"single": {"$type": "com.example.new", "x": {}}}));
    assert!(
        refused::<Unions>(json!({"closed": {"$type": "com.example.new"}})).contains("found com.example.new")
    );
    assert!(matches!(UnionsOpen::from(data::unions::View::new("x:y".parse().unwrap())), UnionsOpen::View(_)));
    assert!(matches!(
        round_trip::<UnionsOpen>(
            json!({"$type": "com.example.note", "text": "t", "createdAt": "2026-01-01T00:00:00Z"})
        ),
        UnionsOpen::Note(_)
    ));
    assert!(matches!(
        serde_json::from_value::<UnionsOpen>(
            json!({"$type": "com.example.foo#view", "uri": "at://did:plc:abc",
            "note": {"text": "t", "createdAt": "2026-01-01T00:00:00Z"}})
        ),
        Ok(UnionsOpen::FooView(_))
    ));
}

#[test]
fn l5_arrays_can_be_definitions() {
    use data::arrays::{ChoicesItem, Levels, LevelsItem, Nested, User};
    let user: User =
        round_trip(json!({"numbers": [1, 2], "nested": [["a"], []], "levels": ["low", "middle"],
        "choices": [{"$type": "com.example.data.unions#view", "url": "x:y"}]}));
    let _: Option<Nested> = user.nested;
    let levels: Levels = user.levels.unwrap();
    assert_eq!(levels, [LevelsItem::Low, LevelsItem::Other("middle".into())]);
    assert!(matches!(user.choices.unwrap()[0], ChoicesItem::UnionsView(_)));
}

#[test]
fn l3_tokens_are_constants_with_their_full_name() {
    assert_eq!(data::tokens::RED, "com.example.data.tokens#red");
    assert_eq!(data::tokens::Colour::from(data::tokens::DARK_BLUE), data::tokens::Colour::DarkBlue);
    round_trip::<data::tokens::Paint>(
        json!({"colour": "com.example.data.tokens#red", "token": "com.example.data.tokens#red"}),
    );
}

#[test]
fn names_that_collide_keep_apart() {
    use data::names::{Names, User, UserAny};
    round_trip::<Names>(
        json!({"type": "t", "match": "m", "self": "s", "Self": "S", "crate": "c", "extra": "e", "new": "n",
        "clone": "c", "1st": "1", "fooBar": "f", "foo_bar": "g", "async": true}),
    );
    let user: User = round_trip(json!({"option": {"some": "x"}, "result": {}, "string": {}, "vec": [{}],
        "any": {"$type": "com.example.data.names#object"}}));
    assert!(matches!(user.any, Some(UserAny::Object(_))));
}

#[test]
fn d2_blobs_bytes_and_links() {
    round_trip::<data::binary::Binary>(json!({
        "blob": {"$type": "blob", "ref": {"$link": "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"}, "mimeType": "image/png", "size": 3},
        "bytes": {"$bytes": "AQID"}, "link": {"$link": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"},
        "anything": {"x": [null]},
    }));
}

#[test]
fn l8_records_know_their_collection_and_key() {
    assert_eq!((example::note::Note::COLLECTION, example::note::Note::KEY), ("com.example.note", "tid"));
    assert_eq!(example::profile::Profile::KEY, "literal:self");
    assert_eq!(example::note::Note::collection().as_str(), "com.example.note");
    let note = example::note::Note::new("hi", "2026-01-01T00:00:00Z".parse().unwrap()).tags(vec!["a".into()]);
    assert_eq!(
        serde_json::to_value(&note).unwrap(),
        json!({"$type": "com.example.note", "text": "hi", "createdAt": "2026-01-01T00:00:00Z", "tags": ["a"]})
    );
}

#[test]
fn x2_parameters_with_a_default_are_always_sent() {
    let query = |params: example::foo::Params| params.query().into_string();
    let did = types::Did::new("did:plc:abc").unwrap();
    let params = example::foo::Params::new(&did);
    assert_eq!(query(params.clone()), "author=did%3Aplc%3Aabc&limit=50&order=new&deep=false");
    let params = params.tags(vec!["a b".into(), "c".into()]).limit(7).order("old").deep(true).cursor("x&y");
    assert_eq!(
        query(params),
        "author=did%3Aplc%3Aabc&tags=a%20b&tags=c&limit=7&order=old&deep=true&cursor=x%26y"
    );
}

#[test]
fn x8_pages_are_known_by_their_cursor_and_their_array() {
    fn item<M: Paginated<Item = example::foo::View>>() {}
    item::<example::foo::Foo>();
    let output: example::foo::Output = serde_json::from_value(json!({"cursor": "c", "notes": []})).unwrap();
    assert_eq!(example::foo::Foo::cursor(&output), Some("c"));
    assert!(example::foo::Foo::into_items(output).is_empty());
}

#[test]
fn methods_carry_their_data() {
    fn data<M: Method>() -> (&'static str, Kind, Option<&'static str>, Option<&'static str>) {
        (M::NSID, M::KIND, M::INPUT, M::OUTPUT)
    }
    let json = Some("application/json");
    assert_eq!(data::<example::foo::Foo>(), ("com.example.foo", Kind::Query, None, json));
    assert_eq!(data::<example::foo::bar::Bar>(), ("com.example.foo.bar", Kind::Procedure, json, json));
    assert_eq!(data::<example::r#type::Type>(), ("com.example.type", Kind::Procedure, Some("image/*"), json));
    assert_eq!(data::<example::download::Download>().3, Some("application/vnd.ipld.car"));
    assert_eq!(data::<example::ping::Ping>(), ("com.example.ping", Kind::Query, None, None));
    assert_eq!(example::foo::Error::from_name("AuthorNotFound"), Some(example::foo::Error::AuthorNotFound));
    assert_eq!(example::foo::Error::OtherValue.name(), "Other");
}

#[test]
fn l13_messages_are_data() {
    let message: example::watch::Event = round_trip(json!({"$type": "com.example.watch#gone", "seq": 5}));
    assert!(matches!(message, example::watch::Event::Gone(_)));
}

#[test]
fn l11_permission_sets_become_scopes() {
    assert_eq!(example::access::Access::scope(), "include:com.example.access");
}

#[test]
fn procedures_take_parameters_input_and_both() {
    fn call(client: &PublicClient) {
        let note = example::note::Note::new("hi", "2026-01-01T00:00:00Z".parse().unwrap());
        let params = example::foo::bar::Params::new().dry_run(true);
        let input = example::foo::bar::Input::new(note).option(data::names::OptionDef::new());
        drop(client.com_example_foo().bar(input).params(params));
        drop(client.com_example().r#type(vec![1_u8]).content_type("image/png"));
        drop(client.com_example().ping());
    }
    call(&PublicClient::new("https://pds.example.com").unwrap());
}

/// A transport of a user's own: it answers everything with the request's NSID and query.
struct Echo;

impl Transport for Echo {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let answer = json!({"cursor": format!("{}?{}", request.nsid(), request.query()), "notes": []});
        Box::pin(async move {
            let body = ByteStream::new(futures_util::stream::iter([Ok(answer.to_string().into())]));
            Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body))
        })
    }
}

#[tokio::test]
async fn every_transport_has_the_accessors() {
    let did = types::Did::new("did:plc:abc").unwrap();
    let params = example::foo::Params::new(&did).limit(3);
    let output: example::foo::Output = Echo.com_example().foo(params).await.unwrap();
    let expected = "com.example.foo?author=did%3Aplc%3Aabc&limit=3&order=new&deep=false";
    assert_eq!(output.cursor.as_deref(), Some(expected));
    // A method without an output has an `Output` all the same.
    let output: example::ping::Output = example::ComExample::over(&Echo).ping().await.unwrap();
    assert_eq!(output, example::ping::Output::default());
}

/// As many fields as a set of 128 bits cannot count.
#[test]
fn objects_of_more_than_128_fields_are_like_all_others() {
    use types::Data as _;
    let all: serde_json::Map<String, Value> = (0..130).map(|at| (format!("f{at}"), json!(at))).collect();
    let wide: data::wide::Wide = round_trip(Value::Object(all));
    assert_eq!((wide.f127, wide.f128, wide.f129), (Some(127), Some(128), Some(129)));
    assert_eq!(types::from_cbor::<data::wide::Wide>(&wide.to_cbor().unwrap()).unwrap(), wide);
    for field in ["f0", "f127", "f128", "f129"] {
        let error = refused::<data::wide::Wide>(json!(null));
        assert!(error.contains("expected an object"), "{error}");
        let twice = format!(r#"{{"{field}":1,"f5":2,"{field}":3}}"#);
        let error = types::from_json::<data::wide::Wide>(&twice).unwrap_err().to_string();
        assert!(error.contains(&format!("the field `{field}` occurs twice")), "{error}");
        // A `null` that the lexicon does not allow is kept, and gives way to a value.
        let mut wide: data::wide::Wide = round_trip(json!({field: null}));
        assert_eq!(wide.extra.len(), 1);
        match field {
            "f0" => wide.f0 = Some(7),
            "f127" => wide.f127 = Some(7),
            "f128" => wide.f128 = Some(7),
            _ => wide.f129 = Some(7),
        }
        assert_eq!(wide.to_json().unwrap(), format!(r#"{{"{field}":7}}"#));
        assert_eq!(serde_json::to_string(&wide).unwrap(), format!(r#"{{"{field}":7}}"#));
        let cbor: data::wide::Wide = types::from_cbor(&wide.to_cbor().unwrap()).unwrap();
        assert_eq!(cbor.to_json().unwrap(), wide.to_json().unwrap());
    }
}
