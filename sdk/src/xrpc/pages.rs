//! Pagination: without a cursor at first, with all other parameters unchanged, until no cursor is returned (X8).

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher as _, RandomState},
};

use futures_core::Stream;
use futures_util::stream::unfold;
use serde::Deserialize;

use super::{Body, Call, DecodeError, Error, Paginated};
use crate::{
    server_text::{SHORT, excerpt},
    types::Data,
};

/// How many pages in a row may be empty. Servers filter pages after they have made them, so that some are.
const MAX_EMPTY_PAGES: usize = 100;
/// How many cursors are remembered. Longer cycles are noticed later.
const REMEMBERED: usize = 1024;

/// The progress of a listing.
struct Listing<'c, M: Paginated> {
    call: Call<'c, M>,
    next: Option<M::Params>,
    cursor: String,
    seen: Cursors,
}

impl<'c, M: Paginated> Listing<'c, M>
where
    M::Input: Body<Sent = ()>,
{
    fn new(call: Call<'c, M>) -> Self {
        let first = call.params.clone();
        let mut seen = Cursors::default();
        if let Some(start) = cursor_of(&first) {
            seen.is_new(&start);
        }
        Self { call, next: Some(first), cursor: String::new(), seen }
    }

    /// The next page, or `None` at the end and after an error.
    async fn page(&mut self) -> Option<Result<<M::Output as Body>::Received, Error<M::Error>>> {
        let params = self.next.take()?;
        let page = self.call.page(params).await;
        if let Ok(output) = &page
            && let Some(cursor) = M::cursor(output)
            // A cursor that is returned again would make the listing endless.
            && self.seen.is_new(cursor)
        {
            let mut params = self.call.params.clone();
            cursor.clone_into(&mut self.cursor);
            M::set_cursor(&mut params, cursor.to_owned());
            self.next = Some(params);
        }
        Some(page)
    }

    /// The entries of the next page that has some.
    async fn entries(&mut self) -> Option<Result<VecDeque<M::Item>, Error<M::Error>>> {
        for _ in 0..MAX_EMPTY_PAGES {
            match self.page().await? {
                Ok(page) => {
                    let entries = M::into_items(page);
                    if !entries.is_empty() {
                        return Some(Ok(entries.into()));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
        self.next.take()?;
        let cursor = excerpt(&self.cursor, SHORT);
        Some(Err(DecodeError::EmptyPages { nsid: M::NSID.into(), pages: MAX_EMPTY_PAGES, cursor }.into()))
    }
}

/// The cursor at which a listing starts, if its parameters have one.
fn cursor_of(params: &impl Data) -> Option<String> {
    #[derive(Deserialize)]
    struct Start {
        cursor: Option<String>,
    }
    serde_json::from_str::<Start>(&params.to_json().ok()?).ok()?.cursor
}

/// The cursors of a listing, in bounded memory: hashes of the last ones, and one older cursor that the others are
/// compared with, which moves forward at ever longer intervals (Brent's algorithm). So a cycle of any length is
/// noticed.
#[derive(Default)]
struct Cursors {
    hasher: RandomState,
    recent: HashSet<u64>,
    order: VecDeque<u64>,
    mark: u64,
    since_mark: u64,
    interval: u64,
}

impl Cursors {
    /// Remembers a cursor; returns whether it is not one of those that are remembered.
    fn is_new(&mut self, cursor: &str) -> bool {
        let hash = self.hasher.hash_one(cursor);
        if self.interval > 0 && hash == self.mark || !self.recent.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.since_mark += 1;
        if self.since_mark >= self.interval {
            self.mark = hash;
            self.since_mark = 0;
            self.interval = (self.interval * 2).max(1);
        }
        true
    }
}

/// Returns a stream of the pages of a listing. If the parameters contain a cursor, it starts there.
///
/// The stream ends when no cursor is returned, when a cursor is returned for the second time, and after an error. If
/// waiting for the next page is given up, it is not lost: the stream goes on with it.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, api::com::atproto::sync::list_repos};
/// use futures_util::StreamExt as _;
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut pages = client.com_atproto_sync().list_repos().params(list_repos::Params::new().limit(100)).pages();
/// while let Some(page) = pages.next().await {
///     println!("{} repositories", page?.repos.len());
/// }
/// # Ok(()) }
/// ```
pub fn pages<'c, M: Paginated>(
    call: Call<'c, M>,
) -> impl Stream<Item = Result<<M::Output as Body>::Received, Error<M::Error>>> + Send + Unpin + 'c
where
    M::Input: Body<Sent = ()>,
{
    Box::pin(unfold(Listing::new(call), |mut listing| async move {
        listing.page().await.map(|page| (page, listing))
    }))
}

/// Returns a stream of the entries of each page that has some, for what works with many at once. It ends like [`items`].
pub(crate) fn entries<'c, M: Paginated>(
    call: Call<'c, M>,
) -> impl Stream<Item = Result<VecDeque<M::Item>, Error<M::Error>>> + Send + Unpin + 'c
where
    M::Input: Body<Sent = ()>,
{
    Box::pin(unfold(Listing::new(call), |mut listing| async move {
        listing.entries().await.map(|entries| (entries, listing))
    }))
}

/// Returns a stream of the entries of all pages.
///
/// A page is fetched when the entries of the previous one have been consumed. A hundred empty pages in a row are an
/// error, [`DecodeError::EmptyPages`], with which the stream ends.
///
/// ```no_run
/// use atproto_sdk::PublicClient;
/// use futures_util::StreamExt as _;
///
/// # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
/// let mut repositories = client.com_atproto_sync().list_repos().items();
/// while let Some(repository) = repositories.next().await {
///     println!("{}", repository?.did);
/// }
/// # Ok(()) }
/// ```
pub fn items<'c, M: Paginated>(
    call: Call<'c, M>,
) -> impl Stream<Item = Result<M::Item, Error<M::Error>>> + Send + Unpin + 'c
where
    M::Input: Body<Sent = ()>,
{
    Box::pin(unfold((Listing::new(call), VecDeque::new()), |(mut listing, mut items)| async move {
        if items.is_empty() {
            match listing.entries().await? {
                Ok(entries) => items = entries,
                Err(error) => return Some((Err(error), (listing, items))),
            }
        }
        items.pop_front().map(|item| (Ok(item), (listing, items)))
    }))
}
