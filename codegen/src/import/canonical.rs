//! The one form in which documents are kept.
//!
//! Key order: `lexicon`, `id`, `revision`, `description`, `defs`; `main` before the other definitions, which keep
//! the source's order, as properties do; inside a definition the order of [`ORDER`], then keys that
//! the language does not know. Refs have no `lex:`; one into the same document is `#name`, one to another document's
//! `main` is its NSID.

use indexmap::IndexMap;

use atproto_sdk_codegen::json::{Kind, Member, Value};

/// The order of keys inside definitions, schemas, bodies, errors and permissions.
const ORDER: [&str; 43] = [
    "type",
    "name",
    "description",
    "title",
    "title:lang",
    "detail",
    "detail:lang",
    "key",
    "record",
    "parameters",
    "input",
    "output",
    "message",
    "errors",
    "permissions",
    "encoding",
    "schema",
    "ref",
    "refs",
    "closed",
    "items",
    "required",
    "nullable",
    "properties",
    "format",
    "const",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minGraphemes",
    "maxGraphemes",
    "enum",
    "knownValues",
    "accept",
    "maxSize",
    "resource",
    "collection",
    "action",
    "lxm",
    "aud",
    "inheritAud",
];

/// The members of an object that are prose: its description, and the texts that a permission set has for users.
pub(super) fn prose_keys(value: &Value) -> &'static [&'static str] {
    const KEYS: [&str; 5] = ["description", "title", "title:lang", "detail", "detail:lang"];
    let is_set = value.get("type").and_then(Value::as_str) == Some("permission-set");
    if is_set { &KEYS } else { &KEYS[..1] }
}

/// The canonical form of a document, with the descriptions of `own` where it has the same definition, and
/// how many these were.
pub fn canonical(document: &Value, own: Option<&Value>) -> (Value, usize) {
    let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
    let mut writer = Writer { id, kept: 0 };
    let mut members = IndexMap::new();
    for key in ["lexicon", "id", "revision", "description", "defs"] {
        let value = match key {
            "description" => writer.prose(key, own),
            "defs" => document.get(key).map(|defs| writer.definitions(defs, own.and_then(|it| it.get(key)))),
            _ => document.get(key).cloned(),
        };
        members.extend(value.map(|value| (key.to_owned(), Member::from(value))));
    }
    (Value::new(Kind::Object(members)), writer.kept)
}

struct Writer<'a> {
    id: &'a str,
    kept: usize,
}

impl Writer<'_> {
    fn prose(&mut self, key: &str, own: Option<&Value>) -> Option<Value> {
        let own = own?.get(key)?;
        self.kept += 1;
        Some(own.clone())
    }

    fn definitions(&mut self, value: &Value, own: Option<&Value>) -> Value {
        let Some(members) = value.as_object() else { return value.clone() };
        let mut names: Vec<&String> = members.keys().collect();
        names.sort_by_key(|name| *name != "main");
        Value::object(names.into_iter().map(|name| {
            let own = own.and_then(|it| it.get(name));
            (name.clone(), self.definition(&members[name].value, own))
        }))
    }

    fn definition(&mut self, value: &Value, own: Option<&Value>) -> Value {
        let Some(members) = value.as_object() else { return value.clone() };
        let prose = prose_keys(value);
        let mut keys: Vec<&str> =
            members.keys().map(String::as_str).filter(|key| !prose.contains(key)).collect();
        // A type's own description is inserted even where the source has none.
        keys.extend(prose);
        keys.sort_by_key(|key| ORDER.iter().position(|it| it == key).unwrap_or(ORDER.len()));
        let mut sorted = IndexMap::new();
        for key in keys {
            let value = match members.get(key) {
                _ if prose.contains(&key) => self.prose(key, own),
                Some(member) => Some(self.member(key, &member.value, own.and_then(|it| it.get(key)))),
                None => None,
            };
            sorted.extend(value.map(|value| (key.to_owned(), Member::from(value))));
        }
        Value::new(Kind::Object(sorted))
    }

    fn member(&mut self, key: &str, value: &Value, own: Option<&Value>) -> Value {
        match (key, &value.kind) {
            ("record" | "parameters" | "input" | "output" | "message" | "schema" | "items", _) => {
                self.definition(value, own)
            }
            ("properties", Kind::Object(properties)) => {
                Value::object(properties.iter().map(|(name, member)| {
                    (name.clone(), self.definition(&member.value, own.and_then(|it| it.get(name))))
                }))
            }
            ("errors" | "permissions", Kind::Array(items)) => {
                let items = items.iter().map(|item| self.definition(item, same_name(item, own))).collect();
                Value::new(Kind::Array(items))
            }
            ("ref", Kind::String(text)) => Value::string(self.reference(text)),
            ("refs", Kind::Array(refs)) => {
                let plain = |it: &Value| {
                    it.as_str().map_or_else(|| it.clone(), |text| Value::string(self.reference(text)))
                };
                Value::new(Kind::Array(refs.iter().map(plain).collect()))
            }
            _ => value.clone(),
        }
    }

    fn reference(&self, text: &str) -> String {
        let plain = text.strip_prefix("lex:").unwrap_or(text);
        let (nsid, name) = plain.split_once('#').unwrap_or((plain, "main"));
        match (nsid.is_empty() || nsid == self.id, name) {
            (true, name) => format!("#{name}"),
            (false, "main") => nsid.to_owned(),
            (false, name) => format!("{nsid}#{name}"),
        }
    }
}

/// Errors are the same when their names are.
fn same_name<'v>(item: &Value, own: Option<&'v Value>) -> Option<&'v Value> {
    let name = item.get("name")?.as_str()?;
    own?.as_array()?.iter().find(|it| it.get("name").and_then(Value::as_str) == Some(name))
}
