//! How names are spelled in Rust. A new definition or value never changes the name of another one that differs from it
//! in spelling.

use std::collections::BTreeSet;

use heck::{ToLowerCamelCase, ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

use crate::document::DefId;

/// Names that a generated type must not take: the prelude's, and those of the own items of methods and subscriptions.
const RESERVED_TYPES: &[&str] = &[
    "Option",
    "Some",
    "None",
    "Result",
    "Ok",
    "Err",
    "Box",
    "String",
    "Vec",
    "Self",
    "Default",
    "Clone",
    "Copy",
    "Debug",
    "PartialEq",
    "Eq",
    "Hash",
    "Send",
    "Sync",
    "Sized",
    "Drop",
    "Fn",
    "FnMut",
    "FnOnce",
    "Iterator",
    "IntoIterator",
    "Extend",
    "From",
    "Into",
    "TryFrom",
    "TryInto",
    "AsRef",
    "AsMut",
    "ToOwned",
    "ToString",
    "FromIterator",
    "Ord",
    "PartialOrd",
    "Unpin",
    "Params",
    "Input",
    "Output",
    "Error",
    "Message",
];

/// The words that no edition takes for names, or that one of them does not.
const KEYWORDS: &[&str] = &[
    "Self", "_", "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self",
    "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Modules that generated files import.
const IMPORTED: [&str; 3] = ["api", "types", "xrpc"];

/// Words that cannot be identifiers even in raw form.
const NEVER_RAW: &[&str] = &["crate", "self", "super", "Self", "_"];

/// The order in which names that differ only in their spelling get their Rust names: lexicons are written in camel case.
pub(crate) fn by_spelling(name: &str) -> (bool, &str) {
    (name != name.to_lower_camel_case(), name)
}

/// The last segment of an NSID.
pub(crate) fn last_segment(nsid: &str) -> &str {
    nsid.rsplit('.').next().unwrap_or(nsid)
}

/// The NSID without its last segment.
pub(super) fn group(nsid: &str) -> &str {
    nsid.rsplit_once('.').map_or(nsid, |(group, _)| group)
}

/// The name itself or, if it is taken, the name with the first number that is not.
pub(super) fn free(name: String, taken: &mut BTreeSet<String>) -> String {
    if taken.insert(name.clone()) {
        return name;
    }
    let numbered =
        (2..).map(|number| format!("{name}{number}")).find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(numbered.clone());
    numbered
}

/// A type's name; reserved ones get `Def` behind them.
pub(crate) fn type_name(name: &str) -> String {
    let camel = short(safe_start(words(name).to_upper_camel_case(), "Type"));
    if RESERVED_TYPES.contains(&camel.as_str()) { format!("{camel}Def") } else { camel }
}

/// A name that rustdoc can make a file of: file systems take 255 bytes, some of which are for what the name is one of.
pub(super) fn short(mut name: String) -> String {
    // Names are made of ASCII alone.
    if let Some((end, _)) = name.char_indices().nth(200) {
        name.truncate(end);
    }
    name
}

/// Whether a type must not have this name.
pub(crate) fn is_reserved_type(name: &str) -> bool {
    RESERVED_TYPES.contains(&name) || IMPORTED.contains(&name)
}

/// A variant's name.
pub(super) fn variant_name(name: &str) -> String {
    let camel = safe_start(words(name).to_upper_camel_case(), "Value");
    // `Other` is the variant for everything else.
    if matches!(camel.as_str(), "Other" | "Self") { format!("{camel}Value") } else { camel }
}

/// A constant's name.
pub(super) fn constant_name(name: &str) -> String {
    short(safe_start(words(name).to_shouty_snake_case(), "TOKEN_"))
}

/// A name that is put together from several: what is set behind a word to make a name of it is not needed there, and two
/// underscores in a row are not in style.
pub(super) fn joined<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    names.into_iter().map(|name| name.trim_end_matches('_')).collect::<Vec<_>>().join("_")
}

/// The name of a field, a method or a module.
pub(crate) fn field_name(name: &str) -> String {
    let snake = safe_start(words(name).to_snake_case(), "field_");
    // `extra` holds the fields that the lexicon does not name.
    if snake == "extra" || NEVER_RAW.contains(&snake.as_str()) { format!("{snake}_") } else { snake }
}

/// The name of a module, which is also that of a file.
pub(super) fn module_name(name: &str) -> String {
    let module = field_name(name);
    if is_reserved_module(&module) { format!("{module}_") } else { module }
}

/// Names that a module must not have: of what generated files import, of the file that holds a folder's module, and
/// of devices, which Windows takes for no files.
pub(crate) fn is_reserved_module(name: &str) -> bool {
    let is_port = |kind: &str| {
        name.strip_prefix(kind).is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
    };
    IMPORTED.contains(&name)
        || matches!(name, "mod" | "con" | "prn" | "aux" | "nul")
        || is_port("com")
        || is_port("lpt")
}

/// Digits cannot begin a name, and a name cannot be empty.
fn safe_start(name: String, prefix: &str) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
        format!("{prefix}{name}")
    } else {
        name
    }
}

/// Signs that carry meaning in values, spelled out; anything else separates words.
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        match c {
            '!' => words.push_str(" bang "),
            '*' => words.push_str(" any "),
            '+' => words.push_str(" plus "),
            c if c.is_ascii_alphanumeric() => words.push(c),
            // Compilers warn about letters that look like others: their number is what is certain.
            c if c.is_alphanumeric() => words.push_str(&format!(" u{:x} ", u32::from(c))),
            _ => words.push(' '),
        }
    }
    words
}

/// Names for the values of a string: the part behind `#` or the last segment where these are tokens. Where two would get
/// the same name, the later one is spelled out: new values come last, and must not rename those that are there.
pub(super) fn value_names(values: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |value: &String| {
        let short = variant_name(short_value(value));
        if taken.contains(&short) { free(variant_name(value), &mut taken) } else { free(short, &mut taken) }
    };
    values.iter().map(name).collect()
}

fn short_value(value: &str) -> &str {
    let is_nsid = |text: &str| text.split('.').count() >= 3 && text.split('.').all(|part| !part.is_empty());
    match value.split_once('#') {
        Some((nsid, name)) if !name.is_empty() && (nsid.is_empty() || is_nsid(nsid)) => name,
        _ if is_nsid(value) => last_segment(value),
        _ => value,
    }
}

/// Names for the variants of a union.
///
/// The rule looks at one ref at a time, so that a new variant does not rename the others: the definition's name for
/// the document's own and for those of `defs` documents, the NSID's name for a `main`, both for the rest.
pub(super) fn variant_names(targets: &[DefId], here: &str) -> Vec<String> {
    let mut taken = BTreeSet::new();
    targets
        .iter()
        .map(|target| {
            let document = last_segment(&target.nsid);
            let wanted = if target.name == "main" {
                variant_name(document)
            } else if target.nsid == here || document == "defs" {
                variant_name(&target.name)
            } else {
                variant_name(&format!("{document} {}", target.name.to_snake_case()))
            };
            if taken.contains(&wanted) {
                let longer = variant_name(&format!("{} {}", target.nsid, target.name.to_snake_case()));
                free(longer, &mut taken)
            } else {
                free(wanted, &mut taken)
            }
        })
        .collect()
}

/// Whether a name needs `r#` to be an identifier.
pub fn is_keyword(name: &str) -> bool {
    KEYWORDS.contains(&name)
}
