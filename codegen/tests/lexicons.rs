//! The project's own documents.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::{Catalog, path_of};
use codegen::import::{ImportOptions, Manifest, import};

fn lexicons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("lexicons")
}

#[test]
fn all_documents_are_accepted_without_a_warning() {
    let catalog = Catalog::load(&lexicons()).unwrap();
    assert_eq!(catalog.warnings(), []);
    let counts = catalog.counts();
    assert_eq!((counts.documents, counts.queries, counts.procedures), (387, 177, 142));
    assert_eq!((counts.subscriptions, counts.records, counts.permission_sets), (3, 22, 0));
}

#[test]
fn every_primary_definition_has_a_description() {
    let catalog = Catalog::load(&lexicons()).unwrap();
    let primary = catalog.documents().filter_map(|it| Some((it, it.defs.get("main")?)));
    let bare: Vec<&str> = primary
        .filter(|(_, main)| main.is_primary() && main.description().is_none_or(|it| it.trim().is_empty()))
        .map(|(document, _)| document.id.as_str())
        .collect();
    assert_eq!(bare, Vec::<&str>::new());
}

/// The manifest agrees with the files, and the files are in the canonical form: an import from the
/// folder itself makes exactly the same files.
#[test]
fn the_folder_is_canonical_and_the_manifest_true() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    // Own descriptions are only kept from the target, so it starts as a copy.
    let manifest = Manifest::load(&lexicons().join("manifest.json")).unwrap().unwrap();
    assert_eq!(manifest.documents.len(), 387);
    for file in manifest.documents.keys().map(|id| path_of(id)).chain(["manifest.json".into()]) {
        fs::create_dir_all(made.join(&file).parent().unwrap()).unwrap();
        fs::copy(lexicons().join(&file), made.join(&file)).unwrap();
    }
    let options = ImportOptions { source: lexicons(), ..ImportOptions::default() };
    let summary = import(&options, &made).unwrap();
    assert_eq!((summary.added, summary.changed, summary.removed), (vec![], vec![], vec![]));
    assert_eq!(summary.descriptions_lost, 0);
    let text = |dir: &Path| fs::read_to_string(dir.join("manifest.json")).unwrap().unwrap();
    assert_eq!(
        text(&made),
        text(&lexicons()),
        "run `cargo run -p codegen -- import lexicons` after editing documents"
    );
}
