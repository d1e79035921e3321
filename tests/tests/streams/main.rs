//! Consumers of streams as processes of their own, which are killed.
#![allow(clippy::unwrap_used)]

mod gap_proxy;
mod kills;
mod numbers;
mod repair_kills;
mod verified_consumer;
mod verified_kills;
