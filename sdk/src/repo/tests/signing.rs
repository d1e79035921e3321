//! Keys of accounts and their signatures.

use super::super::*;
use crate::types::{Data as _, Value};

fn both(seed: u8) -> [SigningKey; 2] {
    [
        SigningKey::p256_from_bytes(&[seed; 32]).unwrap(),
        SigningKey::secp256k1_from_bytes(&[seed; 32]).unwrap(),
    ]
}

#[test]
fn e11_signatures_are_64_bytes_with_a_low_s_and_are_verified() {
    for seed in 1..20 {
        for key in both(seed) {
            for length in 0..20 {
                let message = vec![seed; length];
                let signature = key.sign(&message).unwrap();
                // A high S is refused.
                assert_eq!(key.verifying_key().verify(&message, &signature), Ok(()));
                assert_eq!(key.sign(&message).unwrap(), signature);
                let other = [&message[..], b"x"].concat();
                assert_eq!(key.verifying_key().verify(&other, &signature), Err(InvalidSignature::Mismatch));
            }
        }
    }
}

#[test]
fn e11_keys_are_read_in_every_form_in_which_they_are_written() {
    for key in [SigningKey::generate_p256().unwrap(), SigningKey::generate_secp256k1().unwrap()] {
        let bytes = key.to_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let (from_bytes, from_hex, upper) = if key.algorithm() == "ES256" {
            (
                SigningKey::p256_from_bytes(&bytes),
                SigningKey::p256_from_hex(&hex),
                SigningKey::p256_from_hex(&hex.to_uppercase()),
            )
        } else {
            (
                SigningKey::secp256k1_from_bytes(&bytes),
                SigningKey::secp256k1_from_hex(&hex),
                SigningKey::secp256k1_from_hex(&hex.to_uppercase()),
            )
        };
        let multibase = key.to_multibase();
        let prefix = if key.algorithm() == "ES256" { "z42t" } else { "z3vL" };
        assert!(multibase.starts_with(prefix), "{}", &multibase[..4]);
        for read in [from_bytes, from_hex, upper, SigningKey::from_multibase(&multibase)] {
            let read = read.unwrap();
            assert_eq!(read.to_bytes(), bytes);
            assert_eq!(read.verifying_key(), key.verifying_key());
            assert_eq!(read.algorithm(), key.algorithm());
        }
    }
}

#[test]
fn e11_what_is_no_private_key_is_refused_without_showing_it() {
    let secret = "deadbeef".repeat(8);
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let public = both(3)[0].verifying_key().to_multibase();
    for result in [
        SigningKey::p256_from_bytes(&[0; 32]),
        SigningKey::secp256k1_from_bytes(&[0xff; 32]),
        SigningKey::p256_from_hex(order),
        SigningKey::p256_from_hex(&secret[1..]),
        SigningKey::secp256k1_from_hex(&secret.replace('d', "g")),
        SigningKey::secp256k1_from_hex(&format!("{secret}00")),
        SigningKey::secp256k1_from_hex(&"é".repeat(32)),
        SigningKey::from_multibase(""),
        SigningKey::from_multibase("z"),
        SigningKey::from_multibase(&secret),
        SigningKey::from_multibase(&public),
        SigningKey::from_multibase(&format!("{}1", *both(3)[0].to_multibase())),
    ] {
        let error = result.unwrap_err();
        assert!(matches!(error, SigningKeyError::Invalid { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("dead"), "{error}");
    }
}

#[test]
fn debug_shows_only_the_public_key() {
    for key in both(9) {
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SigningKey({})", key.verifying_key().to_did_key()));
        assert!(!shown.contains("0909") && !shown.contains(&**key.to_multibase()));
    }
}

#[test]
fn e11_a_commit_has_the_fields_of_version_3_and_is_decoded_as_it_was_signed() {
    let did = super::did();
    let rev = Tid::from_parts(1_767_323_045_678_000, 7);
    let data = Tree::new().root();
    for key in both(4) {
        let commit = Commit::sign(&did, &rev, &data, &key).unwrap();
        let value = Value::from([
            ("did", Value::from(did.as_str())),
            ("version", Value::Integer(3)),
            ("data", Value::Link(data.clone())),
            ("rev", Value::from(rev.as_str())),
            ("prev", Value::Null),
        ]);
        assert_eq!(commit.signed_bytes(), value.to_cbor().unwrap());
        let Value::Map(mut fields) = value else { unreachable!() };
        fields.insert("sig".to_owned(), Value::Bytes(commit.signature().to_vec().into()));
        assert_eq!(commit.as_bytes(), Value::Map(fields).to_cbor().unwrap());
        assert_eq!(commit.cid(), Cid::of_cbor(commit.as_bytes()));
        let decoded = Commit::decode(commit.as_bytes()).unwrap();
        assert_eq!(decoded, commit);
        decoded.verify(&key.verifying_key()).unwrap();
        assert_eq!((decoded.did(), decoded.rev(), decoded.data(), decoded.prev()), (&did, &rev, &data, None));
    }
}

#[test]
fn e6_a_commit_with_a_previous_one_or_without_the_field_is_read() {
    for prev in [Some(Value::Link(Cid::of_cbor(b"before"))), None] {
        let mut fields = std::collections::BTreeMap::from([
            ("did".to_owned(), Value::from(super::build::DID)),
            ("version".to_owned(), Value::Integer(3)),
            ("data".to_owned(), Value::Link(Tree::new().root())),
            ("rev".to_owned(), Value::from("3jzfcijpj2z2a")),
        ]);
        let before = prev.clone().map(|_| Cid::of_cbor(b"before"));
        fields.extend(prev.map(|prev| ("prev".to_owned(), prev)));
        let key = &both(6)[1];
        let signature = key.sign(&Value::Map(fields.clone()).to_cbor().unwrap()).unwrap();
        fields.insert("sig".to_owned(), Value::Bytes(signature.to_vec().into()));
        let commit = Commit::decode(&Value::Map(fields).to_cbor().unwrap()).unwrap();
        commit.verify(&key.verifying_key()).unwrap();
        assert_eq!(commit.prev(), before.as_ref());
    }
}

#[test]
fn d5_a_commit_with_names_that_are_not_valid_is_not_signed() {
    let key = &both(2)[0];
    let (did, rev, data) = (super::did(), Tid::now(), Tree::new().root());
    let bad_did: Did = crate::types::from_json("\"alice\"").unwrap();
    let bad_rev: Tid = crate::types::from_json("\"1\"").unwrap();
    assert!(matches!(Commit::sign(&bad_did, &rev, &data, key), Err(SignCommitError::Name(_))));
    assert!(matches!(Commit::sign(&did, &bad_rev, &data, key), Err(SignCommitError::Name(_))));
    let bad_data: Cid = crate::types::from_json("\"\"").unwrap();
    assert_eq!(Commit::sign(&did, &rev, &bad_data, key), Err(SignCommitError::Data));
}
