//! Documents made at random: those that keep to the language, and those in which something has been changed.

use serde_json::{Map, Value, json};

/// A small generator of numbers (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    /// Whether one in `of` times.
    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn one_of<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len())]
    }

    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for at in (1..values.len()).rev() {
            values.swap(at, self.below(at + 1));
        }
    }
}

const PLAIN: &[&str] =
    &["item", "view", "name", "createdAt", "fooBar", "list", "a", "b", "uri", "cursor", "items", "count"];

const ODD: &[&str] = &[
    "type",
    "self",
    "Self",
    "crate",
    "super",
    "gen",
    "async",
    "try",
    "dyn",
    "match",
    "union",
    "raw",
    "new",
    "extra",
    "over",
    "params",
    "input",
    "output",
    "error",
    "message",
    "option",
    "result",
    "string",
    "vec",
    "box",
    "default",
    "clone",
    "other",
    "FooBar",
    "foo_bar",
    "foo-bar",
    "foobar",
    "FOOBAR",
    "a1",
    "A",
    "1st",
    "_",
    "__x",
    "x_",
    "größe",
    "名前",
    "👍",
    "a.b",
    "a b",
    "!",
    "",
    "validate",
    "shape",
    "with_a",
    "a_or_default",
    "read",
    "types",
    "xrpc",
    "api",
    "defs",
    "main",
    "itemDef",
    "aItem",
    "viewA",
    "nameA",
    "\u{202e}x",
    "\u{200b}",
];

const SEGMENTS: &[&str] = &[
    "item",
    "view",
    "getItem",
    "listItems",
    "defs",
    "type",
    "self",
    "mod",
    "types",
    "Foo",
    "foo",
    "fooBar",
    "foobar",
    "con",
    "a",
    "gen",
];

const TEXTS: &[&str] = &[
    "What it is for.",
    "",
    "Deprecated: use b.",
    "See https://example.com/a_b.",
    "`code` and *stars* <b> [x]",
    "```\nfn\n```",
    "*/ \\ \"",
    "a\n\nb\r\nc",
    "\u{202e}",
    "types :: X",
    "~~~",
    "odd `",
];

/// The documents of one seed. Their NSIDs begin with `seed<number>`, so that many seeds fit into one package.
pub fn documents(seed: u64, count: usize) -> Vec<(String, Value)> {
    let mut random = Random::new(seed);
    let mut nsids: Vec<String> = (0..count)
        .map(|_| {
            let middle: Vec<&str> = (0..=random.below(3)).map(|_| *random.one_of(SEGMENTS)).collect();
            format!("seed{seed}.{}.{}", middle.join("."), random.one_of(SEGMENTS))
        })
        .collect();
    nsids.sort();
    nsids.dedup();
    // What each will define is known before refs are made.
    let names: Vec<(String, Vec<String>)> = nsids
        .into_iter()
        .map(|nsid| {
            let mut names = vec!["main".to_owned()];
            names.extend((0..random.below(6)).map(|_| name(&mut random)));
            names.sort();
            names.dedup();
            (nsid, names)
        })
        .collect();
    let mut writer = Writer { random, names: names.clone() };
    let documents = names.into_iter().map(|(nsid, names)| {
        let mut document = writer.document(&nsid, &names);
        for _ in 0..writer.random.below(8).saturating_sub(4) {
            change(&mut writer.random, &mut document["defs"]);
        }
        (nsid, document)
    });
    documents.collect()
}

fn name(random: &mut Random) -> String {
    let odd = random.one_in(3);
    (*random.one_of(if odd { ODD } else { PLAIN })).to_owned()
}

struct Writer {
    random: Random,
    /// The definitions of every document.
    names: Vec<(String, Vec<String>)>,
}

impl Writer {
    fn document(&mut self, nsid: &str, names: &[String]) -> Value {
        let mut defs = Map::new();
        for name in names {
            let is_main = name == "main";
            let definition = if is_main { self.primary() } else { self.schema(3, true) };
            defs.insert(name.clone(), definition);
        }
        let mut document = json!({"lexicon": 1, "id": nsid, "defs": defs});
        self.describe(&mut document);
        document
    }

    fn describe(&mut self, value: &mut Value) {
        if self.random.one_in(3) {
            value["description"] = Value::from(*self.random.one_of(TEXTS));
        }
    }

    fn primary(&mut self) -> Value {
        let mut definition = match self.random.below(7) {
            0 | 1 => {
                json!({"type": "record", "key": self.random.one_of(&["tid", "any", "nsid", "literal:self", "self"]), "record": self.object(3)})
            }
            2 | 3 => {
                let mut query = json!({"type": "query", "output": self.body()});
                if self.random.one_in(2) {
                    query = self.listing();
                }
                query
            }
            4 => json!({"type": "procedure", "input": self.body(), "output": self.body()}),
            5 => {
                let mut stream = json!({"type": "subscription", "message": {"schema": self.union()}});
                if self.random.one_in(2) {
                    let names = ["xrpc.v0.cbor", "xrpc.v1.json", "xrpc.v1.cbor", "json"];
                    stream["subprotocol"] = Value::from(*self.random.one_of(&names));
                }
                stream
            }
            _ => self.schema(3, true),
        };
        if matches!(definition["type"].as_str(), Some("query" | "procedure" | "subscription")) {
            if self.random.one_in(2) {
                definition["parameters"] = self.parameters();
            }
            let errors: Vec<Value> =
                (0..self.random.below(4)).map(|_| json!({"name": name(&mut self.random)})).collect();
            definition["errors"] = Value::from(errors);
        }
        self.describe(&mut definition);
        definition
    }

    /// What has pages, or nearly.
    fn listing(&mut self) -> Value {
        let mut output = self.object(2);
        let cursor = self.string();
        output["properties"]["cursor"] =
            if self.random.one_in(3) { cursor } else { json!({"type": "string"}) };
        let items = json!({"type": "array", "items": self.schema(2, false)});
        output["properties"][name(&mut self.random)] = items;
        let mut parameters = self.parameters();
        let cursor = self.string();
        parameters["properties"]["cursor"] =
            if self.random.one_in(3) { cursor } else { json!({"type": "string"}) };
        json!({"type": "query", "parameters": parameters, "output": {"encoding": "application/json", "schema": output}})
    }

    fn body(&mut self) -> Value {
        let encoding = *self.random.one_of(&[
            "application/json",
            "application/json",
            "application/json",
            "*/*",
            "text/plain",
        ]);
        let schema = match self.random.below(3) {
            0 => self.reference(),
            1 => self.union(),
            _ => self.object(2),
        };
        if self.random.one_in(5) {
            json!({"encoding": encoding})
        } else {
            json!({"encoding": encoding, "schema": schema})
        }
    }

    fn parameters(&mut self) -> Value {
        let mut properties = Map::new();
        for _ in 0..self.random.below(4) {
            let schema = match self.random.below(4) {
                0 => self.integer(),
                1 => json!({"type": "boolean", "default": true}),
                2 => json!({"type": "array", "items": self.string()}),
                _ => self.string(),
            };
            properties.insert(name(&mut self.random), schema);
        }
        let required = self.some(&properties);
        json!({"type": "params", "required": required, "properties": properties})
    }

    /// Some of the keys.
    fn some(&mut self, properties: &Map<String, Value>) -> Vec<String> {
        let mut keys: Vec<String> = properties.keys().filter(|_| self.random.one_in(3)).cloned().collect();
        self.random.shuffle(&mut keys);
        keys
    }

    fn object(&mut self, depth: usize) -> Value {
        let mut properties = Map::new();
        for _ in 0..self.random.below(6) {
            let schema = self.schema(depth - 1, false);
            properties.insert(name(&mut self.random), schema);
        }
        let (required, nullable) = (self.some(&properties), self.some(&properties));
        json!({"type": "object", "required": required, "nullable": nullable, "properties": properties})
    }

    fn schema(&mut self, depth: usize, is_definition: bool) -> Value {
        let leaf = depth == 0;
        let mut schema = match self.random.below(if is_definition { 14 } else { 13 }) {
            0 => json!({"type": "boolean"}),
            1 => self.integer(),
            2..=4 => self.string(),
            5 => json!({"type": "bytes", "maxLength": 100}),
            6 => json!({"type": self.random.one_of(&["cid-link", "unknown"])}),
            7 => json!({"type": "blob", "accept": ["image/*"]}),
            8 if !leaf => json!({"type": "array", "items": self.schema(depth - 1, false)}),
            9 if !leaf => self.object(depth),
            10 => self.union(),
            13 => json!({"type": "token"}),
            _ => self.reference(),
        };
        self.describe(&mut schema);
        schema
    }

    fn integer(&mut self) -> Value {
        let mut integer = json!({"type": "integer"});
        match self.random.below(5) {
            0 => integer["default"] = json!(-3),
            1 => integer["const"] = json!(i64::MIN),
            2 => integer["enum"] = json!([1, -1, 3]),
            3 => integer["minimum"] = json!(-5),
            _ => {}
        }
        integer
    }

    fn string(&mut self) -> Value {
        let mut string = json!({"type": "string"});
        let values: Vec<String> = (0..=self.random.below(3)).map(|_| name(&mut self.random)).collect();
        match self.random.below(7) {
            0 => string["knownValues"] = json!(values),
            1 => string["enum"] = json!(values),
            2 => {
                string["format"] = json!(self.random.one_of(&[
                    "did",
                    "datetime",
                    "uri",
                    "language",
                    "at-identifier",
                    "nsid"
                ]))
            }
            3 => string["maxLength"] = json!(100),
            _ => {}
        }
        match self.random.below(6) {
            0 => string["default"] = json!(values[0]),
            1 => string["const"] = json!(values[0]),
            _ => {}
        }
        string
    }

    fn union(&mut self) -> Value {
        let refs: Vec<String> = (0..self.random.below(4)).map(|_| self.target()).collect();
        json!({"type": "union", "refs": refs, "closed": self.random.one_in(3)})
    }

    fn reference(&mut self) -> Value {
        json!({"type": "ref", "ref": self.target()})
    }

    /// A definition anywhere, mostly one that exists.
    fn target(&mut self) -> String {
        if self.random.one_in(12) {
            return format!(
                "{}#{}",
                self.random.one_of(&["", "com.example.nowhere", "com.atproto.label.defs"]),
                name(&mut self.random)
            );
        }
        if self.random.one_in(12) {
            let known = [
                "com.atproto.repo.strongRef",
                "app.bsky.feed.post",
                "com.atproto.label.defs#label",
                "app.bsky.embed.record#view",
            ];
            return (*self.random.one_of(&known)).to_owned();
        }
        let document = self.random.below(self.names.len());
        let (nsid, names) = &self.names[document];
        let name = &names[self.random.below(names.len())];
        if name == "main" && self.random.one_in(2) { nsid.clone() } else { format!("{nsid}#{name}") }
    }
}

/// Changes something anywhere below a value: drops it, renames it, doubles it, or puts something else in its place.
fn change(random: &mut Random, value: &mut Value) {
    // Mostly further down: what is far up takes everything else with it.
    let goes_on = !random.one_in(5);
    match value {
        Value::Object(members) if !members.is_empty() => {
            let keys: Vec<String> = members.keys().cloned().collect();
            let key = random.one_of(&keys).clone();
            let is_inner = members[&key].is_object() || members[&key].is_array();
            if goes_on && is_inner {
                change(random, &mut members[&key]);
                return;
            }
            match random.below(4) {
                0 => drop(members.remove(&key)),
                1 => {
                    let old = members.remove(&key).unwrap_or_default();
                    members.insert(name(random), old);
                }
                2 => {
                    let old = members[&key].clone();
                    members.insert(name(random), old);
                }
                _ => members[&key] = other(random),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = random.below(items.len());
            if goes_on && (items[at].is_object() || items[at].is_array()) {
                change(random, &mut items[at]);
                return;
            }
            match random.below(4) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                2 => items.swap(0, at),
                _ => items[at] = other(random),
            }
        }
        value => *value = other(random),
    }
}

fn other(random: &mut Random) -> Value {
    match random.below(9) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(random.below(100)),
        3 => json!(1.5),
        4 => json!([]),
        5 => json!({}),
        6 => {
            json!({"type": random.one_of(&["string", "object", "query", "ref", "union", "number", "array", "token", "params"])})
        }
        _ => json!(name(random)),
    }
}
