//! Signing in: from what a user types to a stored session.
//!
//! [`authorize`] finds the server and pushes the request, [`callback`] completes it; [`loopback`] does both through the
//! user's browser, and [`resume`] goes on with a session that is there.

mod authorize;
mod callback;
mod context;
mod discovery;
mod error;
mod input;
mod loopback;
mod options;
mod page;
mod pending;
mod pkce;
mod resume;

pub use authorize::Authorization;
pub use callback::{CallbackParams, SignedIn};
pub(crate) use context::SignInContext;
pub use discovery::DiscoveryError;
pub use error::{AuthorizeError, CallbackError, SignInError};
pub use loopback::SignIn;
pub use options::{AuthorizeOptions, Display, Prompt};
pub use pending::PendingError;
pub(crate) use pending::PendingSignIns;
