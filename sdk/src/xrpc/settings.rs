//! How a client makes its calls.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, header::CONTENT_LENGTH};

use super::{
    Backoff, Deadline, ExponentialBackoff, InvalidRequest, Labeler, Pacing, Request, RequestBody,
    RetryPolicy, StandardRetry, body::DEFAULT_RESPONSE_SIZE, defaults::Defaults,
};
use crate::limits;

/// How a client makes its calls: limits, retries, pacing. Every client has methods to change these settings, and a
/// single call can have others.
///
/// [`OAuthBuilder::call_settings`](crate::oauth::OAuthBuilder::call_settings) sets them for all clients of an app:
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::xrpc::{CallSettings, StandardRetry};
///
/// let settings = CallSettings::new()
///     .timeout(Duration::from_secs(10))
///     .max_response_size(1 << 20)
///     .retry(StandardRetry::new().attempts(2));
/// # let _ = settings;
/// ```
///
/// # Services
///
/// The account's own server (its PDS) answers what is about the account and its repository, and forwards most other calls to a
/// [service](https://atproto.com/specs/xrpc#service-proxying), which it chooses unless the call names one.
/// [`proxy`](Self::proxy) names one for all calls of applications, [`proxy_for`](Self::proxy_for) for a namespace, and
/// [`without_proxy_for`](Self::without_proxy_for) leaves a namespace to the server. The longest namespace counts that a method is
/// in, and a single call can have [another service](super::Call::proxy) or [none](super::Call::without_proxy).
///
/// | methods | forwarded to |
/// | --- | --- |
/// | `com.atproto.repo`, `server`, `identity`, `sync`, `admin` | nothing: only the account's own server does that |
/// | others of `com.atproto`; `tools.ozone` | the service that `proxy_for` has set for them; otherwise the server decides |
/// | `chat.bsky` | the [chat of Bluesky](super::services::BLUESKY_CHAT) if there is an account, because the common servers do not do that by themselves; or what `proxy_for` has set |
/// | all others | the service that `proxy_for` has set for them, or that of `proxy`; otherwise the server decides |
///
/// A service that is named needs a scope for itself, if scopes are granted for single methods: `rpc:app.bsky.feed.getTimeline`
/// with the same service as `aud`.
///
/// ```
/// use atproto_sdk::{did, xrpc::{CallSettings, services}};
///
/// let moderators = services::labeler(&did!("did:web:moderation.example.com"));
/// let settings = CallSettings::new()
///     .proxy(services::BLUESKY)
///     .proxy_for("tools.ozone", &moderators)
///     .proxy_for("com.atproto.moderation", &moderators);
/// # let _ = settings;
/// ```
#[derive(Clone)]
pub struct CallSettings {
    pub(crate) validates_input: bool,
    timeout: Option<Duration>,
    max_response_size: usize,
    retry: Option<Arc<dyn RetryPolicy>>,
    backoff: Option<Arc<dyn Backoff>>,
    pacing: Option<Arc<dyn Pacing>>,
    /// What paces many writes if there is no pacing: set with the first of them, and the same for all clones.
    writes: Option<Arc<OnceLock<Arc<dyn Pacing>>>>,
    /// Most clients have none.
    defaults: Option<Arc<Defaults>>,
}

static STANDARD: CallSettings = CallSettings::new();
static STANDARD_RETRY: StandardRetry = StandardRetry::new();
static STANDARD_BACKOFF: ExponentialBackoff = ExponentialBackoff::new();

impl CallSettings {
    /// Creates the default settings.
    pub const fn new() -> Self {
        Self {
            validates_input: true,
            timeout: None,
            max_response_size: DEFAULT_RESPONSE_SIZE,
            retry: None,
            backoff: None,
            pacing: None,
            writes: None,
            defaults: None,
        }
    }

    /// Returns the default settings, for implementations of [`Transport`](super::Transport).
    pub fn standard() -> &'static Self {
        &STANDARD
    }

    /// Sets whether parameters and inputs are validated against their lexicon before they are sent. The default is
    /// `true`.
    ///
    /// Disable this for a server with a newer lexicon, for example.
    #[must_use]
    pub fn validate_input(mut self, on: bool) -> Self {
        self.validates_input = on;
        self
    }

    /// Limits the time that a call may take, as the `timeout` of a single call. A call with a body may take one more
    /// second for each 32 KiB of it, and one with a streamed body at least ten minutes. The length of a streamed body is
    /// known if there is a `content-length` header.
    ///
    /// The default is 30 seconds for an [`OAuthClient`](crate::oauth::OAuthClient), and a minute for other clients.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }

    /// Limits the size of a response that is read into memory, in bytes after decompression. The default is 8 MiB.
    ///
    /// Decoding may take four times as much memory. Responses that are streamed have no limit.
    #[must_use]
    pub const fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// Sets which calls are sent again. The default is [`StandardRetry`].
    #[must_use]
    pub fn retry(mut self, policy: impl RetryPolicy) -> Self {
        self.retry = Some(Arc::new(policy));
        self
    }

    /// Sets how long a call waits before it is sent again. The default is [`ExponentialBackoff`].
    #[must_use]
    pub fn backoff(mut self, backoff: impl Backoff) -> Self {
        self.backoff = Some(Arc::new(backoff));
        self
    }

    /// Sets what calls wait for before they are sent, such as a [`WriteBudget`](crate::WriteBudget). The default is
    /// nothing.
    #[must_use]
    pub fn pacing(mut self, pacing: impl Pacing) -> Self {
        self.pacing = Some(Arc::new(pacing));
        self
    }

    /// Asks servers to forward calls to a service, such as [`services::BLUESKY`](super::services::BLUESKY): those of all namespaces
    /// but `com.atproto`, `tools.ozone`, `chat.bsky` and those that have a service of their own, see [above](Self#services).
    ///
    /// If the service is not a DID with a fragment, every call fails with
    /// [`InvalidRequest::Service`](super::InvalidRequest::Service) before it is sent.
    ///
    /// ```
    /// use atproto_sdk::xrpc::CallSettings;
    ///
    /// let settings = CallSettings::new().proxy("did:web:appview.example.com#bsky_appview");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn proxy(self, service: &str) -> Self {
        self.with_default(|defaults| defaults.proxy(service))
    }

    /// Asks servers to forward the calls of a namespace to a service, such as those of `chat.bsky` to another chat, see
    /// [above](Self#services). A namespace is the beginning of an NSID, or a whole one.
    ///
    /// Every call fails with [`InvalidRequest::Service`](super::InvalidRequest::Service) or
    /// [`InvalidRequest::Namespace`](super::InvalidRequest::Namespace) before it is sent if that is not possible.
    ///
    /// ```
    /// use atproto_sdk::xrpc::CallSettings;
    ///
    /// let settings = CallSettings::new()
    ///     .proxy_for("com.example.shop", "did:web:shop.example.com#shop")
    ///     .proxy_for("com.example.shop.search", "did:web:search.example.com#search");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn proxy_for(self, namespace: &str, service: &str) -> Self {
        self.with_default(|defaults| defaults.proxy_for(namespace, Some(service)))
    }

    /// Leaves it to servers where they forward the calls of a namespace, see [above](Self#services).
    ///
    /// ```
    /// use atproto_sdk::xrpc::CallSettings;
    ///
    /// // This server knows where its chats are.
    /// let settings = CallSettings::new().without_proxy_for("chat.bsky");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn without_proxy_for(self, namespace: &str) -> Self {
        self.with_default(|defaults| defaults.proxy_for(namespace, None))
    }

    /// Requests the labels of these [labelers](https://atproto.com/specs/label) in all calls, instead of those that a service
    /// chooses. A single call can [request others](super::Call::labelers). Servers accept twenty at most.
    ///
    /// ```
    /// use atproto_sdk::{did, xrpc::{CallSettings, Labeler}};
    ///
    /// let bluesky = did!("did:plc:ar7c4by46qjdydhdevvrndac");
    /// let own = did!("did:web:labeler.example.com");
    /// let settings = CallSettings::new().labelers([Labeler::redacting(bluesky), own.into()]);
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn labelers<L: Into<Labeler>>(self, labelers: impl IntoIterator<Item = L>) -> Self {
        let labelers = labelers.into_iter().map(Into::into).collect();
        self.with_default(|defaults| defaults.labelers(labelers))
    }

    /// Adds a header to all calls and to the requests that begin streams. One that a call has itself comes first, and so do
    /// those about its body. A name or value that HTTP does not allow makes every call fail before it is sent.
    ///
    /// ```
    /// use atproto_sdk::xrpc::CallSettings;
    ///
    /// let settings = CallSettings::new().header("accept-language", "pt-BR, en");
    /// # let _ = settings;
    /// ```
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Self {
        self.with_default(|defaults| defaults.header(name, value))
    }

    fn with_default(mut self, change: impl FnOnce(&mut Defaults)) -> Self {
        change(Arc::make_mut(self.defaults.get_or_insert_default()));
        self
    }

    pub(super) fn defaults(&self) -> Option<&Defaults> {
        self.defaults.as_deref()
    }

    /// What is wrong with these settings.
    pub(crate) fn problem(&self) -> Option<&InvalidRequest> {
        self.defaults()?.problem()
    }

    /// The labelers whose labels calls request.
    #[cfg(feature = "bsky")]
    pub(crate) fn wanted_labelers(&self) -> &[Labeler] {
        self.defaults().map_or(&[], Defaults::wanted_labelers)
    }

    /// Adds the headers of all requests.
    #[cfg(feature = "stream")]
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(defaults) = self.defaults() {
            defaults.add_headers(headers);
        }
    }

    /// The same settings for a client: with a limit of time, if they have none, and with something that paces the writes
    /// of this client and of what is made from it.
    pub(crate) fn of_client(mut self, limit: Duration) -> Self {
        self.timeout.get_or_insert(limit);
        self.writes.get_or_insert_default();
        self
    }

    /// What paces many writes: nothing besides the pacing, if there is one.
    pub(crate) fn pacing_of_writes(&self, new: impl FnOnce() -> Arc<dyn Pacing>) -> Option<Arc<dyn Pacing>> {
        match (&self.pacing, &self.writes) {
            (Some(_), _) => None,
            (None, Some(shared)) => Some(Arc::clone(shared.get_or_init(new))),
            (None, None) => Some(new()),
        }
    }

    /// The deadline of a request that a transport was given: its own, or that of a call that begins now.
    pub(crate) fn deadline_of(&self, request: &Request) -> Deadline {
        request
            .deadline()
            .unwrap_or_else(|| Deadline::after(self.time_limit(request.body(), request.headers())))
    }

    /// The limit of time for a call with this body.
    pub(crate) fn time_limit(&self, body: &RequestBody, headers: &HeaderMap) -> Duration {
        match body {
            RequestBody::Empty => self.timeout.unwrap_or(limits::PLAIN_CALL),
            RequestBody::Bytes(bytes) => self.upload_limit(bytes.len() as u64),
            RequestBody::Stream(_) => self.stream_limit(declared_length(headers).unwrap_or(0)),
        }
    }

    /// The limit of time for a call with a streamed body of this length, or 0 if that is not known.
    pub(crate) fn stream_limit(&self, bytes: u64) -> Duration {
        self.upload_limit(bytes).max(limits::STREAMED_CALL)
    }

    fn upload_limit(&self, bytes: u64) -> Duration {
        let more = Duration::from_secs(bytes / limits::UPLOAD_BYTES_PER_SECOND);
        self.timeout.unwrap_or(limits::PLAIN_CALL).saturating_add(more)
    }

    pub(super) fn response_limit(&self) -> usize {
        self.max_response_size
    }

    pub(super) fn retry_policy(&self) -> &dyn RetryPolicy {
        self.retry.as_deref().unwrap_or(&STANDARD_RETRY)
    }

    pub(crate) fn backoff_policy(&self) -> &dyn Backoff {
        self.backoff.as_deref().unwrap_or(&STANDARD_BACKOFF)
    }

    pub(crate) fn pacing_policy(&self) -> Option<&dyn Pacing> {
        self.pacing.as_deref()
    }
}

/// The length of a body, if it is known before it is sent.
fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Default for CallSettings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CallSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSettings")
            .field("validates_input", &self.validates_input)
            .field("timeout", &self.timeout)
            .field("max_response_size", &self.max_response_size)
            .finish_non_exhaustive()
    }
}

/// The settings of a client, as methods of the client.
macro_rules! call_settings {
    ($timeout:path) => {
        /// Replaces all settings for calls.
        ///
        /// Like every setting, they apply to this client and to clones made from it afterwards.
        #[must_use]
        pub fn with_call_settings(mut self, settings: $crate::xrpc::CallSettings) -> Self {
            self.settings = settings.of_client($timeout);
            self
        }

        /// Sets whether parameters and inputs are validated against their lexicon before they are sent. The default is
        /// `true`.
        ///
        /// Disable this for a server with a newer lexicon, for example. The setting applies to this client and to
        /// clones made from it.
        #[must_use]
        pub fn validate_input(mut self, on: bool) -> Self {
            self.settings = self.settings.validate_input(on);
            self
        }

        /// Limits the time that calls may take, see [`CallSettings::timeout`](crate::xrpc::CallSettings::timeout).
        #[must_use]
        pub fn timeout(mut self, limit: ::std::time::Duration) -> Self {
            self.settings = self.settings.timeout(limit);
            self
        }

        /// Limits the size of responses that are read into memory, see
        /// [`CallSettings::max_response_size`](crate::xrpc::CallSettings::max_response_size).
        #[must_use]
        pub fn max_response_size(mut self, bytes: usize) -> Self {
            self.settings = self.settings.max_response_size(bytes);
            self
        }

        /// Sets which calls are sent again, see [`CallSettings::retry`](crate::xrpc::CallSettings::retry).
        #[must_use]
        pub fn retry(mut self, policy: impl $crate::xrpc::RetryPolicy) -> Self {
            self.settings = self.settings.retry(policy);
            self
        }

        /// Sets how long calls wait before they are sent again, see
        /// [`CallSettings::backoff`](crate::xrpc::CallSettings::backoff).
        #[must_use]
        pub fn backoff(mut self, backoff: impl $crate::xrpc::Backoff) -> Self {
            self.settings = self.settings.backoff(backoff);
            self
        }

        /// Asks servers to forward the calls of applications to a service, such as
        /// [`services::BLUESKY`](crate::xrpc::services::BLUESKY), see
        /// [`CallSettings`](crate::xrpc::CallSettings#services). For a proxy of HTTP, use the builder of the client.
        #[must_use]
        pub fn proxy(mut self, service: &str) -> Self {
            self.settings = self.settings.proxy(service);
            self
        }

        /// Asks servers to forward the calls of a namespace to a service, see
        /// [`CallSettings::proxy_for`](crate::xrpc::CallSettings::proxy_for).
        #[must_use]
        pub fn proxy_for(mut self, namespace: &str, service: &str) -> Self {
            self.settings = self.settings.proxy_for(namespace, service);
            self
        }

        /// Leaves it to servers where they forward the calls of a namespace, see
        /// [`CallSettings::without_proxy_for`](crate::xrpc::CallSettings::without_proxy_for).
        #[must_use]
        pub fn without_proxy_for(mut self, namespace: &str) -> Self {
            self.settings = self.settings.without_proxy_for(namespace);
            self
        }

        /// Requests the labels of these labelers in all calls, see
        /// [`CallSettings::labelers`](crate::xrpc::CallSettings::labelers).
        #[must_use]
        pub fn labelers<L: Into<$crate::xrpc::Labeler>>(
            mut self,
            labelers: impl IntoIterator<Item = L>,
        ) -> Self {
            self.settings = self.settings.labelers(labelers);
            self
        }

        /// Adds a header to all calls, see [`CallSettings::header`](crate::xrpc::CallSettings::header).
        #[must_use]
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.settings = self.settings.header(name, value);
            self
        }

        /// Sets what calls wait for before they are sent, see
        /// [`CallSettings::pacing`](crate::xrpc::CallSettings::pacing).
        #[must_use]
        pub fn pacing(mut self, pacing: impl $crate::xrpc::Pacing) -> Self {
            self.settings = self.settings.pacing(pacing);
            self
        }
    };
}
pub(crate) use call_settings;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;
    use crate::xrpc::{ByteStream, Kind};

    /// The limit of time for a stream that names this length.
    fn limit(settings: &CallSettings, length: Option<&'static str>) -> Duration {
        let mut headers = HeaderMap::new();
        headers.extend(length.map(|length| (CONTENT_LENGTH, HeaderValue::from_static(length))));
        let request = Request::new(Kind::Procedure, "com.example.upload").with_headers(headers);
        let request = request.with_body(RequestBody::Stream(ByteStream::new(futures_util::stream::empty())));
        settings.deadline_of(&request).limit()
    }

    #[test]
    fn a_stream_of_known_length_may_take_as_long_as_the_same_bytes() {
        let settings = CallSettings::new();
        assert_eq!(limit(&settings, None), limits::STREAMED_CALL);
        assert_eq!(limit(&settings, Some("1000")), limits::STREAMED_CALL);
        let large = 100 << 20;
        let in_memory = settings.time_limit(&RequestBody::Bytes(vec![0; large].into()), &HeaderMap::new());
        assert_eq!(limit(&settings, Some("104857600")), in_memory);
        // A megabit per second.
        assert!(in_memory > Duration::from_secs(large as u64 * 8 / 1_000_000));
        assert!(limit(&settings.timeout(Duration::MAX), Some("99999999999999999999")) == Duration::MAX);
    }
}
