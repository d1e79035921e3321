//! Walking through a tree in the order of its keys.

use super::{
    super::{Blocks, RepoError},
    Tree, View,
    branch::Bounds,
    view::Child,
};
use crate::types::Cid;

/// The keys and values of a tree in ascending order. Returned by [`Tree::entries`].
#[derive(Debug)]
pub struct TreeEntries<'a, B>(Walk<'a, B>);

/// A walk through a tree in pre-order: a node comes before what is below it, and each subtree between the leaves that it is
/// between.
#[derive(Debug)]
pub(in crate::repo) struct Walk<'a, B> {
    blocks: &'a B,
    root: Option<Child<'a>>,
    stack: Vec<Place<'a>>,
    last: Option<String>,
}

/// A node on the way down, and how much of it is behind: the subtree before a leaf, then the leaf.
#[derive(Debug)]
struct Place<'a> {
    view: View<'a>,
    next: usize,
    is_below_done: bool,
}

/// What is walked past.
#[derive(Debug)]
pub(in crate::repo) enum Visit<'v> {
    Node(Node<'v>),
    Leaf { key: &'v str, value: &'v Cid },
}

/// A node that is walked past.
#[derive(Debug)]
pub(in crate::repo) struct Node<'v>(&'v View<'v>);

impl Node<'_> {
    /// Returns the CID and the block. The CIDs of all nodes are known.
    pub(in crate::repo) fn block(&self) -> (Cid, Vec<u8>) {
        self.0.block()
    }
}

impl<B: Blocks> Tree<B> {
    /// Returns the keys and values in ascending order of the keys.
    ///
    /// An item is an error if a node is missing or invalid; nothing follows it.
    ///
    /// ```
    /// use atproto_sdk::{repo::Tree, types::Cid};
    ///
    /// let mut tree = Tree::new();
    /// for number in [3, 1, 2] {
    ///     tree.insert(&format!("com.example.item/{number}"), Cid::of_cbor(&[number]))?;
    /// }
    /// let keys = tree.entries().map(|entry| entry.map(|(key, _)| key));
    /// let keys = keys.collect::<Result<Vec<String>, _>>()?;
    /// assert_eq!(keys, ["com.example.item/1", "com.example.item/2", "com.example.item/3"]);
    /// # Ok::<_, atproto_sdk::repo::RepoError>(())
    /// ```
    pub fn entries(&self) -> TreeEntries<'_, B> {
        TreeEntries(Walk::new(&self.blocks, Child::of(&self.root)))
    }
}

impl<'a, B: Blocks> Walk<'a, B> {
    fn new(blocks: &'a B, root: Child<'a>) -> Self {
        Self { blocks, root: Some(root), stack: Vec::new(), last: None }
    }

    /// Begins at the root with this CID.
    pub(in crate::repo) fn from_root(blocks: &'a B, root: Cid) -> Self {
        Self::new(blocks, Child::Stored(root))
    }

    fn enter(&mut self, child: Child<'a>, layer: Option<usize>) -> Result<Visit<'_>, RepoError> {
        // The order of all keys is checked below, so that those of a node need not be.
        let view = child.view(self.blocks, layer, Bounds::default())?;
        let place = self.stack.push_mut(Place { view, next: 0, is_below_done: false });
        Ok(Visit::Node(Node(&place.view)))
    }

    /// Returns what comes next. After an error nothing does.
    pub(in crate::repo) fn advance(&mut self) -> Result<Option<Visit<'_>>, RepoError> {
        if let Some(root) = self.root.take() {
            return self.enter(root, None).map(Some);
        }
        while let Some(place) = self.stack.last_mut() {
            if !std::mem::replace(&mut place.is_below_done, true)
                && let Some(child) = place.view.child(place.next)
            {
                let layer = Some(place.view.layer().saturating_sub(1));
                return self.enter(child, layer).map(Some);
            }
            if place.next < place.view.len() {
                return self.leaf().map(Some);
            }
            self.stack.pop();
        }
        Ok(None)
    }

    fn leaf(&mut self) -> Result<Visit<'_>, RepoError> {
        let end = RepoError::Tree { problem: "the keys of a subtree are not between those around it" };
        let Some(place) = self.stack.last_mut() else { return Err(end) };
        let at = place.next;
        (place.next, place.is_below_done) = (at + 1, false);
        let key = place.view.key(at);
        match &mut self.last {
            Some(last) if &**last >= key => return Err(end),
            Some(last) => {
                last.clear();
                last.push_str(key);
            }
            None => self.last = Some(key.to_owned()),
        }
        Ok(Visit::Leaf { key, value: place.view.value(at) })
    }

    /// Ends the walk.
    pub(in crate::repo) fn stop(&mut self) {
        self.root = None;
        self.stack.clear();
    }
}

impl<B: Blocks> Iterator for TreeEntries<'_, B> {
    type Item = Result<(String, Cid), RepoError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.0.advance() {
                Ok(Some(Visit::Leaf { key, value })) => return Some(Ok((key.to_owned(), value.clone()))),
                Ok(Some(Visit::Node(_))) => {}
                Ok(None) => return None,
                Err(error) => {
                    self.0.stop();
                    return Some(Err(error));
                }
            }
        }
    }
}
