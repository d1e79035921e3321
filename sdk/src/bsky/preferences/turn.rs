//! One change of an account's preferences after the other.
//!
//! The server has one list, which is written as a whole, and does not compare it with what the writer has read. So
//! whoever changes it waits until the others in this process have written. Nothing else waits for that: reading does
//! not, and other calls do not.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

use tokio::sync::{Mutex as Turns, OwnedMutexGuard};

use super::PreferencesError;
use crate::{limits, types::Did};

/// The accounts whose preferences are being changed. Clients that do not name their account might all have the same.
type Accounts = HashMap<Option<Did>, Weak<Turns<()>>>;

/// From this number on, accounts whose preferences nobody changes are forgotten.
const MANY_ACCOUNTS: usize = 64;

/// A turn, which ends when this is dropped.
pub(super) struct Turn(#[allow(dead_code, reason = "it is kept until it is dropped")] OwnedMutexGuard<()>);

/// Waits for the turn to change the preferences of an account.
pub(super) async fn of(account: Option<&Did>) -> Result<Turn, PreferencesError> {
    let waited = limits::PREFERENCES_TURN;
    match tokio::time::timeout(waited, turns(account).lock_owned()).await {
        Ok(turn) => Ok(Turn(turn)),
        Err(_) => Err(PreferencesError::Busy { waited }),
    }
}

fn turns(account: Option<&Did>) -> Arc<Turns<()>> {
    static ACCOUNTS: LazyLock<Mutex<Accounts>> = LazyLock::new(Mutex::default);
    let mut accounts = ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let account = account.cloned();
    if let Some(turns) = accounts.get(&account).and_then(Weak::upgrade) {
        return turns;
    }
    if accounts.len() >= MANY_ACCOUNTS {
        accounts.retain(|_, turns| turns.strong_count() > 0);
    }
    let turns = Arc::default();
    accounts.insert(account, Arc::downgrade(&turns));
    turns
}
