//! The keys of the tree in their order, from blocks that are stored.

use super::super::{
    RepoError, StoredBlocks,
    storage::Wanted,
    tree::{Key, NODE, Node, NodeEntry},
    walk::{Answer, LARGEST_BATCH, Step, Walk},
};
use crate::types::Cid;

/// How many nodes are read together at first, and at most.
const NODES: (usize, usize) = (16, 2048);

/// The keys of the tree, which need not be those of records.
#[derive(Debug)]
pub(super) struct Keys {
    walk: Walk,
    has_ended: bool,
    /// How many nodes are read together next time.
    nodes: usize,
}

impl Keys {
    pub(super) fn new(walk: Walk) -> Self {
        Self { walk, has_ended: false, nodes: NODES.0 }
    }

    /// The position in the tree, for who reads the blocks himself.
    pub(super) fn walk(&mut self) -> &mut Walk {
        &mut self.walk
    }

    /// Ends here.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Returns the next key and the CID of its record.
    pub(super) fn next(&mut self, blocks: &StoredBlocks) -> Option<Result<(Key, Cid), RepoError>> {
        while !self.has_ended {
            if self.walk.can_expand() && blocks.is_scattered() {
                self.read_nodes(blocks);
            }
            let error = match self.walk.step() {
                Step::End => {
                    self.has_ended = true;
                    return None;
                }
                Step::Record { key, cid } => return Some(Ok((key, cid))),
                Step::Missing(cid) => return Some(Err(RepoError::MissingBlock { what: NODE, cid })),
                Step::Failed(error) => error.into(),
                Step::Node(cid) => match self.enter(&cid, blocks) {
                    Ok(true) => continue,
                    Ok(false) => return Some(Err(RepoError::MissingBlock { what: NODE, cid })),
                    Err(error) => error,
                },
            };
            self.has_ended = true;
            return Some(Err(error));
        }
        None
    }

    /// Goes into a node, and returns whether it is there.
    fn enter(&mut self, cid: &Cid, blocks: &StoredBlocks) -> Result<bool, RepoError> {
        match blocks.get(cid)? {
            Some(block) => self.walk.enter(&block).map(|()| true),
            None => Ok(false),
        }
    }

    /// Reads the next nodes together.
    fn read_nodes(&mut self, blocks: &StoredBlocks) {
        let cids = self.walk.nodes_ahead(self.nodes);
        self.nodes = (2 * self.nodes).min(NODES.1);
        let places = blocks.places(cids.iter());
        let mut answers = Vec::with_capacity(cids.len());
        let mut wanted = Vec::with_capacity(cids.len());
        for (number, place) in places.into_iter().enumerate() {
            answers.push(if place.is_some() { Answer::Later } else { Answer::Missing });
            wanted.extend(place.map(|place| Wanted { place, number }));
        }
        let mut memory = 0;
        blocks.read_together(
            wanted,
            |number| cids.get(number),
            |number, block| {
                // The first one is needed in any case. What does not fit is read again.
                if number > 0 && memory > LARGEST_BATCH {
                    return;
                }
                answers[number] = match block.map(|block| block.map(Node::decode)) {
                    Ok(Some(Ok(node))) => {
                        if number > 0 {
                            memory += memory_of(&node);
                        }
                        Answer::Node(node)
                    }
                    Ok(None) => Answer::Missing,
                    Ok(Some(Err(error))) | Err(error) => Answer::Failed(error),
                };
            },
        );
        self.walk.expand(answers);
    }
}

fn memory_of(node: &Node) -> usize {
    let keys: usize = node.entries.iter().map(|entry| entry.key.as_bytes().len()).sum();
    keys + node.entries.len() * size_of::<NodeEntry>()
}
