//! The connection to a Redis server, and to another one if that is responsible now.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use redis::{
    Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError, ScriptInvocation, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use super::{StoreError, limits};

/// How often an operation is sent again to another node. A cluster that is being reconfigured may send it on more than once.
const MOVES: u32 = 3;

/// The connection, which all clones of a store share.
pub(super) struct Link {
    /// The server in the URL.
    client: Client,
    config: ConnectionManagerConfig,
    current: Mutex<Current>,
}

struct Current {
    manager: ConnectionManager,
    /// The node of a cluster, if it is not the server in the URL.
    node: Option<String>,
}

/// What is sent to a server.
enum Operation<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Operation<'_> {
    async fn send<T: FromRedisValue>(&self, mut manager: ConnectionManager) -> Result<T, RedisError> {
        match self {
            Self::Command(command) => command.query_async(&mut manager).await,
            Self::Script(call) => call.invoke_async(&mut manager).await,
        }
    }
}

/// What to do about an error.
#[derive(Debug, PartialEq, Eq)]
enum Remedy {
    None,
    /// The connection is replaced, but the operation may have been executed.
    Reconnect,
    /// The operation was not executed. Another node is responsible.
    Move(String),
    /// The operation was not executed, because the server has become a replica. The URL may lead to another one by now.
    Reelected,
}

impl Remedy {
    fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => match error.redirect_node() {
                Some((node, _)) => Self::Move(node.to_owned()),
                None => Self::None,
            },
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Reelected,
            // The driver reconnects when a connection is closed, but not when it hangs.
            _ if error.is_timeout() => Self::Reconnect,
            _ => Self::None,
        }
    }
}

impl Link {
    pub(super) async fn connect(client: Client) -> Result<Self, StoreError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(limits::REDIS_CONNECT))
            .set_response_timeout(Some(limits::REDIS_ANSWER))
            .set_number_of_retries(3)
            .set_max_delay(limits::REDIS_RECONNECT);
        let limit = 4 * limits::REDIS_CONNECT;
        let connecting = ConnectionManager::new_with_config(client.clone(), config.clone());
        let manager = tokio::time::timeout(limit, connecting).await;
        let manager = manager.map_err(|_| StoreError::Timeout { limit })?.map_err(super::failed)?;
        Ok(Self { client, config, current: Mutex::new(Current { manager, node: None }) })
    }

    pub(super) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        self.run(Operation::Command(command)).await
    }

    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> Result<T, RedisError> {
        self.run(Operation::Script(call)).await
    }

    async fn run<T: FromRedisValue>(&self, operation: Operation<'_>) -> Result<T, RedisError> {
        let mut moves = 0;
        loop {
            let (manager, node) = self.current();
            let error = match operation.send(manager).await {
                Err(error) => error,
                done => return done,
            };
            match Remedy::of(&error) {
                Remedy::Move(to) if moves < MOVES => self.replace(Some(to))?,
                Remedy::Reelected if moves == 0 => self.replace(None)?,
                remedy => {
                    // A node may have left the cluster. The server in the URL knows its successor.
                    let is_lost = node.is_some() && (error.is_io_error() || error.is_connection_dropped());
                    if remedy == Remedy::Reconnect || is_lost {
                        self.replace(None)?;
                    }
                    return Err(error);
                }
            }
            moves += 1;
        }
    }

    fn current(&self) -> (ConnectionManager, Option<String>) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        (current.manager.clone(), current.node.clone())
    }

    /// Uses a new connection from now on: to a node, or to the server in the URL.
    fn replace(&self, node: Option<String>) -> Result<(), RedisError> {
        let client = match &node {
            None => self.client.clone(),
            Some(node) => self.client_of(node)?,
        };
        let manager = ConnectionManager::new_lazy_with_config(client, self.config.clone())?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Current { manager, node };
        Ok(())
    }

    /// A client for another node, with the same credentials.
    fn client_of(&self, node: &str) -> Result<Client, RedisError> {
        let info = self.client.get_connection_info();
        let unknown = || RedisError::from((ErrorKind::Client, "the cluster names a node without an address"));
        // The address is empty if the node does not know its own: it is that of the server that was asked.
        let (host, port) = node.rsplit_once(':').ok_or_else(unknown)?;
        let port: u16 = port.parse().map_err(|_| unknown())?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(own, _) => ConnectionAddr::Tcp(or(host, own), port),
            ConnectionAddr::TcpTls { host: own, insecure, tls_params, .. } => ConnectionAddr::TcpTls {
                host: or(host, own),
                port,
                insecure: *insecure,
                tls_params: tls_params.clone(),
            },
            _ => return Err(unknown()),
        };
        Client::open(info.clone().set_addr(address))
    }
}

fn or(host: &str, own: &str) -> String {
    if host.is_empty() { own.to_owned() } else { host.trim_matches(['[', ']']).to_owned() }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("node", &self.current().1).finish_non_exhaustive()
    }
}

/// What a server says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerInfo {
    pub(super) is_replica: bool,
    pub(super) is_cluster: bool,
    /// The policy by which it removes entries when its memory is full, if that can happen.
    pub(super) evicts: Option<String>,
}

impl ServerInfo {
    /// Reads the answer to `INFO`.
    pub(super) fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.find_map(|(found, value)| (found == name).then(|| value.trim().to_owned()))
        };
        let limited = field("maxmemory").is_some_and(|bytes| bytes != "0");
        Self {
            is_replica: field("role").is_some_and(|role| role == "slave"),
            is_cluster: field("cluster_enabled").is_some_and(|enabled| enabled == "1"),
            evicts: field("maxmemory_policy").filter(|policy| limited && policy != "noeviction"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_about_itself_is_read() {
        let info =
            "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n# Replication\r\nrole:master\r\n";
        assert_eq!(ServerInfo::parse(info), ServerInfo::default());
        let info = "role:slave\r\ncluster_enabled:1\r\nmaxmemory:100\r\nmaxmemory_policy:volatile-ttl\r\n";
        let evicts = Some("volatile-ttl".to_owned());
        assert_eq!(ServerInfo::parse(info), ServerInfo { is_replica: true, is_cluster: true, evicts });
        assert_eq!(ServerInfo::parse("maxmemory:100\r\nmaxmemory_policy:noeviction\r\n").evicts, None);
        assert_eq!(ServerInfo::parse(""), ServerInfo::default());
    }
}
