//! Keeping what arrives: in memory as long as it is little, then in a temporary file.

use std::{
    env,
    fs::File,
    io::{self, Write as _},
    path::PathBuf,
};

use super::{
    super::{CarDecoder, ReadOptions, RepoError, car::write_length, options::CID_LENGTH},
    Index, PIECE, Source, StoredBlocks, temporary,
};
use crate::types::Cid;

/// Blocks that arrive one after the other.
pub(in crate::repo) struct Spool {
    /// How much may be in memory before there is a file.
    memory: usize,
    /// Where the file is made.
    folder: PathBuf,
    /// What is not in the file, in the order in which it came.
    buffer: Vec<u8>,
    file: Option<File>,
    /// How much is in the file.
    written: u64,
    index: Index,
}

impl Spool {
    pub(in crate::repo) fn new(options: &ReadOptions) -> Self {
        let folder = options.folder.clone().unwrap_or_else(env::temp_dir);
        let (memory, index) = (options.memory, Index::default());
        Self { memory, folder, buffer: Vec::new(), file: None, written: 0, index }
    }

    /// Keeps a block.
    pub(in crate::repo) fn push(&mut self, cid: &Cid, data: &[u8]) -> Result<(), RepoError> {
        let Some(cid_bytes) = cid.as_bytes() else { return Ok(()) };
        let length = CID_LENGTH + data.len();
        let limit = if self.file.is_some() { PIECE } else { self.memory };
        if self.buffer.len() + length > limit {
            self.write()?;
        }
        write_length(&mut self.buffer, length);
        self.index.push(cid, self.written + self.buffer.len() as u64, data.len());
        self.buffer.extend_from_slice(cid_bytes);
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    /// Writes the buffer to the file.
    fn write(&mut self) -> Result<(), RepoError> {
        self.write_buffer().map_err(|error| RepoError::of_storage(&self.folder, error))?;
        self.written += self.buffer.len() as u64;
        // What was needed before there was a file is given back.
        self.buffer = Vec::with_capacity(PIECE.min(2 * self.buffer.len()));
        Ok(())
    }

    fn write_buffer(&mut self) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(temporary::create(&self.folder)?),
        };
        file.write_all(&self.buffer)
    }

    /// Returns the blocks that have arrived from the decoder.
    pub(in crate::repo) fn finish(mut self, decoder: &CarDecoder) -> Result<StoredBlocks, RepoError> {
        let source = if self.file.is_some() {
            self.write()?;
            self.file.take().map(Source::own_file)
        } else {
            None
        };
        let source = source.unwrap_or_else(|| Source::memory(std::mem::take(&mut self.buffer).into()));
        StoredBlocks::new(source, self.index, decoder)
    }
}
