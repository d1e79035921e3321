//! Trees, beside a plain map and a tree that is made of it in the simplest way.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    super::{tree::find, *},
    build,
    random::Random,
};

type Records = BTreeMap<String, Cid>;
type Stored = BTreeMap<Cid, Vec<u8>>;

/// Few keys, so that they are often changed again, some of which are high up: they divide subtrees over several layers.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut keys: Vec<String> = (0..120).map(|number| format!("com.example.thing/{number:03}")).collect();
    let high = (0..12_000).map(|number| format!("com.example.thing/{:03}x{number}", number % 120));
    keys.extend(high.filter(|key| layer_of(key) >= 4).take(30));
    let top = (0..).map(|number| format!("com.example.top/{number}"));
    keys.extend(top.filter(|key| layer_of(key) >= 6).take(2));
    keys
});

fn root_of(records: &Records) -> Cid {
    build::Tree::of(records).root
}

/// Applies random changes to a tree and to the map.
fn change<B: Blocks>(random: &mut Random, tree: &mut Tree<B>, records: &mut Records) {
    let key = &KEYS[random.below(KEYS.len())];
    if random.below(5) < 2 {
        assert_eq!(tree.remove(key).unwrap(), records.remove(key), "{key}");
    } else {
        let cid = if random.below(8) == 0 { Cid::of_cbor(b"same") } else { random.cid() };
        assert_eq!(tree.insert(key, cid.clone()).unwrap(), records.insert(key.clone(), cid), "{key}");
    }
}

#[test]
fn e6_a_tree_is_the_same_whatever_has_happened_to_it() {
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (mut tree, mut records) = (Tree::new(), Records::new());
        for step in 0..150 {
            change(&mut random, &mut tree, &mut records);
            assert_eq!(tree.root(), root_of(&records), "seed {seed}, step {step}");
        }
        assert_eq!(Tree::from_sorted(records.clone()).unwrap().root(), root_of(&records), "seed {seed}");
        // Emptied in another order than it was filled.
        while let Some(key) = records.keys().nth(random.below(records.len().max(1))).cloned() {
            assert_eq!(tree.remove(&key).unwrap(), records.remove(&key), "seed {seed}");
            assert_eq!(tree.root(), root_of(&records), "seed {seed}, without {key}");
        }
        assert_eq!(tree.root(), Tree::new().root());
    }
}

#[test]
fn e6_what_is_handed_out_is_what_has_to_be_stored() {
    for seed in 0..30 {
        let mut random = Random::new(1000 + seed);
        let (mut stored, mut records) = (Stored::new(), Records::new());
        let first = Tree::new().take_changes();
        stored.extend(first.added.into_iter().map(|(cid, block)| (cid, block.to_vec())));
        let mut root = first.root;
        for commit in 0..25 {
            let mut tree = Tree::open(&stored, root.clone());
            for _ in 0..random.below(12) {
                change(&mut random, &mut tree, &mut records);
                if random.below(3) == 0 {
                    tree.root();
                }
            }
            let changes = tree.take_changes();
            let again = tree.take_changes();
            assert!(again.added.is_empty() && again.removed.is_empty(), "seed {seed}");
            for cid in &changes.removed {
                assert!(stored.remove(cid).is_some(), "seed {seed}, commit {commit}: {cid} was not there");
            }
            for (cid, block) in changes.added {
                assert_eq!(stored.insert(cid, block.to_vec()), None, "seed {seed}, commit {commit}: not new");
            }
            root = changes.root;
            let simple = build::Tree::of(&records);
            assert_eq!((&root, &stored), (&simple.root, &simple.blocks), "seed {seed}, commit {commit}");
        }
    }
}

#[test]
fn e6_values_are_found_and_walked_in_order_in_memory_and_in_blocks() {
    for seed in 0..10 {
        let mut random = Random::new(2000 + seed);
        let (mut tree, mut records) = (Tree::new(), Records::new());
        (0..100).for_each(|_| change(&mut random, &mut tree, &mut records));
        let simple = build::Tree::of(&records);
        let mut opened = Tree::open(&simple.blocks, simple.root.clone());
        // Partly in memory.
        (0..5).for_each(|_| change(&mut random, &mut opened, &mut records));
        for key in &*KEYS {
            assert_eq!(opened.get(key).unwrap().as_ref(), records.get(key), "seed {seed}: {key}");
        }
        let walked: Vec<_> = opened.entries().collect::<Result<_, _>>().unwrap();
        assert_eq!(walked, records.into_iter().collect::<Vec<_>>(), "seed {seed}");
    }
}

/// What differs in two maps.
fn difference(old: &Records, new: &Records) -> Vec<Operation> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let operation = |path: &String| {
        let action = match (old.get(path).cloned(), new.get(path).cloned()) {
            (None, Some(cid)) => Action::Create { cid },
            (Some(prev), Some(cid)) if prev != cid => Action::Update { cid, prev },
            (Some(prev), None) => Action::Delete { prev },
            _ => return None,
        };
        Some(Operation::new(path, action))
    };
    paths.into_iter().filter_map(operation).collect()
}

#[test]
fn e6_a_diff_is_what_differs_in_the_records() {
    for seed in 0..40 {
        let mut random = Random::new(3000 + seed);
        let (mut old, mut before) = (Tree::new(), Records::new());
        (0..random.below(150)).for_each(|_| change(&mut random, &mut old, &mut before));
        let simple = build::Tree::of(&before);
        let (mut new, mut after) = (Tree::open(&simple.blocks, simple.root.clone()), before.clone());
        (0..random.below(30)).for_each(|_| change(&mut random, &mut new, &mut after));
        let found: Vec<_> = old.diff(&mut new).collect::<Result<_, _>>().unwrap();
        assert_eq!(found, difference(&before, &after), "seed {seed}");
        let back: Vec<_> = new.diff(&mut old).collect::<Result<_, _>>().unwrap();
        assert_eq!(back, difference(&after, &before), "seed {seed}");
    }
}

/// Blocks that note which of them are read.
struct Counted<'a>(&'a Stored, RefCell<BTreeSet<Cid>>);

impl Blocks for Counted<'_> {
    fn block(&self, cid: &Cid) -> Result<Option<Cow<'_, [u8]>>, RepoError> {
        self.1.borrow_mut().insert(cid.clone());
        self.0.block(cid)
    }
}

#[test]
fn e6_a_diff_reads_little_more_than_the_nodes_that_differ() {
    let record = |number: usize| (format!("com.example.thing/{number:05}"), Cid::of_cbor(&[number as u8]));
    let before: Records = (0..20_000).map(record).collect();
    let mut after = before.clone();
    after.insert("com.example.thing/05000".into(), Cid::of_cbor(b"changed"));
    after.insert("com.example.thing/09000x".into(), Cid::of_cbor(b"created"));
    after.remove("com.example.thing/12345");
    let (old, new) = (build::Tree::of(&before), build::Tree::of(&after));
    let differing = new.blocks.keys().filter(|cid| !old.blocks.contains_key(cid)).count();
    let read = |blocks| Counted(blocks, RefCell::default());
    let (mut a, mut b) = (Tree::open(read(&old.blocks), old.root), Tree::open(read(&new.blocks), new.root));
    assert_eq!(a.diff(&mut b).count(), 3);
    let (a, b) = (a.blocks().1.borrow().len(), b.blocks().1.borrow().len());
    let most = differing + 3 * 8;
    assert!(a <= most && b <= most, "{a} and {b} nodes of {} read, {differing} differ", old.blocks.len());
}

#[test]
fn e6_a_proof_is_enough_to_find_a_record_or_that_there_is_none() {
    for seed in 0..10 {
        let mut random = Random::new(4000 + seed);
        let (mut tree, mut records) = (Tree::new(), Records::new());
        (0..80).for_each(|_| change(&mut random, &mut tree, &mut records));
        let root = tree.root();
        for key in &*KEYS {
            let TreeProof { value, nodes } = tree.proof(key).unwrap();
            assert_eq!(value.as_ref(), records.get(key));
            assert_eq!(nodes.first().map(|(cid, _)| cid), Some(&root));
            let alone: Stored = nodes.into_iter().collect();
            assert!(alone.iter().all(|(cid, block)| Cid::of_cbor(block) == *cid));
            assert_eq!(find(&alone, &root, key).unwrap(), value, "seed {seed}: {key}");
        }
    }
}

/// What is below the last leaf of the root may have no leaves itself, and must not become the root.
#[test]
fn e6_the_last_key_of_a_root_is_not_removed_without_what_is_below() {
    let mut keys = (0..).map(|number| format!("com.example.thing/{number}"));
    let high = keys.find(|key| layer_of(key) >= 2).unwrap();
    let low = keys.find(|key| layer_of(key) == 0).unwrap();
    let mut tree = Tree::new();
    let value = Cid::of_cbor(b"one");
    tree.insert(&high, value.clone()).unwrap();
    tree.insert(&low, value.clone()).unwrap();
    let changes = tree.take_changes();
    let all: BTreeMap<Cid, _> = changes.added.iter().cloned().collect();
    for (missing, _) in &changes.added[..changes.added.len() - 1] {
        let mut blocks = all.clone();
        blocks.remove(missing);
        let mut opened = Tree::open(&blocks, changes.root.clone());
        let error = opened.remove(&high).unwrap_err();
        assert!(matches!(&error, RepoError::MissingBlock { cid, .. } if cid == missing), "{error}");
        assert_eq!(opened.root(), changes.root);
        assert_eq!(opened.get(&high).unwrap(), Some(value.clone()));
    }
    let mut opened = Tree::open(&all, changes.root.clone());
    opened.remove(&high).unwrap();
    let mut expected = Tree::new();
    expected.insert(&low, value).unwrap();
    assert_eq!(opened.root(), expected.root());
}

#[test]
fn e10_with_covering_proofs_every_set_of_operations_can_be_undone_and_redone() {
    for seed in 0..60 {
        let mut random = Random::new(5000 + seed);
        let (mut tree, mut before) = (Tree::new(), Records::new());
        (0..random.below(200)).for_each(|_| change(&mut random, &mut tree, &mut before));
        let mut after = before.clone();
        (0..1 + random.below(10)).for_each(|_| change(&mut random, &mut tree, &mut after));
        let mut operations = difference(&before, &after);
        let mut slice = Stored::new();
        for operation in &operations {
            slice.append(&mut tree.covering_proof(&operation.path).unwrap());
        }
        // As the verification does it: what was deleted first.
        operations.sort_by_key(|operation| operation.cid().is_some());
        let mut alone = Tree::open_slice(&slice, tree.root());
        for operation in &operations {
            let found = match operation.prev() {
                Some(prev) => alone.insert(&operation.path, prev.clone()),
                None => alone.remove(&operation.path),
            };
            assert_eq!(found.unwrap().as_ref(), operation.cid(), "seed {seed}: {}", operation.path);
        }
        if !operations.is_empty() {
            assert_eq!(alone.root(), root_of(&before), "seed {seed}");
        }
    }
}

#[test]
fn e6_a_change_that_fails_changes_nothing() {
    let mut failures = 0;
    for seed in 0..40 {
        let mut random = Random::new(6000 + seed);
        let (mut tree, mut records) = (Tree::new(), Records::new());
        (0..120).for_each(|_| change(&mut random, &mut tree, &mut records));
        let mut simple = build::Tree::of(&records);
        let all = simple.blocks.clone();
        for _ in 0..4 {
            let gone = simple.blocks.keys().nth(random.below(simple.blocks.len())).cloned().unwrap();
            simple.blocks.remove(&gone);
        }
        let mut partial = Tree::open(&simple.blocks, simple.root.clone());
        let mut changed = records.clone();
        for _ in 0..40 {
            let key = &KEYS[random.below(KEYS.len())];
            let root = partial.root();
            let cid = random.cid();
            let (result, now) = if random.below(2) == 0 {
                let result = partial.remove(key);
                (result, None)
            } else {
                (partial.insert(key, cid.clone()), Some(cid))
            };
            match result {
                Ok(value) => {
                    assert_eq!(value.as_ref(), changed.get(key), "seed {seed}");
                    match now {
                        Some(cid) => drop(changed.insert(key.clone(), cid)),
                        None => drop(changed.remove(key)),
                    }
                }
                Err(error) => {
                    assert!(matches!(error, RepoError::MissingBlock { .. }), "{error}");
                    assert_eq!(partial.root(), root, "seed {seed}");
                    failures += 1;
                }
            }
        }
        // The same tree over all blocks.
        let added = partial.take_changes();
        let mut whole = all;
        whole.extend(added.added.into_iter().map(|(cid, block)| (cid, block.to_vec())));
        let found: Records = Tree::open(&whole, added.root).entries().collect::<Result<_, _>>().unwrap();
        assert_eq!(found, changed, "seed {seed}");
    }
    assert!(failures > 100, "{failures}");
}

#[test]
fn e6_what_cannot_be_in_a_tree_is_refused() {
    let mut tree = Tree::new();
    let cid = Cid::of_cbor(b"");
    let other: Cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq".parse().unwrap();
    assert!(tree.insert("com.example.raw/1", other).is_ok());
    for key in [String::new(), "a".repeat(831)] {
        assert!(matches!(tree.insert(&key, cid.clone()), Err(RepoError::Name(_))));
        assert_eq!(tree.get(&key), Ok(None));
        assert_eq!(tree.remove(&key), Ok(None));
    }
    let sha512 = "bafyrgqhai26anf3i7pips7q22coa4sz2fr4gk4q4sqdtymvvjyginfzaqewveaeqdh524nsktaq43j65v22xxrybrtertmcfxufdam3da3hbk";
    assert!(matches!(tree.insert("com.example.other/1", sha512.parse().unwrap()), Err(RepoError::Name(_))));
    let unsorted = [("b", cid.clone()), ("a", cid.clone())];
    assert!(matches!(Tree::from_sorted(unsorted), Err(RepoError::Tree { .. })));
    assert!(matches!(Tree::from_sorted([("a", cid.clone()), ("a", cid)]), Err(RepoError::Tree { .. })));
}

/// The keys of a hostile tree can be in any layer, and layers can be as many as a hash has pairs of bits: here, all of those
/// that can be found quickly.
#[test]
fn e6_trees_with_many_layers_between_keys_are_built_changed_and_walked() {
    let key = |layer: usize| {
        let mut keys = (0..).map(|number| format!("com.example.deep/{number}"));
        keys.find(|key| layer_of(key) == layer).unwrap()
    };
    let mut records = Records::new();
    let mut tree = Tree::new();
    for layer in [0, 7, 3, 6, 1] {
        records.insert(key(layer), Cid::of_cbor(&[layer as u8]));
        tree.insert(&key(layer), Cid::of_cbor(&[layer as u8])).unwrap();
        assert_eq!(tree.root(), root_of(&records), "{layer}");
    }
    for layer in [7, 1, 6, 0, 3] {
        tree.remove(&key(layer)).unwrap();
        records.remove(&key(layer));
        assert_eq!(tree.root(), root_of(&records), "{layer}");
    }
}
