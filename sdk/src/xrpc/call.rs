//! Typed calls.

use std::{fmt, future::IntoFuture};

use http::{HeaderMap, header::CONTENT_TYPE};

use super::{
    Body, BoxFuture, ByteStream, Caller, DecodeError, Error, InvalidRequest, Method, Paginated, Params as _,
    Procedure, Raw, Reached, Response, TransportResponse,
    body::decode_json,
    exchange::{Failure, Incoming, Outgoing, Reading, exchange},
    options::{CallOptions, call_options},
    pages,
    request::MethodName,
};
use crate::{
    server_text::{SHORT, excerpt},
    types::{Data as _, Unknown, Warnings},
};

/// The content type of JSON.
pub(super) const JSON: &str = "application/json";

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
    options: Option<Box<CallOptions>>,
    /// Whether the input has been checked by the caller.
    is_checked: bool,
}

impl<'c, M: Method> Call<'c, M> {
    /// Creates a call of a method. Namespace accessors, such as `client.com_atproto_repo()`, are the short way to one.
    pub fn new(caller: Caller<'c>, params: M::Params, input: <M::Input as Body>::Sent) -> Self {
        Self { caller, params, input, options: None, is_checked: false }
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
        let Incoming { response, read, max_size, .. } = self.exchange()?.await?;
        let TransportResponse { status, headers, body, .. } = response;
        Ok(Response::new(status, headers, M::Output::receive(M::NSID, read, body, max_size)?))
    }

    /// Sends the call and returns the JSON of the output undecoded, for servers whose answers depart from the lexicon.
    ///
    /// A response without a body is `null`.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, api::app::bsky::actor::get_profile, handle};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let params = get_profile::Params::new(handle!("alice.example.com"));
    /// let response = client.app_bsky_actor().get_profile(params).send_untyped().await?;
    /// println!("{:?}", response.output.get("displayName"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn send_untyped(self) -> Result<Response<Unknown>, Error<M::Error>> {
        let (caller, call) = self.outgoing(Some(JSON))?;
        Ok(unknown(M::NSID, exchange(caller, call, Reading::UNKNOWN).await?)?)
    }

    /// Sends the call and returns the body of the response as it is, whatever its content type.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn send_bytes(self) -> Result<Response<ByteStream>, Error<M::Error>> {
        let (caller, call) = self.outgoing(M::OUTPUT)?;
        Ok(exchange(caller, call, Reading::NONE).await?.unread())
    }

    /// Prepares the call, and returns what sends it.
    fn exchange(self) -> Result<BoxFuture<'c, Result<Incoming, Failure>>, InvalidRequest> {
        let (caller, call) = self.outgoing(M::OUTPUT)?;
        Ok(exchange(caller, call, Reading { expected: M::OUTPUT, into_memory: M::Output::IS_READ }))
    }

    /// Checks and encodes the call.
    fn outgoing(self, accepted: Option<&'static str>) -> Result<(Caller<'c>, Outgoing), InvalidRequest> {
        let Self { caller, params, input, options, is_checked } = self;
        // Those of many methods have no fields, so there is nothing to check and to encode.
        let has_params = size_of::<M::Params>() > 0;
        // An invalid option is reported by the exchange; the input may be a placeholder then.
        let has_problem = options.as_ref().is_some_and(|options| options.problem.is_some());
        if !has_problem && !is_checked && caller.transport().settings().validates_input {
            let checked = if has_params { params.validate() } else { Ok(Warnings::default()) };
            let checked = checked.and_then(|warnings| Ok([warnings, M::Input::validate(&input)?]));
            let warnings =
                checked.map_err(|problem| InvalidRequest::Violations { nsid: M::NSID.into(), problem })?;
            for warnings in warnings.iter().filter(|warnings| !warnings.is_empty()) {
                tracing::warn!(nsid = M::NSID, %warnings, "sending what other software may refuse");
            }
        }
        let body = M::Input::encode(input)
            .map_err(|problem| InvalidRequest::Input { nsid: M::NSID.into(), problem })?;
        let query = if has_params { params.query().into_string() } else { String::new() };
        let content_type = M::INPUT.map(concrete);
        let nsid = MethodName::Bound(M::NSID);
        let call = Outgoing { kind: M::KIND, nsid, query, body, content_type, accept: accepted, options };
        Ok((caller, call))
    }

    /// Has the call fail before it is sent, if there is a problem.
    pub(crate) fn with_problem(mut self, problem: Option<InvalidRequest>) -> Self {
        if let Some(problem) = problem {
            self.options.get_or_insert_default().report(problem);
        }
        self
    }

    /// Notes there whether the call may have been processed.
    pub(crate) fn reporting(mut self, reached: Reached) -> Self {
        self.options.get_or_insert_default().reached = Some(reached);
        self
    }

    /// Sends the input as it is, because the caller has checked it.
    #[cfg(feature = "bsky")]
    pub(crate) fn checked(mut self) -> Self {
        self.is_checked = true;
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
        let is_checked = self.is_checked;
        Self { caller: self.caller, params, input: (), options: self.options.clone(), is_checked }
    }
}

impl<'c, M: Method> IntoFuture for Call<'c, M> {
    type Output = Result<<M::Output as Body>::Received, Error<M::Error>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        // Without the call, which would be moved into the future.
        let exchange = self.exchange();
        Box::pin(async move {
            let Incoming { response, read, max_size, .. } = exchange?.await?;
            Ok(M::Output::receive(M::NSID, read, response.body, max_size)?)
        })
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
            Failure::Read(error) => error.into(),
            Failure::Response(response) => Self::from_response(response),
        }
    }
}

impl Reading {
    /// JSON of any form.
    pub(super) const UNKNOWN: Self = Self { expected: Some(JSON), into_memory: true };
    /// A body of any type, which is returned as it is.
    pub(super) const NONE: Self = Self { expected: None, into_memory: false };
}

impl Incoming {
    /// The response with its body as it is.
    pub(super) fn unread(self) -> Response<ByteStream> {
        let TransportResponse { status, headers, body, .. } = self.response;
        Response::new(status, headers, body)
    }
}

/// The JSON of a response of any form.
pub(super) fn unknown(nsid: &str, incoming: Incoming) -> Result<Response<Unknown>, DecodeError> {
    let Incoming { response, read, max_size, .. } = incoming;
    let TransportResponse { status, headers, .. } = response;
    let output = if read.is_empty() { Unknown::null() } else { decode_json(nsid, &read, max_size)? };
    Ok(Response::new(status, headers, output))
}

/// The content type of a body. A pattern is no type; bytes of an unknown type are these.
pub(super) fn concrete(mime: &'static str) -> &'static str {
    if mime.contains('*') { "application/octet-stream" } else { mime }
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
