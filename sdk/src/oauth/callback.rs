//! The user's return: the callback's checks, tokens, and the session (protocol O20-O24).

use std::{fmt, sync::Arc};

use super::{
    OAuth, OAuthClient,
    dpop::DpopKey,
    error::CallbackError,
    pending::{PendingSignIn, PendingSignIns, Taken, unix_now},
    server::{ServerEndpoint, TokenResponse},
    session::{Session, SessionId},
    sign_out,
};
use crate::types::Did;

/// The parameters that a server sends the user back with.
#[derive(Clone, PartialEq, Eq)]
pub struct CallbackParams {
    state: String,
    iss: Option<String>,
    outcome: Outcome,
}

#[derive(Clone, PartialEq, Eq)]
enum Outcome {
    Code(String),
    Error { error: String, description: Option<String> },
}

/// Shows neither code nor state: both are secrets until they are used.
impl fmt::Debug for CallbackParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match &self.outcome {
            Outcome::Code(_) => "code",
            Outcome::Error { error, .. } => error,
        };
        f.debug_struct("CallbackParams")
            .field("iss", &self.iss)
            .field("outcome", &outcome)
            .finish_non_exhaustive()
    }
}

impl CallbackParams {
    /// Reads the query string of the redirect URI, with or without `?` in front.
    ///
    /// A callback has `state` and either `code` or `error`, none of them twice (RFC 6749 section 3.1).
    pub fn from_query(query: &str) -> Result<Self, CallbackError> {
        let query = query.strip_prefix('?').unwrap_or(query);
        let [mut state, mut iss, mut code, mut error, mut description] = [const { None }; 5];
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let slot = match &*name {
                "state" => &mut state,
                "iss" => &mut iss,
                "code" => &mut code,
                "error" => &mut error,
                "error_description" => &mut description,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(CallbackError::Malformed { problem: "a parameter stands there twice" });
            }
        }
        let state = state.ok_or(CallbackError::Malformed { problem: "`state` is missing" })?;
        let outcome = match (error, code) {
            (Some(error), _) => Outcome::Error { error, description },
            (None, Some(code)) if !code.is_empty() => Outcome::Code(code),
            _ => return Err(CallbackError::Malformed { problem: "there is neither `code` nor `error`" }),
        };
        Ok(Self { state, iss, outcome })
    }

    /// The `state`: what a web app compares with the one it bound to the user's browser.
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// A user who came back signed in.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedIn {
    /// Makes calls as the user; its session is in the store.
    pub client: OAuthClient,
    /// What the app gave for this sign-in.
    pub app_state: Option<String>,
}

impl OAuth {
    /// Ends a sign-in: checks the callback, gets tokens, checks whose they are, and stores the session.
    ///
    /// Tokens that fail a check are revoked before the error returns. A web app must also make sure that
    /// the callback reached the browser that was sent away, by keeping [`Authorization::state`] in a
    /// cookie and comparing it with [`CallbackParams::state`].
    ///
    /// [`Authorization::state`]: super::Authorization::state
    pub async fn callback(&self, params: &CallbackParams) -> Result<SignedIn, CallbackError> {
        let pending = match PendingSignIns(Arc::clone(&self.inner.store)).take(&params.state).await? {
            Taken::Found(pending) => pending,
            Taken::Expired => return Err(CallbackError::Expired),
            Taken::Unknown => return Err(CallbackError::UnknownState),
        };
        if params.iss.as_deref() != Some(&pending.issuer) {
            return Err(CallbackError::IssuerMismatch {
                expected: pending.issuer.clone(),
                found: params.iss.clone(),
            });
        }
        let code = match &params.outcome {
            Outcome::Code(code) => code,
            Outcome::Error { error, description } => {
                return Err(refused(error, description.clone(), pending.app_state.clone()));
            }
        };
        let key = DpopKey::from_jwk(&pending.dpop_key)?;
        let tokens = self.exchange(&pending, &key, code).await?;
        match self.accept(&pending, &tokens).await {
            Ok(client) => Ok(SignedIn { client, app_state: pending.app_state.clone() }),
            Err(error) => {
                let token = tokens.refresh_token.as_deref().unwrap_or(&tokens.access_token);
                self.discard(&pending, &key, token).await;
                Err(error)
            }
        }
    }

    async fn exchange(
        &self,
        pending: &PendingSignIn,
        key: &DpopKey,
        code: &str,
    ) -> Result<TokenResponse, CallbackError> {
        todo!()
    }
}

fn refused(error: &str, description: Option<String>, app_state: Option<String>) -> CallbackError {
    match error {
        "access_denied" => CallbackError::Denied { description, app_state },
        _ => CallbackError::Authorization { error: error.to_owned(), description, app_state },
    }
}
