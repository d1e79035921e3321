//! Documents like those that are published: records, queries, procedures and definitions that refer to each other, to
//! those of other authorities, and to those of the SDK.

use std::{fmt::Write as _, fs, path::Path};

use atproto_sdk_codegen::{catalog::path_of, folder::files_below};

/// Documents of one authority.
const EACH: usize = 11;

/// Writes so many documents below a folder. Returns the number of refs in them.
pub(crate) fn write(folder: &Path, count: usize, broken: bool) -> usize {
    let mut writer = Writer { broken, authorities: count.div_ceil(EACH), refs: 0, seed: 7 };
    for at in 0..count {
        let (nsid, defs) = writer.document(at / EACH, at % EACH);
        let text = format!(
            "{{\n  \"lexicon\": 1,\n  \"id\": \"{nsid}\",\n  \"description\": \"What {nsid} is for, in a sentence.\",\n  \"defs\": {{\n{defs}\n  }}\n}}\n"
        );
        write_document(folder, &nsid, &text);
    }
    writer.refs
}

/// Writes the documents of the SDK, and a mark that they are these.
pub(crate) fn write_bundled(folder: &Path) -> usize {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lexicons");
    let mut refs = 0;
    for file in files_below(&source, "json").unwrap() {
        let relative = file.strip_prefix(&source).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        refs += text.matches("\"ref\":").count();
        let target = folder.join(relative);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, text).unwrap();
    }
    fs::write(folder.with_file_name("bundled"), "").unwrap();
    refs
}

fn write_document(folder: &Path, nsid: &str, text: &str) {
    let path = folder.join(path_of(nsid));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

struct Writer {
    broken: bool,
    authorities: usize,
    refs: usize,
    seed: u64,
}

impl Writer {
    fn next(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) as usize % below
    }

    /// A ref to a view: of the same authority mostly, or of another one or the SDK.
    fn reference(&mut self, authority: usize) -> String {
        self.refs += 1;
        let (which, view, other) = (self.next(8), self.next(VIEWS.len()), self.next(self.authorities));
        let broken = if self.broken { "Gone" } else { "" };
        match which {
            0 => format!("com.atproto.repo.strongRef{broken}"),
            1 => format!("app.bsky.actor.defs#profileViewBasic{broken}"),
            2 => format!("{}.defs#{}{broken}", name(other), VIEWS[view]),
            _ => format!("{}.defs#{}{broken}", name(authority), VIEWS[view]),
        }
    }

    fn document(&mut self, authority: usize, at: usize) -> (String, String) {
        let base = name(authority);
        match at {
            0 => (format!("{base}.defs"), self.defs(authority)),
            1..=3 => (format!("{base}.{}", RECORDS[at - 1]), self.record(authority)),
            4..=7 => (format!("{base}.{}", QUERIES[at - 4]), self.query(authority)),
            _ => (format!("{base}.{}", PROCEDURES[at - 8]), self.procedure(authority)),
        }
    }

    fn defs(&mut self, authority: usize) -> String {
        let mut defs = String::new();
        for view in VIEWS {
            let properties = self.properties(authority, 9);
            let _ = writeln!(
                defs,
                "    \"{view}\": {{ \"type\": \"object\", \"description\": \"A {view} as a server gives it.\", \"required\": [\"uri\", \"cid\"], \"properties\": {{\n      \"uri\": {{ \"type\": \"string\", \"format\": \"at-uri\" }},\n      \"cid\": {{ \"type\": \"string\", \"format\": \"cid\" }},\n{properties} }} }},"
            );
        }
        defs.push_str("    \"kind\": { \"type\": \"string\", \"knownValues\": [\"#small\", \"#large\", \"other\"] },\n    \"small\": { \"type\": \"token\", \"description\": \"Not large.\" },\n    \"large\": { \"type\": \"token\" }");
        defs
    }

    fn record(&mut self, authority: usize) -> String {
        let properties = self.properties(authority, 12);
        format!(
            "    \"main\": {{ \"type\": \"record\", \"key\": \"tid\", \"description\": \"A record of an account.\", \"record\": {{ \"type\": \"object\", \"required\": [\"createdAt\"], \"properties\": {{\n      \"createdAt\": {{ \"type\": \"string\", \"format\": \"datetime\" }},\n{properties} }} }} }}"
        )
    }

    fn query(&mut self, authority: usize) -> String {
        let item = self.reference(authority);
        format!(
            "    \"main\": {{ \"type\": \"query\", \"description\": \"Lists what there is.\", \"parameters\": {{ \"type\": \"params\", \"required\": [\"actor\"], \"properties\": {{\n      \"actor\": {{ \"type\": \"string\", \"format\": \"at-identifier\", \"description\": \"Whose.\" }},\n      \"limit\": {{ \"type\": \"integer\", \"minimum\": 1, \"maximum\": 100, \"default\": 50 }},\n      \"cursor\": {{ \"type\": \"string\" }},\n      \"tags\": {{ \"type\": \"array\", \"items\": {{ \"type\": \"string\" }} }} }} }},\n    \"output\": {{ \"encoding\": \"application/json\", \"schema\": {{ \"type\": \"object\", \"required\": [\"items\"], \"properties\": {{ \"cursor\": {{ \"type\": \"string\" }}, \"items\": {{ \"type\": \"array\", \"items\": {{ \"type\": \"ref\", \"ref\": \"{item}\" }} }} }} }} }},\n    \"errors\": [{{ \"name\": \"ActorNotFound\" }}, {{ \"name\": \"Blocked\", \"description\": \"They do not want this.\" }}] }}"
        )
    }

    fn procedure(&mut self, authority: usize) -> String {
        let (properties, output) = (self.properties(authority, 6), self.reference(authority));
        format!(
            "    \"main\": {{ \"type\": \"procedure\", \"description\": \"Changes something.\", \"input\": {{ \"encoding\": \"application/json\", \"schema\": {{ \"type\": \"object\", \"required\": [\"text0\"], \"properties\": {{\n      \"text0\": {{ \"type\": \"string\" }},\n{properties} }} }} }},\n    \"output\": {{ \"encoding\": \"application/json\", \"schema\": {{ \"type\": \"ref\", \"ref\": \"{output}\" }} }} }}"
        )
    }

    fn properties(&mut self, authority: usize, count: usize) -> String {
        let mut lines = Vec::new();
        for at in 1..=count {
            let line = match self.next(13) {
                0 | 9 | 11 => format!(
                    "\"link{at}\": {{ \"type\": \"ref\", \"ref\": \"{}\" }}",
                    self.reference(authority)
                ),
                1 | 10 | 12 => format!(
                    "\"list{at}\": {{ \"type\": \"array\", \"maxLength\": 50, \"items\": {{ \"type\": \"ref\", \"ref\": \"{}\" }} }}",
                    self.reference(authority)
                ),
                2 => {
                    let (a, b) = (self.reference(authority), self.reference(authority));
                    format!("\"embed{at}\": {{ \"type\": \"union\", \"refs\": [\"{a}\", \"{b}\"] }}")
                }
                3 => format!(
                    "\"number{at}\": {{ \"type\": \"integer\", \"minimum\": 0, \"description\": \"How many there are of them.\" }}"
                ),
                4 => format!(
                    "\"state{at}\": {{ \"type\": \"string\", \"knownValues\": [\"open\", \"closed\", \"gone\"] }}"
                ),
                5 => format!(
                    "\"image{at}\": {{ \"type\": \"blob\", \"accept\": [\"image/*\"], \"maxSize\": 1000000 }}"
                ),
                6 => format!("\"flag{at}\": {{ \"type\": \"boolean\", \"default\": false }}"),
                7 => format!(
                    "\"part{at}\": {{ \"type\": \"object\", \"required\": [\"start\"], \"properties\": {{ \"start\": {{ \"type\": \"integer\" }}, \"end\": {{ \"type\": \"integer\" }} }} }}"
                ),
                _ => format!(
                    "\"text{at}\": {{ \"type\": \"string\", \"maxGraphemes\": 300, \"maxLength\": 3000, \"description\": \"The text that people see, without markup.\" }}"
                ),
            };
            lines.push(format!("      {line}"));
        }
        lines.join(",\n")
    }
}

fn name(authority: usize) -> String {
    const ZONES: [&str; 4] = ["com", "org", "app", "net"];
    format!("{}.authority{authority}.product", ZONES[authority % ZONES.len()])
}

const VIEWS: [&str; 4] = ["itemView", "personView", "placeView", "eventView"];
const RECORDS: [&str; 3] = ["item", "person", "place"];
const QUERIES: [&str; 4] = ["getItem", "listItems", "listPeople", "searchPlaces"];
const PROCEDURES: [&str; 3] = ["createItem", "updateItem", "deleteItem"];
