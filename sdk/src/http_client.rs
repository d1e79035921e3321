//! How every HTTP client of this crate is set up.

use std::time::Duration;

/// TLS by `rustls` on `ring`, with the system's trusted roots.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    // Another part of the program may have chosen a provider already; then that one serves.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("atproto-sdk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
}
