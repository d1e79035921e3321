//! How a client makes its calls.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderMap, header::CONTENT_LENGTH};

use super::{
    Backoff, Deadline, ExponentialBackoff, Pacing, Request, RequestBody, RetryPolicy, StandardRetry,
    body::DEFAULT_RESPONSE_SIZE,
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
