//! OAuth sessions, one of the kinds that [`crate::session`] keeps alive.
//!
//! From the bottom up: [`record`] is the stored form, [`signing`] is what calls need of it, [`context`] contains what all
//! sessions of an app share, [`refresh`] and [`repository`] connect it with the state machine of sessions, and [`handle`] is
//! what clients hold.

mod account_moves;
mod context;
mod events;
mod handle;
mod id;
mod info;
mod nonces;
mod record;
mod refresh;
mod repository;
mod sign_out;
mod signing;
mod storage_limits;

pub(crate) use context::{AppContext, AppSettings};
pub(crate) use events::{Events, Listener};
pub use events::{SessionEnd, SessionEvent, SessionEvents};
pub(crate) use handle::{CachedSession, SessionHandle};
pub use id::{InvalidSessionId, SessionId};
pub use info::SessionInfo;
pub(crate) use record::{SessionRecord, SessionServers};
pub use sign_out::{SignOut, SignOutError};
#[cfg(feature = "axum")]
pub(crate) use sign_out::{SignOutInProgress, begin_sign_out};
pub(crate) use sign_out::{sign_out, sign_out_all, sign_out_excess};
pub(crate) use storage_limits::SessionLimits;

use crate::session::{SessionFormatError, SessionStoreError};
