//! Threads as `app.bsky.unspecced.getPostThreadV2` returns them: one item after the other, with its depth.

use super::{Thread, ThreadContent, ThreadItem, ThreadView};
use crate::{
    api::app::bsky::unspecced::{
        defs::ThreadItemPost,
        get_post_thread_other_v2::{self, ThreadItemValue as OtherValue},
        get_post_thread_v2::{self, ThreadItemValue},
    },
    bsky::moderation::hidden_replies,
    types::AtUri,
};

impl ThreadView {
    /// Arranges a thread that `app.bsky.unspecced.getPostThreadV2` has returned for a post.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::unspecced::get_post_thread_v2,
    ///     bsky::threads::{Thread, ThreadView},
    ///     types::AtUri,
    /// };
    ///
    /// fn show(post: &AtUri, output: get_post_thread_v2::Output) -> Thread {
    ///     ThreadView::new().arrange_v2(post, output)
    /// }
    /// ```
    pub fn arrange_v2(&self, post: &AtUri, output: get_post_thread_v2::Output) -> Thread {
        let hidden_by_author = hidden_replies(output.threadgate.as_deref());
        let (mut parents, mut anchor, mut below) = (Vec::new(), None, Vec::new());
        for row in output.thread {
            let get_post_thread_v2::ThreadItem { uri, depth, value, .. } = row;
            let (item, is_hidden) = match value {
                ThreadItemValue::ThreadItemPost(post) => self.row(uri, depth, *post, &hidden_by_author),
                ThreadItemValue::ThreadItemNotFound(_) => {
                    (ThreadItem::new(uri, depth, ThreadContent::NotFound), false)
                }
                ThreadItemValue::ThreadItemBlocked(blocked) => {
                    let content = ThreadContent::Blocked(Box::new(blocked.author));
                    (ThreadItem::new(uri, depth, content), false)
                }
                ThreadItemValue::ThreadItemNoUnauthenticated(_) => {
                    (ThreadItem::new(uri, depth, ThreadContent::SignedInOnly), false)
                }
                ThreadItemValue::Other(_) => continue,
            };
            match depth {
                ..0 => parents.push(item),
                0 => anchor = Some(item),
                _ => below.push((item, is_hidden)),
            }
        }
        parents.sort_by_key(|item| item.depth);
        let first = parents.len().saturating_sub(usize::from(self.parents));
        parents.drain(..first);
        let (replies, hidden) = divided(below);
        Thread {
            parents,
            anchor: anchor.unwrap_or_else(|| ThreadItem::new(post.clone(), 0, ThreadContent::NotFound)),
            replies,
            hidden,
            has_more_hidden: output.has_other_replies,
        }
    }

    /// The items that `app.bsky.unspecced.getPostThreadOtherV2` has returned.
    pub(super) fn arrange_more(&self, output: get_post_thread_other_v2::Output) -> Vec<ThreadItem> {
        let rows = output.thread.into_iter().filter_map(|row| match row.value {
            OtherValue::ThreadItemPost(post) => Some(self.row(row.uri, row.depth, *post, &[]).0),
            OtherValue::Other(_) => None,
        });
        rows.collect()
    }

    /// An item, and whether it belongs to the hidden ones.
    fn row(
        &self,
        uri: AtUri,
        depth: i64,
        row: ThreadItemPost,
        hidden_by_author: &[AtUri],
    ) -> (ThreadItem, bool) {
        let ThreadItemPost { post, more_replies, hidden_by_threadgate, muted_by_viewer, .. } = row;
        let is_hidden_by_author = hidden_by_threadgate || hidden_by_author.contains(&uri);
        let mut item = ThreadItem::new(uri, depth, ThreadContent::Post(Box::new(post)));
        item.more_replies = u64::try_from(more_replies).unwrap_or(0);
        item.is_hidden_by_author = is_hidden_by_author;
        let is_hidden = self.judge(&mut item);
        (item, is_hidden || muted_by_viewer)
    }
}

/// Divides rows in their order into those that are shown and those that are hidden. Replies to what is hidden are
/// hidden with it.
fn divided(rows: Vec<(ThreadItem, bool)>) -> (Vec<ThreadItem>, Vec<ThreadItem>) {
    let (mut shown, mut hidden) = (Vec::new(), Vec::new());
    let mut hidden_from: Option<i64> = None;
    for (item, is_hidden) in rows {
        // Deeper than the last hidden one: it is somewhere below it.
        hidden_from = match hidden_from.filter(|above| item.depth > *above) {
            Some(above) => Some(above),
            None => is_hidden.then_some(item.depth),
        };
        match hidden_from {
            Some(_) => hidden.push(item),
            None => shown.push(item),
        }
    }
    (shown, hidden)
}
