//! What all streams of Jetstream consist of.

use crate::{
    api::network::bsky::jetstream::subscribe_events::{Commit, CommitOperation, Message},
    types::{AtUri, DataError, Record},
};

impl Message {
    /// Returns the record that was created or updated, decoded, if it is in the collection of `R`. Returns `None` for
    /// everything else: records of other collections, deletions, and messages that are not commits.
    ///
    /// See [`Commit::record`].
    pub fn record<R: Record>(&self) -> Option<Result<R, DataError>> {
        self.as_commit()?.record()
    }

    /// Returns the commit, if the message is one.
    pub fn as_commit(&self) -> Option<&Commit> {
        if let Self::Commit(commit) = self { Some(commit) } else { None }
    }
}

impl Commit {
    /// Returns the record that was created or updated, decoded, if it is in the collection of `R`. Returns `None` for
    /// records of other collections, and for deletions.
    ///
    /// ```
    /// # #[cfg(feature = "app-bsky")]
    /// # mod example {
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::{like::Like, post::Post},
    ///     stream::jetstream::Message,
    /// };
    ///
    /// # fn example() {
    /// # let message: Message = panic!();
    /// if let Some(Ok(post)) = message.record::<Post>() {
    ///     println!("{}", post.text);
    /// }
    /// assert!(message.record::<Like>().is_none());
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the record is not what the lexicon of its collection says. Everybody can write records like that,
    /// so an error is not a reason to stop.
    pub fn record<R: Record>(&self) -> Option<Result<R, DataError>> {
        let record = self.record.as_ref().filter(|_| self.collection == R::COLLECTION)?;
        Some(record.decode())
    }

    /// Returns the URI of the record.
    pub fn uri(&self) -> AtUri {
        AtUri::record(&self.did, &self.collection, &self.rkey)
    }

    /// Returns whether the record was deleted.
    pub fn is_delete(&self) -> bool {
        self.operation == CommitOperation::Delete
    }
}
