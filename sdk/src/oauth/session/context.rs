//! The context that all sessions and sign-ins of an app share.

use std::sync::Arc;

use super::{
    SessionEnd, SessionEvent, SessionId, account_moves::AccountMoves, events::Events, nonces::SessionNonces,
    record::SessionRecord, storage_limits::SessionLimits,
};
use crate::{
    http_client::HttpClient,
    identity::ResolveIdentity,
    limits,
    oauth::{
        app::{Client, ClientRef},
        wire::{
            DpopError, DpopKey, MissingNoncePolicy, NonceCache, ResourceServer, ServerEndpoint, ServerError,
            TokenToRevoke, probe,
        },
    },
    session::{
        self, ActiveSession, ActiveSessions, CachedSession, NotRemoved, Pace, ProcessId, Removed,
        SessionRepository,
    },
    store::Store,
    xrpc::{CallSettings, TransportError, TransportResponse},
};

/// The HTTP client, the stored sessions and the active sessions of an app.
pub(crate) struct AppContext {
    pub(crate) http: HttpClient,
    pub(crate) sessions: SessionRepository<Self>,
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) missing_nonce: MissingNoncePolicy,
    pub(crate) nonces: SessionNonces,
    pub(crate) moves: AccountMoves,
    /// How clients make calls.
    pub(crate) call_settings: CallSettings,
    /// How many sessions an account may have.
    pub(super) max_sessions: usize,
    pub(super) process: ProcessId,
    pub(super) pace: Pace,
    active: ActiveSessions<Self>,
}

/// What an app decides about its sessions and their clients.
#[derive(Default)]
pub(crate) struct AppSettings {
    pub(crate) session_limits: SessionLimits,
    pub(crate) missing_nonce: MissingNoncePolicy,
    pub(crate) call_settings: CallSettings,
    pub(crate) pace: Pace,
}

impl AppContext {
    /// Creates the context from what makes a builder of HTTP clients with TLS configured. Disables redirects, because credentials
    /// must not be sent to other servers.
    pub(crate) fn new(
        http: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static,
        store: Arc<dyn Store>,
        client: Client,
        resolver: Arc<dyn ResolveIdentity>,
        events: Events,
        settings: AppSettings,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let http = HttpClient::build(move || {
            http().redirect(reqwest::redirect::Policy::none()).connect_timeout(limits::CONNECT)
        })?;
        let AppSettings { session_limits, missing_nonce, call_settings, pace } = settings;
        Ok(Arc::new(Self {
            http,
            sessions: SessionRepository::new(store, move |session, now| session_limits.end(session, now)),
            client,
            events,
            missing_nonce,
            nonces: SessionNonces::default(),
            moves: AccountMoves::new(resolver),
            call_settings: call_settings.of_client(limits::SESSION_CALL),
            max_sessions: session_limits.per_account,
            process: ProcessId::generate(),
            pace,
            active: ActiveSessions::default(),
        }))
    }

    /// The active session, which all its clients in this process share.
    pub(crate) fn active(&self, id: &SessionId) -> Arc<ActiveSession<Self>> {
        self.active.get(id, || self.nonces.of(id))
    }

    /// The number of active sessions.
    #[cfg(test)]
    pub(crate) fn active_count(&self) -> usize {
        self.active.count()
    }

    /// Removes a session from the store and from memory, if possible after a refresh in progress has completed. Returns the
    /// removed session, so that its tokens can be revoked.
    pub(crate) async fn remove(
        &self,
        id: &SessionId,
    ) -> Result<Removed<SessionRecord>, NotRemoved<SessionRecord>> {
        let removed = session::remove(self, &self.active(id)).await?;
        self.nonces.forget(id);
        if !matches!(removed, Removed::Nothing) {
            self.events.emit(SessionEvent::Ended { id: id.clone(), reason: SessionEnd::SignedOut });
        }
        Ok(removed)
    }

    /// The authorization server of a session or sign-in.
    pub(crate) fn endpoint<'a>(
        &'a self,
        issuer: &'a str,
        client: ClientRef<'a>,
        key: &'a DpopKey,
        nonces: &'a NonceCache,
    ) -> ServerEndpoint<'a> {
        ServerEndpoint {
            http: self.http.calls(),
            issuer,
            client_id: client.client_id,
            client_proof: self.client.proof(client),
            key,
            nonces,
            missing_nonce: self.missing_nonce,
        }
    }

    /// Sends the request that shows whether an access token is accepted, within a limit for all its attempts.
    pub(super) async fn send_probe(
        &self,
        active: &ActiveSession<Self>,
        cached: &CachedSession<Self>,
    ) -> Result<TransportResponse, TransportError> {
        let limit = limits::PROBE;
        let server = self.resource_server(active, cached);
        match tokio::time::timeout(limit, server.send_signed(&mut probe())).await {
            Ok(response) => response,
            Err(_) => {
                Err(TransportError::Timeout { host: cached.prepared.origin.as_str().to_owned(), limit })
            }
        }
    }

    /// The resource server (PDS) of a session.
    pub(super) fn resource_server<'a>(
        &'a self,
        active: &'a ActiveSession<Self>,
        cached: &'a CachedSession<Self>,
    ) -> ResourceServer<'a> {
        let signing = &cached.prepared;
        ResourceServer {
            http: &self.http,
            origin: &signing.origin,
            did: active.id.did(),
            key: &signing.key,
            token_hash: &signing.token_hash,
            authorization: &signing.authorization,
            nonces: &active.local,
        }
    }

    /// Revokes the tokens of a session.
    pub(super) async fn revoke_with(
        &self,
        session: &SessionRecord,
        nonces: &NonceCache,
    ) -> Result<(), RevocationError> {
        let url = session.revocation_endpoint.as_deref().ok_or(RevocationError::NoEndpoint)?;
        let key = DpopKey::from_jwk(&session.dpop_key)?;
        let endpoint = self.endpoint(&session.issuer, session.client(), &key, nonces);
        match TokenToRevoke::of(session.refresh_token.as_deref(), Some(&session.access_token)) {
            Some(token) => Ok(token.revoke(&endpoint, url).await?),
            None => Ok(()),
        }
    }
}

/// Why the tokens of a session could not be revoked.
#[derive(Debug, thiserror::Error)]
pub(super) enum RevocationError {
    #[error("the server has no revocation endpoint")]
    NoEndpoint,
    #[error(transparent)]
    Key(#[from] DpopError),
    #[error(transparent)]
    Server(#[from] ServerError),
}
