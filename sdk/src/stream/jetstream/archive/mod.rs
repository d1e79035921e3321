mod block;
mod segment;
pub use block::{RowError, SegmentError};
pub(crate) use block::Block;
pub(crate) use segment::SegmentReader;
