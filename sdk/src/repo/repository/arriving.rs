//! Reading a repository while it arrives, without keeping it.

use std::{collections::HashMap, error::Error, fmt};

use bytes::Bytes;
use futures_core::Stream;

use super::{
    super::{
        CarReader, ReadOptions, RepoError, StoredBlocks, VerifyingKey,
        commit::Commit,
        storage::Spool,
        tree::NODE,
        walk::{Step, Walk},
    },
    RecordError, RepoRecord, check_signature,
    entries::Collections,
    records,
    window::Window,
};
use crate::types::{AtUri, Cid, Did, FromData, Record, Tid, Unknown};

/// A repository that is read while it arrives, record by record, in the order of their keys.
///
/// If the blocks of the file are in the order of the tree, as the [specification] recommends for exports, nothing is kept: neither
/// on disk nor in memory. The order is found out on the way. Blocks that come too early are kept in memory, up to
/// [`ReadOptions::memory`]; if that does not suffice, the rest goes to a temporary file, and the records still come in the order
/// of their keys. [`Repository`](super::Repository) keeps everything, for more than one pass.
///
/// A file in the order of the tree may leave out the second copy of a record that is in the repository under several keys. Then
/// the second one is found if there are not too many records in between, and is otherwise [`RecordError::Missing`];
/// [`Repository`](super::Repository) finds it always.
///
/// [specification]: https://atproto.com/specs/repository
///
/// ```
/// # #[cfg(feature = "app-bsky")]
/// # mod example {
/// use atproto_sdk::{
///     api::app::bsky::feed::post::Post,
///     repo::{ArrivingRepository, VerifyingKey},
///     types::Did,
/// };
/// use bytes::Bytes;
/// use futures_core::Stream;
///
/// async fn print_posts(
///     car: impl Stream<Item = std::io::Result<Bytes>>,
///     did: &Did,
///     key: &VerifyingKey,
/// ) -> Result<(), Box<dyn std::error::Error>> {
///     let mut repository = ArrivingRepository::open(car).await?;
///     repository.verify(did, key)?;
///     while let Some(post) = repository.next_of::<Post>().await {
///         println!("{}", post?.value.text);
///     }
///     Ok(())
/// }
/// # }
/// ```
pub struct ArrivingRepository<S> {
    blocks: Arriving<S>,
    root: Cid,
    commit: Commit,
    /// `at://`, the DID and a slash.
    prefix: String,
    /// The position in the tree, and what is read ahead from a file.
    window: Window,
    /// What is next and has not been done yet: its block may have to be waited for, by several calls if some are dropped.
    pending: Option<Step>,
    collections: Collections,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Walking,
    /// Everything has been read, but the stream may go on with what nothing refers to.
    Draining,
    Ended,
}

impl<S, B, E> ArrivingRepository<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    E: Error + Send + Sync + 'static,
{
    /// Reads the commit, with the default [`ReadOptions`].
    ///
    /// # Errors
    ///
    /// Returns an error if the stream fails or is not a CAR file of version 1, or if the commit is missing or not valid.
    pub async fn open(car: S) -> Result<Self, RepoError> {
        Self::open_with(car, &ReadOptions::default()).await
    }

    /// Reads the commit.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_with(car: S, options: &ReadOptions) -> Result<Self, RepoError> {
        let mut blocks = Arriving {
            reader: CarReader::open_with(car, options).await?,
            options: options.clone(),
            early: Early::default(),
            recent: Recent::default(),
            spool: None,
            rest: None,
        };
        let root = blocks.reader.roots().first().cloned();
        let root = root.ok_or(RepoError::Car { offset: 0, problem: "it names no root" })?;
        let block = blocks.fetch(&root).await?;
        let missing = || RepoError::MissingBlock { what: "the commit", cid: root.clone() };
        let commit = Commit::decode(&block.ok_or_else(missing)?)?;
        Ok(Self {
            window: Window::new(Walk::new(commit.data().clone())),
            pending: None,
            prefix: format!("at://{}/", commit.did()),
            collections: Collections::default(),
            blocks,
            root,
            commit,
            state: State::Walking,
        })
    }

    /// Returns the account.
    pub fn did(&self) -> &Did {
        self.commit.did()
    }

    /// Returns the revision. Later revisions of a repository have greater ones.
    pub fn rev(&self) -> &Tid {
        self.commit.rev()
    }

    /// Returns the commit.
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns the CID of the commit.
    pub fn root(&self) -> &Cid {
        &self.root
    }

    /// Returns how many bytes of the file have been read.
    pub fn position(&self) -> u64 {
        self.blocks.reader.position()
    }

    /// Returns whether everything so far has come in the order of the tree, or nearly so that nothing had to be written to a
    /// file.
    pub fn is_in_order(&self) -> bool {
        self.blocks.spool.is_none() && self.blocks.rest.is_none()
    }

    /// Checks whose repository it is and that the commit is signed with the account's key, as
    /// [`Repository::verify`](super::Repository::verify) does.
    ///
    /// # Errors
    ///
    /// As for [`Repository::verify`](super::Repository::verify).
    pub fn verify(&self, did: &Did, key: &VerifyingKey) -> Result<(), RepoError> {
        check_signature(&self.commit, did, key)
    }

    /// Returns the next record of any collection, or `None` at the end of the file.
    ///
    /// The future can be dropped while it waits, as `select!` and time limits do: the next call goes on where it was.
    ///
    /// # Errors
    ///
    /// As for [`Repository::records`](super::Repository::records), or if the stream fails.
    pub async fn next(&mut self) -> Option<Result<RepoRecord<Unknown>, RecordError>> {
        self.next_where(None).await
    }

    /// Returns the next record of a type, or `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub async fn next_of<R: Record>(&mut self) -> Option<Result<RepoRecord<R>, RecordError>> {
        self.next_where(Some(R::COLLECTION)).await
    }

    async fn next_where<T: FromData>(
        &mut self,
        collection: Option<&str>,
    ) -> Option<Result<RepoRecord<T>, RecordError>> {
        while self.state == State::Walking {
            if self.pending.is_none() && self.blocks.rest.is_some() {
                match self.next_stored(collection) {
                    Some(record) => return Some(record),
                    None => {
                        self.state = State::Draining;
                        break;
                    }
                }
            }
            let fetched = match self.pending.get_or_insert_with(|| self.window.walk().step()) {
                Step::End | Step::Missing(_) | Step::Failed(_) => Ok(None),
                Step::Node(cid) => self.blocks.fetch(cid).await,
                Step::Record { cid, .. } => self.blocks.fetch_record(cid).await,
            };
            let block = match fetched {
                Ok(block) => block,
                Err(error) => return self.fail(error),
            };
            // There is nothing to wait for any more.
            match self.pending.take().unwrap_or(Step::End) {
                Step::End => self.state = State::Draining,
                Step::Failed(error) => return self.fail(error.into()),
                Step::Missing(cid) => return Some(Err(RepoError::MissingBlock { what: NODE, cid }.into())),
                Step::Node(cid) => match block.map(|block| self.window.walk().enter(&block)) {
                    Some(Ok(())) => {}
                    Some(Err(error)) => return self.fail(error),
                    None => return Some(Err(RepoError::MissingBlock { what: NODE, cid }.into())),
                },
                Step::Record { key, cid } => {
                    let rkey = match self.collections.parse(&key) {
                        Ok((found, _)) if collection.is_some_and(|wanted| *found != wanted) => continue,
                        Ok((_, rkey)) => rkey,
                        Err(error) => return Some(Err(error.into())),
                    };
                    let uri = AtUri::of_checked(&self.prefix, &key);
                    return Some(records::read(uri, rkey, cid, block.as_deref()));
                }
            }
        }
        // A file that is cut off is not whole, even if only what nothing refers to is missing.
        while self.state == State::Draining {
            match self.blocks.drain().await {
                Ok(()) => self.state = State::Ended,
                Err(error) => return self.fail(error),
            }
        }
        None
    }

    /// Returns the next record from the file that the blocks are in because they came in another order.
    fn next_stored<T: FromData>(
        &mut self,
        collection: Option<&str>,
    ) -> Option<Result<RepoRecord<T>, RecordError>> {
        let Arriving { rest: Some(rest), recent, .. } = &self.blocks else { return None };
        loop {
            let found = match self.window.next(rest)? {
                Ok(found) => found,
                Err(error) => return Some(Err(error.into())),
            };
            let rkey = match self.collections.parse(&found.key) {
                Ok((parsed, _)) if collection.is_some_and(|wanted| *parsed != wanted) => continue,
                Ok((_, rkey)) => rkey,
                Err(error) => return Some(Err(error.into())),
            };
            let uri = AtUri::of_checked(&self.prefix, &found.key);
            let block = match found.block {
                Ok(block) => block,
                Err(error) => return Some(Err(error.into())),
            };
            // It has been read before there was a file.
            let recent = if block.is_none() { recent.get(&found.cid) } else { None };
            return Some(records::read(uri, rkey, found.cid, block.as_deref().or(recent.as_deref())));
        }
    }

    fn fail<T>(&mut self, error: RepoError) -> Option<Result<T, RecordError>> {
        self.state = State::Ended;
        Some(Err(error.into()))
    }
}

impl<S> fmt::Debug for ArrivingRepository<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArrivingRepository").field("commit", &self.commit).finish_non_exhaustive()
    }
}

/// The blocks of a file that arrives. Everything is kept here and not in the futures, which may be dropped.
struct Arriving<S> {
    reader: CarReader<S>,
    options: ReadOptions,
    early: Early,
    recent: Recent,
    /// What is being written to a file, until all of it has arrived.
    spool: Option<Spool>,
    /// What has been written to a file because it came in another order.
    rest: Option<StoredBlocks>,
}

impl<S, B, E> Arriving<S>
where
    S: Stream<Item = Result<B, E>>,
    B: AsRef<[u8]>,
    E: Error + Send + Sync + 'static,
{
    /// Returns the block of a record, which may be needed again soon.
    async fn fetch_record(&mut self, cid: &Cid) -> Result<Option<Bytes>, RepoError> {
        if let Some(block) = self.recent.get(cid) {
            return Ok(Some(block));
        }
        let block = self.fetch(cid).await?;
        if let Some(block) = &block {
            self.recent.put(cid, block);
        }
        Ok(block)
    }

    /// Returns a block; in a file that is in order, the next one.
    async fn fetch(&mut self, cid: &Cid) -> Result<Option<Bytes>, RepoError> {
        if let Some(rest) = &self.rest {
            return rest.get(cid);
        }
        if let Some(block) = self.early.take(cid) {
            return Ok(Some(block));
        }
        while self.spool.is_none() {
            let Some(block) = self.reader.next().await? else { return Ok(None) };
            if block.cid == *cid {
                return Ok(Some(block.data));
            }
            self.early.put(block.cid, &block.data);
            if self.early.size > self.options.memory {
                self.keep_early()?;
            }
        }
        self.keep_rest().await?;
        self.rest.as_ref().map_or(Ok(None), |rest| rest.get(cid))
    }

    /// Keeps all that has come too early in a file.
    fn keep_early(&mut self) -> Result<(), RepoError> {
        let spool = self.spool.insert(Spool::new(&self.options));
        for (cid, data) in std::mem::take(&mut self.early).blocks {
            spool.push(&cid, &data)?;
        }
        Ok(())
    }

    /// Keeps all that follows in the file.
    async fn keep_rest(&mut self) -> Result<(), RepoError> {
        while let Some(spool) = &mut self.spool {
            match self.reader.next_with(|cid, data| spool.push(cid, data)).await? {
                Some(pushed) => pushed?,
                None => break,
            }
        }
        if let Some(spool) = self.spool.take() {
            self.rest = Some(spool.finish(self.reader.decoder())?);
        }
        Ok(())
    }

    /// Reads to the end of the file.
    async fn drain(&mut self) -> Result<(), RepoError> {
        while self.rest.is_none() && self.reader.next().await?.is_some() {}
        Ok(())
    }
}

/// Blocks that have come before they were needed.
#[derive(Default)]
struct Early {
    blocks: HashMap<Cid, Bytes>,
    size: usize,
}

impl Early {
    /// What a block takes besides its data.
    const ENTRY: usize = 128;

    fn put(&mut self, cid: Cid, data: &[u8]) {
        self.size += data.len() + Self::ENTRY;
        // A copy, because the block is a part of a larger piece.
        if let Some(before) = self.blocks.insert(cid, Bytes::copy_from_slice(data)) {
            self.size -= before.len() + Self::ENTRY;
        }
    }

    fn take(&mut self, cid: &Cid) -> Option<Bytes> {
        if self.blocks.is_empty() {
            return None;
        }
        let block = self.blocks.remove(cid)?;
        self.size -= block.len() + Self::ENTRY;
        Some(block)
    }
}

/// Small records that have been read, because the same record can be in a repository under several keys. Each replaces the one
/// before it in its place.
struct Recent(Vec<Option<(Cid, Bytes)>>);

impl Default for Recent {
    fn default() -> Self {
        Self(vec![None; Self::PLACES])
    }
}

impl Recent {
    const PLACES: usize = 2048;
    const LARGEST: usize = 4096;

    fn place(cid: &Cid) -> usize {
        // The hash is as good as random.
        let hash =
            cid.as_bytes().and_then(|bytes| bytes.last_chunk()).map_or(0, |hash| u16::from_be_bytes(*hash));
        usize::from(hash) % Self::PLACES
    }

    fn get(&self, cid: &Cid) -> Option<Bytes> {
        let (known, block) = self.0[Self::place(cid)].as_ref()?;
        (known == cid).then(|| block.clone())
    }

    fn put(&mut self, cid: &Cid, block: &[u8]) {
        if block.len() <= Self::LARGEST {
            self.0[Self::place(cid)] = Some((cid.clone(), Bytes::copy_from_slice(block)));
        }
    }
}
