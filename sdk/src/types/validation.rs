//! Checking data against the constraints of its lexicon (L4, L5).

use std::fmt;

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Blob, InvalidText,
    codec::{Data, Shape, Shown},
};

/// A constraint of a lexicon, as generated code lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// The least length of a string in UTF-8 bytes.
    MinBytes(u64),
    /// The greatest length of a string in UTF-8 bytes.
    MaxBytes(u64),
    /// The least length of a string in grapheme clusters.
    MinGraphemes(u64),
    /// The greatest length of a string in grapheme clusters.
    MaxGraphemes(u64),
    /// The least number of elements of a list, or of bytes.
    MinLength(u64),
    /// The greatest number of elements of a list, or of bytes.
    MaxLength(u64),
    /// The smallest integer.
    Minimum(i64),
    /// The largest integer.
    Maximum(i64),
    /// The strings that are allowed.
    OneOf(&'static [&'static str]),
    /// The integers that are allowed.
    OneOfIntegers(&'static [i64]),
    /// The only string that is allowed.
    ConstText(&'static str),
    /// The only integer that is allowed.
    ConstInteger(i64),
    /// The only boolean that is allowed.
    ConstBoolean(bool),
    /// The MIME types that a blob may have, with `*` for any part.
    Accept(&'static [&'static str]),
    /// The greatest size of a blob in bytes.
    MaxSize(u64),
    /// What every element of a list has to keep to.
    Each(&'static [Rule]),
}

/// What data does not keep to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violated {
    /// Too short.
    #[error("has {found} {unit}, at least {least} are asked for")]
    TooShort {
        /// What there is.
        found: u64,
        /// What is asked for.
        least: u64,
        /// What is counted: `bytes`, `graphemes` or `elements`.
        unit: &'static str,
    },
    /// Too long.
    #[error("has {found} {unit}, at most {most} are allowed")]
    TooLong {
        /// What there is.
        found: u64,
        /// What is allowed.
        most: u64,
        /// What is counted: `bytes`, `graphemes` or `elements`.
        unit: &'static str,
    },
    /// An integer outside of its range.
    #[error("is {found}, {limit} is the {}", if found < limit { "minimum" } else { "maximum" })]
    OutOfRange {
        /// What there is.
        found: i64,
        /// The limit that it passes.
        limit: i64,
    },
    /// Not one of the values that are allowed.
    #[error("is not one of the values that are allowed: {allowed}")]
    NotAllowed {
        /// What is allowed, separated by commas.
        allowed: String,
    },
    /// A string that is not of its format.
    #[error(transparent)]
    Format(#[from] InvalidText),
    /// A blob of a type that is not accepted.
    #[error("is a blob of type `{found}`, accepted are {accepted}")]
    MimeType {
        /// What there is.
        found: String,
        /// What is accepted, separated by commas.
        accepted: String,
    },
    /// `null` where the lexicon does not allow it.
    #[error("is null, which the lexicon does not allow here")]
    Null,
    /// A variant that the union does not know, and that does not say what it is.
    #[error("is a variant of an open union without `$type`")]
    Untyped,
}

/// A constraint that data does not keep to, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The path in the data, such as `tags[2]`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub violated: Violated,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            self.violated.fmt(f)
        } else {
            write!(f, "`{}` {}", self.path, self.violated)
        }
    }
}

/// Everything in some data that its lexicon does not allow.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Data as _, Datetime}};
///
/// let post = Post::new("a".repeat(301), Datetime::now()).tags(vec!["ok".into(), "x".repeat(700)]);
/// let error = post.validate().unwrap_err();
/// assert_eq!(error.violations.len(), 3);
/// let of_tags = &error.violations[0];
/// assert_eq!((of_tags.path.as_str(), of_tags.violated.to_string().as_str()), ("tags[1]", "has 700 graphemes, at most 64 are allowed"));
/// assert!(error.to_string().contains("`text` has 301 graphemes, at most 300 are allowed"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the data does not keep to its lexicon: {}", list(violations))]
#[non_exhaustive]
pub struct Violations {
    /// One or more, object by object.
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
    fn report(&mut self, violated: Violated) {
        self.violations.push(Violation { path: self.path.clone(), violated });
    }

    fn check(&mut self, shape: Shape<'_>, rules: &[Rule]) {
        match shape {
            Shape::Absent | Shape::Null | Shape::Bytes(_) | Shape::Value(_) | Shape::Unknown(_) => {}
            Shape::Text(_) | Shape::Handle(_) | Shape::CidText(_) | Shape::Boolean(_) | Shape::Integer(_) => {
            }
            Shape::Lenient(text, format, check) => {
                if let Err(problem) = check(text) {
                    self.report(InvalidText::new(format, text, problem).into());
                }
            }
            Shape::Link(cid) => {
                if !cid.is_blessed() {
                    let problem = "a link is of version 1, with SHA-256, DAG-CBOR or raw";
                    self.report(InvalidText::new("link", &cid.to_string(), problem).into());
                }
            }
            Shape::Blob(blob) => self.check(Shape::Link(blob.cid()), &[]),
            Shape::Other(value) => {
                if value.type_name().is_none() {
                    self.report(Violated::Untyped);
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
            if let Some(violated) = violated(&shape, rule) {
                self.report(violated);
            }
        }
    }

    fn object(&mut self, object: Shown<'_>) {
        let fields = object.about.fields;
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
        // A null that the lexicon does not allow was kept, to be written back.
        for (key, value) in object.extra.into_iter().flat_map(super::Extra::iter) {
            if value.is_null() && fields.iter().any(|field| field.key == key) {
                step(&mut self.path, key);
                self.report(Violated::Null);
                self.path.truncate(length);
            }
        }
    }
}

fn violated(shape: &Shape<'_>, rule: &Rule) -> Option<Violated> {
    match shape {
        Shape::Text(text) | Shape::Handle(text) | Shape::Lenient(text, ..) => text_violated(text, rule),
        Shape::CidText(cid) => cid.with_text(|text| text_violated(text, rule)),
        Shape::Integer(value) => integer_violated(*value, rule),
        Shape::Boolean(value) => match rule {
            Rule::ConstBoolean(only) if only != value => {
                Some(Violated::NotAllowed { allowed: only.to_string() })
            }
            _ => None,
        },
        Shape::List(list) => length_violated(list.length() as u64, "elements", rule),
        Shape::Bytes(bytes) => length_violated(bytes.len() as u64, "bytes", rule),
        Shape::Blob(blob) => blob_violated(blob, rule),
        _ => None,
    }
}

fn at_least(found: u64, least: u64, unit: &'static str) -> Option<Violated> {
    (found < least).then_some(Violated::TooShort { found, least, unit })
}

fn at_most(found: u64, most: u64, unit: &'static str) -> Option<Violated> {
    (found > most).then_some(Violated::TooLong { found, most, unit })
}

fn length_violated(found: u64, unit: &'static str, rule: &Rule) -> Option<Violated> {
    match rule {
        Rule::MinLength(least) => at_least(found, *least, unit),
        Rule::MaxLength(most) => at_most(found, *most, unit),
        _ => None,
    }
}

fn text_violated(text: &str, rule: &Rule) -> Option<Violated> {
    let graphemes = || text.graphemes(true).count() as u64;
    match rule {
        Rule::MinBytes(least) => at_least(text.len() as u64, *least, "bytes"),
        Rule::MaxBytes(most) => at_most(text.len() as u64, *most, "bytes"),
        Rule::MinGraphemes(least) => at_least(graphemes(), *least, "graphemes"),
        // There are never more graphemes than bytes.
        Rule::MaxGraphemes(most) if text.len() as u64 > *most => at_most(graphemes(), *most, "graphemes"),
        Rule::OneOf(allowed) if !allowed.contains(&text) => {
            Some(Violated::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstText(only) if *only != text => Some(Violated::NotAllowed { allowed: (*only).to_owned() }),
        _ => None,
    }
}

fn integer_violated(found: i64, rule: &Rule) -> Option<Violated> {
    match rule {
        Rule::Minimum(limit) if found < *limit => Some(Violated::OutOfRange { found, limit: *limit }),
        Rule::Maximum(limit) if found > *limit => Some(Violated::OutOfRange { found, limit: *limit }),
        Rule::OneOfIntegers(allowed) if !allowed.contains(&found) => {
            let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
            Some(Violated::NotAllowed { allowed: allowed.join(", ") })
        }
        Rule::ConstInteger(only) if *only != found => {
            Some(Violated::NotAllowed { allowed: only.to_string() })
        }
        _ => None,
    }
}

fn blob_violated(blob: &Blob, rule: &Rule) -> Option<Violated> {
    match rule {
        Rule::Accept(accepted) if !accepted.iter().any(|pattern| accepts(pattern, blob.mime_type())) => {
            let found = blob.mime_type().chars().take(100).collect();
            Some(Violated::MimeType { found, accepted: accepted.join(", ") })
        }
        Rule::MaxSize(most) => at_most(blob.size().unwrap_or(0), *most, "bytes"),
        _ => None,
    }
}

/// Whether a MIME type fits a pattern such as `image/*` (L5). Parameters of the type do not count.
fn accepts(pattern: &str, mime_type: &str) -> bool {
    let essence = mime_type.split(';').next().unwrap_or_default().trim();
    match pattern.strip_suffix('*') {
        Some("*/" | "") => true,
        Some(start) => essence.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => essence.eq_ignore_ascii_case(pattern),
    }
}
