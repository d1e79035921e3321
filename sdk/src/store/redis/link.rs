//! The connection to a Redis server, and to another one if that is responsible now.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, RedisError,
    ScriptInvocation, ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
use tokio::time::Instant;

use super::{StoreError, cluster::Nodes, limits};
use crate::random;

/// How often an operation is sent again to another node. A cluster that is being reconfigured may send it on more than once.
const MOVES: u32 = 3;
/// How often an operation is sent on to the node to which its keys are being moved, or is tried again while they are.
const TURNS: u32 = 40;
/// For an attempt at one node.
const LIMIT: Duration = limits::REDIS_CONNECT.saturating_add(limits::REDIS_ANSWER);

/// The connection, which all clones of a store share.
pub(super) struct Link {
    /// The server in the URL.
    client: Client,
    config: ConnectionManagerConfig,
    current: Mutex<Current>,
    /// The nodes of the cluster, as it last named them. Empty if the server is not a part of one.
    nodes: Mutex<Vec<String>>,
}

#[derive(Clone)]
struct Current {
    manager: ConnectionManager,
    /// The node of a cluster, if it is not the server in the URL.
    node: Option<String>,
    /// How many connections there were before.
    number: u64,
}

/// What is sent to a server.
enum Operation<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Operation<'_> {
    async fn send<T: FromRedisValue>(&self, connection: &mut impl ConnectionLike) -> Result<T, RedisError> {
        match self {
            Self::Command(command) => command.query_async(connection).await,
            Self::Script(call) => call.invoke_async(connection).await,
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
    /// The operation was not executed. Another node is responsible for this one, because it has got its key, or will.
    Ask(String),
    /// The operation was not executed. The same server will execute it in a while.
    Wait,
    /// The operation was not executed. Another node may know who is responsible.
    Leave,
    /// The operation was not executed, because the server has become a replica. The URL may lead to another one by now.
    Reelected,
}

impl Remedy {
    fn of(error: &RedisError) -> Self {
        let to = || error.redirect_node().map(|(node, _)| node.to_owned());
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::Moved) => to().map_or(Self::None, Self::Move),
            ErrorKind::Server(ServerErrorKind::Ask) => to().map_or(Self::None, Self::Ask),
            // Its keys are on two nodes, because they are being moved, or the server has just started.
            ErrorKind::Server(ServerErrorKind::TryAgain | ServerErrorKind::BusyLoading) => Self::Wait,
            // It may be alone in its part of a network.
            ErrorKind::Server(ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown) => Self::Leave,
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::Reelected,
            // Nobody is there.
            _ if error.is_connection_refusal() => Self::Leave,
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
        let current = Mutex::new(Current { manager, node: None, number: 0 });
        Ok(Self { client, config, current, nodes: Mutex::default() })
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

    /// Asks for the nodes of the cluster, so that there are others if one fails. Until the server says, they are those it has named.
    pub(super) async fn learn(&self) {
        let mut manager = self.current().manager;
        let mut command = redis::cmd("CLUSTER");
        let asking = command.arg("SLOTS").query_async::<Nodes>(&mut manager);
        // An operation waits for it.
        match in_time(limits::REDIS_CONNECT, asking).await {
            Ok(Nodes(nodes)) => *self.nodes.lock().unwrap_or_else(PoisonError::into_inner) = nodes,
            // The account may not be allowed to ask.
            Err(error) => tracing::debug!(%error, "the Redis cluster does not say which nodes it has"),
        }
    }

    /// Whether the server is a part of a cluster that has named its nodes.
    pub(super) fn is_cluster(&self) -> bool {
        !self.nodes.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    async fn run<T: FromRedisValue>(&self, operation: Operation<'_>) -> Result<T, RedisError> {
        let begun = Instant::now();
        let (mut moves, mut left, mut turns) = (0, 0, 0);
        let mut asked: Option<String> = None;
        loop {
            let mut current = self.current();
            let target = asked.take();
            let was_asked = target.is_some();
            let outcome = match target {
                None => in_time(LIMIT, operation.send(&mut current.manager)).await,
                Some(node) => in_time(LIMIT, self.ask(&node, &operation)).await,
            };
            let error = match outcome {
                Err(error) => error,
                Ok(done) => {
                    // The cluster has changed.
                    if moves > 0 && self.is_cluster() {
                        self.learn().await;
                    }
                    return Ok(done);
                }
            };
            turns += 1;
            match Remedy::of(&error) {
                Remedy::Move(to) if moves < MOVES => {
                    self.replace(&current, Some(to))?;
                    moves += 1;
                }
                Remedy::Ask(to) if turns < TURNS => asked = Some(to),
                Remedy::Wait if turns < TURNS && begun.elapsed() < limits::REDIS_TRY_AGAIN => {
                    let wait = limits::REDIS_TRY_AGAIN_PAUSE;
                    tokio::time::sleep(wait + random::part_of(wait)).await;
                }
                Remedy::Reelected if moves == 0 => {
                    self.replace(&current, None)?;
                    moves += 1;
                }
                // What is wrong with the node that was only asked says nothing about this one.
                Remedy::Leave if !was_asked && left < self.others() => {
                    self.leave(&current)?;
                    left += 1;
                }
                remedy => {
                    let is_lost = error.is_io_error() || error.is_connection_dropped();
                    let is_left = remedy == Remedy::Reconnect
                        || is_lost && (current.node.is_some() || self.is_cluster());
                    if !was_asked && is_left {
                        self.leave(&current)?;
                    }
                    return Err(error);
                }
            }
        }
    }

    /// Sends an operation to the node to which its keys are being moved. The others stay where they are.
    async fn ask<T: FromRedisValue>(&self, node: &str, operation: &Operation<'_>) -> Result<T, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(limits::REDIS_CONNECT))
            .set_response_timeout(Some(limits::REDIS_ANSWER));
        // A connection of its own, because nothing may come between these commands.
        let client = self.client_of(node)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        if let Operation::Script(call) = operation {
            call.load_async(&mut connection).await?;
        }
        redis::cmd("ASKING").exec_async(&mut connection).await?;
        operation.send(&mut connection).await
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many nodes there are besides the current one.
    fn others(&self) -> usize {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Uses another node from now on, because this one is lost: the next one of those that are known, in a circle with the
    /// server in the URL.
    fn leave(&self, from: &Current) -> Result<(), RedisError> {
        let next = {
            let nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
            match &from.node {
                None => nodes.first().cloned(),
                Some(node) => {
                    let position = nodes.iter().position(|known| known == node);
                    position.and_then(|position| nodes.get(position + 1).cloned())
                }
            }
        };
        self.replace(from, next)
    }

    /// Uses a new connection from now on, to a node or to the server in the URL, unless another task has replaced the old one.
    fn replace(&self, old: &Current, node: Option<String>) -> Result<(), RedisError> {
        let client = match &node {
            None => self.client.clone(),
            Some(node) => self.client_of(node)?,
        };
        // There is somebody else to turn to.
        let retries = if self.is_cluster() { 0 } else { 3 };
        let config = self.config.clone().set_number_of_retries(retries);
        let manager = ConnectionManager::new_lazy_with_config(client, config)?;
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.number == old.number {
            *current = Current { manager, node, number: old.number + 1 };
        }
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

/// Limits an attempt, so that its failure is seen before the caller gives up: a server that has vanished refuses nothing.
async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, RedisError> {
    let late = || std::io::Error::new(std::io::ErrorKind::TimedOut, "the Redis server does not answer");
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late().into()))
}

fn or(host: &str, own: &str) -> String {
    if host.is_empty() { own.to_owned() } else { host.trim_matches(['[', ']']).to_owned() }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("node", &self.current().node).finish_non_exhaustive()
    }
}
