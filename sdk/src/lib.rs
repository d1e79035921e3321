//! Typed AT Protocol calls over OAuth sessions that sign and refresh by themselves.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "client")]
mod accessor;
#[rustfmt::skip]
pub mod api;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "client")]
mod clients;
#[cfg(feature = "client")]
mod clock;
#[cfg(feature = "client")]
mod http_client;
#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
mod limits;
#[cfg(feature = "client")]
pub mod oauth;
#[cfg(feature = "client")]
mod random;
#[cfg(feature = "client")]
pub mod records;
#[cfg(feature = "client")]
pub mod scopes;
#[cfg(feature = "client")]
mod signing_key;
#[cfg(feature = "client")]
pub mod store;
#[cfg(all(test, feature = "client"))]
mod test_lexicons;
pub mod types;
pub mod xrpc;

#[cfg(feature = "client")]
pub use clients::{
    AdminClient, AdminClientBuilder, PasswordClient, PasswordClientBuilder, PasswordError, PublicClient,
    PublicClientBuilder,
};
#[cfg(feature = "client")]
pub use http_client::InvalidProxy;
#[cfg(feature = "client")]
pub use random::NoRandom;

#[doc(hidden)]
pub mod __v1;

#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
