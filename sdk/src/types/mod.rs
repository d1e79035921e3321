//! The protocol's data types: identifiers, timestamps, links, blobs, and data that has not been decoded yet.
//!
//! Nothing in this module performs I/O, and it is available without the `client` feature.
//!
//! | If you have | use |
//! | --- | --- |
//! | an identifier as a string | [`Did`], [`Handle`], [`AtIdentifier`], [`Nsid`], [`AtUri`], [`RecordKey`], [`Tid`], [`Cid`] |
//! | an identifier in your source code | [`did!`](crate::did), [`handle!`](crate::handle), [`nsid!`](crate::nsid), [`at_uri!`](crate::at_uri), and so on |
//! | JSON or DAG-CBOR of a known type | [`from_json`], [`from_cbor`] |
//! | a field of type `unknown` | [`Unknown`], which [decodes](Unknown::decode) on demand |
//! | data of arbitrary shape to inspect or build | [`Value`] |
//! | typed data to encode, hash or validate | the methods of [`Data`], and [`cid_of`] |
//!
//! # What is checked when
//!
//! Constructors, `parse` and the macros check. Decoding takes any string where a string format is expected, because one
//! broken identifier must not make a whole page unreadable: the value is kept as it is, and its `is_valid` method returns
//! `false`. It is refused where it is used: [`Data::validate`] reports it, and so a call with it is not sent; resolvers,
//! sessions, scopes and proofs refuse it; its parts are empty or `None`; and a [`CidLink`] with it cannot be encoded in
//! DAG-CBOR. In DAG-CBOR, what is decoded as a link must be one.
//!
//! Identifiers in types of your own are checked when serde deserializes them (configuration, keys of maps, your own
//! records), except for [`Datetime`], [`Language`] and [`Uri`]. Answers of servers are read by the generated types,
//! [`from_json`], [`from_cbor`] and [`Unknown::decode`].
//!
//! # What `Debug` shows
//!
//! `Debug` does not show the values of fields whose names are those of secrets, in generated types as in [`Extra`],
//! [`Unknown`] and [`Value`]: passwords, tokens, keys that are not public, and codes that let somebody in. The last word of a
//! name decides, so `accessToken` is hidden and `tokenRequired` is not. A crate with lexicons of its own can name others in
//! its configuration. `Display`, JSON and DAG-CBOR have everything.
//!
//! ```
//! use atproto_sdk::types::Unknown;
//!
//! let answer = Unknown::from_json(r#"{"name":"shop","apiKey":"d41d8cd9"}"#)?;
//! assert_eq!(format!("{answer:?}"), r#"{"name":"shop","apiKey":(hidden)}"#);
//! # Ok::<_, atproto_sdk::types::DataError>(())
//! ```

// First, so that the other modules can use its macros.
#[macro_use]
mod literals;

pub mod codec;

mod at_identifier;
mod at_uri;
mod binary;
mod blob;
mod characters;
mod cid;
#[cfg(test)]
mod data_tests;
mod datetime;
mod did;
mod expected;
mod extra;
#[cfg(test)]
mod format_tests;
mod handle;
mod integer;
mod known_string;
mod language;
mod multibase;
mod nsid;
mod nullable;
mod object;
mod permission_set;
mod record_key;
mod secret;
pub(crate) mod serde_record;
mod setters;
mod text;
mod tid;
mod typed_account;
mod union;
mod unknown;
mod uri;
mod validation;
mod value;
#[cfg(test)]
mod vectors;

pub use at_identifier::AtIdentifier;
pub use at_uri::AtUri;
pub use binary::{Bytes, CidLink};
pub use blob::Blob;
pub use cid::Cid;
pub(crate) use codec::from_json_within;
pub use codec::{
    Data, DataError, FromData, MAX_DEPTH, Problem, Reader, Record, cid_of, from_cbor, from_json,
};
pub use datetime::Datetime;
pub use did::Did;
pub use expected::Expected;
pub use extra::Extra;
pub use handle::Handle;
pub use integer::Integer;
pub use language::Language;
pub use nsid::Nsid;
pub use nullable::Nullable;
pub use permission_set::{PermissionSet, SetAudience, SetPermission};
pub use record_key::RecordKey;
pub use text::InvalidText;
pub use tid::Tid;
pub use typed_account::NotAnAccount;
#[cfg(feature = "client")]
pub(crate) use typed_account::Typed;
pub use unknown::Unknown;
#[cfg(feature = "repo")]
pub(crate) use unknown::from_cbor_bounded;
pub use uri::Uri;
pub(crate) use validation::validate_body;
pub use validation::{Rule, Violation, ViolationKind, Violations, Warning, WarningKind, Warnings};
pub use value::Value;

/// A string that is stored inline, without an allocation, if it is short (up to 24 bytes on 64-bit platforms).
///
/// ```
/// use atproto_sdk::types::SmallString;
///
/// let cursor = SmallString::new("3jzfcijpj2z2a");
/// assert!(!cursor.is_heap_allocated());
/// ```
pub use compact_str::CompactString as SmallString;
