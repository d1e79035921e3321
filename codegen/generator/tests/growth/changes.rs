//! What may happen to a lexicon, as a list: what a program compiles with unchanged, and what breaks it.
//!
//! The rules are those of <https://atproto.com/specs/lexicon#lexicon-evolution>: new fields must be optional, fields are
//! neither removed nor renamed, types do not change, constraints are not tightened.

/// One change of the documents in `lexicons/`.
pub struct Change {
    pub what: &'static str,
    pub edits: &'static [Edit],
    pub outcome: Outcome,
}

/// An edit of a document, at a JSON pointer; `""` is the object `defs`.
pub enum Edit {
    /// Puts a value under a key that is new, or in the place of another.
    Set(&'static str, &'static str, &'static str),
    /// Appends to an array.
    Push(&'static str, &'static str, &'static str),
    Remove(&'static str, &'static str),
    /// A new document with these `defs`.
    New(&'static str, &'static str),
    /// Sorts the keys of every document.
    SortKeys,
}

pub enum Outcome {
    /// The rules allow it, and the program compiles.
    Compiles,
    /// The rules allow it, and yet the program breaks: with an error of the compiler, and why that cannot be helped.
    BreaksAllTheSame(&'static [(&'static str, &'static str)], &'static str),
    /// The rules forbid it, and the program breaks with these errors of the compiler.
    Breaks(&'static [(&'static str, &'static str)]),
    /// The rules forbid it, and the compiler does not notice: data of the other version does not decode, or is refused.
    BreaksDataOnly,
}

use Edit::{New, Push, Remove, Set, SortKeys};
use Outcome::{Breaks, BreaksAllTheSame, BreaksDataOnly, Compiles};

const TEXT: &str = r#"{"type": "string"}"#;
const FLAG: &str = r#"{"type": "boolean"}"#;

pub const CHANGES: &[Change] = &[
    Change { what: "nothing", edits: &[], outcome: Compiles },
    Change {
        what: "the keys are sorted, as in a document that was published",
        edits: &[SortKeys],
        outcome: Compiles,
    },
    // Parameters.
    Change {
        what: "the first parameter of a query",
        edits: &[Set(
            "getStatus",
            "/main/parameters",
            r#"{"type": "params", "properties": {"deep": {"type": "boolean"}}}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "the first parameter of a procedure",
        edits: &[Set(
            "touch",
            "/main/parameters",
            r#"{"type": "params", "properties": {"deep": {"type": "boolean"}}}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "the first parameter of a procedure with an input, and one of a procedure with bytes",
        edits: &[
            Set(
                "update",
                "/main/parameters",
                r#"{"type": "params", "properties": {"deep": {"type": "boolean"}}}"#,
            ),
            Set(
                "upload",
                "/main/parameters",
                r#"{"type": "params", "properties": {"deep": {"type": "boolean"}}}"#,
            ),
        ],
        outcome: Compiles,
    },
    Change {
        what: "one more parameter where there are required ones",
        edits: &[Set("listItems", "/main/parameters/properties/a", TEXT)],
        outcome: Compiles,
    },
    Change {
        what: "one more parameter where all are optional",
        edits: &[Set(
            "searchItems",
            "/main/parameters/properties/a",
            r#"{"type": "string", "knownValues": ["b"]}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "parameters that are called like methods of the runtime",
        edits: &[
            Set("searchItems", "/main/parameters/properties/query", TEXT),
            Set("searchItems", "/main/parameters/properties/validate", TEXT),
            Set("searchItems", "/main/parameters/properties/new", TEXT),
        ],
        outcome: Compiles,
    },
    // Fields.
    Change {
        what: "a new field of a record",
        edits: &[Set("note", "/main/record/properties/a", TEXT)],
        outcome: Compiles,
    },
    Change {
        what: "a new field in front of the others, of an object inside",
        edits: &[
            Set(
                "note",
                "/main/record/properties/a",
                r#"{"type": "object", "properties": {"b": {"type": "boolean"}}}"#,
            ),
            SortKeys,
        ],
        outcome: Compiles,
    },
    Change {
        what: "fields that are called like methods of the runtime and like the method of a default",
        edits: &[
            Set("note", "/main/record/properties/toJson", TEXT),
            Set("note", "/main/record/properties/clone", FLAG),
            Set("note", "/main/record/properties/sizeOrDefault", FLAG),
            Set("note", "/main/record/properties/collection", FLAG),
            Set("update", "/main/input/schema/properties/toCbor", TEXT),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a field that differs from another in its spelling only",
        edits: &[Set("note", "/main/record/properties/created_at", TEXT)],
        outcome: Compiles,
    },
    Change {
        what: "the first field of an input's inner object, and a new field of the input",
        edits: &[
            Set("update", "/main/input/schema/properties/options/properties/deep", FLAG),
            Set("update", "/main/input/schema/properties/a", TEXT),
        ],
        outcome: Compiles,
    },
    Change {
        what: "new fields of outputs",
        edits: &[
            Set("getStatus", "/main/output/schema/properties/a", TEXT),
            Set("upload", "/main/output/schema/properties/a", TEXT),
            Set("searchItems", "/main/output/schema/properties/a", TEXT),
        ],
        outcome: Compiles,
    },
    Change {
        what: "an optional list in an output that is paginated by a required one",
        edits: &[Set(
            "listItems",
            "/main/output/schema/properties/more",
            r#"{"type": "array", "items": {"type": "string"}}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "a field by which a definition contains itself",
        edits: &[Set("defs", "/owner/properties/first", r##"{"type": "ref", "ref": "#item"}"##)],
        outcome: Compiles,
    },
    Change {
        what: "a field that is a definition which was not part of an input before",
        edits: &[Set(
            "update",
            "/main/input/schema/properties/made",
            r#"{"type": "ref", "ref": "com.example.grow.watch#made"}"#,
        )],
        outcome: Compiles,
    },
    // Errors, values, variants.
    Change {
        what: "the first error of methods",
        edits: &[
            Set("touch", "/main/errors", r#"[{"name": "TooOften"}]"#),
            Set("listItems", "/main/errors", r#"[{"name": "NoSuchOwner"}]"#),
            Set("getStatus", "/main/errors", r#"[{"name": "Asleep"}]"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "one more error",
        edits: &[Push("searchItems", "/main/errors", r#"{"name": "TooOften"}"#)],
        outcome: Compiles,
    },
    Change {
        what: "one more known value",
        edits: &[
            Push("defs", "/level/knownValues", r#""middle""#),
            Push("getStatus", "/main/output/schema/properties/state/knownValues", r#""starting""#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "known values that would have the same names as others",
        edits: &[
            Push("defs", "/level/knownValues", r#""com.example.other.defs#top""#),
            Push("defs", "/level/knownValues", r#""LOW""#),
            Push("defs", "/level/knownValues", r#""other""#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "one more member of open unions",
        edits: &[
            Push("defs", "/media/refs", r##""#owner""##),
            Push("note", "/main/record/properties/media/refs", r#""com.example.grow.defs#link""#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a member of an open union with the name of another",
        edits: &[
            New("other.defs", r#"{"image": {"type": "object", "properties": {}}}"#),
            Push("note", "/main/record/properties/media/refs", r#""com.example.grow.other.defs#image""#),
        ],
        outcome: Compiles,
    },
    // Definitions and documents.
    Change {
        what: "a new definition",
        edits: &[Set(
            "defs",
            "/extra",
            r#"{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "a definition that differs from another in its spelling only, and one called like a method's types",
        edits: &[
            Set("defs", "/Item", r#"{"type": "object", "properties": {}}"#),
            Set("listItems", "/output", r#"{"type": "object", "properties": {}}"#),
            Set("listItems", "/params", r#"{"type": "object", "properties": {}}"#),
            Set("listItems", "/error", r#"{"type": "object", "properties": {}}"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "new methods, one of them called like the accessor's own, and methods below a method",
        edits: &[
            New("createItem", r#"{"main": {"type": "procedure"}}"#),
            New("over", r#"{"main": {"type": "query"}}"#),
            New("touch.twice", r#"{"main": {"type": "procedure"}}"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a new permission in a set",
        edits: &[Push(
            "access",
            "/main/permissions",
            r#"{"type": "permission", "resource": "rpc", "lxm": ["com.example.grow.touch"], "inheritAud": true}"#,
        )],
        outcome: Compiles,
    },
    Change {
        what: "a new message of a subscription",
        edits: &[
            Set("watch", "/gone", r#"{"type": "object", "properties": {}}"#),
            Push("watch", "/main/message/schema/refs", r##""#gone""##),
        ],
        outcome: Compiles,
    },
    Change {
        what: "the first parameter, the first message and the first error of a subscription",
        edits: &[
            Set(
                "tail",
                "/main/parameters",
                r#"{"type": "params", "properties": {"cursor": {"type": "integer"}}}"#,
            ),
            Set(
                "tail",
                "/main/message",
                r#"{"schema": {"type": "union", "refs": ["com.example.grow.watch#made"]}}"#,
            ),
            Set("tail", "/main/errors", r#"[{"name": "FutureCursor"}]"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "one more parameter, one more message and one more error of subscriptions",
        edits: &[
            Set("watch", "/main/parameters/properties/a", TEXT),
            Set("follow", "/main/parameters/properties/a", TEXT),
            Push("follow", "/main/message/schema/refs", r#""com.example.grow.defs#owner""#),
            Push("follow", "/main/errors", r#"{"name": "ConsumerTooSlow"}"#),
            Set("watch", "/main/errors", r#"[{"name": "ConsumerTooSlow"}]"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "definitions and messages that are called like the items of a subscription",
        edits: &[
            Set("watch", "/message", r#"{"type": "object", "properties": {}}"#),
            Set("watch", "/params", r#"{"type": "object", "properties": {}}"#),
            Set("watch", "/error", r#"{"type": "object", "properties": {}}"#),
            Set("watch", "/other", r#"{"type": "object", "properties": {}}"#),
            Set("watch", "/subscribe", r#"{"type": "object", "properties": {}}"#),
            Push("watch", "/main/message/schema/refs", r##""#message""##),
            Push("watch", "/main/message/schema/refs", r##""#params""##),
            Push("watch", "/main/message/schema/refs", r##""#error""##),
            Push("watch", "/main/message/schema/refs", r##""#other""##),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a message gets a time and an account",
        edits: &[
            Set("watch", "/made/properties/time", r#"{"type": "string", "format": "datetime"}"#),
            Set("watch", "/made/properties/did", r#"{"type": "string", "format": "did"}"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a message with the name of another, and new subscriptions, one of them called like the accessor's own",
        edits: &[
            New("other.defs", r#"{"image": {"type": "object", "properties": {}}}"#),
            Push("follow", "/main/message/schema/refs", r#""com.example.grow.other.defs#image""#),
            New("over", r#"{"main": {"type": "subscription"}}"#),
            New("subscribe", r#"{"main": {"type": "subscription"}}"#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a subscription names its subprotocol",
        edits: &[Set("tail", "/main/subprotocol", r#""xrpc.v1.json""#)],
        outcome: BreaksDataOnly,
    },
    Change {
        what: "the messages of a subscription are closed, against the rules",
        edits: &[Set("watch", "/main/message/schema/closed", "true")],
        outcome: BreaksDataOnly,
    },
    // Outputs.
    Change {
        what: "an output, all of it optional, of a method that had none",
        edits: &[Set(
            "touch",
            "/main/output",
            r#"{"encoding": "application/json", "schema": {"type": "object", "properties": {"at": {"type": "string"}}}}"#,
        )],
        outcome: Compiles,
    },
    // Texts and constraints.
    Change {
        what: "descriptions, and what is deprecated",
        edits: &[
            Set("note", "/main/description", r#""A short note.""#),
            Set("note", "/main/record/properties/level/description", r#""Deprecated: use kind.""#),
            Set("touch", "/main/description", r#""Deprecated.""#),
            Set("defs", "/top/description", r#""Deprecated: use high.""#),
            Set("defs", "/link/description", r#""Deprecated: use image.""#),
        ],
        outcome: Compiles,
    },
    Change {
        what: "constraints are loosened, a default comes",
        edits: &[
            Set("note", "/main/record/properties/text/maxLength", "3000"),
            Set("listItems", "/main/parameters/properties/limit/default", "20"),
            Set("update", "/main/input/schema/properties/validate/default", "true"),
        ],
        outcome: Compiles,
    },
    Change {
        what: "a closed enum gets a value, against the rules",
        edits: &[Push("note", "/main/record/properties/kind/enum", r#""bold""#)],
        outcome: BreaksDataOnly,
    },
    Change {
        what: "constraints are tightened, against the rules",
        edits: &[Set("note", "/main/record/properties/text/maxLength", "3")],
        outcome: BreaksDataOnly,
    },
    // What the rules allow and Rust does not.
    Change {
        what: "an output with a required field, of a method that had none",
        edits: &[Set(
            "touch",
            "/main/output",
            r#"{"encoding": "application/json", "schema": {"type": "object", "required": ["at"], "properties": {"at": {"type": "string"}}}}"#,
        )],
        outcome: BreaksAllTheSame(
            &[("E0599", "`default`")],
            "only those who make outputs themselves are affected: they have to say what is in it now",
        ),
    },
    Change {
        what: "the first known value of a string",
        edits: &[Set("defs", "/item/properties/title/knownValues", r#"["untitled"]"#)],
        outcome: BreaksAllTheSame(&[("E0308", "mismatched types")], "the string becomes an enum"),
    },
    Change {
        what: "the first member of an open union without members",
        edits: &[Push("note", "/main/record/properties/anything/refs", r#""com.example.grow.defs#image""#)],
        outcome: BreaksAllTheSame(&[("E0308", "mismatched types")], "any value becomes an enum"),
    },
    Change {
        what: "a second optional list in an output that is paginated by an optional one",
        edits: &[Set(
            "searchItems",
            "/main/output/schema/properties/more",
            r#"{"type": "array", "items": {"type": "string"}}"#,
        )],
        outcome: BreaksAllTheSame(
            &[("E0599", "`pages`"), ("E0277", "Paginated")],
            "which of them are the pages' entries is no longer clear; lists that are gone through are required as a rule",
        ),
    },
    // What the rules forbid.
    Change {
        what: "a required parameter",
        edits: &[
            Set("listItems", "/main/parameters/properties/a", TEXT),
            Push("listItems", "/main/parameters/required", r#""a""#),
        ],
        outcome: Breaks(&[("E0061", "takes 2 arguments but 1 argument")]),
    },
    Change {
        what: "the first required parameter",
        edits: &[Set("searchItems", "/main/parameters/required", r#"["text"]"#)],
        outcome: Breaks(&[("E0061", "takes 1 argument but 0 arguments"), ("E0599", "`text`")]),
    },
    Change {
        what: "a required field",
        edits: &[Set("defs", "/image/properties/a", TEXT), Push("defs", "/image/required", r#""a""#)],
        outcome: Breaks(&[("E0061", "takes 2 arguments but 1 argument")]),
    },
    Change {
        what: "a required field becomes optional",
        edits: &[Remove("defs", "/image/required/0")],
        outcome: Breaks(&[
            ("E0061", "takes 0 arguments but 1 argument"),
            ("E0624", "`len`"),
            ("E0308", "incompatible types"),
        ]),
    },
    Change {
        what: "an optional field becomes required",
        edits: &[Push("defs", "/owner/required", r#""name""#)],
        outcome: Breaks(&[("E0061", "takes 2 arguments but 1 argument"), ("E0599", "`name`")]),
    },
    Change {
        what: "the required fields come in another order",
        edits: &[Set("note", "/main/record/required", r#"["createdAt", "text"]"#)],
        outcome: Breaks(&[("E0308", "mismatched types")]),
    },
    Change {
        what: "a field is removed",
        edits: &[Remove("getStatus", "/main/output/schema/properties/note")],
        outcome: Breaks(&[("E0609", "no field `note`")]),
    },
    Change {
        what: "a field is renamed",
        edits: &[Remove("defs", "/owner/properties/name"), Set("defs", "/owner/properties/title", TEXT)],
        outcome: Breaks(&[("E0599", "`name`"), ("E0609", "no field `name`")]),
    },
    Change {
        what: "the type of a field changes",
        edits: &[Set("upload", "/main/output/schema/properties/size", TEXT)],
        outcome: Breaks(&[("E0308", "mismatched types"), ("E0277", "`String: From<i64>`")]),
    },
    Change {
        what: "a field becomes nullable",
        edits: &[Set("getStatus", "/main/output/schema/nullable", r#"["state"]"#)],
        outcome: Breaks(&[("E0308", "mismatched types")]),
    },
    Change {
        what: "an error is removed",
        edits: &[Set("update", "/main/errors", "[]")],
        outcome: Breaks(&[("E0599", "`NotFound`")]),
    },
    Change {
        what: "an open union is closed",
        edits: &[Set("defs", "/media/closed", "true")],
        outcome: Breaks(&[("E0599", "`Other`")]),
    },
    Change {
        what: "known values become all that are allowed",
        edits: &[
            Remove("defs", "/level/knownValues"),
            Set("defs", "/level/enum", r#"["low", "high", "com.example.grow.defs#top"]"#),
        ],
        outcome: Breaks(&[("E0599", "`Other`"), ("E0308", "mismatched types")]),
    },
    Change {
        what: "an input, of a procedure that had none",
        edits: &[Set(
            "touch",
            "/main/input",
            r#"{"encoding": "application/json", "schema": {"type": "object", "properties": {}}}"#,
        )],
        outcome: Breaks(&[("E0061", "takes 1 argument but 0 arguments")]),
    },
    Change {
        what: "the output is bytes and not JSON",
        edits: &[Set("getStatus", "/main/output", r#"{"encoding": "text/plain"}"#)],
        outcome: Breaks(&[
            ("E0433", "OutputState"),
            ("E0609", "no field `state`"),
            ("E0609", "no field `note`"),
        ]),
    },
    Change {
        what: "a definition is removed",
        edits: &[Remove("watch", "/made"), Set("watch", "/main/message/schema/refs", "[]")],
        outcome: Breaks(&[("E0432", "watch::Made`"), ("E0599", "`Made`")]),
    },
    Change {
        what: "a message is removed",
        edits: &[Set("watch", "/main/message/schema/refs", "[]")],
        outcome: Breaks(&[("E0599", "`Made`"), ("E0277", "`Message: From<Made>`")]),
    },
    Change {
        what: "the first required parameter of a subscription, and one more",
        edits: &[
            Set("watch", "/main/parameters/required", r#"["cursor"]"#),
            Set("follow", "/main/parameters/properties/a", TEXT),
            Push("follow", "/main/parameters/required", r#""a""#),
        ],
        outcome: Breaks(&[
            ("E0061", "takes 1 argument but 0 arguments"),
            ("E0599", "`cursor`"),
            ("E0061", "takes 2 arguments but 1 argument"),
        ]),
    },
];
