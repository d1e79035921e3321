//! Paths of records: the keys of the tree.

use crate::types::{InvalidText, Nsid, RecordKey};

/// Returns the path of a record.
pub(super) fn of(collection: &Nsid, rkey: &RecordKey) -> Result<String, InvalidText> {
    // Names that were decoded need not be valid, and two of them can make the path of another record.
    Nsid::new(collection)?;
    RecordKey::new(rkey)?;
    Ok(format!("{}/{}", collection.as_str(), rkey.as_str()))
}

/// Returns the collection and the record key of a path.
pub(super) fn parse(path: &str) -> Result<(Nsid, RecordKey), InvalidText> {
    let no_slash = || InvalidText::new("path of a record", path, "it has no slash");
    let (collection, rkey) = path.split_once('/').ok_or_else(no_slash)?;
    Ok((Nsid::new(collection)?, RecordKey::new(rkey)?))
}
