//! CAR files and repositories: files of any bytes in pieces of any size, and files with the blocks of trees of any form.
#![no_main]

use atproto_sdk::{
    repo::{ArrivingRepository, CarDecoder, ReadOptions, Repository},
    types::{Cid, Data as _, Value},
};
use libfuzzer_sys::fuzz_target;

fn section(car: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        car.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    car.push(length as u8);
    car.extend_from_slice(bytes);
}

/// A file with these blocks, the last of which is the root.
fn file(blocks: &[Vec<u8>]) -> Vec<u8> {
    let root = blocks.last().map_or_else(|| Cid::of_cbor(b""), |block| Cid::of_cbor(block));
    let header = Value::from([("roots", vec![Value::Link(root)].into()), ("version", Value::Integer(1))]);
    let mut car = Vec::new();
    section(&mut car, &header.to_cbor().expect("it is data"));
    for block in blocks {
        let cid = Cid::of_cbor(block);
        section(&mut car, &[&cid.as_bytes().expect("it is blessed")[..], block].concat());
    }
    car
}

/// A commit without a valid signature over a tree whose nodes are made as the input says, of links to blocks before them.
fn tree(mut input: &[u8]) -> Vec<Vec<u8>> {
    let mut blocks = vec![vec![0xa0], b"\xff".to_vec()];
    let link = |blocks: &[Vec<u8>], number: u8| match blocks.get(usize::from(number)) {
        Some(block) => Value::Link(Cid::of_cbor(block)),
        None if number == 255 => Value::Link(Cid::of_cbor(b"missing")),
        None => Value::Null,
    };
    while let [left, count, rest @ ..] = input {
        input = rest;
        let mut entries = Vec::new();
        for _ in 0..count % 8 {
            let [shared, length, value, right, rest @ ..] = input else { break };
            let (key, rest) = rest.split_at(usize::from(length % 32).min(rest.len()));
            input = rest;
            // Half of the keys are those of records.
            let key = if length & 64 == 0 { key.to_vec() } else { [b"a.b.c/", key].concat() };
            entries.push(Value::from([
                ("p", Value::Integer((*shared % 16).into())),
                ("k", Value::Bytes(key.into())),
                ("v", link(&blocks, value % 8)),
                ("t", link(&blocks, *right)),
            ]));
        }
        let node = Value::from([("l", link(&blocks, *left)), ("e", entries.into())]);
        blocks.push(node.to_cbor().expect("it is data"));
    }
    let root = Value::Link(Cid::of_cbor(blocks.last().expect("there are two")));
    let commit = Value::from([
        ("did", Value::from("did:plc:ewvi7nxzyoun6zhxrhs64oiz")),
        ("version", Value::Integer(3)),
        ("data", root),
        ("rev", Value::from("3jzfcijpj2z2a")),
        ("prev", Value::Null),
        ("sig", Value::Bytes(vec![0; 64].into())),
    ]);
    blocks.push(commit.to_cbor().expect("it is data"));
    blocks
}

fn decode(file: &[u8], piece: usize, options: &ReadOptions) -> Option<Vec<(Cid, Vec<u8>, u64)>> {
    let mut decoder = CarDecoder::with(options);
    let mut blocks = Vec::new();
    for piece in file.chunks(piece.max(1)) {
        decoder.feed(piece);
        while let Some(block) = decoder.next_block().ok()? {
            assert!(block.cid == Cid::of_cbor(&block.data) || block.cid == Cid::of_raw(&block.data));
            assert!(block.offset < decoder.position() && decoder.position() <= file.len() as u64);
            blocks.push((block.cid, block.data.to_vec(), block.offset));
        }
    }
    decoder.finish().ok()?;
    Some(blocks)
}

/// Reads everything in every way; the ways agree.
fn read(file: &[u8], piece: usize) {
    let options = ReadOptions::new().max_blocks(1000).max_block_size(100_000).max_size(1 << 20).memory(4096);
    let in_pieces = decode(file, piece, &options);
    assert_eq!(in_pieces, decode(file, file.len(), &options));
    let opened = Repository::open_bytes_with(file.to_vec(), &options);
    if let Ok(repository) = opened {
        assert!(in_pieces.is_some());
        let entries: Vec<_> = repository.entries().collect();
        let keys: Vec<_> = entries
            .iter()
            .filter_map(|entry| entry.as_ref().ok())
            .map(|entry| format!("{}/{}", entry.collection, entry.rkey))
            .collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{keys:?}");
        let missing = repository.missing_blocks().filter(Result::is_ok).count();
        for record in repository.all_records() {
            match record {
                Ok(record) => {
                    let block = record.value.to_cbor().expect("it was decoded");
                    assert_eq!(Cid::of_cbor(&block), record.cid);
                }
                Err(error) => drop(format!("{error} {error:?} {missing}")),
            }
        }
        for entry in entries.into_iter().flatten().take(4) {
            let _ = repository.get(&entry.collection, &entry.rkey);
            let _ = repository.entries_in(&entry.collection).count();
        }
        let _ = repository.collections();
        arriving(file, piece, &options, &keys);
    }
}

/// The same records come, or an error, if the file is read while it arrives.
fn arriving(file: &[u8], piece: usize, options: &ReadOptions, keys: &[String]) {
    let pieces: Vec<_> = file.chunks(piece.max(1)).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let future = async {
        let stream = futures_util::stream::iter(pieces);
        let mut repository = ArrivingRepository::open_with(stream, options).await.expect("it can be opened");
        let (mut found, mut failed) = (0, 0);
        while let Some(record) = repository.next().await {
            match record {
                Ok(_) => found += 1,
                Err(_) => failed += 1,
            }
        }
        assert!(found <= keys.len() && found + failed >= keys.len().min(1));
    };
    futures_util::FutureExt::now_or_never(future).expect("everything is there");
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, rest)) = bytes.split_first() else { return };
    read(rest, usize::from(first));
    let mut blocks = tree(rest);
    read(&file(&blocks), usize::from(first));
    // In another order, with one of them missing.
    let commit = blocks.pop().expect("the commit is there");
    blocks.remove(usize::from(first) % blocks.len());
    blocks.reverse();
    blocks.push(commit);
    read(&file(&blocks), 64);
});
