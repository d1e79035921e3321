//! One of many writes.

use crate::{
    api::com::atproto::repo::{apply_writes, strong_ref::StrongRef},
    types::{AtIdentifier, AtUri, Cid, Nsid, RecordKey, Unknown},
};

/// What a write does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WriteKind {
    /// Creates a record.
    Create,
    /// Replaces a record.
    Update,
    /// Deletes a record.
    Delete,
}

/// A write that has been collected in [`Writes`](super::Writes), and not been made.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    kind: WriteKind,
    collection: Nsid,
    rkey: RecordKey,
    /// Null for a delete.
    value: Unknown,
}

/// A write that has been made.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Written {
    /// What it did.
    pub kind: WriteKind,
    /// The address of the record.
    pub uri: AtUri,
    /// The version that was written. `None` for a delete, and if the server has not returned it.
    pub cid: Option<Cid>,
}

impl Written {
    /// Returns a reference to the version that was written, if there is one.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     Client,
    ///     api::app::bsky::feed::{like::Like, post::Post},
    ///     types::Datetime,
    /// };
    ///
    /// # async fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut writes = client.writes();
    /// writes.create(&Post::new("Hello", Datetime::now()));
    /// for post in writes.send().await?.iter().filter_map(|written| written.strong_ref()) {
    ///     client.records::<Like>().create(&Like::new(post, Datetime::now())).await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn strong_ref(&self) -> Option<StrongRef> {
        Some(StrongRef::new(self.uri.clone(), self.cid.clone()?))
    }
}

impl Write {
    pub(super) fn new(kind: WriteKind, collection: Nsid, rkey: RecordKey, value: Unknown) -> Self {
        Self { kind, collection, rkey, value }
    }

    /// Returns what the write does.
    ///
    /// ```
    /// use atproto_sdk::records::{WriteKind, WritesError};
    ///
    /// fn report(error: &WritesError) {
    ///     let deletes = error.not_done.iter().filter(|write| write.kind() == WriteKind::Delete).count();
    ///     println!("{deletes} of {} are deletes", error.not_done.len());
    /// }
    /// ```
    pub fn kind(&self) -> WriteKind {
        self.kind
    }

    /// Returns the collection of the record.
    ///
    /// ```
    /// use atproto_sdk::{nsid, records::{Write, WritesError}};
    ///
    /// /// The posts that were not written.
    /// fn posts(error: &WritesError) -> Vec<&Write> {
    ///     error.not_done.iter().filter(|write| *write.collection() == nsid!("app.bsky.feed.post")).collect()
    /// }
    /// ```
    pub fn collection(&self) -> &Nsid {
        &self.collection
    }

    /// Returns the key of the record.
    ///
    /// ```
    /// use atproto_sdk::{records::WritesError, types::RecordKey};
    ///
    /// /// Where to look for the records of a call without an answer.
    /// fn keys(error: &WritesError) -> Vec<&RecordKey> {
    ///     error.unknown.iter().map(|write| write.rkey()).collect()
    /// }
    /// ```
    pub fn rkey(&self) -> &RecordKey {
        &self.rkey
    }

    /// Returns the record to be written. `None` for a delete.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::feed::post::Post, records::Write};
    ///
    /// fn text(write: &Write) -> Option<String> {
    ///     let post: Post = write.value()?.decode().ok()?;
    ///     Some(post.text)
    /// }
    /// ```
    pub fn value(&self) -> Option<&Unknown> {
        (self.kind != WriteKind::Delete).then_some(&self.value)
    }

    /// How many bytes it takes in the input of a call, at most.
    pub(super) fn size(&self) -> usize {
        const AROUND: usize =
            r#"{"$type":"com.atproto.repo.applyWrites#create","collection":"","rkey":"","value":},"#.len();
        AROUND + self.collection.as_str().len() + self.rkey.as_str().len() + self.value.as_json().len()
    }

    /// The write in the input of a call.
    pub(super) fn item(&self) -> apply_writes::InputWritesItem {
        let (collection, rkey, value) = (self.collection.clone(), self.rkey.clone(), self.value.clone());
        match self.kind {
            WriteKind::Create => {
                let create = apply_writes::Create::new(collection, value).rkey(rkey);
                apply_writes::InputWritesItem::Create(Box::new(create))
            }
            WriteKind::Update => {
                let update = apply_writes::Update::new(collection, rkey, value);
                apply_writes::InputWritesItem::Update(Box::new(update))
            }
            WriteKind::Delete => {
                apply_writes::InputWritesItem::Delete(Box::new(apply_writes::Delete::new(collection, rkey)))
            }
        }
    }

    /// The write, once it has been made with this result. What it was is known; the result adds the version, if it is about
    /// the same record, and the DID of a repository that was named by its handle.
    pub(super) fn made(
        self,
        repo: &AtIdentifier,
        result: Option<apply_writes::OutputResultsItem>,
    ) -> Written {
        use apply_writes::OutputResultsItem as Item;
        let result = match (self.kind, result) {
            (WriteKind::Create | WriteKind::Update, Some(Item::CreateResult(created))) => {
                Some((created.uri, created.cid))
            }
            (WriteKind::Create | WriteKind::Update, Some(Item::UpdateResult(updated))) => {
                Some((updated.uri, updated.cid))
            }
            _ => None,
        };
        let result = result.and_then(|(uri, cid)| {
            let is_same =
                uri.collection().as_ref() == Some(&self.collection) && uri.rkey() == Some(self.rkey.as_str());
            let owner = uri.repo().filter(|owner| is_same && (owner == repo || repo.did().is_none()))?;
            Some((owner, cid))
        });
        let (owner, cid) = result.unzip();
        let uri = AtUri::in_repo(owner.as_ref().unwrap_or(repo), &self.collection, &self.rkey);
        Written { kind: self.kind, uri, cid }
    }
}
