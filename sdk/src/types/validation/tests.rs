//! Every rule, and how its violation reads.
#![allow(clippy::unwrap_used)]

use super::{
    super::{
        Blob, Bytes, Cid, CidLink, Data as _, Datetime, Extra, Language, Unknown, Uri,
        data_tests::{Embed, Note},
        from_json,
    },
    Rule, ViolationKind, Violations, WarningKind,
    rules::accepts,
};

/// An object with every kind of rule.
#[derive(Clone)]
struct Ruled {
    text: Option<String>,
    closed: Option<String>,
    fixed: Option<String>,
    number: Option<i64>,
    choice: Option<i64>,
    only: Option<i64>,
    yes: Option<bool>,
    list: Option<Vec<String>>,
    bytes: Option<Bytes>,
    image: Option<Blob>,
    any: Option<Blob>,
    time: Option<Datetime>,
    languages: Option<Vec<Language>>,
    uri: Option<Uri>,
    link: Option<CidLink>,
    inner: Option<Box<Ruled>>,
    embeds: Option<Vec<Embed>>,
    extra: Extra,
}

crate::__object! {
    Ruled, "com.example.ruled", record: false, {
        0 text: "text" optional [MinGraphemes(2), MaxGraphemes(3), MinBytes(3), MaxBytes(30)],
        1 closed: "closed" optional [OneOf(&["a", "b"])],
        2 fixed: "fixed" optional [ConstText("always")],
        3 number: "number" optional [Minimum(-5), Maximum(5)],
        4 choice: "choice" optional [OneOfIntegers(&[1, 10])],
        5 only: "only" optional [ConstInteger(7)],
        6 yes: "yes" optional [ConstBoolean(true)],
        7 list: "list" optional [MinLength(1), MaxLength(2), Each(&[Rule::MaxBytes(1)])],
        8 bytes: "bytes" optional [MinLength(2), MaxLength(3)],
        9 image: "image" optional [Accept(&["image/*", "video/mp4"]), MaxSize(100)],
        10 any: "any" optional [Accept(&["*/*"])],
        11 time: "time" optional,
        12 languages: "languages" optional,
        13 uri: "uri" optional,
        14 link: "link" optional,
        15 inner: "inner" optional,
        16 embeds: "embeds" optional,
    }
}

fn violations(json: &str) -> Violations {
    from_json::<Ruled>(json).unwrap().validate().expect_err(json)
}

/// The only violation of a document, in words.
fn only(json: &str) -> String {
    let found = violations(json);
    assert_eq!(found.violations.len(), 1, "{found}");
    found.violations[0].to_string()
}

fn fine(json: &str) {
    from_json::<Ruled>(json).unwrap().validate().unwrap_or_else(|error| panic!("{json}: {error}"));
}

#[test]
fn l4_lengths_of_strings_in_bytes_and_graphemes() {
    fine(r#"{"text":"abc"}"#);
    // Three graphemes, 25 and more bytes.
    fine(r#"{"text":"👩‍🚀éa"}"#);
    assert_eq!(only(r#"{"text":"abcd"}"#), "`text` has 4 graphemes, at most 3 are allowed");
    assert_eq!(only(r#"{"text":"水"}"#), "`text` has 1 graphemes, at least 2 are required");
    assert_eq!(only(r#"{"text":"ab"}"#), "`text` has 2 bytes, at least 3 are required");
    let long = format!(r#"{{"text":"{}"}}"#, "👩‍🚀".repeat(3));
    assert_eq!(only(&long), "`text` has 33 bytes, at most 30 are allowed");
    assert_eq!(violations(r#"{"text":""}"#).violations.len(), 2);
}

#[test]
fn l4_closed_sets_and_constants() {
    fine(r#"{"closed":"a","fixed":"always","only":7,"yes":true,"choice":10}"#);
    assert_eq!(only(r#"{"closed":"c"}"#), "`closed` is not one of the allowed values: a, b");
    assert_eq!(only(r#"{"fixed":"never"}"#), "`fixed` is not one of the allowed values: always");
    assert_eq!(only(r#"{"only":8}"#), "`only` is not one of the allowed values: 7");
    assert_eq!(only(r#"{"yes":false}"#), "`yes` is not one of the allowed values: true");
    assert_eq!(only(r#"{"choice":2}"#), "`choice` is not one of the allowed values: 1, 10");
}

#[test]
fn l5_ranges_and_lengths() {
    fine(r#"{"number":-5,"list":["a","b"],"bytes":{"$bytes":"AQI"}}"#);
    assert_eq!(only(r#"{"number":6}"#), "`number` is 6, the maximum is 5");
    assert_eq!(only(r#"{"number":-6}"#), "`number` is -6, the minimum is -5");
    assert_eq!(only(r#"{"list":[]}"#), "`list` has 0 elements, at least 1 are required");
    assert_eq!(only(r#"{"list":["a","b","c"]}"#), "`list` has 3 elements, at most 2 are allowed");
    assert_eq!(only(r#"{"list":["a","bc"]}"#), "`list[1]` has 2 bytes, at most 1 are allowed");
    assert_eq!(only(r#"{"bytes":{"$bytes":"AQ"}}"#), "`bytes` has 1 bytes, at least 2 are required");
    assert_eq!(only(r#"{"bytes":{"$bytes":"AQIDBA"}}"#), "`bytes` has 4 bytes, at most 3 are allowed");
}

#[test]
fn l5_blobs_have_a_type_and_a_size() {
    let blob = |mime: &str, size| Blob::new(Cid::of_raw(b"x"), mime, size);
    let check = |name: &str, blob: Blob| {
        let json = format!(r#"{{"{name}":{}}}"#, blob.to_json().unwrap());
        from_json::<Ruled>(json)
            .unwrap()
            .validate()
            .map(drop)
            .map_err(|error| error.violations[0].to_string())
    };
    for mime in ["image/png", "IMAGE/PNG", "video/mp4", "image/svg+xml; charset=utf-8"] {
        assert_eq!(check("image", blob(mime, 100)), Ok(()), "{mime}");
    }
    for mime in ["video/webm", "images/png"] {
        let expected =
            format!("`image` is a blob of type `{mime}`, the accepted types are image/*, video/mp4");
        assert_eq!(check("image", blob(mime, 1)), Err(expected));
    }
    assert_eq!(check("any", blob("what/ever", u64::MAX)), Ok(()));
    assert_eq!(
        check("image", blob("image/png", 101)),
        Err("`image` has 101 bytes, at most 100 are allowed".into())
    );
}

#[test]
fn d6_formats_that_are_decoded_leniently_are_reported() {
    fine(r#"{"time":"2026-01-02T03:04:05Z","languages":["de"],"uri":"https://example.com"}"#);
    let found = violations(r#"{"time":"yesterday","languages":["de","English!"],"uri":"no uri"}"#);
    let paths: Vec<&str> = found.violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(paths, ["time", "languages[1]", "uri"]);
    assert!(matches!(&found.violations[0].kind, ViolationKind::Format(error) if error.format == "datetime"));
    let text = found.to_string();
    assert!(
        text.starts_with(
            "the data does not conform to its lexicon: `time` `yesterday` is not a valid datetime"
        ),
        "{text}"
    );
    let link = r#"{"link":{"$link":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}}"#;
    assert!(only(link).starts_with("`link` "), "{}", only(link));
}

#[test]
fn l10_null_is_reported_where_the_lexicon_does_not_allow_it() {
    assert_eq!(only(r#"{"text":null}"#), "`text` is null, which the lexicon does not allow here");
    assert_eq!(
        only(r#"{"inner":{"list":null}}"#),
        "`inner.list` is null, which the lexicon does not allow here"
    );
    // Not the lexicon's business.
    fine(r#"{"unheard":null}"#);
    let nullable: Note = from_json(r#"{"text":"","reply":null}"#).unwrap();
    nullable.validate().unwrap();
}

#[test]
fn everything_is_reported_at_every_depth() {
    let found = violations(
        r#"{"number":9,"inner":{"inner":{"list":["xx","y","zz"]},"text":"abcd"},"embeds":[{"$type":"com.example.embed#link","uri":"x"}]}"#,
    );
    let paths: Vec<&str> = found.violations.iter().map(|violation| violation.path.as_str()).collect();
    assert_eq!(
        paths,
        ["number", "inner.text", "inner.inner.list[0]", "inner.inner.list[2]", "inner.inner.list"]
    );
}

#[test]
fn l6_a_foreign_variant_says_what_it_is() {
    fine(r#"{"embeds":[{"$type":"com.example.unheard"}]}"#);
    let mut note: Note = from_json(r#"{"text":""}"#).unwrap();
    note.embed = Some(Embed::Other(Unknown::from_json(r#"{"no":"type"}"#).unwrap()));
    let error = note.validate().unwrap_err();
    assert_eq!(error.violations[0].to_string(), "`embed` is a variant of an open union without `$type`");
}

/// An object that a lexicon defines in place has the name of what is around it.
#[derive(Clone)]
struct InPlace {
    extra: Extra,
}
crate::__object! { InPlace, "com.example.around", record: false, {} }

#[derive(Clone)]
struct Around {
    inner: Option<InPlace>,
    list: Option<Vec<Ruled>>,
    any: Option<Unknown>,
    extra: Extra,
}
crate::__object! {
    Around, "com.example.around", record: false, {
        0 inner: "inner" optional,
        1 list: "list" optional,
        2 any: "any" optional,
    }
}

#[test]
fn l7_an_object_has_its_own_type_or_none() {
    let check = |json: &str| {
        from_json::<Around>(json).unwrap().validate().map(drop).map_err(|error| error.to_string())
    };
    for fine in [
        r#"{"inner":{},"list":[{}]}"#,
        r#"{"$type":"com.example.around","list":[{"$type":"com.example.ruled"}]}"#,
        // Not a definition: nobody says what its `$type` would be.
        r#"{"inner":{"$type":"com.example.whatever"}}"#,
    ] {
        assert_eq!(check(fine), Ok(()), "{fine}");
    }
    let error = check(r#"{"list":[{},{"$type":"com.example.other"}]}"#).unwrap_err();
    assert!(
        error.ends_with(r#"`list[1]` has the `$type` "com.example.other", expected com.example.ruled"#),
        "{error}"
    );
    assert!(check(r#"{"$type":"com.example.other"}"#).is_err() && check(r#"{"$type":null}"#).is_err());
    // Such data is read and written back all the same.
    let json = r#"{"list":[{"$type":"com.example.other"}]}"#;
    assert_eq!(from_json::<Around>(json).unwrap().to_json().unwrap(), json);
}

/// Parameters, where `unknown` is whatever can be written into a query.
#[derive(Clone)]
struct Given {
    any: Option<Unknown>,
    all: Option<Vec<Unknown>>,
}
crate::__params! { Given { 0 any: "any", 1 all: "all" } }

#[test]
fn l3_unknown_is_an_object_in_data_and_a_text_among_parameters() {
    let text = || Unknown::from("a");
    let found = from_json::<Around>(r#"{"any":"a"}"#).unwrap().validate().unwrap_err();
    assert_eq!(found.violations[0].to_string(), "`any` is a string, expected an object");
    let given = Given { any: Some(text()), all: Some(vec![text()]) };
    assert!(given.validate().unwrap().is_empty());
}

#[test]
fn d1_integers_that_javascript_rounds_are_told() {
    const SAFE: i64 = 9_007_199_254_740_991;
    let told = |json: &str| from_json::<Around>(json).unwrap().validate().unwrap();
    let fine = format!(r#"{{"new":{SAFE},"any":{{"a":-{SAFE}}}}}"#);
    assert!(told(&fine).is_empty());
    let found = told(r#"{"any":{"a":[0,-9007199254740992]},"new":9007199254740993.0}"#);
    let paths: Vec<&str> = found.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(paths, ["any.a[1]", "new"]);
    assert_eq!(found.warnings[1].kind, WarningKind::LargeInteger { found: SAFE + 2 });
    assert!(
        found.to_string().contains("`new` is 9007199254740993, which software in JavaScript rounds"),
        "{found}"
    );
    assert!(SAFE.validate().unwrap().is_empty() && !(SAFE + 1).validate().unwrap().is_empty());
    assert!(!i64::MIN.validate().unwrap().is_empty());
}

#[test]
fn l5_mime_types_are_matched_by_prefixes_and_with_parameters() {
    for (pattern, mime_type) in [
        ("*", "a/b"),
        ("*/*", "a/b"),
        ("image/*", "IMAGE/png"),
        ("application/vnd.*", "application/vnd.ms-excel"),
        ("audio/ogg", "audio/ogg;codecs=opus"),
        ("audio/ogg;codecs=opus", "audio/ogg;codecs=opus"),
        ("audio/ogg; codecs=opus", "Audio/Ogg;codecs=opus"),
    ] {
        assert!(accepts(pattern, mime_type), "{pattern} {mime_type}");
    }
    for (pattern, mime_type) in [
        ("image/*", "video/png"),
        ("application/vnd.*", "application/json"),
        ("audio/ogg;codecs=opus", "audio/ogg"),
        ("audio/ogg;codecs=opus", "audio/ogg;codecs=vorbis"),
    ] {
        assert!(!accepts(pattern, mime_type), "{pattern} {mime_type}");
    }
}

/// The body of a method whose lexicon has no schema for it.
#[test]
fn a_body_without_a_schema_is_any_json() {
    for json in [r#""text""#, "[1]", "5", "null", "true", "{}"] {
        let body = Unknown::from_json(json).unwrap();
        assert!(super::validate_body(&body).is_ok(), "{json}");
    }
    for json in ["0.5", r#"{"$link":"x"}"#, r#"[{"a":1,"a":2}]"#] {
        let body = Unknown::from_json(json).unwrap();
        assert!(super::validate_body(&body).is_err(), "{json}");
    }
}

#[test]
fn d5_a_warning_does_not_refuse() {
    let ruled: Ruled = from_json(r#"{"uri":"https://bücher.example/","inner":{"uri":"x:ü"}}"#).unwrap();
    let warnings = ruled.validate().unwrap();
    let paths: Vec<&str> = warnings.warnings.iter().map(|warning| warning.path.as_str()).collect();
    assert_eq!(paths, ["uri", "inner.uri"]);
    assert!(
        warnings.to_string().starts_with(
            "`uri` `https://bücher.example/` is a URI that others may refuse: it has a letter beyond ASCII"
        ),
        "{warnings}"
    );
}
