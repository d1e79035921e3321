//! Taking back what was done.

use super::Bluesky;
use crate::{
    api::{
        app::bsky::{
            feed::{like::Like, repost::Repost},
            graph::{block::Block, follow::Follow, listblock::Listblock, listitem::Listitem},
        },
        com::atproto::repo::delete_record,
    },
    records::on_clients::delete_at,
    server_text::{SHORT, excerpt},
    types::{AtUri, Record as _},
    xrpc::Error,
};

/// What [`Bluesky::undo`] deletes.
const REACTIONS: [&str; 6] = [
    Like::COLLECTION,
    Repost::COLLECTION,
    Follow::COLLECTION,
    Block::COLLECTION,
    Listblock::COLLECTION,
    Listitem::COLLECTION,
];

/// The error returned when something could not be undone.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UndoError {
    /// The record is not something that can be undone, such as a post. Nothing was sent.
    #[error(
        "`{}` is not a like, repost, follow or block; to delete something else, use `delete_at` of the client",
        excerpt(uri.as_str(), SHORT)
    )]
    NotAReaction {
        /// The URI.
        uri: AtUri,
    },
    /// The call failed, or was not made, because the record belongs to another account, for example.
    #[error("`{}` was not undone", excerpt(uri.as_str(), SHORT))]
    Call {
        /// The URI.
        uri: AtUri,
        /// What failed.
        source: Box<Error<delete_record::Error>>,
    },
}

impl Bluesky<'_> {
    /// Undoes a like, repost, follow or block, or takes an account off a list or a list off the blocked ones. It is not an error
    /// if that has been done already.
    ///
    /// The URI is that of the like itself, as [`like`](Self::like) returns it, and as views of posts and profiles have it for the
    /// account that they are for.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, api::app::bsky::feed::defs::PostView};
    ///
    /// # async fn example(client: PasswordClient, post: PostView) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(like) = post.viewer.and_then(|viewer| viewer.like) {
    ///     client.bluesky().undo(&like).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error, and deletes nothing, if the URI is that of something else, such as a post.
    pub async fn undo(&self, reaction: &AtUri) -> Result<(), UndoError> {
        let collection = reaction.collection();
        if !collection.is_some_and(|collection| REACTIONS.contains(&collection.as_str())) {
            return Err(UndoError::NotAReaction { uri: reaction.clone() });
        }
        let failed = |source| UndoError::Call { uri: reaction.clone(), source: Box::new(source) };
        delete_at(self.caller, reaction).await.map(|_| ()).map_err(failed)
    }
}
