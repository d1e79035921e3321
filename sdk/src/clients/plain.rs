//! The common part of the clients without OAuth.

use std::{fmt, sync::Arc};

use http::HeaderValue;

use crate::{
    http_client::HttpClient,
    xrpc::{
        BoxFuture, CallSettings, InvalidService, Request, Transport, TransportError, TransportResponse,
        service::{self, Credentials, Origin, Proxy},
    },
};

/// The settings of the HTTP client.
#[derive(Default)]
pub(super) enum HttpOptions {
    /// With the proxy in the environment variables, if any.
    #[default]
    Default,
    /// With the proxy at this URL.
    Proxy(String),
    /// A client that was created by the app.
    Client(reqwest::Client),
    /// A client that checks the addresses that it connects to.
    Checked(HttpClient),
}

impl HttpOptions {
    /// `direct` is for credentials in plain text, which must not leave this machine.
    fn build(self, direct: bool) -> Result<HttpClient, InvalidService> {
        match self {
            Self::Default if direct => service::client(Proxy::None),
            Self::Default => service::client(Proxy::OfEnvironment),
            Self::Proxy(url) => service::client(Proxy::At(&url)),
            Self::Client(client) => Ok(HttpClient::given(client)),
            Self::Checked(client) => Ok(client),
        }
    }
}

/// Whether credentials are only sent over TLS, or to this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainText {
    OnThisMachine,
    Anywhere,
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL of a proxy can contain a password.
        f.write_str(match self {
            Self::Default => "Default",
            Self::Proxy(_) => "Proxy(..)",
            Self::Client(_) | Self::Checked(_) => "Client(..)",
        })
    }
}

/// Sends requests to one service.
#[derive(Debug, Clone)]
pub(super) struct PlainClient {
    http: HttpClient,
    origin: Arc<Origin>,
    /// How it makes calls itself.
    settings: CallSettings,
}

impl PlainClient {
    /// For requests without credentials.
    pub(super) fn new(origin: &str, http: HttpOptions) -> Result<Self, InvalidService> {
        let origin = Origin::parse(origin)?;
        Ok(Self { http: http.build(false)?, origin: origin.into(), settings: CallSettings::new() })
    }

    /// For requests with credentials.
    pub(super) fn with_credentials(
        origin: &str,
        http: HttpOptions,
        plain_text: PlainText,
    ) -> Result<Self, InvalidService> {
        let origin = Origin::parse(origin)?;
        let restricted = plain_text == PlainText::OnThisMachine && origin.as_str().starts_with("http:");
        // To a proxy, the same name is another machine.
        let stays_here = origin.is_this_machine() && matches!(http, HttpOptions::Default);
        if restricted && !stays_here {
            return Err(InvalidService::Insecure { address: origin.as_str().to_owned() });
        }
        Ok(Self { http: http.build(restricted)?, origin: origin.into(), settings: CallSettings::new() })
    }

    /// Sets how calls are made that it makes itself.
    pub(super) fn with_settings(self, settings: CallSettings) -> Self {
        Self { settings, ..self }
    }

    pub(super) fn origin(&self) -> &str {
        self.origin.as_str()
    }

    /// Sends a request. `authorization` replaces the header of the caller.
    pub(super) fn send(
        &self,
        request: Request,
        authorization: Option<HeaderValue>,
    ) -> impl Future<Output = Result<TransportResponse, TransportError>> + Send {
        let credentials = Credentials { authorization, proof: None };
        service::send(self.http.for_request(request.headers()), &self.origin, request, credentials)
    }
}

/// For calls without credentials.
impl Transport for PlainClient {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(self.send(request, None))
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{AdminClient, PasswordClient, PasswordError, PublicClient};

    #[test]
    fn a_server_is_the_same_however_its_url_is_spelled() {
        for spelled in ["https://PDS.Example.com", "https://pds.example.com:443/", "HTTPS://pds.example.com"]
        {
            let http = HttpOptions::default();
            let plain = PlainClient::with_credentials(spelled, http, PlainText::OnThisMachine).unwrap();
            // Sessions with a password are stored under it.
            assert_eq!(plain.origin(), "https://pds.example.com", "{spelled}");
        }
    }

    #[tokio::test]
    async fn credentials_are_sent_in_plain_text_only_to_this_machine() {
        for (origin, good) in [
            ("https://pds.example.com", true),
            ("http://pds.example.com", false),
            ("http://10.0.0.1:2583", false),
            ("http://localhost.example.com", false),
            ("http://pds.localhost", false),
            ("http://127.0.0.1.example.com", false),
            ("http://localhost:2583", true),
            ("http://127.0.0.1:2583", true),
            ("http://127.1:2583", true),
            ("http://[::1]:2583", true),
        ] {
            let admin = AdminClient::new(origin, "hunter2").map(drop);
            assert_eq!(admin.is_ok(), good, "{origin}");
            if let Err(error) = admin {
                assert!(matches!(error, InvalidService::Insecure { .. }), "{error:?}");
                let text = error.to_string();
                assert!(
                    text.contains(origin) && text.contains("allow_http") && !text.contains("hunter2"),
                    "{text}"
                );
                let password = PasswordClient::sign_in(origin, "alice.example.com", "hunter2").await;
                let refused =
                    matches!(password, Err(PasswordError::Service(InvalidService::Insecure { .. })));
                assert!(refused, "{origin}");
            }
            AdminClient::builder(origin, "hunter2").allow_http().build().unwrap();
            PublicClient::new(origin).unwrap();
        }
    }

    #[test]
    fn a_proxy_is_another_machine() {
        let local = |change: fn(crate::AdminClientBuilder) -> crate::AdminClientBuilder| {
            change(AdminClient::builder("http://localhost:2583", "x").proxy("http://proxy.example.com:3128"))
                .build()
        };
        assert!(matches!(local(|builder| builder), Err(InvalidService::Insecure { .. })));
        local(|builder| builder.allow_http()).unwrap();
    }
}
