//! The conventions, and what of the language can be seen only in a whole document.

mod documents;
mod limits;
mod methods;
mod names;
mod permissions;
mod types;
mod words;

use super::{Linted, Place, Rule};

/// Takes findings.
type Report<'r> = &'r mut dyn FnMut(Rule, Place, String);

pub(super) fn check(linted: &Linted<'_>, report: Report<'_>) {
    documents::check(linted, report);
    names::check(linted, report);
    limits::check(linted, report);
    types::check(linted, report);
    methods::check(linted, report);
    permissions::check(linted, report);
}
