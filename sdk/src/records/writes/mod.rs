//! Many writes at once, of records of any types.

mod error;
mod sending;
mod write;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_core::Stream;

use super::{encode, own_repo};
use crate::{
    WriteBudget,
    api::com::atproto::repo::apply_writes,
    types::{AtIdentifier, AtUri, Nsid, Record, RecordKey, Tid, Unknown},
    xrpc::{Caller, InvalidRequest, Method as _, Pacing, Reached},
};
pub use error::WritesError;
use sending::Sending;
pub use write::{Write, WriteKind, Written};

/// Writes to one repository, collected to be made together; created by `client.writes()`.
///
/// [`send`](Self::send) makes them with as few calls of
/// [`com.atproto.repo.applyWrites`](crate::api::com::atproto::repo::apply_writes) as the limits of servers allow: 200 writes and
/// 140 kB each. All writes of a call are made, or none. If a call fails, the calls before it remain, and [`WritesError`] tells
/// which writes are done.
///
/// Writes wait until the account has points for them, as with a [`WriteBudget`]: the one of the client, or one that all writes of
/// the client and its clones share. (Those of a [`Transport`](crate::xrpc::Transport) of your own share one if it is in a
/// [`Client`](crate::Client).)
///
/// ```no_run
/// use atproto_sdk::{
///     Client,
///     api::app::bsky::{feed::post::Post, graph::follow::Follow},
///     types::{AtUri, Datetime, Did},
/// };
///
/// # async fn example(client: Client, accounts: Vec<Did>, old: AtUri) -> Result<(), Box<dyn std::error::Error>> {
/// let mut writes = client.writes();
/// writes.create(&Post::new("I follow these now", Datetime::now())).delete_at(&old);
/// for account in accounts {
///     writes.create(&Follow::new(account, Datetime::now()));
/// }
/// for written in writes.send().await? {
///     println!("{:?} {}", written.kind, written.uri);
/// }
/// # Ok(()) }
/// ```
pub struct Writes<'c> {
    caller: Caller<'c>,
    repo: AtIdentifier,
    collected: Collected,
    validate: Option<bool>,
    /// For a client without a pacing.
    budget: Option<Budget>,
}

/// What has been collected and is not being made. What makes writes shares it, to give back what it has not sent.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Pending>>);

#[derive(Default)]
struct Pending {
    writes: Vec<Write>,
    /// The first thing that was refused.
    problem: Option<InvalidRequest>,
}

impl Collected {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What paces the writes of a client that has no pacing.
pub(super) type Budget = Arc<dyn Pacing>;

pub(super) fn budget_for(caller: Caller<'_>) -> Option<Budget> {
    caller.transport().settings().pacing_of_writes(|| Arc::new(WriteBudget::new()))
}

impl<'c> Writes<'c> {
    /// Collects writes to a repository, over any [`Transport`](crate::xrpc::Transport). Servers accept only the repository of the
    /// account that calls are made as.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     did,
    ///     records::Writes,
    ///     types::AtUri,
    ///     xrpc::{Caller, Transport},
    /// };
    ///
    /// /// Works with every client that is signed in to this account.
    /// async fn delete(client: &dyn Transport, posts: &[AtUri]) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut writes = Writes::new(Caller::new(client), did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    ///     for post in posts {
    ///         writes.delete_at(post);
    ///     }
    ///     writes.send().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn new(caller: Caller<'c>, repo: impl Into<AtIdentifier>) -> Self {
        let (repo, budget) = (repo.into(), budget_for(caller));
        Self { caller, repo, collected: Collected::default(), validate: None, budget }
    }

    /// Shares the budget of other writes.
    pub(super) fn with_budget(mut self, budget: Option<Budget>) -> Self {
        self.budget = budget;
        self
    }

    /// Collects writes to the repository of the account that calls are made as. Without an account, sending them fails with
    /// [`InvalidRequest::NotSignedIn`].
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::post::Post,
    ///     records::Writes,
    ///     xrpc::{Caller, Transport},
    /// };
    ///
    /// /// Works with every client that is signed in.
    /// async fn create(client: &dyn Transport, posts: &[Post]) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut writes = Writes::own(Caller::new(client));
    ///     for post in posts {
    ///         writes.create(post);
    ///     }
    ///     writes.send().await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn own(caller: Caller<'c>) -> Self {
        let (repo, problem) = own_repo(caller);
        let writes = Self::new(caller, repo);
        writes.collected.lock().problem = problem;
        writes
    }

    /// Creates a record under a new key. The key is made here and not by the server, so that the address is known whatever
    /// happens: it is a [`Tid`], or the only key that the lexicon allows.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.create(&Post::new("One", Datetime::now())).create(&Post::new("Two", Datetime::now()));
    /// for written in writes.send().await? {
    ///     println!("{}", written.uri);
    /// }
    /// # Ok(()) }
    /// ```
    pub fn create<R: Record>(&mut self, record: &R) -> &mut Self {
        let key = match R::KEY.split_once(':') {
            Some(("literal", key)) => RecordKey::new(key).ok(),
            _ if matches!(R::KEY, "tid" | "any") => RecordKey::new(Tid::now().as_str()).ok(),
            _ => None,
        };
        match key {
            Some(key) => self.create_at(&key, record),
            None => self.refuse(InvalidRequest::NoRecordKey { collection: R::collection(), kind: R::KEY }),
        }
    }

    /// Creates a record under a key. If there is already a record, none of the writes of the call are made.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::actor::profile::Profile, record_key};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.create_at(&record_key!("self"), &Profile::new().display_name("Alice"));
    /// writes.send().await?;
    /// # Ok(()) }
    /// ```
    pub fn create_at<R: Record>(&mut self, rkey: &RecordKey, record: &R) -> &mut Self {
        self.put(WriteKind::Create, rkey, record)
    }

    /// Replaces the record under a key. If there is none, none of the writes of the call are made.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::actor::profile::Profile, record_key};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// let profile = client.records::<Profile>().get(&record_key!("self")).await?;
    /// writes.update(&record_key!("self"), &profile.value.display_name("Alice"));
    /// writes.send().await?;
    /// # Ok(()) }
    /// ```
    pub fn update<R: Record>(&mut self, rkey: &RecordKey, record: &R) -> &mut Self {
        self.put(WriteKind::Update, rkey, record)
    }

    fn put<R: Record>(&mut self, kind: WriteKind, rkey: &RecordKey, record: &R) -> &mut Self {
        match encode(self.caller, apply_writes::ApplyWrites::NSID, record) {
            (value, None) => self.add(Write::new(kind, R::collection(), rkey.clone(), value)),
            (_, Some(problem)) => self.refuse(problem),
        }
    }

    /// Deletes the record under a key. If there is none, none of the writes of the call are made.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, record_key};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.delete::<Post>(&record_key!("3jzfcijpj2z2a")).delete::<Post>(&record_key!("3jzfcijpj2z2b"));
    /// writes.send().await?;
    /// # Ok(()) }
    /// ```
    pub fn delete<R: Record>(&mut self, rkey: &RecordKey) -> &mut Self {
        self.delete_in(R::collection(), rkey.clone())
    }

    /// Deletes the record at a URI. If there is none, none of the writes of the call are made.
    ///
    /// The URI must name the repository as these writes do, which is by its DID for those of `client.writes()`. One with a
    /// handle is refused: whose it is would have to be looked up, and the record of the same name in this repository may be
    /// another one.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, at_uri};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.delete_at(&at_uri!("at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3jzfcijpj2z2a"));
    /// writes.send().await?;
    /// # Ok(()) }
    /// ```
    pub fn delete_at(&mut self, uri: &AtUri) -> &mut Self {
        match (uri.repo(), uri.collection(), uri.record_key()) {
            (Some(repo), ..) if repo != self.repo => {
                let repo = self.repo.clone();
                self.refuse(InvalidRequest::OtherRepository { uri: uri.clone(), repo })
            }
            (Some(_), Some(collection), Some(rkey)) => self.delete_in(collection, rkey),
            _ => self.refuse(InvalidRequest::NotARecord { uri: uri.clone() }),
        }
    }

    /// Deletes a record of this repository.
    pub(super) fn delete_in(&mut self, collection: Nsid, rkey: RecordKey) -> &mut Self {
        self.add(Write::new(WriteKind::Delete, collection, rkey, Unknown::null()))
    }

    /// Adds a write of an earlier attempt, from a [`WritesError`].
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.create(&Post::new("Hello", Datetime::now()));
    /// if let Err(error) = writes.send().await {
    ///     let mut again = client.writes();
    ///     for write in error.not_done {
    ///         again.add(write);
    ///     }
    ///     again.send().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn add(&mut self, write: Write) -> &mut Self {
        self.collected.lock().writes.push(write);
        self
    }

    /// Sets whether the server checks records against their lexicons: `true` to refuse records whose lexicon it does not know,
    /// `false` to check none. By default, it checks those whose lexicons it knows.
    ///
    /// Records are always checked here when they are added, unless that is turned off for the client.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// // Refused if the server does not know the lexicon, instead of written unchecked.
    /// writes.validate(true).create(&Post::new("Hello", Datetime::now()));
    /// writes.send().await?;
    /// # Ok(()) }
    /// ```
    pub fn validate(&mut self, on: bool) -> &mut Self {
        self.validate = Some(on);
        self
    }

    /// The problem is reported before anything is sent, and the first one if there are several.
    fn refuse(&mut self, problem: InvalidRequest) -> &mut Self {
        self.collected.lock().problem.get_or_insert(problem);
        self
    }

    /// Returns how many writes have been collected, and are not being made.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     PublicClient, api::app::bsky::feed::post::Post, did, records::Writes, types::Datetime, xrpc::Caller,
    /// };
    ///
    /// # let client = PublicClient::new("https://pds.example.com")?;
    /// # let mut writes = Writes::new(Caller::new(&client), did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    /// writes.create(&Post::new("One", Datetime::now())).create(&Post::new("Two", Datetime::now()));
    /// assert_eq!(writes.len(), 2);
    /// # Ok::<_, atproto_sdk::xrpc::InvalidService>(())
    /// ```
    pub fn len(&self) -> usize {
        self.collected.lock().writes.len()
    }

    /// Returns `true` if no writes have been collected, but for those that are being made.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     PublicClient, api::app::bsky::feed::post::Post, did, records::Writes, types::Datetime, xrpc::Caller,
    /// };
    ///
    /// # let client = PublicClient::new("https://pds.example.com")?;
    /// # let mut writes = Writes::new(Caller::new(&client), did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    /// assert!(writes.is_empty());
    /// writes.create(&Post::new("One", Datetime::now()));
    /// assert!(!writes.is_empty());
    /// # Ok::<_, atproto_sdk::xrpc::InvalidService>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes all writes that have been collected, and returns them in the same order. Does nothing if there are none.
    ///
    /// If the future is dropped, the writes of a call that has been sent may still be made, and are not collected any more. Later
    /// ones are not made and are still collected, and so are those of a call that waits for points or has been refused.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post};
    ///
    /// # async fn example(client: Client, posts: Vec<Post>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// for post in &posts {
    ///     writes.create(post);
    /// }
    /// if let Err(error) = writes.send().await {
    ///     println!("{error}: {} posts were created", error.done.len());
    ///     for write in error.not_done {
    ///         println!("to be tried again later: {}", write.rkey());
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if something that was added is invalid, before anything is sent, and if a call fails.
    ///
    /// What is invalid is not kept, and is therefore in none of the lists of the error; the other writes are
    /// [`not_done`](field@WritesError::not_done). They can be added again, with or without a corrected one in its place.
    pub async fn send(&mut self) -> Result<Vec<Written>, WritesError> {
        let mut sending = self.sending();
        while let Some(batch) = sending.batch().await {
            batch?;
        }
        Ok(std::mem::take(&mut sending.done))
    }

    /// Makes all writes that have been collected, as a stream of what each call has done. The stream ends after the first error.
    ///
    /// Nothing is written until the stream is polled. If it is dropped, what it has not sent is collected again, in front of
    /// what was added meanwhile, also what waits for points.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post};
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: Client, posts: Vec<Post>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// for post in &posts {
    ///     writes.create(post);
    /// }
    /// let (total, mut done) = (writes.len(), 0);
    /// let mut batches = writes.batches();
    /// while let Some(batch) = batches.next().await {
    ///     done += batch?.len();
    ///     println!("{done} of {total}");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn batches(&mut self) -> Batches<'c> {
        let stream = futures_util::stream::unfold(Some(self.sending()), async |sending| {
            let mut sending = sending?;
            match sending.batch().await? {
                Ok(batch) => Some((Ok(sending.done[batch].to_vec()), Some(sending))),
                Err(error) => Some((Err(error), None)),
            }
        });
        Batches(Box::pin(stream))
    }

    /// What has been collected is taken, so that nothing is sent twice.
    fn sending(&mut self) -> Sending<'c> {
        let mut pending = self.collected.lock();
        let problem = pending.problem.take();
        // Other writes do not sign the client in.
        pending.problem = problem.clone().filter(|problem| matches!(problem, InvalidRequest::NotSignedIn));
        Sending {
            caller: self.caller,
            collected: self.collected.clone(),
            repo: self.repo.clone(),
            left: std::mem::take(&mut pending.writes).into(),
            under_way: Vec::new(),
            reached: Reached::default(),
            done: Vec::new(),
            problem,
            validate: self.validate,
            budget: self.budget.clone(),
        }
    }
}

impl fmt::Debug for Writes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writes").field("repo", &self.repo).field("len", &self.len()).finish_non_exhaustive()
    }
}

type BatchStream<'c> = std::pin::Pin<Box<dyn Stream<Item = Result<Vec<Written>, WritesError>> + Send + 'c>>;

/// What each call of some writes has done, as a stream; made by [`Writes::batches`]. When it is dropped, the writes that it has
/// not sent return to [`Writes`].
#[must_use = "nothing is written until this is polled"]
pub struct Batches<'c>(BatchStream<'c>);

impl Stream for Batches<'_> {
    type Item = Result<Vec<Written>, WritesError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for Batches<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batches(..)")
    }
}
