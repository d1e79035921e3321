//! The classifier of changes agrees with the compiler: with what `changes.rs` lists, which the other test proves.

use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::evolution::{Documents, Evolution, compare};

use crate::bindings;
use crate::changes::{CHANGES, Change, Outcome};

/// Where the list, which is about programs, calls forbidden or allowed what the rules of the network judge differently.
const JUDGED_DIFFERENTLY: &[(&str, bool, &str)] = &[
    (
        "constraints are loosened, a default comes",
        true,
        "old programs refuse a record that is longer than they know",
    ),
    ("the required fields come in another order", false, "data has no order"),
    ("a field is removed", false, "it was optional: data with it and without it stays valid"),
    ("an error is removed", false, "programs must expect any error"),
];

fn documents(catalog: &Catalog) -> Documents {
    catalog.documents().cloned().collect()
}

fn evolution(change: &Change) -> Evolution {
    compare(&documents(&bindings::after(&CHANGES[0])), &documents(&bindings::after(change)))
}

#[test]
fn the_first_entry_changes_nothing() {
    assert_eq!(evolution(&CHANGES[0]), Evolution::default());
}

#[test]
fn the_classification_for_rust_agrees_with_the_compiler() {
    let mut wrong = Vec::new();
    for change in CHANGES {
        let evolution = evolution(change);
        let breaks = matches!(change.outcome, Outcome::Breaks(_) | Outcome::BreaksAllTheSame(..));
        if (evolution.breaking_for_rust().count() > 0) != breaks {
            wrong.push(format!("{} (breaks: {breaks}):\n{evolution}", change.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn the_classification_for_the_network_agrees_with_the_rules() {
    let mut wrong = Vec::new();
    for change in CHANGES {
        let evolution = evolution(change);
        let listed = matches!(change.outcome, Outcome::Breaks(_) | Outcome::BreaksDataOnly);
        let differently = JUDGED_DIFFERENTLY.iter().find(|(what, ..)| *what == change.what);
        let breaks = differently.map_or(listed, |(_, breaks, _)| *breaks);
        assert!(differently.is_none_or(|_| breaks != listed), "{} is no exception", change.what);
        if (evolution.breaking_for_network().count() > 0) != breaks {
            wrong.push(format!("{} (breaks: {breaks}):\n{evolution}", change.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let is_listed = |what: &str| CHANGES.iter().any(|change| change.what == what);
    assert!(JUDGED_DIFFERENTLY.iter().all(|(what, ..)| is_listed(what)));
}

/// Every edit that changes a fact is found; the order of keys is none.
#[test]
fn every_change_is_reported() {
    for change in &CHANGES[1..] {
        let is_order_only = change.what.starts_with("the keys are sorted");
        assert_eq!(evolution(change).changes.is_empty(), is_order_only, "{}", change.what);
    }
}
