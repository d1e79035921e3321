//! What goes wrong between a client and its servers, and what becomes of its sessions.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod chains;
mod crashes;
mod driver;
mod held_store;
mod judge;
mod judgements;
mod pauses;
mod plans;
mod policy;
mod protocol;
mod proxy;
mod reference;
mod report;
mod run;
mod soak;
mod worker;
mod world;
