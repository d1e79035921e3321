//! Documents in which every name that means something in Rust stands in every place that a document names.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

/// Keywords of every edition, strict, reserved and weak.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn \
    for gen if impl in let loop macro match mod move mut override priv pub ref return self Self static struct super \
    trait true try type typeof unsafe unsized use virtual where while yield union macro_rules raw safe auto default \
    dyn static lib main";

/// Names of the prelude, of derives, of primitive types and of well-known crates and macros.
const PRELUDE: &str = "Option Some None Result Ok Err Box String Vec Default Clone Copy Debug PartialEq Eq Hash Send Sync \
    Sized Drop Fn FnMut FnOnce Iterator IntoIterator Extend From Into TryFrom TryInto AsRef AsMut ToOwned ToString \
    FromIterator Ord PartialOrd Unpin Display FromStr Future Serialize Deserialize Serializer Deserializer bool char str \
    u8 i8 u64 i64 usize f64 never std core alloc serde serde_json atproto_sdk tokio vec format println panic concat \
    stringify include derive allow test cfg doc inline repr must_use deprecated non_exhaustive global_allocator";

/// What generated code and the runtime use themselves.
const OWN: &str = "types xrpc api lexicons com app bsky Params Input Output Error Message Other Unknown Value Type Item \
    extra new over query shape each_field read read_fields validate to_json to_cbor from_json collection clone_into \
    borrow fmt eq cmp hash drop deref index fields reader visitor visit value text name key id tag data body input params \
    output transport Call Caller Transport Method Query Procedure Paginated Kind Empty Json Raw ByteStream RequestBody Ext \
    WordsExt with_new with_extra new_or_default type_or_default self_or_default Record Data FromData Extra Nullable Blob \
    Bytes CidLink Did Handle AtUri Datetime SmallString CompactString nsid NSID KIND INPUT OUTPUT KEY COLLECTION SCHEMA \
    PERMISSIONS PermissionSet Object Array Boolean Integer Shape Field Rule Minimum Const cursor set_cursor into_items \
    items method send header timeout proxy labelers as_str try_from from_str other index_mut f s T C c de a self_ crate_ \
    Self_ SelfDef OptionDef TypeDef field field_ value_ def Def";

/// Names of devices, which Windows takes for no files.
const DEVICES: &str = "con prn aux nul com1 com9 lpt1 lpt9 COM1 CON";

fn words() -> Vec<&'static str> {
    let mut words: Vec<&str> =
        [KEYWORDS, PRELUDE, OWN, DEVICES].iter().flat_map(|it| it.split_whitespace()).collect();
    words.sort_unstable();
    words.dedup();
    words
}

/// Properties, or definitions, by word.
fn each(of: impl Fn(&str) -> Value) -> Value {
    Value::Object(words().into_iter().map(|word| (word.to_owned(), of(word))).collect::<Map<_, _>>())
}

fn document(id: &str, defs: Value) -> (PathBuf, String) {
    (format!("{id}.json").into(), json!({"lexicon": 1, "id": id, "defs": defs}).to_string())
}

/// The documents.
pub fn documents() -> Vec<(PathBuf, String)> {
    let text = json!({"type": "string"});
    let mut documents = vec![
        document(
            "words.definitions.objects",
            each(|word| {
                json!({"type": "object", "required": [word], "properties": {
                word: {"type": "ref", "ref": format!("#{word}")}, "inner": {"type": "object", "properties": {word: text}}}})
            }),
        ),
        document("words.definitions.strings", each(|word| json!({"type": "string", "knownValues": [word]}))),
        document("words.definitions.tokens", each(|_| json!({"type": "token"}))),
        document(
            "words.definitions.lists",
            each(
                |word| json!({"type": "array", "items": {"type": "ref", "ref": format!("words.definitions.objects#{word}")}}),
            ),
        ),
        document(
            "words.definitions.aliases",
            each(|word| json!({"type": "ref", "ref": format!("words.definitions.objects#{word}")})),
        ),
        document(
            "words.variants",
            json!({
                "main": {"type": "union", "refs": words().iter().map(|word| format!("words.definitions.objects#{word}")).collect::<Vec<_>>()},
                "closed": {"type": "union", "closed": true, "refs": words().iter().map(|word| format!("words.definitions.objects#{word}")).collect::<Vec<_>>()},
            }),
        ),
        document(
            "words.values",
            json!({
                "open": {"type": "string", "knownValues": words()}, "closed": {"type": "string", "enum": words()},
                "tokens": {"type": "string", "knownValues": words().iter().map(|word| format!("words.definitions.tokens#{word}")).collect::<Vec<_>>()},
            }),
        ),
    ];
    documents.extend(properties());
    documents.extend(methods());
    documents
}

/// As fields with every kind of method, in what is sent (records have setters) and in what is not.
fn properties() -> Vec<(PathBuf, String)> {
    let optional = each(|word| json!({"type": "string", "default": word}));
    let required = each(|_| json!({"type": "integer"}));
    let constant = each(|word| json!({"type": "string", "const": word}));
    let nullable = each(|_| json!({"type": "boolean", "default": true}));
    let inner = each(
        |word| json!({"type": "object", "properties": {word: {"type": "string", "enum": [word], "default": word}}}),
    );
    let record = |properties: &Value, required: &[&str], nullable: &[&str]| json!({"main": {"type": "record", "key": "tid", "record": {"type": "object", "required": required, "nullable": nullable, "properties": properties}}});
    vec![
        document("words.properties.optional", record(&optional, &[], &[])),
        document("words.properties.required", record(&required, &words(), &[])),
        document("words.properties.constant", record(&constant, &words(), &[])),
        document("words.properties.nullable", record(&nullable, &[], &words())),
        document("words.properties.inner", record(&inner, &[], &[])),
        document("words.properties.view", json!({"main": {"type": "object", "properties": optional}})),
    ]
}

/// As parameters, errors and segments of NSIDs.
fn methods() -> Vec<(PathBuf, String)> {
    let errors: Vec<Value> = words().iter().map(|word| json!({"name": word})).collect();
    let optional = each(|word| json!({"type": "string", "default": word}));
    let required = json!({"type": "params", "required": words(), "properties": each(|_| json!({"type": "string", "knownValues": ["a"]}))});
    let mut documents = vec![
        document(
            "words.methods.optional",
            json!({"main": {"type": "query", "parameters": {"type": "params", "properties": optional}, "errors": errors}}),
        ),
        document(
            "words.methods.required",
            json!({"main": {"type": "procedure", "parameters": required, "input": {"encoding": "*/*"}, "errors": errors}}),
        ),
        document(
            "words.methods.bodies",
            json!({"main": {"type": "procedure",
            "input": {"encoding": "application/json", "schema": {"type": "object", "properties": each(|_| json!({"type": "string"}))}},
            "output": {"encoding": "application/json", "schema": {"type": "object", "properties": each(|_| json!({"type": "string"}))}}}}),
        ),
    ];
    let is_segment = |word: &&str| word.bytes().all(|b| b.is_ascii_alphanumeric());
    for word in words().into_iter().filter(is_segment) {
        let view = json!({"type": "object", "properties": {word: {"type": "ref", "ref": format!("{word}.{word}.{word}#view")}}});
        let schema = json!({"encoding": "application/json", "schema": {"type": "ref", "ref": "#view"}});
        documents.push(document(
            &format!("{word}.{word}.{word}"),
            json!({"main": {"type": "query", "output": schema}, "view": view}),
        ));
        documents.push(document(
            &format!("{word}.{word}.{word}.{word}"),
            json!({"main": {"type": "procedure", "input": schema}, "view": view}),
        ));
        documents.push(document(&format!("words.segments.{word}"), json!({"main": {"type": "query"}})));
    }
    documents
}
