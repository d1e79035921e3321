//! The archive of a server of version 2: everything that it has ever seen and that has not been deleted since.

mod block;
mod replay;
mod segment;

#[cfg(any(test, fuzzing))]
pub(crate) use block::Block;
pub use block::SegmentError;
pub use replay::ArchiveError;
pub(super) use replay::{Request, read};
#[cfg(any(test, fuzzing))]
pub(crate) use segment::SegmentReader;
