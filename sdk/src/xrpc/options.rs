//! The options of a single call.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::InvalidRequest;
use crate::types::Did;

/// A [labeler](https://atproto.com/specs/label) whose labels a response should contain, for the `labelers` option of a call.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, api::app::bsky::actor::get_profile, did, handle, xrpc::Labeler};
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let labeler = did!("did:plc:ar7c4by46qjdydhdevvrndac");
/// let profile = client
///     .app_bsky_actor()
///     .get_profile(get_profile::Params::new(handle!("alice.example.com")))
///     .labelers([Labeler::redacting(labeler)])
///     .await?;
/// # let _ = profile;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labeler {
    did: Did,
    redact: bool,
}

impl Labeler {
    /// Requests the labels of a service.
    ///
    /// ```
    /// use atproto_sdk::{did, xrpc::Labeler};
    ///
    /// let labeler = Labeler::new(did!("did:plc:ar7c4by46qjdydhdevvrndac"));
    /// assert_eq!(labeler.to_string(), "did:plc:ar7c4by46qjdydhdevvrndac");
    /// ```
    pub fn new(did: Did) -> Self {
        Self { did, redact: false }
    }

    /// Requests the labels of a service, and omits content that it takes down.
    pub fn redacting(did: Did) -> Self {
        Self { did, redact: true }
    }
}

impl From<Did> for Labeler {
    fn from(did: Did) -> Self {
        Self::new(did)
    }
}

impl fmt::Display for Labeler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.did, if self.redact { ";redact" } else { "" })
    }
}

/// The headers and limits of one call. An invalid option is reported when the call is sent.
#[derive(Debug, Default)]
pub(super) struct CallOptions {
    pub(super) headers: HeaderMap,
    pub(super) timeout: Option<Duration>,
    pub(super) never_retry: bool,
    pub(super) problem: Option<InvalidRequest>,
}

impl CallOptions {
    pub(super) fn header(&mut self, name: &str, value: &str) {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.insert(name, value);
            }
            _ => self.report(InvalidRequest::Header { name: name.chars().take(100).collect() }),
        }
    }

    pub(super) fn proxy(&mut self, service: &str) {
        let valid = service.split_once('#').is_some_and(|(did, id)| {
            Did::new(did).is_ok() && !id.is_empty() && id.bytes().all(|c| c.is_ascii_graphic())
        });
        if valid {
            self.header("atproto-proxy", service);
        } else {
            self.report(InvalidRequest::Service { service: service.chars().take(200).collect() });
        }
    }

    pub(super) fn labelers(&mut self, labelers: impl Iterator<Item = Labeler>) {
        let list: Vec<String> = labelers.map(|labeler| labeler.to_string()).collect();
        self.header("atproto-accept-labelers", &list.join(", "));
    }

    fn report(&mut self, problem: InvalidRequest) {
        self.problem.get_or_insert(problem);
    }
}

/// The options of every kind of call.
macro_rules! call_options {
    () => {
        /// Adds a header. A name or value that HTTP does not allow makes the call fail before it is sent.
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.options.header(name, value);
            self
        }

        /// Asks the server to [forward the call](https://atproto.com/specs/xrpc#service-proxying) to another service, such as
        /// `did:web:api.example.com#example`.
        pub fn proxy(mut self, service: &str) -> Self {
            self.options.proxy(service);
            self
        }

        /// Requests the labels of these [labelers](https://atproto.com/specs/label).
        pub fn labelers<L: Into<$crate::xrpc::Labeler>>(
            mut self,
            labelers: impl IntoIterator<Item = L>,
        ) -> Self {
            self.options.labelers(labelers.into_iter().map(Into::into));
            self
        }

        /// Limits the time until the response begins, for every attempt.
        pub fn timeout(mut self, limit: ::std::time::Duration) -> Self {
            self.options.timeout = Some(limit);
            self
        }

        /// Sends the call only once, even if it could be retried.
        pub fn without_retry(mut self) -> Self {
            self.options.never_retry = true;
            self
        }
    };
}
pub(super) use call_options;
