//! A document that was published to the network comes back with the keys of its objects sorted. What users see of its
//! bindings must be the same.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod face;

use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::emit::Home;
use atproto_sdk_codegen::folder::files_below;
use face::{ORDERS, face, print};
use serde_json::Value;

/// The documents of a folder, with another order of the keys of every object.
fn documents(folder: &Path, order: fn(&str, &str) -> std::cmp::Ordering) -> Vec<(PathBuf, String)> {
    let files = files_below(folder, "json").unwrap();
    let documents = files.into_iter().filter(|path| !path.ends_with("manifest.json"));
    documents
        .map(|path| {
            let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            (path, print(&value, order))
        })
        .collect()
}

#[test]
fn l15_the_order_of_keys_does_not_show() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, home) in [
        (here.join("../../lexicons"), Home::sdk()),
        (here.join("tests/golden/lexicons"), Home::foreign(Some("lexicons")).unwrap()),
    ] {
        let as_written = face(&Catalog::load(&folder).unwrap(), &home);
        for (what, order) in ORDERS {
            let documents = documents(&folder, order);
            assert!(documents.len() >= 18, "{}", folder.display());
            let again = face(&Catalog::from_sources(documents).unwrap(), &home);
            assert_eq!(as_written.keys().collect::<Vec<_>>(), again.keys().collect::<Vec<_>>(), "{what}");
            for (path, face) in &as_written {
                let differs: Vec<_> = face.symmetric_difference(&again[path]).collect();
                assert!(differs.is_empty(), "{what}, {}: {differs:#?}", path.display());
            }
        }
    }
}
