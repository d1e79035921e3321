//! Taking back what was posted or done.

use super::Bluesky;
use crate::{
    api::{
        app::bsky::{
            feed::{like::Like, repost::Repost},
            graph::{block::Block, follow::Follow, listblock::Listblock, listitem::Listitem},
        },
        com::atproto::repo::{ComAtprotoRepo, delete_record},
    },
    types::{AtUri, Did, Nsid, Record as _},
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

/// The error returned when a record could not be deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteError {
    /// The URI is that of a repository or collection.
    #[error("{uri} is not the address of a record, which has a collection and a record key")]
    NotARecord {
        /// The URI.
        uri: AtUri,
    },
    /// The record is in another account's repository.
    #[error("{uri} does not belong to {did}, which can delete only its own records")]
    NotOwn {
        /// The URI.
        uri: AtUri,
        /// The account.
        did: Did,
    },
    /// The record is not something that can be undone, such as a post.
    #[error("{uri} is not a like, repost, follow or block; to delete it, use `delete`")]
    NotAReaction {
        /// The URI.
        uri: AtUri,
    },
    /// The call failed.
    #[error("{uri} was not deleted")]
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
    pub async fn undo(&self, reaction: &AtUri) -> Result<(), DeleteError> {
        match reaction.collection() {
            Some(collection) if REACTIONS.contains(&collection) => self.delete(reaction).await,
            Some(_) => Err(DeleteError::NotAReaction { uri: reaction.clone() }),
            None => Err(DeleteError::NotARecord { uri: reaction.clone() }),
        }
    }

    /// Deletes a record of the account, such as a post. It is not an error if there is none.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, bsky::PostBuilder};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let bluesky = client.bluesky();
    /// let post = bluesky.post(&PostBuilder::new("Oops").build()).await?;
    /// bluesky.delete(&post.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error, and sends nothing, if the record belongs to another account.
    pub async fn delete(&self, record: &AtUri) -> Result<(), DeleteError> {
        let parts = || {
            let collection = Nsid::new(record.collection()?).ok()?;
            Some((record.repo()?, collection, record.record_key()?))
        };
        let (repo, collection, rkey) =
            parts().ok_or_else(|| DeleteError::NotARecord { uri: record.clone() })?;
        // Whether a handle is that of the account, its server knows.
        if repo.did().is_some_and(|did| did != self.did) {
            return Err(DeleteError::NotOwn { uri: record.clone(), did: self.did.clone() });
        }
        let input = delete_record::Input::new(repo, collection, rkey);
        let call = ComAtprotoRepo::over(self.caller.transport()).delete_record(input);
        let failed = |source| DeleteError::Call { uri: record.clone(), source: Box::new(source) };
        call.await.map(|_| ()).map_err(failed)
    }
}
