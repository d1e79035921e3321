//! Validation of data against the constraints of its lexicon (L4, L5), and of data without one against the data model.

mod checker;
mod rules;
#[cfg(test)]
mod tests;
mod untyped;

use std::fmt;

use super::{DataError, InvalidText, codec::Data};

/// A constraint that a lexicon places on a field. Generated code lists them; [`Data::validate`] checks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The minimum length of a string in UTF-8 bytes.
    MinBytes(u64),
    /// The maximum length of a string in UTF-8 bytes.
    MaxBytes(u64),
    /// The minimum length of a string in grapheme clusters.
    MinGraphemes(u64),
    /// The maximum length of a string in grapheme clusters.
    MaxGraphemes(u64),
    /// The minimum number of elements of a list, or of bytes of a byte string.
    MinLength(u64),
    /// The maximum number of elements of a list, or of bytes of a byte string.
    MaxLength(u64),
    /// The minimum of an integer.
    Minimum(i64),
    /// The maximum of an integer.
    Maximum(i64),
    /// The allowed strings.
    OneOf(&'static [&'static str]),
    /// The allowed integers.
    OneOfIntegers(&'static [i64]),
    /// The only allowed string.
    ConstText(&'static str),
    /// The only allowed integer.
    ConstInteger(i64),
    /// The only allowed boolean.
    ConstBoolean(bool),
    /// The allowed MIME types of a blob, where `*` matches any type or subtype.
    Accept(&'static [&'static str]),
    /// The maximum size of a blob in bytes.
    MaxSize(u64),
    /// The constraints on each element of a list.
    Each(&'static [Rule]),
    /// Whether the value is a secret, which `Debug` does not show. Nothing is checked.
    Hidden(bool),
}

/// The kind of a [`Violation`].
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Data as _, Datetime, ViolationKind}};
///
/// let error = Post::new("a".repeat(301), Datetime::now()).validate().unwrap_err();
/// assert_eq!(error.violations[0].kind, ViolationKind::TooLong { found: 301, most: 300, unit: "graphemes" });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViolationKind {
    /// The value is too short.
    #[error("has {found} {unit}, at least {least} are required")]
    TooShort {
        /// The length found.
        found: u64,
        /// The minimum length.
        least: u64,
        /// The unit of the lengths: `bytes`, `graphemes` or `elements`.
        unit: &'static str,
    },
    /// The value is too long.
    #[error("has {found} {unit}, at most {most} are allowed")]
    TooLong {
        /// The length found.
        found: u64,
        /// The maximum length.
        most: u64,
        /// The unit of the lengths: `bytes`, `graphemes` or `elements`.
        unit: &'static str,
    },
    /// An integer is out of range.
    #[error("is {found}, the {} is {limit}", if found < limit { "minimum" } else { "maximum" })]
    OutOfRange {
        /// The integer found.
        found: i64,
        /// The limit that it exceeds: the minimum if it is greater than `found`, else the maximum.
        limit: i64,
    },
    /// The value is not one of the allowed values.
    #[error("is not one of the allowed values: {allowed}")]
    NotAllowed {
        /// The allowed values, separated by commas.
        allowed: String,
    },
    /// A string is not of the required format.
    #[error(transparent)]
    Format(#[from] InvalidText),
    /// The MIME type of a blob is not accepted.
    #[error("is a blob of type `{found}`, the accepted types are {accepted}")]
    MimeType {
        /// The MIME type found.
        found: String,
        /// The accepted types, separated by commas.
        accepted: String,
    },
    /// A reference to a blob is incomplete.
    #[error("is not a valid reference to a blob: {problem}")]
    Blob {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A reference to a blob has the deprecated form, which servers accept no longer.
    #[error("is a reference to a blob in the deprecated form without a size; `Blob::to_current` converts it")]
    LegacyBlob,
    /// A value is `null` where the lexicon does not allow it.
    #[error("is null, which the lexicon does not allow here")]
    Null,
    /// An unknown variant of an open union has no `$type`.
    #[error("is a variant of an open union without `$type`")]
    Untyped,
    /// The `$type` of an object is not possible here.
    #[error("has the `$type` {found}, expected {expected}")]
    Type {
        /// The `$type` found, truncated to 200 characters.
        found: String,
        /// The `$type` that is possible, or what it must be like.
        expected: &'static str,
    },
    /// A value of type `unknown` is not an object.
    #[error("is {found}, expected an object")]
    NotAnObject {
        /// The kind of value found.
        found: &'static str,
    },
    /// A field has a name that is reserved for the JSON form of bytes and links.
    #[error(
        "has a field `{name}`, which only the JSON forms of bytes and links have, and no others beside it"
    )]
    Reserved {
        /// The name: `$bytes` or `$link`.
        name: &'static str,
    },
    /// Data without a lexicon is not possible in the data model, such as a fraction.
    #[error("is not possible in the data model: {0}")]
    Data(DataError),
}

/// A violated constraint and its location. See [`Violations`] for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The path in the data, such as `tags[2]`; empty if the value as a whole is concerned.
    pub path: String,
    /// What is wrong.
    pub kind: ViolationKind,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { self.kind.fmt(f) } else { write!(f, "`{}` {}", self.path, self.kind) }
    }
}

/// The error of [`Data::validate`]: every constraint that the data violates.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Data as _, Datetime}};
///
/// let post = Post::new("a".repeat(301), Datetime::now()).tags(vec!["ok".into(), "x".repeat(700)]);
/// let error = post.validate().unwrap_err();
/// assert_eq!(error.violations.len(), 3);
/// let of_tags = &error.violations[0];
/// assert_eq!((of_tags.path.as_str(), of_tags.kind.to_string().as_str()), ("tags[1]", "has 700 graphemes, at most 64 are allowed"));
/// assert!(error.to_string().contains("`text` has 301 graphemes, at most 300 are allowed"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data does not conform to its lexicon: {}", list(violations))]
#[non_exhaustive]
pub struct Violations {
    /// The violations, at least one, in the order of the fields.
    pub violations: Vec<Violation>,
}

fn list(violations: &[Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What is tolerated in data although other software may refuse it, and its location. See [`Warnings`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The path in the data, such as `embed.external.uri`; empty if the value as a whole is concerned.
    pub path: String,
    /// What is tolerated.
    pub kind: WarningKind,
}

/// The kind of a [`Warning`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WarningKind {
    /// A string is of its format only in the way in which the network uses it.
    #[error("`{text}` is a {format} that others may refuse: {problem}")]
    Format {
        /// The name of the format, such as `URI`.
        format: &'static str,
        /// The string, truncated to 200 characters.
        text: String,
        /// What others may refuse.
        problem: &'static str,
    },
    /// An integer does not fit into the 53 bits that the data model recommends, because JavaScript has no more: servers in
    /// that language round it, and store another number.
    #[error(
        "is {found}, which software in JavaScript rounds: it has no integers beyond 9007199254740991 (53 bits)"
    )]
    LargeInteger {
        /// The integer found.
        found: i64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { self.kind.fmt(f) } else { write!(f, "`{}` {}", self.path, self.kind) }
    }
}

/// What [`Data::validate`] tolerates although other software may refuse it; nearly always nothing.
///
/// ```
/// use atproto_sdk::{api::app::bsky::embed::external::ExternalDef, types::{Data as _, Uri}};
///
/// let card = ExternalDef::new(Uri::new("https://bücher.example/")?, "Books", "A shop");
/// let warnings = card.validate()?;
/// assert_eq!(warnings.warnings[0].path, "uri");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Warnings {
    /// The warnings, in the order of the fields.
    pub warnings: Vec<Warning>,
}

impl Warnings {
    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.warnings.is_empty()
    }
}

impl fmt::Display for Warnings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, warning) in self.warnings.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            warning.fmt(f)?;
        }
        Ok(())
    }
}

pub(super) fn validate(data: &dyn Data) -> Result<Warnings, Violations> {
    verdict(checker::Checker::run(data))
}

/// Checks the JSON body of a call. One whose lexicon has no schema may be anything, and not only an object.
pub(crate) fn validate_body(data: &dyn Data) -> Result<Warnings, Violations> {
    verdict(checker::Checker::run_body(data))
}

fn verdict(checker: checker::Checker) -> Result<Warnings, Violations> {
    let checker::Checker { violations, warnings, .. } = checker;
    if violations.is_empty() { Ok(Warnings { warnings }) } else { Err(Violations { violations }) }
}
