//! The extractor of all accounts that are signed in in a browser.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::WebAuth;
use crate::{oauth::SessionId, types::Did};

/// An extractor of all accounts that are signed in in the browser, in the order in which they signed in.
///
/// It never rejects a request; if no account is signed in, it is empty. It does not check whether the sessions are still
/// usable. If the session of the active account was found to have ended, that account is not among them, and no other one is
/// active until the user signs in, switches or signs out.
///
/// ```no_run
/// use atproto_sdk::axum::Accounts;
///
/// /// A menu to switch between accounts.
/// async fn menu(accounts: Accounts) -> String {
///     let item = |did, is_active| match is_active {
///         true => format!("<b>{did}</b>"),
///         false => format!(
///             r#"<form method="post" action="/switch"><button name="did" value="{did}">{did}</button></form>"#
///         ),
///     };
///     accounts.iter().map(|account| item(account.did(), account.is_active)).collect()
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Accounts(Vec<SignedInAccount>);

/// An account in [`Accounts`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedInAccount {
    /// The session of the account.
    pub session: SessionId,
    /// Whether the account is the active one, whose client handlers receive.
    pub is_active: bool,
}

impl SignedInAccount {
    /// Returns the DID of the account.
    pub fn did(&self) -> &Did {
        self.session.did()
    }
}

impl Accounts {
    /// Iterates over the accounts.
    pub fn iter(&self) -> std::slice::Iter<'_, SignedInAccount> {
        self.0.iter()
    }

    /// Returns the active account, whose client handlers receive.
    pub fn active(&self) -> Option<&SignedInAccount> {
        self.0.iter().find(|account| account.is_active)
    }
}

impl<'a> IntoIterator for &'a Accounts {
    type Item = &'a SignedInAccount;
    type IntoIter = std::slice::Iter<'a, SignedInAccount>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<S> FromRequestParts<S> for Accounts
where
    S: Send + Sync,
    WebAuth: FromRef<S>,
{
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, std::convert::Infallible> {
        let sessions = WebAuth::from_ref(state).inner.jar.sessions(&parts.headers);
        let active = sessions.signed_in();
        let account = |id: &SessionId| SignedInAccount { session: id.clone(), is_active: Some(id) == active };
        Ok(Self(sessions.accounts().into_iter().map(account).collect()))
    }
}
