//! What the fuzz targets need of this layer.

use super::dns;

/// The texts in a name server's response to the question for `name` with this id.
pub fn texts_in_response(id: u16, name: &str, bytes: &[u8]) -> Option<Vec<String>> {
    dns::texts_in_response(id, name, bytes)
}

/// The question itself.
pub fn question(id: u16, name: &str) -> Option<Vec<u8>> {
    dns::question(id, name)
}

/// The DID in TXT records.
pub fn did_in_records(records: &[String]) -> Option<String> {
    dns::did_in_records(records).ok().flatten().map(|did| did.to_string())
}
