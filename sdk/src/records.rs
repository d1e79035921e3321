//! Records of one collection, typed: what one does with them most, in few words.

use std::marker::PhantomData;

use futures_core::Stream;
use futures_util::StreamExt as _;

use crate::{
    api::com::atproto::repo::{create_record, delete_record, get_record, list_records, put_record},
    types::{AtIdentifier, AtUri, Cid, Nullable, Record, RecordKey, Unknown},
    xrpc::{Call, Caller, DecodeError, Error, InvalidRequest, LexiconError, Method as _},
};

/// The records of one type in one repository.
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
    record: PhantomData<fn() -> R>,
}

/// A record with its address and version.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry<R> {
    /// The address.
    pub uri: AtUri,
    /// The version; a server may leave it out for a single record.
    pub cid: Option<Cid>,
    /// The record.
    pub value: R,
}

/// What has to be in the place of a record for it to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap<'a> {
    /// Whatever.
    Whatever,
    /// Nothing: the record must be new.
    Absent,
    /// The record of this version.
    Version(&'a Cid),
}

impl<'c, R: Record> Records<'c, R> {
    /// The records in a repository, over any transport.
    pub fn new(caller: Caller<'c>, repo: impl Into<AtIdentifier>) -> Self {
        Self { caller, repo: repo.into(), record: PhantomData }
    }

    /// All records, newest first, page by page as they are asked for.
    ///
    /// A record that does not fit its lexicon gives an error in its place; the ones behind it still come.
    pub fn list(
        &self,
    ) -> impl Stream<Item = Result<Entry<R>, Error<list_records::Error>>> + Send + Unpin + use<'c, R> {
        let params = list_records::Params::new(self.repo.clone(), R::collection()).limit(100);
        Call::<list_records::ListRecords>::new(self.caller, params, ()).items().map(|item| {
            let item = item?;
            let value = decode(list_records::ListRecords::NSID, &item.value)?;
            Ok(Entry { uri: item.uri, cid: Some(item.cid), value })
        })
    }

    /// One record.
    ///
    /// # Errors
    /// [`get_record::Error::RecordNotFound`] if it is not there.
    pub async fn get(&self, rkey: &RecordKey) -> Result<Entry<R>, Error<get_record::Error>> {
        let params = get_record::Params::new(self.repo.clone(), R::collection(), rkey.clone());
        let output = Call::<get_record::GetRecord>::new(self.caller, params, ()).await?;
        let value = decode(get_record::GetRecord::NSID, &output.value)?;
        Ok(Entry { uri: output.uri, cid: output.cid, value })
    }

    /// Makes a record under a key that the server chooses.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create(&self, record: &R) -> Result<create_record::Output, Error<create_record::Error>> {
        let record = encode(self.caller, create_record::CreateRecord::NSID, record)?;
        let input = create_record::Input::new(self.repo.clone(), R::collection(), record);
        Call::<create_record::CreateRecord>::new(self.caller, create_record::Params::new(), input).await
    }

    /// Makes or replaces the record under a key, if what is there is as expected.
    ///
    /// # Errors
    /// [`put_record::Error::InvalidSwap`] if something else is there.
    pub async fn put(
        &self,
        rkey: &RecordKey,
        record: &R,
        swap: Swap<'_>,
    ) -> Result<put_record::Output, Error<put_record::Error>> {
        let record = encode(self.caller, put_record::PutRecord::NSID, record)?;
        let mut input = put_record::Input::new(self.repo.clone(), R::collection(), rkey.clone(), record);
        input.swap_record = match swap {
            Swap::Whatever => None,
            Swap::Absent => Some(Nullable::Null),
            Swap::Version(cid) => Some(Nullable::Value(cid.clone())),
        };
        Call::<put_record::PutRecord>::new(self.caller, put_record::Params::new(), input).await
    }

    /// Deletes a record; nothing happens if it is not there. With a version, only if it is that one.
    ///
    /// # Errors
    /// [`delete_record::Error::InvalidSwap`] if it is another version.
    pub async fn delete(
        &self,
        rkey: &RecordKey,
        version: Option<&Cid>,
    ) -> Result<delete_record::Output, Error<delete_record::Error>> {
        let mut input = delete_record::Input::new(self.repo.clone(), R::collection(), rkey.clone());
        input.swap_record = version.cloned();
        Call::<delete_record::DeleteRecord>::new(self.caller, delete_record::Params::new(), input).await
    }
}

/// Checks and encodes a record; in the input it is a value of any shape, which would not be checked.
fn encode<R: Record, E: LexiconError>(
    caller: Caller<'_>,
    nsid: &str,
    record: &R,
) -> Result<Unknown, Error<E>> {
    if caller.transport().validates_input() {
        record.validate().map_err(|source| {
            Error::InvalidRequest(InvalidRequest::Violations { nsid: nsid.into(), source })
        })?;
    }
    Unknown::encode(record)
        .map_err(|source| Error::InvalidRequest(InvalidRequest::Input { nsid: nsid.into(), source }))
}

fn decode<R: Record, E: LexiconError>(nsid: &str, value: &Unknown) -> Result<R, Error<E>> {
    value.decode().map_err(|source| {
        Error::Decode(DecodeError::Json { nsid: nsid.into(), source: source.in_key("value") })
    })
}

impl crate::oauth::OAuthClient {
    /// The records of a type in the user's own repository.
    pub fn records<R: Record>(&self) -> Records<'_, R> {
        Records::new(Caller::new(self), self.did())
    }

    /// The records of a type in any repository.
    pub fn records_of<R: Record>(&self, repo: impl Into<AtIdentifier>) -> Records<'_, R> {
        Records::new(Caller::new(self), repo)
    }
}

impl crate::PasswordClient {
    /// The records of a type in the user's own repository.
    pub fn records<R: Record>(&self) -> Records<'_, R> {
        Records::new(Caller::new(self), self.did())
    }

    /// The records of a type in any repository.
    pub fn records_of<R: Record>(&self, repo: impl Into<AtIdentifier>) -> Records<'_, R> {
        Records::new(Caller::new(self), repo)
    }
}

impl crate::PublicClient {
    /// The records of a type in a repository.
    pub fn records_of<R: Record>(&self, repo: impl Into<AtIdentifier>) -> Records<'_, R> {
        Records::new(Caller::new(self), repo)
    }
}
