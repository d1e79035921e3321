//! The configuration of all HTTP clients of this crate.

use std::sync::Arc;

use crate::{limits, name_lookup::ConfiguredNames};

/// Installs `ring` as the crypto provider for TLS, unless another part of the program has already installed one.
pub(crate) fn choose_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A builder for an HTTP client with `rustls` and the certificate authorities of the system.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    choose_crypto();
    reqwest::Client::builder()
        .user_agent(concat!("atproto-sdk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits::CONNECT)
        .dns_resolver(Arc::new(ConfiguredNames))
}

/// The URL of a proxy is invalid. The message does not contain the URL, which may contain a password.
///
/// ```
/// use atproto_sdk::{PublicClient, xrpc::InvalidService};
///
/// // The scheme is missing.
/// let result = PublicClient::builder("https://pds.example.com").proxy("proxy.example.com:3128").build();
/// assert!(matches!(result, Err(InvalidService::Proxy(_))));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the URL of the proxy is invalid, expected one like `http://proxy.example.com:3128`")]
#[non_exhaustive]
pub struct InvalidProxy;

/// A proxy for all requests, regardless of their scheme and host.
pub(crate) fn proxy(url: &str) -> Result<reqwest::Proxy, InvalidProxy> {
    let parsed = url::Url::parse(url).map_err(|_| InvalidProxy)?;
    // The connector parses the URL again, with stricter rules, and uses no proxy if it fails. So both must accept the URL.
    let understood = parsed.as_str().parse::<http::Uri>().is_ok_and(|uri| uri.authority().is_some());
    if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && understood {
        reqwest::Proxy::all(parsed.as_str()).map_err(|_| InvalidProxy)
    } else {
        Err(InvalidProxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_addresses() {
        assert!(proxy("http://user:secret@127.0.0.1:3128").is_ok());
        for bad in
            ["", "proxy.example.com:3128", "socks5://proxy.example.com", "http://", "ftp://proxy.example.com"]
        {
            assert_eq!(proxy(bad).err(), Some(InvalidProxy), "{bad}");
        }
    }
}
