//! Streams.

mod concurrent;
mod cursor;

pub use concurrent::ForEachError;
pub use cursor::{Acknowledgement, CursorError};
