//! What a plan needs around it: a network behind a proxy, and stores.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;
use tests::{
    Network, PostgresServer, RedisServer,
    faults::{FaultProxy, StoreGate, Trouble},
};

/// A network behind a proxy, and the stores that were asked for.
pub(crate) struct World {
    pub(crate) network: Network,
    pub(crate) proxy: FaultProxy,
    folder: TempDir,
    postgres: Mutex<Option<PostgresServer>>,
    redis: Mutex<Option<RedisServer>>,
    gates: Mutex<HashMap<String, Arc<StoreGate>>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        let proxy = FaultProxy::before(&network).await.unwrap();
        let (postgres, redis, gates) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { network, proxy, folder: tempfile::tempdir().unwrap(), postgres, redis, gates }
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

    /// The URL of a store of a kind that can be taken away: a file, or a server behind a gate.
    pub(crate) async fn fragile_store(&self, kind: &str, part: &str) -> String {
        if kind == "file" {
            std::fs::create_dir_all(self.folder_of(part)).unwrap();
            return format!("file:{}/sessions.json", self.folder_of(part).display());
        }
        let url = self.store(kind, part);
        let port = url.rsplit_once(':').unwrap().1.split('/').next().unwrap().to_owned();
        let known = self.gates.lock().unwrap().get(kind).cloned();
        let gate = match known {
            Some(gate) => gate,
            None => Arc::new(StoreGate::before(port.parse().unwrap()).await.unwrap()),
        };
        let through = url.replace(&format!(":{port}/"), &format!(":{}/", gate.port()));
        self.gates.lock().unwrap().insert(kind.to_owned(), gate);
        through
    }

    fn folder_of(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Takes a store away. A server that is started again is back at once.
    pub(crate) fn take_away(&self, kind: &str, part: &str, trouble: Trouble) {
        match (kind, trouble) {
            ("file", _) => {
                let away = self.folder_of(part).with_extension("away");
                std::fs::rename(self.folder_of(part), away).unwrap();
            }
            ("postgres", Trouble::Restart) => {
                self.postgres.lock().unwrap().as_mut().unwrap().restart().unwrap()
            }
            ("redis", Trouble::Restart) => self.redis.lock().unwrap().as_mut().unwrap().restart().unwrap(),
            _ => self.gates.lock().unwrap()[kind].close(trouble),
        }
    }

    /// Brings it back.
    pub(crate) fn bring_back(&self, kind: &str, part: &str) {
        if kind == "file" {
            let away = self.folder_of(part).with_extension("away");
            std::fs::rename(away, self.folder_of(part)).unwrap();
        } else {
            self.gates.lock().unwrap()[kind].open();
        }
    }

    /// The port-bound address of the PDS as accounts know it.
    pub(crate) fn pds(&self) -> &str {
        self.network.pds()
    }
}
