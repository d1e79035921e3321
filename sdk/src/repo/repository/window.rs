//! Records in the order of their keys, from blocks that are stored in any order.
//!
//! Blocks that are in the order of the tree are read one by one, which is reading the file from its beginning to its end. If
//! they are not, the tree is ahead of the records by a window: the records in it are read together in the order of the file, and
//! are then given in the order of their keys. A window is limited in memory, and small at first, because a reader may want no more
//! than a few records.

use std::ops::Deref;

use bytes::Bytes;

use super::{
    super::{
        RepoError, StoredBlocks,
        error::Kept,
        storage::{Place, Wanted},
        tree::Key,
        walk::Walk,
    },
    keys::Keys,
};
use crate::types::Cid;

/// How many records the first window has, and how many times as many each further one.
const FIRST: usize = 64;
const GROWTH: usize = 4;
/// Records with fewer bytes between them lie close together.
const CLOSE: u64 = 4 << 10;
/// How many keys are looked up together.
const LOOK_UPS: usize = 256;

/// How many records are touched together before they are decoded, and how much of each.
const WARM: usize = 16;
const WARM_BYTES: usize = 1024;
const CACHE_LINE: usize = 64;

/// The records of a tree whose blocks are stored.
#[derive(Debug)]
pub(super) struct Window {
    keys: Keys,
    /// The keys ahead. They keep their memory from window to window, and so do the data: what is given back to the allocator is
    /// not given back to the system.
    items: Vec<Item>,
    /// Which of them is next, and where those begin whose blocks did not fit in and have not been read.
    next: usize,
    unread: usize,
    /// The data of the blocks that have been read.
    data: Vec<u8>,
    /// How many records may be in the next window.
    records: usize,
}

#[derive(Debug)]
enum Item {
    Record {
        key: Key,
        cid: Cid,
        block: State,
    },
    /// An error in the place of records.
    Failed(Kept),
    Given,
}

/// What is known about a block.
#[derive(Debug)]
enum State {
    At(Place),
    Missing,
    /// Where it is in the data.
    Read {
        start: usize,
        length: usize,
    },
    Failed(Kept),
}

/// A record that is next, and its block, or `None` if it is missing.
#[derive(Debug)]
pub(super) struct Found<'w> {
    pub(super) key: Key,
    pub(super) cid: Cid,
    pub(super) block: Result<Option<Block<'w>>, RepoError>,
}

/// A block that has been read by itself or with others.
#[derive(Debug)]
pub(super) enum Block<'w> {
    Single(Bytes),
    Part(&'w [u8]),
}

impl Deref for Block<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Single(bytes) => bytes,
            Self::Part(bytes) => bytes,
        }
    }
}

impl Item {
    fn place(&self) -> Option<Place> {
        match self {
            Self::Record { block: State::At(place), .. } => Some(*place),
            _ => None,
        }
    }

    fn cid(&self) -> Option<&Cid> {
        match self {
            Self::Record { cid, .. } => Some(cid),
            Self::Failed(_) | Self::Given => None,
        }
    }

    /// How much memory this takes while its block is read.
    fn memory(&self) -> usize {
        let block = self.place().map_or(0, |place| size_of::<Wanted>() + place.length);
        size_of::<Self>() + size_of::<State>() + self.memory_of_key() + block
    }

    fn memory_of_key(&self) -> usize {
        match self {
            Self::Record { key, .. } => key.as_bytes().len(),
            Self::Failed(_) | Self::Given => 0,
        }
    }
}

impl Window {
    pub(super) fn new(walk: Walk) -> Self {
        let keys = Keys::new(walk);
        Self { keys, items: Vec::new(), next: 0, unread: 0, data: Vec::new(), records: FIRST }
    }

    /// The position in the tree, for who reads the blocks himself.
    pub(super) fn walk(&mut self) -> &mut Walk {
        self.keys.walk()
    }

    /// Returns the next record. The blocks are always the same ones.
    pub(super) fn next(&mut self, blocks: &StoredBlocks) -> Option<Result<Found<'_>, RepoError>> {
        if self.next == self.unread {
            if self.unread == self.items.len() && !blocks.is_scattered() {
                return Some(self.keys.next(blocks)?.map(|(key, cid)| {
                    let block = blocks.get(&cid).map(|block| block.map(Block::Single));
                    Found { key, cid, block }
                }));
            }
            self.fill(blocks);
        }
        if self.next.is_multiple_of(WARM) {
            self.warm();
        }
        let item = self.items[..self.unread].get_mut(self.next)?;
        self.next += 1;
        Some(match std::mem::replace(item, Item::Given) {
            Item::Given => return None,
            Item::Failed(error) => Err(error.into()),
            Item::Record { key, cid, block } => {
                let block = match block {
                    State::Read { start, length } => Ok(Some(Block::Part(&self.data[start..start + length]))),
                    State::Failed(error) => Err(error.into()),
                    State::Missing | State::At(_) => Ok(None),
                };
                Ok(Found { key, cid, block })
            }
        })
    }

    /// How much memory what has been read takes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        let keys: usize = self.items.iter().map(|item| size_of::<Item>() + item.memory_of_key()).sum();
        self.data.capacity() + keys
    }

    /// Touches the data of the next records, which lie anywhere: so the processor waits for all of them at once, and not for each
    /// when it is decoded.
    fn warm(&self) {
        let mut sum = 0_u8;
        for item in self.items[self.next..self.unread].iter().take(WARM) {
            if let Item::Record { block: State::Read { start, length }, .. } = item {
                let data = &self.data[*start..start + length];
                sum = data.iter().take(WARM_BYTES).step_by(CACHE_LINE).fold(sum, |sum, byte| sum ^ byte);
            }
        }
        std::hint::black_box(sum);
    }

    /// Reads the next records together.
    fn fill(&mut self, blocks: &StoredBlocks) {
        // What has been given makes room.
        self.items.drain(..self.unread);
        self.data.clear();
        let mut memory: usize = self.items.iter().map(Item::memory).sum();
        let limit = blocks.ahead();
        while self.items.len() < self.records && memory < limit {
            let begin = self.items.len();
            self.look_up(blocks, LOOK_UPS.min(self.records - begin));
            if self.items.len() == begin {
                break;
            }
            memory += self.items[begin..].iter().map(Item::memory).sum::<usize>();
        }
        // At least one, however large it is.
        let mut memory = 0;
        let fits = self.items.iter().take_while(|item| {
            let is_first = memory == 0;
            memory += item.memory();
            is_first || memory <= limit
        });
        (self.next, self.unread) = (0, fits.count());
        if is_close(&self.items[..self.unread]) {
            // So it goes on one by one. If that was by chance, the next window begins small.
            blocks.gather();
            self.records = FIRST;
        } else {
            self.records = self.records.saturating_mul(GROWTH);
        }
        self.read_blocks(blocks);
    }

    /// Adds some more keys, with the places of their blocks.
    fn look_up(&mut self, blocks: &StoredBlocks, count: usize) {
        let begin = self.items.len();
        while self.items.len() < begin + count
            && let Some(next) = self.keys.next(blocks)
        {
            self.items.push(match next {
                Ok((key, cid)) => Item::Record { key, cid, block: State::Missing },
                Err(error) => Item::Failed(error.into()),
            });
        }
        let items = &mut self.items[begin..];
        let cids: Vec<&Cid> = items.iter().filter_map(Item::cid).collect();
        let mut places = blocks.places(cids.into_iter()).into_iter();
        for item in items {
            if let Item::Record { block, .. } = item
                && let Some(place) = places.next().flatten()
            {
                *block = State::At(place);
            }
        }
    }

    /// Reads the blocks of the next records.
    fn read_blocks(&mut self, blocks: &StoredBlocks) {
        let items = &mut self.items[..self.unread];
        let places = items.iter().enumerate();
        let wanted = places.filter_map(|(number, item)| item.place().map(|place| Wanted { place, number }));
        let wanted: Vec<Wanted> = wanted.collect();
        let length = wanted.iter().map(|block| block.place.length).sum();
        if self.data.capacity() < length {
            // Without a copy of what is there. The next windows are about as large.
            self.data = Vec::new();
            self.data.reserve_exact(length + length / 16);
        }
        let data = &mut self.data;
        let mut states: Vec<State> = items.iter().map(|_| State::Missing).collect();
        let take = |number: usize, block: Result<Option<&[u8]>, RepoError>| {
            states[number] = match block {
                Ok(Some(block)) => {
                    let start = data.len();
                    data.extend_from_slice(block);
                    State::Read { start, length: block.len() }
                }
                Ok(None) => State::Missing,
                Err(error) => State::Failed(error.into()),
            };
        };
        blocks.read_together(wanted, |number| items.get(number)?.cid(), take);
        for (item, state) in items.iter_mut().zip(states) {
            if let Item::Record { block, .. } = item {
                *block = state;
            }
        }
    }
}

/// Returns whether most records lie close behind the one before them, which is how they lie in a file in the order of the tree.
fn is_close(items: &[Item]) -> bool {
    let (mut close, mut all) = (0, 0);
    let mut end = None;
    for place in items.iter().filter_map(Item::place) {
        if let Some(end) = end {
            all += 1;
            close += usize::from((end..end + CLOSE).contains(&place.start));
        }
        end = Some(place.end());
    }
    close * 2 > all
}
