//! The generator's output for small documents, one per feature of the language, against files that are checked in.
//!
//! `UPDATE_GOLDEN=1 cargo test -p atproto-sdk-codegen --test golden` writes the files anew. They are a crate of their own, whose tests
//! are about what the code does.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, path::Path};

use atproto_sdk_codegen::{
    bundle::sdk_documents,
    catalog::{Catalog, CatalogBuilder, External},
    emit::{Accessors, Derive, Home, generate},
};

fn below(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// The documents, which may refer to those of the SDK.
fn catalog(folder: &Path) -> Catalog {
    let sdk = External::new("::atproto_sdk::api", sdk_documents());
    CatalogBuilder::default().external(sdk).load(folder).unwrap()
}

#[test]
fn output_is_as_it_was() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let catalog = catalog(&here.join("lexicons"));
    let home = Home::foreign(Some("lexicons")).unwrap();
    let made: BTreeMap<String, String> = generate(&catalog, &home)
        .unwrap()
        .into_iter()
        .map(|file| (file.path.to_str().unwrap().to_owned(), file.text))
        .collect();
    let expected_folder = here.join("src/lexicons");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = fs::remove_dir_all(&expected_folder);
        for (name, text) in &made {
            let path = expected_folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    let expected = below(&expected_folder);
    assert_eq!(made.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "other files");
    for (name, text) in &made {
        assert!(
            *text == expected[name],
            "{name} differs; run with UPDATE_GOLDEN=1 and look at the difference"
        );
    }
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lexicons");
    let catalog = catalog(&here);
    let first = generate(&catalog, &Home::sdk()).unwrap();
    let mut documents: Vec<_> = catalog.documents().cloned().collect();
    documents.reverse();
    let sdk = External::new("::atproto_sdk::api", sdk_documents());
    let again = CatalogBuilder::default().external(sdk).from_parsed(documents).unwrap();
    let second = generate(&again, &Home::sdk()).unwrap();
    assert_eq!(first, second);
}

/// Types alone, for a runtime without clients.
#[test]
fn accessors_can_be_left_out() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lexicons");
    let home = Home::foreign(None).unwrap().with_accessors(Accessors::Absent);
    let files = generate(&catalog(&here), &home).unwrap();
    assert!(files.iter().any(|file| file.text.contains("pub struct Foo;")));
    for file in files {
        for client in ["Caller", "xrpc::Call", "Ext for T", "Transport"] {
            assert!(!file.text.contains(client), "{} in {}", client, file.path.display());
        }
    }
}

#[test]
fn types_derive_what_the_configuration_asks_for() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/lexicons");
    let derive = Derive {
        documents: vec!["com.example.data.unions".parse().unwrap(), "com.example.foo".parse().unwrap()],
        traits: vec!["schemars::JsonSchema".to_owned()],
    };
    let home = Home::foreign(None).unwrap().with_derives(vec![derive]);
    let files = generate(&catalog(&here), &home).unwrap();
    let text = |path: &str| &files.iter().find(|file| file.path == Path::new(path)).unwrap().text;
    let (unions, foo, other) = (
        text("com/example/data/unions.rs"),
        text("com/example/foo/mod.rs"),
        text("com/example/data/strings.rs"),
    );
    assert!(
        unions.contains("#[derive(schemars::JsonSchema)]\n#[non_exhaustive]\npub enum UnionsOpen"),
        "{unions}"
    );
    assert!(unions.contains("#[derive(schemars::JsonSchema)]\n#[non_exhaustive]\npub struct View"));
    assert!(foo.contains("#[derive(schemars::JsonSchema)]\n#[non_exhaustive]\npub struct Output"), "{foo}");
    // Parameters are no data.
    assert!(!foo.contains("#[derive(schemars::JsonSchema)]\n#[non_exhaustive]\npub struct Params"));
    assert!(!other.contains("schemars"));
}
