//! Pagination: without a cursor at first, with all other parameters unchanged, until no cursor is returned (X8).

use std::collections::{HashSet, VecDeque};

use futures_core::Stream;
use futures_util::stream::unfold;

use super::{Body, Call, Error, Paginated};

/// The progress of a listing.
struct Listing<'c, M: Paginated> {
    call: Call<'c, M>,
    next: Option<M::Params>,
    seen: HashSet<String>,
}

impl<'c, M: Paginated> Listing<'c, M>
where
    M::Input: Body<Sent = ()>,
{
    fn new(call: Call<'c, M>) -> Self {
        let first = call.params.clone();
        Self { call, next: Some(first), seen: HashSet::new() }
    }

    /// The next page, or `None` at the end and after an error.
    async fn page(&mut self) -> Option<Result<<M::Output as Body>::Received, Error<M::Error>>> {
        let params = self.next.take()?;
        let page = self.call.page(params).await;
        if let Ok(output) = &page
            && let Some(cursor) = M::cursor(output)
            // A cursor that is returned again would make the listing endless.
            && self.seen.insert(cursor.to_owned())
        {
            let mut params = self.call.params.clone();
            M::set_cursor(&mut params, cursor.to_owned());
            self.next = Some(params);
        }
        Some(page)
    }
}

/// Returns a stream of the pages of a listing. If the parameters contain a cursor, it starts there.
///
/// The stream ends when no cursor is returned, when a cursor is returned for the second time, and after an error.
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

/// Returns a stream of the entries of all pages.
///
/// A page is fetched when the entries of the previous one have been consumed.
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
        loop {
            if let Some(item) = items.pop_front() {
                return Some((Ok(item), (listing, items)));
            }
            match listing.page().await? {
                Ok(page) => items.extend(M::into_items(page)),
                Err(error) => return Some((Err(error), (listing, items))),
            }
        }
    }))
}
