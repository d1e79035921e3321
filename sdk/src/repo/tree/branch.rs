//! The nodes of a tree in memory, and how they change.
//!
//! What a change needs is read before anything is changed, so that a change is made as a whole or not at all.

use super::{
    super::{Blocks, RepoError, blocks::required},
    key::Key,
    node::{Decoded, Encoder, Entry, NODE, Node},
};
use crate::types::Cid;

/// Most nodes are shorter when they are encoded.
const USUAL_BLOCK: usize = 2 << 10;

/// A subtree: only its CID is known, or its node is in memory.
#[derive(Debug, Clone)]
pub(super) enum Subtree {
    Stored(Cid),
    Loaded(Box<Branch>),
}

pub(super) type Link = Option<Subtree>;

#[derive(Debug, Clone)]
pub(super) struct Branch {
    /// The CID, unless the node has changed since it was computed.
    cid: Option<Cid>,
    /// Whether the blocks that the tree was opened with, or that it has handed out, include this node.
    is_saved: bool,
    pub(super) layer: usize,
    /// The subtree with the keys before the first leaf.
    pub(super) left: Link,
    pub(super) leaves: Vec<Leaf>,
}

#[derive(Debug, Clone)]
pub(super) struct Leaf {
    pub(super) key: Key,
    pub(super) value: Cid,
    /// The subtree with the keys between this leaf and the next.
    pub(super) right: Link,
}

impl From<Entry> for Leaf {
    fn from(entry: Entry) -> Self {
        Self { key: entry.key, value: entry.value, right: entry.right.map(Subtree::Stored) }
    }
}

impl Decoded for Leaf {
    fn key(&self) -> &Key {
        &self.key
    }

    fn has_right(&self) -> bool {
        self.right.is_some()
    }
}

/// The keys around a subtree, where there are some.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds<'a> {
    pub(super) low: Option<&'a [u8]>,
    pub(super) high: Option<&'a [u8]>,
}

/// What a key is looked for, which determines what is read besides the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To set its value: if it is not there, subtrees are divided at its place, all the way down.
    Insert,
    /// To remove it: the subtrees around it become one. If it is the last leaf of the root, what is below becomes the
    /// root, and nodes without leaves are left out. Of a tree that is a part of one, the CID of what is below suffices.
    Remove { is_last_of_root: bool, is_partial: bool },
}

impl Subtree {
    /// Returns the CID, unless it has to be computed.
    pub(super) fn cid(&self) -> Option<&Cid> {
        match self {
            Self::Stored(cid) => Some(cid),
            Self::Loaded(branch) => branch.cid.as_ref(),
        }
    }

    /// Reads the node if it is not in memory, and checks that it is one that may be here.
    pub(super) fn load(
        &mut self,
        blocks: &(impl Blocks + ?Sized),
        layer: Option<usize>,
        bounds: Bounds<'_>,
    ) -> Result<&mut Branch, RepoError> {
        if let Self::Stored(cid) = self {
            *self = Self::Loaded(Box::new(Branch::read(blocks, cid, layer, bounds)?));
        }
        self.loaded()
    }

    /// Returns the node, which has been read before the change began.
    fn loaded(&mut self) -> Result<&mut Branch, RepoError> {
        match self {
            Self::Loaded(branch) => Ok(branch),
            Self::Stored(cid) => Err(RepoError::MissingBlock { what: NODE, cid: cid.clone() }),
        }
    }

    fn into_loaded(self) -> Result<Box<Branch>, RepoError> {
        match self {
            Self::Loaded(branch) => Ok(branch),
            Self::Stored(cid) => Err(RepoError::MissingBlock { what: NODE, cid }),
        }
    }
}

/// Reads and checks a node. Returns it with its layer.
pub(super) fn read<E: Decoded>(
    blocks: &(impl Blocks + ?Sized),
    cid: &Cid,
    layer: Option<usize>,
    bounds: Bounds<'_>,
) -> Result<(Node<E>, usize), RepoError> {
    let node = Node::<E>::decode(&required(blocks, cid, NODE)?)?;
    let layer = node.layer(layer)?.unwrap_or(0);
    node.check_bounds(bounds.low, bounds.high)?;
    Ok((node, layer))
}

impl Branch {
    pub(super) fn new(layer: usize, left: Link, leaves: Vec<Leaf>) -> Self {
        Self { cid: None, is_saved: false, layer, left, leaves }
    }

    fn read(
        blocks: &(impl Blocks + ?Sized),
        cid: &Cid,
        layer: Option<usize>,
        bounds: Bounds<'_>,
    ) -> Result<Self, RepoError> {
        let (node, layer) = read(blocks, cid, layer, bounds)?;
        Ok(Self {
            cid: Some(cid.clone()),
            is_saved: true,
            layer,
            left: node.left.map(Subtree::Stored),
            leaves: node.entries,
        })
    }

    pub(super) fn cid(&self) -> Option<&Cid> {
        self.cid.as_ref()
    }

    /// Returns the place of a key: where it is, or before which leaf it would be.
    pub(super) fn find(&self, key: &str) -> Result<usize, usize> {
        self.leaves.binary_search_by(|leaf| leaf.key.as_bytes().cmp(key.as_bytes()))
    }

    /// Returns the subtree before a leaf, or behind the last one.
    pub(super) fn link(&self, place: usize) -> Option<&Subtree> {
        match place.checked_sub(1) {
            None => self.left.as_ref(),
            Some(before) => self.leaves.get(before).and_then(|leaf| leaf.right.as_ref()),
        }
    }

    pub(super) fn link_mut(&mut self, place: usize) -> &mut Link {
        match place.checked_sub(1).and_then(|before| self.leaves.get_mut(before)) {
            None => &mut self.left,
            Some(leaf) => &mut leaf.right,
        }
    }

    pub(super) fn last_link(&mut self) -> &mut Link {
        self.link_mut(self.leaves.len())
    }

    /// Whether the node has nothing, which only the root may be.
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty() && self.left.is_none()
    }

    /// Reads what a change at a key needs. Returns the value of the key.
    pub(super) fn prepare(
        &mut self,
        blocks: &(impl Blocks + ?Sized),
        key: &str,
        wanted: usize,
        purpose: Purpose,
        bounds: Bounds<'_>,
    ) -> Result<Option<Cid>, RepoError> {
        let place = match self.find(key) {
            Ok(place) => {
                if let Purpose::Remove { .. } = purpose {
                    self.prepare_seam(blocks, place, purpose, bounds)?;
                }
                return Ok(self.leaves.get(place).map(|leaf| leaf.value.clone()));
            }
            Err(place) => place,
        };
        // Below its own layer, no key is in its place.
        if self.layer <= wanted && purpose != Purpose::Insert {
            return Ok(None);
        }
        let (before, after) = self.leaves.split_at_mut(place);
        let high = after.first().map(|leaf| leaf.key.as_bytes()).or(bounds.high);
        let (low, link) = match before.last_mut() {
            None => (bounds.low, &mut self.left),
            Some(Leaf { key, right, .. }) => (Some(key.as_bytes()), right),
        };
        let (Some(subtree), Some(layer)) = (link, self.layer.checked_sub(1)) else { return Ok(None) };
        let bounds = Bounds { low, high };
        let purpose = match purpose {
            Purpose::Insert => Purpose::Insert,
            Purpose::Remove { is_partial, .. } => Purpose::Remove { is_last_of_root: false, is_partial },
        };
        subtree.load(blocks, Some(layer), bounds)?.prepare(blocks, key, wanted, purpose, bounds)
    }

    /// Reads the nodes along which the subtrees around a leaf become one.
    fn prepare_seam(
        &mut self,
        blocks: &(impl Blocks + ?Sized),
        place: usize,
        purpose: Purpose,
        bounds: Bounds<'_>,
    ) -> Result<(), RepoError> {
        let (is_last_of_root, is_partial) = match purpose {
            Purpose::Insert => (false, false),
            Purpose::Remove { is_last_of_root, is_partial } => (is_last_of_root, is_partial),
        };
        let (before, rest) = self.leaves.split_at_mut(place);
        let (Some((leaf, after)), Some(layer)) = (rest.split_first_mut(), self.layer.checked_sub(1)) else {
            return Ok(());
        };
        let (low, left) = match before.last_mut() {
            None => (bounds.low, &mut self.left),
            Some(Leaf { key, right, .. }) => (Some(key.as_bytes()), right),
        };
        let high = after.first().map(|leaf| leaf.key.as_bytes()).or(bounds.high);
        let Leaf { key, right, .. } = leaf;
        let seam = Seam { blocks, low, key: key.as_bytes(), high, is_partial };
        seam.read(left.as_mut(), right.as_mut(), layer, is_last_of_root)
    }

    /// Sets the value of a key to another one. What [`prepare`](Self::prepare) reads has been read.
    pub(super) fn insert(
        &mut self,
        key: &str,
        wanted: usize,
        value: Cid,
        removed: &mut Vec<Cid>,
    ) -> Result<(), RepoError> {
        self.touch(removed);
        match self.find(key) {
            Ok(place) => {
                if let Some(leaf) = self.leaves.get_mut(place) {
                    leaf.value = value;
                }
            }
            Err(place) if self.layer == wanted => {
                let (before, after) = split(self.link_mut(place).take(), key, removed)?;
                *self.link_mut(place) = before;
                self.leaves.insert(place, Leaf { key: key.into(), value, right: after });
            }
            Err(place) => {
                let layer = self.layer.saturating_sub(1);
                match self.link_mut(place) {
                    Some(subtree) => subtree.loaded()?.insert(key, wanted, value, removed)?,
                    link => {
                        let leaf = Leaf { key: key.into(), value, right: None };
                        let lowest = Self::new(wanted, None, vec![leaf]);
                        *link = raise(Some(Subtree::Loaded(Box::new(lowest))), wanted, layer);
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a key that is there. What [`prepare`](Self::prepare) reads has been read.
    pub(super) fn remove(&mut self, key: &str, removed: &mut Vec<Cid>) -> Result<(), RepoError> {
        self.touch(removed);
        match self.find(key) {
            Ok(place) => {
                let leaf = self.leaves.remove(place);
                let before = self.link_mut(place).take();
                *self.link_mut(place) = merge(before, leaf.right, removed)?;
            }
            Err(place) => {
                let link = self.link_mut(place);
                if let Some(subtree) = link {
                    let branch = subtree.loaded()?;
                    branch.remove(key, removed)?;
                    if branch.is_empty() {
                        *link = None;
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes that the node is about to change.
    pub(super) fn touch(&mut self, removed: &mut Vec<Cid>) {
        if let Some(cid) = self.cid.take()
            && self.is_saved
        {
            removed.push(cid);
        }
        self.is_saved = false;
    }

    /// Encodes the node. The CIDs of its subtrees are known.
    pub(super) fn encode(&self) -> Vec<u8> {
        self.encode_in(Vec::new())
    }

    /// Does the same in memory that has been used before.
    fn encode_in(&self, memory: Vec<u8>) -> Vec<u8> {
        let mut encoder = Encoder::reusing(memory, self.leaves.len());
        for leaf in &self.leaves {
            encoder.entry(leaf.key.as_bytes(), &leaf.value, leaf.right.as_ref().and_then(Subtree::cid));
        }
        encoder.finish(self.left.as_ref().and_then(Subtree::cid))
    }

    fn loaded_subtrees(&mut self) -> impl Iterator<Item = &mut Branch> {
        let links = std::iter::once(&mut self.left).chain(self.leaves.iter_mut().map(|leaf| &mut leaf.right));
        links.filter_map(|link| match link {
            Some(Subtree::Loaded(branch)) => Some(&mut **branch),
            _ => None,
        })
    }

    /// Computes the CIDs that have to be computed. A node above one that has changed has changed too.
    pub(super) fn seal(&mut self) -> Cid {
        self.seal_in(&mut Vec::with_capacity(USUAL_BLOCK)).clone()
    }

    /// Does the same with memory to encode nodes in.
    fn seal_in(&mut self, memory: &mut Vec<u8>) -> &Cid {
        if self.cid.is_none() {
            self.loaded_subtrees().for_each(|branch| {
                branch.seal_in(memory);
            });
            *memory = self.encode_in(std::mem::take(memory));
        }
        // Nothing is encoded if it is known.
        self.cid.get_or_insert_with(|| Cid::of_cbor(memory))
    }

    /// Hands out the blocks that are new, the lowest first. A node above one that is new is new too.
    pub(super) fn save(&mut self, added: &mut Vec<(Cid, Vec<u8>)>) {
        if self.is_saved {
            return;
        }
        self.loaded_subtrees().for_each(|branch| branch.save(added));
        let block = self.encode();
        let cid = self.cid.get_or_insert_with(|| Cid::of_cbor(&block));
        added.push((cid.clone(), block));
        self.is_saved = true;
    }
}

/// The place between two subtrees that become one.
struct Seam<'a, B: ?Sized> {
    blocks: &'a B,
    low: Option<&'a [u8]>,
    /// The key that separates them.
    key: &'a [u8],
    high: Option<&'a [u8]>,
    /// Whether the tree is a part of one.
    is_partial: bool,
}

impl<B: Blocks + ?Sized> Seam<'_, B> {
    /// Reads as many layers as both subtrees have nodes in. If `is_hollow`, the merged nodes so far have no leaves and are
    /// left out, so the first node with some is read as well.
    fn read(
        &self,
        left: Option<&mut Subtree>,
        right: Option<&mut Subtree>,
        layer: usize,
        is_hollow: bool,
    ) -> Result<(), RepoError> {
        let left_bounds = Bounds { low: self.low, high: Some(self.key) };
        let right_bounds = Bounds { low: Some(self.key), high: self.high };
        match (left, right) {
            (Some(left), Some(right)) => {
                let left = left.load(self.blocks, Some(layer), left_bounds)?;
                let right = right.load(self.blocks, Some(layer), right_bounds)?;
                let Some(below) = layer.checked_sub(1) else { return Ok(()) };
                let is_hollow = is_hollow && left.leaves.is_empty() && right.leaves.is_empty();
                let (low, last) = match left.leaves.last_mut() {
                    None => (self.low, &mut left.left),
                    Some(Leaf { key, right, .. }) => (Some(key.as_bytes()), right),
                };
                let high = right.leaves.first().map(|leaf| leaf.key.as_bytes()).or(self.high);
                let Self { blocks, key, is_partial, .. } = *self;
                let seam = Seam { blocks, low, key, high, is_partial };
                seam.read(last.as_mut(), right.left.as_mut(), below, is_hollow)
            }
            (Some(one), None) if is_hollow => self.read_down(one, layer, left_bounds),
            (None, Some(one)) if is_hollow => self.read_down(one, layer, right_bounds),
            _ => Ok(()),
        }
    }

    /// Reads what will be the root. In a slice of a tree, it may be missing: its CID is enough to compare it with. A tree that
    /// goes on being used must not get a root that has no leaves.
    fn read_down(&self, subtree: &mut Subtree, layer: usize, bounds: Bounds<'_>) -> Result<(), RepoError> {
        let branch = match subtree.load(self.blocks, Some(layer), bounds) {
            Ok(branch) => branch,
            Err(RepoError::MissingBlock { .. }) if self.is_partial => return Ok(()),
            Err(error) => return Err(error),
        };
        match (branch.leaves.is_empty(), &mut branch.left, layer.checked_sub(1)) {
            (true, Some(left), Some(below)) => self.read_down(left, below, bounds),
            _ => Ok(()),
        }
    }
}

/// Puts nodes without leaves above a subtree of a layer, so that it becomes one of a higher layer.
pub(super) fn raise(link: Link, from: usize, to: usize) -> Link {
    link.map(|subtree| {
        (from..to).fold(subtree, |subtree, layer| {
            Subtree::Loaded(Box::new(Branch::new(layer + 1, Some(subtree), Vec::new())))
        })
    })
}

/// Divides a subtree into what is before a key and what is behind it.
pub(super) fn split(link: Link, key: &str, removed: &mut Vec<Cid>) -> Result<(Link, Link), RepoError> {
    let Some(subtree) = link else { return Ok((None, None)) };
    let mut branch = subtree.into_loaded()?;
    let (Ok(place) | Err(place)) = branch.find(key);
    branch.touch(removed);
    let (before, after) = split(branch.link_mut(place).take(), key, removed)?;
    let behind = Branch::new(branch.layer, after, branch.leaves.split_off(place));
    *branch.last_link() = before;
    let link = |branch: Box<Branch>| (!branch.is_empty()).then_some(Subtree::Loaded(branch));
    Ok((link(branch), link(Box::new(behind))))
}

/// Makes one subtree of two, of which the second is behind the first.
fn merge(left: Link, right: Link, removed: &mut Vec<Cid>) -> Result<Link, RepoError> {
    let (left, right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (one, None) | (None, one) => return Ok(one),
    };
    let (mut left, mut right) = (left.into_loaded()?, right.into_loaded()?);
    left.touch(removed);
    right.touch(removed);
    let middle = merge(left.last_link().take(), right.left.take(), removed)?;
    *left.last_link() = middle;
    left.leaves.append(&mut right.leaves);
    Ok(Some(Subtree::Loaded(left)))
}
