//! What goes wrong between a client and its servers, and what becomes of its sessions.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod chains;
mod driver;
mod judge;
mod plans;
mod protocol;
mod proxy;
mod reference;
mod report;
mod run;
mod worker;
mod world;
