//! XRPC: methods, calls, responses, errors, retry and pagination over any [`Transport`].

mod method;
mod query_string;
mod transport;

pub use method::{
    Body, Empty, Json, Kind, LexiconError, Method, NoError, NoParams, Paginated, Params, Procedure, Query,
    Raw, Subscription,
};
pub use query_string::{QueryString, QueryValue};
pub use transport::{
    BoxFuture, ByteStream, Reauthenticate, ReauthenticateReason, Request, RequestBody, Transport,
    TransportError, TransportResponse,
};
