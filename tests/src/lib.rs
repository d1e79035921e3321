//! A real AT Protocol network on this machine, for the end-to-end suites and the quickstart.
//!
//! [`Network::start`] installs it where that has not been done yet, starts it as a child process and gives a handle to
//! steer it by. Nothing is left running when the handle is dropped.

mod browser;
mod install;
mod network;

pub use browser::{Browser, BrowserError};
pub use install::{InstallError, install, install_folder};
pub use network::{Account, Counts, Network, NetworkError};
