//! The end of a session: revocation at the server (RFC 7009), and the stored session goes (protocol O27).

use super::{
    OAuth,
    dpop::DpopKey,
    error::SignOutError,
    server::{ServerEndpoint, ServerError},
    session::{Session, SessionId},
    shared::Shared,
};

/// What became of a session that was signed out. In every case it is no longer in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignOut {
    /// The server has ended it.
    Confirmed,
    /// The server did not confirm: its tokens may work until they expire.
    NotConfirmed {
        /// Why, in words.
        problem: String,
    },
    /// There was no such session.
    NoSession,
}

impl OAuth {
    /// Ends a session: removes it from the store, and revokes its tokens at the server.
    pub async fn sign_out(&self, id: &SessionId) -> Result<SignOut, SignOutError> {
        sign_out(&self.inner.shared, id).await
    }
}

/// Removes first and revokes then: a session that is out of the store cannot come back, while a server that
/// does not answer would keep it there. Under the session's lock, so that a refresh does not write it again.
pub(super) async fn sign_out(shared: &Shared, id: &SessionId) -> Result<SignOut, SignOutError> {
    todo!()
}
