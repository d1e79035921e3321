//! Whole repositories: from memory, a temporary file and a file on disk, in any order of their blocks.

use std::{fs, io::Write as _};

use super::{
    build::{Key, Repo, did, path, put},
    files::{Block, file, in_order, now, pieces, shuffled},
    keys, *,
};
use crate::{
    api::com::atproto::lexicon::schema::Schema,
    types::{AtUri, Data as _, Record as _},
};

/// Records of several collections, one of which has records of a type.
fn repo() -> Repo {
    let mut keys = keys();
    keys.extend((0..100).map(|number| format!("com.example.a/{number:02}")));
    keys.extend((0..40).map(|number| format!("com.example.thingx/{number:02}")));
    keys.push("app.example.first/self".to_owned());
    let mut repo = Repo::new(Key::k256(3), &keys);
    for number in 0..30 {
        let record = match number {
            // Not of the type, and not valid at all.
            7 => Value::from([
                ("$type", Value::from("com.atproto.lexicon.schema")),
                ("lexicon", Value::from("one")),
            ]),
            _ => Value::from([
                ("$type", Value::from("com.atproto.lexicon.schema")),
                ("lexicon", Value::Integer(number)),
            ]),
        };
        let cid = put(&mut repo.tree.blocks, &record);
        repo.records.insert(format!("com.atproto.lexicon.schema/com.example.n{number:02}"), cid);
    }
    let garbage = b"\xff\xff".to_vec();
    let cid = Cid::of_cbor(&garbage);
    repo.tree.blocks.insert(cid.clone(), garbage);
    repo.records.insert("com.atproto.lexicon.schema/com.example.n30".to_owned(), cid);
    let mut tree = Tree::of(&repo.records);
    tree.blocks.append(&mut repo.tree.blocks);
    Repo { tree, ..repo }
}

fn root(blocks: &[Block]) -> Cid {
    blocks[0].0.clone()
}

/// Opens the same file in every way there is.
fn each_way(file: &[u8], mut check: impl FnMut(&str, Repository)) {
    let options = ReadOptions::new;
    check("bytes", Repository::open_bytes(file.to_vec()).unwrap());
    check("a stream in memory", now(Repository::open(pieces(file, 999))).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for memory in [0, 1000] {
        let options = options().memory(memory).folder(folder.path());
        check("a temporary file", now(Repository::open_with(pieces(file, 999), &options)).unwrap());
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no temporary file is left");
    let path = folder.path().join("repo.car");
    fs::write(&path, file).unwrap();
    check("a file", Repository::open_file_with(&path, &options()).unwrap());
    assert_eq!(fs::read(path).unwrap(), file, "the file is as it was");
}

#[test]
fn e6_records_come_in_the_order_of_their_keys_whatever_the_order_of_the_blocks() {
    let repo = repo();
    let blocks = in_order(&repo);
    let mut reversed = blocks.clone();
    reversed.reverse();
    for ordered in [blocks.clone(), reversed, shuffled(blocks.clone(), 1), shuffled(blocks.clone(), 2)] {
        each_way(&file(&[root(&blocks)], &ordered), |way, repository| {
            let found: Vec<(String, Cid)> = repository
                .entries()
                .map(|entry| entry.map(|entry| (format!("{}/{}", entry.collection, entry.rkey), entry.cid)))
                .collect::<Result<_, _>>()
                .unwrap();
            let expected: Vec<_> = repo.records.clone().into_iter().collect();
            assert_eq!(found, expected, "{way}");
            repository.verify(&did(), &repo.key.public()).unwrap();
            assert_eq!(repository.missing_blocks().count(), 0, "{way}");
            assert_eq!(repository.did(), &did());
            assert_eq!((repository.root(), repository.data()), (&root(&blocks), &repo.tree.root));
        });
    }
}

#[test]
fn e6_every_record_is_found_and_no_other() {
    let repo = repo();
    let blocks = shuffled(in_order(&repo), 5);
    let car = file(&[root(&in_order(&repo))], &blocks);
    each_way(&car, |way, repository| {
        for (key, cid) in repo.records.iter().step_by(5) {
            let (collection, rkey) = path(key);
            match repository.get(&collection, &rkey) {
                Ok(Some(record)) => {
                    assert_eq!(&record.cid, cid, "{way}");
                    assert_eq!(record.uri, AtUri::record(&did(), &collection, &rkey));
                    assert_eq!(record.rkey, rkey);
                    assert_eq!(Cid::of_cbor(&record.value.to_cbor().unwrap()), *cid);
                }
                Err(RecordError::Undecodable(_)) => assert!(key.ends_with("n30"), "{way}: {key}"),
                other => panic!("{way}: {key}: {other:?}"),
            }
            let (collection, rkey) = path(&format!("{key}x"));
            assert_eq!(repository.get(&collection, &rkey), Ok(None), "{way}");
        }
    });
}

#[test]
fn e6_the_records_of_a_type_are_those_of_its_collection() {
    let repo = repo();
    let blocks = in_order(&repo);
    each_way(&file(&[root(&blocks)], &blocks), |way, repository| {
        let (mut read, mut failed) = (Vec::new(), Vec::new());
        for record in repository.records::<Schema>() {
            match record {
                Ok(record) => read.push((record.rkey.to_string(), record.value.lexicon)),
                Err(RecordError::Undecodable(record)) => failed.push(record),
                Err(error) => panic!("{way}: {error}"),
            }
        }
        let expected: Vec<_> =
            (0..30).filter(|number| *number != 7).map(|n| (format!("com.example.n{n:02}"), n)).collect();
        assert_eq!(read, expected, "{way}");
        // What cannot be decoded says which one it is, and is there as it is.
        let [wrong, garbage] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!(wrong.uri.rkey(), Some("com.example.n07"));
        assert!(wrong.source.to_string().starts_with("lexicon: "), "{}", wrong.source);
        assert_eq!(wrong.value().unwrap().get("lexicon").unwrap().as_json(), "\"one\"");
        assert_eq!(garbage.uri.rkey(), Some("com.example.n30"));
        assert_eq!((&garbage.bytes[..], garbage.value()), (&b"\xff\xff"[..], None));
        assert_eq!(garbage.cid, repo.records["com.atproto.lexicon.schema/com.example.n30"]);

        let rkey = RecordKey::new("com.example.n12").unwrap();
        assert_eq!(repository.record::<Schema>(&rkey).unwrap().unwrap().value.lexicon, 12);
        let rkey = RecordKey::new("com.example.n7").unwrap();
        assert_eq!(repository.record::<Schema>(&rkey), Ok(None));
    });
}

/// `com.example.thing` is the beginning of `com.example.thingx`.
#[test]
fn e6_a_collection_whose_name_begins_another_one_ends_where_it_ends() {
    let repo = repo();
    let repository = Repository::open_bytes(repo.car()).unwrap();
    let names =
        ["app.example.first", Schema::COLLECTION, "com.example.a", "com.example.thing", "com.example.thingx"];
    assert_eq!(repository.collections().unwrap(), names.map(|name| Nsid::new(name).unwrap()));
    for (name, count) in names.into_iter().zip([1, 31, 100, 300, 40]) {
        let name = Nsid::new(name).unwrap();
        let entries: Vec<_> = repository.entries_in(&name).collect::<Result<_, _>>().unwrap();
        assert_eq!(entries.len(), count, "{name}");
        assert!(entries.iter().all(|entry| entry.collection == name));
        assert_eq!(repository.records_in::<Value>(&name).count(), count);
    }
    let none = Nsid::new("com.example.th").unwrap();
    assert_eq!(repository.entries_in(&none).count(), 0);
    assert_eq!(repository.all_records().count(), repo.records.len());
}

#[test]
fn e6_missing_blocks_are_named_exactly_and_the_rest_is_read() {
    let repo = repo();
    let blocks = in_order(&repo);
    let whole: BTreeMap<&str, &Cid> = repo.records.iter().map(|(key, cid)| (key.as_str(), cid)).collect();
    for (number, (missing, _)) in blocks.iter().enumerate().skip(2).step_by(31) {
        let others = blocks.iter().filter(|(cid, _)| cid != missing);
        let repository = Repository::open_bytes(file(&[root(&blocks)], others)).unwrap();
        let found: Vec<_> = repository.missing_blocks().collect::<Result<_, _>>().unwrap();
        let keys: Vec<&str> = whole.iter().filter(|(_, cid)| *cid == &missing).map(|(key, _)| *key).collect();
        if keys.is_empty() {
            // A node of the tree: its records are not known.
            assert_eq!(found, [MissingBlock { cid: missing.clone(), record: None }], "{number}");
            let (read, failed): (Vec<_>, Vec<_>) = repository.entries().partition(Result::is_ok);
            assert_eq!(failed.len(), 1);
            assert!(matches!(&failed[0], Err(RepoError::MissingBlock { cid, .. }) if cid == missing));
            assert!(!read.is_empty() && read.len() < whole.len());
            continue;
        }
        let named: Vec<_> = found.iter().map(|block| block.record.as_ref().unwrap().to_string()).collect();
        let expected: Vec<_> = keys.iter().map(|key| format!("at://{}/{key}", did())).collect();
        assert_eq!(named, expected);
        let errors: Vec<_> = repository.all_records().filter_map(Result::err).collect();
        let is_named =
            |error: &RecordError| matches!(error, RecordError::Missing { cid, .. } if cid == missing);
        assert!(errors.iter().any(is_named), "{errors:?}");
        assert_eq!(repository.entries().filter(Result::is_ok).count(), whole.len());
    }
}

#[test]
fn e6_blocks_that_nothing_refers_to_and_repeated_ones_do_not_disturb() {
    let repo = repo();
    let blocks = in_order(&repo);
    let mut more: Vec<Block> = blocks.iter().cloned().chain(blocks.iter().cloned()).collect();
    for number in 0_u32..500 {
        let data = number.to_be_bytes().to_vec();
        more.push((Cid::of_raw(&data), data));
    }
    each_way(&file(&[root(&blocks), Cid::of_raw(b"another")], &shuffled(more, 9)), |way, repository| {
        let distinct: std::collections::BTreeSet<_> = blocks.iter().map(|(cid, _)| cid).collect();
        assert_eq!(repository.blocks().len(), distinct.len() + 500, "{way}");
        assert_eq!(repository.entries().filter(Result::is_ok).count(), repo.records.len(), "{way}");
        // The same bytes under the other codec are another block.
        let raw = Cid::of_raw(&blocks[5].1);
        assert_eq!(repository.blocks().get(&raw), Ok(None));
        assert_eq!(repository.blocks().contains(&raw), Ok(false));
        assert_eq!(repository.blocks().contains(&blocks[5].0), Ok(true));
    });
}

#[test]
fn e11_whose_repository_it_is_is_checked_with_the_signature() {
    let repo = repo();
    let repository = Repository::open_bytes(repo.car()).unwrap();
    repository.verify(&did(), &repo.key.public()).unwrap();
    let error = repository.verify(&did(), &Key::k256(4).public()).unwrap_err();
    assert!(matches!(error, RepoError::Signature { .. }), "{error}");
    // One key may serve several accounts.
    let other = Did::new("did:web:example.com").unwrap();
    let error = repository.verify(&other, &repo.key.public()).unwrap_err();
    assert!(matches!(error, RepoError::WrongRepository { .. }), "{error}");
}

#[test]
fn e6_an_empty_repository_has_no_records() {
    let repo = Repo::new(Key::p256(2), &[]);
    each_way(&repo.car(), |way, repository| {
        repository.verify(&did(), &repo.key.public()).unwrap();
        assert_eq!(repository.entries().count(), 0, "{way}");
        assert_eq!(repository.collections(), Ok(Vec::new()));
        assert_eq!(repository.missing_blocks().count(), 0);
    });
}

#[test]
fn e6_a_file_without_a_root_or_without_its_commit_is_no_repository() {
    let repo = repo();
    let blocks = in_order(&repo);
    let error = Repository::open_bytes(file(&[], &blocks)).unwrap_err();
    assert!(error.to_string().contains("names no root"), "{error}");
    let error = Repository::open_bytes(file(&[root(&blocks)], &blocks[1..])).unwrap_err();
    assert_eq!(error, RepoError::MissingBlock { what: "the commit", cid: root(&blocks) });
}

/// Another program writes to the file while it is open.
#[test]
fn e6_what_has_been_changed_in_an_open_file_is_not_believed() {
    let repo = repo();
    let blocks = in_order(&repo);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("repo.car");
    // So long that reading the commit does not read the rest ahead, which would be right still.
    let filler = vec![0; 200_000];
    let filler = (Cid::of_raw(&filler), filler);
    let car = file(&[root(&blocks)], [&blocks[0], &filler].into_iter().chain(&blocks[1..]));
    fs::write(&path, &car).unwrap();
    let repository = Repository::open_file(&path).unwrap();
    // The last byte of the file is that of the last record.
    let mut changed = car.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&changed).unwrap();
    let (collection, rkey) = path_of_last(&repo);
    let error = repository.get(&collection, &rkey).unwrap_err();
    assert!(matches!(error, RecordError::Repo(RepoError::Changed { .. })), "{error}");
    fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    let error = repository.get(&collection, &rkey).unwrap_err();
    assert!(matches!(error, RecordError::Repo(RepoError::Source(_))), "{error}");
}

fn path_of_last(repo: &Repo) -> (Nsid, RecordKey) {
    let last = in_order(repo).last().unwrap().0.clone();
    path(repo.records.iter().rev().find(|(_, cid)| **cid == last).unwrap().0)
}

#[cfg(feature = "client")]
#[tokio::test]
async fn e6_a_repository_is_read_from_a_connection() {
    let repo = repo();
    let car = repo.car();
    let (mut there, here) = tokio::io::duplex(100);
    let writer = tokio::spawn(async move {
        tokio::io::AsyncWriteExt::write_all(&mut there, &car).await.unwrap();
    });
    let repository = Repository::open_reader(here).await.unwrap();
    writer.await.unwrap();
    assert_eq!(repository.entries().count(), repo.records.len());
}

#[test]
fn e6_a_repository_is_written_in_the_order_of_its_tree_whatever_its_own_order() {
    let repo = repo();
    let blocks = in_order(&repo);
    let ordered = file(&[root(&blocks)], &blocks);
    for seed in [1, 2] {
        let shuffled = file(&[root(&blocks)], &shuffled(blocks.clone(), seed));
        let repository = Repository::open_bytes(shuffled).unwrap();
        assert_eq!(repository.write_car(Vec::new()).unwrap(), ordered);
    }
}

#[test]
fn e6_the_tree_of_a_repository_proves_and_its_editor_goes_on() {
    let repo = repo();
    let repository = Repository::open_bytes(repo.car()).unwrap();
    let key = "com.example.thing/0042";
    let proof = repository.tree().proof(key).unwrap();
    assert_eq!(proof.value.as_ref(), repo.records.get(key));
    let (collection, rkey) = path(key);
    let mut editor = repository.edit();
    editor.delete_untyped(&collection, &rkey).unwrap();
    let key = SigningKey::secp256k1_from_bytes(&[3; 32]).unwrap();
    assert_eq!(key.verifying_key(), repo.key.public());
    editor.commit(&key).unwrap();
    assert!(editor.get(&collection, &rkey).unwrap().is_none());
}
