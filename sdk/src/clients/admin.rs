//! Calls as the administrator of a server (protocol X12).

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;
use zeroize::Zeroizing;

use super::plain::{HttpOptions, PlainClient};
use crate::xrpc::{BoxFuture, InvalidService, Request, Transport, TransportError, TransportResponse};

/// A client with the administrator's password of a PDS (HTTP Basic, user `admin`). Cheap to clone.
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
    plain: PlainClient,
    /// Marked as sensitive.
    authorization: HeaderValue,
    validates_input: bool,
}

impl AdminClient {
    /// A client of the server at `origin`, such as `https://pds.example.com`.
    ///
    /// # Errors
    /// When `origin` is not an http(s) address without path, or the TLS configuration of the system cannot be used.
    pub fn new(origin: &str, password: &str) -> Result<Self, InvalidService> {
        Self::builder(origin, password).build()
    }

    /// Starts to build a client of the server at `origin`.
    pub fn builder(origin: impl Into<String>, password: &str) -> AdminClientBuilder {
        let pair = Zeroizing::new(format!("admin:{password}"));
        let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        // Base64 is ASCII, which a header can always carry.
        let mut authorization =
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        authorization.set_sensitive(true);
        AdminClientBuilder { origin: origin.into(), authorization, http: HttpOptions::default() }
    }

    crate::xrpc::input_validation!();

    /// The server's address.
    pub fn origin(&self) -> &str {
        self.plain.origin()
    }
}

impl Transport for AdminClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.plain.send(request, Some(self.authorization.clone())))
    }

    fn validates_input(&self) -> bool {
        self.validates_input
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient").field("origin", &self.plain.origin()).finish_non_exhaustive()
    }
}

/// Builds an [`AdminClient`]; made by [`AdminClient::builder`].
///
/// ```
/// use atproto_sdk::AdminClient;
///
/// let admin = AdminClient::builder("https://pds.example.com", "password")
///     .proxy("http://proxy.example.com:3128")
///     .build()?;
/// assert_eq!(admin.origin(), "https://pds.example.com");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "nothing is built before `build`"]
pub struct AdminClientBuilder {
    origin: String,
    authorization: HeaderValue,
    http: HttpOptions,
}

impl AdminClientBuilder {
    /// Sends everything through a proxy, such as `http://proxy.example.com:3128`, instead of through the one that the
    /// environment names. Redirects are not
    /// followed in any case: the password stays with the server that it belongs to.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// When the origin is not an http(s) address without path, the address of the proxy cannot be used, or TLS cannot be set
    /// up.
    pub fn build(self) -> Result<AdminClient, InvalidService> {
        let plain = PlainClient::new(&self.origin, self.http)?;
        Ok(AdminClient { plain, authorization: self.authorization, validates_input: true })
    }
}

impl fmt::Debug for AdminClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClientBuilder").field("origin", &self.origin).finish_non_exhaustive()
    }
}
