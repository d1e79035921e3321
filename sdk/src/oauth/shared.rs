//! What all sessions of an app share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use super::{
    dpop::DpopKey,
    live::Live,
    nonce::{NonceCache, SessionNonces},
    server::{MissingNonce, ServerEndpoint},
    session::{Session, SessionId},
    sessions::{SessionStoreError, Sessions},
    store::Store,
};

/// Sessions that clients hold, by name. Each takes itself out when its last client is dropped.
pub(crate) type LiveTable = Arc<Mutex<HashMap<SessionId, Weak<Live>>>>;

/// The connections, the store and the state of sessions in use.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) sessions: Sessions,
    pub(crate) client_id: String,
    pub(crate) missing_nonce: MissingNonce,
    pub(crate) nonces: SessionNonces,
    pub(crate) lives: LiveTable,
}

impl Shared {
    /// Takes a client builder with its TLS set up; redirects are turned off here, for credentials must not
    /// follow them.
    pub(crate) fn new(
        http: reqwest::ClientBuilder,
        store: Arc<dyn Store>,
        client_id: String,
        missing_nonce: MissingNonce,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let http = http
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        Ok(Arc::new(Self {
            http,
            sessions: Sessions::new(store),
            client_id,
            missing_nonce,
            nonces: SessionNonces::default(),
            lives: LiveTable::default(),
        }))
    }

    /// The state of a session, one for all its clients in this process.
    pub(crate) fn live(&self, id: &SessionId) -> Arc<Live> {
        let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(live) = lives.get(id).and_then(Weak::upgrade) {
            return live;
        }
        let live = Arc::new(Live::new(id.clone(), self.nonces.of(id), Arc::clone(&self.lives)));
        lives.insert(id.clone(), Arc::downgrade(&live));
        live
    }

    /// Takes a session out of the store and out of memory, after a refresh under way has ended; gives what
    /// was there, so that its tokens can be revoked.
    pub(crate) async fn remove(&self, id: &SessionId) -> Result<Option<Session>, SessionStoreError> {
        // A lock that cannot be had does not keep the user signed in: a refresh under way writes only over
        // the version that it has read, and so cannot bring the session back.
        let lock = self.sessions.lock(id).await;
        if let Err(error) = &lock {
            tracing::warn!(session = %id, %error, "signing out without the lock");
        }
        let live = self.live(id);
        let unsaved = live.forget();
        let removed = self.sessions.delete(id).await?;
        self.nonces.forget(id);
        // Tokens that could not be stored are newer than what was there.
        Ok(removed.map(|stored| unsaved.unwrap_or(stored)))
    }

    /// An authorization server as a session or sign-in sees it.
    pub(crate) fn endpoint<'a>(
        &'a self,
        issuer: &'a str,
        key: &'a DpopKey,
        nonces: &'a NonceCache,
    ) -> ServerEndpoint<'a> {
        ServerEndpoint {
            http: &self.http,
            issuer,
            client_id: &self.client_id,
            key,
            nonces,
            missing_nonce: self.missing_nonce,
        }
    }
}
