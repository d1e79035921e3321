//! What somebody does not want to see, and what they have seen.

use super::Bluesky;
use crate::{
    api::{
        app::bsky::{
            graph::{
                AppBskyGraph, listblock::Listblock, mute_actor, mute_actor_list, mute_thread, unmute_actor,
                unmute_actor_list, unmute_thread,
            },
            notification::update_seen,
        },
        com::atproto::repo::{create_record, strong_ref::StrongRef},
    },
    bsky::notifications,
    types::{AtIdentifier, AtUri, Datetime},
    xrpc::Error,
};

impl<'c> Bluesky<'c> {
    /// Mutes an account: its posts and notifications are no longer shown. Nobody else learns of it. It is not an error if the account
    /// is muted already.
    ///
    /// ```no_run
    /// use atproto_sdk::did;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.bluesky().mute(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn mute(&self, account: impl Into<AtIdentifier>) -> Result<(), Error<mute_actor::Error>> {
        let input = mute_actor::Input::new(account);
        self.graph().mute_actor(input).await.map(|_| ())
    }

    /// Takes back [`mute`](Self::mute).
    ///
    /// ```no_run
    /// use atproto_sdk::did;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.bluesky().unmute(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn unmute(&self, account: impl Into<AtIdentifier>) -> Result<(), Error<unmute_actor::Error>> {
        let input = unmute_actor::Input::new(account);
        self.graph().unmute_actor(input).await.map(|_| ())
    }

    /// Mutes all accounts of a list, as [`mute`](Self::mute) does, and those that are added to it later.
    ///
    /// ```no_run
    /// use atproto_sdk::at_uri;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let list = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.graph.list/3jzfcijpj2z2a");
    /// client.bluesky().mute_list(list).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn mute_list(&self, list: AtUri) -> Result<(), Error<mute_actor_list::Error>> {
        self.graph().mute_actor_list(mute_actor_list::Input::new(list)).await.map(|_| ())
    }

    /// Takes back [`mute_list`](Self::mute_list).
    ///
    /// ```no_run
    /// use atproto_sdk::at_uri;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let list = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.graph.list/3jzfcijpj2z2a");
    /// client.bluesky().unmute_list(list).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn unmute_list(&self, list: AtUri) -> Result<(), Error<unmute_actor_list::Error>> {
        self.graph().unmute_actor_list(unmute_actor_list::Input::new(list)).await.map(|_| ())
    }

    /// Mutes a thread, which is named by its first post: there are no more notifications about it.
    ///
    /// ```no_run
    /// use atproto_sdk::api::app::bsky::feed::post::Post;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient, reply: Post) -> Result<(), Box<dyn std::error::Error>> {
    /// if let Some(thread) = reply.reply {
    ///     client.bluesky().mute_thread(thread.root.uri).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn mute_thread(&self, root: AtUri) -> Result<(), Error<mute_thread::Error>> {
        self.graph().mute_thread(mute_thread::Input::new(root)).await.map(|_| ())
    }

    /// Takes back [`mute_thread`](Self::mute_thread).
    ///
    /// ```no_run
    /// use atproto_sdk::at_uri;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let root = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a");
    /// client.bluesky().unmute_thread(root).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn unmute_thread(&self, root: AtUri) -> Result<(), Error<unmute_thread::Error>> {
        self.graph().unmute_thread(unmute_thread::Input::new(root)).await.map(|_| ())
    }

    /// Blocks all accounts of a list, publicly, and those that are added to it later.
    ///
    /// ```no_run
    /// use atproto_sdk::at_uri;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let list = at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.graph.list/3jzfcijpj2z2a");
    /// let block = client.bluesky().block_list(list).await?;
    /// // Later:
    /// client.bluesky().undo(&block.uri).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn block_list(&self, list: AtUri) -> Result<StrongRef, Error<create_record::Error>> {
        self.create(&Listblock::new(list, Datetime::now())).await
    }

    /// Marks the notifications up to a time as seen, as [`notifications::mark_seen`]; for a page that was shown, use
    /// [`Page::mark_seen`](notifications::Page::mark_seen).
    ///
    /// ```no_run
    /// use atproto_sdk::types::Datetime;
    ///
    /// # async fn example(client: atproto_sdk::PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.bluesky().mark_notifications_seen(Datetime::now()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the call fails.
    pub async fn mark_notifications_seen(&self, until: Datetime) -> Result<(), Error<update_seen::Error>> {
        notifications::mark_seen(self.caller.transport(), until).await
    }

    fn graph(&self) -> AppBskyGraph<'c> {
        AppBskyGraph::over(self.caller.transport())
    }
}
