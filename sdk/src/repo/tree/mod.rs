//! The tree of records (a Merkle search tree, MST).
//!
//! A key belongs to the layer that its hash determines, all keys of a node are in the same layer, and a subtree is in the
//! layer below. Therefore a tree with the same records has only one form, and a key that is not where it belongs is not
//! in the tree at all.

mod branch;
mod build;
mod diff;

mod find;
mod key;
mod node;
mod proof;
mod view;
mod walk;

use branch::{Bounds, Branch, Leaf, Purpose, Subtree, raise, split};
use bytes::Bytes;
pub use diff::TreeDiff;
pub(super) use find::find;
pub(super) use key::Key;
#[cfg(test)]
pub(super) use node::{Encoder, shared_length};
pub(super) use node::{Entry as NodeEntry, NODE, Node};
use node::{MAX_KEY, layer_of as layer_of_key};
pub use proof::TreeProof;
use view::{Child, View};
pub use walk::TreeEntries;
pub(super) use walk::{Visit, Walk};

use super::{Blocks, RepoError};
use crate::types::{Cid, InvalidText};

/// The tree of a repository: records, which it knows by their CIDs, under their paths in ascending order.
///
/// The [specification](https://atproto.com/specs/repository#mst-structure) determines the form of the tree, so trees with the
/// same records have the same root CID, whatever has happened to them before. Keys are paths of records
/// (`app.bsky.feed.post/3jzfcijpj2z2a`); the tree takes any text of 1 to 830 bytes.
///
/// A tree is opened over [`Blocks`] and reads a node when it is needed. Changes are made in memory;
/// [`take_changes`](Self::take_changes) hands out the blocks to store. A change that fails because a block is missing
/// changes nothing.
///
/// ```
/// use atproto_sdk::{repo::Tree, types::Cid};
///
/// let mut tree = Tree::new();
/// tree.insert("com.example.item/1", Cid::of_cbor(b"one"))?;
/// let root = tree.root();
///
/// tree.insert("com.example.item/2", Cid::of_cbor(b"two"))?;
/// assert_ne!(tree.root(), root);
/// assert_eq!(tree.remove("com.example.item/2")?, Some(Cid::of_cbor(b"two")));
/// assert_eq!(tree.root(), root);
/// assert_eq!(tree.get("com.example.item/1")?, Some(Cid::of_cbor(b"one")));
/// # Ok::<_, atproto_sdk::repo::RepoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tree<B = ()> {
    blocks: B,
    root: Subtree,
    /// Whether it is a slice of a tree, of which only the root is wanted.
    is_partial: bool,
    /// The CIDs of nodes that have changed or are gone since the changes were last taken.
    removed: Vec<Cid>,
}

/// How many nodes the way to a key has in most trees, and some.
const USUAL_DEPTH: usize = 16;

/// What is different in the blocks of a tree since the changes were last taken. Returned by [`Tree::take_changes`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeChanges {
    /// The root of the tree.
    pub root: Cid,
    /// The nodes that are new, each behind those that it refers to.
    pub added: Vec<(Cid, Bytes)>,
    /// The nodes that are not part of the tree any longer.
    pub removed: Vec<Cid>,
}

impl Tree {
    /// Creates an empty tree.
    pub fn new() -> Self {
        Self::of_root(Branch::new(0, None, Vec::new()))
    }

    fn of_root(root: Branch) -> Self {
        Self { blocks: (), root: Subtree::Loaded(Box::new(root)), is_partial: false, removed: Vec::new() }
    }
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Blocks> Tree<B> {
    /// Opens the tree with a root CID. Nothing is read yet.
    pub fn open(blocks: B, root: Cid) -> Self {
        Self { blocks, root: Subtree::Stored(root), is_partial: false, removed: Vec::new() }
    }

    /// Opens a slice of a tree, in which changes are undone to compare the root. Nodes may be missing whose CIDs suffice for
    /// that.
    pub(super) fn open_slice(blocks: B, root: Cid) -> Self {
        Self { is_partial: true, removed: Vec::with_capacity(USUAL_DEPTH), ..Self::open(blocks, root) }
    }

    /// Returns what the tree was opened with.
    pub fn blocks(&self) -> &B {
        &self.blocks
    }

    /// Returns the value of a key, or `None` if the tree does not have it.
    ///
    /// # Errors
    ///
    /// Returns an error if a node is missing or invalid.
    pub fn get(&self, key: &str) -> Result<Option<Cid>, RepoError> {
        let wanted = layer_of_key(key.as_bytes());
        let (mut low, mut high) = (None::<Box<[u8]>>, None::<Box<[u8]>>);
        let mut view = self.root_view()?;
        loop {
            let place = match view.find(key) {
                Ok(place) => return Ok(Some(view.value(place).clone())),
                Err(place) => place,
            };
            // Below its own layer, no key is in its place.
            let Some(child) = view.child(place).filter(|_| view.layer() > wanted) else { return Ok(None) };
            if place < view.len() {
                high = Some(view.key(place).as_bytes().into());
            }
            if let Some(before) = place.checked_sub(1) {
                low = Some(view.key(before).as_bytes().into());
            }
            let bounds = Bounds { low: low.as_deref(), high: high.as_deref() };
            view = child.view(&self.blocks, view.layer().checked_sub(1), bounds)?;
        }
    }

    /// Sets the value of a key, and returns the value that it had.
    ///
    /// # Errors
    ///
    /// Returns an error if a node is missing or invalid, or [`RepoError::Name`] if the key is not text of 1 to 830 bytes or
    /// the value is not a CID that can be a link. Then nothing has changed.
    pub fn insert(&mut self, key: &str, value: Cid) -> Result<Option<Cid>, RepoError> {
        check_entry(key, &value)?;
        let wanted = layer_of_key(key.as_bytes());
        let root = self.root.load(&self.blocks, None, Bounds::default())?;
        let before = root.prepare(&self.blocks, key, wanted, Purpose::Insert, Bounds::default())?;
        if before.as_ref() == Some(&value) {
            return Ok(before);
        }
        if root.is_empty() {
            root.touch(&mut self.removed);
            root.layer = wanted;
        }
        if root.layer >= wanted {
            root.insert(key, wanted, value, &mut self.removed)?;
            return Ok(before);
        }
        let layer = root.layer;
        let old =
            std::mem::replace(&mut self.root, Subtree::Loaded(Box::new(Branch::new(0, None, Vec::new()))));
        let (left, right) = split(Some(old), key, &mut self.removed)?;
        let leaf = Leaf { key: key.into(), value, right: raise(right, layer, wanted - 1) };
        let root = Branch::new(wanted, raise(left, layer, wanted - 1), vec![leaf]);
        self.root = Subtree::Loaded(Box::new(root));
        Ok(before)
    }

    /// Removes a key, and returns the value that it had, or `None` if the tree does not have it.
    ///
    /// # Errors
    ///
    /// Returns an error if a node is missing or invalid. Then nothing has changed.
    pub fn remove(&mut self, key: &str) -> Result<Option<Cid>, RepoError> {
        let wanted = layer_of_key(key.as_bytes());
        let root = self.root.load(&self.blocks, None, Bounds::default())?;
        let is_last_of_root = root.leaves.len() == 1;
        let purpose = Purpose::Remove { is_last_of_root, is_partial: self.is_partial };
        let Some(value) = root.prepare(&self.blocks, key, wanted, purpose, Bounds::default())? else {
            return Ok(None);
        };
        root.remove(key, &mut self.removed)?;
        self.trim();
        Ok(Some(value))
    }

    /// Leaves out nodes without leaves at the top.
    fn trim(&mut self) {
        while let Subtree::Loaded(root) = &mut self.root
            && root.leaves.is_empty()
        {
            match root.left.take() {
                Some(below) => {
                    root.touch(&mut self.removed);
                    self.root = below;
                }
                None => {
                    root.layer = 0;
                    return;
                }
            }
        }
    }

    /// Returns the CID of the root, which is `data` in the commit of a repository.
    pub fn root(&mut self) -> Cid {
        match &mut self.root {
            Subtree::Stored(cid) => cid.clone(),
            Subtree::Loaded(root) => root.seal(),
        }
    }

    /// Returns the blocks that have been added and removed since the tree was opened or created, or since the last call.
    ///
    /// A node that is the same again is in neither list.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use atproto_sdk::{repo::Tree, types::Cid};
    ///
    /// let mut tree = Tree::new();
    /// tree.insert("com.example.item/1", Cid::of_cbor(b"one"))?;
    /// let changes = tree.take_changes();
    ///
    /// let stored: HashMap<_, _> = changes.added.into_iter().collect();
    /// let mut tree = Tree::open(stored, changes.root);
    /// assert_eq!(tree.get("com.example.item/1")?, Some(Cid::of_cbor(b"one")));
    /// assert!(tree.take_changes().added.is_empty());
    /// # Ok::<_, atproto_sdk::repo::RepoError>(())
    /// ```
    pub fn take_changes(&mut self) -> TreeChanges {
        let mut added = Vec::new();
        let root = self.root();
        if let Subtree::Loaded(root) = &mut self.root {
            root.save(&mut added);
        }
        let mut removed = std::mem::take(&mut self.removed);
        removed.sort_unstable();
        removed.dedup();
        let mut is_back = vec![false; removed.len()];
        added.retain(|(cid, _)| match removed.binary_search(cid) {
            Ok(at) => {
                is_back[at] = true;
                false
            }
            Err(_) => true,
        });
        let mut is_back = is_back.into_iter();
        removed.retain(|_| is_back.next() == Some(false));
        let added = added.into_iter().map(|(cid, block)| (cid, Bytes::from(block))).collect();
        TreeChanges { root, added, removed }
    }

    fn root_view(&self) -> Result<View<'_>, RepoError> {
        Child::of(&self.root).view(&self.blocks, None, Bounds::default())
    }
}

/// Returns the layer of a tree that a key belongs to, counted from the lowest: half the number of zero bits that its SHA-256 hash
/// begins with. The specification calls it the depth of a key.
///
/// ```
/// use atproto_sdk::repo::layer_of;
///
/// assert_eq!(layer_of("2653ae71"), 0);
/// assert_eq!(layer_of("app.bsky.feed.post/9adeb165882c"), 8);
/// ```
pub fn layer_of(key: &str) -> usize {
    layer_of_key(key.as_bytes())
}

/// Checks what becomes part of a tree.
fn check_entry(key: &str, value: &Cid) -> Result<(), RepoError> {
    let invalid = |problem| RepoError::Name(InvalidText::new("path of a record", key, problem));
    if key.is_empty() {
        return Err(invalid("it is empty"));
    }
    if key.len() > MAX_KEY {
        return Err(invalid("it has more than 830 bytes"));
    }
    if !value.is_blessed() {
        let problem = "only a CID of version 1 with SHA-256 and DAG-CBOR or raw can be in a repository";
        return Err(RepoError::Name(InvalidText::new("link", &value.to_string(), problem)));
    }
    Ok(())
}
