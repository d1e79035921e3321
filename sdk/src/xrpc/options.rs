//! What can be set for a single call.

use std::{fmt, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::InvalidRequest;
use crate::types::Did;

/// A labeler whose labels an answer should have (X6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labeler {
    did: Did,
    redact: bool,
}

impl Labeler {
    /// The labels of this service.
    pub fn new(did: Did) -> Self {
        Self { did, redact: false }
    }

    /// The labels of this service, and content it takes down is left out.
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

/// Headers and limits of one call. What is wrong with them is told when the call is sent.
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

/// The options that every kind of call has.
macro_rules! call_options {
    () => {
        /// Sends a header with this call. A name or value that HTTP does not allow fails the call before it is sent.
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.options.header(name, value);
            self
        }

        /// Has the server pass the call on to another service, `did:web:api.example.com#example` (X6).
        pub fn proxy(mut self, service: &str) -> Self {
            self.options.proxy(service);
            self
        }

        /// Asks for the labels of these labelers (X6).
        pub fn labelers<L: Into<$crate::xrpc::Labeler>>(
            mut self,
            labelers: impl IntoIterator<Item = L>,
        ) -> Self {
            self.options.labelers(labelers.into_iter().map(Into::into));
            self
        }

        /// Limits the time until the answer begins, for every attempt.
        pub fn timeout(mut self, limit: ::std::time::Duration) -> Self {
            self.options.timeout = Some(limit);
            self
        }

        /// Sends the call once only, whatever happens.
        pub fn without_retry(mut self) -> Self {
            self.options.never_retry = true;
            self
        }
    };
}
pub(super) use call_options;
