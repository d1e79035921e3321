//! Values made from the documents. What is chosen where there is a choice is decided elsewhere.

use atproto_sdk_codegen::json;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use serde_json::{Map, Value, json};

use super::{
    Lexicons, Target, members, scalar, text, texts,
    texts::{format_of, formatted},
};

/// What decides where a document leaves a choice. `depth` is the number of objects around the place.
pub(crate) trait Choices {
    /// One of `count` alternatives, which are numbered from 0.
    fn pick(&mut self, schema: &json::Value, count: usize) -> usize;
    /// Whether a property that is not required is there.
    fn has(&mut self, property: &json::Value, depth: usize) -> bool;
    /// Whether a property is `null`.
    fn is_null(&mut self, property: &json::Value, is_nullable: bool, is_required: bool) -> bool;
    /// How many elements an array has.
    fn length(&mut self, array: &json::Value, depth: usize) -> usize;
    /// The variant of a union with `count` variants, or `None` for one that is none of them.
    fn variant(&mut self, union: &json::Value, count: usize, is_closed: bool, depth: usize) -> Option<usize>;
    /// One of the known values of a string, or `None` for another string.
    fn known(&mut self, schema: &json::Value, count: usize) -> Option<usize>;
    fn integer(&mut self, schema: &json::Value) -> i64;
    /// A string without a format.
    fn text(&mut self, schema: &json::Value) -> String;
    /// A string in the place of one of a format, if it is not to be valid.
    fn malformed(&mut self, format: &str) -> Option<&'static str>;
    fn bytes(&mut self, schema: &json::Value) -> Vec<u8>;
    /// The size of a blob.
    fn size(&mut self, schema: &json::Value) -> i64;
    /// An `unknown`, without its `$type`.
    fn unknown(&mut self) -> Value;
    /// Adds fields that no lexicon has.
    fn add_unknown_fields(&mut self, object: &mut Map<String, Value>, depth: usize);
}

/// Makes values.
pub(crate) struct Examples<'l, C> {
    pub(crate) lexicons: &'l Lexicons,
    pub(crate) choices: C,
}

impl<'l, C: Choices> Examples<'l, C> {
    pub(crate) fn new(lexicons: &'l Lexicons, choices: C) -> Self {
        Self { lexicons, choices }
    }

    /// A value of a definition, such as `app.bsky.feed.defs#postView`. Records have their `$type`.
    pub(crate) fn definition(&mut self, id: &'l str) -> Value {
        self.target(id, id, 0)
    }

    /// A value of the schema, which stands in the document `nsid`.
    pub(crate) fn value(&mut self, schema: &'l json::Value, nsid: &'l str) -> Value {
        self.at(schema, nsid, 0)
    }

    fn at(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Value {
        assert!(depth < 30, "{nsid}: an example has no end");
        if let Some(constant) = schema.get("const") {
            return scalar(constant);
        }
        if let Some(allowed) = schema.get("enum").and_then(json::Value::as_array) {
            return scalar(&allowed[self.choices.pick(schema, allowed.len())]);
        }
        match text(schema, "type").unwrap_or_default() {
            "boolean" => (self.choices.pick(schema, 2) == 0).into(),
            "integer" => self.choices.integer(schema).into(),
            "string" => self.string(schema).into(),
            "bytes" => bytes(&self.choices.bytes(schema)),
            "cid-link" => json!({"$link": formatted("cid")[self.choices.pick(schema, 2)]}),
            "blob" => {
                let accepted = texts(schema, "accept");
                let accepted = if accepted.is_empty() { vec!["*/*"] } else { accepted };
                let mime = accepted[self.choices.pick(schema, accepted.len())];
                blob(&mime.replace("*/*", "audio/ogg").replace('*', "x-example"), self.choices.size(schema))
            }
            "array" => self.list(schema, nsid, depth),
            "object" | "params" => self.object(schema, nsid, depth).into(),
            "ref" => {
                let reference = text(schema, "ref").unwrap_or_default();
                self.target(reference, nsid, depth)
            }
            "union" => self.union(schema, nsid, depth),
            "token" => panic!("{nsid}: a token is no type"),
            "unknown" => {
                let mut value = self.choices.unknown();
                value["$type"] = "com.example.thing".into();
                value
            }
            other => panic!("{nsid}: there are no examples of {other}"),
        }
    }

    fn string(&mut self, schema: &json::Value) -> String {
        let known = texts(schema, "knownValues");
        if !known.is_empty() {
            // A set of known values is open.
            let chosen = self.choices.known(schema, known.len());
            return chosen.map_or("something.else#entirely", |chosen| known[chosen]).to_owned();
        }
        let Some(format) = format_of(schema) else { return self.choices.text(schema) };
        let values = formatted(format);
        let chosen = self.choices.pick(schema, values.len());
        self.choices.malformed(format).unwrap_or(values[chosen]).to_owned()
    }

    fn list(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Value {
        let items = schema.get("items").unwrap();
        (0..self.choices.length(schema, depth)).map(|_| self.at(items, nsid, depth)).collect()
    }

    fn object(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Map<String, Value> {
        let (required, nullable) = (texts(schema, "required"), texts(schema, "nullable"));
        let mut object = Map::new();
        for (key, property) in schema.get("properties").into_iter().flat_map(members) {
            let is_required = required.contains(&key);
            let is_there = self.choices.has(property, depth);
            if self.choices.is_null(property, nullable.contains(&key), is_required) {
                object.insert(key.to_owned(), Value::Null);
            } else if is_there || is_required {
                object.insert(key.to_owned(), self.at(property, nsid, depth + 1));
            }
        }
        if text(schema, "type") == Some("object") {
            self.choices.add_unknown_fields(&mut object, depth);
        }
        object
    }

    fn target(&mut self, reference: &str, nsid: &'l str, depth: usize) -> Value {
        let Target { nsid: home, schema, is_record } = self.lexicons.resolve(reference, nsid);
        match text(schema, "type") {
            Some("token") => full_name(reference, nsid).into(),
            _ if is_record => {
                // A record says what it is wherever it stands (L7).
                let mut record = self.object(schema, home, depth);
                record.insert("$type".to_owned(), full_name(reference, nsid).into());
                record.into()
            }
            _ => self.at(schema, home, depth),
        }
    }

    fn union(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Value {
        let refs = texts(schema, "refs");
        let Some(chosen) = self.choices.variant(schema, refs.len(), is_closed(schema), depth) else {
            let mut foreign = self.choices.unknown();
            foreign["$type"] = "com.example.unheard#of".into();
            return foreign;
        };
        let mut variant = self.target(refs[chosen], nsid, depth);
        variant["$type"] = full_name(refs[chosen], nsid).into();
        variant
    }
}

/// Whether a union has no other variants than those of its document.
pub(super) fn is_closed(union: &json::Value) -> bool {
    matches!(union.get("closed").map(|it| &it.kind), Some(json::Kind::Bool(true)))
}

/// The name of a definition in `$type` (L6): without `#main`.
pub(super) fn full_name(reference: &str, nsid: &str) -> String {
    if reference.starts_with('#') { format!("{nsid}{reference}") } else { reference.to_owned() }
}

/// Bytes in JSON (D2).
pub(super) fn bytes(bytes: &[u8]) -> Value {
    json!({"$bytes": STANDARD_NO_PAD.encode(bytes)})
}

/// A blob in JSON (D2).
pub(super) fn blob(mime_type: &str, size: i64) -> Value {
    json!({"$type": "blob", "ref": {"$link": formatted("cid")[1]}, "mimeType": mime_type, "size": size})
}
