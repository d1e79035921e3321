//! The handle of a session that OAuth clients hold: sends signed requests.

use std::sync::Arc;

use super::{SessionId, context::AppContext};
use crate::{
    limits,
    oauth::wire::is_invalid_token,
    session,
    xrpc::{Request, TransportError, TransportResponse},
};

/// A handle to an active OAuth session.
pub(crate) type SessionHandle = session::SessionHandle<AppContext>;

/// The cached copy of an OAuth session.
pub(crate) type CachedSession = session::CachedSession<AppContext>;

impl SessionHandle {
    /// A handle to the session with this id. If the session does not exist, using the handle fails.
    pub(crate) fn of(context: Arc<AppContext>, id: &SessionId) -> Self {
        let active = context.active(id);
        Self::new(context, active)
    }

    /// Whether the PDS has sent a successful response without a nonce.
    pub(crate) fn nonce_missing(&self, cached: &CachedSession) -> bool {
        self.active().local.nonce_missing(cached.prepared.origin.as_str())
    }

    /// Makes sure that the token and the nonce will be accepted, before sending a body that can be sent only once.
    pub(crate) async fn warm_up(
        &self,
        cached: Arc<CachedSession>,
    ) -> Result<Arc<CachedSession>, TransportError> {
        if self.active().local.age(cached.prepared.origin.as_str()).is_some_and(|age| age < limits::NONCE_AGE)
        {
            return Ok(cached);
        }
        let response = self.context().send_probe(self.active(), &cached).await?;
        if !is_invalid_token(&response) {
            return Ok(cached);
        }
        let replaced = self.replace(&cached, false).await;
        replaced.map(|replacement| replacement.cached).map_err(|error| error.into_transport(self.did()))
    }

    /// Sends a request, signed with the session's key and with its token. A streamed body is taken out of it.
    pub(crate) async fn send_signed(
        &self,
        cached: &CachedSession,
        request: &mut Request,
    ) -> Result<TransportResponse, TransportError> {
        self.context().resource_server(self.active(), cached).send_signed(request).await
    }
}
