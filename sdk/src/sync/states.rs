//! Where the states of repositories are kept between runs.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

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
/// The version of the format in a store, that of states with a repair, and that of those with what a host has said
/// meanwhile. Versions of this crate that do not know them must not read them.
const FORMAT: u32 = 1;
const FORMAT_WITH_REPAIR: u32 = 2;
const FORMAT_WITH_TOLD: u32 = 3;
/// What to do about an entry that is damaged.
const RESTORE: &str = "restore it from a backup, or remove the entry: then what it says is no longer known";
/// What the key of the list of repairs ends with. No DID has this form.
const LIST: &str = "unrepaired";
/// What it is called in errors.
const LISTED: &str = "the list of repositories that have to be fetched";

/// Where a [`Verifier`](super::Verifier) keeps what it knows of repositories: for each the last revision and the root
/// of its tree.
///
/// [`MemoryStates`] forgets them at the end of the process: then the first commit of each repository is accepted
/// without a comparison with what was before. [`StoredStates`] keeps them in a [`Store`]. A consumer that has a
/// database of its own may keep them there, beside what it keeps of the records.
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
    ///
    /// What could not be saved is tried again: with fewer states at once, so that one that is refused does not keep others
    /// from being saved, and a slow store gets as many as it can write within 15 seconds.
    /// [`Notice::StatesNotSaved`](crate::stream::Notice::StatesNotSaved) tells it.
    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Returns the accounts whose saved states have a [`repair`](RepoState::repair), and possibly others. Called when a
    /// stream begins, which then goes on with these repairs.
    ///
    /// Only with such a list, what comes after a gap can be acknowledged for good while the repository is fetched,
    /// which may take minutes. The default is `None`: there is no list, or it does not outlive the process. Then the
    /// cursor of the stream waits. `Some` promises that states are kept with all fields, also after the end of the
    /// process.
    fn unrepaired(&self) -> BoxFuture<'_, Result<Option<Vec<Did>>, StoreError>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}

impl<S: RepoStates + ?Sized> RepoStates for Arc<S> {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        (**self).load(did)
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        (**self).save(states)
    }

    fn unrepaired(&self) -> BoxFuture<'_, Result<Option<Vec<Did>>, StoreError>> {
        (**self).unrepaired()
    }
}

/// Keeps the states of repositories in memory, about 200 bytes for each. When there are too many, those are forgotten
/// that have not changed for the longest time.
///
/// While a repository is fetched because something is missing, the cursor of the stream waits for it, because the end
/// of the process would take what is known about that.
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

/// If a map has too many entries, drops the oldest, and a tenth more so that this does not happen with every new one.
/// Only those that may be dropped are.
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

/// Keeps the states of repositories in a [`Store`], each under a key of its own (`repo:` and the DID), and the list of
/// repositories that have to be fetched (`repo:unrepaired`).
///
/// What is stored and cannot be read is never replaced: the stream ends with [`StoreError::Unusable`], which names the
/// key.
///
/// Use a database. A [`FileStore`](crate::store::FileStore) writes its whole file for each state: that is enough for the
/// accounts of a small PDS, and far too slow for a relay. Only one consumer at a time may write them; give each a
/// [name](Self::named) if several share a store.
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
    /// The list of repairs as it is stored. `None` if it has not been read.
    list: Arc<Mutex<Option<BTreeSet<Did>>>>,
}

impl StoredStates {
    /// Creates states in a store.
    pub fn new(store: impl Store) -> Self {
        Self::shared(Arc::new(store))
    }

    /// Creates states in a store that others use too.
    pub fn shared(store: Arc<dyn Store>) -> Self {
        Self { store, prefix: PREFIX.to_owned(), list: Arc::default() }
    }

    /// Sets the name of the consumer, which becomes part of the keys: short, of ASCII letters, digits, `-` and `_`.
    /// Other characters are replaced by `_`.
    pub fn named(mut self, name: &str) -> Self {
        let is_fine = |found: char| found.is_ascii_alphanumeric() || found == '-' || found == '_';
        let name: String =
            name.chars().map(|found| if is_fine(found) { found } else { '_' }).take(200).collect();
        self.prefix = format!("{PREFIX}{name}:");
        // That of another name is another one.
        self.list = Arc::default();
        self
    }

    fn key(&self, did: &Did) -> String {
        format!("{}{did}", self.prefix)
    }

    async fn write(&self, did: &Did, state: &RepoState) -> Result<(), StoreError> {
        let v = match &state.repair {
            Some(repair) if repair.identity.is_some() || repair.status.is_some() => FORMAT_WITH_TOLD,
            Some(_) => FORMAT_WITH_REPAIR,
            None => FORMAT,
        };
        self.put(&self.key(did), &Saved { v, state: state.clone() }).await
    }

    async fn put(&self, key: &str, value: &impl Serialize) -> Result<(), StoreError> {
        let value = serde_json::to_vec(value).map_err(StoreError::backend)?;
        self.store.put(key, &value, None, Expected::Any).await.map(drop)
    }

    /// Reads what has one of these formats. Nothing else is taken for it.
    async fn get<T: DeserializeOwned>(
        &self,
        key: &str,
        newest: u32,
        what: &str,
    ) -> Result<Option<T>, StoreError> {
        #[derive(Deserialize)]
        struct Version {
            v: u32,
        }
        let Some(entry) = self.store.get(key).await? else { return Ok(None) };
        let damaged = |error: serde_json::Error| StoreError::Unusable {
            key: key.to_owned(),
            problem: format!("it is not {what} ({error}); {RESTORE}"),
        };
        match serde_json::from_slice(&entry.value).map_err(damaged)? {
            Version { v } if (FORMAT..=newest).contains(&v) => {}
            Version { v } => {
                let problem = format!("it was written by another version (format {v}); update atproto-sdk");
                return Err(StoreError::Unusable { key: key.to_owned(), problem });
            }
        }
        serde_json::from_slice(&entry.value).map(Some).map_err(damaged)
    }

    fn list_key(&self) -> String {
        format!("{}{LIST}", self.prefix)
    }

    fn list(&self) -> MutexGuard<'_, Option<BTreeSet<Did>>> {
        // Nothing panics while it is locked.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the list of repairs, unless it is known.
    async fn read_list(&self) -> Result<BTreeSet<Did>, StoreError> {
        if let Some(known) = self.list().clone() {
            return Ok(known);
        }
        let list = self.get::<SavedList>(&self.list_key(), FORMAT, LISTED).await?;
        let accounts = list.map(|list| list.accounts).unwrap_or_default();
        *self.list() = Some(accounts.clone());
        Ok(accounts)
    }

    async fn write_list(&self, accounts: BTreeSet<Did>) -> Result<(), StoreError> {
        self.put(&self.list_key(), &SavedList { v: FORMAT, accounts: accounts.clone() }).await?;
        *self.list() = Some(accounts);
        Ok(())
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

/// The list of repairs. It may have accounts that have none, and lacks none that has one.
#[derive(Serialize, Deserialize)]
struct SavedList {
    v: u32,
    accounts: BTreeSet<Did>,
}

impl RepoStates for StoredStates {
    fn load<'a>(&'a self, did: &'a Did) -> BoxFuture<'a, Result<Option<RepoState>, StoreError>> {
        Box::pin(async move {
            let saved =
                self.get::<Saved>(&self.key(did), FORMAT_WITH_TOLD, "the state of a repository").await?;
            Ok(saved.map(|saved| saved.state))
        })
    }

    fn save<'a>(&'a self, states: &'a [(Did, RepoState)]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (with, without): (Vec<_>, Vec<_>) =
                states.iter().partition(|(_, state)| state.repair.is_some());
            let is_listed = |list: &BTreeSet<Did>| with.iter().all(|(did, _)| list.contains(did));
            let is_complete = with.is_empty() || self.list().as_ref().is_some_and(is_listed);
            // First the list, so that it lacks none, whenever the process ends.
            if !is_complete {
                let mut list = self.read_list().await?;
                list.extend(with.iter().map(|(did, _)| did.clone()));
                self.write_list(list).await?;
            }
            let writes: Vec<_> = states.iter().map(|(did, state)| self.write(did, state)).collect();
            futures_util::stream::iter(writes).buffer_unordered(WRITES).try_collect::<()>().await?;
            let is_done = |list: &BTreeSet<Did>| without.iter().any(|(did, _)| list.contains(did));
            let shorter = self.list().as_ref().filter(|list| is_done(list)).cloned();
            if let Some(mut list) = shorter {
                for (did, _) in without {
                    list.remove(did);
                }
                self.write_list(list).await?;
            }
            Ok(())
        })
    }

    fn unrepaired(&self) -> BoxFuture<'_, Result<Option<Vec<Did>>, StoreError>> {
        Box::pin(async move { self.read_list().await.map(|list| Some(list.into_iter().collect())) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        store::MemoryStore,
        sync::{Beginning, HostedStatus, PendingRepair, RepoHead},
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
        RepoState { head: Some(head), status: Some(status), stream: u64::MAX, ..RepoState::default() }
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
        for value in ["", "[]", r#"{"v":222,"head":7}"#, r#"{"v":1,"head":{"rev":"x","data":"y"}}"#] {
            store.put(&states.key(&did(1)), value.as_bytes(), None, Expected::Any).await.unwrap();
            let error = states.load(&did(1)).await.unwrap_err();
            let told = crate::report::with_causes(&error).to_string();
            assert!(told.contains("repo:did:web:host1.example.com"), "{value}: {told}");
            assert!(!told.contains("store failed"), "{value}: {told}");
            let is_newer = value.contains(":2");
            assert_eq!(told.contains("update atproto-sdk"), is_newer, "{told}");
            assert_eq!(told.contains("remove the entry"), !is_newer, "{told}");
            let error = crate::sync::VerifiedStreamError::States { did: did(1), source: error };
            assert_eq!(error.kind(), crate::xrpc::ErrorKind::InvalidInput);
        }
    }

    fn with_repair(number: u8) -> RepoState {
        let key = crate::repo::SigningKey::generate_p256().unwrap();
        let rev = Tid::from_parts(u64::from(number), 0);
        let commit = crate::repo::Commit::sign(&did(0), &rev, &Cid::of_cbor(&[number]), &key).unwrap();
        let repair =
            PendingRepair { claimed: Some(Tid::from_parts(9, 0)), ..PendingRepair::new(commit, Some(3)) };
        RepoState { repair: Some(Box::new(repair)), ..state(number) }
    }

    #[tokio::test]
    async fn repairs_are_listed_until_they_are_done() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let states = || StoredStates::shared(Arc::clone(&store)).named("one");
        assert_eq!(states().unrepaired().await.unwrap(), Some(Vec::new()));
        let begun = states();
        begun.save(&[(did(1), with_repair(1)), (did(2), state(2)), (did(3), with_repair(3))]).await.unwrap();
        // Whether the list was read before or not.
        states().save(&[(did(4), with_repair(4))]).await.unwrap();
        let after = states();
        assert_eq!(after.unrepaired().await.unwrap(), Some(vec![did(1), did(3), did(4)]));
        let loaded = after.load(&did(1)).await.unwrap().unwrap();
        assert_eq!(loaded.repair.as_ref().unwrap().commit.rev(), &Tid::from_parts(1, 0));
        after.save(&[(did(1), loaded), (did(3), state(3)), (did(5), state(5))]).await.unwrap();
        assert_eq!(states().unrepaired().await.unwrap(), Some(vec![did(1), did(4)]));
        after.save(&[(did(1), state(1)), (did(4), state(4))]).await.unwrap();
        assert_eq!(states().unrepaired().await.unwrap(), Some(Vec::new()));
        assert_eq!(MemoryStates::new().unrepaired().await.unwrap(), None);
        assert_eq!(Arc::new(states()).unrepaired().await.unwrap(), Some(Vec::new()));
    }

    /// Version 0.4.0 would take such a state for one without a repair.
    #[tokio::test]
    async fn only_states_with_repairs_have_another_format() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let states = StoredStates::shared(Arc::clone(&store));
        states.save(&[(did(1), with_repair(1)), (did(2), state(2))]).await.unwrap();
        for (number, expected) in [(1, 2), (2, 1)] {
            let entry = store.get(&states.key(&did(number))).await.unwrap().unwrap();
            let saved: serde_json::Value = serde_json::from_slice(&entry.value).unwrap();
            assert_eq!(saved["v"], expected);
        }
    }

    #[tokio::test]
    async fn a_damaged_list_is_an_error_and_stays_as_it_is() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let states = StoredStates::shared(Arc::clone(&store));
        for value in [&b"{"[..], br#"{"v":7}"#] {
            store.put("repo:unrepaired", value, None, Expected::Any).await.unwrap();
            assert!(matches!(states.unrepaired().await, Err(StoreError::Unusable { .. })));
            let saved = states.save(&[(did(1), with_repair(1))]).await;
            assert!(matches!(saved, Err(StoreError::Unusable { key, .. }) if key == "repo:unrepaired"));
            assert_eq!(&**store.get("repo:unrepaired").await.unwrap().unwrap().value, value);
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
