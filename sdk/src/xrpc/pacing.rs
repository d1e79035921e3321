//! What calls wait for before they are sent.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;

use super::{BoxFuture, Kind, Request, RequestBody, TransportError, TransportResponse};
use crate::types::Did;

/// A call that is about to be sent, as a [`Pacing`] sees it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct PacedCall<'a> {
    /// The account that the call is made as, if there is one.
    pub account: Option<&'a Did>,
    /// Query or procedure.
    pub kind: Kind,
    /// The NSID of the method.
    pub nsid: &'a str,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body. `None` if there is none or it is a stream.
    pub body: Option<&'a Bytes>,
    /// How long the call may wait at most, if a time limit was set for the call itself.
    pub time_left: Option<Duration>,
}

impl<'a> PacedCall<'a> {
    /// Describes a request, for tests of a pacing.
    pub fn new(account: Option<&'a Did>, request: &'a Request) -> Self {
        let body = if let RequestBody::Bytes(bytes) = request.body() { Some(bytes) } else { None };
        let (kind, nsid, headers) = (request.kind(), request.nsid(), request.headers());
        Self { account, kind, nsid, headers, body, time_left: None }
    }
}

impl fmt::Debug for PacedCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedCall")
            .field("account", &self.account)
            .field("nsid", &self.nsid)
            .finish_non_exhaustive()
    }
}

/// Decides when a call is sent, so that a server does not have to refuse it. Set it with
/// [`CallSettings::pacing`](super::CallSettings::pacing), or for a single call. There is none by default.
///
/// A pacing does not replace the wait before another attempt, not even after a 429: first comes the wait that the
/// server asks for, by the [`Backoff`](super::Backoff), and then the next turn. Only a pacing that knows when the server
/// will accept the call, and whose next turn comes no earlier, [takes that wait over](Turn::taking_over).
///
/// [`WriteBudget`](crate::WriteBudget) paces by the limits that servers have for writes. A pacing of your own:
///
/// ```
/// use std::sync::Arc;
///
/// use atproto_sdk::{
///     PublicClient,
///     xrpc::{BoxFuture, PacedCall, Pacing, TransportError, Turn},
/// };
/// use tokio::sync::Semaphore;
///
/// /// At most so many calls at a time.
/// struct AtOnce(Arc<Semaphore>);
///
/// impl Pacing for AtOnce {
///     fn turn<'a>(&'a self, _: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
///         Box::pin(async {
///             match self.0.clone().acquire_owned().await {
///                 Ok(permit) => Ok(Turn::new(move |_| drop(permit))),
///                 Err(_) => Ok(Turn::free()),
///             }
///         })
///     }
/// }
///
/// let client = PublicClient::new("https://api.example.com")?.pacing(AtOnce(Arc::new(Semaphore::new(4))));
/// # Ok::<(), atproto_sdk::xrpc::InvalidService>(())
/// ```
pub trait Pacing: Send + Sync + 'static {
    /// Waits until the call may be sent.
    ///
    /// The wait is not part of the time limit of a call, except of one that was set for the call itself. So it must
    /// have a limit of its own. It ends early if the call is dropped, and at the end of [`PacedCall::time_left`]; the
    /// call then fails with [`TransportError::BudgetSpent`].
    ///
    /// # Errors
    ///
    /// Returns [`TransportError::BudgetSpent`] if the call cannot be sent soon enough.
    fn turn<'a>(&'a self, call: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>>;
}

impl<P: Pacing + ?Sized> Pacing for Arc<P> {
    fn turn<'a>(&'a self, call: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        (**self).turn(call)
    }
}

type AtEnd = Box<dyn FnOnce(Option<&TransportResponse>) -> bool + Send>;

/// The permission to send a request, until its response begins. Returned by [`Pacing::turn`].
///
/// ```
/// use atproto_sdk::xrpc::Turn;
///
/// let turn = Turn::new(|response| match response {
///     Some(response) => println!("answered with {}", response.status),
///     None => println!("not answered, or not even sent"),
/// });
/// drop(turn);
/// ```
#[must_use = "the turn ends when this is dropped"]
pub struct Turn(Option<AtEnd>);

impl Turn {
    /// A turn of a request that is not paced.
    pub fn free() -> Self {
        Self(None)
    }

    /// A turn that calls a function at its end, with the response if there is one.
    pub fn new(at_end: impl FnOnce(Option<&TransportResponse>) + Send + 'static) -> Self {
        Self::taking_over(move |response| {
            at_end(response);
            false
        })
    }

    /// A turn that calls a function at its end, and may take over the wait after a 429: if the function returns `true`,
    /// the call asks for its next turn at once, however long the server asks to wait, and relies on that turn to come
    /// no earlier.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// use atproto_sdk::xrpc::Turn;
    /// use http::StatusCode;
    ///
    /// let pause = Arc::new(Mutex::new(false));
    /// let turn = Turn::taking_over(move |response| {
    ///     let refused = response.is_some_and(|it| it.status == StatusCode::TOO_MANY_REQUESTS);
    ///     // `Pacing::turn` waits while this is set.
    ///     refused && pause.lock().map(|mut pause| *pause = true).is_ok()
    /// });
    /// drop(turn);
    /// ```
    pub fn taking_over(at_end: impl FnOnce(Option<&TransportResponse>) -> bool + Send + 'static) -> Self {
        Self(Some(Box::new(at_end)))
    }

    /// Returns whether the request is not paced.
    pub fn is_free(&self) -> bool {
        self.0.is_none()
    }

    /// Ends the turn with a response. Returns whether the next turn comes only when the server accepts the call.
    pub(crate) fn end(mut self, response: Option<&TransportResponse>) -> bool {
        self.0.take().is_some_and(|at_end| at_end(response))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(at_end) = self.0.take() {
            at_end(None);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("free", &self.is_free()).finish()
    }
}
