//! Sessions: the stored record, its cached copy, the refresh, and sign-out.
//!
//! From the bottom up: [`record`] is the stored form, [`repository`] reads and writes it, [`cached`] is the copy that calls
//! use, [`state`] is the state machine of a session, [`active`] holds the state that all clients of a session in this
//! process share, [`context`] contains what all sessions share, [`refresher`] refreshes the tokens, and [`handle`] is what
//! clients hold.

mod active;
mod cached;
mod context;
mod error;
mod events;
mod handle;
mod id;
mod info;
mod nonces;
mod record;
mod refresher;
mod repository;
mod sign_out;
mod state;

pub(crate) use cached::CachedSession;
pub(crate) use context::AppContext;
pub use error::{SessionError, SessionFormatError, SessionStoreError};
pub(crate) use events::{Events, Listener};
pub use events::{SessionEnd, SessionEvent, SessionEvents};
pub(crate) use handle::SessionHandle;
pub use id::{InvalidSessionId, SessionId};
pub use info::SessionInfo;
pub(crate) use record::{SessionRecord, SessionServers};
#[cfg(test)]
pub(crate) use repository::Removed;
pub(crate) use repository::SessionLimits;
pub use sign_out::{SignOut, SignOutError};
pub(crate) use sign_out::{sign_out, sign_out_all, sign_out_excess};
