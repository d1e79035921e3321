//! What goes wrong between a client and its servers, and what becomes of its sessions.
#![allow(clippy::unwrap_used, clippy::print_stderr, clippy::print_stdout)]

mod proxy;
