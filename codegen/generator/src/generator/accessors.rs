//! Names for accessors that clients do not have from other crates already.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    catalog::Catalog,
    diagnostic::{Diagnostic, Problem, Severity},
    model::{OWN, group_accessors, has_method},
    renames::Renames,
};

/// Settles the accessors of a crate's documents, and warns about those that do not have the name of their group, unless
/// it has been chosen by hand.
pub(super) fn settle(catalog: &mut Catalog, renames: &Renames, root: &Path) {
    settle_named(catalog, renames, &crate_name(root).unwrap_or_else(|| OWN.to_owned()));
    let warnings: Vec<Diagnostic> = warnings(catalog, renames);
    catalog.warn(warnings);
}

/// Settles the accessors of another crate's documents.
pub(super) fn settle_named(catalog: &mut Catalog, renames: &Renames, crate_name: &str) {
    let accessors = group_accessors(catalog, renames, crate_name);
    catalog.set_accessors(accessors);
}

/// The name of the package in a folder, as an identifier. Whoever asks for it gets the same one, whatever name the package
/// has as a dependency.
pub(super) fn crate_name(root: &Path) -> Option<String> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = toml::from_str(&manifest).ok()?;
    let name = manifest.get("package")?.get("name")?.as_str()?;
    Some(name.replace('-', "_"))
}

fn warnings(catalog: &Catalog, renames: &Renames) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let mut told = BTreeSet::new();
    for document in catalog.documents().filter(|document| has_method(document)) {
        let Some((group, _)) = document.id.rsplit_once('.') else { continue };
        let accessor = catalog.accessors().and_then(|accessors| accessors.get(group));
        let Some((name, (taken, root))) =
            accessor.and_then(|it| Some((it.name.clone(), it.instead_of.clone()?)))
        else {
            continue;
        };
        if renames.accessors.contains_key(group) || !told.insert(group) {
            continue;
        }
        let root = root.trim_start_matches("::").to_owned();
        warnings.push(Diagnostic {
            severity: Severity::Warning,
            file: document.path.clone(),
            position: None,
            json_path: "id".to_owned(),
            problem: Problem::TakenAccessor { group: group.to_owned(), name, taken, root },
            outcome: None,
        });
    }
    warnings
}
