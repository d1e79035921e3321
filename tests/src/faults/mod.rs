//! A proxy between a client and the network that does to requests what networks, gateways and servers do to them.
//!
//! A [`Plan`] is a file without any Rust in it: who calls what, and which [`Fault`]s happen how often. [`FaultProxy`]
//! applies the faults, decided by a seed, and keeps an [`Exchange`] of every request, from which can be told afterwards
//! what a client can have known. [`StoreGate`] does the same to the way to a database.

mod answer;
mod exchange;
mod fault;
mod plan;
mod proxy;
mod rewrite;
mod seed;
mod store_gate;

pub use exchange::{Delivered, Exchange, Fingerprint, Given, Grant, TokenExchange};
pub use fault::{Body, Fault, Kind, Matches, Which};
pub use plan::{Calls, Outage, Plan, PlanError, Server};
pub use proxy::{FaultProxy, Hold, Point, ProxyError};
pub use seed::Seed;
pub use store_gate::{StoreGate, Trouble};
