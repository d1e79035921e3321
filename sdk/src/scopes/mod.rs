//! Scopes: what an app asks for, what it was granted, and what that allows (O40-O43).
//!
//! - [`scopes!`](crate::scopes!) puts the scope of an app together from what the app does, while it is compiled.
//! - [`Scope`], [`Permission`] and [`Scopes`] are the same at run time: parsed, built and printed.
//! - [`Scopes::allows`] and [`OAuthClient::allows`](crate::oauth::OAuthClient::allows) tell what was granted.

mod account;
mod audience;
mod blob;
mod error;
mod grant;
mod literal;
mod mime;
mod minimal;
mod names;
mod need;
mod permission;
mod repo;
mod request;
mod rpc;
mod scope;
mod set;
mod syntax;
#[cfg(test)]
mod tests;

pub use account::{AccountAction, AccountAttribute, IdentityAttribute};
pub use audience::{Audience, Service};
pub use blob::BlobPermission;
pub use error::{InvalidScope, ScopeProblem};
pub use grant::{Grant, Needed};
#[doc(hidden)]
pub use literal::{__str, __text, __text_length, __words_length};
pub use mime::MimePattern;
pub use need::{Need, needs};
pub use permission::Permission;
pub use repo::{RepoAction, RepoActions, RepoPermission};
pub use rpc::RpcPermission;
pub use scope::{Scope, Transition, UnknownScope};
pub use set::Scopes;
