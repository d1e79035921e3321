//! The tree of records (a Merkle search tree, MST).
//!
//! A key belongs to the layer that its hash determines, all keys of a node are in the same layer, and a subtree is in the
//! layer below. Therefore a tree with the same records has only one form, and a key that is not where it belongs is not
//! in the tree at all.

mod find;
mod node;

pub(super) use find::find;
#[cfg(test)]
pub(super) use node::layer_of;
