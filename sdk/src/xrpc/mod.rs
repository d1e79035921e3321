//! XRPC: methods, calls, responses, errors, retry, pacing and pagination over any [`Transport`].

mod body;
#[cfg(feature = "client")]
mod call;
pub(crate) mod challenge;
mod deadline;
#[cfg(feature = "client")]
mod defaults;
mod error;
mod error_kind;
#[cfg(feature = "client")]
pub(crate) mod exchange;
pub(crate) mod http_date;
mod invalid_request;
mod method;
#[cfg(feature = "client")]
pub(crate) mod observed;
#[cfg(feature = "client")]
mod options;
#[cfg(feature = "client")]
mod pacing;
#[cfg(feature = "client")]
mod pages;
mod query_string;
#[cfg(feature = "client")]
mod reached;
mod request;
mod response;
#[cfg(feature = "client")]
mod retry;
#[cfg(feature = "client")]
pub(crate) mod service;
pub mod services;
#[cfg(feature = "client")]
mod settings;
pub(crate) mod subscription;
#[cfg(all(test, feature = "client"))]
mod tests;
mod transport;
#[cfg(feature = "client")]
mod untyped;
#[cfg(feature = "stream")]
mod upgrade;

pub use body::{Body, ByteStream, Empty, Json, Raw, RequestBody};
#[cfg(feature = "client")]
pub use call::Call;
pub use deadline::Deadline;
#[cfg(feature = "client")]
pub(crate) use error::server_time;
pub use error::{DecodeError, Error, ErrorResponse, RateLimit, ReadError, UnreadableRecord};
#[cfg(feature = "client")]
pub(crate) use error_kind::has_token_in_input;
pub use error_kind::{AccountProblem, ErrorKind};
pub use invalid_request::InvalidRequest;
pub use method::{Kind, LexiconError, Method, NoError, Paginated, Params, Procedure, Query};
#[cfg(feature = "client")]
pub use options::Labeler;
#[cfg(feature = "stream")]
pub(crate) use options::insert_header;
#[cfg(feature = "bsky")]
pub(crate) use options::with_those_of_client;
#[cfg(feature = "client")]
pub use pacing::{PacedCall, Pacing, Turn};
#[cfg(feature = "client")]
pub(crate) use pages::entries;
#[cfg(feature = "client")]
pub use pages::{items, pages};
pub use query_string::QueryString;
#[cfg(feature = "client")]
pub(crate) use reached::Reached;
pub use request::Request;
pub use response::Response;
#[cfg(feature = "client")]
pub use retry::{Attempt, Backoff, ExponentialBackoff, Outcome, RetryPolicy, StandardRetry};
#[cfg(feature = "client")]
pub use service::InvalidService;
#[cfg(feature = "client")]
pub use settings::CallSettings;
#[cfg(feature = "client")]
pub(crate) use settings::call_settings;
pub use subscription::{Message, Subscription};
pub use transport::{
    BoxFuture, Caller, Reauthenticate, ReauthenticateReason, Transport, TransportError, TransportResponse,
};
#[cfg(feature = "client")]
pub use untyped::UntypedCall;
#[cfg(feature = "stream")]
pub use upgrade::Upgraded;
