//! Repositories that are read while they arrive.

use super::{
    build::{Key, Repo, did},
    files::{Block, file, in_order, now, patiently, pieces, shuffled, slow_pieces},
    keys, *,
};
use futures_util::FutureExt as _;

fn repo() -> Repo {
    let mut keys = keys();
    keys.extend((0..100).map(|number| format!("com.example.a/{number:02}")));
    Repo::new(Key::p256(5), &keys)
}

/// Reads to the end, and returns what came and whether it was in order.
fn read(
    car: &[u8],
    size: usize,
    options: &ReadOptions,
) -> (Vec<Result<RepoRecord<Unknown>, RecordError>>, bool) {
    now(async {
        let mut repository = ArrivingRepository::open_with(pieces(car, size), options).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = repository.next().await {
            records.push(record);
        }
        assert_eq!(repository.next().await, None, "after the end");
        (records, repository.is_in_order())
    })
}

fn check_all(repo: &Repo, records: &[Result<RepoRecord<Unknown>, RecordError>]) {
    let found: Vec<_> = records.iter().map(|record| record.as_ref().unwrap()).collect();
    let uris: Vec<_> = found.iter().map(|record| (record.uri.to_string(), record.cid.clone())).collect();
    let prefix = format!("at://{}/", did());
    let expected: Vec<_> =
        repo.records.iter().map(|(key, cid)| (format!("{prefix}{key}"), cid.clone())).collect();
    assert_eq!(uris, expected);
    for record in found {
        assert_eq!(Cid::of_cbor(&crate::types::Data::to_cbor(&record.value).unwrap()), record.cid);
    }
}

#[test]
fn e6_a_file_in_the_order_of_the_tree_is_read_without_being_kept() {
    let repo = repo();
    let blocks = in_order(&repo);
    let car = file(&[blocks[0].0.clone()], &blocks);
    for size in [1, 100, car.len()] {
        // Nothing may be kept, and nowhere is a place for a file.
        let options = ReadOptions::new().memory(0).folder("/there is no such folder");
        let (records, is_in_order) = read(&car, size, &options);
        check_all(&repo, &records);
        assert!(is_in_order);
    }
}

#[test]
fn e6_a_file_in_any_other_order_is_read_all_the_same() {
    let repo = repo();
    let blocks = in_order(&repo);
    let folder = tempfile::tempdir().unwrap();
    let mut reversed = blocks.clone();
    reversed.reverse();
    for ordered in [reversed, shuffled(blocks.clone(), 3), shuffled(blocks.clone(), 4)] {
        let car = file(&[blocks[0].0.clone()], &ordered);
        // Enough memory for all, for some, for none.
        for (memory, in_memory) in [(1 << 20, true), (2000, false), (0, false)] {
            let options = ReadOptions::new().memory(memory).folder(folder.path());
            let (records, is_in_order) = read(&car, 700, &options);
            check_all(&repo, &records);
            assert_eq!(is_in_order, in_memory, "with {memory} bytes");
        }
    }
}

#[test]
fn e6_blocks_between_that_nothing_refers_to_do_not_disturb_the_order() {
    let repo = repo();
    let blocks = in_order(&repo);
    let mut more: Vec<Block> = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        more.push(block.clone());
        if number % 10 == 0 {
            let data = format!("nobody needs {number}").into_bytes();
            more.push((Cid::of_raw(&data), data));
        }
    }
    let (records, is_in_order) = read(&file(&[blocks[0].0.clone()], &more), 700, &ReadOptions::new());
    check_all(&repo, &records);
    assert!(is_in_order);
}

/// An export has a block once or twice that two keys refer to.
#[test]
fn e6_a_record_under_two_keys_is_read_twice() {
    let mut repo = repo();
    let cid = repo.records["com.example.a/50"].clone();
    repo.records.insert("com.example.thing/0200x".to_owned(), cid.clone());
    let mut tree = Tree::of(&repo.records);
    tree.blocks.append(&mut repo.tree.blocks);
    repo.tree = tree;
    let twice = in_order(&repo);
    assert_eq!(twice.iter().filter(|block| block.0 == cid).count(), 2);
    let mut seen = std::collections::BTreeSet::new();
    let once: Vec<_> = twice.iter().filter(|block| seen.insert(block.0.clone())).cloned().collect();
    for blocks in [twice.clone(), once] {
        let car = file(&[twice[0].0.clone()], &blocks);
        check_all(&repo, &read(&car, 300, &ReadOptions::new().memory(0)).0);
    }
}

/// As `select!` and a time limit do.
#[test]
fn e6_a_call_that_is_dropped_while_it_waits_loses_nothing() {
    let repo = repo();
    let blocks = in_order(&repo);
    let mut other = shuffled(blocks[1..].to_vec(), 3);
    // What comes before the commit would be kept when the repository is opened.
    other.insert(0, blocks[0].clone());
    for ordered in [&blocks, &other] {
        let car = file(&[blocks[0].0.clone()], ordered);
        for memory in [1 << 20, 2000, 0] {
            let options = ReadOptions::new().memory(memory);
            let opened = ArrivingRepository::open_with(slow_pieces(&car, 100), &options);
            let mut repository = patiently(opened).unwrap();
            let (mut records, mut dropped) = (Vec::new(), 0);
            loop {
                match repository.next().now_or_never() {
                    Some(Some(record)) => records.push(record),
                    Some(None) => break,
                    None => dropped += 1,
                }
            }
            assert!(dropped > 100, "{dropped}");
            check_all(&repo, &records);
        }
    }
}

#[test]
fn e6_a_missing_block_is_an_error_in_its_place_and_the_rest_follows() {
    let repo = repo();
    let blocks = in_order(&repo);
    let missing = &repo.records["com.example.thing/0123"];
    let others = blocks.iter().filter(|(cid, _)| cid != missing);
    let (records, _) = read(&file(&[blocks[0].0.clone()], others), 300, &ReadOptions::new());
    assert_eq!(records.len(), repo.records.len());
    let errors: Vec<_> = records.iter().filter_map(|record| record.as_ref().err()).collect();
    let [RecordError::Missing { uri, cid }] = errors[..] else { panic!("{errors:?}") };
    assert_eq!((uri.rkey(), cid), (Some("0123"), missing));
}

#[test]
fn e6_a_file_that_is_cut_off_is_an_error_at_its_end() {
    let repo = repo();
    let blocks = in_order(&repo);
    let mut car = file(&[blocks[0].0.clone()], &blocks);
    // Also if it is only what nothing refers to that is cut off.
    let extra = (Cid::of_raw(b"extra"), b"extra".to_vec());
    let longer = file(&[blocks[0].0.clone()], blocks.iter().chain([&extra]));
    for cut in [&car[..car.len() - 3], &longer[..longer.len() - 3]] {
        let (records, _) = read(cut, 300, &ReadOptions::new());
        let last = records.last().unwrap();
        assert!(
            matches!(last, Err(RecordError::Repo(RepoError::Car { problem: "it is cut off", .. }))),
            "{last:?}"
        );
        assert!(records.len() >= repo.records.len() - 10);
    }
    // A wrong hash ends it as well.
    let middle = car.len() / 2;
    car[middle] ^= 1;
    let (records, _) = read(&car, 300, &ReadOptions::new());
    assert!(matches!(records.last().unwrap(), Err(RecordError::Repo(_))));
    assert!(records.len() < repo.records.len());
}

#[test]
fn e11_the_signature_is_checked_before_the_first_record() {
    let repo = repo();
    let blocks = in_order(&repo);
    let car = file(&[blocks[0].0.clone()], &blocks[..2]);
    let repository = now(ArrivingRepository::open(pieces(&car, 10))).unwrap();
    repository.verify(&did(), &repo.key.public()).unwrap();
    assert!(repository.verify(&did(), &Key::p256(6).public()).is_err());
    assert_eq!((repository.did(), repository.root()), (&did(), &blocks[0].0));
}
