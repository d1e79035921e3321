//! Temporary files that are gone when they are closed, in whatever way the program ends.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, RandomState},
    io,
    path::Path,
};

/// How often another name is tried.
const TRIES: u64 = 16;

/// Creates a file that only its owner can read, and that has no name any more where the system allows that.
pub(super) fn create(folder: &Path) -> io::Result<File> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    let random = RandomState::new();
    for number in 0..TRIES {
        let name = format!("atproto-{}-{:016x}.car", std::process::id(), random.hash_one(number));
        let path = folder.join(name);
        match options().open(&path) {
            Ok(file) => {
                // On Windows, the system does it when the file is closed.
                #[cfg(not(windows))]
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Never an existing file, nor where a link of somebody else points to.
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt as _;
        /// `FILE_FLAG_DELETE_ON_CLOSE`.
        const DELETE_ON_CLOSE: u32 = 0x0400_0000;
        /// `FILE_SHARE_DELETE`, which deleting needs.
        const SHARE_DELETE: u32 = 4;
        options.custom_flags(DELETE_ON_CLOSE).share_mode(SHARE_DELETE);
    }
    options
}
