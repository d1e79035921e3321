//! Trees made of all their records at once.

use super::{Branch, Key, Leaf, RepoError, Subtree, Tree, branch::Link, check_entry};
use crate::types::Cid;

impl Tree {
    /// Creates the tree of records that are in ascending order of their keys, in linear time.
    ///
    /// # Errors
    ///
    /// Returns an error if the keys are not in ascending order, or if one of the entries cannot be in a tree.
    ///
    /// ```
    /// use atproto_sdk::{repo::Tree, types::Cid};
    ///
    /// let cid = Cid::of_cbor(b"record");
    /// let paths = (0..1000).map(|number| (format!("com.example.item/{number:04}"), cid.clone()));
    /// let tree = Tree::from_sorted(paths)?;
    /// assert_eq!(tree.get("com.example.item/0123")?, Some(cid));
    /// # Ok::<_, atproto_sdk::repo::RepoError>(())
    /// ```
    pub fn from_sorted<K: AsRef<str>>(
        entries: impl IntoIterator<Item = (K, Cid)>,
    ) -> Result<Self, RepoError> {
        let mut builder = Builder { open: Vec::new() };
        let mut last: Option<Key> = None;
        for (key, value) in entries {
            let key = key.as_ref();
            check_entry(key, &value)?;
            let key = Key::from(key);
            if last.as_ref().is_some_and(|last| *last >= key) {
                return Err(RepoError::Tree {
                    problem: "the records are not in ascending order of their keys",
                });
            }
            last = Some(key.clone());
            builder.push(key, value);
        }
        Ok(match builder.finish() {
            Some(Subtree::Loaded(root)) => Self::of_root(*root),
            _ => Self::new(),
        })
    }
}

/// The nodes that are not complete, by their layers. Those below the layer of the last key are closed when it comes.
struct Builder {
    open: Vec<Option<Branch>>,
}

impl Builder {
    fn push(&mut self, key: Key, value: Cid) {
        let layer = key.layer();
        if self.open.len() <= layer {
            self.open.resize_with(layer + 1, || None);
        }
        let below = self.close(layer);
        let branch = self.open[layer].get_or_insert_with(|| Branch::new(layer, None, Vec::new()));
        *branch.last_link() = below;
        branch.leaves.push(Leaf { key, value, right: None });
    }

    /// Closes the nodes below a layer. Returns the subtree that they are.
    fn close(&mut self, layer: usize) -> Link {
        let mut below = None;
        for (layer, open) in self.open.iter_mut().enumerate().take(layer) {
            below = match open.take() {
                Some(mut branch) => {
                    *branch.last_link() = below;
                    Some(Subtree::Loaded(Box::new(branch)))
                }
                None if below.is_some() => {
                    Some(Subtree::Loaded(Box::new(Branch::new(layer, below, Vec::new()))))
                }
                None => None,
            };
        }
        below
    }

    fn finish(mut self) -> Link {
        // The highest is that of the highest key.
        self.close(self.open.len())
    }
}
