//! Typed records: those of one collection, and many writes at once.
//!
//! [`Records`] lists, gets and writes the records of one type, and [`Writes`] collects writes of any types and makes them
//! together.

mod call_options;
mod delete_all;
pub(crate) mod on_clients;
#[cfg(test)]
mod tests;
mod writes;

use std::{
    fmt,
    future::IntoFuture,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use futures_util::StreamExt as _;

use crate::{
    api::com::atproto::repo::{
        create_record, delete_record, get_record, list_records, put_record, strong_ref::StrongRef,
    },
    types::{AtIdentifier, AtUri, Cid, Expected, Handle, Nullable, Record, RecordKey, Unknown},
    xrpc::{
        Backoff, BoxFuture, Call, Caller, DecodeError, Error, InvalidRequest, Labeler, LexiconError,
        Method as _, Pacing, Response, RetryPolicy, UnreadableRecord,
    },
};

use call_options::call_options;
pub use delete_all::{DeleteAll, DeleteAllError, Deleted};
pub use writes::{Batches, Write, WriteKind, Writes, WritesError, Written};

/// The records of one type in one repository; made by `client.records::<R>()` and `client.records_of::<R>(repo)`.
///
/// The methods return [`Call`]s, or types that behave like them: they are sent when they are awaited, and options of the call
/// can be set before.
///
/// ```no_run
/// use atproto_sdk::{api::app::bsky::feed::like::Like, oauth::OAuthClient};
/// use futures_util::StreamExt as _;
///
/// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut likes = client.records::<Like>().list();
/// while let Some(like) = likes.next().await {
///     println!("{}", like?.value.subject.uri);
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Records<'c, R> {
    caller: Caller<'c>,
    repo: AtIdentifier,
    /// Why there is no repository.
    problem: Option<InvalidRequest>,
    record: PhantomData<fn() -> R>,
}

/// A record with its address and version.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry<R> {
    /// The address.
    pub uri: AtUri,
    /// The version. Servers may omit it for a single record.
    pub cid: Option<Cid>,
    /// The record.
    pub value: R,
}

impl<R> Entry<R> {
    /// Returns a reference to this version of the record, if the server has named the version.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     Client,
    ///     api::app::bsky::feed::{like::Like, post::Post},
    ///     handle, record_key,
    ///     types::Datetime,
    /// };
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let posts = client.records_of::<Post>(handle!("alice.example.com"));
    /// let post = posts.get(&record_key!("3jzfcijpj2z2a")).await?;
    /// if let Some(subject) = post.strong_ref() {
    ///     client.records::<Like>().create(&Like::new(subject, Datetime::now())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn strong_ref(&self) -> Option<StrongRef> {
        Some(StrongRef::new(self.uri.clone(), self.cid.clone()?))
    }
}

/// The repository of the account that calls are made as; in its place the reason why there is none, which is reported by the
/// calls.
fn own_repo(caller: Caller<'_>) -> (AtIdentifier, Option<InvalidRequest>) {
    match caller.transport().account() {
        Some(did) => (did.into(), None),
        None => (Handle::__literal(Handle::INVALID).into(), Some(InvalidRequest::NotSignedIn)),
    }
}

impl<'c, R: Record> Records<'c, R> {
    /// The records in a repository, over any [`Transport`](crate::xrpc::Transport).
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::post::Post,
    ///     handle,
    ///     records::Records,
    ///     xrpc::{Caller, Transport},
    /// };
    /// use futures_util::StreamExt as _;
    ///
    /// /// Works with every client.
    /// async fn print_posts(client: &dyn Transport) -> Result<(), Box<dyn std::error::Error>> {
    ///     let mut posts = Records::<Post>::new(Caller::new(client), handle!("alice.example.com")).list();
    ///     while let Some(post) = posts.next().await {
    ///         println!("{}", post?.value.text);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn new(caller: Caller<'c>, repo: impl Into<AtIdentifier>) -> Self {
        Self { caller, repo: repo.into(), problem: None, record: PhantomData }
    }

    /// The records in the repository of the account that calls are made as. Without an account, calls fail with
    /// [`InvalidRequest::NotSignedIn`].
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::post::Post,
    ///     records::Records,
    ///     types::Datetime,
    ///     xrpc::{Caller, Transport},
    /// };
    ///
    /// /// Works with every client that is signed in.
    /// async fn say_hello(client: &dyn Transport) -> Result<(), Box<dyn std::error::Error>> {
    ///     let posts = Records::<Post>::own(Caller::new(client));
    ///     posts.create(&Post::new("Hello", Datetime::now())).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn own(caller: Caller<'c>) -> Self {
        let (repo, problem) = own_repo(caller);
        Self { caller, repo, problem, record: PhantomData }
    }

    /// Lists all records, newest first, and fetches a page at a time.
    ///
    /// A record that does not match its lexicon yields an error in its place, which has the record
    /// ([`Error::unreadable_record`]); the stream continues with the next one.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, api::app::bsky::graph::follow::Follow, handle};
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut follows = client.records_of::<Follow>(handle!("alice.example.com")).list();
    /// while let Some(follow) = follows.next().await {
    ///     match follow {
    ///         Ok(follow) => println!("{}", follow.value.subject),
    ///         // Only this one cannot be read.
    ///         Err(error) if error.unreadable_record().is_some() => println!("{error}"),
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn list(&self) -> List<'c, R> {
        let params = list_records::Params::new(self.repo.clone(), R::collection()).limit(100);
        let call = Call::new(self.caller, params, ()).with_problem(self.problem.clone());
        List { state: ListState::Ready(Box::new(call)), record: PhantomData }
    }

    /// Gets one record.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::{app::bsky::actor::profile::Profile, com::atproto::repo::get_record}, record_key};
    ///
    /// # async fn example(client: atproto_sdk::PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let profiles = client.records_of::<Profile>(atproto_sdk::handle!("alice.example.com"));
    /// match profiles.get(&record_key!("self")).await {
    ///     Ok(profile) => println!("{:?}", profile.value.display_name),
    ///     Err(error) if error.lexicon_error() == Some(get_record::Error::RecordNotFound) => println!("no profile yet"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`get_record::Error::RecordNotFound`] if there is no such record. An error about a record that does not match its
    /// lexicon has the record ([`Error::unreadable_record`]).
    pub fn get(&self, rkey: &RecordKey) -> Get<'c, R> {
        let params = get_record::Params::new(self.repo.clone(), R::collection(), rkey.clone());
        let call = Call::new(self.caller, params, ()).with_problem(self.problem.clone());
        Get { call, record: PhantomData }
    }

    /// Creates a record under a key that the server chooses.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, oauth::OAuthClient, types::Datetime};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let post = Post::new("Hello", Datetime::now());
    /// let created = client.records::<Post>().create(&post).await?;
    /// println!("{}", created.uri);
    /// # Ok(()) }
    /// ```
    pub fn create(&self, record: &R) -> Call<'c, create_record::CreateRecord> {
        let (record, problem) = encode(self.caller, create_record::CreateRecord::NSID, record);
        let input = create_record::Input::new(self.repo.clone(), R::collection(), record);
        let problem = self.problem.clone().or(problem);
        Call::new(self.caller, create_record::Params::new(), input).with_problem(problem)
    }

    /// Creates or replaces the record under a key, if what exists there is as expected.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::app::bsky::actor::profile::Profile, oauth::OAuthClient, record_key, types::Expected};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let (profiles, key) = (client.records::<Profile>(), record_key!("self"));
    /// let mut profile = profiles.get(&key).await?;
    /// profile.value.description = Some("Builds things".into());
    /// // Only if nobody has changed it meanwhile.
    /// let expected = profile.cid.as_ref().map_or(Expected::Any, Expected::Version);
    /// profiles.put(&key, &profile.value, expected).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`put_record::Error::InvalidSwap`] if it is not.
    pub fn put(
        &self,
        rkey: &RecordKey,
        record: &R,
        expected: Expected<&Cid>,
    ) -> Call<'c, put_record::PutRecord> {
        let (record, problem) = encode(self.caller, put_record::PutRecord::NSID, record);
        let mut input = put_record::Input::new(self.repo.clone(), R::collection(), rkey.clone(), record);
        input.swap_record = match expected {
            Expected::Any => None,
            Expected::Absent => Some(Nullable::Null),
            Expected::Version(cid) => Some(Nullable::Value(cid.clone())),
        };
        let problem = self.problem.clone().or(problem);
        Call::new(self.caller, put_record::Params::new(), input).with_problem(problem)
    }

    /// Deletes the record under a key, if what exists there is as expected. It is not an error if there is no record.
    ///
    /// ```no_run
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, oauth::OAuthClient, record_key, types::Expected};
    ///
    /// # async fn example(client: OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.records::<Post>().delete(&record_key!("3jzfcijpj2z2a"), Expected::Any).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`delete_record::Error::InvalidSwap`] if another version exists, and [`Error::InvalidRequest`] for
    /// [`Expected::Absent`], before anything is sent.
    pub fn delete(
        &self,
        rkey: &RecordKey,
        expected: Expected<&Cid>,
    ) -> Call<'c, delete_record::DeleteRecord> {
        let mut input = delete_record::Input::new(self.repo.clone(), R::collection(), rkey.clone());
        let mut problem = self.problem.clone();
        match expected {
            Expected::Any => {}
            Expected::Version(cid) => input.swap_record = Some(cid.clone()),
            Expected::Absent => problem = Some(InvalidRequest::DeleteOfAbsent),
        }
        Call::new(self.caller, delete_record::Params::new(), input).with_problem(problem)
    }
}

/// Validates and encodes a record. The input of the call has it as an arbitrary value, which would not be validated.
fn encode<R: Record>(caller: Caller<'_>, nsid: &str, record: &R) -> (Unknown, Option<InvalidRequest>) {
    if caller.transport().settings().validates_input
        && let Err(problem) = record.validate()
    {
        return (Unknown::null(), Some(InvalidRequest::Violations { nsid: nsid.into(), problem }));
    }
    match Unknown::encode(record) {
        Ok(record) => (record, None),
        Err(problem) => (Unknown::null(), Some(InvalidRequest::Input { nsid: nsid.into(), problem })),
    }
}

/// Decodes a record; the error has it as it is.
fn decode<R: Record, E: LexiconError>(
    nsid: &str,
    uri: AtUri,
    cid: Option<Cid>,
    value: Unknown,
) -> Result<Entry<R>, Error<E>> {
    match value.decode() {
        Ok(value) => Ok(Entry { uri, cid, value }),
        Err(problem) => {
            let record = Box::new(UnreadableRecord { uri, cid, value, problem });
            Err(Error::Decode(DecodeError::Record { nsid: nsid.into(), record }))
        }
    }
}

/// A call for one record; made by [`Records::get`].
#[must_use = "a call is not sent until it is awaited"]
pub struct Get<'c, R> {
    call: Call<'c, get_record::GetRecord>,
    record: PhantomData<fn() -> R>,
}

impl<'c, R> Get<'c, R> {
    fn with_call(
        self,
        change: impl FnOnce(Call<'c, get_record::GetRecord>) -> Call<'c, get_record::GetRecord>,
    ) -> Self {
        Self { call: change(self.call), record: PhantomData }
    }

    call_options!(with_call);
}

impl<R: Record> Get<'_, R> {
    /// Sends the call and returns the record with status and headers.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
    ///
    /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
    /// let response = profiles.get(&record_key!("self")).send().await?;
    /// println!("{:?}", response.headers.get("atproto-repo-rev"));
    /// println!("{:?}", response.into_output().value.display_name);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`Records::get`].
    pub async fn send(self) -> Result<Response<Entry<R>>, Error<get_record::Error>> {
        let Response { status, headers, output, .. } = self.call.send().await?;
        let entry = decode(get_record::GetRecord::NSID, output.uri, output.cid, output.value)?;
        Ok(Response::new(status, headers, entry))
    }
}

impl<'c, R: Record> IntoFuture for Get<'c, R> {
    type Output = Result<Entry<R>, Error<get_record::Error>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.send().await.map(Response::into_output) })
    }
}

impl<R> fmt::Debug for Get<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Get").field(&self.call).finish()
    }
}

/// The records of a collection, as a stream of [`Entry`]s; made by [`Records::list`].
///
/// Options must be set before the first record is requested. They apply to the calls of all pages.
#[must_use = "nothing is listed until this is polled"]
pub struct List<'c, R> {
    state: ListState<'c>,
    record: PhantomData<fn() -> R>,
}

type Items<'c> =
    Pin<Box<dyn Stream<Item = Result<list_records::Record, Error<list_records::Error>>> + Send + 'c>>;

enum ListState<'c> {
    Ready(Box<Call<'c, list_records::ListRecords>>),
    Listing(Items<'c>),
    Ended,
}

impl<'c, R> List<'c, R> {
    fn with_call(
        self,
        change: impl FnOnce(Call<'c, list_records::ListRecords>) -> Call<'c, list_records::ListRecords>,
    ) -> Self {
        let state = match self.state {
            ListState::Ready(call) => ListState::Ready(Box::new(change(*call))),
            begun => begun,
        };
        Self { state, record: PhantomData }
    }

    call_options!(with_call);
}

impl<R: Record> Stream for List<'_, R> {
    type Item = Result<Entry<R>, Error<list_records::Error>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut items = match std::mem::replace(&mut self.state, ListState::Ended) {
            ListState::Ready(call) => Box::pin(call.items()),
            ListState::Listing(items) => items,
            ListState::Ended => return Poll::Ready(None),
        };
        let polled = items.poll_next_unpin(cx);
        if !matches!(polled, Poll::Ready(None)) {
            self.state = ListState::Listing(items);
        }
        polled.map(|item| {
            Some(item?.and_then(|item| {
                decode(list_records::ListRecords::NSID, item.uri, Some(item.cid), item.value)
            }))
        })
    }
}

impl<R> fmt::Debug for List<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("List(..)")
    }
}
