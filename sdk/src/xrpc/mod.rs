//! XRPC: methods, calls, responses, errors, retry and pagination over any [`Transport`].

mod body;
#[cfg(feature = "client")]
mod call;
pub(crate) mod challenge;
mod error;
mod error_kind;
#[cfg(feature = "client")]
pub(crate) mod exchange;
pub(crate) mod http_date;
mod method;
#[cfg(feature = "client")]
pub(crate) mod observed;
#[cfg(feature = "client")]
mod options;
#[cfg(feature = "client")]
mod pages;
mod query_string;
mod request;
mod response;
#[cfg(feature = "client")]
mod retry;
#[cfg(feature = "client")]
pub(crate) mod service;
mod transport;
#[cfg(feature = "client")]
mod untyped;

pub use body::{Body, ByteStream, Empty, Json, MAX_BUFFERED_BODY, Raw, RequestBody};
#[cfg(feature = "client")]
pub use call::Call;
pub use error::{DecodeError, Error, ErrorResponse, InvalidRequest, RateLimit, ReadError};
pub use error_kind::{AccountProblem, ErrorKind};
pub use method::{Kind, LexiconError, Method, NoError, Paginated, Params, Procedure, Query};
#[cfg(feature = "client")]
pub use options::Labeler;
#[cfg(feature = "client")]
pub use pages::{items, pages};
pub use query_string::QueryString;
pub use request::Request;
pub use response::Response;
#[cfg(feature = "client")]
pub use service::InvalidService;
#[cfg(feature = "client")]
pub(crate) use transport::input_validation;
pub use transport::{
    BoxFuture, Caller, Reauthenticate, ReauthenticateReason, Transport, TransportError, TransportResponse,
};
#[cfg(feature = "client")]
pub use untyped::UntypedCall;
