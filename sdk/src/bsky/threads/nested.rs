//! Threads as `app.bsky.feed.getPostThread` returns them: posts with their parents and replies inside.

use super::{Thread, ThreadContent, ThreadItem, ThreadView};
use crate::{
    api::app::bsky::feed::{
        defs::{PostView, ThreadViewPost, ThreadViewPostParent, ThreadViewPostRepliesItem},
        get_post_thread::{self, OutputThread},
    },
    bsky::moderation::hidden_replies,
    types::{AtUri, Did},
};

/// What has been shown so far, and how the rest is judged.
struct Walk<'v> {
    view: &'v ThreadView,
    hidden_by_author: Vec<AtUri>,
    replies: Vec<ThreadItem>,
    hidden: Vec<ThreadItem>,
}

impl ThreadView {
    /// Arranges a thread that `app.bsky.feed.getPostThread` has returned for a post.
    ///
    /// ```
    /// use atproto_sdk::{
    ///     api::app::bsky::feed::get_post_thread,
    ///     bsky::threads::{Thread, ThreadView},
    ///     types::AtUri,
    /// };
    ///
    /// fn show(post: &AtUri, output: get_post_thread::Output) -> Thread {
    ///     ThreadView::new().arrange(post, output)
    /// }
    /// ```
    pub fn arrange(&self, post: &AtUri, output: get_post_thread::Output) -> Thread {
        let missing = |uri, content| Thread {
            parents: Vec::new(),
            anchor: ThreadItem::new(uri, 0, content),
            replies: Vec::new(),
            hidden: Vec::new(),
            has_more_hidden: false,
        };
        let top = match output.thread {
            OutputThread::ThreadViewPost(top) => *top,
            OutputThread::NotFoundPost(gone) => return missing(gone.uri, ThreadContent::NotFound),
            OutputThread::BlockedPost(blocked) => {
                return missing(blocked.uri, ThreadContent::Blocked(Box::new(blocked.author)));
            }
            OutputThread::Other(_) => return missing(post.clone(), ThreadContent::NotFound),
        };
        let mut walk = Walk {
            view: self,
            hidden_by_author: hidden_replies(output.threadgate.as_deref()),
            replies: Vec::new(),
            hidden: Vec::new(),
        };
        let ThreadViewPost { post, parent, replies, .. } = top;
        let parents = walk.parents(parent);
        let author = post.author.did.clone();
        let replies = replies.unwrap_or_default();
        let anchor = walk.item(post, 0, replies.len()).0;
        walk.replies(replies, &author, 1, false);
        Thread { parents, anchor, replies: walk.replies, hidden: walk.hidden, has_more_hidden: false }
    }
}

impl Walk<'_> {
    /// The posts above the anchor, the first one of the thread first.
    fn parents(&self, parent: Option<ThreadViewPostParent>) -> Vec<ThreadItem> {
        let (mut parents, mut next) = (Vec::new(), parent);
        while let Some(parent) = next.take() {
            let depth = -1 - i64::try_from(parents.len()).unwrap_or(i64::MAX - 1);
            match parent {
                ThreadViewPostParent::ThreadViewPost(parent) => {
                    let ThreadViewPost { post, parent, .. } = *parent;
                    // Of the replies to a parent, there is the one that leads to the anchor.
                    parents.push(self.item(post, depth, 1).0);
                    next = parent;
                }
                ThreadViewPostParent::NotFoundPost(gone) => {
                    parents.push(ThreadItem::new(gone.uri, depth, ThreadContent::NotFound));
                }
                ThreadViewPostParent::BlockedPost(blocked) => {
                    let content = ThreadContent::Blocked(Box::new(blocked.author));
                    parents.push(ThreadItem::new(blocked.uri, depth, content));
                }
                ThreadViewPostParent::Other(_) => {}
            }
        }
        parents.reverse();
        parents
    }

    /// Adds the replies to a post of this author, each with the replies to it. How deep they are nested is limited when
    /// they are decoded.
    fn replies(&mut self, replies: Vec<ThreadViewPostRepliesItem>, to: &Did, depth: i64, is_hidden: bool) {
        // Of those that were deleted or are blocked, there is nothing to see.
        let posts = replies.into_iter().filter_map(|reply| match reply {
            ThreadViewPostRepliesItem::ThreadViewPost(reply) => Some(*reply),
            _ => None,
        });
        let mut posts: Vec<ThreadViewPost> = posts.collect();
        let now = self.view.now();
        let viewer = self.view.moderation.as_ref().and_then(|moderation| moderation.viewer.as_ref());
        posts.sort_by(|one, other| self.view.sort.compare(&one.post, &other.post, to, viewer, now));
        for ThreadViewPost { post, replies, .. } in posts {
            let author = post.author.did.clone();
            let replies = replies.unwrap_or_default();
            let (item, is_hidden_itself) = self.item(post, depth, replies.len());
            // Replies to what is hidden are hidden with it.
            let is_hidden = is_hidden || is_hidden_itself;
            if is_hidden {
                self.hidden.push(item)
            } else {
                self.replies.push(item)
            }
            self.replies(replies, &author, depth.saturating_add(1), is_hidden);
        }
    }

    /// An item, and whether it belongs to the hidden ones.
    fn item(&self, post: PostView, depth: i64, returned: usize) -> (ThreadItem, bool) {
        let all = usize::try_from(post.reply_count.unwrap_or(0)).unwrap_or(0);
        let mut item = ThreadItem::new(post.uri.clone(), depth, ThreadContent::Post(Box::new(post)));
        item.more_replies = u64::try_from(all.saturating_sub(returned)).unwrap_or(u64::MAX);
        item.is_hidden_by_author = self.hidden_by_author.contains(&item.uri);
        let is_hidden = self.view.judge(&mut item);
        (item, is_hidden)
    }
}
