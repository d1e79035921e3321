//! CAR files with their blocks in any order, and streams of them.

use std::{collections::BTreeMap, pin::pin, task::Poll};

use bytes::Bytes;
use futures_util::{FutureExt as _, Stream, stream};

use super::build::{self, Repo, put, section};
use crate::types::{Cid, Data as _, Value, from_cbor};

pub(super) type Block = (Cid, Vec<u8>);

/// A file with these roots and blocks.
pub(super) fn file<'a>(roots: &[Cid], blocks: impl IntoIterator<Item = &'a Block>) -> Vec<u8> {
    let roots = roots.iter().map(|root| Value::Link(root.clone())).collect();
    let header = Value::from([("roots", Value::List(roots)), ("version", Value::Integer(1))]);
    let mut out = Vec::new();
    section(&mut out, &[&header.to_cbor().unwrap()]);
    for (cid, data) in blocks {
        section(&mut out, &[cid.as_bytes().unwrap(), data]);
    }
    out
}

/// The blocks of a repository in the order of its tree, the commit first. A record that occurs twice is there twice.
pub(super) fn in_order(repo: &Repo) -> Vec<Block> {
    let mut all = repo.tree.blocks.clone();
    let commit = put(&mut all, &build::commit(&repo.key, &repo.tree.root, None));
    let mut ordered = vec![(commit.clone(), all[&commit].clone())];
    visit(&all, &repo.tree.root, &mut ordered);
    ordered
}

fn visit(all: &BTreeMap<Cid, Vec<u8>>, node: &Cid, ordered: &mut Vec<Block>) {
    ordered.push((node.clone(), all[node].clone()));
    let value: Value = from_cbor(&all[node]).unwrap();
    if let Some(Value::Link(left)) = value.get("l") {
        visit(all, left, ordered);
    }
    let Some(Value::List(entries)) = value.get("e") else { panic!("no entries") };
    for entry in entries {
        let Some(Value::Link(record)) = entry.get("v") else { panic!("no record") };
        ordered.push((record.clone(), all[record].clone()));
        if let Some(Value::Link(right)) = entry.get("t") {
            visit(all, right, ordered);
        }
    }
}

/// The same in another order, which depends on the seed.
pub(super) fn shuffled(mut blocks: Vec<Block>, mut seed: u64) -> Vec<Block> {
    for last in (1..blocks.len()).rev() {
        // A linear congruential generator (Knuth).
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        blocks.swap(last, (seed >> 33) as usize % (last + 1));
    }
    blocks
}

/// A stream of pieces of so many bytes.
pub(super) fn pieces(file: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let pieces: Vec<_> = file.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    stream::iter(pieces)
}

/// What a future gives that never has to wait.
pub(super) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("everything is there")
}

/// The same, of which each piece has to be waited for.
pub(super) fn slow_pieces(file: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let pieces: Vec<_> = file.chunks(size).map(Bytes::copy_from_slice).collect();
    let (mut pieces, mut is_there) = (pieces.into_iter(), true);
    stream::poll_fn(move |_| {
        is_there = !is_there;
        if is_there { Poll::Ready(pieces.next().map(Ok)) } else { Poll::Pending }
    })
}

/// What a future gives that is asked again and again.
pub(super) fn patiently<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    loop {
        if let Some(value) = future.as_mut().now_or_never() {
            return value;
        }
    }
}
