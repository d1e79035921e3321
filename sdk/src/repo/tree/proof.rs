//! Proofs: the nodes that show what a tree has under a key.

use std::collections::BTreeMap;

use super::{
    super::{Blocks, RepoError},
    Tree, View,
    branch::Bounds,
    view::Child,
};
use crate::types::Cid;

/// What proves the value of a key, or that the key is not there. Returned by [`Tree::proof`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeProof {
    /// The value; `None` if the tree does not have the key.
    pub value: Option<Cid>,
    /// The nodes on the way from the root, which is the first, to where the key is or would be.
    pub nodes: Vec<(Cid, Vec<u8>)>,
}

/// An end of a subtree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// Collects the nodes of a proof, from the root down.
struct Collector<'a, B> {
    blocks: &'a B,
    nodes: Vec<(Cid, Vec<u8>)>,
    /// Whether the neighbours of the key are to be proven as well.
    is_covering: bool,
}

impl<B: Blocks> Tree<B> {
    /// Returns the value of a key, and the nodes that prove it, or that prove that the key is not there.
    ///
    /// [`record_proof`](super::super::record_proof) makes of it what a server answers with.
    ///
    /// # Errors
    ///
    /// Returns an error if a node is missing or invalid.
    pub fn proof(&mut self, key: &str) -> Result<TreeProof, RepoError> {
        self.collect(key, false)
    }

    /// Returns the nodes that a proof of the key and of the keys before and after it consists of. With them, what has
    /// happened to the key can be undone without the rest of the tree.
    ///
    /// # Errors
    ///
    /// Returns an error if a node is missing or invalid.
    pub fn covering_proof(&mut self, key: &str) -> Result<BTreeMap<Cid, Vec<u8>>, RepoError> {
        Ok(self.collect(key, true)?.nodes.into_iter().collect())
    }

    fn collect(&mut self, key: &str, is_covering: bool) -> Result<TreeProof, RepoError> {
        // The CIDs of all nodes are known from here on.
        self.root();
        let mut collector = Collector { blocks: &self.blocks, nodes: Vec::new(), is_covering };
        let value = collector.way(&self.root_view()?, key, Bounds::default())?;
        Ok(TreeProof { value, nodes: collector.nodes })
    }
}

/// The keys around a subtree.
fn around<'v>(view: &'v View<'_>, place: usize, bounds: Bounds<'v>) -> Bounds<'v> {
    let low = place.checked_sub(1).map(|before| view.key(before).as_bytes()).or(bounds.low);
    let high = (place < view.len()).then(|| view.key(place).as_bytes()).or(bounds.high);
    Bounds { low, high }
}

impl<B: Blocks> Collector<'_, B> {
    fn read<'c>(
        &self,
        child: Child<'c>,
        above: &View<'_>,
        bounds: Bounds<'_>,
    ) -> Result<View<'c>, RepoError> {
        child.view(self.blocks, Some(above.layer().saturating_sub(1)), bounds)
    }

    fn way(&mut self, view: &View<'_>, key: &str, bounds: Bounds<'_>) -> Result<Option<Cid>, RepoError> {
        self.nodes.push(view.block());
        match view.find(key) {
            Ok(place) => {
                if self.is_covering {
                    self.spine(view, place, End::Last, bounds)?;
                    self.spine(view, place + 1, End::First, bounds)?;
                }
                Ok(Some(view.value(place).clone()))
            }
            Err(place) => {
                let Some(child) = view.child(place) else { return Ok(None) };
                let bounds = around(view, place, bounds);
                let below = self.read(child, view, bounds)?;
                self.way(&below, key, bounds)
            }
        }
    }

    /// Collects the nodes at one end of the subtree at this place.
    fn spine(
        &mut self,
        view: &View<'_>,
        place: usize,
        end: End,
        bounds: Bounds<'_>,
    ) -> Result<(), RepoError> {
        let Some(child) = view.child(place) else { return Ok(()) };
        let bounds = around(view, place, bounds);
        let below = self.read(child, view, bounds)?;
        self.nodes.push(below.block());
        let next = if end == End::First { 0 } else { below.len() };
        self.spine(&below, next, end, bounds)
    }
}
