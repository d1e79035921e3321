//! Whole trees that no honest repository has.

use std::collections::BTreeMap;

use super::{
    super::walk::{self, Answer, Step, Walk},
    build::{self, Key, entry, node, put},
    *,
};

/// The first key of a layer from a number on.
fn key_in(layer: usize, from: usize) -> String {
    (from..).map(|number| format!("com.example.x/{number:07}")).find(|key| layer_of(key) == layer).unwrap()
}

/// Opens a repository with a tree made by hand, and walks through it.
fn walk(make: impl FnOnce(&mut BTreeMap<Cid, Vec<u8>>, &Cid) -> Cid) -> Vec<Result<Entry, RepoError>> {
    let mut blocks = BTreeMap::new();
    let value = put(&mut blocks, &Value::from([("n", Value::Integer(1))]));
    let data = make(&mut blocks, &value);
    let commit = put(&mut blocks, &build::commit(&Key::p256(1), &data, None));
    let repository = Repository::open_bytes(build::car(&commit, &blocks)).unwrap();
    // Whatever the tree is, nothing goes on for ever.
    let _ = repository.all_records().count();
    let _ = repository.missing_blocks().count();
    let _ = repository.collections();
    let entries: Vec<_> = repository.entries().collect();
    for count in [1, 2, 5, 1000] {
        together(&blocks, &data, count, &entries);
    }
    entries
}

/// Goes the same way with so many nodes at once, some of which come later.
fn together(
    blocks: &BTreeMap<Cid, Vec<u8>>,
    root: &Cid,
    count: usize,
    expected: &[Result<Entry, RepoError>],
) {
    let mut walk = Walk::new(root.clone());
    let (mut keys, mut end) = (Vec::new(), None);
    for turn in 0.. {
        if walk.can_expand() {
            let nodes = walk.nodes_ahead(count);
            assert!((1..=count).contains(&nodes.len()));
            let answer =
                |(number, cid): (usize, &Cid)| match blocks.get(cid).map(|block| tree::Node::decode(block)) {
                    _ if number > 0 && (number + turn) % 3 == 0 => Answer::Later,
                    None => Answer::Missing,
                    Some(Ok(node)) => Answer::Node(node),
                    Some(Err(error)) => Answer::Failed(error),
                };
            let answers = nodes.iter().enumerate().map(answer).collect();
            walk.expand(answers);
            continue;
        }
        match walk.step() {
            Step::Record { key, cid } => keys.push((key.to_string(), cid)),
            Step::Failed(error) => end = Some(error.into()),
            Step::End => break,
            step => panic!("{step:?}"),
        }
    }
    // Keys that are not those of records are of no interest to a walk.
    let is_key = |item: &&Result<Entry, RepoError>| !matches!(item, Err(RepoError::Key { .. }));
    let (read, failed): (Vec<_>, Vec<_>) = expected.iter().filter(is_key).partition(|item| item.is_ok());
    let entry = |item: &Result<Entry, RepoError>| {
        let entry = item.as_ref().unwrap();
        (format!("{}/{}", entry.collection, entry.rkey), entry.cid.clone())
    };
    let read: Vec<_> = read.into_iter().map(entry).collect();
    assert_eq!(keys.len() - read.len(), expected.iter().filter(|item| !is_key(item)).count());
    keys.retain(|key| read.contains(key));
    assert_eq!(keys, read, "{count} together");
    assert_eq!(end.map(Err).as_ref(), failed.first().copied(), "{count} together");
}

fn problem(entries: &[Result<Entry, RepoError>]) -> String {
    entries.last().unwrap().as_ref().unwrap_err().to_string()
}

#[test]
fn e6_subtrees_that_are_where_they_do_not_belong_end_the_walk() {
    let (top, below) = (key_in(2, 0), key_in(1, 0));
    let behind = (0..).map(|from| key_in(1, from)).find(|key| *key > top).unwrap();
    let lowest = key_in(0, 0);
    assert!(below < top && lowest < top);
    // Left of the entry, but greater.
    let entries = walk(|blocks, value| {
        let left = put(blocks, &node(None, vec![entry(0, &behind, value, None)]));
        put(blocks, &node(Some(&left), vec![entry(0, &top, value, None)]))
    });
    assert!(problem(&entries).contains("between those around it"));
    // Right of the entry, but less; what came before it has been given.
    let entries = walk(|blocks, value| {
        let right = put(blocks, &node(None, vec![entry(0, &below, value, None)]));
        put(blocks, &node(None, vec![entry(0, &top, value, Some(&right))]))
    });
    assert_eq!(entries.len(), 2);
    assert!(problem(&entries).contains("between those around it"));
    // The same key again.
    let entries = walk(|blocks, value| {
        let right = put(blocks, &node(None, vec![entry(0, &top, value, None)]));
        put(blocks, &node(None, vec![entry(0, &top, value, Some(&right))]))
    });
    assert!(problem(&entries).contains("layer"));
    // Two layers below.
    let entries = walk(|blocks, value| {
        let left = put(blocks, &node(None, vec![entry(0, &lowest, value, None)]));
        put(blocks, &node(Some(&left), vec![entry(0, &top, value, None)]))
    });
    assert!(problem(&entries).contains("layer below"));
}

/// A bound of a node further up holds for all below it.
#[test]
fn e6_a_key_deep_in_the_tree_is_within_the_bounds_of_all_above_it() {
    let top = key_in(2, 0);
    let middle = (0..).map(|from| key_in(1, from)).find(|key| *key > top).unwrap();
    let too_small = key_in(0, 0);
    assert!(too_small < top);
    let entries = walk(|blocks, value| {
        let lowest = put(blocks, &node(None, vec![entry(0, &too_small, value, None)]));
        let right = put(blocks, &node(Some(&lowest), vec![entry(0, &middle, value, None)]));
        put(blocks, &node(None, vec![entry(0, &top, value, Some(&right))]))
    });
    assert!(problem(&entries).contains("between those around it"));
}

/// The same subtree everywhere would be a tree of any size from a few blocks.
#[test]
fn e6_a_subtree_cannot_be_in_a_tree_twice() {
    let mut top: Vec<String> = (0..3).map(|number| key_in(1, number * 50)).collect();
    top.dedup();
    let lowest = (0..).map(|from| key_in(0, from)).find(|key| *key > top[0]).unwrap();
    let entries = walk(|blocks, value| {
        let below = put(blocks, &node(None, vec![entry(0, &lowest, value, None)]));
        let mut before = String::new();
        let entries = top.iter().map(|key| {
            let shared = before.bytes().zip(key.bytes()).take_while(|(a, b)| a == b).count();
            before.clone_from(key);
            entry(shared as i64, &key[shared..], value, Some(&below))
        });
        let entries = entries.collect();
        put(blocks, &node(None, entries))
    });
    assert!(problem(&entries).contains("between those around it"));
}

#[test]
fn e6_deep_chains_of_nodes_without_entries_end() {
    let lowest = key_in(0, 0);
    for (depth, is_valid) in [(3, true), (200, false)] {
        let entries = walk(|blocks, value| {
            let mut below = put(blocks, &node(None, vec![entry(0, &lowest, value, None)]));
            for _ in 0..depth {
                below = put(blocks, &node(Some(&below), vec![]));
            }
            let key = key_in(4, 0);
            put(blocks, &node(Some(&below), vec![entry(0, &key, value, None)]))
        });
        assert_eq!(entries.iter().all(Result::is_ok), is_valid, "{depth}: {entries:?}");
    }
    // The chain leads to nothing.
    let entries = walk(|blocks, value| {
        let hollow = put(blocks, &node(None, vec![]));
        put(blocks, &node(Some(&hollow), vec![entry(0, &key_in(1, 0), value, None)]))
    });
    assert!(problem(&entries).contains("no entries"));
}

#[test]
fn e6_a_key_that_is_not_that_of_a_record_is_an_error_in_its_place() {
    for key in
        ["noslash", "com.example/short", "com.example.x/", "com.example.x/a/b", "com.example.x/.", "/a"]
    {
        let after = (0..).map(|n| format!("z.example.x/{n}")).find(|it| layer_of(it) == layer_of(key));
        let after = after.unwrap();
        let entries = walk(|blocks, value| {
            put(blocks, &node(None, vec![entry(0, key, value, None), entry(0, &after, value, None)]))
        });
        let [wrong, right] = &entries[..] else { panic!("{key}: {entries:?}") };
        assert!(matches!(wrong, Err(RepoError::Key { key: found, .. }) if found == key), "{wrong:?}");
        assert_eq!(format!("{}/{}", right.as_ref().unwrap().collection, right.as_ref().unwrap().rkey), after);
    }
}

/// Keys that share nearly everything: a small node becomes a large one.
#[test]
fn e6_nodes_whose_keys_take_too_much_memory_are_refused() {
    let prefix = format!("com.example.x/{}", "a".repeat(400));
    let keys = (0..200).map(|number| format!("{prefix}{number:06}"));
    let keys: Vec<String> = keys.filter(|key| layer_of(key) == 0).collect();
    let value = Cid::of_raw(b"");
    let mut encoder = tree::Encoder::new(keys.len());
    for key in &keys {
        encoder.entry(key.as_bytes(), &value, None);
    }
    let block = encoder.finish(None);
    let memory = keys.iter().map(String::len).sum::<usize>();
    assert!(memory > 3 * block.len(), "{} bytes", block.len());
    let enter = |limit: usize| {
        let mut walk = Walk::new(Cid::of_cbor(&block)).within(limit);
        walk.step();
        walk.enter(&block)
    };
    enter(walk::MAX_MEMORY).unwrap();
    let error = enter(memory).unwrap_err();
    assert!(error.to_string().contains("more memory than is allowed"), "{error}");
}
