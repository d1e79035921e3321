//! The way from the root to a key.

use super::{
    super::{Blocks, RepoError, blocks::required},
    key::Key,
    node::{NODE, Node, layer_of},
};
use crate::types::Cid;

/// Returns the value of a key, or `None` if the tree certainly does not have it.
pub(in crate::repo) fn find(
    blocks: &(impl Blocks + ?Sized),
    root: &Cid,
    key: &str,
) -> Result<Option<Cid>, RepoError> {
    let wanted = layer_of(key.as_bytes());
    let (mut next, mut expected) = (root.clone(), None);
    let (mut low, mut high): (Option<Key>, Option<Key>) = (None, None);
    // Ends, because every round is one layer lower than the one before.
    loop {
        let mut node = <Node>::decode(&required(blocks, &next, NODE)?)?;
        let Some(layer) = node.layer(expected)? else { return Ok(None) };
        node.check_bounds(low.as_ref().map(Key::as_bytes), high.as_ref().map(Key::as_bytes))?;
        let place = node.entries.partition_point(|entry| entry.key.as_bytes() < key.as_bytes());
        if layer <= wanted {
            // Below its own layer, no key is in its place.
            let found = node.entries.into_iter().nth(place).filter(|entry| *entry.key == *key);
            return Ok(found.map(|entry| entry.value));
        }
        let after = node.entries.get(place).map(|entry| entry.key.clone());
        let before = place.checked_sub(1).map(|place| node.entries.swap_remove(place));
        let subtree = match before {
            None => node.left,
            Some(entry) => {
                low = Some(entry.key);
                entry.right
            }
        };
        let Some(subtree) = subtree else { return Ok(None) };
        (next, expected, high) = (subtree, Some(layer - 1), after.or(high));
    }
}
