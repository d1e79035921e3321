//! Choices at random, which a seed makes the same every time.

use atproto_sdk_codegen::json;
use serde_json::{Map, Value, json};

use super::{
    Choices,
    examples::{blob, bytes},
    integer,
    texts::{formatted, malformed},
};

/// Numbers that a seed makes the same every time (splitmix64).
pub(crate) struct Random {
    state: u64,
    is_valid: bool,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x1234_5678, is_valid: true }
    }

    /// Chooses what is common in the wild and not valid, too.
    pub(crate) fn with_invalid(self) -> Self {
        Self { is_valid: false, ..self }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    fn characters(&mut self, most: u64) -> String {
        (0..self.below(most)).map(|_| *self.one(&CHARACTERS)).collect()
    }

    fn some_bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// Any value of the data model.
    fn anything(&mut self, depth: u32) -> Value {
        match self.below(if depth < 3 { 9 } else { 7 }) {
            0 => Value::Null,
            1 => self.chance(50).into(),
            2 => {
                let small = self.below(600) as i64 - 300;
                (*self.one(&[0, -1, i64::MIN, i64::MAX, 1 << 53, small])).into()
            }
            3 => self.characters(8).into(),
            4 => bytes(&self.some_bytes(20)),
            5 => json!({"$link": self.one(formatted("cid"))}),
            6 => blob("image/png", self.below(1 << 40) as i64),
            7 => (0..self.below(4)).map(|_| self.anything(depth + 1)).collect(),
            _ => {
                let mut map = Map::new();
                for _ in 0..self.below(4) {
                    map.insert(self.characters(4), self.anything(depth + 1));
                }
                if self.chance(30) {
                    map.insert("$type".to_owned(), "com.example.new#thing".into());
                }
                map.into()
            }
        }
    }
}

const CHARACTERS: [&str; 12] = ["a", "Z", " ", "0", "\"", "\\", "\n", "ü", "水", "👩‍🚀", "\u{1}", "é"];

impl Choices for Random {
    fn pick(&mut self, _: &json::Value, count: usize) -> usize {
        self.below(count as u64) as usize
    }

    fn has(&mut self, _: &json::Value, depth: usize) -> bool {
        depth < 6 && self.chance(60 / (depth as u64 + 1))
    }

    fn is_null(&mut self, _: &json::Value, is_nullable: bool, is_required: bool) -> bool {
        // Also where the lexicon does not allow it: that is seen all the same, and kept.
        let is_possible = is_nullable || (!self.is_valid && !is_required);
        is_possible && self.chance(if is_nullable { 20 } else { 7 })
    }

    fn length(&mut self, array: &json::Value, depth: usize) -> usize {
        let least = integer(array, "minLength").unwrap_or(0) as u64;
        let most = integer(array, "maxLength").map_or(3, |most| most as u64).min(least + 3);
        let more = if depth > 5 { 0 } else { self.below(most - least + 1) };
        (least + more) as usize
    }

    fn variant(&mut self, _: &json::Value, count: usize, is_closed: bool, depth: usize) -> Option<usize> {
        let is_foreign = !is_closed && (count == 0 || depth > 6 || self.chance(20));
        (!is_foreign).then(|| self.below(count as u64) as usize)
    }

    fn known(&mut self, _: &json::Value, count: usize) -> Option<usize> {
        self.chance(70).then(|| self.below(count as u64) as usize)
    }

    fn integer(&mut self, schema: &json::Value) -> i64 {
        let least = integer(schema, "minimum").unwrap_or(-500);
        let most = integer(schema, "maximum").unwrap_or(1 << 40);
        least.saturating_add(self.below((most - least).unsigned_abs() + 1) as i64)
    }

    fn text(&mut self, schema: &json::Value) -> String {
        let limit = |key| integer(schema, key).map(|limit| limit as u64);
        let most = limit("maxGraphemes").unwrap_or(60).min(limit("maxLength").unwrap_or(600) / 25).max(1);
        let made = self.characters(most);
        let least = limit("minGraphemes").or(limit("minLength")).unwrap_or(0) as usize;
        if made.chars().filter(|c| c.is_alphanumeric()).count() < least { "x".repeat(least) } else { made }
    }

    fn malformed(&mut self, format: &str) -> Option<&'static str> {
        (!self.is_valid && self.chance(30)).then(|| malformed(format))
    }

    fn bytes(&mut self, schema: &json::Value) -> Vec<u8> {
        let least = integer(schema, "minLength").unwrap_or(0) as u64;
        let most = integer(schema, "maxLength").map_or(40, |most| most as u64).min(40);
        let more = self.some_bytes(most.saturating_sub(least));
        [vec![7; least as usize], more].concat()
    }

    fn size(&mut self, schema: &json::Value) -> i64 {
        self.below(integer(schema, "maxSize").unwrap_or(1 << 30) as u64 + 1) as i64
    }

    fn unknown(&mut self) -> Value {
        let mut map = Map::new();
        map.insert("a".to_owned(), self.anything(0));
        self.add_unknown_fields(&mut map, 0);
        map.into()
    }

    fn add_unknown_fields(&mut self, object: &mut Map<String, Value>, _: usize) {
        if self.chance(30) {
            for number in 0..=self.below(3) {
                let start = *self.one(&["", "x.y-", "a much longer name than the others ", "\u{fc}"]);
                object.insert(format!("{start}new{number}"), self.anything(0));
            }
        }
    }
}
