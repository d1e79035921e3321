//! What all sessions and sign-ins of an app share.

use std::{sync::Arc, time::Instant};

use super::{
    SessionEnd, SessionEvent, SessionId, SessionStoreError,
    active::{ActiveSession, ActiveSessions},
    cached::CachedSession,
    events::Events,
    nonces::SessionNonces,
    record::SessionRecord,
    repository::{Removed, SessionRepository},
};
use crate::{
    limits,
    oauth::{
        app::{Client, ClientRef},
        wire::{
            DpopError, DpopKey, MissingNoncePolicy, NonceCache, ResourceServer, ServerEndpoint, ServerError,
            TokenToRevoke,
        },
    },
    store::{Store, StoreError, StoreLock},
};

/// The connections, the stored sessions, and the sessions in use of an app.
pub(crate) struct AppContext {
    pub(crate) http: reqwest::Client,
    pub(crate) sessions: SessionRepository,
    pub(crate) client: Client,
    pub(crate) events: Events,
    pub(crate) missing_nonce: MissingNoncePolicy,
    pub(crate) nonces: SessionNonces,
    active: ActiveSessions,
}

impl AppContext {
    /// Takes a client builder with its TLS set up; redirects are turned off here, for credentials must not
    /// follow them.
    pub(crate) fn new(
        http: reqwest::ClientBuilder,
        store: Arc<dyn Store>,
        client: Client,
        events: Events,
        missing_nonce: MissingNoncePolicy,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let http =
            http.redirect(reqwest::redirect::Policy::none()).connect_timeout(limits::CONNECT).build()?;
        Ok(Arc::new(Self {
            http,
            sessions: SessionRepository::new(store),
            client,
            events,
            missing_nonce,
            nonces: SessionNonces::default(),
            active: ActiveSessions::default(),
        }))
    }

    /// The state of a session, one for all its clients in this process.
    pub(crate) fn active(&self, id: &SessionId) -> Arc<ActiveSession> {
        self.active.get(id, || self.nonces.of(id))
    }

    /// How many sessions clients hold.
    #[cfg(test)]
    pub(crate) fn active_count(&self) -> usize {
        self.active.count()
    }

    /// Takes a session out of the store and out of memory, after a refresh in progress has ended; returns what
    /// was there, so that its tokens can be revoked.
    pub(crate) async fn remove(&self, id: &SessionId) -> Result<Removed, SessionStoreError> {
        // A lock that cannot be had does not keep the user signed in: a refresh in progress writes only over
        // the version that it has read, and so cannot bring the session back.
        let active = self.active(id);
        let _lock = self.lock_for_removal(&active).await;
        // Tokens that could not be stored stay where they are until the session is gone from the store.
        let removed = self.sessions.delete(id).await?;
        let unsaved = active.with_state(|state| state.forget());
        self.nonces.forget(id);
        if !matches!(removed, Removed::Nothing) {
            self.events.emit(SessionEvent::Ended { id: id.clone(), reason: SessionEnd::SignedOut });
        }
        // Tokens that could not be stored are newer than what was there.
        Ok(match unsaved {
            Some(newer) => Removed::Session(Box::new(newer)),
            None => removed,
        })
    }

    /// The lock of a session, also if this process keeps it for tokens that it could not store.
    async fn lock_for_removal(&self, active: &ActiveSession) -> Option<StoreLock> {
        let begun = Instant::now();
        loop {
            let kept = active.with_state(|state| state.take_lock());
            if kept.is_some() {
                return kept;
            }
            match self.sessions.lock(&active.id, limits::STORE_LOCK_SLICE).await {
                Ok(lock) => return Some(lock),
                Err(SessionStoreError::Store(StoreError::LockTimeout { .. }))
                    if begun.elapsed() < limits::STORE_LOCK => {}
                Err(error) => {
                    tracing::warn!(session = %active.id, %error, "signing out without the lock");
                    return None;
                }
            }
        }
    }

    /// An authorization server as a session or sign-in sees it.
    pub(crate) fn endpoint<'a>(
        &'a self,
        issuer: &'a str,
        client: ClientRef<'a>,
        key: &'a DpopKey,
        nonces: &'a NonceCache,
    ) -> ServerEndpoint<'a> {
        ServerEndpoint {
            http: &self.http,
            issuer,
            client_id: client.client_id,
            client_proof: self.client.proof(client),
            key,
            nonces,
            missing_nonce: self.missing_nonce,
        }
    }

    /// The account's server, as a session sees it with one of its tokens.
    pub(super) fn resource_server<'a>(
        &'a self,
        active: &'a ActiveSession,
        cached: &'a CachedSession,
    ) -> ResourceServer<'a> {
        ResourceServer {
            http: &self.http,
            origin: &cached.origin,
            did: active.id.did(),
            key: &cached.key,
            access_token: &cached.record.access_token,
            authorization: &cached.authorization,
            nonces: &active.nonces,
        }
    }

    /// Ends the tokens of a session at the server.
    pub(super) async fn revoke(
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

/// Why tokens may still work at the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum RevocationError {
    #[error("the server has no revocation endpoint")]
    NoEndpoint,
    #[error(transparent)]
    Key(#[from] DpopError),
    #[error(transparent)]
    Server(#[from] ServerError),
}
