//! Pagination (X8): no cursor first, every other parameter fixed, until no cursor comes back.

use std::collections::{HashSet, VecDeque};

use futures_core::Stream;
use futures_util::stream::unfold;

use super::{Body, Call, Error, Paginated};

/// Where a listing stands.
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

    /// The next page; nothing at the end and after an error.
    async fn page(&mut self) -> Option<Result<<M::Output as Body>::Received, Error<M::Error>>> {
        let params = self.next.take()?;
        let page = self.call.page(params).await;
        if let Ok(output) = &page
            && let Some(cursor) = M::cursor(output)
            // A cursor that comes again would lead around in a circle.
            && self.seen.insert(cursor.to_owned())
        {
            let mut params = self.call.params.clone();
            M::set_cursor(&mut params, cursor.to_owned());
            self.next = Some(params);
        }
        Some(page)
    }
}

/// The pages of a listing, one after another; a cursor in the parameters is where it starts.
///
/// Ends when no cursor comes back, when a cursor comes back a second time, and after an error.
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

/// The entries of all pages, one after another.
///
/// A page is fetched when the entries of the one before are used up.
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
