//! Signed requests to servers: DPoP proofs and nonces, authorization and resource servers, revocation.
//!
//! This layer handles tokens and keys, but neither sessions nor stores.

mod authorization_server;
pub(super) mod dpop;
mod error;
mod guarded_body;
mod nonces;
mod proof_signer;
mod resource_server;
mod revocation;
mod token_response;

pub use authorization_server::MissingNoncePolicy;
pub(crate) use authorization_server::ServerEndpoint;
pub use dpop::DpopError;
#[cfg(test)]
pub(crate) use dpop::tests as dpop_tests;
pub(crate) use dpop::{DpopKey, TokenHash};
pub use error::ServerError;
pub(crate) use nonces::NonceCache;
pub(crate) use resource_server::{PROBE, ResourceServer, is_invalid_token, probe};
pub(crate) use revocation::{TokenToRevoke, discard};
pub(crate) use token_response::TokenResponse;
pub use token_response::TokenResponseError;
