//! The data types of the protocol: identifiers, links, blobs and values that are not decoded yet. No I/O.

// Before the others, so that they can use its macros.
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
mod known_string;
mod language;
mod nsid;
mod nullable;
mod object;
mod permission_set;
mod record_key;
mod setters;
mod text;
mod tid;
mod union;
mod unknown;
mod uri;
mod validation;
#[cfg(test)]
mod validation_tests;
mod value;

pub use at_identifier::AtIdentifier;
pub use at_uri::AtUri;
pub use binary::{Bytes, CidLink};
pub use blob::Blob;
pub use cid::Cid;
pub use codec::{
    Data, DataError, FromData, MAX_DEPTH, Problem, Reader, Record, cid_of, from_cbor, from_json,
};
pub use datetime::Datetime;
pub use did::Did;
pub use expected::Expected;
pub use extra::Extra;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use nullable::Nullable;
pub use permission_set::{PermissionSet, SetAudience, SetPermission};
pub use record_key::RecordKey;
pub use text::InvalidText;
pub use tid::Tid;
pub use unknown::Unknown;
pub use uri::Uri;
pub use validation::{Rule, Violated, Violation, Violations};
pub use value::Value;

/// A string that is kept in place as long as it is short.
pub use compact_str::CompactString as SmallString;
