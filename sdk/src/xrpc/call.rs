//! Typed calls.

use std::{fmt, future::IntoFuture, sync::Arc};

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
};

use super::{
    Body, BoxFuture, Caller, DecodeError, Error, InvalidRequest, Method, Paginated, Params as _, Procedure,
    Raw, Response, TransportResponse,
    exchange::{Failure, Incoming, Outgoing, exchange, late},
    options::{CallOptions, call_options},
    pages,
};
use crate::{
    server_text::{SHORT, excerpt},
    types::Data as _,
};

/// A call that is sent when it is awaited.
///
/// `.await` returns the output, [`send`](Self::send) returns it with status and headers. Options are set before:
///
/// ```no_run
/// # use std::time::Duration;
/// # use atproto_sdk::{PublicClient, api::app::bsky::actor::get_profile, handle};
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let profile = client
///     .app_bsky_actor()
///     .get_profile(get_profile::Params::new(handle!("alice.example.com")))
///     .timeout(Duration::from_secs(5))
///     .header("accept-language", "de")
///     .await?;
/// # Ok(()) }
/// ```
///
/// Dropping the future cancels the call. The server may have processed it nevertheless.
#[must_use = "a call is not sent until it is awaited"]
pub struct Call<'c, M: Method> {
    pub(super) caller: Caller<'c>,
    pub(super) params: M::Params,
    input: <M::Input as Body>::Sent,
    options: CallOptions,
}

impl<'c, M: Method> Call<'c, M> {
    /// Creates a call of a method. Namespace accessors, such as `client.com_atproto_repo()`, are the short way to one.
    pub fn new(caller: Caller<'c>, params: M::Params, input: <M::Input as Body>::Sent) -> Self {
        Self { caller, params, input, options: CallOptions::default() }
    }

    /// Sets the query parameters.
    ///
    /// A method takes its parameters as an argument if at least one of them is required. Those of other methods are
    /// optional, and set here:
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, api::com::atproto::sync::list_repos};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let all = client.com_atproto_sync().list_repos().await?;
    /// let few = client.com_atproto_sync().list_repos().params(list_repos::Params::new().limit(10)).await?;
    /// # Ok(()) }
    /// ```
    pub fn params(mut self, params: M::Params) -> Self {
        self.params = params;
        self
    }

    call_options!();

    /// Sends the call and returns the output with status and headers.
    ///
    /// # Errors
    ///
    /// See [`Error`]; [`Error::kind`] says what to do about it.
    pub async fn send(self) -> Result<Response<<M::Output as Body>::Received>, Error<M::Error>> {
        let Self { caller, params, input, options } = self;
        let nsid: Arc<str> = M::NSID.into();
        // An invalid option is reported by the exchange; the input may be a placeholder then.
        if options.problem.is_none() && caller.transport().settings().validates_input {
            let checked = params.validate().and_then(|()| M::Input::validate(&input));
            checked.map_err(|problem| {
                Error::InvalidRequest(InvalidRequest::Violations { nsid: nsid.clone(), problem })
            })?;
        }
        let body = M::Input::encode(input).map_err(|problem| {
            Error::InvalidRequest(InvalidRequest::Input { nsid: nsid.clone(), problem })
        })?;
        let query = params.query().into_string();
        let mut call = Outgoing { kind: M::KIND, nsid: nsid.clone(), query, body, options };
        add_types(&mut call.options, M::INPUT, M::OUTPUT);
        let Incoming { response, deadline, max_size } = exchange(caller, call).await.map_err(Error::from)?;
        check_content_type(M::NSID, M::OUTPUT, &response.headers)?;
        let TransportResponse { status, headers, body, .. } = response;
        // A streamed body is returned at once.
        let output = deadline.until(M::Output::receive(nsid, body, max_size)).await;
        Ok(Response::new(status, headers, output.ok_or_else(|| late(M::NSID, deadline))??))
    }

    /// Has the call fail before it is sent, if there is a problem.
    pub(crate) fn with_problem(mut self, problem: Option<InvalidRequest>) -> Self {
        self.options.problem = self.options.problem.or(problem);
        self
    }
}

impl<M: Procedure<Input = Raw>> Call<'_, M> {
    /// Sets the media type of the body, such as `image/png`.
    pub fn content_type(self, mime: &str) -> Self {
        self.header("content-type", mime)
    }
}

impl<'c, M: Paginated> Call<'c, M>
where
    M::Input: Body<Sent = ()>,
{
    /// Returns a stream of all pages, see [`pages`](super::pages).
    pub fn pages(
        self,
    ) -> impl futures_core::Stream<Item = Result<<M::Output as Body>::Received, Error<M::Error>>> + Send + Unpin + 'c
    {
        pages::pages::<M>(self)
    }

    /// Returns a stream of the entries of all pages, see [`items`](super::items).
    pub fn items(
        self,
    ) -> impl futures_core::Stream<Item = Result<M::Item, Error<M::Error>>> + Send + Unpin + 'c {
        pages::items::<M>(self)
    }

    /// The same call for another page.
    pub(super) fn page(&self, params: M::Params) -> Self {
        Self { caller: self.caller, params, input: (), options: self.options.clone() }
    }
}

impl<'c, M: Method> IntoFuture for Call<'c, M> {
    type Output = Result<<M::Output as Body>::Received, Error<M::Error>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await.map(Response::into_output) })
    }
}

impl<M: Method> fmt::Debug for Call<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("nsid", &M::NSID).finish_non_exhaustive()
    }
}

impl<E: super::LexiconError> From<Failure> for Error<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Invalid(problem) => Self::InvalidRequest(problem),
            Failure::Transport(error) => error.into(),
            Failure::Response(response) => Self::from_response(response),
        }
    }
}

/// Content type and accepted type, unless the caller has set them.
pub(super) fn add_types(
    options: &mut CallOptions,
    input: Option<&'static str>,
    output: Option<&'static str>,
) {
    if let Some(mime) = input {
        // A pattern is no type; bytes of an unknown type are these.
        let mime = if mime.contains('*') { "application/octet-stream" } else { mime };
        options.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(mime));
    }
    if let Some(mime) = output {
        options.headers.entry(ACCEPT).or_insert(HeaderValue::from_static(mime));
    }
}

/// Checks that the response has the content type in the lexicon (X9). A response without a content type is accepted.
pub(super) fn check_content_type(
    nsid: &str,
    expected: Option<&'static str>,
    headers: &HeaderMap,
) -> Result<(), DecodeError> {
    let (Some(expected), Some(found)) = (expected, headers.get(CONTENT_TYPE)) else { return Ok(()) };
    let found = found.as_bytes();
    let essence = found.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let fits = match expected.strip_suffix('*') {
        Some("*/") => true,
        Some(kind) => {
            let start = essence.get(..kind.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
        }
        None => essence.eq_ignore_ascii_case(expected.as_bytes()),
    };
    if fits {
        Ok(())
    } else {
        let found = excerpt(&String::from_utf8_lossy(found), SHORT);
        Err(DecodeError::ContentType { nsid: nsid.into(), expected, found })
    }
}
