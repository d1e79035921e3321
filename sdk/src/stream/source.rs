//! What a stream is of, for the types of its events.

use std::time::SystemTime;

use crate::{
    types::Did,
    xrpc::{LexiconError, Message as _, Subscription},
};

/// What a stream is of: a [`Subscription`] of a lexicon, or another kind of stream in this module.
///
/// It is the parameter of [`Events`](super::Events), and not meant to be implemented by hand.
pub trait Source: Send + Sync + 'static {
    /// What the server sends.
    type Message: Send + 'static;
    /// The errors that the stream may end with.
    type Error: LexiconError;

    /// Returns the position of a message in the stream.
    #[doc(hidden)]
    fn position(message: &Self::Message) -> Option<i64>;

    /// Returns when the server sent a message.
    #[doc(hidden)]
    fn time(message: &Self::Message) -> Option<SystemTime>;

    /// Returns the account that a message is about.
    #[doc(hidden)]
    fn account(message: &Self::Message) -> Option<std::borrow::Cow<'_, Did>>;
}

impl<S: Subscription> Source for S {
    type Message = S::Message;
    type Error = S::Error;

    fn position(message: &S::Message) -> Option<i64> {
        message.seq()
    }

    fn time(message: &S::Message) -> Option<SystemTime> {
        message.time()?.to_system_time()
    }

    fn account(message: &S::Message) -> Option<std::borrow::Cow<'_, Did>> {
        message.account()
    }
}
