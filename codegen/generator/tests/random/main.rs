//! Documents made at random, sound ones and broken ones: nothing panics, nothing depends on an order that has no meaning,
//! and what is made of them compiles.
//!
//! `SEED=7 cargo test -p atproto-sdk-codegen --test random` makes other documents; `SEEDS=100` makes more of them.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod documents;
#[path = "../face/mod.rs"]
mod face;
#[path = "../package/mod.rs"]
mod package;

use std::{ops::Range, path::PathBuf, sync::OnceLock};

use atproto_sdk_codegen::{
    bundle::sdk_documents,
    catalog::{Catalog, CatalogBuilder, External},
    emit::{Home, generate, generate_file},
};
use documents::{Random, documents};
use face::{ORDERS, face, print};
use package::Package;
use serde_json::Value;

/// How many documents there are of each seed.
const EACH: usize = 12;

fn seeds() -> Range<u64> {
    let number = |name: &str, otherwise| std::env::var(name).ok().map_or(otherwise, |it| it.parse().unwrap());
    let (first, count) = (number("SEED", 1), number("SEEDS", 30));
    println!("seeds {first} to {}; other ones with SEED and SEEDS", first + count - 1);
    first..first + count
}

fn catalog<T: AsRef<[u8]>>(sources: impl IntoIterator<Item = (PathBuf, T)>) -> Catalog {
    static SDK: OnceLock<External> = OnceLock::new();
    let sdk = SDK.get_or_init(|| External::new("::atproto_sdk::api", sdk_documents()));
    CatalogBuilder::default().external(sdk.clone()).tolerant(true).from_sources(sources).unwrap()
}

fn sources(documents: &[(String, Value)]) -> Vec<(PathBuf, String)> {
    documents.iter().map(|(nsid, value)| (format!("{nsid}.json").into(), value.to_string())).collect()
}

fn home() -> Home {
    Home::foreign(Some("lexicons")).unwrap()
}

#[test]
fn the_order_of_files_and_keys_does_not_matter() {
    for seed in seeds() {
        let documents = documents(seed, EACH);
        let first = catalog(sources(&documents));
        let files = generate(&first, &home()).unwrap();
        let mut shuffled = sources(&documents);
        Random::new(seed).shuffle(&mut shuffled);
        let second = catalog(shuffled);
        assert!(files == generate(&second, &home()).unwrap(), "seed {seed}");
        assert_eq!(first.warnings().len(), second.warnings().len(), "seed {seed}");

        let one = |catalog| generate_file(catalog, &home(), "one.rs".into()).unwrap();
        assert!(one(&first) == one(&second), "seed {seed}");

        let as_written = face(&first, &home());
        for (what, order) in ORDERS {
            let sources =
                documents.iter().map(|(nsid, value)| (format!("{nsid}.json").into(), print(value, order)));
            let again = face(&catalog(sources), &home());
            for (path, face) in &as_written {
                let differs: Vec<_> = face.symmetric_difference(&again[path]).collect();
                assert!(differs.is_empty(), "seed {seed}, {what}, {}: {differs:#?}", path.display());
            }
        }
    }
}

#[test]
fn whatever_is_made_of_them_compiles() {
    let documents: Vec<_> = seeds().flat_map(|seed| documents(seed, EACH)).collect();
    let catalog = catalog(sources(&documents));
    assert!(catalog.documents().len() * 10 > documents.len() * 8, "most can be used");
    let package = Package::with_streams("random");
    package.bindings("src/lexicons", "lexicons", &catalog);
    package.write("src/lib.rs", "#![deny(warnings)]\npub mod lexicons;\n");
    let errors = package.check();
    assert!(errors.is_empty(), "{} errors: {:#?}", errors.len(), &errors[..errors.len().min(30)]);
}

/// Files that were cut, or in which bytes have changed.
#[test]
fn damaged_files_never_panic() {
    for seed in seeds() {
        let mut random = Random::new(seed);
        let damaged: Vec<(PathBuf, Vec<u8>)> = sources(&documents(seed, EACH))
            .into_iter()
            .map(|(path, text)| {
                let mut bytes = text.into_bytes();
                match random.below(3) {
                    0 => bytes.truncate(random.below(bytes.len())),
                    1 => {
                        let at = random.below(bytes.len());
                        bytes[at] = random.below(256) as u8;
                    }
                    _ => {
                        let (from, to) = (random.below(bytes.len()), random.below(bytes.len()));
                        bytes.swap(from, to);
                    }
                }
                (path, bytes)
            })
            .collect();
        let catalog = catalog(damaged);
        generate(&catalog, &home()).unwrap();
    }
}
