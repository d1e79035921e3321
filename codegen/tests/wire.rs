//! The calls that are generated for the wire tests.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;

use atproto_sdk_codegen::catalog::Catalog;
use codegen::wire;

/// The generated files, by name.
fn files(documents: &[(&str, &str)]) -> Vec<(String, String)> {
    let dir = tempfile::tempdir().unwrap();
    for (id, defs) in documents {
        let file = dir.path().join(id.replace('.', "/")).with_extension("json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!(r#"{{"lexicon": 1, "id": "{id}", "defs": {{{defs}}}}}"#)).unwrap();
    }
    let files = wire::files(&Catalog::load(dir.path()).unwrap()).unwrap();
    files.into_iter().map(|file| (file.path.display().to_string(), file.text)).collect()
}

/// What stands behind the head of the file of this name.
fn body(files: &[(String, String)], name: &str) -> String {
    let (_, text) = files.iter().find(|(path, _)| path == name).unwrap();
    text.split_once("use crate::typed::*;\n").unwrap().1.to_owned()
}

#[test]
fn a_procedure_is_called_with_the_constructor_and_the_setters_of_its_input() {
    let files = files(&[(
        "com.example.shop.order",
        r##""main": {
            "type": "procedure",
            "input": {"encoding": "application/json", "schema": {
                "type": "object", "required": ["version", "type", "address"], "nullable": ["note"],
                "properties": {
                    "address": {"type": "union", "refs": ["#street"], "closed": true},
                    "note": {"type": "string"},
                    "type": {"type": "string", "knownValues": ["gift", "own"]},
                    "version": {"type": "integer", "const": 2},
                    "size": {"type": "integer"}
                }
            }},
            "errors": [{"name": "OutOfStock"}]
        },
        "street": {"type": "object", "properties": {"name": {"type": "string"}}}"##,
    )]);
    assert_eq!(
        body(&files, "com_example_shop.rs"),
        r#"
object! {
    api::com::example::shop::order::Input;
    new("type" as api::com::example::shop::order::InputType, "address" as api::com::example::shop::order::InputAddress)
    constant("version" => version)
    set("note" => note as types::Nullable<String>, "size" => size as i64)
}

union! {
    api::com::example::shop::order::InputAddress, closed;
    "com.example.shop.order#street" => Street,
}

object! {
    api::com::example::shop::order::Street;
    set("name" => name as String)
}

strings! {
    api::com::example::shop::order::InputType, open;
    "gift" => Gift,
    "own" => Own,
}

group! { api::com::example::shop::ComExampleShop, com_example_shop }

pub(super) const METHODS: &[Method] = &[
    method! {
        "com.example.shop.order", api::com::example::shop::order::Order, empty, single;
        |from, given| from.order(given.input()?);
        "OutOfStock" => OutOfStock,
    },
];
"#
    );
}

#[test]
fn parameters_are_an_argument_only_if_one_of_them_is_required_and_bytes_have_a_type() {
    let listing = |required: &str| {
        format!(
            r#""main": {{
                "type": "query",
                "parameters": {{"type": "params", "required": [{required}],
                    "properties": {{"shop": {{"type": "string", "format": "did"}}, "cursor": {{"type": "string"}}}}}},
                "output": {{"encoding": "application/json", "schema": {{"type": "object", "required": ["items"],
                    "properties": {{"cursor": {{"type": "string"}},
                        "items": {{"type": "array", "items": {{"type": "string"}}}}}}}}}}
            }}"#
        )
    };
    let upload = |encoding: &str| {
        format!(
            r#""main": {{"type": "procedure", "input": {{"encoding": "{encoding}"}},
                "output": {{"encoding": "image/png"}}}}"#
        )
    };
    let files = files(&[
        ("com.example.shop.list", &listing("")),
        ("com.example.shop.over", &listing(r#""shop""#)),
        ("com.example.shop.type", &upload("*/*")),
        ("com.example.shop.upload", &upload("image/gif")),
    ]);
    let text = body(&files, "com_example_shop.rs");
    for line in [
        r#""com.example.shop.list", api::com::example::shop::list::List, json, paginated;"#,
        "|from, given| from.list().params(given.params()?);",
        "|from, given| from.over_(given.params()?);",
        r#""com.example.shop.type", api::com::example::shop::r#type::Type, raw, single;"#,
        "|from, given| given.with_type(from.r#type(given.bytes()));",
        "|from, given| from.upload(given.bytes());",
    ] {
        assert!(text.lines().any(|it| it.trim() == line), "{line}\n{text}");
    }
}

#[test]
fn types_that_several_groups_use_are_made_once_and_every_file_is_in_the_list() {
    let method = |name: &str| {
        format!(
            r#""main": {{"type": "query", "output": {{"encoding": "application/json",
                "schema": {{"type": "ref", "ref": "com.example.defs#{name}"}}}}}}"#
        )
    };
    let files = files(&[
        (
            "com.example.defs",
            r#""view": {"type": "object", "properties": {"a": {"type": "string"}}}, "unused": {"type": "object", "properties": {}}"#,
        ),
        ("com.example.one.get", &method("view")),
        ("com.example.two.get", &method("view")),
    ]);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["mod.rs", "com_example.rs", "com_example_one.rs", "com_example_two.rs"]);
    assert_eq!(
        body(&files, "com_example.rs"),
        "\nobject! {\n    api::com::example::defs::View;\n    assign(\"a\" => a)\n}\n"
    );
    let list = &files[0].1;
    assert!(list.contains("mod com_example;\nmod com_example_one;\nmod com_example_two;\n"), "{list}");
    assert!(list.contains("    com_example_one::METHODS,\n    com_example_two::METHODS,\n];"), "{list}");
}
