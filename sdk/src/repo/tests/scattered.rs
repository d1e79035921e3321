//! Files whose blocks lie far apart for who reads them in the order of the tree, so that many are read together.

use std::{fs, io::Write as _};

use super::{
    build::{Key, Repo, did, put},
    files::{Block, file, in_order, now, pieces, shuffled},
    *,
};

/// Many records, some of which are large, in three collections.
fn repo() -> Repo {
    let mut repo = Repo::new(Key::p256(8), &[]);
    for number in 0..4500_i64 {
        let collection = ["com.example.a", "com.example.thing", "org.example.z"][number as usize / 1500];
        let length = if number % 500 == 250 { 60_000 } else { 100 + (number as usize * 37) % 300 };
        let record =
            Value::from([("n", Value::Integer(number)), ("text", Value::from("x".repeat(length).as_str()))]);
        let cid = put(&mut repo.tree.blocks, &record);
        repo.records.insert(format!("{collection}/{number:05}"), cid);
    }
    let mut tree = Tree::of(&repo.records);
    tree.blocks.append(&mut repo.tree.blocks);
    Repo { tree, ..repo }
}

/// What a reader is given: keys and CIDs, or the text of an error.
type Given = Vec<Result<(String, Cid), String>>;

fn given(records: impl Iterator<Item = Result<RepoRecord<Value>, RecordError>>) -> Given {
    let prefix = format!("at://{}/", did());
    let key = |record: RepoRecord<Value>| {
        assert!(record.value.get("n").is_some());
        (record.uri.to_string().split_off(prefix.len()), record.cid)
    };
    records.map(|record| record.map(key).map_err(|error| crate::Report::new(error).to_string())).collect()
}

fn all(repository: &Repository) -> Given {
    let unknown = |record: Result<RepoRecord<Unknown>, RecordError>| {
        record.map(|record| RepoRecord {
            uri: record.uri,
            rkey: record.rkey,
            cid: record.cid,
            value: value(&record.value),
        })
    };
    given(repository.all_records().map(unknown))
}

fn value(record: &Unknown) -> Value {
    crate::types::from_cbor(&crate::types::Data::to_cbor(record).unwrap()).unwrap()
}

/// The file on disk, and how it is opened with little memory for what is read ahead.
struct OnDisk {
    path: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl OnDisk {
    fn new(car: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("repo.car");
        fs::write(&path, car).unwrap();
        Self { path, _folder: folder }
    }

    fn open(&self) -> Repository {
        Repository::open_file_with(&self.path, &ReadOptions::new().memory(0)).unwrap()
    }

    fn overwrite(&self, car: &[u8]) {
        fs::OpenOptions::new().write(true).open(&self.path).unwrap().write_all(car).unwrap();
    }
}

fn root(blocks: &[Block]) -> Cid {
    blocks[0].0.clone()
}

#[test]
fn e6_records_that_are_read_together_come_in_the_order_of_their_keys() {
    let repo = repo();
    let blocks = in_order(&repo);
    let expected: Given = repo.records.clone().into_iter().map(Ok).collect();
    let mut reversed = blocks.clone();
    reversed.reverse();
    let mut half = shuffled(blocks[..blocks.len() / 2].to_vec(), 6);
    half.extend_from_slice(&blocks[blocks.len() / 2..]);
    for (ordered, is_scattered) in
        [(blocks.clone(), false), (reversed, true), (half, false), (shuffled(blocks.clone(), 7), true)]
    {
        let car = file(&[root(&blocks)], &ordered);
        let disk = OnDisk::new(&car);
        let repository = disk.open();
        assert!(all(&repository) == expected);
        assert_eq!(repository.blocks().is_scattered(), is_scattered);
        let names: Vec<String> = repository.collections().unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["com.example.a", "com.example.thing", "org.example.z"]);
        for name in names {
            let name = Nsid::new(name).unwrap();
            let of = |given: &Given| -> Given {
                let is_of = |item: &&Result<(String, Cid), String>| {
                    item.as_ref().unwrap().0.starts_with(name.as_str())
                };
                given.iter().filter(is_of).cloned().collect()
            };
            assert!(given(repository.records_in::<Value>(&name)) == of(&expected), "{name}");
            assert_eq!(repository.entries_in(&name).filter(Result::is_ok).count(), 1500);
        }
        assert_eq!(repository.missing_blocks().count(), 0);

        let options = ReadOptions::new().memory(0);
        let spooled = now(Repository::open_with(pieces(&car, 60_000), &options)).unwrap();
        assert!(all(&spooled) == expected);
        assert_eq!(spooled.blocks().is_scattered(), is_scattered);
        let arriving = now(async {
            let mut repository = ArrivingRepository::open_with(pieces(&car, 60_000), &options).await.unwrap();
            let mut uris = Vec::new();
            while let Some(record) = repository.next().await {
                uris.push(record.unwrap().uri.to_string());
            }
            uris
        });
        assert!(
            arriving.iter().eq(repo
                .records
                .keys()
                .map(|key| format!("at://{}/{key}", did()))
                .collect::<Vec<_>>()
                .iter())
        );
    }
}

/// The same as if each had been read by itself.
#[test]
fn e6_blocks_that_are_missing_among_those_read_together_are_errors_in_their_place() {
    let repo = repo();
    let blocks = in_order(&repo);
    let missing = |number: usize| number > 40 && number % 97 == 17;
    let is_node = |cid: &Cid| !repo.records.values().any(|record| record == cid);
    let gone: Vec<&Block> =
        blocks.iter().enumerate().filter(|(number, _)| missing(*number)).map(|it| it.1).collect();
    let nodes = gone.iter().filter(|(cid, _)| is_node(cid)).count();
    assert!(nodes > 0 && nodes < gone.len(), "{nodes} of {}", gone.len());
    let kept: Vec<Block> =
        blocks.iter().enumerate().filter(|(number, _)| !missing(*number)).map(|it| it.1.clone()).collect();
    let one_by_one = Repository::open_bytes(file(&[root(&blocks)], &kept)).unwrap();
    let expected = all(&one_by_one);
    // Records below a node that is missing are not known.
    assert!(expected.iter().filter(|item| item.is_err()).count() > gone.len() / 2);
    assert!(expected.len() > repo.records.len() / 2);
    let disk = OnDisk::new(&file(&[root(&blocks)], &shuffled(kept, 8)));
    let repository = disk.open();
    assert!(all(&repository) == expected);
    assert!(repository.blocks().is_scattered());
    let found: Vec<_> = repository.missing_blocks().collect::<Result<_, _>>().unwrap();
    assert_eq!(found, one_by_one.missing_blocks().collect::<Result<Vec<_>, _>>().unwrap());
    assert!(found.len() > gone.len() / 2);
}

/// Another program writes to the file while it is open.
#[test]
fn e6_what_has_been_changed_among_blocks_read_together_is_an_error_in_its_place() {
    let repo = repo();
    let blocks = in_order(&repo);
    let ordered = shuffled(blocks.clone(), 9);
    let car = file(&[root(&blocks)], &ordered);
    let disk = OnDisk::new(&car);
    let repository = disk.open();
    let records: BTreeMap<&Cid, &str> = repo.records.iter().map(|(key, cid)| (cid, key.as_str())).collect();
    // The last byte of some records: of their text, and nothing else.
    let mut changed = car.clone();
    let mut damaged = Vec::new();
    let mut end = car.len();
    for (number, (cid, data)) in ordered.iter().enumerate().rev() {
        if number % 50 == 3
            && let Some(key) = records.get(cid)
        {
            changed[end - 1] ^= 1;
            damaged.push((*key).to_owned());
        }
        end -= data.len()
            + 36
            + if data.len() + 36 < 128 {
                1
            } else if data.len() + 36 < 16_384 {
                2
            } else {
                3
            };
    }
    damaged.sort();
    assert!(damaged.len() > 50);
    disk.overwrite(&changed);
    let given = all(&repository);
    assert!(repository.blocks().is_scattered());
    assert_eq!(given.len(), repo.records.len());
    let mut failed = Vec::new();
    for (item, (key, cid)) in given.iter().zip(&repo.records) {
        match item {
            Ok(item) => assert_eq!(item, &(key.clone(), cid.clone())),
            Err(error) => {
                assert!(error.contains(&cid.to_string()) && error.contains("changed"), "{error}");
                failed.push(key.clone());
            }
        }
    }
    assert_eq!(failed, damaged);
}

/// What has been read by then is given, and the tree cannot be read to its end.
#[test]
fn e6_a_file_that_is_cut_off_while_blocks_are_read_together_is_an_error() {
    let repo = repo();
    let blocks = in_order(&repo);
    let car = file(&[root(&blocks)], &shuffled(blocks.clone(), 11));
    let disk = OnDisk::new(&car);
    let repository = disk.open();
    let mut records = repository.all_records();
    let mut read = records.by_ref().take(500).collect::<Vec<_>>();
    assert!(read.iter().all(Result::is_ok) && repository.blocks().is_scattered());
    fs::OpenOptions::new().write(true).open(&disk.path).unwrap().set_len(car.len() as u64 / 2).unwrap();
    read.extend(records.by_ref());
    assert_eq!(records.next(), None);
    assert!(read.len() < repo.records.len());
    let Some(Err(RecordError::Repo(RepoError::Source(_)))) = read.last() else { panic!("{:?}", read.last()) };
    // Each is in its place or an error.
    for (record, (key, cid)) in read.iter().zip(&repo.records) {
        match record {
            Ok(record) => {
                assert_eq!((&record.cid, record.uri.to_string()), (cid, format!("at://{}/{key}", did())))
            }
            Err(error) => assert!(matches!(error, RecordError::Repo(RepoError::Source(_))), "{error}"),
        }
    }
}

/// What is read ahead is limited, and is little for who wants little.
#[test]
fn e6_what_is_read_ahead_is_bounded() {
    let repo = repo();
    let blocks = in_order(&repo);
    let disk = OnDisk::new(&file(&[root(&blocks)], &shuffled(blocks.clone(), 10)));
    let repository = disk.open();
    let limit = ReadOptions::new().memory(0).ahead();
    assert_eq!(limit, 1 << 20);
    let mut records = repository.all_records();
    let (mut most, mut count) = (0, 0);
    while let Some(record) = records.next() {
        record.unwrap();
        count += 1;
        let memory = records.memory_ahead();
        assert!(memory <= limit, "{memory} bytes at {count}");
        assert!(count > 60 || memory <= 64 * 1000 + 60_000, "{memory} bytes at {count}");
        most = most.max(memory);
    }
    assert!(most > limit / 2, "{most}");
    assert_eq!(count, repo.records.len());
}
