//! Typed AT Protocol calls over OAuth sessions that sign and refresh by themselves.

pub mod types;
pub mod xrpc;

#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
pub mod oauth;
