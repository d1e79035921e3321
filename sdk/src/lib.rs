//! Typed AT Protocol calls over OAuth sessions that sign and refresh by themselves.

#[cfg(feature = "client")]
mod accessor;
#[cfg(feature = "client")]
mod admin;
#[rustfmt::skip]
pub mod api;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "client")]
mod http_client;
#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
pub mod oauth;
#[cfg(feature = "client")]
mod password;
#[cfg(feature = "client")]
mod public;
#[cfg(feature = "client")]
pub mod records;
#[cfg(all(test, feature = "client"))]
mod test_lexicons;
pub mod types;
pub mod xrpc;

#[cfg(feature = "client")]
pub use admin::AdminClient;
#[cfg(feature = "client")]
pub use password::{PasswordClient, PasswordError};
#[cfg(feature = "client")]
pub use public::PublicClient;

#[doc(hidden)]
pub mod __v1;

#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
