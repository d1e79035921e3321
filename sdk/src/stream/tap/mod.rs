//! Tap.
mod message;
pub use message::{AccountStatus, Action, IdentityEvent, Message, RecordEvent};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
