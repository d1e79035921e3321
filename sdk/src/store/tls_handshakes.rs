//! Stores with TLS: which servers are trusted.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use tests::{Authority, ServerTls};

use super::{Expected, Store, StoreError, connect};

/// The certificates of an authority, in files.
struct Files {
    folder: tempfile::TempDir,
    authority: Authority,
}

impl Files {
    fn new() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
        std::fs::write(folder.path().join("authority.pem"), authority.certificate()).unwrap();
        // The certificate of the PostgreSQL user with this name.
        authority.issue("postgres").write(folder.path(), "client").unwrap();
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> String {
        Path::new(self.folder.path()).join(name).display().to_string()
    }

    /// A URL with the authority for verifying its server.
    fn with_authority(&self, url: &str) -> String {
        format!("{url}?sslrootcert={}", self.path("authority.pem"))
    }

    fn with_identity(&self, url: &str) -> String {
        let (certificate, key) = (self.path("client.crt"), self.path("client.key"));
        format!("{}&sslcert={certificate}&sslkey={key}", self.with_authority(url))
    }
}

async fn works(url: &str) -> Arc<dyn Store> {
    let store = connect(url).await.unwrap();
    let version = store.put("session/tls", b"x", None, Expected::Any).await.unwrap();
    drop(store.lock("session/tls", std::time::Duration::from_secs(5)).await.unwrap());
    assert_eq!(store.get("session/tls").await.unwrap().unwrap().version, version);
    store
}

/// The message of an error with its causes.
async fn refused(url: &str) -> String {
    let error: StoreError = connect(url).await.err().unwrap();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(feature = "postgres")]
mod postgres {
    use tests::PostgresServer;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_verified_servers_are_talked_to() {
        let files = Files::new();
        let mut server =
            PostgresServer::start_with_tls(&ServerTls::new(&files.authority, "127.0.0.1")).unwrap();
        let url = server.url();
        let store = works(&files.with_authority(&url)).await;
        works(&format!("{}&sslmode=verify-full", files.with_authority(&url))).await;
        server.restart().unwrap();
        assert!(store.get("session/tls").await.unwrap().is_some());

        for mode in ["require", "prefer", "verify-full"] {
            let text = refused(&format!("{url}?sslmode={mode}")).await;
            assert!(text.contains("invalid peer certificate"), "{text}");
        }
        let text = refused(&Files::new().with_authority(&url)).await;
        assert!(text.contains("invalid peer certificate"), "{text}");
        // The server accepts no unencrypted connection.
        let text = refused(&url).await;
        assert!(text.contains("no encryption"), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_of_another_name_or_without_tls_is_refused() {
        let files = Files::new();
        let server = PostgresServer::start_with_tls(&ServerTls::new(&files.authority, "db.example")).unwrap();
        let text = refused(&files.with_authority(&server.url())).await;
        assert!(text.contains("certificate not valid for name \"127.0.0.1\""), "{text}");
        let plain = PostgresServer::shared().unwrap().url();
        let text = refused(&files.with_authority(&plain)).await;
        assert!(text.contains("server does not support TLS"), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_shows_its_certificate() {
        let files = Files::new();
        let tls = ServerTls::new(&files.authority, "127.0.0.1").ask_clients();
        let server = PostgresServer::start_with_tls(&tls).unwrap();
        works(&files.with_identity(&server.url())).await;
        let text = refused(&files.with_authority(&server.url())).await;
        assert!(text.contains("client certificate"), "{text}");
    }
}

#[cfg(feature = "redis")]
mod redis {
    use tests::RedisServer;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_verified_servers_are_talked_to() {
        let files = Files::new();
        let mut server = RedisServer::start_with_tls(&ServerTls::new(&files.authority, "127.0.0.1")).unwrap();
        let url = server.url();
        let store = works(&files.with_authority(&url)).await;
        server.restart().unwrap();
        assert!(store.get("session/tls").await.unwrap().is_some());

        for url in [url.clone(), Files::new().with_authority(&url)] {
            let text = refused(&url).await;
            assert!(text.contains("invalid peer certificate"), "{text}");
        }
        let text = refused(&format!("{url}#insecure")).await;
        assert!(text.contains("always verified"), "{text}");
        let plain = url.replace("rediss:", "redis:");
        refused(&plain).await;
        let text = refused(&files.with_authority(&plain)).await;
        assert!(text.contains("`rediss://`"), "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_of_another_name_or_without_tls_is_refused() {
        let files = Files::new();
        let server = RedisServer::start_with_tls(&ServerTls::new(&files.authority, "redis.example")).unwrap();
        let text = refused(&files.with_authority(&server.url())).await;
        assert!(text.contains("certificate not valid for name \"127.0.0.1\""), "{text}");
        let plain = RedisServer::shared().unwrap().url().replace("redis:", "rediss:");
        refused(&files.with_authority(&plain)).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_client_shows_its_certificate() {
        let files = Files::new();
        let tls = ServerTls::new(&files.authority, "127.0.0.1").ask_clients();
        let server = RedisServer::start_with_tls(&tls).unwrap();
        works(&files.with_identity(&server.url())).await;
        refused(&files.with_authority(&server.url())).await;
    }
}
