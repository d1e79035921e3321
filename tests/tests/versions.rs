//! The documents that name a version name this one.
#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

/// The version and the minor version that cargo has for this workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");
const MINOR: &str = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)).unwrap()
}

#[test]
fn only_the_newest_minor_version_is_supported() {
    let policy = document("SECURITY.md");
    let supported: Vec<&str> = policy.lines().filter(|line| line.ends_with("| yes |")).collect();
    assert_eq!(supported, [format!("| {MINOR} | yes |")]);
}

#[test]
fn the_readme_and_the_guides_depend_on_this_minor_version() {
    for name in ["README.md", "codegen/generator/docs/build-scripts.md"] {
        let text = document(name);
        let named: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("atproto-sdk = ") || line.starts_with("atproto-sdk-codegen = "))
            .collect();
        assert!(!named.is_empty(), "{name} names no version");
        for line in named {
            assert!(line.contains(&format!("\"{MINOR}\"")), "{name}: {line}");
        }
    }
}

#[test]
fn the_changelog_begins_with_this_version() {
    let changelog = document("CHANGELOG.md");
    let first = changelog.lines().find(|line| line.starts_with("## [")).unwrap();
    assert!(first.starts_with(&format!("## [{VERSION}]")), "{first}");
}
