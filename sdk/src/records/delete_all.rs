//! Deleting all records of a type.

use std::{collections::VecDeque, fmt, pin::Pin, task::Context, task::Poll};

use futures_core::Stream;
use futures_util::StreamExt as _;
use http::StatusCode;

use super::{
    Records, Writes, WritesError,
    writes::{Budget, budget_for},
};
use crate::{
    api::com::atproto::repo::{delete_record, list_records},
    server_text::{SHORT, excerpt},
    types::{AtIdentifier, AtUri, Nsid, Record, RecordKey},
    xrpc::{self, Call, Caller, Error, ErrorKind, ErrorResponse},
};

/// How many records are deleted by one call.
const BATCH: usize = 200;

/// Why not all records of a type have been deleted. Those that [`DeleteAll`] has reported are deleted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteAllError {
    /// The records could not be listed.
    #[error("the records that are left could not be listed")]
    List(#[source] Error<list_records::Error>),
    /// The server has listed something that was not asked for, such as a record with an odd address. The stream goes on after
    /// this: see [`DeleteAll`].
    #[error(
        "the server listed `{}`, which is not a record of the type {collection} in the repository {repo}; it was not deleted",
        excerpt(uri.as_str(), SHORT)
    )]
    Unexpected {
        /// What it has listed.
        uri: AtUri,
        /// The collection that was asked for.
        collection: Nsid,
        /// The repository that was asked for.
        repo: AtIdentifier,
    },
    /// Several records could not be deleted.
    #[error("some records could not be deleted")]
    Delete(#[source] Box<WritesError>),
    /// One record could not be deleted.
    #[error("`{}` could not be deleted", excerpt(uri.as_str(), SHORT))]
    DeleteOne {
        /// The record.
        uri: AtUri,
        /// The cause.
        source: Error<delete_record::Error>,
    },
}

/// Some records have been deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deleted {
    /// The addresses of the records that were deleted since the last report.
    pub uris: Vec<AtUri>,
    /// How many have been deleted in all.
    pub total: usize,
}

impl<'c, R: Record> Records<'c, R> {
    /// Deletes all records of this type, and reports the progress as a stream. Nothing is deleted until the stream is polled, and
    /// nothing more when it is dropped, except by the call in progress.
    ///
    /// Up to 200 records are deleted together, and wait until the account has points for them, see [`Writes`]. Records that
    /// are created in the meantime may remain. Records that do not match the lexicon are deleted as well.
    ///
    /// What a server lists that is not a record of this type in this repository is not deleted. It is reported as
    /// [`DeleteAllError::Unexpected`], before the records around it are deleted, and then the stream goes on, so that one odd
    /// entry does not keep all others for good.
    ///
    /// ```no_run
    /// use atproto_sdk::{Client, api::app::bsky::feed::like::Like, records::DeleteAllError};
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut deleting = client.delete_all::<Like>();
    /// while let Some(progress) = deleting.next().await {
    ///     match progress {
    ///         Ok(deleted) => println!("{} likes are deleted", deleted.total),
    ///         Err(error @ DeleteAllError::Unexpected { .. }) => eprintln!("{error}"),
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn delete_all(&self) -> DeleteAll<'c> {
        let params = list_records::Params::new(self.repo.clone(), R::collection()).limit(100);
        let call = Call::<list_records::ListRecords>::new(self.caller, params, ());
        let deleting = Deleting {
            listing: Box::pin(xrpc::entries(call.with_problem(self.problem.clone()))),
            caller: self.caller,
            repo: self.repo.clone(),
            collection: R::collection(),
            budget: budget_for(self.caller),
            listed: Vec::new(),
            odd: VecDeque::new(),
            failure: None,
            total: 0,
            ended: false,
        };
        let stream = futures_util::stream::unfold(Some(deleting), async |deleting| {
            let mut deleting = deleting?;
            match deleting.next().await? {
                error @ Err(DeleteAllError::Unexpected { .. }) => Some((error, Some(deleting))),
                Ok(progress) => Some((Ok(progress), Some(deleting))),
                Err(error) => Some((Err(error), None)),
            }
        });
        DeleteAll(Box::pin(stream))
    }
}

type Listing<'c> = Pin<
    Box<dyn Stream<Item = Result<VecDeque<list_records::Record>, Error<list_records::Error>>> + Send + 'c>,
>;

struct Deleting<'c> {
    listing: Listing<'c>,
    caller: Caller<'c>,
    repo: AtIdentifier,
    collection: Nsid,
    budget: Option<Budget>,
    /// Records for the next call.
    listed: Vec<(AtUri, RecordKey)>,
    /// What was listed beside them, and has not been reported.
    odd: VecDeque<AtUri>,
    /// Why it ends, reported once everything that was done before has been.
    failure: Option<DeleteAllError>,
    total: usize,
    /// There are no further pages.
    ended: bool,
}

impl Deleting<'_> {
    /// Deletes some of the records. `None` if there are no more.
    async fn next(&mut self) -> Option<Result<Deleted, DeleteAllError>> {
        self.list().await;
        // In front of the call, so that whoever does not go on has deleted nothing that was listed beside it.
        if let Some(uri) = self.odd.pop_front() {
            let (collection, repo) = (self.collection.clone(), self.repo.clone());
            return Some(Err(DeleteAllError::Unexpected { uri, collection, repo }));
        }
        let uris = if self.listed.is_empty() { Vec::new() } else { self.delete().await };
        if uris.is_empty() {
            return self.failure.take().map(Err);
        }
        self.total += uris.len();
        Some(Ok(Deleted { uris, total: self.total }))
    }

    /// Lists until there is enough for a call, once everything of before is done.
    async fn list(&mut self) {
        if !self.listed.is_empty() || !self.odd.is_empty() {
            return;
        }
        while !self.ended && self.failure.is_none() && self.listed.len() + self.odd.len() < BATCH {
            match self.listing.next().await {
                Some(Ok(records)) => {
                    for record in records {
                        match self.key(&record.uri) {
                            Some(rkey) => self.listed.push((record.uri, rkey)),
                            None => self.odd.push_back(record.uri),
                        }
                    }
                }
                // What has been listed before is deleted all the same.
                Some(Err(error)) => self.failure = Some(DeleteAllError::List(error)),
                None => self.ended = true,
            }
        }
    }

    /// The key of something that was listed, if it is a record of the collection in the repository.
    fn key(&self, uri: &AtUri) -> Option<RecordKey> {
        let is_asked_for = uri.collection().as_ref() == Some(&self.collection) && self.is_own(uri);
        uri.record_key().filter(|_| is_asked_for)
    }

    /// Whether something is in the repository. If that was named by a handle, its DID is that of the account, because no
    /// other repository can be written to.
    fn is_own(&self, uri: &AtUri) -> bool {
        let Some(owner) = uri.repo() else { return false };
        let account = self.caller.transport().account().filter(|_| self.repo.did().is_none());
        owner == self.repo
            || match account {
                Some(account) => owner == AtIdentifier::from(account),
                // Only the server knows whose handle it is.
                None => self.repo.did().is_none(),
            }
    }

    /// Deletes what was listed, and returns what is certainly deleted: everything, unless there is a failure.
    async fn delete(&mut self) -> Vec<AtUri> {
        let (mut uris, rkeys): (Vec<AtUri>, Vec<RecordKey>) =
            std::mem::take(&mut self.listed).into_iter().unzip();
        let mut writes = Writes::new(self.caller, self.repo.clone()).with_budget(self.budget.clone());
        for rkey in &rkeys {
            writes.delete_in(self.collection.clone(), rkey.clone());
        }
        let Err(error) = writes.send().await else { return uris };
        let mut done = error.done.len();
        if error.source.response().is_some_and(is_about_the_writes) {
            // If one of the records is gone by now, the server refuses all of them. Deleting a single record that is gone does
            // nothing, so this is the same in the end.
            while let (Some(uri), Some(rkey)) = (uris.get(done), rkeys.get(done)) {
                if let Err(source) = self.delete_one(rkey).await {
                    self.failure = Some(DeleteAllError::DeleteOne { uri: uri.clone(), source });
                    break;
                }
                done += 1;
            }
        } else {
            self.failure = Some(DeleteAllError::Delete(Box::new(error)));
        }
        uris.truncate(done);
        uris
    }

    async fn delete_one(&mut self, rkey: &RecordKey) -> Result<(), Error<delete_record::Error>> {
        let input = delete_record::Input::new(self.repo.clone(), self.collection.clone(), rkey.clone());
        let call = Call::<delete_record::DeleteRecord>::new(self.caller, delete_record::Params::new(), input);
        let call = match &self.budget {
            Some(budget) => call.pacing(budget.clone()),
            None => call,
        };
        call.await.map(|_| ())
    }
}

/// Whether a server has refused the writes for what they are. The reference server answers 500 if it finds no record.
fn is_about_the_writes(response: &ErrorResponse) -> bool {
    response.kind() == ErrorKind::InvalidInput || response.status == StatusCode::INTERNAL_SERVER_ERROR
}

type Progress<'c> = Pin<Box<dyn Stream<Item = Result<Deleted, DeleteAllError>> + Send + 'c>>;

/// The progress of deleting all records of a type, as a stream; made by [`Records::delete_all`].
///
/// What was deleted before an error is reported before it. The stream ends after the first error, unless that is [`DeleteAllError::Unexpected`], which is about one entry only: the others are
/// deleted if the stream is polled further.
#[must_use = "nothing is deleted until this is polled"]
pub struct DeleteAll<'c>(Progress<'c>);

impl Stream for DeleteAll<'_> {
    type Item = Result<Deleted, DeleteAllError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx)
    }
}

impl fmt::Debug for DeleteAll<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeleteAll(..)")
    }
}
