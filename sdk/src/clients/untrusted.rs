//! Calls to a server that anybody can choose, without credentials.

use crate::xrpc::{
    BoxFuture, CallSettings, Request, Transport, TransportError, TransportResponse,
    service::{self, Credentials, Origin},
};

/// What is read into memory is a page of records or of a listing.
static SETTINGS: CallSettings = CallSettings::new().max_response_size(16 * 1024 * 1024);

/// The server at an origin that has been checked, over a client that checks addresses.
pub(crate) struct UntrustedServer<'a> {
    pub(crate) http: &'a reqwest::Client,
    pub(crate) origin: &'a str,
}

impl Transport for UntrustedServer<'_> {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let origin = Origin::parse(self.origin)
                .map_err(|error| TransportError::InvalidRequest { problem: error.to_string() })?;
            service::send(self.http, &origin, request, Credentials::default()).await
        })
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }

    fn settings(&self) -> &CallSettings {
        &SETTINGS
    }
}
