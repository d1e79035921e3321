//! Finding the PDS of the account that signs in.

use std::sync::Arc;

use super::PasswordError;
use crate::{
    clients::plain::HttpOptions,
    http_client::{self, HttpClient},
    identity::{IdentityError, ResolveIdentity, Resolver, http::Egress},
    types::{AtIdentifier, Did},
    xrpc::InvalidService,
};

/// How accounts are found.
#[derive(Default)]
pub(super) struct Discovery {
    pub(super) resolver: Option<Arc<dyn ResolveIdentity>>,
    pub(super) allow_loopback_http: bool,
}

/// An account, its PDS, and a client for it.
pub(super) struct Found {
    pub(super) did: Did,
    pub(super) pds: String,
    pub(super) http: HttpClient,
}

impl Discovery {
    /// Finds the PDS. The URL is the account's, so it is checked like that of any stranger (O9), and so are the addresses that
    /// the client connects to.
    pub(super) async fn find(self, typed: &str, http: HttpOptions) -> Result<Found, PasswordError> {
        let account = AtIdentifier::from_input(typed)?;
        let proxy = match &http {
            HttpOptions::Proxy(url) => Some(url.as_str()),
            _ => None,
        };
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => {
                let builder = Resolver::builder().allow_loopback_http(self.allow_loopback_http);
                let builder = match proxy {
                    Some(url) => builder.proxy(url),
                    None => builder,
                };
                Arc::new(builder.build().map_err(Box::new)?)
            }
        };
        let proxy = proxy.map(http_client::proxy).transpose().map_err(InvalidService::from)?;
        let egress = Egress { allow_loopback_http: self.allow_loopback_http, proxy, ..Egress::default() };
        let identity = resolver.resolve(account.as_str()).await.map_err(Box::new)?;
        if let Err(source) = egress.check_url(&identity.pds) {
            return Err(Box::new(IdentityError::UnreachablePds { did: identity.did, source }).into());
        }
        let http = HttpClient::build(move || egress.session_builder()).map_err(InvalidService::Tls)?;
        Ok(Found { did: identity.did, pds: identity.pds, http })
    }
}
