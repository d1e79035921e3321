#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::{ChangeKind, Documents, Evolution, compare};
use crate::json::to_pretty;

fn documents(defs: &str) -> Documents {
    let text = format!(r#"{{"lexicon": 1, "id": "com.example.thing", "defs": {{{defs}}}}}"#);
    Documents::from_sources([("thing.json".into(), text)]).unwrap()
}

fn evolution(old: &str, new: &str) -> Evolution {
    compare(&documents(old), &documents(new))
}

/// Where a field stands: that decides who reads data of another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Record,
    Parameters,
    Input,
    Output,
    /// A definition that nothing uses.
    Nothing,
}

const EVERYWHERE: [Within; 5] =
    [Within::Record, Within::Parameters, Within::Input, Within::Output, Within::Nothing];

fn within(place: Within, field: &str) -> String {
    let object = format!(r#"{{"type": "object", "properties": {{"f": {field}}}}}"#);
    let body = format!(r#"{{"encoding": "application/json", "schema": {object}}}"#);
    match place {
        Within::Record => format!(r#""main": {{"type": "record", "key": "tid", "record": {object}}}"#),
        Within::Parameters => {
            format!(
                r#""main": {{"type": "query", "parameters": {}}}"#,
                object.replacen("object", "params", 1)
            )
        }
        Within::Input => format!(r#""main": {{"type": "procedure", "input": {body}}}"#),
        Within::Output => format!(r#""main": {{"type": "procedure", "output": {body}}}"#),
        Within::Nothing => format!(r#""view": {object}"#),
    }
}

/// Where a change of a field breaks the network.
fn breaks_in(old: &str, new: &str, kind: ChangeKind) -> Vec<Within> {
    let breaks = |place: &Within| {
        let evolution = evolution(&within(*place, old), &within(*place, new));
        assert_eq!(evolution.changes.len(), 1, "{evolution}");
        assert_eq!(evolution.changes[0].kind, kind);
        evolution.breaking_for_network().count() == 1
    };
    EVERYWHERE.into_iter().filter(breaks).collect()
}

/// A constraint and a looser one: looser values are refused by old programs that read them, tighter ones refuse old data.
#[track_caller]
fn is_looser(tight: &str, loose: &str, [loosened, tightened]: [ChangeKind; 2]) {
    let [record, nothing] = [Within::Record, Within::Nothing];
    assert_eq!(breaks_in(tight, loose, loosened), [record, Within::Output, nothing], "{tight} -> {loose}");
    assert_eq!(
        breaks_in(loose, tight, tightened),
        [record, Within::Parameters, Within::Input, nothing],
        "{loose} -> {tight}"
    );
}

#[test]
fn who_reads_data_decides_whether_a_constraint_may_change() {
    is_looser(
        r#"{"type": "string", "maxLength": 10}"#,
        r#"{"type": "string", "maxLength": 11}"#,
        [ChangeKind::LimitChanged; 2],
    );
    is_looser(
        r#"{"type": "string", "minLength": 1}"#,
        r#"{"type": "string"}"#,
        [ChangeKind::LimitChanged; 2],
    );
    is_looser(
        r#"{"type": "string", "maxGraphemes": 1}"#,
        r#"{"type": "string", "maxGraphemes": 2}"#,
        [ChangeKind::LimitChanged; 2],
    );
    is_looser(
        r#"{"type": "integer", "minimum": 2}"#,
        r#"{"type": "integer", "minimum": 1}"#,
        [ChangeKind::LimitChanged; 2],
    );
    is_looser(
        r#"{"type": "integer", "enum": [1, 2]}"#,
        r#"{"type": "integer", "enum": [1, 2, 3]}"#,
        [ChangeKind::EnumValueAdded, ChangeKind::EnumValueRemoved],
    );
    is_looser(r#"{"type": "integer", "const": 1}"#, r#"{"type": "integer"}"#, [ChangeKind::ConstChanged; 2]);
    is_looser(
        r#"{"type": "string", "format": "did"}"#,
        r#"{"type": "string", "format": "at-identifier"}"#,
        [ChangeKind::FormatChanged; 2],
    );
    is_looser(
        r#"{"type": "string", "format": "did"}"#,
        r#"{"type": "string"}"#,
        [ChangeKind::FormatChanged; 2],
    );
    is_looser(r#"{"type": "string", "enum": ["a"]}"#, r#"{"type": "string"}"#, [ChangeKind::EnumChanged; 2]);
}

#[test]
fn what_is_stored_or_sent_in_both_directions_breaks_everywhere() {
    let types = (r#"{"type": "string"}"#, r#"{"type": "integer"}"#);
    assert_eq!(breaks_in(types.0, types.1, ChangeKind::TypeChanged), EVERYWHERE);
    let constants = (r#"{"type": "integer", "const": 1}"#, r#"{"type": "integer", "const": 2}"#);
    let broken = breaks_in(constants.0, constants.1, ChangeKind::ConstChanged);
    assert_eq!(broken, EVERYWHERE);
}

#[test]
fn what_says_nothing_about_validity_breaks_nowhere() {
    let text = r#"{"type": "string"}"#;
    let harmless = [
        (r#"{"type": "string", "default": "a"}"#, ChangeKind::DefaultChanged),
        (r#"{"type": "string", "knownValues": ["a"]}"#, ChangeKind::KnownValueAdded),
        (r#"{"type": "string", "description": "A."}"#, ChangeKind::DescriptionChanged),
        (r#"{"type": "string", "description": "Deprecated: use g."}"#, ChangeKind::Deprecated),
    ];
    for (new, kind) in harmless {
        assert_eq!(breaks_in(text, new, kind), []);
    }
}

/// The only change, as `kind: network / Rust` without reasons.
#[track_caller]
fn only(old: &str, new: &str) -> String {
    let evolution = evolution(old, new);
    assert_eq!(evolution.changes.len(), 1, "{evolution}");
    let change = &evolution.changes[0];
    let network = if change.network.is_breaking() { "breaking" } else { "compatible" };
    let rust = match &change.rust {
        super::RustFace::Unchanged => "unchanged",
        super::RustFace::Additive => "additive",
        super::RustFace::Breaking(_) => "breaking",
    };
    format!("{}: {network} / {rust}", change.kind)
}

fn object(rest: &str) -> String {
    format!(r#""view": {{"type": "object", {rest}}}"#)
}

#[test]
fn fields_come_go_and_change() {
    let one = object(r#""properties": {"a": {"type": "string"}}"#);
    let two = object(r#""properties": {"a": {"type": "string"}, "b": {"type": "integer"}}"#);
    let renamed = object(r#""properties": {"b": {"type": "string"}}"#);
    let replaced = object(r#""properties": {"b": {"type": "integer"}}"#);
    let required = object(r#""required": ["a"], "properties": {"a": {"type": "string"}}"#);
    let more =
        object(r#""required": ["b"], "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}"#);
    let nullable = object(r#""nullable": ["a"], "properties": {"a": {"type": "string"}}"#);
    assert_eq!(only(&one, &two), "field-added: compatible / additive");
    assert_eq!(only(&two, &one), "field-removed: compatible / breaking");
    assert_eq!(only(&one, &more), "field-added: breaking / breaking");
    assert_eq!(only(&more, &one), "field-removed: breaking / breaking");
    assert_eq!(only(&one, &renamed), "field-renamed: breaking / breaking");
    assert_eq!(only(&one, &required), "field-required: breaking / breaking");
    assert_eq!(only(&required, &one), "field-optional: breaking / breaking");
    assert_eq!(only(&one, &nullable), "nullable-changed: breaking / breaking");
    assert_eq!(only(&nullable, &one), "nullable-changed: breaking / breaking");
    let kinds: Vec<ChangeKind> = evolution(&one, &replaced).changes.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [ChangeKind::FieldRemoved, ChangeKind::FieldAdded]);
}

#[test]
fn the_order_of_required_matters_in_rust_only() {
    let order = |required: &str| {
        let properties = r#""properties": {"a": {"type": "string"}, "b": {"type": "string", "const": "x"},
            "c": {"type": "string"}}"#;
        object(&format!(r#""required": [{required}], {properties}"#))
    };
    let (first, second) = (order(r#""a", "b", "c""#), order(r#""c", "b", "a""#));
    assert_eq!(only(&first, &second), "required-reordered: compatible / breaking");
    // Constants are no arguments of the constructor.
    assert!(evolution(&first, &order(r#""b", "a", "c""#)).changes.is_empty());
}

#[test]
fn l6_unions_stay_open_or_closed_and_lose_no_variants() {
    let union = |rest: &str| {
        format!(
            r#""view": {{"type": "object", "properties": {{"u": {{"type": "union", {rest}}}}}}},
               "a": {{"type": "object", "properties": {{}}}}, "b": {{"type": "object", "properties": {{}}}}"#
        )
    };
    let none = union(r#""refs": []"#);
    let one = union(r##""refs": ["#a"]"##);
    let two = union(r##""refs": ["#a", "com.example.thing#b"]"##);
    let closed = union(r##""refs": ["#a"], "closed": true"##);
    let closed_two = union(r##""refs": ["#a", "#b"], "closed": true"##);
    assert_eq!(only(&one, &two), "variant-added: compatible / additive");
    assert_eq!(only(&none, &one), "variant-added: compatible / breaking");
    assert_eq!(only(&closed, &closed_two), "variant-added: breaking / additive");
    assert_eq!(only(&two, &one), "variant-removed: breaking / breaking");
    assert_eq!(only(&one, &closed), "union-closed: breaking / breaking");
    assert_eq!(only(&closed, &one), "union-opened: breaking / additive");
}

#[test]
fn l9_a_ref_may_lead_to_an_equal_type() {
    let with = |field: &str, more: &str| {
        format!(r#""view": {{"type": "object", "properties": {{"f": {field}}}}}{more}"#)
    };
    let text = r#", "a": {"type": "string", "maxLength": 5}, "b": {"type": "string", "maxLength": 5},
        "c": {"type": "string", "maxLength": 6}"#;
    let reference = |name: &str| format!(r##"{{"type": "ref", "ref": "#{name}"}}"##);
    let (a, b, c) = (with(&reference("a"), text), with(&reference("b"), text), with(&reference("c"), text));
    let inline = with(r#"{"type": "string", "maxLength": 5}"#, text);
    assert_eq!(only(&a, &b), "ref-changed: compatible / unchanged");
    assert_eq!(only(&a, &c), "ref-changed: breaking / unchanged");
    assert_eq!(only(&a, &inline), "ref-changed: compatible / unchanged");
    assert_eq!(only(&inline, &a), "ref-changed: compatible / unchanged");
    // Another spelling of the same ref is none.
    let spelled = with(r#"{"type": "ref", "ref": "com.example.thing#a"}"#, text);
    assert!(evolution(&a, &spelled).changes.is_empty());
    // Objects that are equal have two types in Rust; they may contain themselves.
    let objects = r##", "a": {"type": "object", "properties": {"n": {"type": "ref", "ref": "#a"}}},
        "b": {"type": "object", "properties": {"n": {"type": "ref", "ref": "#b"}}}"##;
    let (a, b) = (with(&reference("a"), objects), with(&reference("b"), objects));
    assert_eq!(only(&a, &b), "ref-changed: compatible / breaking");
    // What is not there may be anything.
    let elsewhere = with(r#"{"type": "ref", "ref": "com.other.defs#a"}"#, objects);
    assert_eq!(only(&a, &elsewhere), "ref-changed: breaking / breaking");
}

#[test]
fn definitions_come_go_and_change_their_kind() {
    let one = r#""a": {"type": "token"}"#;
    let two = r#""a": {"type": "token"}, "b": {"type": "token"}"#;
    assert_eq!(only(one, two), "definition-added: compatible / additive");
    assert_eq!(only(two, one), "definition-removed: breaking / breaking");
    let (query, procedure) = (r#""main": {"type": "query"}"#, r#""main": {"type": "procedure"}"#);
    assert_eq!(only(query, procedure), "definition-kind-changed: breaking / breaking");
    assert_eq!(
        only(
            r#""thing": {"type": "object", "properties": {}}"#,
            &format!(r#""thing": {{"type": "object", "properties": {{}}}}, {query}"#)
        ),
        "definition-added: compatible / breaking"
    );
    let documents = documents(one);
    let lines = |evolution: Evolution| evolution.to_string();
    assert_eq!(
        lines(compare(&Documents::default(), &documents)),
        "+ com.example.thing: a new document; network: compatible; Rust: additive\n\
         1 change, 0 breaking for the network, 0 breaking for Rust"
    );
    assert_eq!(
        lines(compare(&documents, &Documents::default())),
        "- com.example.thing: the document; network: breaking (what uses it refers to something that is gone); \
         Rust: breaking (its module is gone)\n\
         1 change, 1 breaking for the network, 1 breaking for Rust"
    );
}

#[test]
fn l8_record_keys_do_not_change() {
    let record = |key: &str| {
        format!(
            r#""main": {{"type": "record", "key": "{key}", "record": {{"type": "object", "properties": {{}}}}}}"#
        )
    };
    assert_eq!(only(&record("tid"), &record("any")), "record-key-changed: breaking / unchanged");
}

#[test]
fn methods_gain_and_lose_bodies_and_errors() {
    let method = |rest: &str| format!(r#""main": {{"type": "procedure"{rest}}}"#);
    let json = |key: &str, schema: &str| {
        format!(r#", "{key}": {{"encoding": "application/json", "schema": {schema}}}"#)
    };
    let bytes = |key: &str, mime: &str| format!(r#", "{key}": {{"encoding": "{mime}"}}"#);
    let empty = r#"{"type": "object", "properties": {}}"#;
    let full = r#"{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}"#;
    let none = method("");
    let (input, output) = (method(&json("input", empty)), method(&json("output", empty)));
    assert_eq!(only(&none, &input), "body-added: breaking / breaking");
    assert_eq!(only(&input, &none), "body-removed: breaking / breaking");
    assert_eq!(only(&none, &output), "body-added: compatible / additive");
    assert_eq!(only(&none, &method(&json("output", full))), "body-added: compatible / breaking");
    assert_eq!(only(&output, &none), "body-removed: breaking / breaking");
    let encoding =
        |key: &str, old: &str, new: &str| only(&method(&bytes(key, old)), &method(&bytes(key, new)));
    assert_eq!(encoding("input", "image/png", "image/*"), "encoding-changed: compatible / unchanged");
    assert_eq!(encoding("input", "image/*", "image/png"), "encoding-changed: breaking / unchanged");
    assert_eq!(encoding("output", "image/*", "image/png"), "encoding-changed: compatible / unchanged");
    assert_eq!(encoding("output", "image/png", "image/*"), "encoding-changed: breaking / unchanged");
    assert_eq!(encoding("output", "application/json", "text/plain"), "encoding-changed: breaking / breaking");
    let untyped = method(r#", "output": {"encoding": "application/json"}"#);
    assert_eq!(only(&untyped, &output), "schema-added: compatible / breaking");
    assert_eq!(only(&output, &untyped), "schema-removed: breaking / breaking");
    let error = method(r#", "errors": [{"name": "Broken"}]"#);
    assert_eq!(only(&none, &error), "error-added: compatible / additive");
    assert_eq!(only(&error, &none), "error-removed: compatible / breaking");
}

#[test]
fn pages_are_lost_where_a_second_list_makes_them_ambiguous() {
    let query = |required: &str, more: &str| {
        format!(
            r#""main": {{"type": "query", "parameters": {{"type": "params", "properties": {{"cursor": {{"type": "string"}}}}}},
               "output": {{"encoding": "application/json", "schema": {{"type": "object", "required": [{required}],
               "properties": {{"cursor": {{"type": "string"}}, "a": {{"type": "array", "items": {{"type": "string"}}}}{more}}}}}}}}}"#
        )
    };
    let more = r#", "b": {"type": "array", "items": {"type": "string"}}"#;
    let lost = evolution(&query("", ""), &query("", more));
    let kinds: Vec<ChangeKind> = lost.changes.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [ChangeKind::FieldAdded, ChangeKind::PagesChanged]);
    assert!(lost.changes[1].rust.is_breaking() && !lost.changes[1].network.is_breaking());
    assert_eq!(only(&query(r#""a""#, ""), &query(r#""a""#, more)), "field-added: compatible / additive");
}

#[test]
fn l5_blobs_accept_patterns() {
    let blob =
        |accept: &str| object(&format!(r#""properties": {{"f": {{"type": "blob", "accept": [{accept}]}}}}"#));
    assert!(evolution(&blob(""), &blob(r#""*/*""#)).changes.is_empty());
    assert!(evolution(&blob(r#""image/*""#), &blob(r#""image/png", "image/*""#)).changes.is_empty());
    let narrower = evolution(&blob(r#""image/*""#), &blob(r#""image/png""#));
    assert_eq!(
        narrower.changes[0].to_string(),
        "~ com.example.thing defs.view.properties.f.accept: `accept` from `image/*` to `image/png`; \
         network: breaking (data that was valid is refused); Rust: unchanged"
    );
}

#[test]
fn l11_permissions_that_go_are_missed() {
    let set = |lxm: &str| {
        format!(
            r#""main": {{"type": "permission-set", "title": "T", "permissions": [
               {{"type": "permission", "resource": "rpc", "lxm": [{lxm}], "inheritAud": true}}]}}"#
        )
    };
    let evolution = evolution(&set(r#""com.example.a""#), &set(r#""com.example.a", "com.example.b""#));
    let kinds: Vec<(ChangeKind, bool)> =
        evolution.changes.iter().map(|it| (it.kind, it.network.is_breaking())).collect();
    assert_eq!(kinds, [(ChangeKind::PermissionRemoved, true), (ChangeKind::PermissionAdded, false)]);
}

#[test]
fn what_takes_the_name_of_another_in_rust_breaks_programs() {
    let record = |fields: &str| {
        format!(
            r#""main": {{"type": "record", "key": "tid", "record": {{"type": "object", "properties": {{{fields}}}}}}}"#
        )
    };
    let text = |name: &str| format!(r#""{name}": {{"type": "string"}}"#);
    let (odd, even) = (text("Seq"), text("seq"));
    let both = record(&format!("{odd}, {even}"));
    // The one in camel case has the name, whichever came first.
    assert_eq!(only(&record(&odd), &both), "field-added: compatible / breaking");
    assert_eq!(only(&record(&even), &both), "field-added: compatible / additive");

    let object = |name: &str| format!(r#""{name}": {{"type": "object", "properties": {{}}}}"#);
    let (odd, even) = (object("Item"), object("item"));
    let both = format!("{odd}, {even}");
    assert_eq!(only(&odd, &both), "definition-added: compatible / breaking");
    assert_eq!(only(&even, &both), "definition-added: compatible / additive");
    let token = r#""item": {"type": "token"}"#;
    assert_eq!(only(&odd, &format!("{odd}, {token}")), "definition-added: compatible / additive");
}

/// Documents with these NSIDs, each with a query.
fn queries(nsids: &[&str]) -> Documents {
    let text = |nsid: &&str| {
        let text = format!(r#"{{"lexicon": 1, "id": "{nsid}", "defs": {{"main": {{"type": "query"}}}}}}"#);
        (format!("{nsid}.json").into(), text)
    };
    Documents::from_sources(nsids.iter().map(text)).unwrap()
}

#[test]
fn a_new_document_that_takes_the_name_of_another_in_rust_breaks_programs() {
    let judged = |old: &[&str], added: &str| {
        let evolution = compare(&queries(old), &queries(&[old, &[added]].concat()));
        assert_eq!((evolution.changes.len(), evolution.changes[0].nsid.as_str()), (1, added), "{evolution}");
        match &evolution.changes[0].rust {
            super::RustFace::Breaking(reason) => reason.clone(),
            super::RustFace::Additive => "additive".to_owned(),
            super::RustFace::Unchanged => "unchanged".to_owned(),
        }
    };
    // The one in camel case has the name, whichever came first.
    assert_eq!(
        judged(&["com.example.getURL"], "com.example.getUrl"),
        "`com.example.getUrl` takes the name of `com.example.getURL`"
    );
    assert_eq!(judged(&["com.example.getUrl"], "com.example.getURL"), "additive");
    assert_eq!(judged(&["com.example.getUrl"], "com.example.getUri"), "additive");
    // Also in the middle of an NSID, where all below it move.
    assert_eq!(
        judged(&["com.foo-bar.one", "com.foo-bar.two"], "com.foobar.one"),
        "additive",
        "other words are other names"
    );
    assert_eq!(
        judged(&["com.x-1.thing.one", "com.x-1.two"], "com.x--1.one"),
        "`com.x--1` takes the name of `com.x-1`"
    );
    // And the accessor of a group.
    assert_eq!(
        judged(&["com.a.b.get"], "com.a-b.get"),
        "`com.a-b` takes the name of the accessor of `com.a.b`"
    );
    assert_eq!(judged(&["com.a-b.get"], "com.a.b.get"), "additive");
    // The judgement is the same if others come with it.
    let evolution = compare(
        &queries(&["com.example.getURL"]),
        &queries(&["com.example.getURL", "com.example.getUrl", "com.example.other"]),
    );
    assert_eq!(
        evolution.breaking_for_rust().map(|it| it.nsid.as_str()).collect::<Vec<_>>(),
        ["com.example.getUrl"]
    );
}

#[test]
fn l13_subscriptions_are_judged_as_what_is_generated_for_them() {
    let with = |required: &str, rest: &str| {
        format!(
            r##""main": {{"type": "subscription", "parameters": {{"type": "params", "required": [{required}],
               "properties": {{"a": {{"type": "string"}}}}}}{rest}}}, "made": {{"type": "object", "properties": {{}}}}"##
        )
    };
    let messages =
        |schema: &str| with("", &format!(r#", "message": {{"schema": {{"type": "union", {schema}}}}}"#));
    let nothing = with("", "");
    assert_eq!(only(&nothing, &with(r#""a""#, "")), "field-required: breaking / breaking");
    let failing = with("", r#", "errors": [{"name": "TooSlow"}]"#);
    assert_eq!(only(&nothing, &failing), "error-added: compatible / additive");
    assert_eq!(only(&failing, &nothing), "error-removed: compatible / breaking");

    // The enum is there before it has a variant, and is open in any case.
    let (empty, one) = (messages(r#""refs": []"#), messages(r##""refs": ["#made"]"##));
    let closed = messages(r##""refs": ["#made"], "closed": true"##);
    assert_eq!(only(&nothing, &one), "body-added: compatible / additive");
    assert_eq!(only(&one, &nothing), "body-removed: breaking / breaking");
    assert_eq!(only(&empty, &nothing), "body-removed: breaking / unchanged");
    assert_eq!(only(&empty, &one), "variant-added: compatible / additive");
    assert_eq!(only(&one, &empty), "variant-removed: breaking / breaking");
    assert_eq!(only(&one, &closed), "union-closed: breaking / unchanged");
    assert_eq!(only(&closed, &one), "union-opened: breaking / unchanged");
}

#[test]
fn changes_have_a_form_for_machines() {
    let evolution = evolution(
        &within(Within::Record, r#"{"type": "string", "maxLength": 5}"#),
        &within(Within::Record, r#"{"type": "string", "maxLength": 4}"#),
    );
    assert_eq!(
        to_pretty(&evolution.to_json()),
        r#"{
  "changes": [
    {
      "nsid": "com.example.thing",
      "def": "main",
      "path": "defs.main.record.properties.f.maxLength",
      "kind": "limit-changed",
      "mark": "~",
      "detail": "`maxLength` from 5 to 4",
      "network": {
        "effect": "breaking",
        "reason": "data that was valid is refused"
      },
      "rust": {
        "effect": "unchanged",
        "reason": null
      }
    }
  ],
  "breaking": {
    "network": 1,
    "rust": 0
  }
}
"#
    );
    assert_eq!(evolution.exit_code(), 1);
    assert_eq!(Evolution::default().exit_code(), 0);
}

#[test]
fn documents_are_read_from_files_and_folders() {
    let lexicons = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lexicons");
    let all = Documents::load(&lexicons).unwrap();
    assert!(compare(&all, &all).changes.is_empty());
    let one = Documents::load(&lexicons.join("app/bsky/feed/post.json")).unwrap();
    let gone = compare(&all, &one);
    assert!(gone.changes.iter().all(|it| it.kind == ChangeKind::DocumentRemoved));
    assert!(gone.changes.iter().all(|it| it.nsid != "app.bsky.feed.post") && gone.changes.len() > 100);
    let error = Documents::load(Path::new("/does/not/exist")).unwrap_err();
    assert!(error.to_string().contains("expected a readable file or folder"), "{error}");
}

/// What the generator degrades can be compared; a document of which nothing can be used cannot.
#[test]
fn imperfect_documents_are_compared_as_they_are_used() {
    let old = documents(&object(r#""properties": {"a": {"type": "strin"}}"#));
    let new = documents(&object(r#""properties": {"a": {"type": "strin"}, "b": {"type": "string"}}"#));
    let findings: Vec<String> = old.findings().iter().map(ToString::to_string).collect();
    assert!(findings.len() == 1 && findings[0].ends_with("(taken as `unknown`)"), "{findings:?}");
    let kinds: Vec<ChangeKind> = compare(&old, &new).changes.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [ChangeKind::FieldAdded]);
    let text = r#"{"lexicon": 2, "id": "com.example.thing", "defs": {"a": {"type": "token"}}}"#;
    assert!(Documents::from_sources([("thing.json".into(), text)]).is_err());
}

#[test]
fn texts_of_documents_cannot_pass_for_other_changes() {
    let record = |field: &str| within(Within::Record, field);
    let old = record(r#"{"type": "string", "const": "a"}"#);
    let new = record(r#"{"type": "string", "const": "b\n+ com.example.forged: all is well\u2028\u202e"}"#);
    let changes = evolution(&old, &new);
    let line = changes.changes[0].to_string();
    assert!(line.contains(r"b\n+ com.example.forged") && line.contains(r"\u{2028}\u{202e}"), "{line}");
    assert!(!line.contains(['\n', '\u{2028}', '\u{202e}']), "{line}");
}
