//! Lexicon documents as typed values: what the language allows, and nothing else.
//!
//! A [`Document`] that exists has passed every check that needs no other document; what needs the
//! others (refs) is checked by [`crate::catalog`].

mod parse;
mod reference;
mod syntax;
mod types;

use std::{collections::BTreeSet, path::PathBuf};

use indexmap::IndexMap;

pub use crate::json::Position;
pub use reference::{DefId, Reference};
pub(crate) use syntax::is_nsid;
pub use types::{Array, Blob, Boolean, Bytes, Format, Integer, Object, Params, Schema, Text, Type, Union};

/// One Lexicon document (L1).
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The NSID.
    pub id: String,
    /// What the document as a whole is for.
    pub description: Option<String>,
    /// Definitions by name, in document order.
    pub defs: IndexMap<String, Definition>,
    /// The names of definitions that cannot be used, and are not among [`defs`](Self::defs).
    pub left_out: BTreeSet<String>,
    /// The source file, for messages.
    pub path: PathBuf,
}

/// One entry of `defs`: a primary type (only as `main`) or a schema that others may refer to.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a few hundred exist, and readers match on them")]
pub enum Definition {
    /// What is kept in a repository collection.
    Record(Record),
    /// An XRPC `GET`.
    Query(Query),
    /// An XRPC `POST`.
    Procedure(Procedure),
    /// A WebSocket stream.
    Subscription(Subscription),
    /// A bundle of permissions that an OAuth scope can include.
    PermissionSet(PermissionSet),
    /// Any field type, named.
    Schema(Schema),
}

impl Definition {
    /// The definition's own description.
    pub fn description(&self) -> Option<&str> {
        match self {
            Self::Record(it) => it.description.as_deref(),
            Self::Query(it) => it.description.as_deref(),
            Self::Procedure(it) => it.description.as_deref(),
            Self::Subscription(it) => it.description.as_deref(),
            Self::PermissionSet(it) => it.description.as_deref(),
            Self::Schema(it) => it.description.as_deref(),
        }
    }

    /// Where the definition begins.
    pub fn position(&self) -> Position {
        match self {
            Self::Record(it) => it.position,
            Self::Query(it) => it.position,
            Self::Procedure(it) => it.position,
            Self::Subscription(it) => it.position,
            Self::PermissionSet(it) => it.position,
            Self::Schema(it) => it.position,
        }
    }

    /// Whether this is a primary type (L1).
    pub fn is_primary(&self) -> bool {
        !matches!(self, Self::Schema(_))
    }
}

/// `"type": "record"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The definition's description.
    pub description: Option<String>,
    /// Where the definition begins.
    pub position: Position,
    /// Which record keys the collection uses.
    pub key: RecordKey,
    /// The fields of `record`.
    pub object: Object,
    /// The description of `record` itself (rare).
    pub object_description: Option<String>,
}

/// Which record keys a collection uses (L8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordKey {
    /// A timestamp identifier.
    Tid,
    /// An NSID.
    Nsid,
    /// Any valid record key.
    Any,
    /// Always this one: the collection holds one record.
    Literal(String),
}

/// `"type": "query"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The definition's description.
    pub description: Option<String>,
    /// Where the definition begins.
    pub position: Position,
    /// The query string.
    pub parameters: Option<Params>,
    /// The response body, if any is declared.
    pub output: Option<Body>,
    /// Errors the method names, in document order.
    pub errors: Vec<ErrorName>,
}

/// `"type": "procedure"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Procedure {
    /// The definition's description.
    pub description: Option<String>,
    /// Where the definition begins.
    pub position: Position,
    /// The query string (rare for procedures).
    pub parameters: Option<Params>,
    /// The request body, if any is declared.
    pub input: Option<Body>,
    /// The response body, if any is declared.
    pub output: Option<Body>,
    /// Errors the method names, in document order.
    pub errors: Vec<ErrorName>,
}

/// `"type": "subscription"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Subscription {
    /// The definition's description.
    pub description: Option<String>,
    /// Where the definition begins.
    pub position: Position,
    /// How messages are encoded, as the document names it (L14); the model knows which names there are.
    pub subprotocol: Option<String>,
    /// The query string of the upgrade request.
    pub parameters: Option<Params>,
    /// What the server sends; `None` where nothing is declared.
    pub message: Option<Message>,
    /// Errors the stream may end with, in document order.
    pub errors: Vec<ErrorName>,
}

/// The subprotocols of subscriptions (L14). The first one is meant where none is named.
pub const SUBPROTOCOLS: [&str; 3] = ["xrpc.v0.cbor", "xrpc.v1.json", "xrpc.v1.cbor"];

/// The messages of a subscription (L13).
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The description.
    pub description: Option<String>,
    /// The variants; the frame header names one as `#name`.
    pub schema: Union,
}

/// The body of a request or a response.
#[derive(Debug, Clone, PartialEq)]
pub struct Body {
    /// The description.
    pub description: Option<String>,
    /// Where the body's declaration begins.
    pub position: Position,
    /// The MIME type, possibly a pattern: `application/json`, `image/*`, `*/*`.
    pub encoding: String,
    /// Object, ref or union; `None` for raw bytes and for JSON without a declared shape.
    pub schema: Option<Schema>,
}

/// One error that a method names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorName {
    /// The value of `error` on the wire.
    pub name: String,
    /// When it happens.
    pub description: Option<String>,
}

/// `"type": "permission-set"` (L11).
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionSet {
    /// The definition's description.
    pub description: Option<String>,
    /// Where the definition begins.
    pub position: Position,
    /// A short title for the consent page.
    pub title: Option<String>,
    /// The title by language tag.
    pub title_by_language: IndexMap<String, String>,
    /// A longer text for the consent page.
    pub detail: Option<String>,
    /// The longer text by language tag.
    pub detail_by_language: IndexMap<String, String>,
    /// What the set grants; permissions for unknown resources are left out.
    pub permissions: Vec<Permission>,
}

/// One permission of a set (L11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Writing records.
    Repo {
        /// NSIDs of collections.
        collection: Vec<String>,
        /// `create`, `update`, `delete`; empty means all of them.
        action: Vec<String>,
    },
    /// Calling methods of other services on the user's behalf.
    Rpc {
        /// NSIDs of methods.
        lxm: Vec<String>,
        /// The audience, `did#service` or `*`.
        aud: Option<String>,
        /// Whether the audience is the one given to `include:`.
        inherit_aud: bool,
    },
}
