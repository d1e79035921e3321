//! The page about warnings explains everything that the generator says about the corpus.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{fs, path::Path};

const PAGE: &str = include_str!("../docs/warnings.md");

/// What stands in the first column of the page's tables.
fn explained() -> (Vec<&'static str>, Vec<&'static str>) {
    let cells = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" | ").map(|it| it.0));
    let (outcomes, messages): (Vec<_>, Vec<_>) = cells.partition(|cell| cell.starts_with('('));
    let code = |cell: &'static str| {
        let ticks = cell.strip_prefix("`` ").and_then(|it| it.strip_suffix(" ``"));
        ticks.or_else(|| cell.strip_prefix('`')?.strip_suffix('`'))
    };
    (outcomes, messages.into_iter().filter_map(code).collect())
}

/// The corpus's lines of expected warnings.
fn warnings() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/cases");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let lines = files.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    lines.filter_map(|line| line.strip_prefix("! ").map(str::to_owned)).collect()
}

#[test]
fn every_warning_is_explained() {
    let (outcomes, messages) = explained();
    let warnings = warnings();
    assert!(outcomes.len() >= 10 && messages.len() >= 30 && warnings.len() > 100);
    for warning in &warnings {
        // Errors of the JSON parser name no rule of the language.
        let is_about_json = warning.ends_with("(the document is left out)");
        let is_explained = messages.iter().any(|message| warning.contains(message));
        assert!(is_explained || is_about_json, "no message explains: {warning}");
        let outcome = outcomes.iter().any(|outcome| {
            let words = outcome.trim_matches(['(', ')']);
            warning.ends_with(&format!("({words})"))
                || warning.ends_with(&format!("; {words})"))
                || warning.contains(outcome)
        });
        assert!(outcome, "no outcome explains: {warning}");
    }
}
