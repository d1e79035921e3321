//! How a client makes its calls.

use std::{fmt, sync::Arc, time::Duration};

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
    /// second for each 32 KiB of it, and one with a streamed body at least ten minutes.
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

    /// The same settings with a limit of time, if they have none.
    pub(crate) fn with_default_timeout(mut self, limit: Duration) -> Self {
        self.timeout.get_or_insert(limit);
        self
    }

    /// The deadline of a request that a transport was given: its own, or that of a call that begins now.
    pub(crate) fn deadline_of(&self, request: &Request) -> Deadline {
        request.deadline().unwrap_or_else(|| Deadline::after(self.time_limit(request.body())))
    }

    /// The limit of time for a call with this body.
    pub(crate) fn time_limit(&self, body: &RequestBody) -> Duration {
        let limit = self.timeout.unwrap_or(limits::PLAIN_CALL);
        match body {
            RequestBody::Empty => limit,
            RequestBody::Bytes(bytes) => {
                let more = u64::try_from(bytes.len() / limits::UPLOAD_BYTES_PER_SECOND).unwrap_or(0);
                limit.saturating_add(Duration::from_secs(more))
            }
            RequestBody::Stream(_) => limit.max(limits::STREAMED_CALL),
        }
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
            self.settings = settings.with_default_timeout($timeout);
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
