//! The blocks of an archive: a few thousand events each, by columns, in one zstd frame.

use super::super::{
    Account, Commit, CommitOperation, EventKind, Identity, Message, SyncDef,
    compression::{CompressionError, Decompressor},
};
use crate::types::{
    Cid, DataError, Datetime, Did, FromData, Nsid, Problem, RecordKey, Tid, Unknown, from_cbor,
};

/// A block as it is stored is a few hundred kilobytes long.
pub(super) const MOST_STORED_BYTES: usize = 64 << 20;
/// Decompressed, it is some megabytes long; the events in it are four thousand by default.
pub(super) const MOST_BLOCK_BYTES: usize = 256 << 20;

/// Bytes of an event in the columns of fixed width: three numbers of 8 bytes, kind, and five lengths of 1, 2, 1, 1 and 4 bytes.
const FIXED: usize = 3 * 8 + 1 + 1 + 2 + 1 + 1 + 4;

/// Why a block or a file of the archive cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// A block cannot be decompressed.
    #[error("a block of the archive cannot be decompressed")]
    Compression(#[source] CompressionError),
    /// The structure is not the documented one.
    #[error("the archive is damaged: {problem}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
    },
    /// The file is of a version that this library does not know.
    #[error(
        "the file of the archive has version {version}, and only 1 is known: use a newer version of this library"
    )]
    Version {
        /// The version of the file.
        version: u16,
    },
    /// The checksum of a file does not fit.
    #[error("the file of the archive does not have its checksum")]
    Checksum,
}

fn malformed(problem: &'static str) -> SegmentError {
    SegmentError::Malformed { problem }
}

/// The events of a block.
#[derive(Debug)]
pub(crate) struct Block {
    bytes: Vec<u8>,
    count: usize,
    /// Where the values of variable length begin, by column.
    ends: Vec<[u32; COLUMNS]>,
}

/// Collections, accounts, record keys, revisions, payloads.
const COLUMNS: usize = 5;

impl Block {
    /// Decompresses and checks a block.
    pub(crate) fn read(frame: &[u8], decompressor: &mut Decompressor) -> Result<Self, SegmentError> {
        Self::parse(decompressor.decompress(frame).map_err(SegmentError::Compression)?)
    }

    /// Checks the structure of a block that has been decompressed.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, SegmentError> {
        let head: [u8; 4] = bytes.first_chunk().copied().ok_or_else(|| malformed("a block is empty"))?;
        let count = usize::try_from(u32::from_le_bytes(head)).unwrap_or(usize::MAX);
        let fixed = count.checked_mul(FIXED).and_then(|fixed| fixed.checked_add(4));
        let Some(fixed) = fixed.filter(|fixed| *fixed <= bytes.len()) else {
            return Err(malformed("a block is shorter than its events"));
        };
        // Lengths, as offsets of where each value ends in the whole block.
        let mut ends = vec![[0; COLUMNS]; count];
        let mut at = fixed;
        for column in 0..COLUMNS {
            for (index, ends) in ends.iter_mut().enumerate() {
                at = at.saturating_add(length(&bytes, count, column, index));
                // Longer blocks are refused when they are decompressed.
                ends[column] =
                    u32::try_from(at).map_err(|_| malformed("a block is longer than it can be"))?;
            }
        }
        match at == bytes.len() {
            true => Ok(Self { bytes, count, ends }),
            false => Err(malformed("the columns of a block are not as long as it is")),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The event at an index, which is less than the length.
    pub(crate) fn row(&self, index: usize) -> Option<Row<'_>> {
        let ends = self.ends.get(index)?;
        let value = |column: usize| {
            // A value begins where the one before it ends, which can be the last of the column before.
            let begin = match (index.checked_sub(1), column) {
                (Some(before), _) => self.ends.get(before)?[column] as usize,
                (None, 0) => 4 + self.count * FIXED,
                (None, column) => self.ends.last()?[column - 1] as usize,
            };
            self.bytes.get(begin..ends[column] as usize)
        };
        Some(Row {
            seq: number(&self.bytes, self.count, 0, index) as u64,
            witnessed_at: number(&self.bytes, self.count, 1, index),
            indexed_at: number(&self.bytes, self.count, 2, index),
            kind: *self.bytes.get(4 + self.count * 24 + index)?,
            collection: value(0)?,
            did: value(1)?,
            rkey: value(2)?,
            rev: value(3)?,
            payload: value(4)?,
        })
    }
}

/// The length of a value. The columns of lengths follow those of the numbers and the kinds.
fn length(bytes: &[u8], count: usize, column: usize, index: usize) -> usize {
    const WIDTHS: [usize; COLUMNS] = [1, 2, 1, 1, 4];
    let before: usize = WIDTHS[..column].iter().sum();
    let width = WIDTHS[column];
    let begin = 4 + count * (25 + before) + index * width;
    // The caller has checked that the columns are there.
    let digits = bytes.get(begin..begin + width).unwrap_or_default();
    digits.iter().rev().fold(0, |length, digit| length << 8 | usize::from(*digit))
}

/// A number of 8 bytes.
fn number(bytes: &[u8], count: usize, column: usize, index: usize) -> i64 {
    let begin = 4 + (count * column + index) * 8;
    let digits = bytes.get(begin..).and_then(<[u8]>::first_chunk).copied();
    i64::from_le_bytes(digits.unwrap_or_default())
}

/// An event of a block, undecoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) seq: u64,
    witnessed_at: i64,
    /// 0 if there is no other time than the one before.
    indexed_at: i64,
    kind: u8,
    collection: &'a [u8],
    did: &'a [u8],
    rkey: &'a [u8],
    rev: &'a [u8],
    payload: &'a [u8],
}

/// Numbers of kinds in an archive.
mod kind {
    pub(super) const CREATE: u8 = 1;
    pub(super) const UPDATE: u8 = 2;
    pub(super) const DELETE: u8 = 3;
    pub(super) const IDENTITY: u8 = 4;
    pub(super) const ACCOUNT: u8 = 5;
    pub(super) const SYNC: u8 = 6;
    /// A record of a repository that the server has fetched as a whole after a `#sync`.
    pub(super) const CREATE_AFTER_SYNC: u8 = 7;
}

impl Row<'_> {
    /// The kind, account and collection, for a filter. `None` for unknown kinds, which no filter leaves out.
    pub(crate) fn subject(&self) -> Option<(EventKind, &str, &str)> {
        let kind = match self.kind {
            kind::CREATE | kind::UPDATE | kind::DELETE | kind::CREATE_AFTER_SYNC => EventKind::Commit,
            kind::IDENTITY => EventKind::Identity,
            kind::ACCOUNT => EventKind::Account,
            kind::SYNC => EventKind::Sync,
            _ => return None,
        };
        Some((kind, std::str::from_utf8(self.did).ok()?, std::str::from_utf8(self.collection).ok()?))
    }

    /// The type that the message has in the live stream.
    pub(super) fn type_name(&self) -> String {
        match self.subject() {
            Some((kind, ..)) => format!("network.bsky.jetstream.subscribeEvents#{kind}"),
            None => format!("the kind {} in an archive", self.kind),
        }
    }

    /// What the event has besides its columns: the record, or the event of the relay.
    pub(super) fn payload(&self) -> Unknown {
        Unknown::from_cbor(self.payload).unwrap_or_else(|_| Unknown::null())
    }

    /// The event in the form of the live stream.
    pub(crate) fn message(&self) -> Result<Message, DataError> {
        let seq = i64::try_from(self.seq).map_err(|_| DataError::at(0, Problem::IntegerRange))?;
        let did = Did::of_data(text(self.did)?);
        let display = if self.indexed_at == 0 { self.witnessed_at } else { self.indexed_at };
        let (time, witnessed) =
            (Datetime::from_unix_micros(display), Some(Datetime::from_unix_micros(self.witnessed_at)));
        Ok(match self.kind {
            kind::CREATE | kind::UPDATE | kind::DELETE | kind::CREATE_AFTER_SYNC => {
                Message::from(self.commit(seq, did, time)?)
            }
            kind::IDENTITY => {
                let mut event = Identity::new(seq, did, time, self.event()?);
                event.witnessed_at = witnessed;
                event.into()
            }
            kind::ACCOUNT => {
                let mut event = Account::new(seq, did, time, self.event()?);
                event.witnessed_at = witnessed;
                event.into()
            }
            kind::SYNC => {
                let mut event = SyncDef::new(seq, did, time, self.event()?);
                event.witnessed_at = witnessed;
                event.into()
            }
            _ => return Err(DataError::at(0, Problem::Form("the event is of an unknown kind"))),
        })
    }

    fn commit(&self, seq: i64, did: Did, time: Datetime) -> Result<Commit, DataError> {
        let operation = match self.kind {
            kind::UPDATE => CommitOperation::Update,
            kind::DELETE => CommitOperation::Delete,
            _ => CommitOperation::Create,
        };
        // As lenient as for what is sent: an identifier tells by itself whether it is valid.
        let (collection, rkey) =
            (Nsid::of_data(text(self.collection)?), RecordKey::of_data(text(self.rkey)?));
        let rev = Tid::of_data(text(self.rev)?);
        let mut commit = Commit::new(seq, did, time, rev, operation, collection, rkey);
        commit.witnessed_at = Some(Datetime::from_unix_micros(self.witnessed_at));
        if !commit.is_delete() {
            commit.record = Some(Unknown::from_cbor(self.payload)?);
            commit.cid = Some(Cid::of_cbor(self.payload));
        }
        Ok(commit)
    }

    /// The event of the relay that the row has as it came.
    fn event<T: FromData>(&self) -> Result<T, DataError> {
        from_cbor(self.payload)
    }
}

fn text(bytes: &[u8]) -> Result<&str, DataError> {
    std::str::from_utf8(bytes).map_err(|error| DataError::at(error.valid_up_to(), Problem::Utf8))
}
