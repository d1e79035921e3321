//! The configuration of all HTTP clients of this crate.

use std::sync::Arc;
#[cfg(all(feature = "http2", feature = "stream"))]
use std::sync::OnceLock;

use http::HeaderMap;

use crate::{limits, name_lookup::ConfiguredNames};

/// Installs `ring` as the crypto provider for TLS, unless another part of the program has already installed one.
pub(crate) fn choose_crypto() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A builder for an HTTP client with `rustls` and the certificate authorities of the system.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    choose_crypto();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("atproto-sdk/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(limits::CONNECT)
        .dns_resolver(Arc::new(ConfiguredNames));
    one_protocol(builder)
}

/// Calls by HTTP/2 are only for programs that have asked for it: another crate that switches it on in `reqwest` must not take the
/// connections of HTTP/1.1 from the streams.
#[cfg(not(feature = "http2"))]
fn one_protocol(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    // What `reqwest` repeats by itself are refusals by HTTP/2. For those it would keep a copy of the headers of each request.
    builder.http1_only().retry(reqwest::retry::never().max_retries_per_request(0))
}

#[cfg(feature = "http2")]
fn one_protocol(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder
}

/// An HTTP client for one kind of server. Where calls may use HTTP/2, streams have another one, because a WebSocket needs a
/// connection of HTTP/1.1.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    calls: reqwest::Client,
    #[cfg(all(feature = "http2", feature = "stream"))]
    streams: Arc<Streams>,
}

/// The client for streams, which few programs need.
#[cfg(all(feature = "http2", feature = "stream"))]
struct Streams {
    client: OnceLock<reqwest::Client>,
    /// How it is made.
    recipe: Box<dyn Fn() -> reqwest::ClientBuilder + Send + Sync>,
}

#[cfg(all(feature = "http2", feature = "stream"))]
impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams(..)")
    }
}

impl HttpClient {
    /// Builds a client from its configuration.
    pub(crate) fn build(
        recipe: impl Fn() -> reqwest::ClientBuilder + Send + Sync + 'static,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            calls: recipe().build()?,
            #[cfg(all(feature = "http2", feature = "stream"))]
            streams: Arc::new(Streams { client: OnceLock::new(), recipe: Box::new(recipe) }),
        })
    }

    /// The client of an app, which is used for everything.
    pub(crate) fn given(client: reqwest::Client) -> Self {
        Self {
            #[cfg(all(feature = "http2", feature = "stream"))]
            streams: Arc::new(Streams {
                client: OnceLock::from(client.clone()),
                recipe: Box::new(reqwest::Client::builder),
            }),
            calls: client,
        }
    }

    /// The client for calls.
    pub(crate) fn calls(&self) -> &reqwest::Client {
        &self.calls
    }

    /// The client for a request with these headers, which can be the handshake of a stream.
    #[cfg(all(feature = "http2", feature = "stream"))]
    pub(crate) fn for_request(&self, headers: &HeaderMap) -> &reqwest::Client {
        if !headers.contains_key(http::header::UPGRADE) {
            return &self.calls;
        }
        let Streams { client, recipe } = &*self.streams;
        if let Some(client) = client.get() {
            return client;
        }
        match recipe().http1_only().build() {
            Ok(built) => client.get_or_init(|| built),
            // One with the same configuration could be built. Servers without HTTP/2 accept streams from it.
            Err(_) => &self.calls,
        }
    }

    /// The same without HTTP/2.
    #[cfg(not(all(feature = "http2", feature = "stream")))]
    pub(crate) fn for_request(&self, _: &HeaderMap) -> &reqwest::Client {
        &self.calls
    }
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
    #![allow(clippy::unwrap_used)]
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

    #[cfg(all(feature = "http2", feature = "stream"))]
    #[tokio::test]
    async fn streams_have_connections_of_http_1_1_where_calls_have_http_2() {
        use std::io::Read as _;

        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

        choose_crypto();
        let authority = ::tests::Authority::new();
        let issued = authority.issue("localhost");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (chosen, choices) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let chain = vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
            let mut config =
                rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
            let config = Arc::new(config);
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let _ = rustls::Stream::new(&mut tls, &mut connection).read(&mut [0; 64]);
                let protocol = tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
                if chosen.send(protocol).is_err() {
                    return;
                }
            }
        });
        let root = reqwest::Certificate::from_pem(authority.certificate().as_bytes()).unwrap();
        let http = HttpClient::build(move || builder().tls_certs_only([root.clone()]).no_proxy()).unwrap();
        let mut upgrade = HeaderMap::new();
        upgrade.insert(http::header::UPGRADE, http::HeaderValue::from_static("websocket"));
        for (headers, protocol) in
            [(HeaderMap::new(), "h2"), (upgrade.clone(), "http/1.1"), (upgrade, "http/1.1")]
        {
            // The server ends the connection after the handshake of TLS.
            let request = http.for_request(&headers).get(&address).headers(headers);
            assert!(request.send().await.is_err());
            assert_eq!(choices.recv().unwrap().as_deref(), Some(protocol));
        }
        let given = HttpClient::given(reqwest::Client::new());
        assert!(std::ptr::eq(given.for_request(&HeaderMap::new()), given.calls()));
    }
}
