//! Calls to a server that anybody can choose, without credentials.

use crate::xrpc::{
    BoxFuture, CallSettings, Request, Transport, TransportError, TransportResponse,
    service::{self, Credentials, Origin},
};

/// A page of a listing has a hundred lexicons.
static SETTINGS: CallSettings = CallSettings::new().max_response_size(16 * 1024 * 1024);

/// The server at an origin that has been checked, over a client that checks addresses.
pub(super) struct Pds<'a> {
    pub(super) http: &'a reqwest::Client,
    pub(super) origin: &'a str,
}

impl Transport for Pds<'_> {
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
