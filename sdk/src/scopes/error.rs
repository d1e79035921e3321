//! What is wrong with a scope.

/// A text that is not a scope, or one of a resource of the protocol that breaks the resource's rules (O41, O43).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{scope}` is not a valid scope: {problem}")]
#[non_exhaustive]
pub struct InvalidScope {
    /// The offending scope, cut to 200 characters.
    pub scope: String,
    /// The rule that was broken.
    pub problem: ScopeProblem,
}

impl InvalidScope {
    #[cold]
    pub(super) fn new(scope: &str, problem: ScopeProblem) -> Self {
        Self { scope: scope.chars().take(200).collect(), problem }
    }
}

/// Which rule a scope breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeProblem {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// A character that no scope may have, such as a space or a quotation mark.
    #[error("`{}` (byte {at}) cannot stand in a scope", found.escape_debug())]
    Character {
        /// The character.
        found: char,
        /// Where it stands, in bytes.
        at: usize,
    },
    /// A `%` without two hexadecimal digits, or bytes that are no text.
    #[error("the percent-encoding in `{part}` is broken, expected `%` and two hexadecimal digits")]
    Encoding {
        /// The part that cannot be decoded.
        part: String,
    },
    /// A parameter that the resource does not have.
    #[error("`{resource}` has no parameter `{name}`, allowed are {allowed}")]
    UnknownParameter {
        /// The resource.
        resource: &'static str,
        /// The parameter.
        name: String,
        /// The parameters that the resource has.
        allowed: &'static str,
    },
    /// A parameter that is needed and not there.
    #[error("`{name}` is missing, expected {expected}")]
    Missing {
        /// The parameter.
        name: &'static str,
        /// What may stand there.
        expected: &'static str,
    },
    /// A parameter that is there more than once, or behind the colon and in the query as well.
    #[error("`{name}` is given more than once")]
    Repeated {
        /// The parameter.
        name: &'static str,
    },
    /// A parameter with a value that it cannot have.
    #[error("`{value}` cannot be the `{name}`, expected {expected}{}", hint(value))]
    Value {
        /// The parameter.
        name: &'static str,
        /// The value, decoded.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// All methods of all services, which nobody can be given.
    #[error("`lxm` and `aud` cannot both be `*`; name the methods or the service")]
    EveryCall,
}

/// A plus sign in a query is a space, which is seldom what was meant.
fn hint(value: &str) -> &'static str {
    if value.contains(' ') { " (a `+` in a query stands for a space, write `%2B`)" } else { "" }
}
