//! Typed AT Protocol calls over OAuth sessions that sign and refresh by themselves.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "client")]
mod accessor;
#[cfg(feature = "client")]
mod admin;
#[rustfmt::skip]
pub mod api;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(test)]
#[allow(dead_code, unreachable_pub, reason = "the golden files are compiled for their tests alone")]
#[rustfmt::skip]
#[path = "../../codegen/tests/golden/expected/mod.rs"]
mod golden;
#[cfg(test)]
mod golden_tests;
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
pub mod types;
pub mod xrpc;

#[cfg(feature = "client")]
pub use admin::AdminClient;
#[cfg(feature = "client")]
pub use password::{PasswordClient, PasswordError};
#[cfg(feature = "client")]
pub use public::PublicClient;

/// What generated code names; not for users.
#[doc(hidden)]
pub mod __private {
    pub use compact_str::CompactString;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
}

#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
