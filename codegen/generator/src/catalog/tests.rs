#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use super::{Catalog, path_of};
use crate::document::DefId;

/// A catalog of documents `com.example.<name>` with these `defs`; findings as one text.
fn catalog(documents: &[(&str, &str)]) -> Result<Catalog, String> {
    let sources = documents.iter().map(|(name, defs)| {
        let text = format!(r#"{{"lexicon": 1, "id": "com.example.{name}", "defs": {{{defs}}}}}"#);
        (PathBuf::from(format!("{name}.json")), text)
    });
    Catalog::from_sources(sources).map_err(|rejected| rejected.to_string())
}

fn object(property: &str) -> String {
    format!(r#"{{"type": "object", "properties": {{"p": {property}}}}}"#)
}

fn reference(to: &str) -> String {
    object(&format!(r#"{{"type": "ref", "ref": "{to}"}}"#))
}

fn union(to: &str) -> String {
    object(&format!(r#"{{"type": "array", "items": {{"type": "union", "refs": ["{to}"]}}}}"#))
}

#[test]
fn l9_refs_resolve_within_and_across_documents() {
    let others = r#""main": {"type": "token"}, "x": {"type": "string"}"#;
    for to in ["#a", "com.example.one#a", "com.example.two", "com.example.two#main", "lex:com.example.two#x"]
    {
        let catalog = catalog(&[("two", others), ("one", &format!("\"a\": {}", reference(to)))]).unwrap();
        let order: Vec<&str> = catalog.documents().map(|it| it.id.as_str()).collect();
        assert_eq!(order, ["com.example.one", "com.example.two"]);
    }
    let id = DefId { nsid: "com.example.two".to_owned(), name: "x".to_owned() };
    assert!(catalog(&[("two", others)]).unwrap().definition(&id).is_some());
}

#[test]
fn l9_refs_that_lead_nowhere_are_errors_with_a_suggestion() {
    let fails = |to: &str| {
        let others = r#""main": {"type": "token"}, "viewBasic": {"type": "string"}"#;
        catalog(&[("other", others), ("one", &format!("\"profile\": {}", reference(to)))]).unwrap_err()
    };
    let before = "error: one.json:1:123: defs.profile.properties.p.ref: expected a ref to an existing definition, found";
    assert_eq!(fails("#profiel"), format!("{before} `#profiel`; did you mean `#profile`?"));
    assert_eq!(
        fails("com.example.other#viewBasci"),
        format!("{before} `com.example.other#viewBasci`; did you mean `com.example.other#viewBasic`?")
    );
    assert_eq!(
        fails("com.example.othre#viewBasic"),
        format!("{before} `com.example.othre#viewBasic`; did you mean `com.example.other#viewBasic`?")
    );
    assert_eq!(fails("org.nothing.like.this"), format!("{before} `org.nothing.like.this`"));
}

#[test]
fn l6_union_refs_point_to_objects_or_records() {
    let record =
        r#""main": {"type": "record", "key": "tid", "record": {"type": "object", "properties": {}}}"#;
    assert!(catalog(&[("one", &format!("\"a\": {}", union("#a")))]).is_ok());
    assert!(catalog(&[("one", &format!("\"a\": {}", union("com.example.two"))), ("two", record)]).is_ok());
    for (ty, definition) in [
        ("string", r#"{"type": "string"}"#),
        ("token", r#"{"type": "token"}"#),
        ("array", r#"{"type": "array", "items": {"type": "string"}}"#),
    ] {
        let error = catalog(&[("one", &format!("\"b\": {definition}, \"a\": {}", union("#b")))]).unwrap_err();
        assert!(
            error.ends_with(&format!(
                "refs[0]: expected a ref to an object or a record, found `#b`, which is of type `{ty}`"
            )),
            "{error}"
        );
    }
}

#[test]
fn l7_refs_point_to_types_not_to_methods() {
    let record =
        r#""main": {"type": "record", "key": "tid", "record": {"type": "object", "properties": {}}}"#;
    assert!(
        catalog(&[("one", &format!("\"a\": {}", reference("com.example.two"))), ("two", record)]).is_ok()
    );
    for ty in ["query", "procedure", "subscription"] {
        let method = format!(r#""main": {{"type": "{ty}"}}"#);
        for definition in [reference("com.example.two"), union("com.example.two")] {
            let error = catalog(&[("one", &format!("\"a\": {definition}")), ("two", &method)]).unwrap_err();
            assert!(error.ends_with(&format!(
                "expected a ref to a type, found `com.example.two`, which is of type `{ty}`"
            )));
        }
    }
}

#[test]
fn l13_messages_resolve_too() {
    let message = |to: &str| {
        format!(
            r##""main": {{"type": "subscription", "message": {{"schema": {{"type": "union", "refs": ["{to}"]}}}}}}, "a": {}"##,
            object(r#"{"type": "string"}"#)
        )
    };
    assert!(catalog(&[("one", &message("#a"))]).is_ok());
    assert!(catalog(&[("one", &message("#b"))]).is_err());
}

#[test]
fn l2_named_refs_may_not_run_in_a_circle() {
    let alias = |to: &str| format!(r#"{{"type": "ref", "ref": "{to}"}}"#);
    let good = format!(r##""a": {}, "b": {}, "c": {}"##, alias("#b"), alias("#c"), reference("#a"));
    let catalog_of_good = catalog(&[("one", &good)]).unwrap();
    assert_eq!(catalog_of_good.warnings().len(), 2);
    let error = catalog(&[(
        "one",
        &format!(r##""a": {}, "b": {}, "c": {}"##, alias("#b"), alias("#b"), alias("#a")),
    )])
    .unwrap_err();
    let errors: Vec<&str> = error.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0]
            .ends_with("defs.b: expected a ref that leads to a type, found a circle: `com.example.one#b`")
    );
}

#[test]
fn variants_named_twice_are_dropped_with_a_warning() {
    let union = r##"{"type": "union", "refs": ["#a", "lex:com.example.one#a"]}"##;
    let catalog = catalog(&[("one", &format!("\"a\": {}", object(union)))]).unwrap();
    assert!(catalog.warnings()[0].to_string().ends_with("found the ref `com.example.one#a` again (ignored)"));
    let shown = format!("{:?}", catalog.document("com.example.one").unwrap());
    assert_eq!(shown.matches("Reference {").count(), 1);
}

#[test]
fn l1_every_error_of_every_document_is_reported() {
    let error = catalog(&[
        ("one", r#""a": {"type": "strin"}, "b": {"type": "integer", "default": "x"}"#),
        ("two", r#""a": {"type": "array"}"#),
        ("two", r#""a": {"type": "token"}"#),
        ("two", r#""a": {"type": "token"}"#),
    ])
    .unwrap_err();
    assert_eq!(error.lines().count(), 5, "{error}");
    assert!(error.lines().last().unwrap().contains("expected one document with the id `com.example.two`"));
}

#[test]
fn l1_the_id_matches_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"lexicon": 1, "id": "com.example.foo.bar", "defs": {"a": {"type": "token"}}}"#;
    assert!(Catalog::load(dir.path()).unwrap_err().to_string().contains("expected documents, found none"));
    fs::create_dir_all(dir.path().join("com/example/foo")).unwrap();
    fs::write(dir.path().join("com/example/foo/bar.json"), text).unwrap();
    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    fs::write(dir.path().join("README.md"), "x").unwrap();
    assert_eq!(Catalog::load(dir.path()).unwrap().counts().documents, 1);
    assert_eq!(path_of("com.example.foo.bar"), PathBuf::from("com/example/foo/bar.json"));

    fs::write(dir.path().join("com/example/foo/baz.json"), text).unwrap();
    let error = Catalog::load(dir.path()).unwrap_err().to_string();
    assert!(error.contains("expected the document in `com/example/foo/bar.json` because of its id, found it in `com/example/foo/baz.json`"), "{error}");
}
