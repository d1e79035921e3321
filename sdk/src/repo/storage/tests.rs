#![allow(clippy::unwrap_used)]

use std::io::Write as _;

use super::{
    super::RepoError,
    index::{Index, Place},
    source::Source,
    *,
};

/// CIDs whose hashes begin with the same eight bytes, as nobody can make them cheaply.
fn colliding(number: u8) -> Cid {
    let mut bytes = *Cid::of_cbor(b"").as_bytes().unwrap();
    bytes[35] = number;
    Cid::from_bytes(&bytes).unwrap()
}

fn places(index: &Index, cid: &Cid) -> Vec<u64> {
    index.places(cid.as_bytes().unwrap()).map(|place| place.start).collect()
}

#[test]
fn d4_hashes_that_begin_alike_are_told_apart() {
    let mut index = Index::default();
    let cids: Vec<Cid> = [1, 2, 1, 3, 1, 2].map(colliding).to_vec();
    for (number, cid) in cids.iter().enumerate() {
        index.push(cid, number as u64 * 100, 7);
    }
    let read = |place: Place| {
        assert_eq!(place.length, 7);
        Ok(Bytes::copy_from_slice(cids[place.start as usize / 100].as_bytes().unwrap()))
    };
    index.finish(read).unwrap();
    // The first of each.
    assert_eq!(places(&index, &colliding(1)), [0, 100, 300]);
    assert_eq!(index.len(), 3);
}

#[test]
fn d4_every_block_of_an_index_of_any_size_is_found() {
    for count in [0_u64, 1, 2, 3, 7, 8, 9, 100, 5000] {
        let cids: Vec<Cid> = (0..count).map(|number| Cid::of_cbor(&number.to_be_bytes())).collect();
        let mut index = Index::default();
        for (number, cid) in cids.iter().enumerate() {
            index.push(cid, number as u64, number);
        }
        index.finish(|_| panic!("none has to be read")).unwrap();
        for (number, cid) in cids.iter().enumerate() {
            assert_eq!(places(&index, cid), [number as u64], "{number} of {count}");
        }
        assert!(places(&index, &Cid::of_cbor(b"absent")).is_empty());
        // Many at once, in another order, with one that is not there.
        let mut all: Vec<Option<u64>> = (0..count).rev().map(Some).collect();
        all.push(None);
        let absent = Cid::of_cbor(b"absent");
        let wanted: Vec<&Cid> = cids.iter().rev().chain([&absent]).collect();
        let found = index.first_places(wanted.into_iter());
        assert_eq!(found.into_iter().map(|place| place.map(|place| place.start)).collect::<Vec<_>>(), all);
    }
    // Places at the ends of what an index can have.
    let mut index = Index::default();
    let (start, length) = ((1 << 40) - 1, (1 << 24) - 1);
    index.push(&colliding(0), start, length);
    index.finish(|_| panic!("none has to be read")).unwrap();
    let found: Vec<Place> = index.places(colliding(0).as_bytes().unwrap()).collect();
    assert_eq!(found, [Place { start, length }]);
}

#[test]
fn parts_of_a_file_are_the_same_in_any_order_of_reading() {
    let content: Vec<u8> = (0..1_000_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&content).unwrap();
    let source = Source::own_file(file);
    let parts = [
        (0, 10),
        (10, 100),
        (110, 70_000),
        (70_200, 60_000),
        (130_300, 60_000),
        (5, 3),
        (999_990, 10),
        (0, 0),
    ];
    for (start, length) in parts.into_iter().chain((0..5000).map(|number| (number * 190, 170))) {
        let part = source.read(start as u64, length).unwrap();
        assert_eq!(part, content[start..start + length], "{length} bytes at {start}");
    }
    for (start, length) in [(999_991, 10), (1_000_000, 1), (5_000_000, 1)] {
        let error = source.read(start, length).unwrap_err();
        assert!(matches!(error, RepoError::Source(_)), "{error}");
    }
}

#[test]
#[cfg(unix)]
fn a_temporary_file_has_no_name_and_only_its_owner_reads_it() {
    use std::os::unix::fs::MetadataExt as _;

    let folder = tempfile::tempdir().unwrap();
    let file = temporary::create(folder.path()).unwrap();
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.nlink(), metadata.mode() & 0o777), (0, 0o600));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(temporary::create(&folder.path().join("none")).is_err());
}

#[test]
fn where_no_temporary_file_can_be_the_error_names_the_folder() {
    let options = ReadOptions::new().memory(0).folder("/there is no such folder");
    let mut spool = Spool::new(&options);
    let error = spool.push(&Cid::of_raw(b""), b"").unwrap_err();
    let RepoError::Storage { folder, .. } = &error else { panic!("{error:?}") };
    assert_eq!(folder, std::path::Path::new("/there is no such folder"));
    let text = crate::Report::new(error).to_string();
    assert!(text.contains("a temporary file in /there is no such folder: make room there, or set"), "{text}");
}

/// Nobody can make such blocks cheaply, so the index is made to believe that there are some.
#[test]
fn d4_blocks_that_are_read_together_are_told_apart_and_may_be_wanted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions::new().memory(0).folder(folder.path());
    let mut spool = Spool::new(&options);
    let data = |number: u32| number.to_be_bytes().repeat(1 + number as usize % 700);
    let cids: Vec<Cid> = (0..2000).map(|number| Cid::of_raw(&data(number))).collect();
    for (number, cid) in cids.iter().enumerate() {
        spool.push(cid, &data(number as u32)).unwrap();
    }
    let mut decoder = CarDecoder::new();
    let header = b"\x3a\xa2eroots\x81\xd8\x2a\x58\x25\x00";
    decoder.feed(&[&header[..], cids[0].as_bytes().unwrap(), b"gversion\x01"].concat());
    assert!(decoder.next_block().unwrap().is_none());
    let blocks = spool.finish(&decoder).unwrap();
    let names: Vec<&Cid> = (0..4000).map(|number| &cids[number * 7919 % 2000]).collect();
    let mut wanted = Vec::new();
    for (number, place) in blocks.places(names.iter().copied()).into_iter().enumerate() {
        // Some are looked for where another one is.
        let other = blocks.places([&cids[5]].into_iter())[0];
        let place = if number % 10 == 3 { other } else { place };
        wanted.push(Wanted { place: place.unwrap(), number });
    }
    let mut seen = vec![0; names.len()];
    blocks.read_together(
        wanted,
        |number| names.get(number).copied(),
        |number, block| {
            assert_eq!(block.unwrap().unwrap(), data((number * 7919 % 2000) as u32), "{number}");
            seen[number] += 1;
        },
    );
    assert!(seen.iter().all(|count| *count == 1));
}
