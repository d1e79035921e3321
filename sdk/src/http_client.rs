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
