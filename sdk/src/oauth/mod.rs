//! OAuth sessions.

mod dpop;
mod nonce;
mod server;
mod session;
