#![allow(clippy::unwrap_used)]

use std::path::Path;

use crate::diagnostic::{Diagnostic, Outcome, Report, Severity};
use crate::document::{Definition, Document, Format, Permission, RecordKey, Schema, Type};

/// Parses a document and gives its findings as `error: path: message`, without the file.
fn parse(text: &str) -> (Option<Document>, Vec<String>) {
    let mut report = Report::default();
    let document = Document::parse(Path::new("x.json"), text.as_bytes(), &mut report);
    let findings = report.diagnostics.iter().map(|it| {
        let kind = if it.severity == Severity::Error { "error" } else { "warning" };
        format!("{kind}: {}: {}", it.json_path, it.problem)
    });
    let findings: Vec<String> = findings.collect();
    let left_out = report.diagnostics.iter().any(|it| it.outcome == Some(Outcome::DocumentLeftOut));
    assert_eq!(document.is_none(), left_out, "{findings:?}");
    let is_told = |it: &Diagnostic| (it.severity == Severity::Error) == it.outcome.is_some();
    assert!(report.diagnostics.iter().all(is_told), "{findings:?}");
    (document, findings)
}

fn with_defs(defs: &str) -> String {
    format!(r#"{{"lexicon": 1, "id": "com.example.thing", "defs": {{{defs}}}}}"#)
}

/// A document whose `defs` are these.
fn defs(defs: &str) -> (Option<Document>, Vec<String>) {
    parse(&with_defs(defs))
}

/// The schema of one valid property.
#[track_caller]
fn field(schema: &str) -> Schema {
    let (document, findings) =
        defs(&format!(r#""a": {{"type": "object", "properties": {{"p": {schema}}}}}"#));
    assert_eq!(findings, Vec::<String>::new());
    match document.unwrap().defs.swap_remove("a").unwrap() {
        Definition::Schema(Schema { ty: Type::Object(mut object), .. }) => {
            object.properties.swap_remove("p").unwrap()
        }
        other => panic!("{other:?}"),
    }
}

/// Asserts that a property has exactly this finding; the path is relative to the property.
#[track_caller]
fn field_fails(schema: &str, finding: &str) {
    let (_, findings) = defs(&format!(r#""a": {{"type": "object", "properties": {{"p": {schema}}}}}"#));
    let findings: Vec<String> = findings.iter().map(|it| it.replace("defs.a.properties.p", "p")).collect();
    assert_eq!(findings, [finding]);
}

/// Asserts that definitions have exactly these findings.
#[track_caller]
fn defs_fail(text: &str, expected: &[&str]) {
    let (_, findings) = defs(text);
    assert_eq!(findings, expected);
}

fn main_of(text: &str) -> Definition {
    let (document, findings) = defs(&format!("\"main\": {text}"));
    assert_eq!(findings, Vec::<String>::new());
    document.unwrap().defs.swap_remove("main").unwrap()
}

#[test]
fn l1_a_document_has_version_id_and_definitions() {
    let (document, findings) = parse(
        r#"{"$type": "com.atproto.lexicon.schema", "lexicon": 1, "id": "com.example.thing", "revision": 2,
            "description": "All.", "defs": {"b": {"type": "token"}, "a": {"type": "token", "description": "An a."}}}"#,
    );
    let document = document.unwrap();
    assert!(findings.is_empty());
    assert_eq!((document.id.as_str(), document.description.as_deref()), ("com.example.thing", Some("All.")));
    assert_eq!(document.defs.keys().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(document.defs["a"].description(), Some("An a."));
    assert_eq!(document.defs["a"].position().line, 2);

    let bad = |text: &str, expected: &[&str]| assert_eq!(parse(text).1, expected);
    bad("[]", &["error: : expected a document (an object), found an empty array"]);
    bad(
        "{}",
        &[
            "error: : expected the field `lexicon` in a document, found none",
            "error: : expected the field `id` in a document, found none",
            "error: : expected the field `defs` in a document, found none",
        ],
    );
    bad(
        r#"{"lexicon": 2, "id": "example", "defs": {}}"#,
        &[
            "error: lexicon: expected the Lexicon version 1, found 2",
            "error: id: expected an NSID such as `com.example.thing`, found \"example\"",
            "error: defs: expected at least one definition, found an empty object",
        ],
    );
    bad(
        r#"{"lexicon": "1", "id": 3, "defs": {"9": {"type": "token"}}}"#,
        &[
            "error: lexicon: expected the Lexicon version 1, found \"1\"",
            "error: id: expected a string, found 3",
            "error: defs.9: expected a name of letters, digits and `_` that begins with a letter, found `9`",
        ],
    );
}

#[test]
fn l1_primary_types_only_as_main() {
    assert!(main_of(r#"{"type": "query"}"#).is_primary());
    assert!(!main_of(r#"{"type": "token"}"#).is_primary());
    defs_fail(
        r#""main": {"type": "query"}, "other": {"type": "procedure"}"#,
        &["error: defs.other.type: expected a primary type only as `main`, found `procedure` as `other`"],
    );
}

#[test]
fn l1_unknown_types_list_what_is_expected() {
    defs_fail(
        r#""main": {"type": "qurey"}"#,
        &["error: defs.main.type: expected the type `record`, `query`, `procedure`, `subscription`, \
           `permission-set`, `boolean`, `integer`, `string`, `bytes`, `cid-link`, `blob`, `array`, `object` or \
           `token`, found \"qurey\"; did you mean `query`?"],
    );
    field_fails(
        r#"{"type": "strnig"}"#,
        "error: p.type: expected the type `boolean`, `integer`, `string`, `bytes`, `cid-link`, `blob`, `array`, \
         `object`, `ref`, `union` or `unknown`, found \"strnig\"; did you mean `string`?",
    );
    field_fails(r#"{"typ": "string"}"#, "error: p: expected the field `type` in a schema, found none");
    field_fails(r#""string""#, "error: p: expected a schema (an object), found \"string\"");
}

#[test]
fn l2_definitions_that_may_not_be_named_give_a_warning() {
    let (document, findings) = defs(
        r##""a": {"type": "unknown"}, "b": {"type": "ref", "ref": "#c"}, "c": {"type": "union", "refs": []},
           "d": {"type": "params", "properties": {}}, "e": {"type": "permission", "resource": "repo"},
           "f": {"type": "array", "items": {"type": "string"}}"##,
    );
    let loose = |name: &str, ty: &str| {
        format!(
            "warning: defs.{name}: expected a type that may be a definition of its own, found `{ty}` (L2; taken as it is)"
        )
    };
    assert_eq!(
        findings[..4],
        [loose("a", "unknown"), loose("b", "ref"), loose("c", "union"), loose("d", "params")]
    );
    assert!(findings[4].ends_with("found `permission` (L2; left out)") && findings.len() == 5);
    let document = document.unwrap();
    assert_eq!(document.defs.keys().collect::<Vec<_>>(), ["a", "b", "c", "d", "f"]);
}

#[test]
fn l3_every_field_type_is_read() {
    let types = [
        ("boolean", r#"{"type": "boolean", "default": true}"#),
        ("integer", r#"{"type": "integer", "const": 3}"#),
        ("string", r#"{"type": "string"}"#),
        ("bytes", r#"{"type": "bytes", "minLength": 1, "maxLength": 2}"#),
        ("cid-link", r#"{"type": "cid-link"}"#),
        ("blob", r#"{"type": "blob"}"#),
        ("array", r#"{"type": "array", "items": {"type": "array", "items": {"type": "unknown"}}}"#),
        ("object", r#"{"type": "object", "properties": {"q": {"type": "object", "properties": {}}}}"#),
        ("ref", r##"{"type": "ref", "ref": "#a"}"##),
        ("union", r##"{"type": "union", "refs": ["#a"], "closed": true}"##),
        ("unknown", r#"{"type": "unknown", "description": "Any."}"#),
    ];
    for (name, text) in types {
        assert_eq!(field(text).ty.name(), name);
    }
    assert_eq!(field(types[10].1).description.as_deref(), Some("Any."));
    assert_eq!(main_of(r#"{"type": "token"}"#).description(), None);
    field_fails(
        r#"{"type": "token"}"#,
        "error: p.type: expected the type `boolean`, `integer`, `string`, `bytes`, `cid-link`, `blob`, `array`, \
         `object`, `ref`, `union` or `unknown`, found \"token\"",
    );
    field_fails(r#"{"type": "array"}"#, "error: p: expected the field `items` in an array, found none");
    field_fails(
        r#"{"type": "object"}"#,
        "error: p: expected the field `properties` in an object, found none",
    );
}

#[test]
fn l3_required_and_nullable_name_properties() {
    let schema = field(
        r#"{"type": "object", "required": ["b", "a"], "nullable": ["b"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}"#,
    );
    let Type::Object(object) = schema.ty else { panic!() };
    assert!(object.is_required("a") && object.is_nullable("b") && !object.is_nullable("a"));
    assert_eq!(object.properties.keys().collect::<Vec<_>>(), ["a", "b"]);
    field_fails(
        r#"{"type": "object", "required": ["crusor"], "properties": {"cursor": {"type": "string"}}}"#,
        "error: p.required[0]: expected the name of one of the properties, found \"crusor\"; did you mean `cursor`?",
    );
    field_fails(
        r#"{"type": "object", "nullable": ["z"], "properties": {"cursor": {"type": "string"}}}"#,
        "error: p.nullable[0]: expected the name of one of the properties, found \"z\"",
    );
    field_fails(
        r#"{"type": "object", "required": ["a", "a"], "properties": {"a": {"type": "string"}}}"#,
        "warning: p.required[1]: expected every entry once, found \"a\" again (ignored)",
    );
    field_fails(
        r#"{"type": "object", "properties": {"$type": {"type": "string"}}}"#,
        "error: p.properties.$type: expected a name that does not begin with `$`, found `$type`",
    );
}

#[test]
fn l3_default_and_const_exclude_each_other_and_have_the_right_type() {
    for ty in [
        r#""boolean", "default": true, "const": true"#,
        r#""integer", "default": 1, "const": 1"#,
        r#""string", "default": "", "const": """#,
    ] {
        field_fails(
            &format!(r#"{{"type": {ty}}}"#),
            "error: p: expected either `default` or `const`, found both",
        );
    }
    field_fails(
        r#"{"type": "boolean", "default": "x"}"#,
        "error: p.default: expected true or false, found \"x\"",
    );
    field_fails(r#"{"type": "string", "const": null}"#, "error: p.const: expected a string, found null");
    field_fails(
        r#"{"type": "integer", "default": 1.0}"#,
        "error: p.default: expected an integer (64 bits, without fraction or exponent), found 1.0",
    );
    field_fails(
        r#"{"type": "integer", "const": 9223372036854775808}"#,
        "error: p.const: expected an integer (64 bits, without fraction or exponent), found 9223372036854775808",
    );
}

#[test]
fn l4_strings() {
    let schema = field(
        r#"{"type": "string", "format": "language", "default": "de", "minLength": 1, "maxLength": 9,
            "minGraphemes": 2, "maxGraphemes": 3, "knownValues": ["de", "en"], "enum": ["de", "en"]}"#,
    );
    let Type::String(text) = schema.ty else { panic!() };
    assert_eq!((text.format, text.default.as_deref()), (Some(Format::Language), Some("de")));
    assert_eq!((text.min_length, text.max_length), (Some(1), Some(9)));
    assert_eq!((text.min_graphemes, text.max_graphemes), (Some(2), Some(3)));
    assert_eq!((text.known_values.len(), text.allowed.len()), (2, 2));
    for format in Format::ALL {
        field(&format!(r#"{{"type": "string", "format": "{}"}}"#, format.as_str()));
    }
    field_fails(
        r#"{"type": "string", "format": "date-time"}"#,
        "error: p.format: expected the format `at-identifier`, `at-uri`, `cid`, `datetime`, `did`, `handle`, `nsid`, \
         `tid`, `record-key`, `uri` or `language`, found \"date-time\"; did you mean `datetime`?",
    );
    let bad = [
        (
            r#""minLength": 3, "maxLength": 2"#,
            "p.minLength: expected `minLength` of at most `maxLength` (2), found 3",
        ),
        (
            r#""minGraphemes": 3, "maxGraphemes": 2"#,
            "p.minGraphemes: expected `minGraphemes` of at most `maxGraphemes` (2), found 3",
        ),
        (r#""maxLength": -1"#, "p.maxLength: expected an integer of at least 0, found -1"),
        (
            r#""default": "ü", "maxLength": 1"#,
            "p.default: expected at most 1 bytes (`maxLength`), found \"ü\"",
        ),
        (r#""const": "a", "minLength": 2"#, "p.const: expected at least 2 bytes (`minLength`), found \"a\""),
        (
            r#""default": "abc", "maxGraphemes": 2"#,
            "p.default: expected at most 2 graphemes (`maxGraphemes`), found \"abc\"",
        ),
        (
            r#""default": "ü", "minGraphemes": 2"#,
            "p.default: expected at least 2 graphemes (`minGraphemes`), found \"ü\"",
        ),
        (
            r#""default": "c", "enum": ["a", "b"]"#,
            "p.default: expected one of the values in `enum` (`a` or `b`), found \"c\"",
        ),
        (r#""enum": ["a", 1]"#, "p.enum[1]: expected a string, found 1"),
        (r#""enum": []"#, "p.enum: expected at least one value in `enum`, found an empty array"),
        (
            r#""format": "did", "default": "me""#,
            "p.default: expected a value of the format `did`, found \"me\"",
        ),
        (
            r#""format": "datetime", "const": "2020-01-01""#,
            "p.const: expected a value of the format `datetime`, found \"2020-01-01\"",
        ),
        (
            r#""format": "at-uri", "const": "at://me""#,
            "p.const: expected a value of the format `at-uri`, found \"at://me\"",
        ),
        (r#""knownValues": "a""#, "p.knownValues: expected an array, found \"a\""),
    ];
    for (fields, finding) in bad {
        field_fails(&format!(r#"{{"type": "string", {fields}}}"#), &format!("error: {finding}"));
    }
    // An open set does not limit the default.
    field(r#"{"type": "string", "default": "c", "knownValues": ["a"]}"#);
    field(r#"{"type": "string", "format": "at-uri", "default": "at://did:plc:abc/com.example.a/b"}"#);
    field(r#"{"type": "string", "format": "uri", "default": "https://example.com"}"#);
}

#[test]
fn l5_integers() {
    let Type::Integer(integer) =
        field(r#"{"type": "integer", "minimum": -5, "maximum": 5, "enum": [1, 2], "default": 2}"#).ty
    else {
        panic!()
    };
    assert_eq!((integer.minimum, integer.maximum, integer.default), (Some(-5), Some(5), Some(2)));
    assert_eq!(integer.allowed, [1, 2]);
    let bad = [
        (
            r#""minimum": 2, "maximum": 1"#,
            "error: p.minimum: expected `minimum` of at most `maximum` (1), found 2",
        ),
        (
            r#""minimum": 2, "default": 1"#,
            "error: p.default: expected a value of at least 2 (`minimum`), found 1",
        ),
        (r#""maximum": 2, "const": 3"#, "error: p.const: expected a value of at most 2 (`maximum`), found 3"),
        (
            r#""maximum": 2, "enum": [1, 3]"#,
            "error: p.enum[1]: expected a value of at most 2 (`maximum`), found 3",
        ),
        (r#""enum": [1], "const": 3"#, "error: p.const: expected one of the values in `enum`, found 3"),
        (r#""enum": [1, 1]"#, "warning: p.enum[1]: expected every entry once, found 1 again (ignored)"),
    ];
    for (fields, finding) in bad {
        field_fails(&format!(r#"{{"type": "integer", {fields}}}"#), finding);
    }
}

#[test]
fn l5_lengths_and_blobs() {
    let Type::Blob(blob) =
        field(r#"{"type": "blob", "accept": ["image/*", "*/*", "video/mp4"], "maxSize": 1000}"#).ty
    else {
        panic!()
    };
    assert_eq!((blob.accept.len(), blob.max_size), (3, Some(1000)));
    field_fails(
        r#"{"type": "blob", "accept": ["image"]}"#,
        "error: p.accept[0]: expected a MIME type or a pattern such as `image/*` or `*/*`, found \"image\"",
    );
    field_fails(
        r#"{"type": "blob", "maxSize": "1"}"#,
        "error: p.maxSize: expected an integer of at least 0, found \"1\"",
    );
    field_fails(
        r#"{"type": "bytes", "minLength": 2, "maxLength": 1}"#,
        "error: p.minLength: expected `minLength` of at most `maxLength` (1), found 2",
    );
    field_fails(
        r#"{"type": "array", "items": {"type": "string"}, "minLength": 2, "maxLength": 1}"#,
        "error: p.minLength: expected `minLength` of at most `maxLength` (1), found 2",
    );
}

#[test]
fn l6_unions() {
    let Type::Union(union) = field(r#"{"type": "union", "refs": []}"#).ty else { panic!() };
    assert!(union.refs.is_empty() && !union.closed);
    field_fails(
        r#"{"type": "union", "refs": [], "closed": true}"#,
        "error: p.refs: expected at least one ref in a closed union, found an empty array",
    );
    field_fails(r#"{"type": "union"}"#, "error: p: expected the field `refs` in a union, found none");
    field_fails(
        r##"{"type": "union", "refs": ["#a", "#a"]}"##,
        "warning: p.refs[1]: expected every entry once, found \"#a\" again (ignored)",
    );
}

#[test]
fn l8_record_keys() {
    let key = |key: &str| {
        let record = r#"{"type": "object", "description": "In it.", "properties": {}}"#;
        match main_of(&format!(r#"{{"type": "record", "key": "{key}", "record": {record}}}"#)) {
            Definition::Record(record) => (record.key, record.object_description),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(key("tid"), (RecordKey::Tid, Some("In it.".to_owned())));
    assert_eq!((key("nsid").0, key("any").0), (RecordKey::Nsid, RecordKey::Any));
    assert_eq!(key("literal:self").0, RecordKey::Literal("self".to_owned()));
    for bad in ["literal:", "literal:a/b", "literal:..", "uuid", ""] {
        defs_fail(
            &format!(
                r#""main": {{"type": "record", "key": "{bad}", "record": {{"type": "object", "properties": {{}}}}}}"#
            ),
            &[&format!(
                "error: defs.main.key: expected the record key `tid`, `nsid`, `any` or `literal:<record key>`, found \"{bad}\""
            )],
        );
    }
    defs_fail(
        r#""main": {"type": "record", "record": {"type": "string"}}"#,
        &[
            "error: defs.main: expected the field `key` in a record, found none",
            "error: defs.main.record.type: expected the type `object`, found \"string\"",
        ],
    );
}

#[test]
fn l9_forms_of_refs() {
    let reference = |text: &str| match field(&format!(r#"{{"type": "ref", "ref": "{text}"}}"#)).ty {
        Type::Ref(reference) => (reference.nsid.clone(), reference.name.clone(), reference.to_string()),
        other => panic!("{other:?}"),
    };
    let foreign = |name: &str| (Some("com.example.other".to_owned()), name.to_owned());
    assert_eq!(reference("#a"), (None, "a".to_owned(), "#a".to_owned()));
    for text in ["com.example.other", "lex:com.example.other", "com.example.other#main"] {
        let (nsid, name, shown) = reference(text);
        assert_eq!(((nsid, name), shown.as_str()), (foreign("main"), "com.example.other"));
    }
    for text in ["com.example.other#x", "lex:com.example.other#x"] {
        let (nsid, name, shown) = reference(text);
        assert_eq!(((nsid, name), shown.as_str()), (foreign("x"), "com.example.other#x"));
    }
    for bad in
        ["", "#", "a", "lex:#a", "com.example.other#", "com.example.other#a#b", "com.example#a", "#a-b"]
    {
        field_fails(
            &format!(r#"{{"type": "ref", "ref": "{bad}"}}"#),
            &format!(
                "error: p.ref: expected a ref of the form `#name`, `nsid` or `nsid#name`, found \"{bad}\""
            ),
        );
    }
}

#[test]
fn l10_unknown_fields_give_a_warning_with_a_suggestion() {
    field_fails(
        r#"{"type": "string", "maxLenght": 3}"#,
        "warning: p.maxLenght: expected only fields of a string, found the unknown field `maxLenght` (ignored); \
         did you mean `maxLength`?",
    );
    field_fails(
        r#"{"type": "boolean", "required": true}"#,
        "warning: p.required: expected only fields of a boolean, found the unknown field `required` (ignored)",
    );
    assert!(
        parse(r#"{"lexicon": 1, "id": "com.example.a", "x": 1, "defs": {"a": {"type": "token"}}}"#)
            .0
            .is_some()
    );
}

#[test]
fn params_hold_only_what_a_query_string_can() {
    let query = |properties: &str| {
        format!(
            r#""main": {{"type": "query", "parameters": {{"type": "params", "required": ["a"], "properties": {{"a": {properties}}}}}}}"#
        )
    };
    for good in ["boolean", "integer", "string", "unknown"] {
        assert!(defs(&query(&format!(r#"{{"type": "{good}"}}"#))).1.is_empty());
        assert!(defs(&query(&format!(r#"{{"type": "array", "items": {{"type": "{good}"}}}}"#))).1.is_empty());
    }
    defs_fail(
        &query(r#"{"type": "object", "properties": {}}"#),
        &[
            "error: defs.main.parameters.properties.a.type: expected the type `boolean`, `integer`, `string`, `unknown` \
           or `array`, found \"object\"",
        ],
    );
    defs_fail(
        &query(r#"{"type": "array", "items": {"type": "array", "items": {"type": "string"}}}"#),
        &[
            "error: defs.main.parameters.properties.a.items.type: expected the type `boolean`, `integer`, `string` or \
           `unknown`, found \"array\"",
        ],
    );
    defs_fail(
        r#""main": {"type": "query", "parameters": {"type": "object"}}"#,
        &[
            "error: defs.main.parameters.type: expected the type `params`, found \"object\"",
            "error: defs.main.parameters: expected the field `properties` in params, found none",
        ],
    );
}

#[test]
fn bodies_and_errors() {
    let text = r##"{"type": "procedure", "description": "Do.", "parameters": {"type": "params", "properties": {}},
        "input": {"encoding": "*/*", "description": "Bytes."},
        "output": {"encoding": "application/json", "schema": {"type": "ref", "ref": "#main"}},
        "errors": [{"name": "A", "description": "When."}, {"name": "B"}]}"##;
    let Definition::Procedure(procedure) = main_of(text) else { panic!() };
    assert_eq!(procedure.input.as_ref().unwrap().description.as_deref(), Some("Bytes."));
    assert_eq!(procedure.output.as_ref().unwrap().schema.as_ref().unwrap().ty.name(), "ref");
    assert_eq!((procedure.errors.len(), procedure.parameters.is_some()), (2, true));
    defs_fail(
        r#""main": {"type": "query", "output": {"encoding": "json", "schema": {"type": "string"}},
            "errors": [{"name": "A b"}, {"name": "C"}, {"name": "C"}, {}], "input": {"encoding": "a/b"}}"#,
        &[
            "warning: defs.main.input: expected only fields of a query, found the unknown field `input` (ignored)",
            "error: defs.main.output.encoding: expected a MIME type or a pattern such as `application/json`, `image/*` \
             or `*/*`, found \"json\"",
            "error: defs.main.output.schema.type: expected the type `object`, `ref` or `union`, found \"string\"",
            "error: defs.main.errors[0].name: expected the name of an error, without spaces, found \"A b\"",
            "warning: defs.main.errors[2]: expected every entry once, found the error `C` again (ignored)",
            "error: defs.main.errors[3]: expected the field `name` in an error, found none",
        ],
    );
}

#[test]
fn l11_permission_sets() {
    let text = r#"{"type": "permission-set", "title": "T", "title:lang": {"de": "Titel"}, "detail": "D", "permissions": [
        {"type": "permission", "resource": "repo", "collection": ["com.example.a"], "action": ["create", "delete"]},
        {"type": "permission", "resource": "rpc", "lxm": ["com.example.b"], "inheritAud": true}]}"#;
    let Definition::PermissionSet(set) = main_of(text) else { panic!() };
    assert_eq!((set.title.as_deref(), set.detail.as_deref()), (Some("T"), Some("D")));
    assert_eq!(set.title_by_language["de"], "Titel");
    let repo = Permission::Repo {
        collection: vec!["com.example.a".to_owned()],
        action: vec!["create".to_owned(), "delete".to_owned()],
    };
    let rpc = Permission::Rpc { lxm: vec!["com.example.b".to_owned()], aud: None, inherit_aud: true };
    assert_eq!(set.permissions, [repo, rpc]);

    let set =
        |permission: &str| format!(r#""main": {{"type": "permission-set", "permissions": [{permission}]}}"#);
    defs_fail(
        &set(r#"{"type": "permission", "resource": "blob", "accept": ["*/*"]}"#),
        &[
            "warning: defs.main.permissions[0]: expected the resource `repo` or `rpc`, found `blob` (permission ignored)",
        ],
    );
    defs_fail(
        &set(r#"{"type": "permission", "resource": "repo", "collection": ["x"], "action": ["read"]}"#),
        &[
            "error: defs.main.permissions[0].collection[0]: expected an NSID, found \"x\"",
            "error: defs.main.permissions[0].action[0]: expected the action `create`, `update` or `delete`, found \"read\"",
        ],
    );
    defs_fail(
        &set(
            r#"{"type": "permission", "resource": "rpc", "lxm": ["com.example.b"], "aud": "*", "inheritAud": true}"#,
        ),
        &["error: defs.main.permissions[0]: expected either `aud` or `inheritAud`, found both"],
    );
    defs_fail(
        &set(r#"{"type": "permission", "resource": "rpc"}"#),
        &[
            "error: defs.main.permissions[0]: expected the field `lxm` in an rpc permission, found none",
            "warning: defs.main.permissions[0]: expected `aud` or `inheritAud` in an rpc permission, found neither (used as it stands)",
        ],
    );
    defs_fail(
        r#""main": {"type": "permission-set"}"#,
        &["error: defs.main: expected the field `permissions` in a permission set, found none"],
    );
}

#[test]
fn l13_subscription_messages_are_unions() {
    let text = r##"{"type": "subscription", "message": {"description": "M.", "schema": {"type": "union", "refs": ["#a", "#b"]}}}"##;
    let Definition::Subscription(subscription) = main_of(text) else { panic!() };
    let message = subscription.message.unwrap();
    assert_eq!((message.schema.refs.len(), message.description.as_deref()), (2, Some("M.")));
    defs_fail(
        r#""main": {"type": "subscription", "message": {"schema": {"type": "object", "properties": {}}}}"#,
        &["error: defs.main.message.schema.type: expected the type `union`, found \"object\""],
    );
    defs_fail(
        r#""main": {"type": "subscription", "message": {}}"#,
        &["error: defs.main.message: expected the field `schema` in `message`, found none"],
    );
}

#[test]
fn l14_a_subscription_may_name_its_subprotocol() {
    let named = |subprotocol: &str| {
        let mut report = Report::default();
        let text =
            with_defs(&format!(r##""main": {{"type": "subscription", "subprotocol": {subprotocol}}}"##));
        let document =
            Document::parse(Path::new("com/example/a.json"), text.as_bytes(), &mut report).unwrap();
        let Some(Definition::Subscription(main)) = document.defs.get("main") else { panic!() };
        let found: Vec<String> = report.diagnostics.iter().map(ToString::to_string).collect();
        (main.subprotocol.clone(), found)
    };
    for name in ["xrpc.v0.cbor", "xrpc.v1.json", "xrpc.v1.cbor"] {
        assert_eq!(named(&format!("{name:?}")), (Some(name.to_owned()), Vec::new()));
    }
    let place = "warning: com/example/a.json:1:100: defs.main.subprotocol: ";
    let expected = "expected the subprotocol `xrpc.v0.cbor`, `xrpc.v1.json` or `xrpc.v1.cbor`, found";
    for (subprotocol, text, end) in [
        (
            r#""xrpc.v2.json""#,
            Some("xrpc.v2.json"),
            r#""xrpc.v2.json" (ignored); did you mean `xrpc.v1.json`?"#,
        ),
        (r#""json""#, Some("json"), r#""json" (ignored)"#),
        (r#"["xrpc.v1.json"]"#, None, "an array (ignored)"),
    ] {
        let (name, found) = named(subprotocol);
        assert_eq!(name.as_deref(), text);
        assert_eq!(found, [format!("{place}{expected} {end}")]);
    }
}

#[test]
fn findings_name_file_line_column_and_path() {
    let mut report = Report::default();
    let text = "{\"lexicon\": 1, \"id\": \"com.example.a\",\n \"defs\": {\"main\": {\"type\": \"query\", \"output\": {\"encoding\": \"application/json\",\n  \"schema\": {\"type\": \"object\", \"properties\": {\n    \"cursor\": {\"type\": \"strin\"}}}}}}}";
    Document::parse(Path::new("com/example/a.json"), text.as_bytes(), &mut report);
    let shown = report.diagnostics[0].to_string();
    assert!(
        shown.starts_with("error: com/example/a.json:4:24: defs.main.output.schema.properties.cursor.type: expected the type"),
        "{shown}"
    );
    let mut report = Report::default();
    assert!(Document::parse(Path::new("a.json"), b"{\n\"lexicon\" 1}", &mut report).is_none());
    assert_eq!(report.diagnostics[0].to_string(), "error: a.json:2:11: expected `:`, found `1`");
}

/// Whatever a file holds, reading it ends with findings.
#[test]
fn damaged_documents_never_panic() {
    let text = with_defs(
        r##""main": {"type": "procedure", "input": {"encoding": "a/b", "schema": {"type": "union", "refs": ["#é"], "closed": true}},
            "errors": [{"name": "A"}], "parameters": {"type": "params", "required": ["a"], "properties": {"a": {"type": "array",
            "items": {"type": "integer", "enum": [1], "default": 1, "minimum": -1}}}}}, "p": {"type": "permission-set",
            "title:lang": {"de": "x"}, "permissions": [{"type": "permission", "resource": "rpc", "lxm": ["a"], "aud": "*"}]},
            "s": {"type": "string", "format": "datetime", "const": "2020-01-01T00:00:00Z", "enum": ["é"], "maxGraphemes": 2}"##,
    );
    let mut report = Report::default();
    for end in 0..text.len() {
        Document::parse(Path::new("x"), &text.as_bytes()[..end], &mut report);
        for replacement in *b"0{[\"-x\xff\\" {
            let mut bytes = text.clone().into_bytes();
            bytes[end] = replacement;
            Document::parse(Path::new("x"), &bytes, &mut report);
        }
    }
    // Every value in turn becomes one of another kind.
    let starts: Vec<usize> = text.match_indices(": ").map(|(at, _)| at + 2).collect();
    for start in starts {
        let length = text[start..].find([',', '}']).unwrap();
        for other in ["null", "1", "\"\"", "[]", "{}", "[null]", "{\"type\": 1}", "1.5", "true"] {
            let changed = format!("{}{other}{}", &text[..start], &text[start + length..]);
            Document::parse(Path::new("x"), changed.as_bytes(), &mut report);
        }
    }
    assert!(report.error_count() > 1000);
}
