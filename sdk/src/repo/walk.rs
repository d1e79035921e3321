//! The way through the tree in the order of its keys, which is also the order in which a streamable export has its blocks.
//!
//! It does no I/O: it says which block is next, and is given it. So blocks can come from a file, or arrive.

use super::{
    RepoError,
    tree::{Key, Node, NodeEntry},
};
use crate::types::Cid;

/// How much memory the nodes on the way may take. Real ones take a few kilobytes; made-up ones have thousands of long keys
/// that share nearly everything.
pub(super) const MAX_MEMORY: usize = 64 << 20;

/// What is next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A node. [`Walk::enter`] must be called with its block; otherwise its subtree is left out.
    Node(Cid),
    /// A record.
    Record { key: Key, cid: Cid },
    /// There is nothing any more.
    End,
}

/// What comes after all keys that begin with a text whose last character is a slash.
fn end_of(folder: &str) -> Box<str> {
    // The character after the slash.
    format!("{}0", folder.trim_end_matches('/')).into()
}

/// The position in a tree.
#[derive(Debug)]
pub(super) struct Walk {
    /// The root, before it has been entered.
    root: Option<Cid>,
    /// The nodes between the root and the position.
    way: Vec<Frame>,
    memory: usize,
    max_memory: usize,
    /// The keys that are wanted: from this one on, and those before that one.
    from: Box<str>,
    to: Option<Box<str>>,
}

#[derive(Debug)]
struct Frame {
    node: Node,
    layer: usize,
    memory: usize,
    /// Twice the number of an entry for the subtree before it, and one more for the entry itself.
    next: usize,
}

impl Walk {
    /// The way through a whole tree.
    pub(super) fn new(root: Cid) -> Self {
        Self {
            root: Some(root),
            way: Vec::new(),
            memory: 0,
            max_memory: MAX_MEMORY,
            from: "".into(),
            to: None,
        }
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
        if let Some(root) = self.root.take() {
            return Step::Node(root);
        }
        while let Some(frame) = self.way.last_mut() {
            let (number, is_entry) = (frame.next / 2, frame.next % 2 == 1);
            frame.next += 1;
            if is_entry {
                let Some(NodeEntry { key, value, .. }) = frame.node.entries.get_mut(number) else {
                    self.leave();
                    continue;
                };
                if self.to.as_ref().is_some_and(|to| key.as_bytes() >= to.as_bytes()) {
                    self.way.clear();
                    return Step::End;
                }
                return Step::Record { key: key.clone(), cid: value.clone() };
            }
            let subtree = match number.checked_sub(1) {
                None => &frame.node.left,
                Some(before) => frame.node.entries.get(before).map_or(&None, |entry| &entry.right),
            };
            if let Some(subtree) = subtree {
                return Step::Node(subtree.clone());
            }
        }
        Step::End
    }

    fn leave(&mut self) {
        if let Some(frame) = self.way.pop() {
            self.memory -= frame.memory;
        }
    }

    /// Goes into the node that the last step named.
    pub(super) fn enter(&mut self, block: &[u8]) -> Result<(), RepoError> {
        let node = <Node>::decode(block)?;
        // Each is a layer below the one before, so this ends.
        let expected = self.way.last().map(|frame| frame.layer.checked_sub(1));
        let expected = match expected {
            Some(None) => return Err(RepoError::Tree { problem: "a node of the lowest layer has subtrees" }),
            Some(layer) => layer,
            None => None,
        };
        let Some(layer) = node.layer(expected)? else { return Ok(()) };
        let (low, high) = self.bounds();
        node.check_bounds(low, high)?;
        let keys: usize = node.entries.iter().map(|entry| entry.key.as_bytes().len()).sum();
        let memory = keys + node.entries.len() * size_of::<NodeEntry>();
        self.memory += memory;
        if self.memory > self.max_memory {
            return Err(RepoError::Tree { problem: "its nodes take more memory than is allowed" });
        }
        let next = 2 * node.entries.partition_point(|entry| entry.key.as_bytes() < self.from.as_bytes());
        self.way.push(Frame { node, layer, memory, next });
        Ok(())
    }

    /// The keys around the subtree that the last step named.
    fn bounds(&self) -> (Option<&[u8]>, Option<&[u8]>) {
        let frames = || self.way.iter().rev();
        let low = frames().find_map(|frame| frame.key(frame.entry().checked_sub(1)?));
        let high = frames().find_map(|frame| frame.key(frame.entry()));
        (low, high)
    }
}

impl Frame {
    /// The number of the entry that follows the subtree that the last step named.
    fn entry(&self) -> usize {
        self.next.saturating_sub(1) / 2
    }

    fn key(&self, number: usize) -> Option<&[u8]> {
        self.node.entries.get(number).map(|entry| entry.key.as_bytes())
    }
}
