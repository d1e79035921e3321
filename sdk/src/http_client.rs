//! How every HTTP client of this crate is set up.

use crate::limits;

/// Chooses `ring` for whatever uses TLS in this process. Another part of the program may have chosen already; then
/// that serves.
pub(crate) fn choose_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS by `rustls` on `ring`, with the system's trusted roots.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    choose_crypto();
    reqwest::Client::builder()
        .user_agent(concat!("atproto-sdk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits::CONNECT)
}

/// The address of a proxy cannot be used. It is not shown, for it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of the proxy cannot be used, expected one like `http://proxy.example.com:3128`")]
#[non_exhaustive]
pub struct InvalidProxy;

/// A proxy that everything goes through: nothing is sent past it, whatever its scheme and host.
pub(crate) fn proxy(url: &str) -> Result<reqwest::Proxy, InvalidProxy> {
    let parsed = url::Url::parse(url).map_err(|_| InvalidProxy)?;
    // The connector reads the address once more, by narrower rules, and does without a proxy where it cannot: it must be
    // one that both understand.
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
