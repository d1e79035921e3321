//! Reading many blocks in the order of their places, whatever the order in which they are needed.

use super::{CID_LENGTH, Place, RepoError, StoredBlocks};
use crate::types::Cid;

/// Up to how many bytes between two blocks are read with them: copying them costs about as much as reading once more.
const GAP: u64 = 4 << 10;
/// How much is read at once, unless a block is larger.
const PIECE: u64 = 256 << 10;

/// A block that is to be read.
#[derive(Debug, Clone, Copy)]
pub(in crate::repo) struct Wanted {
    pub(in crate::repo) place: Place,
    /// What the reader calls it.
    pub(in crate::repo) number: usize,
}

impl StoredBlocks {
    /// Returns whether blocks that are read one by one lie so far apart that it is better to read many together.
    pub(in crate::repo) fn is_scattered(&self) -> bool {
        self.source.is_scattered()
    }

    /// Notes that blocks that follow each other for their reader do so in the file.
    pub(in crate::repo) fn gather(&self) {
        self.source.gather();
    }

    /// Returns where blocks can be.
    pub(in crate::repo) fn places<'c>(
        &self,
        cids: impl ExactSizeIterator<Item = &'c Cid>,
    ) -> Vec<Option<Place>> {
        self.index.first_places(cids)
    }

    /// Reads the blocks with these CIDs, which can be in these places, and gives each to `take`, in the order of the places. What is wrong with one
    /// does not concern the others.
    pub(in crate::repo) fn read_together<'c>(
        &self,
        mut wanted: Vec<Wanted>,
        cid: impl Fn(usize) -> Option<&'c Cid>,
        mut take: impl FnMut(usize, Result<Option<&[u8]>, RepoError>),
    ) {
        wanted.sort_unstable_by_key(|block| block.place.start);
        let mut buffer = Vec::new();
        let mut rest = &*wanted;
        while let Some(first) = rest.first() {
            let (count, end) = piece(rest);
            let (start, length) = (first.place.start, (end - first.place.start) as usize);
            let (blocks, behind) = rest.split_at(count);
            rest = behind;
            if buffer.len() < length {
                buffer.resize(length, 0);
            }
            let read = self.source.read_exactly(start, &mut buffer[..length]);
            for block in blocks {
                let Some(cid) = cid(block.number) else { continue };
                let from = (block.place.start - start) as usize;
                let (name, data) = buffer[from..][..CID_LENGTH + block.place.length].split_at(CID_LENGTH);
                if read.is_ok() && cid.as_bytes().is_some_and(|wanted| name == wanted) {
                    take(block.number, self.check(cid, data).map(|()| Some(data)));
                    continue;
                }
                // Another block whose hash begins alike; or one of them cannot be read, which is for each to find out.
                match self.get(cid) {
                    Ok(data) => take(block.number, Ok(data.as_deref())),
                    Err(error) => take(block.number, Err(error)),
                }
            }
        }
    }
}

/// Returns how many of the blocks are read at once, and where the last of them ends.
fn piece(blocks: &[Wanted]) -> (usize, u64) {
    let Some(first) = blocks.first() else { return (0, 0) };
    let mut end = first.place.end();
    let mut count = 1;
    for block in &blocks[1..] {
        let is_far = block.place.start > end + GAP;
        // The same block can be wanted twice.
        if is_far || block.place.end().max(end) - first.place.start > PIECE {
            break;
        }
        end = end.max(block.place.end());
        count += 1;
    }
    (count, end)
}
