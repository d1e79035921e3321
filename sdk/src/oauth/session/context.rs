//! What all sessions of an app share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::{
    dpop::DpopKey,
    events::{Events, SessionEnd, SessionEvent},
    keyset::Keyset,
    live::Live,
    nonce::{NonceCache, SessionNonces},
    server::{ClientProof, MissingNonce, ServerEndpoint},
    session::SessionId,
    sessions::{LOCK_LIMIT, Removed, SessionStoreError, Sessions},
    store::{Store, StoreError, StoreLock},
};

/// Sessions that clients hold, by name. Each takes itself out when its last client is dropped.
pub(crate) type LiveTable = Arc<Mutex<HashMap<SessionId, Weak<Live>>>>;

/// The app as servers know it.
pub(crate) struct Client {
    pub(crate) client_id: String,
    /// Of a confidential client.
    pub(crate) keyset: Option<Keyset>,
}

/// As which client a session or a sign-in talks to servers: the one that it was begun with.
#[derive(Clone, Copy)]
pub(crate) struct ClientRef<'a> {
    pub(crate) client_id: &'a str,
    /// The name of its key, if it was confidential.
    pub(crate) key_id: Option<&'a str>,
}

/// The connections, the store and the state of sessions in use.
pub(crate) struct Shared {
    pub(crate) http: reqwest::Client,
    pub(crate) sessions: Sessions,
    pub(crate) client: Client,
    pub(crate) events: Events,
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
        client: Client,
        events: Events,
        missing_nonce: MissingNonce,
    ) -> Result<Arc<Self>, reqwest::Error> {
        let http = http
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        Ok(Arc::new(Self {
            http,
            sessions: Sessions::new(store),
            client,
            events,
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
    pub(crate) async fn remove(&self, id: &SessionId) -> Result<Removed, SessionStoreError> {
        // A lock that cannot be had does not keep the user signed in: a refresh under way writes only over
        // the version that it has read, and so cannot bring the session back.
        let live = self.live(id);
        let _lock = self.lock_for_removal(&live).await;
        // Tokens that could not be stored stay where they are until the session is gone from the store.
        let removed = self.sessions.delete(id).await?;
        let unsaved = live.forget();
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
    async fn lock_for_removal(&self, live: &Live) -> Option<StoreLock> {
        const SLICE: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        loop {
            if let Some(lock) = live.take_lock() {
                return Some(lock);
            }
            match self.sessions.lock(&live.id, SLICE).await {
                Ok(lock) => return Some(lock),
                Err(SessionStoreError::Store(StoreError::LockTimeout { .. }))
                    if begun.elapsed() < LOCK_LIMIT => {}
                Err(error) => {
                    tracing::warn!(session = %live.id, %error, "signing out without the lock");
                    return None;
                }
            }
        }
    }

    /// The client that a new sign-in is begun with: the newest key signs (O13).
    pub(crate) fn newest_client(&self) -> ClientRef<'_> {
        let Client { client_id, keyset } = &self.client;
        ClientRef { client_id, key_id: keyset.as_ref().map(|keys| keys.newest().kid()) }
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
            client_proof: match client.key_id {
                None => ClientProof::None,
                Some(kid) => match self.client.keyset.as_ref().and_then(|keys| keys.get(kid)) {
                    Some(key) => ClientProof::Key(key),
                    None => ClientProof::Missing(kid),
                },
            },
            key,
            nonces,
            missing_nonce: self.missing_nonce,
        }
    }
}
