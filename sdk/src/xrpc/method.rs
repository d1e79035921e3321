//! What generated code says about a method; everything generic is written against these traits.

use std::fmt;

use super::{Body, QueryString};
use crate::types::{Data, FromData, codec::Shape};

/// Whether a method reads, writes or streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `GET`, may be repeated.
    Query,
    /// `POST`, may change something.
    Procedure,
    /// A WebSocket.
    Subscription,
}

/// The data of one XRPC method, implemented by the generated method structs.
pub trait Method: Send + Sync + 'static {
    /// The method's NSID.
    const NSID: &'static str;
    /// Query, procedure or subscription.
    const KIND: Kind;
    /// MIME type of the request body, if there is one.
    const INPUT: Option<&'static str>;
    /// MIME type of the response body, if there is one.
    const OUTPUT: Option<&'static str>;
    /// The query parameters.
    type Params: Params;
    /// The request body: [`Json`](super::Json), [`Raw`](super::Raw) or [`Empty`](super::Empty).
    type Input: Body;
    /// The response body: [`Json`](super::Json), [`Raw`](super::Raw) or [`Empty`](super::Empty).
    type Output: Body;
    /// The errors that the lexicon names, or [`NoError`].
    type Error: LexiconError;
}

/// A method that only reads.
pub trait Query: Method {}

/// A method that may change something.
pub trait Procedure: Method {}

/// A stream of typed messages.
pub trait Subscription: Method {
    /// One message of the stream.
    type Message: FromData + Send;
}

/// A query whose answer comes in pages: a `cursor` on both sides and one array in the output.
pub trait Paginated: Query {
    /// One entry of a page.
    type Item: Send;
    /// Puts the cursor of the next page into the parameters.
    fn set_cursor(params: &mut Self::Params, cursor: String);
    /// The cursor of the page after this one.
    fn cursor(output: &<Self::Output as Body>::Received) -> Option<&str>;
    /// The entries of a page.
    fn into_items(output: <Self::Output as Body>::Received) -> Vec<Self::Item>;
}

/// Query parameters that can be written as a query string.
pub trait Params: Data + Clone + Send + Sync {
    /// Every parameter, defaults included (protocol X2).
    fn query(&self) -> QueryString {
        QueryString::of(self)
    }
}

/// No parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NoParams;

impl Data for NoParams {
    fn shape(&self) -> Shape<'_> {
        Shape::Null
    }
}

impl Params for NoParams {}

/// The errors that a lexicon names for a method.
pub trait LexiconError: fmt::Debug + fmt::Display + Clone + Copy + PartialEq + Send + Sync + 'static {
    /// The error of that name, if the lexicon has it.
    fn from_name(name: &str) -> Option<Self>;
    /// The name as it stands in the lexicon and on the wire.
    fn name(&self) -> &'static str;
}

/// For methods whose lexicon names no errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
macro_rules! errors {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $crate::xrpc::LexiconError for $name {
            fn from_name(name: &str) -> ::core::option::Option<Self> {
                match name {
                    $($text => ::core::option::Option::Some(Self::$variant),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn name(&self) -> &'static str {
                match self {
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
