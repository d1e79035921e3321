//! Where each block is: 16 bytes, sorted by the beginning of the hash.

use std::ops::Range;

use bytes::Bytes;

use super::super::{RepoError, options::CID_LENGTH};
use crate::types::Cid;

/// The bits of an entry that are the length of the block's data. The others are where its CID is.
const LENGTH_BITS: u32 = 24;
/// How many entries a bucket has on average.
const BUCKET: usize = 4;

/// How many look-ups are made at once.
const GROUP: usize = 64;

/// The places of blocks by their CIDs.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The first eight bytes of the hash, and the place.
    entries: Vec<(u64, u64)>,
    /// Where the entries begin whose hashes begin with the same bits; one more at the end.
    buckets: Vec<u32>,
    /// By how much a hash is shifted to the right to get its bucket.
    shift: u32,
}

/// Where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::repo) struct Place {
    /// Where its CID begins, which its data follow.
    pub(in crate::repo) start: u64,
    /// The length of its data.
    pub(in crate::repo) length: usize,
}

impl Place {
    /// Where the block ends.
    pub(in crate::repo) fn end(&self) -> u64 {
        self.start + (CID_LENGTH + self.length) as u64
    }

    fn unpack(packed: u64) -> Self {
        Self { start: packed >> LENGTH_BITS, length: (packed & ((1 << LENGTH_BITS) - 1)) as usize }
    }
}

/// The first eight bytes of the hash in a CID.
fn beginning(cid: &[u8; CID_LENGTH]) -> u64 {
    cid[4..].first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Index {
    /// Adds a block. Those of one terabyte and more do not fit; the limits on files keep them away.
    pub(super) fn push(&mut self, cid: &Cid, start: u64, length: usize) {
        if let Some(bytes) = cid.as_bytes() {
            self.entries.push((beginning(bytes), start << LENGTH_BITS | length as u64));
        }
    }

    /// Sorts the entries, and removes all but the first of those with the same CID, which `read` reads.
    pub(super) fn finish(
        &mut self,
        read: impl Fn(Place) -> Result<Bytes, RepoError>,
    ) -> Result<(), RepoError> {
        self.entries.sort_unstable();
        self.remove_repeated(read)?;
        self.entries.shrink_to_fit();
        let bits = (self.entries.len() / BUCKET).max(1).ilog2();
        self.shift = u64::BITS - bits;
        self.buckets = vec![0; (1 << bits) + 1];
        for &(hash, _) in &self.entries {
            self.buckets[bucket(hash, self.shift) + 1] += 1;
        }
        let mut sum = 0;
        for start in &mut self.buckets {
            sum += *start;
            *start = sum;
        }
        Ok(())
    }

    fn remove_repeated(&mut self, read: impl Fn(Place) -> Result<Bytes, RepoError>) -> Result<(), RepoError> {
        let mut kept = 0;
        let mut at = 0;
        while at < self.entries.len() {
            let hash = self.entries[at].0;
            let run = self.entries[at..].iter().take_while(|entry| entry.0 == hash).count();
            // Nearly always one. Several different ones can only be made on purpose, and cost 2^32 hashes each.
            let mut different: Vec<Bytes> = Vec::new();
            for number in at..at + run {
                let entry = self.entries[number];
                if run > 1 {
                    let cid = read(Place::unpack(entry.1))?;
                    if different.contains(&cid) {
                        continue;
                    }
                    different.push(cid);
                }
                self.entries[kept] = entry;
                kept += 1;
            }
            at += run;
        }
        self.entries.truncate(kept);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns for each block the first place where it can be.
    pub(super) fn first_places<'c>(
        &self,
        cids: impl ExactSizeIterator<Item = &'c Cid>,
    ) -> Vec<Option<Place>> {
        // The index is larger than the caches of the processor, which waits for the memory at each step of a look-up. In groups,
        // it waits for many at once.
        let mut places = Vec::with_capacity(cids.len());
        let mut cids = cids.fuse();
        let mut group: Vec<(u64, Range<usize>)> = Vec::with_capacity(GROUP);
        loop {
            group.clear();
            group.extend(cids.by_ref().take(GROUP).map(|cid| match cid.as_bytes() {
                Some(bytes) => (beginning(bytes), self.bucket(beginning(bytes))),
                None => (0, 0..0),
            }));
            if group.is_empty() {
                return places;
            }
            let touch =
                |(_, range): &(u64, Range<usize>)| self.entries.get(range.start).map_or(0, |entry| entry.0);
            std::hint::black_box(group.iter().map(touch).fold(0, |sum, hash| sum ^ hash));
            places.extend(group.iter().map(|(hash, range)| self.with_hash(*hash, range.clone()).next()));
        }
    }

    /// Returns where a block can be: the places whose hashes begin as its own. Nearly always there is one at most.
    pub(super) fn places(&self, cid: &[u8; CID_LENGTH]) -> impl Iterator<Item = Place> + '_ {
        let hash = beginning(cid);
        self.with_hash(hash, self.bucket(hash))
    }

    /// The entries that a hash would be among.
    fn bucket(&self, hash: u64) -> Range<usize> {
        let number = bucket(hash, self.shift);
        match (self.buckets.get(number), self.buckets.get(number + 1)) {
            (Some(&from), Some(&to)) => from as usize..to as usize,
            _ => 0..0,
        }
    }

    fn with_hash(&self, hash: u64, range: Range<usize>) -> impl Iterator<Item = Place> + '_ {
        let range = &self.entries[range];
        let from = range.partition_point(|entry| entry.0 < hash);
        let same = range[from..].iter().take_while(move |entry| entry.0 == hash);
        same.map(|&(_, packed)| Place::unpack(packed))
    }
}

fn bucket(hash: u64, shift: u32) -> usize {
    // All entries are in one bucket if there are few.
    hash.checked_shr(shift).unwrap_or(0) as usize
}
