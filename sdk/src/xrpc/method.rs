//! The traits of methods, which generated code implements and everything generic uses.

use std::fmt;

use super::{Body, QueryString};
use crate::types::Data;

/// Whether a method reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A `GET` request, which may be repeated.
    Query,
    /// A `POST` request, which may change something.
    Procedure,
}

/// The description of an XRPC method, implemented by the generated method structs.
///
/// Every generated module of a method has types called `Params`, `Output` and `Error`, also where the lexicon names no
/// parameters, output or errors today: code that uses them compiles unchanged when the lexicon gains some.
pub trait Method: Send + Sync + 'static {
    /// The method's NSID.
    const NSID: &'static str;
    /// Query or procedure.
    const KIND: Kind;
    /// The media type of the request body, if there is one.
    const INPUT: Option<&'static str>;
    /// The media type of the response body, if there is one.
    const OUTPUT: Option<&'static str>;
    /// The query parameters; a struct without fields if the lexicon has none.
    type Params: Params;
    /// The request body: [`Json`](super::Json), [`Raw`](super::Raw) or [`Empty`](super::Empty).
    type Input: Body;
    /// The response body: [`Json`](super::Json), [`Raw`](super::Raw) or [`Empty`](super::Empty).
    type Output: Body;
    /// The errors that the lexicon names; an enum without variants if it names none.
    type Error: LexiconError;
}

/// A method that only reads.
pub trait Query: Method {}

/// A method that may change something.
pub trait Procedure: Method {}

/// A query whose output comes in pages: it has a `cursor` in its parameters and output, and one array in its output.
pub trait Paginated: Query {
    /// One entry of a page.
    type Item: Send;
    /// Sets the cursor of the next page in the parameters.
    fn set_cursor(params: &mut Self::Params, cursor: String);
    /// Returns the cursor of the next page, or `None` if this is the last one.
    fn cursor(output: &<Self::Output as Body>::Received) -> Option<&str>;
    /// Returns the entries of a page.
    fn into_items(output: <Self::Output as Body>::Received) -> Vec<Self::Item>;
}

/// Query parameters that can be written as a query string.
pub trait Params: Data + Clone + Send + Sync {
    /// Returns the query string with every parameter, including those with a default value.
    fn query(&self) -> QueryString {
        QueryString::of(self)
    }
}

/// The errors that a lexicon names for a method.
pub trait LexiconError: fmt::Debug + fmt::Display + Clone + Copy + PartialEq + Send + Sync + 'static {
    /// Returns the error of that name, or `None` if the lexicon has none.
    fn from_name(name: &str) -> Option<Self>;
    /// Returns the name as in the lexicon and on the wire.
    fn name(&self) -> &'static str;
}

/// The named errors of untyped calls, whose lexicon is not known: there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "it has no variants, and never will")]
pub enum NoError {}

impl fmt::Display for NoError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl LexiconError for NoError {
    fn from_name(_: &str) -> Option<Self> {
        None
    }
    fn name(&self) -> &'static str {
        match *self {}
    }
}

/// Implements [`LexiconError`] for a generated enum of errors.
#[doc(hidden)]
#[macro_export]
macro_rules! __errors {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $crate::xrpc::LexiconError for $name {
            fn from_name(name: &str) -> ::core::option::Option<Self> {
                match name {
                    $($text => ::core::option::Option::Some(Self::$variant),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn name(&self) -> &'static str {
                match *self {
                    $(Self::$variant => $text,)*
                }
            }
        }

        impl ::core::fmt::Display for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str($crate::xrpc::LexiconError::name(self))
            }
        }

        impl ::std::error::Error for $name {}
    };
}
