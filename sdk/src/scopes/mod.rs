//! OAuth scopes: what an app requests, what it was granted, and what that allows.
//!
//! See the specification of [permissions](https://atproto.com/specs/permission).
//!
//! - [`scopes!`](crate::scopes!) derives the scope of an app from its operations, at compile time.
//! - [`Scope`], [`Permission`] and [`Scopes`] are used at run time. They can be parsed, built and displayed.
//! - [`Scopes::allows`] and [`OAuthClient::allows`](crate::oauth::OAuthClient::allows) check what was granted.
//!
//! ```
//! use atproto_sdk::{
//!     api::app::bsky::feed::{like::Like, post::Post},
//!     scopes,
//!     scopes::{Scopes, needs},
//! };
//!
//! // What the app requests:
//! const SCOPE: &str = scopes![write::<Post>(), create::<Like>()];
//! assert_eq!(SCOPE, "atproto repo:app.bsky.feed.like?action=create repo:app.bsky.feed.post");
//!
//! // What the user granted:
//! let granted = Scopes::granted("atproto repo:app.bsky.feed.post");
//! assert!(granted.allows(needs::delete::<Post>()));
//! assert!(!granted.allows(needs::create::<Like>()));
//! ```

mod account;
mod audience;
mod blob;
mod error;
mod grant;
mod item;
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
pub(crate) use item::granting_item;
#[doc(hidden)]
pub use literal::{__str, __text, __text_length, __words_length};
pub use mime::MimePattern;
pub use need::{Need, needs};
pub use permission::Permission;
pub use repo::{RepoAction, RepoActions, RepoPermission};
pub use rpc::RpcPermission;
pub use scope::{Scope, Transition, UnknownScope};
pub use set::Scopes;
