//! The stream of all repositories, verified.
//!
//! `com.atproto.sync.subscribeRepos` tells what changes in the repositories of a host, or of a whole network. Whoever
//! sends it need not be believed: every commit is signed by its account, and has what is needed to see whether its
//! operations are all that has happened since the commit before ([Sync 1.1](https://atproto.com/specs/sync)).
//! [`Subscribe::verified`] does that.
//!
//! ```no_run
//! # #[cfg(all(feature = "app-bsky", feature = "sqlite"))]
//! # mod example {
//! use atproto_sdk::{
//!     PublicClient,
//!     api::app::bsky::feed::post::Post,
//!     identity::Resolver,
//!     store::{SqliteStore, Store},
//!     sync::{Repair, StoredStates, Verified, Verifier},
//! };
//! use std::sync::Arc;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store: Arc<dyn Store> = Arc::new(SqliteStore::open("indexer.db")?);
//! let verifier = Verifier::builder(Resolver::builder().build()?)
//!     .states(StoredStates::shared(Arc::clone(&store)))
//!     .repair(Repair::fetch())
//!     .build();
//!
//! let relay = PublicClient::new("https://relay.example.com")?;
//! let mut events = relay.com_atproto_sync().subscribe_repos().resume_shared("indexer", store).verified(verifier);
//! while let Some(event) = events.next().await {
//!     let event = match event {
//!         Ok(event) => event,
//!         // One message is not what its lexicon says. The stream goes on.
//!         Err(error) if !error.is_end() => {
//!             eprintln!("{error}");
//!             continue;
//!         }
//!         Err(error) => return Err(error.into()),
//!     };
//!     match event.message() {
//!         Verified::Commit(commit) => {
//!             for operation in commit.operations() {
//!                 if operation.collection == "app.bsky.feed.post"
//!                     && let Some(Ok(post)) = operation.record::<Post>()
//!                 {
//!                     println!("{} {}: {}", commit.did(), operation.rkey, post.text);
//!                 }
//!             }
//!         }
//!         Verified::Resynced(resynced) => println!("{} is to be indexed anew", resynced.did()),
//!         Verified::Gap(gap) => println!("{} has changed in unknown ways", gap.did),
//!         Verified::Refused(refused) => eprintln!("{}: {}", refused.did, refused.reason),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! # }
//! ```
//!
//! # What is verified
//!
//! - **Who has signed a commit**: the key is that of the account's DID document. It is looked up again when the stream says that
//!   it may have changed, and once when a signature does not fit. If that is not possible for the moment, the key that is known is
//!   believed, for up to two days.
//! - **What a commit has changed**: its operations, undone in its tree, must lead to the tree of the commit before.
//! - **That nothing is missing**: that tree and the revision must be the last ones that were verified
//!   ([`RepoState`]). Otherwise there is a gap, which is [told](Verified::Gap) or [repaired](Repair::fetch): the
//!   repository is fetched from the account's PDS, and verified as a whole.
//! - **That nothing is old**: a revision that is not newer than the last one is dropped, and counted in [`VerifierStats::old`].
//!   One that is more than five minutes in the future is refused.
//!
//! What is not valid is [`Verified::Refused`], with the reason, and the stream goes on. The commits of an account that
//! is not active at the host, as it says itself, are refused too; when it is active again, they show as a gap.
//!
//! What a host says about identities and the status of accounts is not signed. Everything else in a
//! [`Verified::Commit`] or [`Verified::Resynced`] comes from the account.
//!
//! # Order and acknowledgement
//!
//! The events of an account are in order. Several cores verify those of different accounts, and none waits for another.
//! Each event is acknowledged as in any other [stream](crate::stream), and one that was dropped as old is acknowledged
//! by itself. The states are saved before the cursor, so that what was acknowledged does not show as a gap; and what
//! was not acknowledged comes again, although its revision is known by then.
//!
//! Fetching a repository may take minutes, for which the cursor does not wait, if the states outlive the process, as
//! [`StoredStates`] do: that the repository is missing is noted in its state ([`PendingRepair`]), and its commits that
//! come meanwhile count as acknowledged. What is given for them in the end is to be acknowledged as every event, and
//! with the last one the note is removed. If the process ends before, the next one fetches the repository when it
//! begins, and gives it with the position of the event that has shown the gap. What the stream says meanwhile about the
//! identity and status of the account is noted as well, the last of each, and given after the repository. So no account
//! holds the cursor, nor the others.
//!
//! # Where the states are kept
//!
//! A database is fast enough for a relay, a [`FileStore`](crate::store::FileStore) is not: it writes its whole file for
//! each of the hundreds of states that change in a second. If the store is away, the stream goes on for a while, and then
//! waits until it is back, which a [`Notice`](crate::stream::Notice::StatesNotSaved) tells.
//!
//! A server whose positions begin anew, because it was restored from a backup or set up again, ends the stream with the
//! error [`FutureCursor`]. Resume it under another name: the positions in the states belong to the life of the durable
//! cursor, and those of an earlier one are not believed.
//!
//! # What strangers cannot do
//!
//! Anybody can make a host send anything. The number of accounts that are looked up at the same time and in a second is
//! limited ([`VerifierBuilder::lookups`]), and so is what is fetched ([`Repair`]); what could not be looked up is not
//! tried again for a while, and only now and then because a host says that an account has changed. Accounts of the
//! method `did:web` are looked up at servers that anybody can have and that need not answer: nothing else waits for
//! them, those of one domain do not take all places, and one that was never verified has five seconds. An account that
//! has gaps all the time is fetched less and less often. No more repositories than may be fetched at once are there without
//! the consumer having them. What waits is limited in number and size, and no account can
//! fill that alone: if more than a hundred events of one wait for its repository or its key, some of them are dropped
//! ([`VerifierStats::dropped`]), which shows as another gap. Without [repairs](Repair::fetch), nothing is dropped in
//! the first two seconds that an account is looked up. The states in memory are limited
//! ([`MemoryStates::with_capacity`], [`VerifierBuilder::accounts_in_memory`]).
//!
//! [`Subscribe::verified`]: crate::stream::Subscribe::verified
//! [`FutureCursor`]: crate::api::com::atproto::sync::subscribe_repos::Error::FutureCursor

// From top to bottom; nothing uses what is above it:
//
//   events                            the stream that the consumer polls, over `stream`
//   core                              the machine: order, jobs, what each event leads to
//   job, batch, network, lookups, saver   work outside of the order: verifying, looking up, fetching, saving
//   verifier                          what can be set
//   domains                           how much is asked of one domain at once
//   accounts, states                  what is known, in memory and where it is kept
//   check, chain                      pure: a message by itself, and its place in the chain
//   message, refusal, error, state, stats   what the consumer is told
mod accounts;
mod batch;
mod chain;
mod check;
mod core;
mod error;
mod events;
mod job;
mod lookups;
mod message;
mod network;
mod refusal;
mod saver;
mod state;
mod states;
mod stats;
mod verifier;

pub use error::{StopError, VerifiedStreamError};
pub use events::VerifiedEvents;
pub use message::{Gap, RecordOperation, Refused, RepoCommit, Resynced, Verified, VerifiedRepos};
pub use refusal::{Refusal, RepairError, SignerError};
pub use state::{Beginning, HostedStatus, PendingRepair, RepoHead, RepoState, ToldIdentity, ToldStatus};
pub use states::{MemoryStates, RepoStates, StoredStates};
pub use stats::VerifierStats;
pub use verifier::{Repair, Verifier, VerifierBuilder};
