//! A real AT Protocol network on this machine, for the examples and the end-to-end suites.
//!
//! [`Network::start`] installs it if necessary, starts it as a child process and returns a handle that controls it.
//! Dropping the handle stops the network. This package uses nothing of the SDK but, with the
//! feature `types`, the types of identifiers: what it reports is what the servers saw.

mod http;
mod install;
mod network;

pub use http::client;
pub use install::{InstallError, install, install_folder};
pub use network::{Account, Counts, Did, Handle, Network, NetworkError};
