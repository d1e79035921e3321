//! A few types as a generator would make them, for tests of what is behind the public face. The generated ones are tested
//! in their own crate, `codegen/generator/tests/golden`.

use crate::{
    types::{self, Extra, PermissionSet, Record, SetAudience, SetPermission},
    xrpc::{Empty, Kind, Method, Procedure, Query},
};

/// A record `com.example.note`.
#[derive(Clone)]
pub(crate) struct Note {
    text: String,
    created_at: types::Datetime,
    extra: Extra,
}

crate::__object! {
    Note, "com.example.note", record: true, { 0 text: "text" required, 1 created_at: "createdAt" required }
}

impl Record for Note {
    const COLLECTION: &'static str = "com.example.note";
    const KEY: &'static str = "tid";
}

impl Note {
    pub(crate) fn new(text: &str, created_at: types::Datetime) -> Self {
        Self { text: text.to_owned(), created_at, extra: Extra::default() }
    }
}

/// A record `com.example.profile`.
#[derive(Clone)]
pub(crate) struct Profile {
    name: Option<String>,
    extra: Extra,
}

crate::__object! { Profile, "com.example.profile", record: true, { 0 name: "name" optional } }

impl Record for Profile {
    const COLLECTION: &'static str = "com.example.profile";
    const KEY: &'static str = "literal:self";
}

/// The parameters of a method without parameters.
#[derive(Clone, Default)]
pub(crate) struct NoParams;

crate::__params! { NoParams {} }

/// The errors of a method without errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum NoErrors {}

crate::__errors! { NoErrors {} }

macro_rules! methods {
    ($($name:ident: $kind:ident = $nsid:literal),* $(,)?) => { $(
        #[doc = $nsid]
        pub(crate) struct $name;

        impl Method for $name {
            const NSID: &'static str = $nsid;
            const KIND: Kind = Kind::$kind;
            const INPUT: Option<&'static str> = None;
            const OUTPUT: Option<&'static str> = None;
            type Params = NoParams;
            type Input = Empty;
            type Output = Empty;
            type Error = NoErrors;
        }

        impl $kind for $name {}
    )* };
}

methods! {
    Ping: Query = "com.example.ping",
    Bar: Procedure = "com.example.foo.bar",
    Download: Query = "com.example.download",
}

/// A permission set `com.example.access`.
pub(crate) struct Access;

impl PermissionSet for Access {
    const NSID: &'static str = "com.example.access";
    const PERMISSIONS: &'static [SetPermission] = &[
        SetPermission::Repo { collections: &["com.example.note"], actions: &[] },
        SetPermission::Repo { collections: &["com.example.profile"], actions: &["create", "update"] },
        SetPermission::Rpc {
            methods: &["com.example.foo.bar", "com.example.download"],
            audience: SetAudience::Inherited,
        },
        SetPermission::Rpc { methods: &["com.example.ping"], audience: SetAudience::Any },
    ];
}
