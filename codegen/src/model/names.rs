//! Rust names for NSIDs, definitions, fields and values. The same documents give the same names, whatever the order in
//! which they are read; a new definition never changes the name of another one that differs from it in spelling.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use heck::{ToShoutySnakeCase, ToSnakeCase, ToUpperCamelCase};

use crate::{
    catalog::Catalog,
    document::{DefId, Definition, Type},
};

/// Names that a generated type must not take: the prelude's, and those of the method's own items.
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

/// Words that cannot be identifiers even in raw form.
const NEVER_RAW: &[&str] = &["crate", "self", "super", "Self", "_"];

/// Chosen names of modules and definitions.
#[derive(Debug)]
pub struct Names {
    modules: HashMap<String, Vec<String>>,
    definitions: HashMap<DefId, String>,
}

impl Names {
    /// Chooses names for everything in the catalog.
    pub fn choose(catalog: &Catalog) -> Self {
        let modules = module_paths(catalog);
        let mut definitions = HashMap::new();
        for document in catalog.documents() {
            let mut taken = BTreeSet::new();
            // `main` comes first: its name is the NSID's, and other documents point to it most.
            let mut names: Vec<&String> = document.defs.keys().collect();
            names.sort_by_key(|name| (*name != "main", is_token(document.defs.get(*name))));
            for name in names {
                let wanted = if name == "main" { last_segment(&document.id) } else { name };
                let id = DefId { nsid: document.id.clone(), name: name.clone() };
                let chosen = if is_token(document.defs.get(name)) {
                    free(wanted.to_shouty_snake_case(), &mut taken)
                } else {
                    let wanted = type_name(wanted);
                    let named = if taken.contains(&wanted) { format!("{wanted}Def") } else { wanted };
                    free(named, &mut taken)
                };
                definitions.insert(id, chosen);
            }
        }
        Self { modules, definitions }
    }

    /// The path of a document's module below `api`.
    pub fn module(&self, nsid: &str) -> Vec<String> {
        self.modules.get(nsid).cloned().unwrap_or_default()
    }

    /// The name of a definition's type or constant.
    pub fn definition(&self, id: &DefId) -> String {
        self.definitions.get(id).cloned().unwrap_or_else(|| type_name(&id.name))
    }

    /// The names that are taken in a document's module.
    pub fn taken(&self, nsid: &str) -> BTreeSet<String> {
        let taken = self.definitions.iter().filter(|(id, _)| id.nsid == nsid).map(|(_, name)| name.clone());
        taken.chain(["Params", "Input", "Output", "Error", "Message"].map(str::to_owned)).collect()
    }
}

fn is_token(definition: Option<&Definition>) -> bool {
    matches!(definition, Some(Definition::Schema(schema)) if schema.ty == Type::Token)
}

/// The last segment of an NSID.
pub(super) fn last_segment(nsid: &str) -> &str {
    nsid.rsplit('.').next().unwrap_or(nsid)
}

/// The NSID without its last segment.
pub(super) fn group(nsid: &str) -> &str {
    nsid.rsplit_once('.').map_or(nsid, |(group, _)| group)
}

/// Module paths, unique even where two names differ only in a way that snake case does not show.
fn module_paths(catalog: &Catalog) -> HashMap<String, Vec<String>> {
    let mut segments: BTreeMap<Vec<String>, String> = BTreeMap::new();
    let mut taken: HashMap<Vec<String>, BTreeSet<String>> = HashMap::new();
    let mut paths = HashMap::new();
    for document in catalog.documents() {
        let mut path = Vec::new();
        let mut source = Vec::new();
        for segment in document.id.split('.') {
            source.push(segment.to_owned());
            let chosen = segments.entry(source.clone()).or_insert_with(|| {
                let siblings = taken.entry(path.clone()).or_default();
                free(field_name(segment), siblings)
            });
            path.push(chosen.clone());
        }
        paths.insert(document.id.clone(), path);
    }
    paths
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
pub(super) fn type_name(name: &str) -> String {
    let camel = safe_start(words(name).to_upper_camel_case(), "Type");
    if RESERVED_TYPES.contains(&camel.as_str()) { format!("{camel}Def") } else { camel }
}

/// A variant's name.
pub(super) fn variant_name(name: &str) -> String {
    let camel = safe_start(words(name).to_upper_camel_case(), "Value");
    // `Other` is the variant for everything else.
    if matches!(camel.as_str(), "Other" | "Self") { format!("{camel}Value") } else { camel }
}

/// The name of a field, a method or a module.
pub(super) fn field_name(name: &str) -> String {
    let snake = safe_start(words(name).to_snake_case(), "field_");
    // `extra` holds the fields that the lexicon does not name.
    if snake == "extra" || NEVER_RAW.contains(&snake.as_str()) { format!("{snake}_") } else { snake }
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
            _ => words.push(' '),
        }
    }
    words
}

/// Names for the values of a string: the part behind `#` or the last segment where these are tokens, unless two would
/// get the same name; then those of other documents are spelled out.
pub(super) fn value_names(values: &[String], here: &str) -> Vec<String> {
    let short: Vec<String> = values.iter().map(|value| variant_name(short_value(value))).collect();
    let mut taken = BTreeSet::new();
    let mut names = vec![String::new(); values.len()];
    let alone = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    let is_here = |value: &String| value.split_once('#').is_some_and(|(nsid, _)| nsid == here);
    for keeps_short in [true, false] {
        for (at, value) in values.iter().enumerate() {
            if (alone(&short[at]) || is_here(value)) == keeps_short {
                let wanted = if keeps_short { short[at].clone() } else { variant_name(value) };
                names[at] = free(wanted, &mut taken);
            }
        }
    }
    names
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
    syn::parse_str::<syn::Ident>(name).is_err()
}
