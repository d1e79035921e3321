//! What the fuzz target needs of these modules.

use super::{
    Dictionary,
    archive::{Block, SegmentReader},
    compression::Decompressor,
    v1,
};
use crate::types::Data as _;

/// Reads bytes as everything that a server of Jetstream sends.
pub fn read_everything(bytes: &[u8], dictionary: &Dictionary) {
    if let Ok(message) = v1::read(bytes) {
        let _ = (message.to_json(), format!("{message:?}"));
    }
    if let Ok(mut decompressor) = Decompressor::new(1 << 20).with_dictionary(dictionary) {
        if let Ok(out) = decompressor.decompress(bytes) {
            assert!(out.len() <= 1 << 20);
        }
    }
    let _ = Dictionary::new(bytes.to_vec());
    read_block(bytes.to_vec());
    let mut reader = SegmentReader::new();
    for piece in bytes.chunks(100) {
        reader.push(piece);
        while let Ok(Some(_)) = reader.next_block() {}
    }
    let _ = reader.finish();
}

fn read_block(bytes: Vec<u8>) {
    let Ok(block) = Block::parse(bytes) else { return };
    for index in 0..block.len() {
        let row = block.row(index).expect("it is in the block");
        if let Ok(message) = row.message() {
            let _ = message.to_json();
        }
    }
}
