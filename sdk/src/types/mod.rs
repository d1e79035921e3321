//! The data types of the protocol: identifiers, links, blobs and values that are not decoded yet. No I/O.

mod text;

pub use text::{
    AtIdentifier, AtUri, Cid, Datetime, Did, Handle, InvalidText, Language, Nsid, RecordKey, Tid, Uri,
};
