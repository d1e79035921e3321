//! Nodes as they are read: those in memory where they are, and others from the blocks, without keeping them.

use super::{
    super::{Blocks, RepoError},
    branch::{self, Bounds, Branch, Subtree},
    node::{Encoder, Node},
};
use crate::types::Cid;

/// A node.
#[derive(Debug)]
pub(super) enum View<'a> {
    Loaded(&'a Branch),
    Read { cid: Cid, node: Node, layer: usize },
}

/// A subtree that has not been looked at yet.
#[derive(Debug, Clone)]
pub(super) enum Child<'a> {
    Loaded(&'a Branch),
    Stored(Cid),
}

impl<'a> Child<'a> {
    pub(super) fn of(subtree: &'a Subtree) -> Self {
        match subtree {
            Subtree::Stored(cid) => Self::Stored(cid.clone()),
            Subtree::Loaded(branch) => Self::Loaded(branch),
        }
    }

    /// Returns the CID, unless it has to be computed.
    pub(super) fn cid(&self) -> Option<&Cid> {
        match self {
            Self::Stored(cid) => Some(cid),
            Self::Loaded(branch) => branch.cid(),
        }
    }

    pub(super) fn view(
        self,
        blocks: &(impl Blocks + ?Sized),
        layer: Option<usize>,
        bounds: Bounds<'_>,
    ) -> Result<View<'a>, RepoError> {
        match self {
            Self::Loaded(branch) => Ok(View::Loaded(branch)),
            Self::Stored(cid) => {
                let (node, layer) = branch::read(blocks, &cid, layer, bounds)?;
                Ok(View::Read { cid, node, layer })
            }
        }
    }
}

impl<'a> View<'a> {
    pub(super) fn layer(&self) -> usize {
        match self {
            Self::Loaded(branch) => branch.layer,
            Self::Read { layer, .. } => *layer,
        }
    }

    /// Returns the number of leaves.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Loaded(branch) => branch.leaves.len(),
            Self::Read { node, .. } => node.entries.len(),
        }
    }

    /// Returns the key of a leaf. Panics if there is none at this place.
    pub(super) fn key(&self, place: usize) -> &str {
        match self {
            Self::Loaded(branch) => &branch.leaves[place].key,
            Self::Read { node, .. } => &node.entries[place].key,
        }
    }

    /// Returns the value of a leaf. Panics if there is none at this place.
    pub(super) fn value(&self, place: usize) -> &Cid {
        match self {
            Self::Loaded(branch) => &branch.leaves[place].value,
            Self::Read { node, .. } => &node.entries[place].value,
        }
    }

    /// Returns the place of a key: where it is, or before which leaf it would be.
    pub(super) fn find(&self, key: &str) -> Result<usize, usize> {
        match self {
            Self::Loaded(branch) => branch.find(key),
            Self::Read { node, .. } => {
                node.entries.binary_search_by(|entry| entry.key.as_bytes().cmp(key.as_bytes()))
            }
        }
    }

    /// Returns the subtree before a leaf, or behind the last one.
    pub(super) fn child(&self, place: usize) -> Option<Child<'a>> {
        match self {
            Self::Loaded(branch) => branch.link(place).map(Child::of),
            Self::Read { node, .. } => {
                let cid = match place.checked_sub(1) {
                    None => node.left.as_ref(),
                    Some(before) => node.entries.get(before).and_then(|entry| entry.right.as_ref()),
                };
                cid.cloned().map(Child::Stored)
            }
        }
    }

    /// Returns the CID and the block. The CIDs of all nodes are known.
    pub(super) fn block(&self) -> (Cid, Vec<u8>) {
        match self {
            Self::Loaded(branch) => {
                let block = branch.encode();
                (branch.cid().cloned().unwrap_or_else(|| Cid::of_cbor(&block)), block)
            }
            Self::Read { cid, node, .. } => {
                let mut encoder = Encoder::new(node.entries.len());
                for entry in &node.entries {
                    encoder.entry(entry.key.as_bytes(), &entry.value, entry.right.as_ref());
                }
                // A node has only one form, so this is the block that was read.
                (cid.clone(), encoder.finish(node.left.as_ref()))
            }
        }
    }
}
