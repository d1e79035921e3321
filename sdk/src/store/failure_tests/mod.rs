//! Stores on media and servers that fail: what is said, and that nothing is lost or half-written.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod files;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

#[cfg(any(feature = "postgres", feature = "redis"))]
use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};
use std::time::Duration;

use super::{Expected, Store, StoreError, Version};

const SOON: Duration = Duration::from_millis(100);

/// An address that leads to one server, and then to another. Existing connections stay where they are.
#[cfg(any(feature = "postgres", feature = "redis"))]
struct Switch {
    port: u16,
    target: Arc<AtomicU16>,
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl Switch {
    async fn to(target: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = Arc::new(AtomicU16::new(target));
        let now = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let target = now.load(Ordering::SeqCst);
                tokio::spawn(async move {
                    let Ok(mut server) = tokio::net::TcpStream::connect(("127.0.0.1", target)).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { port, target }
    }

    /// A URL that goes through the switch.
    fn before(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    fn turn_to(&self, target: u16) {
        self.target.store(target, Ordering::SeqCst);
    }
}

/// The entry is as it was last written.
async fn assert_kept(store: &dyn Store, key: &str, value: &[u8], version: Version) {
    let entry = store.get(key).await.unwrap().unwrap();
    assert_eq!((entry.value.as_slice(), entry.version), (value, version));
}
