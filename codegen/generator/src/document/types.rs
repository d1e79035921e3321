//! The field types of Lexicon (L3-L7).

use indexmap::IndexMap;

use super::{Position, Reference};

/// A field type with its description and its place in the source.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// What the field is for.
    pub description: Option<String>,
    /// Where the schema begins.
    pub position: Position,
    /// The type.
    pub ty: Type,
}

/// A field type (L3).
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// `boolean`
    Boolean(Boolean),
    /// `integer`
    Integer(Integer),
    /// `string`
    String(Text),
    /// `bytes`
    Bytes(Bytes),
    /// `cid-link`
    CidLink,
    /// `blob`
    Blob(Blob),
    /// `array`
    Array(Array),
    /// `object`
    Object(Object),
    /// `params`; only where a named definition breaks L2, methods hold theirs directly.
    Params(Params),
    /// `token`
    Token,
    /// `ref`
    Ref(Reference),
    /// `union`
    Union(Union),
    /// `unknown`
    Unknown,
}

impl Schema {
    /// What takes the place of a schema that cannot be used.
    pub(super) fn unknown(position: Position) -> Self {
        Self { description: None, position, ty: Type::Unknown }
    }
}

impl Type {
    /// The type's name in Lexicon.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::CidLink => "cid-link",
            Self::Blob(_) => "blob",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Params(_) => "params",
            Self::Token => "token",
            Self::Ref(_) => "ref",
            Self::Union(_) => "union",
            Self::Unknown => "unknown",
        }
    }

    /// The refs in it, at any depth, without following them.
    pub fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Ref(reference) => vec![reference],
            Self::Union(union) => union.refs.iter().collect(),
            Self::Array(array) => array.items.ty.references(),
            Self::Object(object) => object.references(),
            _ => Vec::new(),
        }
    }
}

/// `boolean`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Boolean {
    /// The value that stands for a missing one.
    pub default: Option<bool>,
    /// The only value; never together with `default`.
    pub constant: Option<bool>,
}

/// `integer` (L5)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Integer {
    /// The value that stands for a missing one.
    pub default: Option<i64>,
    /// The only value; never together with `default`.
    pub constant: Option<i64>,
    /// The smallest value.
    pub minimum: Option<i64>,
    /// The largest value.
    pub maximum: Option<i64>,
    /// `enum`: the closed set of values; empty means that any value will do.
    pub allowed: Vec<i64>,
}

/// `string` (L4)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The syntax the value must follow.
    pub format: Option<Format>,
    /// The value that stands for a missing one.
    pub default: Option<String>,
    /// The only value; never together with `default`.
    pub constant: Option<String>,
    /// The least length in UTF-8 bytes.
    pub min_length: Option<u64>,
    /// The greatest length in UTF-8 bytes.
    pub max_length: Option<u64>,
    /// The least length in grapheme clusters.
    pub min_graphemes: Option<u64>,
    /// The greatest length in grapheme clusters.
    pub max_graphemes: Option<u64>,
    /// An open set: any other value is valid too. Empty where none are listed.
    pub known_values: Vec<String>,
    /// `enum`: the closed set of values; empty means that any value will do.
    pub allowed: Vec<String>,
}

/// The string formats (L4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A DID or a handle.
    AtIdentifier,
    /// An AT-URI.
    AtUri,
    /// A CID.
    Cid,
    /// A datetime with zone.
    Datetime,
    /// A DID.
    Did,
    /// A handle.
    Handle,
    /// An NSID.
    Nsid,
    /// A timestamp identifier.
    Tid,
    /// A record key.
    RecordKey,
    /// Any URI.
    Uri,
    /// A BCP 47 language tag.
    Language,
}

impl Format {
    /// Every format, in the order of the specification.
    pub const ALL: [Self; 11] = [
        Self::AtIdentifier,
        Self::AtUri,
        Self::Cid,
        Self::Datetime,
        Self::Did,
        Self::Handle,
        Self::Nsid,
        Self::Tid,
        Self::RecordKey,
        Self::Uri,
        Self::Language,
    ];

    /// The name in Lexicon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtIdentifier => "at-identifier",
            Self::AtUri => "at-uri",
            Self::Cid => "cid",
            Self::Datetime => "datetime",
            Self::Did => "did",
            Self::Handle => "handle",
            Self::Nsid => "nsid",
            Self::Tid => "tid",
            Self::RecordKey => "record-key",
            Self::Uri => "uri",
            Self::Language => "language",
        }
    }

    /// The format with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }
}

/// `bytes` (L5)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bytes {
    /// The least length in bytes.
    pub min_length: Option<u64>,
    /// The greatest length in bytes.
    pub max_length: Option<u64>,
}

/// `blob` (L5)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob {
    /// MIME types and patterns such as `image/*`; empty means any.
    pub accept: Vec<String>,
    /// The greatest size in bytes.
    pub max_size: Option<u64>,
}

/// `array` (L5)
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The type of each element.
    pub items: Box<Schema>,
    /// The least number of elements.
    pub min_length: Option<u64>,
    /// The greatest number of elements.
    pub max_length: Option<u64>,
}

/// `object`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object {
    /// Names of properties that must be there; each is in `properties`.
    pub required: Vec<String>,
    /// Names of properties that may be null; each is in `properties`.
    pub nullable: Vec<String>,
    /// Properties by name, in document order.
    pub properties: IndexMap<String, Schema>,
}

impl Object {
    /// Whether the property must be there.
    pub fn is_required(&self, name: &str) -> bool {
        self.required.iter().any(|it| it == name)
    }

    /// Whether the property may be null.
    pub fn is_nullable(&self, name: &str) -> bool {
        self.nullable.iter().any(|it| it == name)
    }

    /// The refs in it, at any depth, without following them.
    pub fn references(&self) -> Vec<&Reference> {
        self.properties.values().flat_map(|schema| schema.ty.references()).collect()
    }
}

/// `params`: booleans, integers, strings, unknowns, and arrays of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Params {
    /// The description.
    pub description: Option<String>,
    /// Names of parameters that must be there; each is in `properties`.
    pub required: Vec<String>,
    /// Parameters by name, in document order.
    pub properties: IndexMap<String, Schema>,
}

impl Params {
    /// Whether the parameter must be there.
    pub fn is_required(&self, name: &str) -> bool {
        self.required.iter().any(|it| it == name)
    }
}

/// `union` (L6)
#[derive(Debug, Clone, PartialEq)]
pub struct Union {
    /// The variants, in document order, without repetition.
    pub refs: Vec<Reference>,
    /// Whether nothing but the variants is valid.
    pub closed: bool,
}
