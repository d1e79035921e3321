//! The HTTP client for servers on this machine, without proxies and redirects.

use std::time::Duration;

/// A client for servers on this machine that gives up after `limit`. It keeps no connections: the runtimes of several
/// tests may share it.
///
/// # Errors
/// If no client can be built.
pub fn client(limit: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // reqwest wants a provider for http, too. Another part of the program may have chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .timeout(limit)
        .build()
}
