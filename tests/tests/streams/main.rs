//! Consumers of streams as processes of their own, which are killed.
#![allow(clippy::unwrap_used)]

mod kills;
mod numbers;
mod verified_kills;
