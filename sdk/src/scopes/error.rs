//! Errors of scopes.

use crate::server_text::{SHORT, excerpt};

/// A string that is not a valid scope, by its [syntax](https://atproto.com/specs/permission#scope-string-syntax) or by the
/// rules of its resource.
///
/// ```
/// use atproto_sdk::scopes::{Scope, ScopeProblem};
///
/// let error = "rpc:*?aud=*".parse::<Scope>().unwrap_err();
/// assert_eq!(error.problem, ScopeProblem::EveryCall);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{scope}` is not a valid scope: {problem}")]
#[non_exhaustive]
pub struct InvalidScope {
    /// The invalid scope, truncated to 200 characters.
    pub scope: String,
    /// The rule that it breaks.
    pub problem: ScopeProblem,
}

impl InvalidScope {
    #[cold]
    pub(super) fn new(scope: &str, problem: ScopeProblem) -> Self {
        Self { scope: excerpt(scope, SHORT), problem }
    }
}

/// The rule that a scope breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeProblem {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It contains a character that is not allowed in scopes, such as a space or a quotation mark.
    #[error("the character `{}` at byte {at} is not allowed in a scope", found.escape_debug())]
    Character {
        /// The character.
        found: char,
        /// The position of the character, in bytes.
        at: usize,
    },
    /// It contains a `%` without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("the percent-encoding in `{part}` is invalid, expected `%` and two hexadecimal digits")]
    Encoding {
        /// The part that cannot be decoded.
        part: String,
    },
    /// It contains a parameter that the resource does not have.
    #[error("`{resource}` has no parameter `{name}`, allowed are {allowed}")]
    UnknownParameter {
        /// The resource.
        resource: &'static str,
        /// The name of the parameter.
        name: String,
        /// The parameters of the resource.
        allowed: &'static str,
    },
    /// A required parameter is missing.
    #[error("`{name}` is missing, expected {expected}")]
    Missing {
        /// The name of the parameter.
        name: &'static str,
        /// The allowed values.
        expected: &'static str,
    },
    /// A parameter is given more than once, or both after the colon and in the query.
    #[error("`{name}` is given more than once")]
    Repeated {
        /// The name of the parameter.
        name: &'static str,
    },
    /// A parameter has an invalid value.
    #[error("`{value}` is not a valid `{name}`, expected {expected}{}", hint(value))]
    Value {
        /// The name of the parameter.
        name: &'static str,
        /// The decoded value.
        value: String,
        /// The allowed values.
        expected: &'static str,
    },
    /// It is for all methods of all services, which cannot be granted.
    #[error("`lxm` and `aud` cannot both be `*`; name the methods or the service")]
    EveryCall,
}

/// A plus sign in a query is decoded as a space, which is rarely intended.
fn hint(value: &str) -> &'static str {
    if value.contains(' ') { " (a `+` in a query stands for a space, write `%2B`)" } else { "" }
}
