//! What a plan needs around it: a network behind a proxy, and stores.

use std::sync::Mutex;

use tempfile::TempDir;
use tests::{Network, PostgresServer, RedisServer, faults::FaultProxy};

/// A network behind a proxy, and the stores that were asked for.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) proxy: FaultProxy,
    folder: TempDir,
    postgres: Mutex<Option<PostgresServer>>,
    redis: Mutex<Option<RedisServer>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        let proxy = FaultProxy::before(&network).await.unwrap();
        let (postgres, redis) = (Mutex::default(), Mutex::default());
        Self { network, proxy, folder: tempfile::tempdir().unwrap(), postgres, redis }
    }

    /// The URL of a store of a kind, which is the same in each `part` of a test.
    pub(crate) fn store(&self, kind: &str, part: &str) -> String {
        let folder = self.folder.path().display();
        match kind {
            "memory" => "memory".to_owned(),
            "file" => format!("file:{folder}/{part}.json"),
            "sqlite" => format!("sqlite:{folder}/{part}.db"),
            "postgres" => {
                let mut server = self.postgres.lock().unwrap();
                server.get_or_insert_with(|| PostgresServer::start().unwrap()).url()
            }
            "redis" => {
                let mut server = self.redis.lock().unwrap();
                server.get_or_insert_with(|| RedisServer::start().unwrap()).url()
            }
            other => panic!("there is no store {other}"),
        }
    }

    /// The port-bound address of the PDS as accounts know it.
    pub(crate) fn pds(&self) -> &str {
        self.network.pds()
    }
}
