//! The options that calls to read and write records have.

/// The options of a single call, which are passed on to the call.
macro_rules! call_options {
    ($change:ident) => {
        /// Sends a header with this call, as [`Call::header`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).header("accept-language", "pt-BR").await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn header(self, name: &str, value: &str) -> Self {
            self.$change(|call| call.header(name, value))
        }

        /// Adds a query parameter that the lexicon does not define, as [`Call::query_param`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).query_param("fresh", true).await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn query_param(self, name: &str, value: impl fmt::Display) -> Self {
            self.$change(|call| call.query_param(name, value))
        }

        /// Asks the server to forward the call to another service, as [`Call::proxy`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).proxy("did:web:api.example.com#example").await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn proxy(self, service: &str) -> Self {
            self.$change(|call| call.proxy(service))
        }

        /// Does not have the call forwarded, as [`Call::without_proxy`]. Calls of `com.atproto.repo` never are, unless by
        /// [`proxy`](Self::proxy).
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).without_proxy().await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn without_proxy(self) -> Self {
            self.$change(Call::without_proxy)
        }

        /// Requests the labels of these labelers, as [`Call::labelers`].
        ///
        /// ```no_run
        /// use atproto_sdk::{
        ///     PublicClient, api::app::bsky::actor::profile::Profile, bsky::labelers, handle, record_key,
        /// };
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).labelers([labelers::BLUESKY]).await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn labelers<L: Into<Labeler>>(self, labelers: impl IntoIterator<Item = L>) -> Self {
            self.$change(|call| call.labelers(labelers))
        }

        /// Limits the time that each call may take, as [`Call::timeout`].
        ///
        /// ```no_run
        /// use std::time::Duration;
        ///
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).timeout(Duration::from_secs(5)).await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn timeout(self, limit: Duration) -> Self {
            self.$change(|call| call.timeout(limit))
        }

        /// Limits the size of the response, as [`Call::max_response_size`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::feed::post::Post, handle};
        /// use futures_util::StreamExt as _;
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let posts = client.records_of::<Post>(handle!("alice.example.com"));
        /// // A page of large records.
        /// let mut posts = posts.list().max_response_size(64 << 20);
        /// while let Some(post) = posts.next().await {
        ///     println!("{}", post?.uri);
        /// }
        /// # Ok(()) }
        /// ```
        pub fn max_response_size(self, bytes: usize) -> Self {
            self.$change(|call| call.max_response_size(bytes))
        }

        /// Sets whether the call is sent again, as [`Call::retry`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::feed::post::Post, handle, xrpc::StandardRetry};
        /// use futures_util::StreamExt as _;
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let posts = client.records_of::<Post>(handle!("alice.example.com"));
        /// let mut posts = posts.list().retry(StandardRetry::new().attempts(10));
        /// while let Some(post) = posts.next().await {
        ///     println!("{}", post?.uri);
        /// }
        /// # Ok(()) }
        /// ```
        pub fn retry(self, policy: impl RetryPolicy) -> Self {
            self.$change(|call| call.retry(policy))
        }

        /// Sets how long the call waits before it is sent again, as [`Call::backoff`].
        ///
        /// ```no_run
        /// use std::time::Duration;
        ///
        /// use atproto_sdk::{PublicClient, api::app::bsky::feed::post::Post, handle, xrpc::ExponentialBackoff};
        /// use futures_util::StreamExt as _;
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let posts = client.records_of::<Post>(handle!("alice.example.com"));
        /// let backoff = ExponentialBackoff::new().longest(Duration::from_secs(120));
        /// let mut posts = posts.list().backoff(backoff);
        /// while let Some(post) = posts.next().await {
        ///     println!("{}", post?.uri);
        /// }
        /// # Ok(()) }
        /// ```
        pub fn backoff(self, backoff: impl Backoff) -> Self {
            self.$change(|call| call.backoff(backoff))
        }

        /// Sets what the call waits for before it is sent, as [`Call::pacing`].
        ///
        /// ```no_run
        /// use std::time::Duration;
        ///
        /// use atproto_sdk::{
        ///     PublicClient,
        ///     api::app::bsky::feed::post::Post,
        ///     handle,
        ///     xrpc::{BoxFuture, PacedCall, Pacing, TransportError, Turn},
        /// };
        /// use futures_util::StreamExt as _;
        ///
        /// /// Leaves the server some time before each page.
        /// struct Slowly;
        ///
        /// impl Pacing for Slowly {
        ///     fn turn<'a>(&'a self, _: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        ///         Box::pin(async {
        ///             tokio::time::sleep(Duration::from_millis(100)).await;
        ///             Ok(Turn::free())
        ///         })
        ///     }
        /// }
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let mut posts = client.records_of::<Post>(handle!("alice.example.com")).list().pacing(Slowly);
        /// println!("{:?}", posts.next().await.transpose()?);
        /// # Ok(()) }
        /// ```
        pub fn pacing(self, pacing: impl Pacing) -> Self {
            self.$change(|call| call.pacing(pacing))
        }

        /// Sends the call at once, as [`Call::without_pacing`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).without_pacing().await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn without_pacing(self) -> Self {
            self.$change(Call::without_pacing)
        }

        /// Sends the call only once, as [`Call::without_retry`].
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
        /// let profile = profiles.get(&record_key!("self")).without_retry().await?;
        /// println!("{:?}", profile.value.display_name);
        /// # Ok(()) }
        /// ```
        pub fn without_retry(self) -> Self {
            self.$change(Call::without_retry)
        }
    };
}

pub(super) use call_options;
