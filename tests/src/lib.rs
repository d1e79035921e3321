//! What the suites need besides the SDK: a network, a browser, databases, and servers that misbehave.
//!
//! [`Network`] is a real PDS with its PLC directory on this machine, from the package `local-network`. [`Browser`] is a
//! headless Chromium for the provider's sign-in page. [`PostgresServer`], also behind a [`PgBouncer`], and [`RedisServer`],
//! also as a [`RedisCluster`], are what session stores talk to, with certificates of an [`Authority`] if they are to speak
//! TLS. [`Stub`] is a server with scripted answers for what a good server never sends, and [`DnsServer`] answers with the TXT
//! records that it was given. [`stream_server`] has a server of streams with a script for each connection. [`faults`] has a
//! proxy between a client and the network that lets things go wrong on the way.
//!
//! It depends on nothing of the SDK: what it tells is what the servers saw.

mod browser;
mod certificates;
mod dns;
pub mod faults;
mod pgbouncer;
mod postgres;
mod redis;
mod server;
pub mod stream_server;
mod stub;

pub use browser::{Browser, BrowserError};
pub use certificates::{Authority, Certificate, ServerTls};
pub use dns::DnsServer;
pub use local_network::{
    Account, Counts, InstallError, Network, NetworkError, client as plain_client, install, install_folder,
};
pub use pgbouncer::PgBouncer;
pub use postgres::PostgresServer;
pub use redis::{RedisCluster, RedisProgram, RedisServer};
pub use server::ServerError;
pub use stub::{Answer, Received, Stub};
