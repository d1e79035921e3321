//! A real AT Protocol network on this machine, for the end-to-end suites and the quickstart.
//!
//! [`Network::start`] installs it where that has not been done yet, starts it as a child process and gives a handle to
//! steer it by. Nothing is left running when the handle is dropped. [`Browser`] is a headless Chromium for the
//! provider's sign-in page, [`PostgresServer`] and [`RedisServer`] are what session stores
//! talk to, with certificates of an [`Authority`] if they are to speak TLS, and [`Stub`] is a server with scripted answers
//! for what a good server never sends.
//!
//! It depends on nothing of the SDK: what it tells is what the servers saw.

mod browser;
mod certificates;
mod http;
mod install;
mod network;
mod postgres;
mod redis;
mod server;
mod stub;

pub use browser::{Browser, BrowserError};
pub use certificates::{Authority, Certificate, ServerTls};
pub use install::{InstallError, install, install_folder};
pub use network::{Account, Counts, Network, NetworkError};
pub use postgres::PostgresServer;
pub use redis::RedisServer;
pub use server::ServerError;
pub use stub::{Answer, Received, Stub};
