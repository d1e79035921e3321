//! How repositories and CAR files are read: limits, and where what arrives is kept.

use std::path::{Path, PathBuf};

/// The largest block that can be allowed, in bytes: the index of blocks has 24 bits for a length.
pub(super) const LARGEST_BLOCK: usize = (1 << 24) - 1 - CID_LENGTH;
/// The largest file that can be allowed, in bytes: the index has 40 bits for a position.
const LARGEST_FILE: u64 = 1 << 40;
/// The length of a CID of the form that the protocol allows.
pub(super) const CID_LENGTH: usize = 36;

/// Limits and settings for reading a repository.
///
/// ```
/// use atproto_sdk::repo::ReadOptions;
///
/// // A small service that has no use for large accounts.
/// let options = ReadOptions::new().max_size(64 << 20).max_blocks(200_000).memory(4 << 20);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct ReadOptions {
    pub(super) max_size: u64,
    pub(super) max_blocks: u64,
    pub(super) max_block_size: usize,
    pub(super) memory: usize,
    pub(super) folder: Option<PathBuf>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_size: 4 << 30,
            max_blocks: 16 << 20,
            max_block_size: 2 << 20,
            memory: 16 << 20,
            folder: None,
        }
    }
}

impl ReadOptions {
    /// Returns the defaults, which suit every account of the network.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the size of the CAR file, in bytes. The default is 4 GiB. More than 1 TiB cannot be allowed.
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes.min(LARGEST_FILE);
        self
    }

    /// Limits the number of blocks. The default is 16,777,216. While a repository is open, each block takes about 17 bytes
    /// of memory.
    pub fn max_blocks(mut self, count: u64) -> Self {
        self.max_blocks = count.min(u64::from(u32::MAX));
        self
    }

    /// Limits the size of each block, in bytes. The default is 2 MiB; records and nodes have at most 1 MiB. More than 16 MiB
    /// cannot be allowed.
    pub fn max_block_size(mut self, bytes: usize) -> Self {
        self.max_block_size = bytes.min(LARGEST_BLOCK);
        self
    }

    /// Sets how many bytes of a repository that arrives are kept in memory. A larger one is kept in a temporary file. The
    /// default is 16 MiB.
    ///
    /// Whoever reads the records of a file whose blocks are in another order than the records reads ahead, in the order of the
    /// file, and takes up to one and a half times as much memory for that, but not less than 1 MiB and not more than 24 MiB.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets the folder for the temporary file. The default is the system's, which on some systems is in memory.
    ///
    /// The file can be read by its owner only, and no longer exists when the program has ended in whatever way.
    pub fn folder(mut self, path: impl AsRef<Path>) -> Self {
        self.folder = Some(path.as_ref().to_owned());
        self
    }

    /// How many bytes of memory blocks may take that are read ahead.
    pub(super) fn ahead(&self) -> usize {
        self.memory.saturating_add(self.memory / 2).clamp(1 << 20, 24 << 20)
    }
}
