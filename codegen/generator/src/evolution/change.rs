//! One change, and what it does.

use std::fmt;

use crate::json::{Kind as Json, Value};
use crate::one_line::one_line;

/// One change between two versions of a document.
///
/// `Display` is one line: a mark (`+` added, `-` removed, `~` changed), where, what, and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The document.
    pub nsid: String,
    /// The definition in it; `None` where the document as a whole is meant.
    pub def: Option<String>,
    /// The JSON path in the document, such as `defs.main.record.properties.text`; empty at the top.
    pub json_path: String,
    /// What kind of change it is.
    pub kind: ChangeKind,
    /// What exactly, such as "`maxLength` from 300 to 3000".
    pub detail: String,
    /// What it does to data and programs on the network.
    pub network: Network,
    /// What it does to programs that use the generated Rust.
    pub rust: RustFace,
}

/// What a change does to the network: data that is there, and programs that know another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// Old data stays valid, and old programs can read new data.
    Compatible,
    /// Some data or some program no longer fits, for this reason.
    Breaking(String),
}

/// What a change does to the face of the generated Rust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RustFace {
    /// The same items with the same types; at most documentation, constraints and data differ.
    Unchanged,
    /// There are more items, and programs that compiled still compile.
    Additive,
    /// Some programs no longer compile, or pass arguments in the wrong order, for this reason.
    Breaking(String),
}

impl Network {
    /// Whether some data or some program no longer fits.
    pub fn is_breaking(&self) -> bool {
        matches!(self, Self::Breaking(_))
    }
}

impl RustFace {
    /// Whether some programs no longer compile.
    pub fn is_breaking(&self) -> bool {
        matches!(self, Self::Breaking(_))
    }
}

/// Makes the enum, its names and its marks from one table.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $mark:literal $name:literal,)*) => {
        /// The kinds of changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ChangeKind {
            $($(#[$doc])* $variant,)*
        }

        impl ChangeKind {
            /// The stable name, such as `field-added`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// `+` for what is new, `-` for what is gone, `~` for what is different.
            pub fn mark(self) -> char {
                match self {
                    $(Self::$variant => $mark,)*
                }
            }
        }
    };
}

kinds! {
    /// A new document.
    DocumentAdded = '+' "document-added",
    /// A document is gone.
    DocumentRemoved = '-' "document-removed",
    /// A new definition.
    DefinitionAdded = '+' "definition-added",
    /// A definition is gone.
    DefinitionRemoved = '-' "definition-removed",
    /// A definition is of another kind, such as a procedure that was a query.
    DefinitionKindChanged = '~' "definition-kind-changed",
    /// A description is another one.
    DescriptionChanged = '~' "description-changed",
    /// A description now says that users should do without the item.
    Deprecated = '~' "deprecated",
    /// The kind of record key of a collection is another one.
    RecordKeyChanged = '~' "record-key-changed",
    /// A new property or parameter.
    FieldAdded = '+' "field-added",
    /// A property or parameter is gone.
    FieldRemoved = '-' "field-removed",
    /// A property or parameter is gone, and one with another name and the same type has come.
    FieldRenamed = '~' "field-renamed",
    /// An optional property or parameter must be there now.
    FieldRequired = '~' "field-required",
    /// A required property or parameter may be absent now.
    FieldOptional = '~' "field-optional",
    /// Whether `null` is allowed is different.
    NullableChanged = '~' "nullable-changed",
    /// The names in `required` come in another order.
    RequiredReordered = '~' "required-reordered",
    /// The type is another one.
    TypeChanged = '~' "type-changed",
    /// A ref leads to another definition, or stands where its target stood, or the other way around.
    RefChanged = '~' "ref-changed",
    /// The format of a string is another one.
    FormatChanged = '~' "format-changed",
    /// A limit of a length, a size or a number is another one, or new, or gone.
    LimitChanged = '~' "limit-changed",
    /// The default is another one, or new, or gone.
    DefaultChanged = '~' "default-changed",
    /// The only allowed value is another one, or new, or gone.
    ConstChanged = '~' "const-changed",
    /// A new entry of `knownValues`.
    KnownValueAdded = '+' "known-value-added",
    /// An entry of `knownValues` is gone.
    KnownValueRemoved = '-' "known-value-removed",
    /// A new entry of `enum`.
    EnumValueAdded = '+' "enum-value-added",
    /// An entry of `enum` is gone.
    EnumValueRemoved = '-' "enum-value-removed",
    /// What may be any value was restricted to an `enum`, or the other way around.
    EnumChanged = '~' "enum-changed",
    /// The MIME types of a blob are others.
    AcceptChanged = '~' "accept-changed",
    /// A new variant of a union.
    VariantAdded = '+' "variant-added",
    /// A variant of a union is gone.
    VariantRemoved = '-' "variant-removed",
    /// A union that took other variants takes no others now.
    UnionClosed = '~' "union-closed",
    /// A union takes other variants now.
    UnionOpened = '~' "union-opened",
    /// A method has a request or response body, or messages, that had none.
    BodyAdded = '+' "body-added",
    /// A request or response body, or the messages, are gone.
    BodyRemoved = '-' "body-removed",
    /// The MIME type of a body is another one.
    EncodingChanged = '~' "encoding-changed",
    /// A body has a schema that had none.
    SchemaAdded = '+' "schema-added",
    /// A body has no schema that had one.
    SchemaRemoved = '-' "schema-removed",
    /// How the messages of a subscription are encoded is named otherwise.
    SubprotocolChanged = '~' "subprotocol-changed",
    /// A new error of a method.
    ErrorAdded = '+' "error-added",
    /// An error of a method is gone.
    ErrorRemoved = '-' "error-removed",
    /// Whether, or by which list, a query is gone through in pages is different.
    PagesChanged = '~' "pages-changed",
    /// A new permission of a permission set.
    PermissionAdded = '+' "permission-added",
    /// A permission of a permission set is gone.
    PermissionRemoved = '-' "permission-removed",
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.mark(), one_line(&self.nsid))?;
        if !self.json_path.is_empty() {
            write!(f, " {}", one_line(&self.json_path))?;
        }
        write!(f, ": {}; network: ", one_line(&self.detail))?;
        match &self.network {
            Network::Compatible => f.write_str("compatible")?,
            Network::Breaking(reason) => write!(f, "breaking ({})", one_line(reason))?,
        }
        f.write_str("; Rust: ")?;
        match &self.rust {
            RustFace::Unchanged => f.write_str("unchanged"),
            RustFace::Additive => f.write_str("additive"),
            RustFace::Breaking(reason) => write!(f, "breaking ({})", one_line(reason)),
        }
    }
}

impl Change {
    /// The change for machines.
    pub fn to_json(&self) -> Value {
        let effect = |effect: &str, reason: Option<&String>| {
            let reason = reason.map_or(Value::new(Json::Null), Value::string);
            Value::object([("effect", Value::string(effect)), ("reason", reason)])
        };
        let network = match &self.network {
            Network::Compatible => effect("compatible", None),
            Network::Breaking(reason) => effect("breaking", Some(reason)),
        };
        let rust = match &self.rust {
            RustFace::Unchanged => effect("unchanged", None),
            RustFace::Additive => effect("additive", None),
            RustFace::Breaking(reason) => effect("breaking", Some(reason)),
        };
        Value::object([
            ("nsid", Value::string(&self.nsid)),
            ("def", self.def.as_ref().map_or(Value::new(Json::Null), Value::string)),
            ("path", Value::string(&self.json_path)),
            ("kind", Value::string(self.kind.name())),
            ("mark", Value::string(self.kind.mark())),
            ("detail", Value::string(&self.detail)),
            ("network", network),
            ("rust", rust),
        ])
    }
}
