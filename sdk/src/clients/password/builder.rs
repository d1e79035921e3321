//! How a password session begins.

use std::{fmt, sync::Arc};

use super::{
    PasswordClient, PasswordError, create,
    stored::{Account, SessionSlot},
};
use crate::{
    clients::plain::{HttpOptions, PlainClient},
    store::{Expected, Store},
};

/// Builds a [`PasswordClient`]; made by [`PasswordClient::builder`].
///
/// ```no_run
/// use atproto_sdk::{PasswordClient, store::FileStore};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let bot = PasswordClient::builder("https://pds.example.com")
///     .proxy("http://proxy.example.com:3128")
///     .store(FileStore::open("bot-session.json")?)
///     .resume_or_sign_in("bot.example.com", &std::env::var("APP_PASSWORD")?)
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing happens before `sign_in` or `resume_or_sign_in`"]
pub struct PasswordClientBuilder {
    origin: String,
    http: HttpOptions,
    store: Option<Arc<dyn Store>>,
}

impl PasswordClientBuilder {
    pub(super) fn new(origin: String) -> Self {
        Self { origin, http: HttpOptions::default(), store: None }
    }

    /// Sends everything through a proxy, such as `http://proxy.example.com:3128`, instead of through the one that the
    /// environment names. Redirects are not
    /// followed in any case: password and tokens stay with the server that they belong to.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Stores the session, so that the next start of the program and other processes can go on with it. The client then
    /// keeps the password in memory and signs in again when the session can no longer be refreshed.
    pub fn store(self, store: impl Store) -> Self {
        self.shared_store(Arc::new(store))
    }

    /// Stores the session in a store that is also used elsewhere.
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Signs in. `identifier` is a handle, a DID, or whatever else the server accepts. A session that the store has for
    /// this account is replaced.
    ///
    /// # Errors
    /// [`PasswordError::SignIn`] with the server's answer for a wrong password.
    pub async fn sign_in(self, identifier: &str, password: &str) -> Result<PasswordClient, PasswordError> {
        let (plain, slot) = self.parts(identifier, password)?;
        let _lock = match &slot {
            Some(slot) => Some(slot.lock().await?),
            None => None,
        };
        begin(plain, slot, identifier, password).await
    }

    /// Goes on with the session that the store has for this account, or signs in and stores the session. Without a store
    /// it signs in.
    ///
    /// # Errors
    /// When the store fails, and as [`sign_in`](Self::sign_in).
    pub async fn resume_or_sign_in(
        self,
        identifier: &str,
        password: &str,
    ) -> Result<PasswordClient, PasswordError> {
        let (plain, slot) = self.parts(identifier, password)?;
        let Some(slot) = slot else { return begin(plain, None, identifier, password).await };
        if let Some((stored, _)) = slot.read().await? {
            return Ok(PasswordClient::new(plain, stored.account, stored.tokens, Some(slot)));
        }
        // Several processes that start at once make one session.
        let _lock = slot.lock().await?;
        if let Some((stored, _)) = slot.read().await? {
            return Ok(PasswordClient::new(plain, stored.account, stored.tokens, Some(slot)));
        }
        begin(plain, Some(slot), identifier, password).await
    }

    fn parts(
        self,
        identifier: &str,
        password: &str,
    ) -> Result<(PlainClient, Option<SessionSlot>), PasswordError> {
        let plain = PlainClient::new(&self.origin, self.http)?;
        let slot = self.store.map(|store| SessionSlot::new(store, plain.origin(), identifier, password));
        Ok((plain, slot))
    }
}

/// Begins a new session, under the lock of its slot if it has one.
async fn begin(
    plain: PlainClient,
    slot: Option<SessionSlot>,
    identifier: &str,
    password: &str,
) -> Result<PasswordClient, PasswordError> {
    let (account, tokens) = create(&plain, identifier, password).await?;
    if let Some(slot) = &slot {
        let stored = Account { did: account.did.clone(), handle: account.handle.clone() };
        slot.write(stored, &tokens, Expected::Any).await?;
    }
    Ok(PasswordClient::new(plain, account, tokens, slot))
}

impl fmt::Debug for PasswordClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordClientBuilder").field("origin", &self.origin).finish_non_exhaustive()
    }
}
