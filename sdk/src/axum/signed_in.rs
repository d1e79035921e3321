//! All accounts that a browser has signed in.

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};

use super::WebAuth;
use crate::{oauth::SessionId, types::Did};

/// The accounts that are signed in in the browser of a request, in the order in which they came: for a menu to switch
/// between them. An extractor that never fails; whether each of their sessions still works is not looked at.
#[derive(Debug, Clone)]
pub struct Accounts(Vec<SignedInAccount>);

/// One of the accounts of a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedInAccount {
    /// Its session.
    pub session: SessionId,
    /// Whether it is the one that handlers get.
    pub is_active: bool,
}

impl SignedInAccount {
    /// The account.
    pub fn did(&self) -> &Did {
        self.session.did()
    }
}

impl Accounts {
    /// The accounts.
    pub fn iter(&self) -> std::slice::Iter<'_, SignedInAccount> {
        self.0.iter()
    }

    /// The account that handlers get.
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
        let active = sessions.active();
        let account = |id: &SessionId| SignedInAccount { session: id.clone(), is_active: Some(id) == active };
        Ok(Self(sessions.ids().iter().map(account).collect()))
    }
}
