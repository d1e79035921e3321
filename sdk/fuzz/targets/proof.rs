//! Proofs of records: files of any bytes, and signed trees of any form.
#![no_main]

use atproto_sdk::{
    repo::{VerifyingKey, verify_record},
    types::{Cid, Data as _, Did, Nsid, RecordKey, Value},
};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
/// The public half of the key that is made of the byte 1, 32 times.
const KEY: &str = "zDnaeXxvmFHMHjqgQTbadpWG7gPHwnga1i7SMwxrV2BSdUjAD";

/// A file in the making.
#[derive(Default)]
struct Blocks(Vec<(Cid, Vec<u8>)>);

impl Blocks {
    fn put(&mut self, bytes: Vec<u8>) -> Cid {
        let cid = Cid::of_cbor(&bytes);
        self.0.push((cid.clone(), bytes));
        cid
    }

    /// The link to one of the blocks before.
    fn link(&self, number: u8) -> Value {
        self.0.get(usize::from(number)).map_or(Value::Null, |(cid, _)| Value::Link(cid.clone()))
    }

    fn car(&self, root: &Cid) -> Vec<u8> {
        let header =
            Value::from([("roots", vec![Value::Link(root.clone())].into()), ("version", Value::Integer(1))]);
        let mut car = Vec::new();
        section(&mut car, &header.to_cbor().expect("it is data"));
        for (cid, bytes) in &self.0 {
            section(&mut car, &[&cid.as_bytes().expect("it is blessed")[..], bytes].concat());
        }
        car
    }
}

fn section(car: &mut Vec<u8>, bytes: &[u8]) {
    let mut length = bytes.len();
    while length >= 0x80 {
        car.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    car.push(length as u8);
    car.extend_from_slice(bytes);
}

/// A tree whose nodes are made as the input says, each of entries that link to nodes before; then the commit.
fn signed(mut input: &[u8]) -> Vec<u8> {
    let mut blocks = Blocks::default();
    let mut root = blocks.put(vec![0xa0]);
    while let [left, count, rest @ ..] = input {
        input = rest;
        let mut entries = Vec::new();
        for _ in 0..count % 8 {
            let [shared, length, value, right, rest @ ..] = input else { break };
            let (key, rest) = rest.split_at(usize::from(length % 32).min(rest.len()));
            input = rest;
            entries.push(Value::from([
                ("p", Value::Integer((*shared).into())),
                ("k", Value::Bytes(key.to_vec().into())),
                ("v", blocks.link(*value)),
                ("t", blocks.link(*right)),
            ]));
        }
        let node = Value::from([("l", blocks.link(*left)), ("e", entries.into())]);
        root = blocks.put(node.to_cbor().expect("it is data"));
    }
    let commit = |signature: Option<Vec<u8>>| {
        let mut fields = vec![
            ("did", Value::from(DID)),
            ("version", Value::Integer(3)),
            ("data", Value::Link(root.clone())),
            ("rev", Value::from("3jzfcijpj2z2a")),
            ("prev", Value::Null),
        ];
        fields.extend(signature.map(|bytes| ("sig", Value::Bytes(bytes.into()))));
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Map(fields.collect()).to_cbor().expect("it is data")
    };
    let key = SigningKey::from_slice(&[1; 32]).expect("it is a key");
    let signature: Signature = key.sign(&commit(None));
    let commit = blocks.put(commit(Some(signature.normalize_s().to_bytes().to_vec())));
    blocks.car(&commit)
}

fuzz_target!(|bytes: &[u8]| {
    let key = VerifyingKey::from_multibase(KEY).expect("it is a key");
    let did = Did::new(DID).expect("it is a DID");
    let collection = Nsid::new("a.b.c").expect("it is an NSID");
    for rkey in ["d", "e", "47"] {
        let rkey = RecordKey::new(rkey).expect("it is a record key");
        let prove = |car: &[u8]| verify_record(car, &did, &key, &collection, &rkey);
        assert!(!matches!(prove(bytes), Ok(Some(_))), "nobody has signed this");
        match prove(&signed(bytes)) {
            Ok(Some(record)) => assert_eq!(Cid::of_cbor(&record.bytes), record.cid),
            Ok(None) => {}
            Err(error) => drop(format!("{error} {error:?}")),
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = VerifyingKey::from_multibase(text)
    {
        assert_eq!(key.to_multibase(), text);
    }
});
