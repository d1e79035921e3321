//! The bytes of a CAR file, of which any part can be read.

use std::{
    fs::File,
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use bytes::{Bytes, BytesMut};

use super::super::{
    RepoError, SourceError,
    car::{Found, section},
    options::CID_LENGTH,
};

/// How much is read ahead if the parts that are read follow each other.
const AHEAD: usize = 64 << 10;

/// After how many parts that were read for themselves a file counts as scattered.
const MANY: u32 = 8;

/// A CAR file in memory or on disk.
#[derive(Debug)]
pub(super) struct Source {
    /// The file, or none if all of it is in memory: then it is what has been read last.
    file: Option<File>,
    /// Whether somebody else can change the bytes.
    can_change: bool,
    /// What was read last. Readers on several threads share it, which costs them time and nothing else.
    last: Mutex<Last>,
    /// How many parts in a row had to be read for themselves.
    scattered: AtomicU32,
}

/// The part of a file that is read at once, and the position in it.
#[derive(Debug, Default)]
struct Last {
    start: u64,
    bytes: Bytes,
    /// Where the block ends that was read last.
    end: u64,
    /// Whether that block was in order.
    was_in_order: bool,
}

impl Last {
    /// The bytes from a position on, as far as they have been read.
    fn from(&self, start: u64) -> Option<&[u8]> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..)
    }

    fn part(&self, start: u64, length: usize) -> Option<Bytes> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

impl Source {
    pub(super) fn memory(bytes: Bytes) -> Self {
        Self { file: None, last: Mutex::new(Last { bytes, ..Last::default() }), ..Self::empty() }
    }

    /// A file that nobody else can open.
    pub(super) fn own_file(file: File) -> Self {
        Self { file: Some(file), ..Self::empty() }
    }

    fn empty() -> Self {
        Self { file: None, can_change: false, last: Mutex::default(), scattered: AtomicU32::new(0) }
    }

    /// A file that has a name.
    pub(super) fn shared_file(file: File) -> Self {
        Self { can_change: true, ..Self::own_file(file) }
    }

    /// Whether somebody else can change the bytes.
    pub(super) fn can_change(&self) -> bool {
        self.can_change
    }

    /// Whether what is read lies far apart, so that it is better to read many parts together in the order of the file.
    pub(super) fn is_scattered(&self) -> bool {
        self.scattered.load(Ordering::Relaxed) >= MANY
    }

    /// Notes that what is read lies close together.
    pub(super) fn gather(&self) {
        self.scattered.store(0, Ordering::Relaxed);
    }

    /// Reads the data of the block that follows the one that was read last, if it is the block with this CID: so it is in a
    /// file whose blocks are in the order of the tree. This needs no index.
    pub(super) fn next(&self, cid: &[u8; CID_LENGTH]) -> Result<Option<Bytes>, RepoError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let start = last.end;
        if let Some(data) = following(&last, cid) {
            self.gather();
            return Ok(Some(in_order(&mut last, data)));
        }
        // Only the beginning of the block has been read, or nothing of it.
        let is_short = last.from(start).is_none_or(|rest| rest.len() < AHEAD / 2);
        let Some(file) = &self.file else { return Ok(None) };
        if last.was_in_order && is_short {
            read_ahead(file, &mut last, start)?;
            if let Some(data) = following(&last, cid) {
                self.gather();
                return Ok(Some(in_order(&mut last, data)));
            }
        }
        last.was_in_order = false;
        Ok(None)
    }

    /// Reads a part, which must be there.
    pub(super) fn read(&self, start: u64, length: usize) -> Result<Bytes, RepoError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let gap = start.checked_sub(last.end);
        last.end = start + length as u64;
        if let Some(part) = last.part(start, length) {
            self.gather();
            return Ok(part);
        }
        let Some(file) = &self.file else { return Err(cut_off()) };
        // Nodes in order, between which there are records that nobody has asked for.
        if gap.is_some_and(|gap| gap < AHEAD as u64) && length < AHEAD {
            self.gather();
            read_ahead(file, &mut last, start)?;
            return last.part(start, length).ok_or_else(cut_off);
        }
        drop(last);
        self.scattered.fetch_add(1, Ordering::Relaxed);
        let mut part = BytesMut::zeroed(length);
        let read = fill(file, start, &mut part).map_err(SourceError::new)?;
        if read == length { Ok(part.freeze()) } else { Err(cut_off()) }
    }

    /// Reads a part into a buffer, and nothing else with it.
    pub(super) fn read_exactly(&self, start: u64, into: &mut [u8]) -> Result<(), RepoError> {
        if let Some(file) = &self.file {
            let read = fill(file, start, into).map_err(SourceError::new)?;
            return if read == into.len() { Ok(()) } else { Err(cut_off()) };
        }
        let part = self.read(start, into.len())?;
        into.copy_from_slice(&part);
        Ok(())
    }
}

/// The place of the data of the block behind the one that was read last, if it is the one with this CID and has been read.
fn following(last: &Last, cid: &[u8; CID_LENGTH]) -> Option<(u64, usize)> {
    let rest = last.from(last.end)?;
    let Ok(Found::Section { prefix, length }) = section(rest, usize::MAX, 0) else { return None };
    let is_it = rest.get(prefix..prefix + CID_LENGTH)? == cid;
    let is_there = length >= CID_LENGTH && rest.len() - prefix >= length;
    (is_it && is_there).then(|| (last.end + (prefix + CID_LENGTH) as u64, length - CID_LENGTH))
}

fn in_order(last: &mut Last, (start, length): (u64, usize)) -> Bytes {
    last.end = start + length as u64;
    last.was_in_order = true;
    // It has been found there.
    last.part(start, length).unwrap_or_default()
}

fn read_ahead(file: &File, last: &mut Last, start: u64) -> Result<(), RepoError> {
    let mut bytes = BytesMut::zeroed(AHEAD);
    let read = fill(file, start, &mut bytes).map_err(SourceError::new)?;
    bytes.truncate(read);
    (last.start, last.bytes) = (start, bytes.freeze());
    Ok(())
}

fn cut_off() -> RepoError {
    let problem = "the CAR file has become shorter since it was opened";
    RepoError::of_source(io::Error::new(io::ErrorKind::UnexpectedEof, problem))
}

/// Reads as much as there is, and returns how much that was.
fn fill(file: &File, start: u64, mut into: &mut [u8]) -> io::Result<usize> {
    let wanted = into.len();
    let mut at = start;
    while !into.is_empty() {
        match read_at(file, at, into) {
            Ok(0) => break,
            Ok(read) => {
                at += read as u64;
                into = &mut into[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wanted - into.len())
}

#[cfg(unix)]
fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

/// Elsewhere, a file has one position, so only one reader at a time may move it.
#[cfg(not(any(unix, windows)))]
fn read_at(mut file: &File, at: u64, into: &mut [u8]) -> io::Result<usize> {
    use std::io::{Read as _, Seek as _};
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(io::SeekFrom::Start(at))?;
    file.read(into)
}
