//! The client for administrators of a server (X12).

use std::fmt;

use http::HeaderValue;

use super::plain::{HttpOptions, PlainClient, PlainText};
use crate::xrpc::{
    BoxFuture, CallSettings, InvalidService, Request, Transport, TransportError, TransportResponse,
    service::basic,
};

/// A client for the administrator of a PDS, which authenticates as the user `admin` with
/// [HTTP Basic authentication](https://atproto.com/specs/xrpc#admin-token-temporary-specification). Cheap to clone.
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
    settings: CallSettings,
}

impl AdminClient {
    /// Creates a client for the server at `origin`, such as `https://pds.example.com`.
    ///
    /// # Errors
    ///
    /// Returns an error if `origin` is not an https URL without a path (or http, on this machine), or if the TLS
    /// configuration of the system cannot be used.
    pub fn new(origin: &str, password: &str) -> Result<Self, InvalidService> {
        Self::builder(origin, password).build()
    }

    /// Creates a builder for a client of the server at `origin`.
    pub fn builder(origin: impl Into<String>, password: &str) -> AdminClientBuilder {
        AdminClientBuilder {
            origin: origin.into(),
            authorization: basic("admin", password),
            http: HttpOptions::default(),
            plain_text: PlainText::OnThisMachine,
        }
    }

    crate::xrpc::call_settings!(crate::limits::PLAIN_CALL);

    /// Returns the origin of the server.
    pub fn origin(&self) -> &str {
        self.plain.origin()
    }
}

impl Transport for AdminClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.plain.send(request, Some(self.authorization.clone())))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn service(&self) -> Option<&str> {
        Some(self.origin())
    }
}

impl fmt::Debug for AdminClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClient").field("origin", &self.plain.origin()).finish_non_exhaustive()
    }
}

/// Configures and builds an [`AdminClient`]. Created by [`AdminClient::builder`].
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
#[must_use = "call `build` to create the client"]
pub struct AdminClientBuilder {
    origin: String,
    authorization: HeaderValue,
    http: HttpOptions,
    plain_text: PlainText,
}

impl AdminClientBuilder {
    /// Sends all requests through a proxy such as `http://proxy.example.com:3128`, instead of the one in the environment
    /// variables.
    ///
    /// Redirects are never followed, so that the password is not sent to another server.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.http = HttpOptions::Proxy(url.into());
        self
    }

    /// Sends the password in plain text, to a server with an http URL on another machine. By default, http is used only
    /// for `localhost` and loopback addresses, without a proxy.
    ///
    /// For networks in which nobody else can read or change what is sent, such as that of a few containers.
    ///
    /// ```
    /// use atproto_sdk::{AdminClient, xrpc::InvalidService};
    ///
    /// let builder = AdminClient::builder("http://pds:3000", "password");
    /// assert!(matches!(builder.build(), Err(InvalidService::Insecure { .. })));
    /// let admin = AdminClient::builder("http://pds:3000", "password").allow_http().build()?;
    /// # Ok::<(), InvalidService>(())
    /// ```
    pub fn allow_http(mut self) -> Self {
        self.plain_text = PlainText::Anywhere;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns an error if the origin is not an https URL without a path, if the URL of the proxy is invalid, or if
    /// the TLS configuration of the system cannot be used.
    pub fn build(self) -> Result<AdminClient, InvalidService> {
        let plain = PlainClient::with_credentials(&self.origin, self.http, self.plain_text)?;
        Ok(AdminClient {
            plain,
            authorization: self.authorization,
            settings: CallSettings::new().of_client(crate::limits::PLAIN_CALL),
        })
    }
}

impl fmt::Debug for AdminClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminClientBuilder").field("origin", &self.origin).finish_non_exhaustive()
    }
}
