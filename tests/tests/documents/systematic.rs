//! Choices that are the same on every run: the least, the first, or each in its turn.

use std::collections::{BTreeMap, BTreeSet};

use atproto_sdk_codegen::json;
use serde_json::{Map, Value, json};

use super::{
    Choices, PROPERTY, Place, integer, text,
    texts::{Limits, Sample},
};

/// How many objects below each other have their optional fields.
const FULL_DEPTH: usize = 4;
/// The longest array that is filled to its limit.
const LONGEST_LIST: i64 = 1000;
/// What integers are without limits: those that JavaScript has.
const WIDEST: i64 = (1 << 53) - 1;
const PLANTED: &str = "com.example.new-";

/// Whether a field is one that no lexicon has.
pub(crate) fn is_planted(key: &str) -> bool {
    key.starts_with(PLANTED)
}

/// Makes the same choices on every run.
pub(crate) struct Systematic {
    choice: Choice,
    has_unknown_fields: bool,
    /// The strings without a format.
    texts: BTreeMap<*const json::Value, Vec<Sample>>,
    /// How often each schema with alternatives has been met.
    met: BTreeMap<*const json::Value, usize>,
    /// The greatest number of alternatives of which one was new in this series.
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

impl Systematic {
    fn new(choice: Choice) -> Self {
        Self {
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

    /// What is required and nothing else.
    pub(crate) fn least() -> Self {
        Self::new(Choice::Least)
    }

    /// Everything.
    pub(crate) fn full() -> Self {
        Self::new(Choice::First)
    }

    /// Everything, and another alternative each time.
    pub(crate) fn every() -> Self {
        Self::new(Choice::Every)
    }

    /// With fields in every object that no lexicon has.
    pub(crate) fn with_unknown_fields(mut self) -> Self {
        self.has_unknown_fields = true;
        self
    }

    /// Begins a series of examples of the same schemas.
    pub(crate) fn begin(&mut self) {
        (self.alternatives, self.last_new, self.full_depth) = (1, 0, FULL_DEPTH);
    }

    /// Whether so many examples of the series have everything that is to be seen in them: each alternative has had its turn
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

    /// Whether something stands in an example though that is deep already.
    fn goes_deeper(&self, is_new: bool) -> bool {
        is_new && self.choice == Choice::Every
    }
}

impl Choices for Systematic {
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

    fn has(&mut self, property: &json::Value, depth: usize) -> bool {
        if self.choice == Choice::Least {
            return false;
        }
        let is_new = self.seen.insert((property, PROPERTY));
        depth < self.full_depth || self.goes_deeper(is_new)
    }

    fn is_null(&mut self, property: &json::Value, is_nullable: bool, _: bool) -> bool {
        is_nullable && self.pick(property, 2) == 1
    }

    fn length(&mut self, array: &json::Value, depth: usize) -> usize {
        let items = array.get("items").unwrap();
        let least = integer(array, "minLength").unwrap_or(0);
        let most = integer(array, "maxLength").unwrap_or(i64::MAX);
        let is_scalar = !matches!(text(items, "type"), Some("ref" | "union" | "object" | "array"));
        let length = if self.choice == Choice::Least {
            least
        } else if is_scalar && most <= LONGEST_LIST && self.pick(array, 2) == 1 {
            most
        } else {
            // Two where the order is to be seen; deeper down, one is enough, and none where that has been seen.
            let is_new = self.seen.insert((items, PROPERTY));
            let is_deep = depth > self.full_depth && !self.goes_deeper(is_new);
            most.min(if depth <= 1 { 2 } else { i64::from(!is_deep) }).max(least)
        };
        usize::try_from(length).unwrap()
    }

    fn variant(&mut self, union: &json::Value, count: usize, is_closed: bool, depth: usize) -> Option<usize> {
        // One more, that nobody knows, in an open union; deep down, that one, because it ends.
        let all = count + usize::from(!is_closed);
        let is_done = (0..all).all(|chosen| self.seen.contains(&(std::ptr::from_ref(union), chosen)));
        if !is_closed && depth > self.full_depth && !self.goes_deeper(!is_done) {
            return None;
        }
        Some(self.pick(union, all)).filter(|chosen| *chosen < count)
    }

    fn known(&mut self, schema: &json::Value, count: usize) -> Option<usize> {
        Some(self.pick(schema, count + 1)).filter(|chosen| *chosen < count)
    }

    fn integer(&mut self, schema: &json::Value) -> i64 {
        let least = integer(schema, "minimum").unwrap_or(-WIDEST);
        let most = integer(schema, "maximum").unwrap_or(WIDEST);
        [17.clamp(least, most), least, most][self.pick(schema, 3)]
    }

    fn text(&mut self, schema: &json::Value) -> String {
        let texts = self.texts.entry(schema).or_insert_with(|| Limits::of(schema).valid());
        let count = texts.len();
        let chosen = self.pick(schema, count);
        self.texts[&std::ptr::from_ref(schema)][chosen].text.clone()
    }

    fn malformed(&mut self, _: &str) -> Option<&'static str> {
        None
    }

    fn bytes(&mut self, schema: &json::Value) -> Vec<u8> {
        let least = integer(schema, "minLength").unwrap_or(0);
        let most = integer(schema, "maxLength").unwrap_or(7).min(4096);
        let length = [most, least][self.pick(schema, 2)];
        (0..length).map(|number| (number * 37 % 256) as u8).collect()
    }

    fn size(&mut self, schema: &json::Value) -> i64 {
        integer(schema, "maxSize").unwrap_or(WIDEST)
    }

    fn unknown(&mut self) -> Value {
        json!({"text": "\u{20ac}", "list": [1, {"of": null}]})
    }

    fn add_unknown_fields(&mut self, object: &mut Map<String, Value>, depth: usize) {
        if self.has_unknown_fields {
            let value = json!({"a": [true, null], "$type": "com.example.new"});
            object.insert(format!("{PLANTED}{depth}"), value);
        }
    }
}
