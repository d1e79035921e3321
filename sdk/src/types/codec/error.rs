//! What can be wrong with data.

use std::fmt;

/// Why data could not be read or written.
///
/// Names the path in the data, such as `feed[3].post.author.did`, and the place in the input. Never holds the values
/// themselves, except identifiers that are not valid, cut short.
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

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Another kind of value than the type asks for.
    #[error("expected {expected}, found {found}")]
    Kind {
        /// What the type asks for.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// A field that has to be there is absent.
    #[error("the field `{field}` of {of} is missing")]
    Missing {
        /// The field.
        field: &'static str,
        /// The object.
        of: &'static str,
    },
    /// A field stands there twice.
    #[error("the field `{field}` stands there twice")]
    Duplicate {
        /// The field.
        field: Box<str>,
    },
    /// A string that is not of its format.
    #[error(transparent)]
    Text(#[from] super::super::InvalidText),
    /// An object in a union has no `$type`.
    #[error("there is no `$type`, which says what the object is; expected one of {union}")]
    Untyped {
        /// The union.
        union: &'static str,
    },
    /// The `$type` is not the one that belongs there.
    #[error("expected `$type` {expected}, found {found}")]
    Type {
        /// The type, or what the closed union is called.
        expected: &'static str,
        /// What there is.
        found: Box<str>,
    },
    /// An integer beyond 64 bits.
    #[error("the integer does not fit into 64 bits with sign")]
    IntegerRange,
    /// A fraction or a number with exponent: the data model has integers only (D1).
    #[error("the number is not an integer; there are no others in the data model")]
    Float,
    /// Nested deeper than [`MAX_DEPTH`](super::MAX_DEPTH).
    #[error("nested deeper than {} levels", super::MAX_DEPTH)]
    Depth,
    /// The input ends too early.
    #[error("the input ends in the middle of a value")]
    End,
    /// Something behind the value.
    #[error("there is something behind the value")]
    Trailing,
    /// Text that is not UTF-8.
    #[error("the text is not valid UTF-8")]
    Utf8,
    /// The input is not JSON.
    #[error("the JSON is broken: {0}")]
    Json(&'static str),
    /// The input is not DAG-CBOR.
    #[error("this is not DAG-CBOR: {0}")]
    Cbor(&'static str),
    /// A special form of the data model, such as `$link`, is not as it has to be.
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

    /// Adds the field that the error is in.
    #[cold]
    #[must_use]
    pub(crate) fn in_key(mut self, key: &str) -> Self {
        self.0.steps.push(Step::Key(key.chars().take(100).collect::<String>().into()));
        self
    }

    /// Adds the element that the error is in.
    #[cold]
    #[must_use]
    pub(crate) fn in_index(mut self, index: usize) -> Self {
        self.0.steps.push(Step::Index(index));
        self
    }

    /// Where in the data, such as `feed[3].post`; empty for the whole.
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

    /// What is wrong.
    pub fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// The byte in the input where it was noticed, counted from 0; nothing when writing.
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
        // Its text is part of this error's own.
        None
    }
}
