//! The data types of the protocol: identifiers, links, blobs and values that are not decoded yet. No I/O.

pub mod known_string;
pub mod object;
mod permission_set;
mod setters;
pub mod union;

#[cfg(test)]
mod data_tests;
mod extra;
mod nullable;
mod text;
mod unknown;

pub use text::{
    AtIdentifier, AtUri, Blob, Bytes, Cid, CidLink, Datetime, Did, Handle, InvalidText, Language, Nsid,
    RecordKey, Tid, Uri,
};

pub use extra::Extra;
pub use nullable::Nullable;
pub use object::{Object, Record};
pub use permission_set::PermissionSet;
pub use union::Union;
pub use unknown::Unknown;

/// A string that is kept in place as long as it is short.
pub use compact_str::CompactString as SmallString;
