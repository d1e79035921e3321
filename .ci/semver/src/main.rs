//! Compares two versions of a public API, each described by rustdoc's JSON: `semver BASELINE CURRENT`.
//!
//! Fails if something was removed or changed, or an exhaustive enum has grown, while the version number promises that
//! nothing breaks. It is stricter than necessary in places (a parameter that becomes more general counts as changed), and
//! does not see everything (behaviour, or a new method that implementors of a trait must provide).

use std::{collections::HashSet, error::Error, fs, path::Path, process::ExitCode};

use public_api::{Builder, PublicApi, PublicItem, diff::PublicApiDiff};

type Version = [u64; 3];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [baseline, current] = &arguments[..] else {
        return Err("usage: semver BASELINE CURRENT".into());
    };
    let (old_version, new_version) = (version(baseline)?, version(current)?);
    let (old, new) = (read(baseline)?, read(current)?);
    let exhaustive = exhaustive_enums(&old);
    let count = old.items().count();
    let diff = PublicApiDiff::between(old, new);

    let grown: Vec<&PublicItem> = diff.added.iter().filter(|item| grows(item, &exhaustive)).collect();
    let breaking = diff.removed.len() + diff.changed.len() + grown.len();
    println!(
        "{} -> {}, {count} items before: {} removed, {} changed, {} added ({} to exhaustive enums)",
        shown(old_version),
        shown(new_version),
        diff.removed.len(),
        diff.changed.len(),
        diff.added.len(),
        grown.len(),
    );
    if new_version < old_version {
        println!("the version went back");
        return Ok(ExitCode::FAILURE);
    }
    if significant(old_version) != significant(new_version) {
        println!("the version allows that; once it has landed, .ci/baseline moves there");
        return Ok(ExitCode::SUCCESS);
    }
    if breaking == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    for item in &diff.removed {
        println!("removed: {item}");
    }
    for item in &diff.changed {
        println!("changed: {}\n     to: {}", item.old, item.new);
    }
    for item in grown {
        println!("added to an exhaustive enum: {item}");
    }
    println!("{breaking} changes break users, and the version does not say so: raise it, or undo them");
    Ok(ExitCode::FAILURE)
}

fn read(path: &str) -> Result<PublicApi, public_api::Error> {
    // Blanket implementations follow from the others.
    Builder::from_rustdoc_json(Path::new(path)).omit_blanket_impls(true).sorted(true).build()
}

/// The crate's version as the description states it.
fn version(path: &str) -> Result<Version, Box<dyn Error>> {
    let description: serde_json::Value = serde_json::from_str(&fs::read_to_string(path)?)?;
    let text = description["crate_version"].as_str().ok_or("the description has no version")?;
    let numbers: Vec<u64> = text
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|_| format!("`{text}` is not a version").into())
}

fn shown(version: Version) -> String {
    version.map(|number| number.to_string()).join(".")
}

/// The part of a version that changes when something breaks: up to the first number that is not zero.
fn significant(version: Version) -> Vec<u64> {
    let end = version.iter().position(|number| *number != 0).unwrap_or(2);
    version[..=end].to_vec()
}

/// The paths of enums that may be matched without a wildcard.
fn exhaustive_enums(api: &PublicApi) -> HashSet<String> {
    let lines = api.items().map(ToString::to_string);
    lines.filter_map(|line| line.strip_prefix("pub enum ").map(path_of)).collect()
}

/// Whether a new item is a variant of one of these enums.
fn grows(item: &PublicItem, exhaustive: &HashSet<String>) -> bool {
    let line = item.to_string();
    let Some(path) = line.strip_prefix("pub ").map(path_of) else { return false };
    path.rsplit_once("::").is_some_and(|(parent, _)| exhaustive.contains(parent))
}

/// The path at the start of a rendered item, without generics, fields and values.
fn path_of(text: &str) -> String {
    text.split(['<', '(', ' ', '=']).next().unwrap_or_default().trim_end_matches(':').to_owned()
}
