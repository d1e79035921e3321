//! OAuth sessions, one of the kinds that [`crate::session`] keeps alive.
//!
//! From the bottom up: [`record`] is the stored form, [`signing`] is what calls need of it, [`context`] contains what all
//! sessions of an app share, [`refresh`] and [`repository`] connect it with the state machine of sessions, and [`handle`] is
//! what clients hold.

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

pub(crate) use context::{AppContext, AppSettings};
pub(crate) use events::{Events, Listener};
pub use events::{SessionEnd, SessionEvent, SessionEvents};
pub(crate) use handle::{CachedSession, SessionHandle};
pub use id::{InvalidSessionId, SessionId};
pub use info::SessionInfo;
pub(crate) use record::{SessionRecord, SessionServers};
pub(crate) use repository::SessionLimits;
pub use sign_out::{SignOut, SignOutError};
pub(crate) use sign_out::{sign_out, sign_out_all, sign_out_excess};

use crate::session::{SessionFormatError, SessionStoreError};
