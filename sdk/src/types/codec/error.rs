//! The error of decoding and encoding.

use std::fmt;

use crate::server_text::{SHORT, excerpt};

/// The error returned when data cannot be decoded or encoded.
///
/// It names the path in the data, such as `feed[3].post.author.did`, and the position in the input. It contains no values
/// of the data other than invalid identifiers, which are truncated, so it can be logged.
///
/// ```
/// use atproto_sdk::{api::com::atproto::repo::strong_ref::StrongRef, types::{Problem, from_json}};
///
/// let error = from_json::<Vec<StrongRef>>(r#"[{"uri":"at://alice.example.com"}]"#).unwrap_err();
/// assert_eq!(error.path(), "[0]");
/// assert!(matches!(error.problem(), Problem::Missing { field: "cid", .. }));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DataError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    /// Innermost step first.
    steps: Vec<Step>,
    offset: Option<usize>,
    problem: Problem,
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    Key(Box<str>),
    Index(usize),
}

/// The kind of a [`DataError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The value is not of the expected kind.
    #[error("expected {expected}, found {found}")]
    Kind {
        /// The kind of value that the type requires.
        expected: &'static str,
        /// The kind of value found.
        found: &'static str,
    },
    /// A required field is missing.
    #[error("the field `{field}` of {of} is missing")]
    Missing {
        /// The name of the field.
        field: &'static str,
        /// The definition of the object.
        of: &'static str,
    },
    /// An object has the same field twice.
    #[error("the field `{field}` occurs twice")]
    Duplicate {
        /// The name of the field, truncated to 200 characters.
        field: Box<str>,
    },
    /// A string is not of the required format.
    #[error(transparent)]
    Text(#[from] super::super::InvalidText),
    /// An object in a union has no `$type`.
    #[error("the object has no `$type`, which is required to select a variant of {union}")]
    Untyped {
        /// The name of the union.
        union: &'static str,
    },
    /// The `$type` is not the expected one.
    #[error("expected `$type` {expected}, found {found}")]
    Type {
        /// The type of the record, or the name of the closed union.
        expected: &'static str,
        /// The `$type` found, truncated to 200 characters.
        found: Box<str>,
    },
    /// An integer does not fit into an `i64`.
    #[error("the integer does not fit into 64 bits")]
    IntegerRange,
    /// A number is not an integer. The [data model] has no floating-point numbers.
    ///
    /// [data model]: https://atproto.com/specs/data-model#data-types
    #[error("the number is not an integer; the data model has no floating-point numbers")]
    Float,
    /// The data is nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error(
        "nested deeper than {} levels; where a server returns this, ask it for less at once, such as fewer levels of a thread",
        super::MAX_DEPTH
    )]
    Depth,
    /// The data takes more memory than it may.
    #[error("the data takes more memory than it may")]
    Memory,
    /// The input ends within a value.
    #[error("unexpected end of input")]
    End,
    /// The value is followed by further input.
    #[error("unexpected input after the value")]
    Trailing,
    /// The input or a string in it is not valid UTF-8.
    #[error("the text is not valid UTF-8")]
    Utf8,
    /// The input is not valid JSON.
    #[error("invalid JSON: {0}")]
    Json(&'static str),
    /// The input is not valid DAG-CBOR.
    #[error("invalid DAG-CBOR: {0}")]
    Cbor(&'static str),
    /// A type of its own could not be converted by [serde](serde).
    #[error("{0}")]
    Serde(Box<str>),
    /// A special form of the data model, such as `$link`, is malformed.
    #[error("{0}")]
    Form(&'static str),
}

impl DataError {
    #[cold]
    pub(crate) fn at(offset: usize, problem: Problem) -> Self {
        Self(Box::new(Inner { steps: Vec::new(), offset: Some(offset), problem }))
    }

    #[cold]
    pub(crate) fn new(problem: Problem) -> Self {
        Self(Box::new(Inner { steps: Vec::new(), offset: None, problem }))
    }

    /// Adds the field that the error occurred in.
    #[cold]
    #[must_use]
    pub(crate) fn in_key(mut self, key: &str) -> Self {
        self.0.steps.push(Step::Key(excerpt(key, SHORT).into()));
        self
    }

    /// Adds the element that the error occurred in.
    #[cold]
    #[must_use]
    pub(crate) fn in_index(mut self, index: usize) -> Self {
        self.0.steps.push(Step::Index(index));
        self
    }

    /// Returns the path in the data, such as `feed[3].post`; empty if the value as a whole is concerned.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.steps.iter().rev() {
            match step {
                Step::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    /// Returns the kind of the error.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// Returns the byte offset in the input at which the error was detected, or `None` if it occurred in encoding.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        self.0.problem.fmt(f)?;
        match self.0.offset {
            Some(offset) => write!(f, " (at byte {offset})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataError")
            .field("path", &self.path())
            .field("problem", &self.0.problem)
            .field("offset", &self.0.offset)
            .finish()
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // Its text is part of this error's own text.
        None
    }
}
