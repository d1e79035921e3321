//! What the fuzz target needs of these modules.

use super::{Message, message::id_of};

/// Reads bytes as a message of Tap.
pub fn read_message(bytes: &[u8]) {
    let id = id_of(bytes);
    if let Ok(message) = Message::from_json(bytes) {
        // Whatever can be read can be acknowledged.
        assert_eq!(message.id(), id);
        drop(format!("{message:?}"));
    }
}
