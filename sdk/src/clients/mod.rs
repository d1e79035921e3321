//! Clients without OAuth: unauthenticated, for administrators, and with a password.

mod admin;
mod password;
mod plain;
mod public;

pub use admin::{AdminClient, AdminClientBuilder};
pub use password::{AccountStatus, PasswordAccount, PasswordClient, PasswordClientBuilder, PasswordError};
pub use public::{PublicClient, PublicClientBuilder};
