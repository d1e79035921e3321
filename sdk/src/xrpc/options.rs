//! The options of a single call.

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{Backoff, InvalidRequest, Pacing, QueryString, Reached, RetryPolicy, defaults::service_header};
use crate::{
    server_text::{SHORT, excerpt},
    types::Did,
};

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

/// Names of headers. Looking for a text would be slower.
pub(super) static PROXY: HeaderName = HeaderName::from_static("atproto-proxy");
pub(super) static LABELERS: HeaderName = HeaderName::from_static("atproto-accept-labelers");

/// These labelers, and those of a client that are not among them. A labeler that anybody wants to redact does so.
#[cfg(feature = "bsky")]
pub(crate) fn with_those_of_client(mut labelers: Vec<Labeler>, of_client: &[Labeler]) -> Vec<Labeler> {
    for more in of_client {
        match labelers.iter_mut().find(|labeler| labeler.did == more.did) {
            Some(known) => known.redact |= more.redact,
            None => labelers.push(more.clone()),
        }
    }
    labelers
}

/// The value of the header for these labelers.
pub(super) fn labelers_header(labelers: &[Labeler]) -> Result<HeaderValue, InvalidRequest> {
    let refuse = |did: &str| InvalidRequest::Labeler { did: excerpt(did, SHORT) };
    if let Some(Labeler { did, .. }) = labelers.iter().find(|labeler| !labeler.did.is_valid()) {
        return Err(refuse(did.as_str()));
    }
    let list = labelers.iter().map(Labeler::to_string).collect::<Vec<_>>().join(", ");
    HeaderValue::try_from(&list).map_err(|_| refuse(&list))
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

/// The headers, limits and policies of one call; those that are absent are the client's. An invalid option is
/// reported when the call is sent.
#[derive(Clone, Default)]
pub(super) struct CallOptions {
    pub(super) headers: HeaderMap,
    /// Parameters that the lexicon does not have.
    query: QueryString,
    pub(super) timeout: Option<Duration>,
    pub(super) max_response_size: Option<usize>,
    pub(super) never_retry: bool,
    pub(super) retry: Option<Arc<dyn RetryPolicy>>,
    pub(super) backoff: Option<Arc<dyn Backoff>>,
    pub(super) pacing: Option<Option<Arc<dyn Pacing>>>,
    /// Without the service that the client forwards such calls to.
    pub(super) never_proxy: bool,
    /// Who wants to know whether the call may have been processed.
    pub(super) reached: Option<Reached>,
    pub(super) problem: Option<InvalidRequest>,
}

impl CallOptions {
    /// A header of the caller, which can be a credential whatever its name is.
    pub(super) fn header(&mut self, name: &str, value: &str) {
        if let Err(problem) = insert_header(&mut self.headers, name, value, true) {
            self.report(problem);
        }
    }

    pub(super) fn proxy(&mut self, service: &str) {
        match service_header(service) {
            Ok(service) => {
                self.headers.insert(PROXY.clone(), service);
            }
            Err(problem) => self.report(problem),
        }
    }

    pub(super) fn without_proxy(&mut self) {
        self.headers.remove(&PROXY);
        self.never_proxy = true;
    }

    pub(super) fn labelers(&mut self, labelers: impl Iterator<Item = Labeler>) {
        match labelers_header(&labelers.collect::<Vec<_>>()) {
            Ok(labelers) => {
                self.headers.insert(LABELERS.clone(), labelers);
            }
            Err(problem) => self.report(problem),
        }
    }

    pub(super) fn query_param(&mut self, name: &str, value: &dyn fmt::Display) {
        self.query.push_text(name, &value.to_string());
    }

    /// Adds the parameters to those of the lexicon.
    pub(super) fn add_to_query(&mut self, query: &mut String) {
        let more = std::mem::take(&mut self.query).into_string();
        if !query.is_empty() && !more.is_empty() {
            query.push('&');
        }
        query.push_str(&more);
    }

    pub(super) fn report(&mut self, problem: InvalidRequest) {
        self.problem.get_or_insert(problem);
    }
}

/// Sets a header, if HTTP allows its name and value.
pub(crate) fn insert_header(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
    sensitive: bool,
) -> Result<(), InvalidRequest> {
    match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        (Ok(name), Ok(mut value)) => {
            value.set_sensitive(sensitive);
            headers.insert(name, value);
            Ok(())
        }
        _ => Err(InvalidRequest::Header { name: excerpt(name, SHORT) }),
    }
}

/// The options of every kind of call, in a field `options: Option<Box<CallOptions>>`: most calls have none.
macro_rules! call_options {
    () => {
        /// Adds a header. A name or value that HTTP does not allow makes the call fail before it is sent.
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.options.get_or_insert_default().header(name, value);
            self
        }

        /// Adds a query parameter that the lexicon does not define, for servers that take more than it says. A name that is
        /// added twice is sent twice.
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::app::bsky::actor::get_profile, handle};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let params = get_profile::Params::new(handle!("alice.example.com"));
        /// let profile = client.app_bsky_actor().get_profile(params).query_param("fresh", true).await?;
        /// # Ok(()) }
        /// ```
        pub fn query_param(mut self, name: &str, value: impl ::std::fmt::Display) -> Self {
            self.options.get_or_insert_default().query_param(name, &value);
            self
        }

        /// Asks the server to [forward the call](https://atproto.com/specs/xrpc#service-proxying) to another service, such as
        /// `did:web:api.example.com#example`. [`services`](crate::xrpc::services) has some; a client can have one for many calls,
        /// see [`CallSettings::proxy`](crate::xrpc::CallSettings::proxy).
        pub fn proxy(mut self, service: &str) -> Self {
            self.options.get_or_insert_default().proxy(service);
            self
        }

        /// Leaves it to the account's own server what to do with the call: it is not forwarded to a service that the client has
        /// for such calls.
        ///
        /// ```no_run
        /// use atproto_sdk::{PasswordClient, api::app::bsky::actor::get_profile, handle, xrpc::services};
        ///
        /// # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let client = client.proxy(services::BLUESKY);
        /// let params = get_profile::Params::new(handle!("alice.example.com"));
        /// let profile = client.app_bsky_actor().get_profile(params).without_proxy().await?;
        /// # let _ = profile;
        /// # Ok(()) }
        /// ```
        pub fn without_proxy(mut self) -> Self {
            self.options.get_or_insert_default().without_proxy();
            self
        }

        /// Requests the labels of these [labelers](https://atproto.com/specs/label), instead of those of the client.
        pub fn labelers<L: Into<$crate::xrpc::Labeler>>(
            mut self,
            labelers: impl IntoIterator<Item = L>,
        ) -> Self {
            self.options.get_or_insert_default().labelers(labelers.into_iter().map(Into::into));
            self
        }

        /// Limits the time that the call may take: a refresh of the session, all attempts and the waits between them,
        /// and reading the response into memory. A response that is streamed must begin within this time, and may
        /// then pause for at most a minute.
        ///
        /// The call is not sent again if the wait before that would be too long; the error is then that of the last
        /// attempt.
        pub fn timeout(mut self, limit: ::std::time::Duration) -> Self {
            self.options.get_or_insert_default().timeout = Some(limit);
            self
        }

        /// Limits the size of the response if it is read into memory, in bytes after decompression, see
        /// [`CallSettings::max_response_size`](crate::xrpc::CallSettings::max_response_size).
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, api::com::atproto::repo::list_records, did, nsid};
        ///
        /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let params = list_records::Params::new(
        ///     did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"),
        ///     nsid!("com.example.large.document"),
        /// );
        /// let page = client.com_atproto_repo().list_records(params).max_response_size(64 << 20).await?;
        /// # Ok(()) }
        /// ```
        pub fn max_response_size(mut self, bytes: usize) -> Self {
            self.options.get_or_insert_default().max_response_size = Some(bytes);
            self
        }

        /// Sets whether the call is sent again when it fails, instead of the policy of the client.
        pub fn retry(mut self, policy: impl $crate::xrpc::RetryPolicy) -> Self {
            self.options.get_or_insert_default().retry = Some(::std::sync::Arc::new(policy));
            self
        }

        /// Sets how long the call waits before it is sent again, instead of the backoff of the client.
        pub fn backoff(mut self, backoff: impl $crate::xrpc::Backoff) -> Self {
            self.options.get_or_insert_default().backoff = Some(::std::sync::Arc::new(backoff));
            self
        }

        /// Sets what the call waits for before it is sent, instead of the pacing of the client.
        pub fn pacing(mut self, pacing: impl $crate::xrpc::Pacing) -> Self {
            self.options.get_or_insert_default().pacing = Some(Some(::std::sync::Arc::new(pacing)));
            self
        }

        /// Sends the call at once, without the pacing of the client.
        pub fn without_pacing(mut self) -> Self {
            self.options.get_or_insert_default().pacing = Some(None);
            self
        }

        /// Sends the call only once, even if it could be retried.
        pub fn without_retry(mut self) -> Self {
            self.options.get_or_insert_default().never_retry = true;
            self
        }
    };
}
pub(super) use call_options;
