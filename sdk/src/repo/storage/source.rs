//! The bytes of a CAR file, of which any part can be read.

use std::{
    fs::File,
    io,
    sync::{Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};

use super::super::{RepoError, SourceError};

/// How much is read ahead if the parts that are read follow each other.
const AHEAD: usize = 64 << 10;

/// A CAR file in memory or on disk.
#[derive(Debug)]
pub(super) enum Source {
    Memory(Bytes),
    File(OpenFile),
}

#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    can_change: bool,
    ahead: Mutex<Ahead>,
}

/// What has been read ahead.
#[derive(Debug, Default)]
struct Ahead {
    start: u64,
    bytes: Bytes,
    /// Where the part ends that was read last.
    end_of_last: u64,
}

impl Ahead {
    /// The part of what has been read ahead.
    fn part(&self, start: u64, length: usize) -> Option<Bytes> {
        let from = usize::try_from(start.checked_sub(self.start)?).ok()?;
        let to = from.checked_add(length)?;
        (to <= self.bytes.len()).then(|| self.bytes.slice(from..to))
    }
}

impl Source {
    pub(super) fn memory(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }

    /// A file that nobody else can open.
    pub(super) fn own_file(file: File) -> Self {
        Self::File(OpenFile { file, can_change: false, ahead: Mutex::default() })
    }

    /// A file that has a name.
    pub(super) fn shared_file(file: File) -> Self {
        Self::File(OpenFile { file, can_change: true, ahead: Mutex::default() })
    }

    /// Whether somebody else can change the bytes.
    pub(super) fn can_change(&self) -> bool {
        matches!(self, Self::File(file) if file.can_change)
    }

    /// Reads a part, which must be there.
    pub(super) fn read(&self, start: u64, length: usize) -> Result<Bytes, RepoError> {
        let part = match self {
            Self::Memory(bytes) => {
                let from = usize::try_from(start).ok().filter(|from| from.saturating_add(length) <= bytes.len());
                from.map(|from| bytes.slice(from..from + length)).ok_or_else(cut_off)
            }
            Self::File(file) => file.read(start, length),
        };
        part.map_err(|error| SourceError::new(error).into())
    }
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the CAR file has become shorter since it was opened")
}

impl OpenFile {
    fn read(&self, start: u64, length: usize) -> io::Result<Bytes> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = ahead.part(start, length) {
            ahead.end_of_last = start + length as u64;
            return Ok(part);
        }
        // Blocks in the order of the tree are read one after the other, with a length in between.
        let follows = start.checked_sub(ahead.end_of_last).is_some_and(|gap| gap < AHEAD as u64);
        ahead.end_of_last = start + length as u64;
        if !follows || length >= AHEAD {
            drop(ahead);
            let mut part = BytesMut::zeroed(length);
            let read = fill(&self.file, start, &mut part)?;
            return if read == length { Ok(part.freeze()) } else { Err(cut_off()) };
        }
        let mut bytes = BytesMut::zeroed(AHEAD);
        let read = fill(&self.file, start, &mut bytes)?;
        bytes.truncate(read);
        *ahead = Ahead { start, bytes: bytes.freeze(), end_of_last: ahead.end_of_last };
        ahead.part(start, length).ok_or_else(cut_off)
    }
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
