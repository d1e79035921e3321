//! Who is mentioned: the DIDs of handles.

use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::StatusCode;

use super::{Detected, DetectedKind, RichText, detect};
use crate::{
    api::com::atproto::identity::{ComAtprotoIdentity, resolve_handle},
    identity::{FetchError, IdentityError, Resolver},
    server_text::{SHORT, excerpt},
    types::{Did, Handle},
    xrpc::{BoxFuture, Caller, Error, ErrorKind, Transport},
};

/// How many handles are resolved at the same time.
const AT_ONCE: usize = 8;
/// The most handles in a text that [`RichText::resolve`] looks up, twice as many as a post has room for.
///
/// People who write texts for a web site must not decide how many requests it makes.
pub const MOST_HANDLES: usize = 100;

/// The error returned when it is not known whether a mentioned account exists.
#[derive(Debug, thiserror::Error)]
#[error("it could not be found out who @{handle} is; try again later, or leave the mention out")]
#[non_exhaustive]
pub struct MentionError {
    /// The handle.
    pub handle: Handle,
    /// What failed.
    pub source: MentionErrorSource,
}

/// What failed when a mention was resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MentionErrorSource {
    /// The resolver.
    #[error(transparent)]
    Resolver(#[from] Box<IdentityError>),
    /// The call to the server.
    #[error(transparent)]
    Call(#[from] Box<Error<resolve_handle::Error>>),
    /// What was answered is not a DID.
    #[error("the answer was `{did}`, which is not a DID")]
    InvalidDid {
        /// The answer, truncated to 200 characters.
        did: String,
    },
}

/// The account that was found, if its DID is one: answers are read although they have invalid ones.
fn checked(handle: &Handle, did: Option<Did>) -> Result<Option<Did>, MentionError> {
    match did {
        Some(did) if !did.is_valid() => {
            let did = excerpt(did.as_str(), SHORT);
            Err(MentionError { handle: handle.clone(), source: MentionErrorSource::InvalidDid { did } })
        }
        did => Ok(did),
    }
}

/// Finds the accounts of handles.
///
/// Every client asks its server, and a [`Resolver`] asks DNS and the handle's host. A map from handles to DIDs needs no network.
pub trait ResolveMention: Send + Sync {
    /// Returns the account that has a handle, or `None` if there is none.
    ///
    /// ```no_run
    /// use atproto_sdk::{bsky::rich_text::ResolveMention as _, handle};
    ///
    /// # async fn example(client: atproto_sdk::PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let alice = client.resolve_mention(&handle!("alice.example.com")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if it could not be found out.
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>>;
}

impl<T: Transport> ResolveMention for T {
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        Box::pin(ask_server(self, handle))
    }
}

impl ResolveMention for Caller<'_> {
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        Box::pin(ask_server(self.transport(), handle))
    }
}

async fn ask_server(transport: &dyn Transport, handle: &Handle) -> Result<Option<Did>, MentionError> {
    let params = resolve_handle::Params::new(handle.clone());
    match ComAtprotoIdentity::over(transport).resolve_handle(params).await {
        Ok(output) => checked(handle, Some(output.did)),
        Err(error) if error.lexicon_error() == Some(resolve_handle::Error::HandleNotFound) => Ok(None),
        // The reference PDS answers 400 `InvalidRequest` for a handle that nobody has.
        Err(Error::Server(response))
            if response.status == StatusCode::BAD_REQUEST && response.kind() == ErrorKind::InvalidInput =>
        {
            Ok(None)
        }
        Err(error) => Err(MentionError { handle: handle.clone(), source: Box::new(error).into() }),
    }
}

impl ResolveMention for Resolver {
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        Box::pin(async move {
            match self.resolve_handle(handle).await {
                Ok(did) => Ok(Some(did)),
                Err(error) if !error.is_temporary() || is_nowhere(&error) => Ok(None),
                Err(error) => Err(MentionError { handle: handle.clone(), source: Box::new(error).into() }),
            }
        })
    }
}

/// Whether there is no record in DNS and nobody answers at the host: a site that has nothing to do with accounts, most likely.
/// A text that names it would never be accepted otherwise.
fn is_nowhere(error: &IdentityError) -> bool {
    let IdentityError::HandleUnresolved { dns: None, well_known, .. } = error else { return false };
    matches!(**well_known, FetchError::Connect { .. })
}

impl ResolveMention for HashMap<Handle, Did> {
    fn resolve_mention<'a>(&'a self, handle: &'a Handle) -> BoxFuture<'a, Result<Option<Did>, MentionError>> {
        Box::pin(std::future::ready(Ok(self.get(handle).cloned())))
    }
}

impl RichText {
    /// Creates a text with facets for the mentions, links and tags that are found in it.
    ///
    /// A mention of a handle that nobody has remains plain text. So do mentions of further handles once there were
    /// [`MOST_HANDLES`] different ones.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use atproto_sdk::{bsky::RichText, did, handle};
    ///
    /// # async fn example() -> Result<(), atproto_sdk::bsky::rich_text::MentionError> {
    /// // A client or a `Resolver` in place of the map asks the network.
    /// let accounts = HashMap::from([(handle!("alice.example.com"), did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"))]);
    /// let text = RichText::resolve("@alice.example.com and @nobody.example.com", &accounts).await?;
    /// assert_eq!(text.facets().len(), 1);
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if it could not be found out whether an account exists, or if something else than a DID was answered.
    pub async fn resolve(
        text: impl Into<String>,
        accounts: &impl ResolveMention,
    ) -> Result<Self, MentionError> {
        Self::new(text).resolved(accounts).await
    }

    /// Adds facets for the mentions, links and tags that are found where there is no facet yet.
    ///
    /// What remains plain text is told at [`resolve`](Self::resolve).
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, bsky::RichText};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), atproto_sdk::bsky::rich_text::MentionError> {
    /// let text = RichText::from_markdown("**Thanks** to @alice.example.com for [this](https://example.com)!");
    /// let text = text.resolved(&client).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if it could not be found out whether an account exists.
    pub async fn resolved(mut self, accounts: &impl ResolveMention) -> Result<Self, MentionError> {
        let found = detect(&self.text);
        let mut handles = HashSet::new();
        for Detected { kind, .. } in &found {
            if let DetectedKind::Mention(handle) = kind
                && handles.len() < MOST_HANDLES
            {
                handles.insert(handle.to_lowercase());
            }
        }
        let asked = handles.into_iter().map(|handle| async move {
            let did = checked(&handle, accounts.resolve_mention(&handle).await?)?;
            Ok::<_, MentionError>((handle, did))
        });
        let dids: HashMap<Handle, Option<Did>> =
            stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
        self.add_detected(found, |handle| dids.get(&handle.to_lowercase()).cloned().flatten());
        Ok(self)
    }
}
