//! What an error says, over all error types of the workspace, as their sources define them.
//!
//! One rule: an error that another one contains is told exactly once, in the text or as the source. So whoever prints an error
//! with its causes reads nothing twice, and whoever reads the text alone misses no reason that is not a cause.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{Attribute, Fields, GenericArgument, Item, Meta, PathArguments, Type, TypeParamBound, Visibility};

/// The sources with error types. Generated code has none with fields.
const SOURCES: [&str; 6] =
    ["sdk/src", "codegen/src", "codegen/generator/src", "codegen/cli/src", "tests/src", "tests/network/src"];

/// Errors of other crates that have no causes of their own, or say them.
const WITHOUT_CAUSES: [&str; 6] =
    ["io::Error", "serde_json::Error", "toml::de::Error", "de::Error", "syn::Error", "toml_edit::TomlError"];

/// What breaks the rule on purpose, with the reason.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "SessionError::Unavailable",
    "its text has the steps of the refresh without the one that is the source",
)];

/// One kind of error: a struct, or a variant of an enum.
struct Kind {
    name: String,
    /// The arguments of `#[error(..)]`.
    text: String,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    /// The last two segments of every path in the type, such as `io::Error`.
    types: Vec<String>,
    is_source: bool,
}

#[derive(Default)]
struct Errors {
    kinds: Vec<Kind>,
    /// The names of all error types, and whether they are public.
    types: BTreeMap<String, bool>,
    by_hand: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("src/api") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn list<'a>(attributes: &'a [Attribute], name: &str) -> impl Iterator<Item = String> + 'a {
    let name = name.to_owned();
    attributes.iter().filter(move |attribute| attribute.path().is_ident(&name)).filter_map(|attribute| {
        match &attribute.meta {
            Meta::List(list) => Some(list.tokens.to_string()),
            _ => None,
        }
    })
}

fn derives_error(attributes: &[Attribute]) -> bool {
    list(attributes, "derive")
        .any(|derived| derived.split(',').any(|one| one.replace(' ', "") == "thiserror::Error"))
}

fn is_test(attributes: &[Attribute]) -> bool {
    list(attributes, "cfg").any(|cfg| cfg == "test")
}

/// The paths in a type, such as `Box`, `io::Error` and `Error` of `Box<dyn Error>`.
fn types_in(ty: &Type, found: &mut Vec<String>) {
    match ty {
        Type::Path(it) => paths_in(&it.path, found),
        Type::TraitObject(it) => {
            for bound in &it.bounds {
                if let TypeParamBound::Trait(bound) = bound {
                    paths_in(&bound.path, found);
                }
            }
        }
        Type::Reference(it) => types_in(&it.elem, found),
        _ => {}
    }
}

fn paths_in(path: &syn::Path, found: &mut Vec<String>) {
    let idents: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
    found.push(idents[idents.len().saturating_sub(2)..].join("::"));
    for segment in &path.segments {
        if let PathArguments::AngleBracketed(arguments) = &segment.arguments {
            for argument in &arguments.args {
                if let GenericArgument::Type(ty) = argument {
                    types_in(ty, found);
                }
            }
        }
    }
}

impl Errors {
    fn read() -> Self {
        let mut errors = Self::default();
        for folder in SOURCES {
            let mut files = Vec::new();
            rust_files(&root().join(folder), &mut files);
            for file in files {
                let text = fs::read_to_string(&file).unwrap();
                let parsed =
                    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                errors.collect(&parsed.items);
            }
        }
        errors
    }

    fn collect(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(it) if !is_test(&it.attrs) => {
                    self.collect(it.content.as_ref().map_or(&[][..], |(_, items)| items));
                }
                Item::Struct(it) if derives_error(&it.attrs) => {
                    self.types.insert(it.ident.to_string(), matches!(it.vis, Visibility::Public(_)));
                    self.kind(it.ident.to_string(), &it.attrs, &it.fields);
                }
                Item::Enum(it) if derives_error(&it.attrs) => {
                    self.types.insert(it.ident.to_string(), matches!(it.vis, Visibility::Public(_)));
                    for variant in &it.variants {
                        self.kind(
                            format!("{}::{}", it.ident, variant.ident),
                            &variant.attrs,
                            &variant.fields,
                        );
                    }
                }
                Item::Impl(it) => {
                    let trait_name = it.trait_.as_ref().and_then(|(path, ..)| path.segments.last());
                    if let (true, Type::Path(ty)) =
                        (trait_name.is_some_and(|it| it.ident == "Error"), &*it.self_ty)
                    {
                        self.by_hand.extend(ty.path.segments.last().map(|segment| segment.ident.to_string()));
                    }
                }
                _ => {}
            }
        }
    }

    fn kind(&mut self, name: String, attributes: &[Attribute], fields: &Fields) {
        let text = list(attributes, "error").next().unwrap_or_else(|| panic!("{name} has no text"));
        let transparent = text == "transparent";
        let fields = fields.iter().enumerate().map(|(position, field)| {
            let name = field.ident.as_ref().map_or_else(|| position.to_string(), ToString::to_string);
            let marked =
                field.attrs.iter().any(|it| it.path().is_ident("source") || it.path().is_ident("from"));
            let mut types = Vec::new();
            types_in(&field.ty, &mut types);
            let is_source = !transparent && (marked || name == "source");
            Field { name, types, is_source }
        });
        let fields = fields.collect();
        self.kinds.push(Kind { name, text, fields });
    }

    /// The error in a field, if there is one.
    fn error_in<'a>(&self, field: &'a Field) -> Option<&'a str> {
        let is_error = |ty: &&String| {
            let last = ty.rsplit("::").next().unwrap_or_default();
            last == "Error"
                || last == "TomlError"
                || self.types.contains_key(last)
                || self.by_hand.iter().any(|it| it == last)
        };
        field.types.iter().find(is_error).map(String::as_str)
    }

    /// The errors that can have a source: those with one, and those that are another error which can.
    fn with_causes(&self) -> BTreeSet<String> {
        let owner = |kind: &Kind| kind.name.split("::").next().unwrap_or_default().to_owned();
        let mut with: BTreeSet<String> =
            self.kinds.iter().filter(|kind| kind.fields.iter().any(|it| it.is_source)).map(owner).collect();
        loop {
            let more = self.kinds.iter().filter(|kind| kind.text == "transparent").filter(|kind| {
                kind.fields
                    .iter()
                    .any(|it| self.error_in(it).is_some_and(|error| may_have_causes(error, &with)))
            });
            let before = with.len();
            let more: Vec<String> = more.map(owner).collect();
            with.extend(more);
            if with.len() == before {
                return with;
            }
        }
    }
}

fn may_have_causes(error: &str, with: &BTreeSet<String>) -> bool {
    let last = error.rsplit("::").next().unwrap_or_default();
    match last {
        "Error" | "TomlError" => !WITHOUT_CAUSES.contains(&error),
        last => with.contains(last),
    }
}

/// How the text of an error mentions a field.
#[derive(Debug, PartialEq)]
enum Mention {
    No,
    /// Its own text.
    Text,
    /// Its text with those of its causes.
    Chain,
}

/// Looks for a field in `"..{field}..", arguments`.
fn mention(text: &str, field: &str) -> Mention {
    // The literals may contain escaped quotes, and arguments may contain literals; neither names fields between braces.
    let inline = [format!("{{{field}}}"), format!("{{{field}:"), format!("{{r#{field}}}")];
    let quoted: Vec<&str> = text.split('"').collect();
    let outside: String = quoted.iter().step_by(2).copied().collect::<Vec<_>>().join(" ").replace(' ', "");
    let is_word = |at: usize, length: usize| {
        let bytes = outside.as_bytes();
        let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        !at.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(word)
            && !bytes.get(at + length).is_some_and(word)
    };
    let name = if field.bytes().all(|b| b.is_ascii_digit()) { format!(".{field}") } else { field.to_owned() };
    for call in ["with_causes(", "chain("] {
        if outside.contains(&format!("{call}{name})")) || outside.contains(&format!("{call}&{name})")) {
            return Mention::Chain;
        }
    }
    let in_arguments =
        outside.match_indices(&name).any(|(at, _)| name.starts_with('.') || is_word(at, name.len()));
    let in_literal = inline.iter().any(|inline| text.contains(inline));
    if in_arguments || in_literal { Mention::Text } else { Mention::No }
}

#[test]
fn every_error_inside_another_is_told_exactly_once() {
    let errors = Errors::read();
    assert!(
        errors.kinds.len() > 250 && errors.types.len() > 60,
        "{} {}",
        errors.kinds.len(),
        errors.types.len()
    );
    let with_causes = errors.with_causes();
    let mut problems = Vec::new();
    let mut excepted = BTreeSet::new();
    for kind in errors.kinds.iter().filter(|kind| kind.text != "transparent") {
        for field in &kind.fields {
            let error = errors.error_in(field);
            let problem = match (field.is_source, mention(&kind.text, &field.name), error) {
                (true, Mention::No, _) | (false, Mention::Chain, _) => continue,
                (true, _, _) => "is in the text and the source; leave it out of one".to_owned(),
                (false, _, None) => continue,
                (false, Mention::No, Some(_)) => {
                    "is told nowhere; make it the source, or part of the text".to_owned()
                }
                (false, Mention::Text, Some(error)) if may_have_causes(error, &with_causes) => {
                    "has causes of its own, which are told nowhere; put it into the text with `with_causes`"
                        .to_owned()
                }
                (false, Mention::Text, Some(_)) => continue,
            };
            match EXCEPTIONS.iter().find(|(name, _)| *name == kind.name) {
                Some((name, _)) => drop(excepted.insert(*name)),
                None => problems.push(format!("{}: `{}` {problem}", kind.name, field.name)),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(excepted.len(), EXCEPTIONS.len(), "an exception is none anymore: {excepted:?}");
}

#[test]
fn errors_are_derived_so_that_the_rule_can_be_checked() {
    let errors = Errors::read();
    // The text of the first has all of its problem, the second is that of its cause, which is another error.
    let expected = ["DataError", "HandlerError"];
    let others: Vec<&String> =
        errors.by_hand.iter().filter(|name| !expected.contains(&name.as_str())).collect();
    assert!(others.is_empty(), "derive these with thiserror, or add them here with a reason: {others:?}");
}

#[test]
fn mentions_are_found() {
    for (text, field, expected) in [
        (r#""it failed: {source}""#, "source", Mention::Text),
        (r#""it failed: {source:?}""#, "source", Mention::Text),
        (r#""it failed: {0}""#, "0", Mention::Text),
        (r#""it failed: {}" , . 0 . display ()"#, "0", Mention::Text),
        (r#""it failed: {}" , hint (source)"#, "source", Mention::Text),
        (r#""{} failed" , with_causes (source)"#, "source", Mention::Chain),
        (r#""{} failed" , crate :: sources :: chain (. 0)"#, "0", Mention::Chain),
        (r#""the source failed""#, "source", Mention::No),
        (r#""{resource} failed" , resource_name"#, "source", Mention::No),
        (r#""{problem}" , path . display ()"#, "source", Mention::No),
    ] {
        assert_eq!(mention(text, field), expected, "{text}");
    }
}

#[test]
fn every_public_error_of_the_sdk_answers_in_a_web_handler() {
    let errors = Errors::read();
    let mut files = Vec::new();
    rust_files(&root().join("sdk/src"), &mut files);
    let in_sdk: BTreeSet<String> = files
        .iter()
        .flat_map(|file| {
            let mut errors = Errors::default();
            errors.collect(&syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items);
            errors.types.into_iter().filter(|(_, is_public)| *is_public).map(|(name, _)| name)
        })
        .collect();
    assert!(in_sdk.len() > 40, "{in_sdk:?}");
    let classified = fs::read_to_string(root().join("sdk/src/axum/classify.rs")).unwrap();
    let code: String =
        classified.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let converts = |name: &str| {
        let by_hand = code.contains(&format!("From<{name}> for HandlerError"))
            || code.contains(&format!("From<{name}<E>> for HandlerError"))
            || code.contains(&format!("From<{name}<S, E>> for HandlerError"));
        by_hand
            || code.lines().any(|line| {
                let line = line.trim_start();
                line.starts_with(&format!("{name}: ")) || line.starts_with(&format!("repo::{name}: "))
            })
    };
    let missing: Vec<&String> =
        in_sdk.iter().filter(|name| !converts(name) && *name != "HandlerError").collect();
    assert!(
        missing.is_empty(),
        "`?` does not work with these; add them to sdk/src/axum/classify.rs: {missing:?}"
    );
    assert!(
        errors.types.contains_key("HandlerError") || errors.by_hand.iter().any(|name| name == "HandlerError")
    );
}
