//! The project's own documents.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::catalog::{Catalog, path_of};
use atproto_sdk_codegen::document::{Definition, Permission};
use codegen::import::{ImportOptions, Manifest, Source, import};

fn lexicons() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("lexicons")
}

fn manifest() -> Manifest {
    Manifest::load(&lexicons().join("manifest.json")).unwrap().unwrap()
}

#[test]
fn all_documents_are_accepted_without_a_warning() {
    let catalog = Catalog::load(&lexicons()).unwrap();
    assert_eq!(catalog.warnings(), []);
    let counts = catalog.counts();
    assert_eq!((counts.documents, counts.queries, counts.procedures), (408, 180, 143));
    assert_eq!((counts.subscriptions, counts.records, counts.permission_sets), (4, 27, 10));
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

/// A set grants only what lies below its own group.
#[test]
fn l11_permission_sets_list_methods_and_records_of_their_own_group() {
    let catalog = Catalog::load(&lexicons()).unwrap();
    let main = |id: &str| catalog.document(id).and_then(|it| it.defs.get("main"));
    let (mut sets, mut unknown) = (0, Vec::new());
    for document in catalog.documents() {
        let Some(Definition::PermissionSet(set)) = document.defs.get("main") else { continue };
        sets += 1;
        let (group, _) = document.id.rsplit_once('.').unwrap();
        for permission in &set.permissions {
            let (Permission::Repo { collection: names, .. } | Permission::Rpc { lxm: names, .. }) =
                permission;
            assert!(!names.is_empty());
            for name in names {
                assert!(name.strip_prefix(group).is_some_and(|rest| rest.starts_with('.')), "{name}");
                match (permission, main(name)) {
                    (_, None) => unknown.push(name.as_str()),
                    (Permission::Repo { .. }, Some(Definition::Record(_))) => {}
                    (Permission::Rpc { .. }, Some(Definition::Query(_) | Definition::Procedure(_))) => {}
                    (_, Some(_)) => panic!("{} lists {name}", document.id),
                }
            }
        }
    }
    assert_eq!(sets, 10);
    // As published; the method is chat.bsky.actor.exportAccountData.
    assert_eq!(unknown, ["chat.bsky.convo.exportAccountData"]);
}

/// The manifest agrees with the files, and the files are in the canonical form: an import from the
/// folder itself makes exactly the same files.
#[test]
fn the_folder_is_canonical_and_the_manifest_true() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    // Own descriptions are only kept from the target, so it starts as a copy.
    let manifest = manifest();
    for file in manifest.documents.keys().map(|id| path_of(id)).chain(["manifest.json".into()]) {
        fs::create_dir_all(made.join(&file).parent().unwrap()).unwrap();
        fs::copy(lexicons().join(&file), made.join(&file)).unwrap();
    }
    let options = ImportOptions { source: lexicons(), ..ImportOptions::default() };
    let summary = import(&options, &made).unwrap();
    assert_eq!((summary.added, summary.changed, summary.removed), (vec![], vec![], vec![]));
    assert_eq!(summary.descriptions_lost, 0);
    let text = |dir: &Path| fs::read_to_string(dir.join("manifest.json")).unwrap();
    assert_eq!(
        text(&made),
        text(&lexicons()),
        "run `cargo run -p codegen -- import lexicons` after editing documents"
    );
}

#[test]
fn the_manifest_says_where_each_document_comes_from() {
    let manifest = manifest();
    assert_eq!(manifest.package.name.as_deref(), Some("@atproto/api"));
    assert_eq!(manifest.package.version.as_deref(), Some("0.21.0"));
    let of = |source: Source| {
        let documents = manifest.documents.iter().filter(move |(_, it)| it.source == source);
        documents.map(|(id, _)| id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(Source::Package).len(), 387);
    assert_eq!(of(Source::Extra).len(), 21);
    // The package has no permission sets, and knows nothing of other services.
    let is_extra = |id: &str| {
        id.starts_with("site.standard.") || id.starts_with("network.bsky.") || id.contains(".bsky.auth")
    };
    assert!(of(Source::Extra).into_iter().all(is_extra), "{:?}", of(Source::Extra));
}

/// Each upstream description has its hash at the place of the definition, so that the next import finds what has changed.
#[test]
fn upstream_descriptions_of_the_package_are_on_record() {
    let manifest = manifest();
    assert_eq!(manifest.documents.values().map(|it| it.upstream.len()).sum::<usize>(), 1858);
    let notifications = &manifest.documents["app.bsky.notification.listNotifications"].upstream;
    assert_eq!(notifications["defs.main.parameters.properties.seenAt"], "c72deaa45e0f");
    for (id, entry) in &manifest.documents {
        let is_hash = |hash: &String| hash.len() == 12 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        assert!(entry.upstream.values().all(is_hash), "{id}");
    }
}
