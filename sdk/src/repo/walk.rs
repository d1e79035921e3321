//! The way through the tree in the order of its keys, which is also the order in which a streamable export has its blocks.
//!
//! It does no I/O: it says which nodes are next, and is given their blocks, one by one or many together. So they can come from
//! a file in whatever order is good for that, or arrive.

use super::{
    RepoError,
    error::Kept,
    tree::{Key, Node, NodeEntry},
};
use crate::types::Cid;

/// How much memory the nodes on the way may take. Real ones take a few kilobytes; made-up ones have thousands of long keys
/// that share nearly everything.
pub(super) const MAX_MEMORY: usize = 64 << 20;

/// How much memory nodes may take that are given together, without the first one; and up to how much memory of what is known
/// already they may be asked for together. Both together are far below [`MAX_MEMORY`].
pub(super) const LARGEST_BATCH: usize = 8 << 20;

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A node. [`Walk::enter`] must be called with its block; otherwise its subtree is left out.
    Node(Cid),
    /// A node that was given to [`Walk::expand`] as missing. Its subtree is left out.
    Missing(Cid),
    /// A record.
    Record { key: Key, cid: Cid },
    /// What is wrong with a node that was given to [`Walk::expand`]. Nothing follows.
    Failed(Kept),
    /// There is nothing any more.
    End,
}

/// What has become of a node that was asked for with [`Walk::nodes_ahead`].
#[derive(Debug)]
pub(super) enum Answer {
    Node(Node),
    Missing,
    Failed(RepoError),
    /// It is to be asked for again.
    Later,
}

/// What comes after all keys that begin with a text whose last character is a slash.
fn end_of(folder: &str) -> Box<str> {
    // The character after the slash.
    format!("{}0", folder.trim_end_matches('/')).into()
}

/// The position in a tree.
#[derive(Debug)]
pub(super) struct Walk {
    /// What is ahead, the nearest last. What is not known yet of the tree is a node, and each node is between two records or
    /// at an end, which are the bounds of its keys.
    ahead: Vec<Item>,
    /// The layer of the node that the last step named; that of a root is not known before it is read.
    layer: Option<usize>,
    /// The record that was passed last.
    behind: Option<Key>,
    memory: usize,
    max_memory: usize,
    /// The keys that are wanted: from this one on, and those before that one.
    from: Box<str>,
    to: Option<Box<str>>,
}

#[derive(Debug)]
enum Item {
    Node { cid: Cid, layer: Option<usize> },
    Record { key: Key, cid: Cid },
    Missing(Cid),
    Failed(Kept),
}

impl Item {
    fn key(&self) -> Option<&Key> {
        match self {
            Self::Record { key, .. } => Some(key),
            _ => None,
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>() + self.key().map_or(0, |key| key.as_bytes().len())
    }
}

impl Walk {
    /// The way through a whole tree.
    pub(super) fn new(root: Cid) -> Self {
        let mut walk = Self {
            ahead: Vec::new(),
            layer: None,
            behind: None,
            memory: 0,
            max_memory: MAX_MEMORY,
            from: "".into(),
            to: None,
        };
        walk.put(Item::Node { cid: root, layer: None });
        walk
    }

    /// Sets how much memory the nodes on the way may take.
    #[cfg(test)]
    pub(super) fn within(mut self, memory: usize) -> Self {
        self.max_memory = memory;
        self
    }

    /// The way through the keys that begin with a text whose last character is a slash.
    pub(super) fn below(root: Cid, folder: &str) -> Self {
        Self { from: folder.into(), to: Some(end_of(folder)), ..Self::new(root) }
    }

    /// The way through the keys that come after all those that begin with such a text.
    pub(super) fn behind(root: Cid, folder: &str) -> Self {
        Self { from: end_of(folder), ..Self::new(root) }
    }

    /// Returns what is next.
    pub(super) fn step(&mut self) -> Step {
        let Some(next) = self.ahead.pop() else { return Step::End };
        self.memory -= next.memory();
        match next {
            Item::Node { cid, layer } => {
                self.layer = layer;
                Step::Node(cid)
            }
            Item::Record { key, .. } if self.is_behind_end(&key) => {
                self.clear();
                Step::End
            }
            Item::Record { key, cid } => {
                self.behind = Some(key.clone());
                Step::Record { key, cid }
            }
            Item::Missing(cid) => Step::Missing(cid),
            Item::Failed(error) => Step::Failed(error),
        }
    }

    /// Goes into the node that the last step named.
    pub(super) fn enter(&mut self, block: &[u8]) -> Result<(), RepoError> {
        let node = <Node>::decode(block)?;
        let layer = check(&node, self.layer, self.behind.as_ref(), self.ahead.last())?;
        self.put_node(node, layer);
        if self.memory > self.max_memory { Err(too_large()) } else { Ok(()) }
    }

    /// Returns whether the next step is a node, with which others can be read.
    pub(super) fn can_expand(&self) -> bool {
        self.memory < LARGEST_BATCH && matches!(self.ahead.last(), Some(Item::Node { .. }))
    }

    /// Returns the nodes that are needed next, the nearest first, and at most so many. There may be records between them.
    pub(super) fn nodes_ahead(&self, count: usize) -> Vec<Cid> {
        let wanted =
            self.ahead.iter().rev().take_while(|item| !item.key().is_some_and(|key| self.is_behind_end(key)));
        let nodes = wanted.filter_map(|item| match item {
            Item::Node { cid, .. } => Some(cid.clone()),
            _ => None,
        });
        nodes.take(count).collect()
    }

    /// Takes the nodes that [`nodes_ahead`](Self::nodes_ahead) has named, in the same order. What is wrong with one of them
    /// is told when its place has been reached.
    pub(super) fn expand(&mut self, nodes: Vec<Answer>) {
        let mut start = self.ahead.len();
        for _ in &nodes {
            let before = self.ahead[..start].iter().rposition(|item| matches!(item, Item::Node { .. }));
            let Some(before) = before else { break };
            start = before;
        }
        let mut nodes = nodes.into_iter().rev();
        let items = self.ahead.split_off(start);
        self.memory -= items.iter().map(Item::memory).sum::<usize>();
        // From the farthest to the nearest, so that what is put back is in its order, and an error takes with it what is behind.
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            let Item::Node { cid, layer } = item else {
                self.put(item);
                continue;
            };
            match nodes.next() {
                Some(Answer::Node(node)) => {
                    let low = items.peek().map_or(self.behind.as_ref(), Item::key);
                    match check(&node, layer, low, self.ahead.last()) {
                        Ok(layer) => self.put_node(node, layer),
                        Err(error) => self.fail(error),
                    }
                }
                Some(Answer::Missing) => self.put(Item::Missing(cid)),
                Some(Answer::Failed(error)) => self.fail(error),
                Some(Answer::Later) | None => self.put(Item::Node { cid, layer }),
            }
        }
        // Only the first node can be so large, before which there is nothing: see `LARGEST_BATCH`.
        if self.memory > self.max_memory {
            self.fail(too_large());
        }
    }

    /// Ends the way with an error, which is the nearest of what is ahead.
    fn fail(&mut self, error: RepoError) {
        self.clear();
        self.put(Item::Failed(error.into()));
    }

    fn clear(&mut self) {
        self.ahead.clear();
        self.memory = 0;
    }

    fn is_behind_end(&self, key: &Key) -> bool {
        self.to.as_ref().is_some_and(|to| key.as_bytes() >= to.as_bytes())
    }

    fn put(&mut self, item: Item) {
        self.memory += item.memory();
        self.ahead.push(item);
    }

    /// Puts what a node consists of in its place, which is the nearest.
    fn put_node(&mut self, node: Node, layer: Option<usize>) {
        // The only node of an empty tree has none.
        let Some(layer) = layer else { return };
        let Node { left, mut entries } = node;
        let from = self.from.as_bytes();
        let first = entries.partition_point(|entry| entry.key.as_bytes() < from);
        // What is not wanted is at the very beginning, so it counts as passed.
        let before = match first.checked_sub(1) {
            None => left,
            Some(number) => {
                self.behind = Some(entries[number].key.clone());
                entries[number].right.take()
            }
        };
        // A node of layer 0 has no subtrees, which `Node::layer` has checked.
        let layer = Some(layer.saturating_sub(1));
        for NodeEntry { key, value, right } in entries.drain(first..).rev() {
            if let Some(cid) = right {
                self.put(Item::Node { cid, layer });
            }
            self.put(Item::Record { key, cid: value });
        }
        if let Some(cid) = before {
            self.put(Item::Node { cid, layer });
        }
    }
}

/// Checks a node between what is before and behind it, and returns its layer. Each is a layer below the one above, so every
/// way ends.
fn check(
    node: &Node,
    layer: Option<usize>,
    low: Option<&Key>,
    high: Option<&Item>,
) -> Result<Option<usize>, RepoError> {
    let layer = node.layer(layer)?;
    if layer.is_some() {
        node.check_bounds(low.map(Key::as_bytes), high.and_then(Item::key).map(Key::as_bytes))?;
    }
    Ok(layer)
}

fn too_large() -> RepoError {
    RepoError::Tree { problem: "its nodes take more memory than is allowed" }
}
