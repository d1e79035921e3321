//! What is wrong with data, in the words of a visitor.

use crate::{
    server_text::{SHORT, excerpt},
    types::{Violation, ViolationKind, Violations},
};

/// How many violations are shown, so that a form with many fields does not fill the page.
const MOST_SHOWN: usize = 3;

/// Says what the visitor can change: the first violations, and how many more there are.
pub(super) fn message(violations: &Violations) -> String {
    let shown: Vec<String> = violations.violations.iter().take(MOST_SHOWN).map(sentence).collect();
    let shown = shown.join("; ");
    match violations.violations.len().saturating_sub(MOST_SHOWN) {
        0 => format!("This is not possible: {shown}."),
        more => format!("This is not possible: {shown}; and {more} more."),
    }
}

fn sentence(violation: &Violation) -> String {
    let problem = problem(&violation.kind);
    match violation.path.as_str() {
        "" => format!("it {problem}"),
        path => format!("“{}” {problem}", excerpt(path, SHORT)),
    }
}

fn problem(kind: &ViolationKind) -> String {
    match kind {
        ViolationKind::TooShort { found, least, unit } => {
            format!("is too short: {found} {}, at least {least} are required", counted(unit))
        }
        ViolationKind::TooLong { found, most, unit } => {
            format!("is too long: {found} {}, at most {most} are allowed", counted(unit))
        }
        ViolationKind::OutOfRange { found, limit } => {
            format!("is {found}, the {} is {limit}", if found < limit { "minimum" } else { "maximum" })
        }
        ViolationKind::NotAllowed { allowed } => {
            format!("is not one of the possible values: {}", excerpt(allowed, SHORT))
        }
        ViolationKind::MimeType { found, accepted } => {
            let (found, accepted) = (excerpt(found, SHORT), excerpt(accepted, SHORT));
            format!("is a file of the type {found}, possible is {accepted}")
        }
        ViolationKind::Format(_) => "is not written in the right way".to_owned(),
        // Nobody types these.
        _ => "has a value that is not possible here".to_owned(),
    }
}

fn counted(unit: &str) -> &str {
    match unit {
        "graphemes" => "characters",
        "elements" => "entries",
        unit => unit,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::message;
    use crate::{
        api::com::atproto::label::defs::SelfLabel,
        types::{Data as _, Violation, ViolationKind, Violations},
    };

    #[test]
    fn three_violations_are_shown_and_the_others_counted() {
        let kind = ViolationKind::TooLong { found: 700, most: 64, unit: "graphemes" };
        let many = |count: usize| Violations {
            violations: (0..count)
                .map(|at| Violation { path: format!("tags[{at}]"), kind: kind.clone() })
                .collect(),
        };
        assert_eq!(
            message(&many(1)),
            "This is not possible: “tags[0]” is too long: 700 characters, at most 64 are allowed."
        );
        assert!(!message(&many(3)).contains("more"));
        let told = message(&many(1000));
        assert!(told.contains("tags[2]") && !told.contains("tags[3]"), "{told}");
        assert!(told.ends_with("; and 997 more."), "{told}");
    }

    #[test]
    fn no_technical_terms_are_shown() {
        for kind in [
            ViolationKind::Null,
            ViolationKind::LegacyBlob,
            ViolationKind::Untyped,
            ViolationKind::Reserved { name: "$link" },
            ViolationKind::Blob { problem: "the CID is missing" },
            ViolationKind::Type { found: "a.b.c".repeat(1000), expected: "an NSID" },
            ViolationKind::TooShort { found: 0, least: 2, unit: "elements" },
            ViolationKind::Format(crate::types::Did::new("did:").unwrap_err()),
        ] {
            let violations = vec![Violation { path: "x".repeat(10_000), kind }];
            let told = message(&Violations { violations });
            assert!(told.len() < 500, "{told}");
            for term in ["$", "lexicon", "null", "blob", "NSID", "CID", "DID", "union", "elements", "`"] {
                assert!(!told.contains(term), "{term}: {told}");
            }
        }
        let error = SelfLabel::new("x".repeat(129)).validate().unwrap_err();
        assert!(message(&error).contains("“val” is too long: 129 bytes, at most 128"), "{}", message(&error));
    }
}
