//! Where a reply belongs, and which version of a record is meant.

use super::Bluesky;
use crate::{
    api::{
        app::bsky::feed::post::{Post, ReplyRef},
        com::atproto::repo::{ComAtprotoRepo, get_record, strong_ref::StrongRef},
    },
    server_text::{SHORT, excerpt},
    types::{AtUri, DataError, Record as _, Unknown},
    xrpc::{Call, Error},
};

/// The error returned when it is not known which version of a record is meant, or which thread it belongs to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The URI is that of a repository or collection.
    #[error("`{}` is not the address of a record, which has a collection and a record key", excerpt(uri.as_str(), SHORT))]
    NotARecord {
        /// The URI.
        uri: AtUri,
    },
    /// The record is not a post.
    #[error("`{}` is not a post, and only posts can be replied to", excerpt(uri.as_str(), SHORT))]
    NotAPost {
        /// The URI.
        uri: AtUri,
    },
    /// The server did not return the version of the record.
    #[error("the server returned `{}` without its CID, so it cannot be referred to", excerpt(uri.as_str(), SHORT))]
    NoVersion {
        /// The URI.
        uri: AtUri,
    },
    /// The record could not be read as a post.
    #[error("`{}` is not a post that can be read", excerpt(uri.as_str(), SHORT))]
    Unreadable {
        /// The URI.
        uri: AtUri,
        /// What is wrong with it.
        source: DataError,
    },
    /// The record could not be fetched.
    #[error("`{}` could not be fetched", excerpt(uri.as_str(), SHORT))]
    Call {
        /// The URI.
        uri: AtUri,
        /// What failed.
        source: Box<Error<get_record::Error>>,
    },
}

/// Returns where a reply to a post belongs: below the post, in the thread that it belongs to.
///
/// ```
/// use atproto_sdk::{
///     api::com::atproto::repo::strong_ref::StrongRef,
///     bsky::{PostBuilder, post::reply_to},
///     types::Cid,
/// };
///
/// # fn reference(rkey: &str) -> StrongRef {
/// #     let uri = format!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/{rkey}");
/// #     StrongRef::new(uri.as_str().try_into().unwrap(), Cid::of_raw(rkey.as_bytes()))
/// # }
/// let (first, second) = (reference("3jzfcijpj2z2a"), reference("3jzfcijpj2z2b"));
/// let first_post = PostBuilder::new("First").build();
/// let second_post = PostBuilder::new("Second").reply(reply_to(first.clone(), &first_post)).build();
/// let third = reply_to(second.clone(), &second_post);
/// assert_eq!((third.root, third.parent), (first, second));
/// ```
pub fn reply_to(parent: StrongRef, post: &Post) -> ReplyRef {
    let root = post.reply.as_ref().map_or_else(|| parent.clone(), |reply| reply.root.clone());
    ReplyRef::new(root, parent)
}

fn post_in(uri: &AtUri, record: &Unknown) -> Result<Post, ReferenceError> {
    if record.type_name().as_deref() != Some(Post::COLLECTION) {
        return Err(ReferenceError::NotAPost { uri: uri.clone() });
    }
    record.decode().map_err(|source| ReferenceError::Unreadable { uri: uri.clone(), source })
}

impl Bluesky<'_> {
    /// Returns where a reply to a post belongs, which is fetched for that. Of a post in a feed,
    /// `ReplyRef::from(&post_view)` needs no call.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, at_uri, bsky::PostBuilder};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let bluesky = client.bluesky();
    /// let post = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a");
    /// bluesky.post(&PostBuilder::new("I agree.").reply(bluesky.reply_to(&post).await?).build()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such post, or if it cannot be fetched or read.
    pub async fn reply_to(&self, post: &AtUri) -> Result<ReplyRef, ReferenceError> {
        if post.collection().is_some_and(|collection| collection != Post::COLLECTION) {
            return Err(ReferenceError::NotAPost { uri: post.clone() });
        }
        let (reference, record) = self.fetch(post).await?;
        Ok(reply_to(reference, &post_in(post, &record)?))
    }

    /// Returns a reference to the current version of a record, to like, repost or quote it.
    ///
    /// ```no_run
    /// use atproto_sdk::{PasswordClient, at_uri};
    ///
    /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let bluesky = client.bluesky();
    /// let post = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a");
    /// bluesky.like(bluesky.reference(&post).await?).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such record, or if it cannot be fetched.
    pub async fn reference(&self, record: &AtUri) -> Result<StrongRef, ReferenceError> {
        Ok(self.fetch(record).await?.0)
    }

    async fn fetch(&self, uri: &AtUri) -> Result<(StrongRef, Unknown), ReferenceError> {
        let parts = || Some(get_record::Params::new(uri.repo()?, uri.collection()?, uri.record_key()?));
        let params = parts().ok_or_else(|| ReferenceError::NotARecord { uri: uri.clone() })?;
        let call: Call<'_, _> = ComAtprotoRepo::over(self.caller.transport()).get_record(params);
        let failed = |source| ReferenceError::Call { uri: uri.clone(), source: Box::new(source) };
        let output = call.await.map_err(failed)?;
        let cid = output.cid.ok_or_else(|| ReferenceError::NoVersion { uri: uri.clone() })?;
        Ok((StrongRef::new(output.uri, cid), output.value))
    }
}
