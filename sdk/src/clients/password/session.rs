//! How password sessions are refreshed and replaced, for the state machine of sessions (X11, X13).

use std::{
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;
use tracing::{Span, field::Empty};
use zeroize::Zeroizing;

use super::{
    account::PasswordAccount,
    exchange::{Answer, SignInFailure, bearer, create, delete, refresh},
    stored::{Over, PasswordKey, PasswordSession, end_of_storage},
};
use crate::{
    clients::plain::PlainClient,
    limits,
    report::with_causes,
    session::{
        ActiveSession, CachedSession, Pace, Probed, ProcessId, Processed, RefreshFailure, Refreshed, Renewed,
        SessionContext, SessionKey, SessionRepository, SessionStoreError,
    },
    store::{LockWatch, Store, StoreError},
    xrpc::{AccountProblem, ReauthenticateReason},
};

/// What signs in again.
pub(super) struct Credentials {
    pub(super) identifier: String,
    pub(super) password: Zeroizing<String>,
}

/// What all clones of a client share.
pub(super) struct PasswordContext {
    pub(super) plain: PlainClient,
    sessions: SessionRepository<Self>,
    process: ProcessId,
    pace: Pace,
    /// With these, a session that has ended is replaced.
    credentials: Option<Credentials>,
    /// How often signing in again has failed in a row.
    attempts: AtomicU32,
    account: RwLock<Arc<PasswordAccount>>,
    /// A session that was removed, but whose tokens could not be revoked.
    unrevoked: Mutex<Option<PasswordSession>>,
}

impl PasswordContext {
    pub(super) fn new(
        plain: PlainClient,
        store: Arc<dyn Store>,
        account: PasswordAccount,
        credentials: Option<Credentials>,
        lifetime: Option<Duration>,
        pace: Pace,
    ) -> Self {
        Self {
            plain,
            sessions: SessionRepository::new(store, move |_, now| end_of_storage(lifetime, now)),
            process: ProcessId::generate(),
            pace,
            credentials,
            attempts: AtomicU32::new(0),
            account: RwLock::new(Arc::new(account)),
            unrevoked: Mutex::new(None),
        }
    }

    /// What is known about the account from the last sign-in or refresh by this process.
    pub(super) fn account(&self) -> Arc<PasswordAccount> {
        Arc::clone(&self.account.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A session that was removed earlier, but whose tokens could not be revoked.
    pub(super) fn take_unrevoked(&self) -> Option<PasswordSession> {
        self.unrevoked.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps a session that was removed, but whose tokens could not be revoked, for another attempt.
    pub(super) fn keep_unrevoked(&self, session: PasswordSession) {
        *self.unrevoked.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    }

    /// Signs in again.
    async fn sign_in_again(
        &self,
        key: &PasswordKey,
        credentials: &Credentials,
        ended: &PasswordSession,
    ) -> Renewed<PasswordSession> {
        let before = ended.over.as_ref().map_or(0, |over| over.attempts);
        let attempts = before.max(self.attempts.load(Ordering::SeqCst));
        let Credentials { identifier, password } = credentials;
        let failed = match create(&self.plain, identifier, password, false).await {
            Ok((account, tokens)) if account.did == *key.did() => {
                self.attempts.store(0, Ordering::SeqCst);
                return Renewed::Session(ended.refreshed(Some(account), tokens));
            }
            Ok((account, tokens)) => {
                let problem = format!("the account is now {}", account.did);
                let other = PasswordSession::new(account, tokens);
                if let Err(error) = delete(&self.plain, &other.tokens, limits::AUTHORIZATION_SERVER).await {
                    tracing::warn!(did = %key.did(), %error, "the tokens of another account could not be revoked");
                }
                SignInFailure {
                    refused: true,
                    counts: true,
                    failure: RefreshFailure::new(problem, Processed::No),
                }
            }
            Err(error) => SignInFailure::of(error),
        };
        let wait = failed.wait(self.pace.sign_in_pause, attempts);
        let attempts = attempts.saturating_add(u32::from(failed.counts));
        self.attempts.store(attempts, Ordering::SeqCst);
        let SignInFailure { refused, mut failure, .. } = failed;
        let detail = if refused {
            format!(
                "signing in again with the password was refused: {}; it is not tried again for {wait:?}, unless by `sign_in`",
                failure.source
            )
        } else {
            format!("signing in again failed, and is not tried again for {wait:?}: {}", failure.source)
        };
        failure.source = Arc::new(std::io::Error::other(detail.clone()));
        let mut record = ended.clone();
        let mut over = Over::new(&self.process, wait, attempts, refused, detail.clone());
        over.problem = failure.account.as_ref().map(|(problem, _)| problem.error_name().to_owned());
        record.over = Some(over);
        let record = Some(record);
        if refused {
            Renewed::Refused { record, wait, detail }
        } else {
            Renewed::Failed { record, wait, failure }
        }
    }
}

/// The failure of a request that was not sent, because another process may hold the lock of the session.
fn lock_lost() -> RefreshFailure {
    RefreshFailure::new(StoreError::LockLost, Processed::No)
}

/// The headers of a session.
pub(super) struct Bearer {
    pub(super) access: HeaderValue,
    origin: Arc<str>,
}

impl SessionContext for PasswordContext {
    type Key = PasswordKey;
    type Session = PasswordSession;
    type Prepared = Bearer;
    type Local = ();

    const REFRESH: &'static str = "password_refresh";

    fn sessions(&self) -> &SessionRepository<Self> {
        &self.sessions
    }

    fn process(&self) -> &ProcessId {
        &self.process
    }

    fn pace(&self) -> &Pace {
        &self.pace
    }

    fn refresh_span(key: &PasswordKey) -> Span {
        tracing::info_span!(
            "password_refresh",
            did = key.did().as_str(),
            issuer = Empty,
            attempts = Empty,
            outcome = Empty,
            duration_ms = Empty,
        )
    }

    fn prepare(&self, key: &PasswordKey, session: &PasswordSession) -> Result<Bearer, SessionStoreError> {
        let unusable = |field| SessionStoreError::Unusable { session: key.to_string(), field };
        // Another account may have been given the name by now.
        if session.account.did != *key.did() {
            return Err(unusable("account"));
        }
        let access = bearer(&session.tokens.access).ok_or_else(|| unusable("access token"))?;
        Ok(Bearer { access, origin: self.plain.origin().into() })
    }

    fn host(bearer: &Bearer) -> &str {
        &bearer.origin
    }

    async fn refresh(
        &self,
        active: &ActiveSession<Self>,
        current: &CachedSession<Self>,
        lock: LockWatch,
    ) -> Refreshed<PasswordSession> {
        Span::current().record("issuer", self.plain.origin());
        // The token is in a header, so there is no later moment to check this.
        if !lock.holds_for(Duration::ZERO) {
            return Refreshed::Failed(lock_lost());
        }
        let session = &current.record;
        match refresh(&self.plain, active.id.did(), &session.tokens).await {
            Answer::Tokens(tokens, account) => Refreshed::Tokens(session.refreshed(account, tokens)),
            Answer::OtherAccount(tokens, did) => {
                let other = session.refreshed(None, tokens);
                let problem = format!("the new tokens are for {did}");
                Refreshed::Invalid(
                    match delete(&self.plain, &other.tokens, limits::AUTHORIZATION_SERVER).await {
                        Ok(_) => problem,
                        Err(error) => format!("{problem}; they could not be revoked: {error}"),
                    },
                )
            }
            Answer::Rejected(response) => Refreshed::Rejected(response.to_string()),
            Answer::Failed(failure) => Refreshed::Failed(failure),
        }
    }

    async fn probe(&self, _: &ActiveSession<Self>, _: &CachedSession<Self>) -> Probed {
        // An access token remains valid when its session is refreshed, and its refresh token can be used again for a while.
        Probed::Meaningless
    }

    async fn revoke(&self, _: &ActiveSession<Self>, session: &PasswordSession) -> Result<(), String> {
        match delete(&self.plain, &session.tokens, limits::AUTHORIZATION_SERVER).await {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("the server answered {status}")),
            Err(error) => Err(with_causes(&error).to_string()),
        }
    }

    async fn renew(
        &self,
        active: &ActiveSession<Self>,
        ended: &CachedSession<Self>,
        _: &ReauthenticateReason,
        lock: Option<LockWatch>,
    ) -> Renewed<PasswordSession> {
        let Some(credentials) = &self.credentials else { return Renewed::Impossible };
        if let Some(over) = &ended.record.over {
            let wait = over.wait(&self.process);
            if !wait.is_zero() {
                let detail = over.detail.clone();
                return if over.refused {
                    Renewed::Refused { record: None, wait, detail }
                } else {
                    let problem = over.problem.as_deref().and_then(AccountProblem::from_error_name);
                    let failure = RefreshFailure {
                        account: problem.map(|problem| (problem, None)),
                        ..RefreshFailure::new(detail, Processed::No)
                    };
                    Renewed::Failed { record: None, wait, failure }
                };
            }
        }
        if !lock.is_some_and(|lock| lock.holds_for(Duration::ZERO)) {
            // Another process may be signing in.
            return Renewed::Failed { record: None, wait: limits::REFRESH_PAUSE, failure: lock_lost() };
        }
        tracing::info!(did = %active.id.did(), "password session ended, signing in again");
        self.sign_in_again(&active.id, credentials, &ended.record).await
    }

    fn note_refreshed(&self, _: &PasswordKey, session: &PasswordSession) {
        *self.account.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(session.account.clone());
    }

    fn note_ended(&self, _: &PasswordKey, _: &ReauthenticateReason) {}
}
