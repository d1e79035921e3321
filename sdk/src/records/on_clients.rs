//! The records of clients.

use super::{DeleteAll, Records, Writes};
use crate::{
    api::com::atproto::repo::delete_record,
    types::{AtIdentifier, AtUri, Nsid, Record, RecordKey},
    xrpc::{Call, Caller, InvalidRequest},
};

/// The records of any repository, on every client.
macro_rules! records_of {
    ($($client:ty)*) => { $(
        impl $client {
            /// Returns the records of a type in any repository.
            ///
            /// ```no_run
            /// use atproto_sdk::{PublicClient, api::app::bsky::actor::profile::Profile, handle, record_key};
            ///
            /// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
            /// let profiles = client.records_of::<Profile>(handle!("alice.example.com"));
            /// println!("{:?}", profiles.get(&record_key!("self")).await?.value.display_name);
            /// # Ok(()) }
            /// ```
            pub fn records_of<R: Record>(&self, repo: impl Into<AtIdentifier>) -> Records<'_, R> {
                Records::new(Caller::new(self), repo)
            }
        }
    )* };
}

records_of! {
    crate::AdminClient crate::Client crate::oauth::OAuthClient crate::PasswordClient crate::PublicClient
}

/// The records of the client's own account.
macro_rules! own_records {
    ($($client:ty)*) => { $(
        impl $client {
            /// Returns the records of a type in the repository of the signed-in account.
            ///
            /// ```no_run
            /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
            ///
            /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
            /// let created = client.records::<Post>().create(&Post::new("Hello", Datetime::now())).await?;
            /// println!("{}", created.uri);
            /// # Ok(()) }
            /// ```
            pub fn records<R: Record>(&self) -> Records<'_, R> {
                Records::own(Caller::new(self))
            }

            /// Deletes the record at a URI in the repository of the signed-in account. It is not an error if there is no record.
            ///
            /// ```no_run
            /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
            ///
            /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
            /// let created = client.records::<Post>().create(&Post::new("Hello", Datetime::now())).await?;
            /// client.delete_at(&created.uri).await?;
            /// # Ok(()) }
            /// ```
            ///
            /// # Errors
            ///
            /// [`InvalidRequest::NotARecord`] if the URI is not that of a record, and [`InvalidRequest::OtherRepository`] if it is
            /// in the repository of another account, before anything is sent.
            pub fn delete_at(&self, uri: &AtUri) -> Call<'_, delete_record::DeleteRecord> {
                delete_at(Caller::new(self), uri)
            }

            /// Deletes all records of a type in the repository of the signed-in account, see [`Records::delete_all`].
            ///
            /// ```no_run
            /// use atproto_sdk::{Client, api::app::bsky::feed::repost::Repost};
            /// use futures_util::StreamExt as _;
            ///
            /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
            /// let mut deleting = client.delete_all::<Repost>();
            /// while let Some(progress) = deleting.next().await {
            ///     println!("{} reposts are deleted", progress?.total);
            /// }
            /// # Ok(()) }
            /// ```
            pub fn delete_all<R: Record>(&self) -> DeleteAll<'_> {
                self.records::<R>().delete_all()
            }

            /// Collects writes to the repository of the signed-in account, to make them together, see [`Writes`].
            ///
            /// ```no_run
            /// use atproto_sdk::{Client, api::app::bsky::feed::post::Post, types::Datetime};
            ///
            /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
            /// let mut writes = client.writes();
            /// for text in ["One", "Two", "Three"] {
            ///     writes.create(&Post::new(text, Datetime::now()));
            /// }
            /// println!("{} posts were created", writes.send().await?.len());
            /// # Ok(()) }
            /// ```
            pub fn writes(&self) -> Writes<'_> {
                Writes::own(Caller::new(self))
            }
        }
    )* };
}

own_records! { crate::Client crate::oauth::OAuthClient crate::PasswordClient }

pub(crate) fn delete_at<'c>(caller: Caller<'c>, uri: &AtUri) -> Call<'c, delete_record::DeleteRecord> {
    let (own, problem) = super::own_repo(caller);
    let elsewhere = || match (uri.did(), own.did()) {
        (Some(did), Some(own)) if did != own => {
            Some(InvalidRequest::OtherRepository { uri: uri.clone(), repo: own.into() })
        }
        _ => None,
    };
    let parts = uri.repo().zip(uri.collection()).zip(uri.record_key());
    match parts {
        Some(((repo, collection), rkey)) => {
            let input = delete_record::Input::new(repo, collection, rkey);
            let call = Call::new(caller, delete_record::Params::new(), input);
            call.with_problem(problem.or_else(elsewhere))
        }
        None => {
            // A placeholder, because the call is not sent.
            let (collection, rkey) =
                (Nsid::__literal("invalid.invalid.invalid"), RecordKey::__literal("invalid"));
            let input = delete_record::Input::new(own, collection, rkey);
            let call = Call::new(caller, delete_record::Params::new(), input);
            call.with_problem(problem.or_else(|| Some(InvalidRequest::NotARecord { uri: uri.clone() })))
        }
    }
}
