//! The blocks that an editor has written.

use std::collections::HashMap;

use bytes::Bytes;

use crate::types::Cid;

/// The blocks of the last commit and of the records since then that the blocks below the editor need not have.
#[derive(Debug, Default)]
pub(super) struct Written {
    blocks: HashMap<Cid, Bytes>,
    /// The records that were written, by their paths.
    records: HashMap<String, Cid>,
    /// Under how many of these paths each record is.
    uses: HashMap<Cid, usize>,
    /// Records that are no longer under one of the paths under which they were written, and may still be under another.
    superseded: Vec<Cid>,
}

impl Written {
    pub(super) fn get(&self, cid: &Cid) -> Option<&Bytes> {
        self.blocks.get(cid)
    }

    /// Notes that a record was written to a path.
    pub(super) fn set(&mut self, path: &str, cid: &Cid, block: Vec<u8>) {
        self.blocks.insert(cid.clone(), block.into());
        *self.uses.entry(cid.clone()).or_default() += 1;
        let before = self.records.insert(path.to_owned(), cid.clone());
        self.supersede(before);
    }

    /// Notes that there is no record under a path any more.
    pub(super) fn delete(&mut self, path: &str) {
        let before = self.records.remove(path);
        self.supersede(before);
    }

    fn supersede(&mut self, record: Option<Cid>) {
        let Some(cid) = record else { return };
        if let Some(uses) = self.uses.get_mut(&cid) {
            *uses -= 1;
            if *uses == 0 {
                self.uses.remove(&cid);
                self.superseded.push(cid);
            }
        }
    }

    /// Takes the blocks of a commit, and gives back those that it removes and the records that were superseded.
    pub(super) fn commit(&mut self, added: &[(Cid, Bytes)], removed: &[Cid]) {
        removed.iter().for_each(|cid| drop(self.blocks.remove(cid)));
        for cid in std::mem::take(&mut self.superseded) {
            if !self.uses.contains_key(&cid) {
                self.blocks.remove(&cid);
            }
        }
        self.blocks.extend(added.iter().cloned());
    }
}
