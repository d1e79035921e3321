//! CAR files in pieces, at their limits, and damaged.

use super::{
    build::{Key, Repo},
    files::{Block, file, in_order, now, pieces},
    keys, *,
};

fn blocks() -> Vec<Block> {
    // Lengths around those at which the length of the length changes.
    [0, 1, 90, 91, 92, 200, 16_347, 16_348, 40_000]
        .into_iter()
        .map(|length| {
            let data = vec![length as u8; length];
            (if length % 2 == 0 { Cid::of_cbor(&data) } else { Cid::of_raw(&data) }, data)
        })
        .collect()
}

fn read(file: &[u8], size: usize, options: &ReadOptions) -> Result<Vec<CarBlock>, RepoError> {
    now(async {
        let mut reader = CarReader::open_with(pieces(file, size), options).await?;
        let mut blocks = Vec::new();
        while let Some(block) = reader.next().await? {
            blocks.push(block);
        }
        assert_eq!(reader.next().await, Ok(None), "after the end");
        Ok(blocks)
    })
}

#[test]
fn e6_a_car_file_is_the_same_in_pieces_of_any_size() {
    let (blocks, root) = (blocks(), Cid::of_cbor(b"root"));
    let file = file(std::slice::from_ref(&root), &blocks);
    for size in [1, 2, 3, 7, 37, 100, 4096, file.len() - 1, file.len()] {
        let found = read(&file, size, &ReadOptions::new()).unwrap();
        assert_eq!(found.len(), blocks.len());
        for (found, (cid, data)) in found.iter().zip(&blocks) {
            assert_eq!((&found.cid, &found.data[..]), (cid, &data[..]), "in pieces of {size}");
            // Where its length is: before the CID.
            let start = found.offset as usize;
            let from_cid = file[start..].windows(36).position(|bytes| bytes == cid.as_bytes().unwrap());
            assert!(from_cid.unwrap() <= 4, "{found:?}");
        }
    }
    let reader = now(CarReader::open(pieces(&file, 10))).unwrap();
    assert_eq!(reader.roots(), [root]);
}

#[test]
fn e6_a_car_file_that_ends_within_a_block_is_refused_at_that_block() {
    let blocks = &blocks()[..5];
    let whole = file(&[], blocks);
    let ends: Vec<usize> = (0..=blocks.len()).map(|count| file(&[], &blocks[..count]).len()).collect();
    for end in 0..whole.len() {
        let result = read(&whole[..end], 64, &ReadOptions::new());
        if ends.contains(&end) {
            assert!(result.is_ok(), "{end}: {result:?}");
            continue;
        }
        let start = ends.iter().rev().find(|start| **start < end).copied().unwrap_or(0);
        match result {
            Err(RepoError::Car { offset, problem: "it is cut off" | "it is empty" }) => {
                assert_eq!(offset, start as u64, "cut off at {end}");
            }
            other => panic!("cut off at {end}: {other:?}"),
        }
    }
}

#[test]
fn d4_a_block_with_one_wrong_bit_is_refused_with_its_position() {
    let blocks = blocks();
    let before = file(&[], &blocks[..3]).len();
    let mut file = file(&[], &blocks);
    // The last bit of the CID, and the first of the data.
    for at in [before + 1 + 35, before + 1 + 36] {
        file[at] ^= 1;
        match read(&file, 50, &ReadOptions::new()) {
            Err(RepoError::WrongHash { offset, .. }) => assert_eq!(offset, before as u64),
            other => panic!("{other:?}"),
        }
        file[at] ^= 1;
    }
}

#[test]
fn e6_what_exceeds_a_limit_is_refused_before_it_is_kept() {
    let file = file(&[], &blocks());
    let refused = |options: ReadOptions, expected: &str, limit: u64| match read(&file, 1000, &options) {
        Err(RepoError::TooLarge { what, limit: found, .. }) => assert_eq!((what, found), (expected, limit)),
        other => panic!("{expected}: {other:?}"),
    };
    refused(ReadOptions::new().max_block_size(39_999), "a section of the CAR file", 39_999 + 36);
    refused(ReadOptions::new().max_blocks(8), "the number of blocks", 8);
    refused(ReadOptions::new().max_size(file.len() as u64 - 1), "the CAR file", file.len() as u64 - 1);
    let just = ReadOptions::new().max_block_size(40_000).max_blocks(9).max_size(file.len() as u64);
    assert_eq!(read(&file, 1000, &just).unwrap().len(), 9);

    // A length of 200 MB, of which nothing follows: refused at once, not when it has arrived.
    let mut decoder = CarDecoder::new();
    decoder.feed(&super::files::file(&[], []));
    decoder.feed(&[0x80, 0x80, 0x80, 0x60]);
    assert!(matches!(decoder.next_block(), Err(RepoError::TooLarge { .. })));
    // A header of a megabyte.
    let mut decoder = CarDecoder::new();
    decoder.feed(&[0x80, 0x80, 0x40]);
    assert!(matches!(decoder.next_block(), Err(RepoError::TooLarge { limit: 4096, .. })));
}

#[test]
fn e6_lengths_and_cids_of_other_forms_are_refused() {
    let header = file(&[], []);
    let with = |bytes: &[u8]| read(&[&header[..], bytes].concat(), 5, &ReadOptions::new()).unwrap_err();
    for (bytes, problem) in [
        (&[0x80, 0x80, 0x80, 0x80, 0x01][..], "a length has more than four bytes"),
        (&[0], "a block is shorter than a CID"),
        (&[3, 1, 2, 3], "a block is shorter than a CID"),
    ] {
        assert_eq!(with(bytes), RepoError::Car { offset: header.len() as u64, problem });
    }
    // Another codec, another hash function.
    for (at, byte) in [(1, 0x70), (2, 0x13), (0, 2), (3, 31)] {
        let mut cid = *Cid::of_cbor(b"").as_bytes().unwrap();
        cid[at] = byte;
        let error = with(&[&[36][..], &cid].concat());
        assert!(error.to_string().contains("CID"), "{error}");
    }
}

#[test]
fn e6_an_error_of_the_stream_is_told_as_its_cause() {
    let file = Repo::new(Key::p256(1), &keys()).car();
    let broken = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "the cable was cut");
    let stream = futures_util::stream::iter([Ok(file[..500].to_vec()), Err(broken())]);
    let error = now(Repository::open(stream)).unwrap_err();
    let RepoError::Source(source) = &error else { panic!("{error:?}") };
    let cause = source.get_ref().downcast_ref::<std::io::Error>().unwrap();
    assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(crate::Report::new(error).to_string(), "the repository cannot be read: the cable was cut");
}

#[test]
fn e6_the_decoder_holds_one_block_and_not_the_file() {
    let repo = Repo::new(Key::p256(1), &keys());
    let file = file(&[], &in_order(&repo));
    let mut decoder = CarDecoder::new();
    let mut found = 0;
    for byte in &file {
        decoder.feed(&[*byte]);
        while let Some(block) = decoder.next_block().unwrap() {
            assert!(block.offset < decoder.position());
            found += 1;
        }
    }
    assert_eq!((found, decoder.position()), (in_order(&repo).len(), file.len() as u64));
    decoder.finish().unwrap();
}

#[test]
fn e6_blocks_of_a_file_in_memory_are_found_by_their_whole_cid() {
    let mut blocks: Vec<Block> = (0..300_u32)
        .map(|number| {
            let data = number.to_be_bytes().to_vec();
            (Cid::of_cbor(&data), data)
        })
        .collect();
    // The same bytes once more, with another codec and so with the same hash, and twice the same block.
    let raw = |(_, data): &Block| (Cid::of_raw(data), data.clone());
    let others: Vec<Block> = blocks.iter().step_by(3).map(raw).collect();
    blocks.extend(others);
    blocks.extend(blocks[..7].to_vec());
    let file = file(&[Cid::of_cbor(b"root")], &blocks);
    let car = Car::parse(&file).unwrap();
    for (cid, data) in &blocks {
        assert_eq!(car.get(cid), Some(&data[..]));
    }
    assert_eq!(car.get(&Cid::of_raw(&1_u32.to_be_bytes())), None);
    assert_eq!(car.get(&Cid::of_cbor(b"something else")), None);
}
