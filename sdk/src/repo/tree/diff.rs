//! What is different in two trees.

use super::{
    super::{Action, Blocks, Operation, RepoError},
    Tree, View,
    branch::Bounds,
    view::Child,
};
use crate::types::Cid;

/// The records that differ in two trees, in ascending order of their paths. Returned by [`Tree::diff`].
#[derive(Debug)]
pub struct TreeDiff<'a, A, B> {
    old: Cursor<'a, A>,
    new: Cursor<'a, B>,
    is_done: bool,
}

/// A place in a tree: before a subtree, before a leaf, or at the end.
#[derive(Debug)]
struct Cursor<'a, B> {
    blocks: &'a B,
    root: Option<Child<'a>>,
    stack: Vec<Place<'a>>,
    last: Option<String>,
}

/// A node, and how much of it is behind: the subtree before a leaf, then the leaf.
#[derive(Debug)]
struct Place<'a> {
    view: View<'a>,
    next: usize,
    is_below_done: bool,
}

/// What comes next in a tree.
enum Next<'a> {
    /// A subtree and its layer; that of a root is not known yet.
    Subtree(Child<'a>, Option<usize>),
    Leaf,
    End,
}

impl<A: Blocks> Tree<A> {
    /// Returns what has to be done to this tree to make it another one, in ascending order of the paths: records that only
    /// the other tree has are created, and those that only this one has are deleted.
    ///
    /// Subtrees that both trees have are not read. An item is an error if a node is missing or invalid; nothing follows it.
    ///
    /// ```
    /// use atproto_sdk::{repo::{Action, Tree}, types::Cid};
    ///
    /// let mut old = Tree::new();
    /// old.insert("com.example.item/1", Cid::of_cbor(b"one"))?;
    /// let mut new = old.clone();
    /// new.insert("com.example.item/2", Cid::of_cbor(b"two"))?;
    ///
    /// let operations = old.diff(&mut new).collect::<Result<Vec<_>, _>>()?;
    /// assert_eq!(operations[0].path, "com.example.item/2");
    /// assert_eq!(operations[0].action, Action::Create { cid: Cid::of_cbor(b"two") });
    /// assert_eq!(operations.len(), 1);
    /// # Ok::<_, atproto_sdk::repo::RepoError>(())
    /// ```
    pub fn diff<'a, B: Blocks>(&'a mut self, other: &'a mut Tree<B>) -> TreeDiff<'a, A, B> {
        // Subtrees are compared by their CIDs, all of which are known from here on.
        self.root();
        other.root();
        TreeDiff { old: Cursor::new(self), new: Cursor::new(other), is_done: false }
    }
}

impl<'a, B: Blocks> Cursor<'a, B> {
    fn new(tree: &'a Tree<B>) -> Self {
        let root = Some(Child::of(&tree.root));
        Self { blocks: &tree.blocks, root, stack: Vec::new(), last: None }
    }

    fn next(&mut self) -> Next<'a> {
        if let Some(root) = &self.root {
            return Next::Subtree(root.clone(), None);
        }
        while let Some(place) = self.stack.last() {
            if !place.is_below_done
                && let Some(child) = place.view.child(place.next)
            {
                return Next::Subtree(child, Some(place.view.layer().saturating_sub(1)));
            }
            if place.next < place.view.len() {
                return Next::Leaf;
            }
            self.stack.pop();
        }
        Next::End
    }

    /// Goes behind the subtree that comes next.
    fn skip(&mut self) {
        if self.root.take().is_none()
            && let Some(place) = self.stack.last_mut()
        {
            place.is_below_done = true;
        }
    }

    /// Goes into the subtree that comes next.
    fn enter(&mut self, child: Child<'a>, layer: Option<usize>) -> Result<(), RepoError> {
        self.skip();
        // That keys ascend is checked where they are compared.
        let view = child.view(self.blocks, layer, Bounds::default())?;
        self.stack.push(Place { view, next: 0, is_below_done: false });
        Ok(())
    }

    /// Returns the leaf that comes next.
    fn leaf(&self) -> Option<(&str, &Cid)> {
        let place = self.stack.last()?;
        (place.next < place.view.len()).then(|| (place.view.key(place.next), place.view.value(place.next)))
    }

    /// Goes behind the leaf that comes next, and returns it.
    fn take(&mut self) -> Result<Option<(String, Cid)>, RepoError> {
        let Some((key, value)) = self.leaf() else { return Ok(None) };
        if self.last.as_deref().is_some_and(|last| last >= key) {
            return Err(RepoError::Tree { problem: "the keys of a subtree are not between those around it" });
        }
        let leaf = (key.to_owned(), value.clone());
        self.last.get_or_insert_default().clone_from(&leaf.0);
        if let Some(place) = self.stack.last_mut() {
            (place.next, place.is_below_done) = (place.next + 1, false);
        }
        Ok(Some(leaf))
    }
}

impl<A: Blocks, B: Blocks> TreeDiff<'_, A, B> {
    fn advance(&mut self) -> Result<Option<Operation>, RepoError> {
        loop {
            match (self.old.next(), self.new.next()) {
                (Next::Subtree(old, at), Next::Subtree(new, other)) => {
                    if old.cid().is_some() && old.cid() == new.cid() {
                        self.old.skip();
                        self.new.skip();
                    // Nodes of the same layer are compared with each other. The layer of a root is known when it is read.
                    } else if at.is_none() || (at >= other && other.is_some()) {
                        self.old.enter(old, at)?;
                    } else {
                        self.new.enter(new, other)?;
                    }
                }
                (Next::Subtree(old, layer), _) => self.old.enter(old, layer)?,
                (_, Next::Subtree(new, layer)) => self.new.enter(new, layer)?,
                (Next::End, Next::End) => return Ok(None),
                (Next::Leaf, Next::End) => return Ok(self.old.take()?.map(deleted)),
                (Next::End, Next::Leaf) => return Ok(self.new.take()?.map(created)),
                (Next::Leaf, Next::Leaf) => {
                    if let Some(operation) = self.compare()? {
                        return Ok(Some(operation));
                    }
                }
            }
        }
    }

    /// Compares two leaves, and goes behind the first one or both.
    fn compare(&mut self) -> Result<Option<Operation>, RepoError> {
        let (old, new) = (self.old.leaf().map(|(key, _)| key), self.new.leaf().map(|(key, _)| key));
        if old < new {
            return Ok(self.old.take()?.map(deleted));
        }
        if new < old {
            return Ok(self.new.take()?.map(created));
        }
        let (Some((path, prev)), Some((_, cid))) = (self.old.take()?, self.new.take()?) else {
            return Ok(None);
        };
        Ok((prev != cid).then_some(Operation { path, action: Action::Update { cid, prev } }))
    }
}

fn created((path, cid): (String, Cid)) -> Operation {
    Operation { path, action: Action::Create { cid } }
}

fn deleted((path, prev): (String, Cid)) -> Operation {
    Operation { path, action: Action::Delete { prev } }
}

impl<A: Blocks, B: Blocks> Iterator for TreeDiff<'_, A, B> {
    type Item = Result<Operation, RepoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let item = self.advance().transpose();
        self.is_done = !matches!(item, Some(Ok(_)));
        item
    }
}
