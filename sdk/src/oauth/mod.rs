//! OAuth sessions.

mod challenge;
mod client;
mod dpop;
mod live;
mod nonce;
mod refresh;
mod resource;
mod server;
mod session;
#[cfg(test)]
mod session_tests;
mod sessions;
mod shared;
pub mod store;

pub use client::{OAuthClient, SessionInfo};
pub use dpop::DpopError;
pub use refresh::RefreshError;
pub use server::{MissingNonce, ServerError, TokenResponseError};
pub use session::{InvalidSessionId, SessionFormatError, SessionId};
pub use sessions::SessionStoreError;
