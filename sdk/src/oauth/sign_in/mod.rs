//! Signing in: from what a user types to a stored session.
//!
//! [`authorize`] finds the server and pushes the request, and [`callback`] completes the sign-in. [`loopback`] does both
//! through the browser on this machine, and [`resume`] reuses a stored session.

mod authorize;
mod callback;
mod context;
pub(super) mod discovery;
mod error;
mod input;
mod loopback;
mod options;
mod page;
mod pending;
mod pkce;
mod resume;

pub use authorize::Authorization;
#[cfg(feature = "axum")]
pub(crate) use callback::FailedSignIn;
pub use callback::{CallbackParams, SignedIn};
pub(crate) use context::SignInContext;
pub use discovery::DiscoveryError;
pub use error::{AuthorizeError, CallbackError, SignInError};
pub use loopback::SignIn;
pub use options::{AuthorizeOptions, Display, Prompt};
pub use pending::PendingError;
pub(crate) use pending::PendingSignIns;
