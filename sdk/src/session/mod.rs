//! Sessions of any kind: one state machine for all of them.
//!
//! What differs between kinds is behind [`SessionContext`]: the stored form of a session, how it is refreshed, how to find out
//! whether its token is accepted, and what happens when it has ended. `oauth::session` and `clients::password` implement it.
//!
//! From the bottom up: [`repository`] reads and writes stored sessions, [`cached`] is the copy that calls use, [`doubt`] is what
//! a stored session says about a refresh whose outcome is unknown, [`state`] is the state machine of a session, [`active`] holds
//! the state that all clients of a session in this process share, [`refresher`] refreshes the tokens, [`removal`] removes a
//! session, and [`handle`] is what clients hold.

mod active;
mod cached;
mod context;
mod doubt;
mod error;
mod handle;
mod refresher;
mod removal;
mod repository;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use active::{ActiveSession, ActiveSessions};
pub(crate) use cached::CachedSession;
pub(crate) use context::{
    Pace, Probed, Processed, RefreshFailure, Refreshed, Renewed, SessionContext, SessionKey, StoredSession,
};
pub(crate) use doubt::{Doubt, ProcessId};
pub use error::{SessionError, SessionFormatError, SessionStoreError};
pub(crate) use handle::SessionHandle;
pub(crate) use removal::remove;
pub(crate) use repository::{NotRemoved, Removed, SessionRepository, decode, limited};
pub(crate) use state::doubled;
