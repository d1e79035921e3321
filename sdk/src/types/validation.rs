//! Validation of data against the constraints of its lexicon (L4, L5).

use std::fmt;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Blob, InvalidText,
    codec::{Data, ObjectView, Shape},
};
use crate::server_text::{SHORT, excerpt};

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
    /// A value is `null` where the lexicon does not allow it.
    #[error("is null, which the lexicon does not allow here")]
    Null,
    /// An unknown variant of an open union has no `$type`.
    #[error("is a variant of an open union without `$type`")]
    Untyped,
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

pub(super) fn validate(data: &dyn Data) -> Result<(), Violations> {
    let mut checker = Checker { path: String::new(), violations: Vec::new() };
    checker.check(data.shape(), &[]);
    if checker.violations.is_empty() { Ok(()) } else { Err(Violations { violations: checker.violations }) }
}

struct Checker {
    path: String,
    violations: Vec<Violation>,
}

impl Checker {
    fn report(&mut self, kind: ViolationKind) {
        self.violations.push(Violation { path: self.path.clone(), kind });
    }

    fn check(&mut self, shape: Shape<'_>, rules: &[Rule]) {
        match shape {
            Shape::Absent | Shape::Null | Shape::Bytes(_) | Shape::Value(_) | Shape::Unknown(_) => {}
            Shape::Text(_) | Shape::Handle(_) | Shape::CidText(_) | Shape::Boolean(_) | Shape::Integer(_) => {
            }
            // There is no lexicon, and what cannot be encoded is reported when it is.
            Shape::Owned(_) => {}
            Shape::Lenient(text, format, check) => {
                if let Err(problem) = check(text) {
                    self.report(InvalidText::new(format, text, problem).into());
                }
            }
            Shape::Link(cid) => {
                if !cid.is_blessed() {
                    let problem = "a link must be a CID of version 1 with SHA-256 and DAG-CBOR or raw";
                    self.report(InvalidText::new("link", &cid.to_string(), problem).into());
                }
            }
            Shape::Blob(blob) => self.check(Shape::Link(blob.cid()), &[]),
            Shape::Other(value) => {
                if value.type_name().is_none() {
                    self.report(ViolationKind::Untyped);
                }
            }
            Shape::Object(object) => self.object(object),
            Shape::Tagged(_, data) => self.check(data.shape(), &[]),
            Shape::List(list) => {
                let of_elements = rules.iter().find_map(|rule| match rule {
                    Rule::Each(rules) => Some(*rules),
                    _ => None,
                });
                let length = self.path.len();
                for index in 0..list.length() {
                    if let Some(item) = list.get(index) {
                        self.path.push_str(&format!("[{index}]"));
                        self.check(item.shape(), of_elements.unwrap_or_default());
                        self.path.truncate(length);
                    }
                }
            }
        }
        for rule in rules {
            if let Some(kind) = violation(&shape, rule) {
                self.report(kind);
            }
        }
    }

    fn object(&mut self, object: ObjectView<'_>) {
        let fields = object.schema.fields;
        let length = self.path.len();
        let step = |path: &mut String, key: &str| {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        };
        object.data.each_field(&mut |index, value| {
            let Some(field) = fields.get(index) else { return };
            step(&mut self.path, field.key);
            self.check(value.shape(), field.rules);
            self.path.truncate(length);
        });
        // A `null` that the lexicon does not allow is stored among the extra fields, to be written back.
        for (key, value) in object.extra.into_iter().flat_map(super::Extra::iter) {
            if value.is_null() && fields.iter().any(|field| field.key == key) {
                step(&mut self.path, key);
                self.report(ViolationKind::Null);
                self.path.truncate(length);
            }
        }
    }
}

fn violation(shape: &Shape<'_>, rule: &Rule) -> Option<ViolationKind> {
    match shape {
        Shape::Text(text) | Shape::Handle(text) | Shape::Lenient(text, ..) => text_violation(text, rule),
        Shape::CidText(cid) => cid.with_text(|text| text_violation(text, rule)),
        Shape::Integer(value) => integer_violation(*value, rule),
        Shape::Boolean(value) => match rule {
            Rule::ConstBoolean(only) if only != value => {
                Some(ViolationKind::NotAllowed { allowed: only.to_string() })
            }
            _ => None,
        },
        Shape::List(list) => length_violation(list.length() as u64, "elements", rule),
        Shape::Bytes(bytes) => length_violation(bytes.len() as u64, "bytes", rule),
        Shape::Blob(blob) => blob_violation(blob, rule),
        _ => None,
    }
}

fn at_least(found: u64, least: u64, unit: &'static str) -> Option<ViolationKind> {
    (found < least).then_some(ViolationKind::TooShort { found, least, unit })
}

fn at_most(found: u64, most: u64, unit: &'static str) -> Option<ViolationKind> {
    (found > most).then_some(ViolationKind::TooLong { found, most, unit })
}

fn length_violation(found: u64, unit: &'static str, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::MinLength(least) => at_least(found, *least, unit),
        Rule::MaxLength(most) => at_most(found, *most, unit),
        _ => None,
    }
}

fn text_violation(text: &str, rule: &Rule) -> Option<ViolationKind> {
    let graphemes = || text.graphemes(true).count() as u64;
    match rule {
        Rule::MinBytes(least) => at_least(text.len() as u64, *least, "bytes"),
        Rule::MaxBytes(most) => at_most(text.len() as u64, *most, "bytes"),
        Rule::MinGraphemes(least) => at_least(graphemes(), *least, "graphemes"),
        // There are never more graphemes than bytes.
        Rule::MaxGraphemes(most) if text.len() as u64 > *most => at_most(graphemes(), *most, "graphemes"),
        Rule::OneOf(allowed) if !allowed.contains(&text) => {
            Some(ViolationKind::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstText(only) if *only != text => {
            Some(ViolationKind::NotAllowed { allowed: (*only).to_owned() })
        }
        _ => None,
    }
}

fn integer_violation(found: i64, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::Minimum(limit) if found < *limit => Some(ViolationKind::OutOfRange { found, limit: *limit }),
        Rule::Maximum(limit) if found > *limit => Some(ViolationKind::OutOfRange { found, limit: *limit }),
        Rule::OneOfIntegers(allowed) if !allowed.contains(&found) => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            Some(ViolationKind::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstInteger(only) if *only != found => {
            Some(ViolationKind::NotAllowed { allowed: only.to_string() })
        }
        _ => None,
    }
}

fn blob_violation(blob: &Blob, rule: &Rule) -> Option<ViolationKind> {
    match rule {
        Rule::Accept(accepted) if !accepted.iter().any(|pattern| accepts(pattern, blob.mime_type())) => {
            let found = excerpt(blob.mime_type(), SHORT);
            Some(ViolationKind::MimeType { found, accepted: accepted.join(", ") })
        }
        Rule::MaxSize(most) => at_most(blob.size().unwrap_or(0), *most, "bytes"),
        _ => None,
    }
}

/// Whether a MIME type matches a pattern such as `image/*` (L5). Parameters of the type are ignored.
fn accepts(pattern: &str, mime_type: &str) -> bool {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    match pattern.strip_suffix('*') {
        Some("*/" | "") => true,
        Some(start) => essence.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => essence.eq_ignore_ascii_case(pattern),
    }
}
