//! Documents made at random from the lexicons.

use std::collections::BTreeMap;

use atproto_sdk::types::{Blob, Bytes, Cid, Value};
use atproto_sdk_codegen::{
    catalog::Catalog,
    document::{DefId, Definition, Format, Object, Text, Type, Union},
};

/// Numbers that a seed makes the same every time (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x1234_5678)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
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

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

const CHARACTERS: [&str; 12] = ["a", "Z", " ", "0", "\"", "\\", "\n", "ü", "水", "👩‍🚀", "\u{1}", "é"];

/// Makes documents; `is_valid` leaves out what is common in the wild and not valid.
pub(crate) struct Documents<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) random: &'a mut Random,
    pub(crate) is_valid: bool,
}

impl Documents<'_> {
    pub(crate) fn record(&mut self, id: &DefId) -> Value {
        let Value::Map(mut map) = self.definition(id) else { panic!("{id} is a map") };
        map.insert("$type".to_owned(), Value::from(id.to_string()));
        Value::Map(map)
    }

    pub(crate) fn definition(&mut self, id: &DefId) -> Value {
        self.at_depth(id, 0)
    }

    fn at_depth(&mut self, id: &DefId, depth: u32) -> Value {
        match self.catalog.definition(id) {
            Some(Definition::Record(record)) => self.object(&record.object, &id.nsid, depth),
            Some(Definition::Schema(schema)) => match &schema.ty {
                Type::Token => Value::from(id.to_string()),
                ty => self.value(ty, &id.nsid, depth),
            },
            _ => panic!("{id} is no data"),
        }
    }

    fn object(&mut self, object: &Object, nsid: &str, depth: u32) -> Value {
        let mut map = BTreeMap::new();
        for (key, schema) in &object.properties {
            let present =
                object.is_required(key) || (depth < 6 && self.random.chance(60 / (depth as u64 + 1)));
            if !present {
                // Not allowed by the lexicon, seen all the same, and kept.
                if !self.is_valid && !object.is_required(key) && self.random.chance(10) {
                    map.insert(key.clone(), Value::Null);
                }
                continue;
            }
            let value = if object.is_nullable(key) && self.random.chance(30) {
                Value::Null
            } else {
                self.value(&schema.ty, nsid, depth + 1)
            };
            map.insert(key.clone(), value);
        }
        self.add_unknown_fields(&mut map);
        Value::Map(map)
    }

    /// Fields that no lexicon names.
    fn add_unknown_fields(&mut self, map: &mut BTreeMap<String, Value>) {
        if self.random.chance(30) {
            for number in 0..=self.random.below(3) {
                let name = format!(
                    "{}new{number}",
                    self.random.pick(&["", "x.y-", "a much longer name than the others ", "ü"])
                );
                let value = self.anything(0);
                map.insert(name, value);
            }
        }
    }

    /// Any value of the data model.
    fn anything(&mut self, depth: u32) -> Value {
        match self.random.below(if depth < 3 { 9 } else { 7 }) {
            0 => Value::Null,
            1 => Value::Boolean(self.random.chance(50)),
            2 => {
                let small = self.random.below(600) as i64 - 300;
                Value::Integer(*self.random.pick(&[0, -1, i64::MIN, i64::MAX, 1 << 53, small]))
            }
            3 => Value::Text(self.characters(8)),
            4 => Value::Bytes(self.bytes(20)),
            5 => Value::Link(self.cid()),
            6 => self.blob("image/png", 1 << 40),
            7 => Value::List((0..self.random.below(4)).map(|_| self.anything(depth + 1)).collect()),
            _ => {
                let mut map = BTreeMap::new();
                for _ in 0..self.random.below(4) {
                    map.insert(self.characters(4), self.anything(depth + 1));
                }
                if self.random.chance(30) {
                    map.insert("$type".to_owned(), Value::from("com.example.new#thing"));
                }
                Value::Map(map)
            }
        }
    }

    fn characters(&mut self, most: u64) -> String {
        (0..self.random.below(most)).map(|_| *self.random.pick(&CHARACTERS)).collect()
    }

    fn bytes(&mut self, most: u64) -> Bytes {
        let length = self.random.below(most + 1);
        Bytes::from((0..length).map(|_| self.random.below(256) as u8).collect::<Vec<u8>>())
    }

    fn cid(&mut self) -> Cid {
        Cid::of_cbor(&self.random.next().to_le_bytes())
    }

    fn blob(&mut self, mime_type: &str, most: u64) -> Value {
        let cid = Cid::of_raw(&self.random.next().to_le_bytes());
        let size = self.random.below(most + 1);
        Blob::new(cid, mime_type, size).into()
    }

    pub(crate) fn value(&mut self, ty: &Type, nsid: &str, depth: u32) -> Value {
        match ty {
            Type::Boolean(it) => Value::Boolean(it.constant.unwrap_or_else(|| self.random.chance(50))),
            Type::Integer(it) => {
                let (least, most) = (it.minimum.unwrap_or(-500), it.maximum.unwrap_or(1 << 40));
                let any = least.saturating_add(self.random.below((most - least).unsigned_abs() + 1) as i64);
                let allowed = (!it.allowed.is_empty()).then(|| *self.random.pick(&it.allowed));
                Value::Integer(it.constant.or(allowed).unwrap_or(any))
            }
            Type::String(text) => Value::Text(self.text(text)),
            Type::Bytes(it) => {
                let (least, most) = (it.min_length.unwrap_or(0), it.max_length.unwrap_or(40).min(40));
                let more = self.bytes(most.saturating_sub(least));
                Value::Bytes(Bytes::from([vec![7; least as usize], more.to_vec()].concat()))
            }
            Type::CidLink => Value::Link(self.cid()),
            Type::Blob(it) => {
                let mime = it.accept.first().map_or("video/mp4", String::as_str).replace('*', "png");
                self.blob(&mime, it.max_size.unwrap_or(1 << 30))
            }
            Type::Array(it) => {
                let least = it.min_length.unwrap_or(0);
                let most = it.max_length.unwrap_or(3).min(least + 3);
                let more = if depth > 5 { 0 } else { self.random.below(most - least + 1) };
                Value::List((0..least + more).map(|_| self.value(&it.items.ty, nsid, depth + 1)).collect())
            }
            Type::Object(object) => self.object(object, nsid, depth),
            Type::Ref(reference) => {
                let target = reference.resolve(nsid);
                let value = self.at_depth(&target, depth + 1);
                match (self.catalog.definition(&target), value) {
                    // A record says what it is wherever it stands (L7).
                    (Some(Definition::Record(_)), Value::Map(mut map)) => {
                        map.insert("$type".to_owned(), Value::from(target.to_string()));
                        Value::Map(map)
                    }
                    (_, value) => value,
                }
            }
            Type::Union(union) => self.union(union, nsid, depth),
            Type::Token => Value::from("com.example.token"),
            Type::Unknown | Type::Params(_) => {
                let mut map = BTreeMap::from([("a".to_owned(), self.anything(0))]);
                self.add_unknown_fields(&mut map);
                Value::Map(map)
            }
        }
    }

    fn union(&mut self, union: &Union, nsid: &str, depth: u32) -> Value {
        let is_object = |target: &DefId| match self.catalog.definition(target) {
            Some(Definition::Record(_)) => true,
            Some(Definition::Schema(schema)) => matches!(schema.ty, Type::Object(_)),
            _ => false,
        };
        let targets: Vec<DefId> =
            union.refs.iter().map(|reference| reference.resolve(nsid)).filter(is_object).collect();
        let foreign = !union.closed && (targets.is_empty() || depth > 6 || self.random.chance(20));
        let (tag, mut map) = if foreign {
            let mut map = BTreeMap::from([("inside".to_owned(), self.anything(0))]);
            self.add_unknown_fields(&mut map);
            ("com.example.unheard#of".to_owned(), map)
        } else {
            let target = self.random.pick(&targets).clone();
            let Value::Map(map) = self.at_depth(&target, depth + 1) else { panic!("{target} is a map") };
            (target.to_string(), map)
        };
        map.insert("$type".to_owned(), Value::from(tag));
        Value::Map(map)
    }

    fn text(&mut self, text: &Text) -> String {
        if let Some(constant) = &text.constant {
            return constant.clone();
        }
        if !text.allowed.is_empty() {
            return self.random.pick(&text.allowed).clone();
        }
        if !text.known_values.is_empty() && self.random.chance(70) {
            return self.random.pick(&text.known_values).clone();
        }
        if let Some(format) = text.format {
            return self.formatted(format);
        }
        let most = text.max_graphemes.unwrap_or(60).min(text.max_length.unwrap_or(600) / 25).max(1);
        let made = self.characters(most);
        let least = text.min_graphemes.or(text.min_length).unwrap_or(0) as usize;
        if made.chars().filter(|c| c.is_alphanumeric()).count() < least { "x".repeat(least) } else { made }
    }

    fn formatted(&mut self, format: Format) -> String {
        let number = self.random.below(1000);
        let did = format!("did:plc:{number:024}");
        let handle = format!("User{number}.example.com");
        let broken = !self.is_valid && self.random.chance(30);
        match format {
            Format::Datetime if broken => "yesterday".to_owned(),
            Format::Language if broken => "English!".to_owned(),
            Format::Uri if broken => "no uri".to_owned(),
            Format::AtIdentifier => {
                if number.is_multiple_of(2) {
                    did
                } else {
                    handle
                }
            }
            Format::AtUri => format!("at://{did}/com.example.thing/{number}"),
            Format::Cid => self.cid().to_string(),
            Format::Datetime => (*self.random.pick(&[
                "2026-01-02T03:04:05Z",
                "2026-01-02T03:04:05.6Z",
                "1985-04-12T23:20:50.123456789+00:00",
                "2024-02-29T23:59:59.999-07:00",
            ]))
            .to_owned(),
            Format::Did => did,
            Format::Handle => handle,
            Format::Nsid => format!("com.example.thing{number}"),
            Format::Tid => format!("3jzfcijpj2{}z2", char::from(b'a' + (number % 26) as u8)),
            Format::RecordKey => format!("key_{number}"),
            Format::Uri => format!("https://example.com/{number}?a=b#c"),
            Format::Language => (*self.random.pick(&["de", "pt-BR", "zh-Hant-TW", "i-navajo"])).to_owned(),
        }
    }
}
