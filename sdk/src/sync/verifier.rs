//! What is set for a verified stream.

use std::{fmt, sync::Arc};

use super::{RepoStates, network::Network};
use crate::{identity::Resolver, repo::ReadOptions};

/// Verifies the events of [`subscribeRepos`](crate::api::com::atproto::sync::subscribe_repos).
///
/// ```no_run
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use atproto_sdk::{
///     PublicClient,
///     identity::Resolver,
///     store::SqliteStore,
///     sync::{Repair, StoredStates, Verified, Verifier},
/// };
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let relay = PublicClient::new("https://relay.example.com")?;
/// let verifier = Verifier::builder(Resolver::builder().build()?)
///     .states(StoredStates::new(SqliteStore::open("states.db")?))
///     .repair(Repair::fetch().max_size(64 << 20))
///     .build();
/// let mut events = relay.com_atproto_sync().subscribe_repos().verified(verifier);
/// while let Some(event) = events.next().await {
///     let event = match event {
///         Ok(event) => event,
///         // One message is not what its lexicon says. The stream goes on.
///         Err(error) if !error.is_end() => {
///             eprintln!("{error}");
///             continue;
///         }
///         Err(error) => return Err(error.into()),
///     };
///     match event.message() {
///         Verified::Commit(commit) => println!("{}: {} records", commit.did(), commit.operations().len()),
///         Verified::Refused(refused) => eprintln!("{}: {}", refused.did, refused.reason),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// # }
/// ```
pub struct Verifier {
    pub(super) settings: Settings,
    pub(super) network: Arc<dyn Network>,
    pub(super) states: Arc<dyn RepoStates>,
}

/// What can be set.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) repair: Repair,
    pub(super) fetches_unknown: bool,
    pub(super) host: Option<String>,
    pub(super) accounts: usize,
    pub(super) cores: usize,
    pub(super) lookups: usize,
    pub(super) lookups_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            repair: Repair::report(),
            fetches_unknown: false,
            host: None,
            accounts: 100_000,
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            lookups: 32,
            lookups_per_second: 200,
        }
    }
}

impl Verifier {
    /// Creates a builder. Keys and PDSs are those that the resolver finds.
    pub fn builder(resolver: Resolver) -> VerifierBuilder {
        Self::over(Arc::new(resolver))
    }

    pub(super) fn over(network: Arc<dyn Network>) -> VerifierBuilder {
        let states = Arc::new(super::MemoryStates::new());
        VerifierBuilder(Self { settings: Settings::default(), network, states })
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Sets up a [`Verifier`]. Returned by [`Verifier::builder`].
#[derive(Debug)]
#[must_use = "a verifier is made by `build`"]
pub struct VerifierBuilder(Verifier);

impl VerifierBuilder {
    /// Sets where the states of repositories are kept. The default is [`MemoryStates`](super::MemoryStates).
    ///
    /// A stream that is resumed after the end of the process needs states that outlive it, or its first commit of each
    /// repository cannot be compared with what was before.
    pub fn states(mut self, states: impl RepoStates) -> Self {
        self.0.states = Arc::new(states);
        self
    }

    /// Sets what happens when something is missing. The default is [`Repair::report`].
    pub fn repair(mut self, repair: Repair) -> Self {
        self.0.settings.repair = repair;
        self
    }

    /// Fetches every repository of which nothing is known when its first event comes. Requires [`Repair::fetch`].
    ///
    /// While as many are fetched or wait as [`Repair`] allows, the stream waits. One that cannot be fetched is told as a gap, with
    /// the [problem](super::Gap::problem), and not fetched again until its next gap.
    ///
    /// By default, the first event is accepted as it is, without what was before.
    pub fn fetch_unknown(mut self) -> Self {
        self.0.settings.fetches_unknown = true;
        self
    }

    /// Refuses the events of accounts that are not hosted by this PDS, whose stream it is, also those about their identity and status: its
    /// origin, such as `https://pds.example.com`. Any host can repeat what an account has signed, and say of any account that it was deleted.
    ///
    /// Not for the stream of a relay.
    pub fn hosted_by(mut self, origin: &str) -> Self {
        self.0.settings.host = Some(origin.trim_end_matches('/').to_ascii_lowercase());
        self
    }

    /// Sets of how many accounts the states and keys are in memory, about 600 bytes for each. The default is 100,000. Others
    /// are read again from where the [states](Self::states) are, and looked up again.
    pub fn accounts_in_memory(mut self, accounts: usize) -> Self {
        self.0.settings.accounts = accounts;
        self
    }

    /// Sets how many events are verified at the same time. The default is the number of cores; the runtime must have as many
    /// threads.
    pub fn cores(mut self, cores: usize) -> Self {
        self.0.settings.cores = cores.max(1);
        self
    }

    /// Limits how many accounts are looked up at the same time, and in a second. The default is 32 and 200. When there are
    /// more, the stream waits.
    ///
    /// Accounts of the method `did:web` are looked up beside those, and a quarter as many: half of that (at least one) for those
    /// which have been verified before, and half for others. When too many of them wait, the events of more are refused for
    /// the moment.
    pub fn lookups(mut self, at_once: usize, per_second: u32) -> Self {
        self.0.settings.lookups = at_once.max(1);
        self.0.settings.lookups_per_second = per_second.max(1);
        self
    }

    /// Creates the verifier.
    pub fn build(self) -> Verifier {
        self.0
    }
}

/// What happens when something is missing in a repository's chain of commits.
///
/// ```
/// use atproto_sdk::sync::Repair;
///
/// let repair = Repair::fetch().at_once(2).max_size(64 << 20);
/// # let _ = repair;
/// ```
#[derive(Debug, Clone)]
pub struct Repair(pub(super) Option<Fetching>);

#[derive(Debug, Clone)]
pub(super) struct Fetching {
    pub(super) at_once: usize,
    pub(super) waiting: usize,
    pub(super) options: ReadOptions,
}

impl Repair {
    /// A gap is only told, as [`Verified::Gap`](super::Verified::Gap).
    pub fn report() -> Self {
        Self(None)
    }

    /// The repository is fetched from the account's PDS, and takes the place of what was known:
    /// [`Verified::Resynced`](super::Verified::Resynced). Its events wait meanwhile, and those of others do not. Nor does the cursor
    /// of the stream, if the states outlive the process ([`RepoStates::unrepaired`]).
    ///
    /// By default four are fetched at the same time, a thousand may wait for that, and a repository may have 256 MiB. One that has
    /// been fetched counts until the consumer asks for it and gets it, so there are never more of them than that which the consumer
    /// does not have: in memory, or in a temporary file if they are large. If one cannot be fetched, the gap is told.
    pub fn fetch() -> Self {
        let options = ReadOptions::new().max_size(256 << 20).max_blocks(4 << 20);
        Self(Some(Fetching { at_once: 4, waiting: 1_000, options }))
    }

    /// Sets how many repositories are fetched at the same time. If there are several, one or a quarter of them is kept free of
    /// those at the same domain, whose servers may be slow.
    pub fn at_once(self, repositories: usize) -> Self {
        self.with(|fetching| fetching.at_once = repositories.max(1))
    }

    /// Sets how many repositories may be waiting to be fetched. The gaps of more are told.
    pub fn waiting(self, repositories: usize) -> Self {
        self.with(|fetching| fetching.waiting = repositories)
    }

    /// Limits the size of a repository, in bytes. What is larger is not fetched as a whole.
    pub fn max_size(self, bytes: u64) -> Self {
        self.with(|fetching| fetching.options = fetching.options.clone().max_size(bytes))
    }

    /// Sets how a repository is read, and the limits for that.
    pub fn read_options(self, options: ReadOptions) -> Self {
        self.with(|fetching| fetching.options = options)
    }

    fn with(mut self, change: impl FnOnce(&mut Fetching)) -> Self {
        if let Some(fetching) = &mut self.0 {
            change(fetching);
        }
        self
    }
}
