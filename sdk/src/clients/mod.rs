//! Clients without OAuth: public ones, the administrator's, and sessions by password.

mod admin;
mod password;
mod plain;
mod public;

pub use admin::{AdminClient, AdminClientBuilder};
pub use password::{PasswordClient, PasswordClientBuilder, PasswordError};
pub use public::{PublicClient, PublicClientBuilder};
