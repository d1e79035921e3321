//! What will be written in Rust: every name chosen, every ref resolved, every type laid out.
//!
//! The model knows Rust's types and names but no tokens; [`crate::emit`] turns it into text.

mod accessors;
mod boxing;
mod build;
mod docs;
mod lower;
mod method;
mod names;
mod places;
mod plain;
mod reach;
mod rules;
mod spelling;
mod subscription;

use std::collections::BTreeMap;

pub(crate) use docs::deprecation;
pub use docs::{Docs, code, sentence};
pub use lower::{lower, lower_with_secrets};
pub(crate) use method::listed;
pub use names::{AllNames, Names};
pub(crate) use names::{OWN, accessors, group_accessors, has_method, module_paths};
pub use places::field_places;
pub(crate) use plain::{names_values, plain};
pub use spelling::is_keyword;
pub(crate) use spelling::{
    by_spelling, field_name, is_reserved_module, is_reserved_type, last_segment, type_name,
};

use crate::document::Permission;

/// All modules, sorted by NSID.
#[derive(Debug)]
pub struct Model {
    /// One module per document.
    pub modules: Vec<Module>,
    /// NSID groups that have methods, such as `com.atproto.repo`.
    pub groups: BTreeMap<String, Group>,
}

/// The bindings of one document.
#[derive(Debug)]
pub struct Module {
    /// The document's NSID.
    pub nsid: String,
    /// The module's path below `api`, one identifier a segment, raw ones without `r#`.
    pub path: Vec<String>,
    /// Its documentation.
    pub docs: Docs,
    /// Types and constants in document order.
    pub items: Vec<Item>,
    /// The query or procedure, if `main` is one.
    pub method: Option<Method>,
    /// The subscription, if `main` is one.
    pub subscription: Option<Subscription>,
}

/// The methods of an NSID group.
#[derive(Debug, Default)]
pub struct Group {
    /// The module's path below `api`.
    pub path: Vec<String>,
    /// The accessor's name, such as `com_atproto_repo`.
    pub accessor: String,
    /// The name that another crate's accessor has, and the module of its bindings.
    pub instead_of: Option<(String, String)>,
    /// The struct's name, such as `ComAtprotoRepo`.
    pub name: String,
    /// Queries, procedures and subscriptions: index into [`Model::modules`] and the Rust name, by NSID.
    pub methods: Vec<(usize, String)>,
}

/// One Rust item.
#[derive(Debug)]
pub enum Item {
    /// An object, a record or parameters.
    Struct(Struct),
    /// A union.
    Union(Union),
    /// The messages of a subscription: a union.
    Messages(Messages),
    /// A string with known values.
    Strings(Strings),
    /// A name for another type.
    Alias {
        /// Its name.
        name: String,
        /// Its documentation.
        docs: Docs,
        /// What it stands for.
        ty: RustType,
    },
    /// A token: a constant with its full name.
    Token {
        /// Its name.
        name: String,
        /// Its documentation.
        docs: Docs,
        /// `nsid#name`.
        value: String,
    },
    /// The errors of a method or a subscription; without values where the lexicon names none.
    Errors {
        /// Their documentation.
        docs: Docs,
        /// The names.
        values: Vec<NamedValue>,
    },
    /// The output of a method that has none: a struct without fields, which gains them with the lexicon.
    NoOutput {
        /// Its documentation.
        docs: Docs,
    },
    /// A permission set.
    PermissionSet {
        /// Its name.
        name: String,
        /// Its documentation.
        docs: Docs,
        /// What it grants.
        permissions: Vec<Permission>,
    },
}

/// A struct with its fields.
#[derive(Debug)]
pub struct Struct {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Docs,
    /// The definition it stands for, such as `app.bsky.feed.defs#postView`.
    pub id: String,
    /// Object, record or parameters.
    pub kind: StructKind,
    /// The fields in document order.
    pub fields: Vec<Field>,
    /// The arguments of the constructor: indices into `fields`, in the order of the lexicon's `required`.
    pub arguments: Vec<usize>,
    /// Whether it is part of what callers send, and so gets setters.
    pub sent: bool,
    /// Whether its data comes as DAG-CBOR, or as JSON made from it: its fields then stand in the order of DAG-CBOR.
    pub stored: bool,
}

/// What a struct stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StructKind {
    /// An object.
    Object,
    /// A record, with its kind of record key.
    Record {
        /// `tid`, `nsid`, `any` or `literal:...`.
        key: String,
    },
    /// Query parameters.
    Params,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// The Rust name, raw ones without `r#`.
    pub ident: String,
    /// The name of its setter.
    pub setter: String,
    /// The name of the method that gives its default, if the lexicon has one.
    pub or_default: Option<String>,
    /// The name in the data.
    pub key: String,
    /// Its documentation.
    pub docs: Docs,
    /// The type of a present value.
    pub ty: RustType,
    /// Whether it has to be there.
    pub presence: Presence,
    /// The only value it may have.
    pub constant: Option<Literal>,
    /// The value that an absent one stands for.
    pub default: Option<Literal>,
    /// What its value has to keep to.
    pub rules: Vec<Rule>,
}

/// A constraint of a field's value (L4, L5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A number, with the runtime's name of what it limits, such as `MaxGraphemes`.
    Limit(&'static str, i128),
    /// The strings that are allowed.
    OneOf(Vec<String>),
    /// The integers that are allowed.
    OneOfIntegers(Vec<i64>),
    /// The only value that is allowed.
    Const(Literal),
    /// The MIME types that a blob may have.
    Accept(Vec<String>),
    /// What every element of a list has to keep to.
    Each(Vec<Rule>),
    /// Is a secret.
    Hidden,
}

/// Whether a field has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always there.
    Required,
    /// May be absent.
    Optional,
    /// May be absent, and may be `null`.
    OptionalNullable,
}

/// A value that a lexicon names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A string.
    Text(String),
    /// A string of a closed set, whose type has a variant for it.
    Variant {
        /// The string.
        text: String,
        /// The name of the variant.
        name: String,
    },
}

/// Where a generated module is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModulePath {
    /// The module that all bindings of its crate are in, such as `::atproto_sdk::api`; `None` for the crate at hand.
    pub root: Option<String>,
    /// The path below it, one identifier a segment, raw ones without `r#`.
    pub segments: Vec<String>,
}

/// A Rust type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RustType {
    /// `bool`
    Bool,
    /// `i64`
    Integer,
    /// `String`
    String,
    /// A type of the runtime's `types` module.
    Runtime(&'static str),
    /// The runtime's stream of bytes.
    ByteStream,
    /// A generated type; `into` says whether constructors take anything that converts.
    Generated {
        /// The module; `None` for the one at hand.
        module: Option<ModulePath>,
        /// Its name.
        name: String,
        /// Whether there are conversions into it from its variants or from strings.
        into: bool,
    },
    /// `Vec<_>`
    Vec(Box<RustType>),
    /// `Box<_>`, to end a recursion.
    Boxed(Box<RustType>),
    /// `Nullable<_>`
    Nullable(Box<RustType>),
}

/// A union: an enum with a boxed value per variant.
#[derive(Debug)]
pub struct Union {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Docs,
    /// Whether anything but the variants is refused.
    pub closed: bool,
    /// The variants in document order.
    pub variants: Vec<Variant>,
}

/// A variant of a union.
#[derive(Debug)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// The `$type`.
    pub tag: String,
    /// The struct.
    pub ty: RustType,
}

/// The messages of a subscription.
#[derive(Debug)]
pub struct Messages {
    /// The union, which is open in any case.
    pub union: Union,
    /// What is known about each of its variants.
    pub messages: Vec<Message>,
}

/// A message of a subscription.
#[derive(Debug)]
pub struct Message {
    /// The variant.
    pub variant: String,
    /// What the headers of its frames may say.
    pub tags: Vec<String>,
    /// The field of its position in the stream.
    pub seq: Option<String>,
    /// The field of the time at which it was sent.
    pub time: Option<String>,
    /// The field of the account that it is about.
    pub account: Option<String>,
}

/// A string with named values.
#[derive(Debug)]
pub struct Strings {
    /// Its name.
    pub name: String,
    /// Its documentation.
    pub docs: Docs,
    /// Whether other strings are refused.
    pub closed: bool,
    /// The values.
    pub values: Vec<NamedValue>,
}

/// A text with its Rust name.
#[derive(Debug)]
pub struct NamedValue {
    /// The Rust name.
    pub name: String,
    /// The text.
    pub text: String,
    /// Its documentation.
    pub docs: Docs,
}

/// A query or procedure. Its module has the types `Params`, `Output` and `Error` in any case.
#[derive(Debug)]
pub struct Method {
    /// The method struct's name.
    pub name: String,
    /// Its documentation.
    pub docs: Docs,
    /// Query or procedure.
    pub kind: MethodKind,
    /// Whether the method has parameters, and whether callers must give some.
    pub params: Arity,
    /// The request body.
    pub input: Body,
    /// The response body.
    pub output: Body,
    /// The names of its errors.
    pub errors: Vec<String>,
    /// How pages are followed, for paginated queries.
    pub pages: Option<Pages>,
}

/// A subscription. Its module has the types `Params`, `Message` and `Error` in any case.
#[derive(Debug)]
pub struct Subscription {
    /// The subscription struct's name.
    pub name: String,
    /// Its documentation.
    pub docs: Docs,
    /// The subprotocol that the lexicon names, if there is one of this name.
    pub subprotocol: Option<&'static str>,
    /// Whether the subscription has parameters, and whether callers must give some.
    pub params: Arity,
    /// The names of its errors.
    pub errors: Vec<String>,
}

/// The kind of a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodKind {
    /// `GET`
    Query,
    /// `POST`
    Procedure,
}

/// Whether a method or a subscription has parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// None today.
    None,
    /// Optional ones only.
    Optional,
    /// At least one that is required.
    Required,
}

/// A request or response body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// None.
    Empty,
    /// JSON of the module's `Input` or `Output` type.
    Json,
    /// Bytes of a MIME type.
    Raw(String),
}

/// How the pages of a query are followed.
#[derive(Debug)]
pub struct Pages {
    /// The field of the parameter `cursor`.
    pub parameter: String,
    /// Whether it is required.
    pub cursor_required: bool,
    /// The field of the output's cursor.
    pub cursor: String,
    /// Whether the output always has a cursor.
    pub output_cursor_required: bool,
    /// The field of the output's array.
    pub items: String,
    /// Whether the array is always there.
    pub items_required: bool,
    /// The array's element type, seen from the method's module.
    pub item: RustType,
}
