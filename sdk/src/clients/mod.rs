//! Clients without OAuth: unauthenticated, for administrators, and with a password; and one client for all kinds.

mod admin;
mod any;
mod password;
mod plain;
mod public;
#[cfg(feature = "repo")]
mod untrusted;

pub use admin::{AdminClient, AdminClientBuilder};
pub use any::Client;
pub use password::{AccountStatus, PasswordAccount, PasswordClient, PasswordClientBuilder, PasswordError};
pub use public::{PublicClient, PublicClientBuilder};
#[cfg(feature = "repo")]
pub(crate) use untrusted::UntrustedServer;
