//! Example values, made from the documents: the same ones on every run.

use std::collections::{BTreeMap, BTreeSet};

use atproto_sdk_codegen::json;
use serde_json::{Map, Value, json};

use crate::{
    lexicons::{Lexicons, PROPERTY, Place, Target, integer, members, scalar, text, texts},
    texts::{Limits, Sample, format_of, formatted},
};

/// How many objects below each other have their optional fields.
const FULL_DEPTH: usize = 4;
/// The longest array that is filled to its limit.
const LONGEST_LIST: i64 = 1000;
/// What integers are without limits: those that JavaScript has.
const WIDEST: i64 = (1 << 53) - 1;

/// Makes values.
pub(crate) struct Examples<'l> {
    lexicons: &'l Lexicons,
    choice: Choice,
    has_unknown_fields: bool,
    /// The strings without a format.
    texts: BTreeMap<*const json::Value, Vec<Sample>>,
    /// How often each schema with alternatives has been met.
    met: BTreeMap<*const json::Value, usize>,
    /// The greatest number of alternatives that a schema has of which one was new to the method at hand.
    alternatives: usize,
    /// Whether the example at hand has an alternative that no other one had.
    is_new: bool,
    /// The number of the last example that had.
    last_new: usize,
    full_depth: usize,
    /// The properties and alternatives so far.
    pub(crate) seen: BTreeSet<Place>,
}

/// What is chosen where there are alternatives: known values, variants, limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// The first one, and no optional fields.
    Least,
    /// The first one.
    First,
    /// One after another, and what has not been chosen yet before what has.
    Every,
}

impl<'l> Examples<'l> {
    fn new(lexicons: &'l Lexicons, choice: Choice) -> Self {
        Self {
            lexicons,
            choice,
            has_unknown_fields: false,
            texts: BTreeMap::new(),
            met: BTreeMap::new(),
            alternatives: 0,
            is_new: false,
            last_new: 0,
            full_depth: FULL_DEPTH,
            seen: BTreeSet::new(),
        }
    }

    /// Values with what is required and nothing else.
    pub(crate) fn least(lexicons: &'l Lexicons) -> Self {
        Self::new(lexicons, Choice::Least)
    }

    /// Values with everything.
    pub(crate) fn full(lexicons: &'l Lexicons) -> Self {
        Self::new(lexicons, Choice::First)
    }

    /// Values with everything, of which each is another one.
    pub(crate) fn every(lexicons: &'l Lexicons) -> Self {
        Self::new(lexicons, Choice::Every)
    }

    /// With fields in every object that no lexicon has.
    pub(crate) fn with_unknown_fields(mut self) -> Self {
        self.has_unknown_fields = true;
        self
    }

    /// Values of the same documents with what is required and nothing else.
    pub(crate) fn to_least(&self) -> Self {
        Self { has_unknown_fields: self.has_unknown_fields, ..Self::least(self.lexicons) }
    }

    /// Begins with another method.
    pub(crate) fn begin_method(&mut self) {
        (self.alternatives, self.last_new, self.full_depth) = (1, 0, FULL_DEPTH);
    }

    /// Whether so many examples of a method have everything that is to be seen in them: each alternative has had its turn
    /// since something new was met. The examples after the first round reach further down.
    pub(crate) fn are_enough(&mut self, count: usize) -> bool {
        if std::mem::take(&mut self.is_new) {
            self.last_new = count;
        }
        if count >= self.alternatives {
            self.full_depth = FULL_DEPTH + 1;
        }
        count >= self.last_new + self.alternatives
    }

    fn pick(&mut self, schema: &json::Value, count: usize) -> usize {
        if self.choice != Choice::Every {
            return 0;
        }
        let schema: *const json::Value = schema;
        let met = self.met.entry(schema).or_default();
        let new = (0..count).find(|chosen| !self.seen.contains(&(schema, *chosen)));
        let chosen = new.unwrap_or(*met % count);
        *met += 1;
        if new.is_some() {
            self.alternatives = self.alternatives.max(count);
            self.seen.insert((schema, chosen));
            self.is_new = true;
        }
        chosen
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
            return scalar(&allowed[self.pick(schema, allowed.len())]);
        }
        match text(schema, "type").unwrap_or_default() {
            "boolean" => (self.pick(schema, 2) == 0).into(),
            "integer" => {
                let least = integer(schema, "minimum").unwrap_or(-WIDEST);
                let most = integer(schema, "maximum").unwrap_or(WIDEST);
                [17.clamp(least, most), least, most][self.pick(schema, 3)].into()
            }
            "string" => self.string(schema).into(),
            "bytes" => {
                let least = integer(schema, "minLength").unwrap_or(0);
                let most = integer(schema, "maxLength").unwrap_or(7).min(4096);
                bytes([most, least][self.pick(schema, 2)])
            }
            "cid-link" => json!({"$link": formatted("cid")[self.pick(schema, 2)]}),
            "blob" => {
                let accepted = texts(schema, "accept");
                let accepted = if accepted.is_empty() { vec!["*/*"] } else { accepted };
                let mime = accepted[self.pick(schema, accepted.len())];
                let size = integer(schema, "maxSize").unwrap_or(WIDEST);
                blob(&mime.replace("*/*", "audio/ogg").replace('*', "x-example"), size)
            }
            "array" => self.list(schema, nsid, depth),
            "object" | "params" => self.object(schema, nsid, depth).into(),
            "ref" => {
                let reference = text(schema, "ref").unwrap_or_default();
                self.target(reference, nsid, depth)
            }
            "union" => self.union(schema, nsid, depth),
            "token" => panic!("{nsid}: a token is no type"),
            "unknown" => json!({"$type": "com.example.thing", "text": "\u{20ac}", "list": [1, {"of": null}]}),
            other => panic!("{nsid}: there are no examples of {other}"),
        }
    }

    fn string(&mut self, schema: &json::Value) -> String {
        let known = texts(schema, "knownValues");
        if !known.is_empty() {
            // A set of known values is open.
            let at = self.pick(schema, known.len() + 1);
            return known.get(at).map_or("something.else#entirely", |text| *text).to_owned();
        }
        if let Some(format) = format_of(schema) {
            let values = formatted(format);
            return values[self.pick(schema, values.len())].to_owned();
        }
        let texts = self.texts.entry(schema).or_insert_with(|| Limits::of(schema).valid());
        let count = texts.len();
        let chosen = self.pick(schema, count);
        self.texts[&std::ptr::from_ref(schema)][chosen].text.clone()
    }

    fn list(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Value {
        let items = schema.get("items").unwrap();
        let least = integer(schema, "minLength").unwrap_or(0);
        let most = integer(schema, "maxLength").unwrap_or(i64::MAX);
        let is_scalar = !matches!(text(items, "type"), Some("ref" | "union" | "object" | "array"));
        let length = if self.choice == Choice::Least {
            least
        } else if is_scalar && most <= LONGEST_LIST && self.pick(schema, 2) == 1 {
            most
        } else {
            // Two where the order is to be seen; deeper down, one is enough, and none where that has been seen.
            let is_new = self.seen.insert((items, PROPERTY));
            let wanted =
                if depth <= 1 { 2 } else { i64::from(depth <= self.full_depth || self.goes_deeper(is_new)) };
            most.min(wanted).max(least)
        };
        (0..length).map(|_| self.at(items, nsid, depth)).collect()
    }

    fn object(&mut self, schema: &'l json::Value, nsid: &'l str, depth: usize) -> Map<String, Value> {
        let (required, nullable) = (texts(schema, "required"), texts(schema, "nullable"));
        let mut object = Map::new();
        for (key, property) in schema.get("properties").into_iter().flat_map(members) {
            let is_new = self.choice != Choice::Least && self.seen.insert((property, PROPERTY));
            let is_wanted =
                self.choice != Choice::Least && (depth < self.full_depth || self.goes_deeper(is_new));
            if !required.contains(&key) && !is_wanted {
                continue;
            }
            let is_null = nullable.contains(&key) && self.pick(schema, 2) == 1;
            let value = if is_null { Value::Null } else { self.at(property, nsid, depth + 1) };
            object.insert(key.to_owned(), value);
        }
        if self.has_unknown_fields && text(schema, "type") == Some("object") {
            object
                .insert(format!("{PLANTED}{depth}"), json!({"a": [true, null], "$type": "com.example.new"}));
        }
        object
    }

    /// Whether something stands in an example though that is deep already.
    fn goes_deeper(&self, is_new: bool) -> bool {
        is_new && self.choice == Choice::Every
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
        let is_closed = matches!(schema.get("closed").map(|it| &it.kind), Some(json::Kind::Bool(true)));
        // One more, that nobody knows, in an open union; deep down, that one, because it ends.
        let all = refs.len() + usize::from(!is_closed);
        let is_done = (0..all).all(|chosen| self.seen.contains(&(std::ptr::from_ref(schema), chosen)));
        let chosen = if !is_closed && depth > self.full_depth && !self.goes_deeper(!is_done) {
            refs.len()
        } else {
            self.pick(schema, all)
        };
        let Some(reference) = refs.get(chosen) else {
            return json!({"$type": "com.example.unheard#of", "inside": {"a": 1}});
        };
        let mut variant = self.target(reference, nsid, depth);
        variant["$type"] = full_name(reference, nsid).into();
        variant
    }
}

/// The name of a definition in `$type` (L6): without `#main`.
pub(crate) fn full_name(reference: &str, nsid: &str) -> String {
    if reference.starts_with('#') { format!("{nsid}{reference}") } else { reference.to_owned() }
}

const PLANTED: &str = "com.example.new-";

/// Whether a field is one that no lexicon has.
pub(crate) fn is_planted(key: &str) -> bool {
    key.starts_with(PLANTED)
}

/// Bytes in JSON (D2): base64 without padding. Three bytes of zeros are four letters.
pub(crate) fn bytes(length: i64) -> Value {
    let length = usize::try_from(length).unwrap();
    let letters = length / 3 * 4 + [0, 2, 3][length % 3];
    json!({"$bytes": "A".repeat(letters)})
}

/// A blob in JSON (D2).
pub(crate) fn blob(mime_type: &str, size: i64) -> Value {
    let link = "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy";
    json!({"$type": "blob", "ref": {"$link": link}, "mimeType": mime_type, "size": size})
}
