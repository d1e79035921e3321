//! Writes files of an archive, for tests.

use std::hash::Hasher as _;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use twox_hash::XxHash3_64;

/// An event to be archived.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) seq: u64,
    pub(super) witnessed_at: i64,
    pub(super) indexed_at: i64,
    pub(super) kind: u8,
    pub(super) collection: String,
    pub(super) did: String,
    pub(super) rkey: String,
    pub(super) rev: String,
    pub(super) payload: Vec<u8>,
}

/// The body of a block.
pub(super) fn body(events: &[Stored]) -> Vec<u8> {
    let mut body = (events.len() as u32).to_le_bytes().to_vec();
    let mut column = |of: &dyn Fn(&Stored) -> Vec<u8>| events.iter().for_each(|event| body.extend(of(event)));
    column(&|event| event.seq.to_le_bytes().into());
    column(&|event| event.witnessed_at.to_le_bytes().into());
    column(&|event| event.indexed_at.to_le_bytes().into());
    column(&|event| vec![event.kind]);
    column(&|event| vec![event.collection.len() as u8]);
    column(&|event| (event.did.len() as u16).to_le_bytes().into());
    column(&|event| vec![event.rkey.len() as u8]);
    column(&|event| vec![event.rev.len() as u8]);
    column(&|event| (event.payload.len() as u32).to_le_bytes().into());
    column(&|event| event.collection.clone().into());
    column(&|event| event.did.clone().into());
    column(&|event| event.rkey.clone().into());
    column(&|event| event.rev.clone().into());
    column(&|event| event.payload.clone());
    body
}

pub(super) fn compressed(body: &[u8]) -> Vec<u8> {
    compress_to_vec(body, CompressionLevel::Fastest)
}

/// A finished file and its checksum.
pub(super) fn segment(blocks: &[Vec<u8>]) -> (Vec<u8>, u64) {
    let mut file = vec![0; 256];
    for block in blocks {
        file.extend((block.len() as u64).to_le_bytes());
        file.extend(block);
    }
    let footer = file.len() as u64;
    file.extend(b"filters and indexes");
    file[..4].copy_from_slice(b"jss0");
    file[12..14].copy_from_slice(&1_u16.to_le_bytes());
    file[14..18].copy_from_slice(&(blocks.len() as u32).to_le_bytes());
    file[58..66].copy_from_slice(&footer.to_le_bytes());
    let mut hash = XxHash3_64::with_seed(0);
    hash.write(&file[12..256]);
    hash.write(&file[footer as usize..]);
    let checksum = hash.finish();
    file[4..12].copy_from_slice(&checksum.to_le_bytes());
    (file, checksum)
}
