//! Opening a store by its URL.

use std::sync::Arc;

use super::{FileStore, MemoryStore, Store, StoreError};

/// Opens the store with the given URL.
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:` | in memory, lost when the process exits | |
/// | `file:sessions.json`, `file:///var/lib/app/sessions.json` | a file | |
/// | `sqlite:sessions.db`, `sqlite:///var/lib/app/sessions.db` | an SQLite file | `sqlite` |
/// | `postgres://user:password@host/database` | PostgreSQL | `postgres` |
/// | `redis://host/0`, `rediss://user:password@host/0` | Redis, plain or with TLS | `redis` |
///
/// For PostgreSQL and Redis, the parameter `sslrootcert` names a PEM file with the certificate authorities to trust, and
/// `sslcert` and `sslkey` name the PEM files of a client certificate.
///
/// ```
/// # async fn f() -> Result<(), atproto_sdk::store::StoreError> {
/// let store = atproto_sdk::store::connect("memory:").await?;
/// assert!(store.list("").await?.is_empty());
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f()).unwrap();
/// ```
///
/// # Errors
///
/// Returns an error if the URL is invalid, if the feature of the store is disabled, or if the store cannot be opened. Errors
/// do not contain the URL, because it may contain a password.
pub async fn connect(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    let refuse = |problem: String| Err(StoreError::Url { problem });
    let Some((scheme, rest)) = url.split_once(':') else {
        return refuse("it has no scheme; expected a URL such as `file:sessions.json`".to_owned());
    };
    match scheme {
        "memory" => Ok(Arc::new(MemoryStore::new())),
        "file" => {
            let path = path(rest)?.to_owned();
            Ok(Arc::new(super::blocking(move || FileStore::open(path)).await?))
        }
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let path = path(rest)?.to_owned();
            Ok(Arc::new(super::blocking(move || super::SqliteStore::open(path)).await?))
        }
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Arc::new(super::PostgresStore::connect(url).await?)),
        #[cfg(feature = "redis")]
        "redis" | "rediss" => Ok(Arc::new(super::RedisStore::connect(url).await?)),
        #[allow(unreachable_patterns, reason = "reachable for stores whose feature is disabled")]
        "sqlite" | "postgres" | "postgresql" | "redis" | "rediss" => {
            let feature = match scheme {
                "sqlite" => "sqlite",
                "redis" | "rediss" => "redis",
                _ => "postgres",
            };
            refuse(format!("`{scheme}:` requires the feature `{feature}` of atproto-sdk"))
        }
        _ => refuse(format!(
            "`{}:` is not a store; supported are memory, file, sqlite, postgres and redis",
            scheme.chars().take(20).collect::<String>()
        )),
    }
}

/// The path in `file:` and `sqlite:` URLs.
fn path(rest: &str) -> Result<&str, StoreError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(StoreError::Url { problem: "the path of the file is missing".to_owned() });
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn urls_name_stores() {
        let folder = tempfile::tempdir().unwrap();
        connect("memory:").await.unwrap();
        let file = folder.path().join("sessions.json");
        connect(&format!("file://{}", file.display())).await.unwrap();
        for (url, words) in [
            ("sessions.json", "no scheme"),
            ("file:", "path"),
            ("mysql://root:secret@host", "`mysql:` is not a store"),
            #[cfg(not(feature = "postgres"))]
            ("postgresql://root:secret@host", "the feature `postgres`"),
            #[cfg(not(feature = "redis"))]
            ("rediss://root:secret@host", "the feature `redis`"),
        ] {
            let error = connect(url).await.err().unwrap();
            let text = format!("{error} {error:?}");
            assert!(text.contains(words) && !text.contains("secret"), "{text}");
        }
    }
}
