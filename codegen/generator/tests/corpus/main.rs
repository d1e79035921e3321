//! Documents as people write them: what is said about each, and that whatever can be used of them compiles.
//!
//! `UPDATE_CORPUS=1 cargo test -p atproto-sdk-codegen --test corpus` writes what is said now into the files of `cases`.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod cases;
#[path = "../package/mod.rs"]
mod package;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use atproto_sdk_codegen::{
    bundle::sdk_documents,
    catalog::{Catalog, CatalogBuilder, External},
    diagnostic::{Diagnostic, Rejected, Severity},
    emit::{Accessors, Home, generate, generate_file},
};
use package::Package;

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn builder() -> CatalogBuilder {
    static SDK: OnceLock<External> = OnceLock::new();
    let sdk = SDK.get_or_init(|| External::new("::atproto_sdk::api", sdk_documents()));
    CatalogBuilder::default().external(sdk.clone())
}

fn all() -> Vec<(PathBuf, String)> {
    let files = cases::files();
    files.iter().flat_map(|file| cases::read(file)).flat_map(|case| case.sources()).collect()
}

fn tolerant(sources: Vec<(PathBuf, String)>) -> Catalog {
    builder().tolerant(true).from_sources(sources).unwrap()
}

#[test]
fn there_is_a_document_for_each_kind() {
    assert!(all().len() >= 120);
}

#[test]
fn warnings_are_as_listed_and_strict_mode_has_the_same_as_errors() {
    let is_updated = std::env::var_os("UPDATE_CORPUS").is_some();
    for file in cases::files() {
        let mut cases = cases::read(&file);
        for case in &mut cases {
            let catalog = tolerant(case.sources());
            let warnings: Vec<String> =
                catalog.warnings().iter().map(|it| it.without_severity().to_string()).collect();
            if is_updated {
                case.warnings = warnings;
            } else {
                assert_eq!(warnings, case.warnings, "{}: {}", file.display(), case.what);
            }
            let strict = builder().from_sources(case.sources());
            assert_eq!(of_strict(strict), of_tolerant(&catalog), "{}: {}", file.display(), case.what);
        }
        if is_updated {
            cases::write(&file, &cases);
        }
    }
}

/// The findings of strict mode, without what becomes of them.
fn of_strict(result: Result<Catalog, Rejected>) -> Vec<(Severity, Diagnostic)> {
    let diagnostics = match result {
        Ok(catalog) => catalog.warnings().to_vec(),
        Err(Rejected(report)) => report.diagnostics,
    };
    diagnostics.into_iter().map(|it| (it.severity, same(it))).collect()
}

/// What strict mode should find: errors where something becomes of what is wrong.
fn of_tolerant(catalog: &Catalog) -> Vec<(Severity, Diagnostic)> {
    let severity = |it: &Diagnostic| if it.outcome.is_some() { Severity::Error } else { Severity::Warning };
    catalog.warnings().iter().map(|it| (severity(it), same(it.clone()))).collect()
}

fn same(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, outcome: None, ..diagnostic }
}

#[test]
fn whatever_can_be_used_compiles() {
    let package = Package::new("corpus");
    let sources: Vec<_> = all().into_iter().chain(words::documents()).collect();
    package.bindings("src/tree", "tree", &tolerant(sources));
    let one = generate_file(&tolerant(all()), &Home::foreign(Some("one")).unwrap(), "one.rs".into()).unwrap();
    package.write("src/bindings.rs", &one.text);
    package.write(
        "src/lib.rs",
        "#![deny(warnings)]\npub mod tree;\npub mod one {\n    include!(\"bindings.rs\");\n}\n",
    );
    let errors = package.check();
    assert!(errors.is_empty(), "{} errors: {:#?}", errors.len(), &errors[..errors.len().min(40)]);
}

/// For a runtime without clients; and what a program does with the types.
#[test]
fn types_alone_compile_and_values_come_back_as_they_were() {
    let sources: Vec<_> = all().into_iter().chain(words::documents()).collect();
    let package = Package::of_types("corpus_types");
    let home = Home::foreign(Some("types")).unwrap().with_accessors(Accessors::Absent);
    for file in generate(&tolerant(sources), &home).unwrap() {
        package.write(&format!("src/types/{}", file.path.display()), &file.text);
    }
    package.write("src/lib.rs", "#![deny(warnings)]\npub mod types;\n");
    package.write("src/main.rs", &fs::read_to_string(here().join("program.rs")).unwrap());
    let errors = package.run();
    assert!(errors.is_empty(), "{} errors: {:#?}", errors.len(), &errors[..errors.len().min(40)]);
}
