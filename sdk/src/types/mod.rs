//! The data types of the protocol: identifiers, links, blobs and values that are not decoded yet. No I/O.

pub mod known_string;
pub mod object;
pub mod union;

mod at_identifier;
mod at_uri;
mod binary;
mod blob;
mod cid;
#[cfg(test)]
mod data_tests;
mod datetime;
mod did;
mod extra;
#[cfg(test)]
mod format_tests;
mod handle;
mod language;
mod nsid;
mod nullable;
mod permission_set;
mod record_key;
mod setters;
mod text;
mod tid;
mod unknown;
mod uri;

pub use at_identifier::AtIdentifier;
pub use at_uri::AtUri;
pub use binary::{Bytes, CidLink};
pub use blob::Blob;
pub use cid::Cid;
pub use datetime::Datetime;
pub use did::Did;
pub use extra::Extra;
pub use handle::Handle;
pub use language::Language;
pub use nsid::Nsid;
pub use nullable::Nullable;
pub use object::{Object, Record};
pub use permission_set::PermissionSet;
pub use record_key::RecordKey;
pub use text::InvalidText;
pub use tid::Tid;
pub use union::Union;
pub use unknown::Unknown;
pub use uri::Uri;

/// A string that is kept in place as long as it is short.
pub use compact_str::CompactString as SmallString;
