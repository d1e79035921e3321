//! Calls as the administrator of a server (X12).

use std::{fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::xrpc::{
    BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse, service,
};

/// A client with the administrator's password of a PDS (HTTP Basic, user `admin`).
///
/// ```no_run
/// use atproto_sdk::{AdminClient, api::com::atproto::admin::get_account_info, did};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let admin = AdminClient::new("https://pds.example.com", &std::env::var("PDS_ADMIN_PASSWORD")?)?;
/// let params = get_account_info::Params::new(did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
/// println!("{}", admin.com_atproto_admin().get_account_info(params).await?.handle);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AdminClient {
    inner: Arc<Inner>,
    validates_input: bool,
}

struct Inner {
    http: reqwest::Client,
    origin: String,
    /// Marked as sensitive.
    authorization: HeaderValue,
}

impl AdminClient {
    /// A client of the server at `origin`, such as `https://pds.example.com`.
    ///
    /// # Errors
    /// When `origin` is not an http(s) address without path, or the TLS configuration of the system cannot be used.
    pub fn new(origin: &str, password: &str) -> Result<Self, InvalidService> {
        let origin = service::origin(origin)?;
        let pair = Zeroizing::new(format!("admin:{password}"));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        // Base64 is ASCII, which a header can always carry.
        let mut authorization =
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        authorization.set_sensitive(true);
        let inner = Inner { http: service::client()?, origin, authorization };
        Ok(Self { inner: Arc::new(inner), validates_input: true })
    }

    crate::xrpc::input_validation!();

    /// The server's address.
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }
}

impl Transport for AdminClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        let authorization = Some(self.inner.authorization.clone());
        Box::pin(service::send(
            &self.inner.http,
            &self.inner.origin,
            request,
            authorization,
            HeaderMap::new(),
        ))
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient").field("origin", &self.inner.origin).finish_non_exhaustive()
    }
}
