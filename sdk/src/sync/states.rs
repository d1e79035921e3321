//! Where the states of repositories are kept between runs.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};

use super::RepoState;
use crate::{
    store::{Store, StoreError},
    types::{Did, Expected},
    xrpc::BoxFuture,
};

/// The most repositories that [`MemoryStates`] remembers by default.
const CAPACITY: usize = 500_000;
/// How many states are written to a store at once.
const WRITES: usize = 16;
/// What the keys of states start with.
const PREFIX: &str = "repo:";
/// The version of the format in a store.
const FORMAT: u32 = 1;

/// Where a [`Verifier`](super::Verifier) keeps what it knows of repositories: for each the last revision and the root of its
/// tree.
///
/// [`MemoryStates`] forgets them at the end of the process: then the first commit of each repository is accepted without a
/// comparison with what was before. [`StoredStates`] keeps them in a [`Store`]. A consumer that has a database of its own may
/// keep them there, beside what it keeps of the records.
///
/// ```
/// use std::{collections::HashMap, sync::Mutex};
///
/// use atproto_sdk::{
///     store::StoreError,
///     sync::{RepoState, RepoStates},
///     types::Did,
///     xrpc::BoxFuture,
/// };
///
/// /// A table of JSON.
/// #[derive(Default)]
/// struct Table(Mutex<HashMap<Did, String>>);
///
/// impl RepoStates for Table {
///     fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
///         Box::pin(async move {
///             let row = self.0.lock().map_err(|_| StoreError::Conflict)?.get(did).cloned();
///             row.map(|json| serde_json::from_str(&json)).transpose().map_err(StoreError::backend)
///         })
///     }
///
///     fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
///         Box::pin(async move {
///             let mut table = self.0.lock().map_err(|_| StoreError::Conflict)?;
///             for (did, state) in states {
///                 table.insert(did.clone(), serde_json::to_string(state).map_err(StoreError::backend)?);
///             }
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait RepoStates: Send + Sync + 'static {
    /// Reads the state of a repository. Returns `None` if nothing is known of it.
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>>;

    /// Writes the states of repositories, each in the place of the one before. Called about once a second with what has
    /// changed, and before each time that the cursor of the stream is saved, so that it is never behind the cursor.
    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl<S: RepoStates + ?Sized> RepoStates for Arc<S> {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        (**self).load(did)
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).save(states)
    }
}

/// Keeps the states of repositories in memory, about 200 bytes for each. When there are too many, those are forgotten that
/// have not changed for the longest time.
pub struct MemoryStates {
    capacity: usize,
    states: Mutex<Recent>,
}

#[derive(Default)]
struct Recent {
    states: HashMap<Did, (RepoState, u64)>,
    /// The number of writes.
    writes: u64,
}

impl MemoryStates {
    /// Creates an empty memory, for at most 500,000 repositories.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// Creates an empty memory for at most so many repositories.
    pub fn with_capacity(repositories: usize) -> Self {
        Self { capacity: repositories.max(1), states: Mutex::default() }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        // Nothing panics while it is locked.
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many repositories are remembered.
    pub fn len(&self) -> usize {
        self.recent().states.len()
    }

    /// Returns whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryStates {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStates").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl RepoStates for MemoryStates {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        let state = self.recent().states.get(did).map(|(state, _)| state.clone());
        Box::pin(std::future::ready(Ok(state)))
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        let mut recent = self.recent();
        for (did, state) in states {
            recent.writes += 1;
            let write = recent.writes;
            recent.states.insert(did.clone(), (state.clone(), write));
        }
        drop_oldest(&mut recent.states, self.capacity, |(_, write)| *write, |_| true);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// If a map has too many entries, drops the oldest, and a tenth more so that this does not happen with every new one. Only
/// those that may be dropped are.
pub(super) fn drop_oldest<K: Eq + std::hash::Hash, V>(
    map: &mut HashMap<K, V>,
    capacity: usize,
    age: impl Fn(&V) -> u64,
    may_drop: impl Fn(&V) -> bool,
) {
    if map.len() <= capacity {
        return;
    }
    let excess = map.len() - capacity + capacity / 10;
    let mut ages: Vec<u64> = map.values().filter(|value| may_drop(value)).map(&age).collect();
    let Some(last) = excess.min(ages.len()).checked_sub(1) else { return };
    let (_, edge, _) = ages.select_nth_unstable(last);
    let edge = *edge;
    map.retain(|_, value| age(value) > edge || !may_drop(value));
}

/// Keeps the states of repositories in a [`Store`], each under a key of its own (`repo:` and the DID).
///
/// Suitable for thousands of repositories in a file, and for more in a database. Only one consumer at a time may write them;
/// give each a [name](Self::named) if several share a store.
///
/// ```
/// use atproto_sdk::{store::MemoryStore, sync::StoredStates};
///
/// let states = StoredStates::new(MemoryStore::new()).named("indexer");
/// # let _ = states;
/// ```
#[derive(Clone)]
pub struct StoredStates {
    store: Arc<dyn Store>,
    prefix: String,
}

impl StoredStates {
    /// Creates states in a store.
    pub fn new(store: impl Store) -> Self {
        Self::shared(Arc::new(store))
    }

    /// Creates states in a store that others use too.
    pub fn shared(store: Arc<dyn Store>) -> Self {
        Self { store, prefix: PREFIX.to_owned() }
    }

    /// Sets the name of the consumer, which becomes part of the keys: short, of ASCII letters, digits, `-` and `_`. Other
    /// characters are replaced by `_`.
    pub fn named(mut self, name: &str) -> Self {
        let is_fine = |found: char| found.is_ascii_alphanumeric() || found == '-' || found == '_';
        let name: String =
            name.chars().map(|found| if is_fine(found) { found } else { '_' }).take(200).collect();
        self.prefix = format!("{PREFIX}{name}:");
        self
    }

    fn key(&self, did: &Did) -> String {
        format!("{}{did}", self.prefix)
    }

    async fn write(&self, did: &Did, state: &RepoState) -> Result<(), StoreError> {
        let saved = Saved { v: FORMAT, state: state.clone() };
        let value = serde_json::to_vec(&saved).map_err(StoreError::backend)?;
        self.store.put(&self.key(did), &value, None, Expected::Any).await.map(drop)
    }
}

impl fmt::Debug for StoredStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredStates").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    #[serde(flatten)]
    state: RepoState,
}

/// A stored state cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "the state of the repository {did} in the store has the format {found}, and only {FORMAT} is known: update atproto-sdk"
)]
struct OtherFormat {
    did: Did,
    found: u32,
}

impl RepoStates for StoredStates {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        Box::pin(async move {
            let Some(entry) = self.store.get(&self.key(did)).await? else { return Ok(None) };
            let Saved { v: found, state } =
                serde_json::from_slice(&entry.value).map_err(StoreError::backend)?;
            if found != FORMAT {
                return Err(StoreError::backend(OtherFormat { did: did.clone(), found }));
            }
            Ok(Some(state))
        })
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let writes: Vec<_> = states.iter().map(|(did, state)| self.write(did, state)).collect();
            futures_util::stream::iter(writes).buffer_unordered(WRITES).try_collect::<()>().await
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        store::MemoryStore,
        sync::{Beginning, HostedStatus, RepoHead},
        types::{Cid, Tid},
    };

    fn did(number: usize) -> Did {
        Did::new(format!("did:web:host{number}.example.com")).unwrap()
    }

    fn state(number: u8) -> RepoState {
        let head = RepoHead {
            seq: Some(-3),
            beginning: Some(Beginning { seq: 7, is_gap: true }),
            ..RepoHead::new(Tid::from_parts(u64::from(number), 0), Cid::of_cbor(&[number]))
        };
        let status = HostedStatus { active: false, reason: Some("deactivated".to_owned()), seq: None };
        RepoState { head: Some(head), status: Some(status), stream: u64::MAX }
    }

    async fn keeps(states: impl RepoStates) {
        assert_eq!(states.load(&did(1)).await.unwrap(), None);
        let both = [(did(1), state(1)), (did(2), RepoState::default())];
        states.save(&both).await.unwrap();
        for (did, state) in &both {
            assert_eq!(states.load(did).await.unwrap().as_ref(), Some(state));
        }
        states.save(&[(did(1), state(9))]).await.unwrap();
        assert_eq!(states.load(&did(1)).await.unwrap(), Some(state(9)));
    }

    #[tokio::test]
    async fn states_are_read_as_they_were_written() {
        keeps(MemoryStates::new()).await;
        keeps(StoredStates::new(MemoryStore::new())).await;
        keeps(Arc::new(StoredStates::new(MemoryStore::new()).named("two"))).await;
    }

    #[tokio::test]
    async fn consumers_with_names_do_not_disturb_each_other() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let [one, two] = ["one", "two"].map(|name| StoredStates::shared(Arc::clone(&store)).named(name));
        one.save(&[(did(1), state(1))]).await.unwrap();
        assert_eq!(two.load(&did(1)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_stored_and_is_no_state_is_an_error() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let states = StoredStates::shared(Arc::clone(&store));
        for value in ["", "[]", r#"{"v":2}"#, r#"{"v":1,"head":{"rev":"x","data":"y"}}"#] {
            store.put(&states.key(&did(1)), value.as_bytes(), None, Expected::Any).await.unwrap();
            assert!(matches!(states.load(&did(1)).await, Err(StoreError::Backend { .. })), "{value}");
        }
    }

    #[tokio::test]
    async fn memory_is_bounded_and_the_oldest_are_forgotten() {
        let states = MemoryStates::with_capacity(100);
        for number in 0..1_000 {
            states.save(&[(did(number), state(1)), (did(0), state(2))]).await.unwrap();
            assert!(states.len() <= 101, "{}", states.len());
        }
        for number in [0, 999, 950] {
            assert!(states.load(&did(number)).await.unwrap().is_some(), "{number}");
        }
        assert_eq!(states.load(&did(1)).await.unwrap(), None);
    }
}
