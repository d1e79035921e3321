//! A Redis server.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::{
    certificates::ServerTls,
    server::{Recipe, Server, ServerError, find, free_port},
};

/// A server that speaks Redis's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisProgram {
    /// Redis.
    Redis,
    /// Valkey, which was Redis until version 7.2.
    Valkey,
}

impl RedisProgram {
    /// Its executable, and Debian's package with it.
    fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
        }
    }
}

/// A Redis server without data that keeps what it gets over a restart. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    server: Server,
    scheme: &'static str,
}

impl RedisServer {
    /// Starts Redis.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_program(RedisProgram::Redis, &[])
    }

    /// Starts a server with settings, such as `("maxmemory", "3mb")`.
    pub fn start_program(program: RedisProgram, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        Self::start_with(program, None, settings)
    }

    /// One that takes connections over TLS only.
    pub fn start_with_tls(tls: &ServerTls) -> Result<Self, ServerError> {
        Self::start_with(RedisProgram::Redis, Some(tls), &[])
    }

    fn start_with(
        program: RedisProgram,
        tls: Option<&ServerTls>,
        settings: &[(&str, &str)],
    ) -> Result<Self, ServerError> {
        let name = program.name();
        let failed = |source| ServerError::Start { program: name, source };
        let program = find(name, []).ok_or(ServerError::Missing { program: name, package: name })?;
        let folder = tempfile::Builder::new().prefix("atproto-redis-").tempdir().map_err(failed)?;
        let mut command = vec![program];
        for (option, value) in [("--bind", "127.0.0.1"), ("--appendonly", "yes"), ("--save", "")] {
            command.extend([option.to_owned(), value.to_owned()]);
        }
        for (option, value) in settings {
            command.extend([format!("--{option}"), (*value).to_owned()]);
        }
        command.extend(["--dir".to_owned(), folder.path().display().to_string()]);
        let is_ready: Box<dyn Fn(u16) -> bool + Send + Sync> = if let Some(tls) = tls {
            tls.write(folder.path()).map_err(failed)?;
            let clients = if tls.asks_clients { "yes" } else { "no" };
            for (option, value) in [
                ("--port", "0"),
                ("--tls-cert-file", "server.crt"),
                ("--tls-key-file", "server.key"),
                ("--tls-ca-cert-file", "authority.crt"),
                ("--tls-auth-clients", clients),
            ] {
                command.extend([option.to_owned(), value.to_owned()]);
            }
            Box::new(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        } else {
            Box::new(|port| pings(port).unwrap_or(false))
        };
        let port_option = if tls.is_some() { "--tls-port" } else { "--port" };
        let recipe = Recipe { program: name, command, port_option, stop_signal: "TERM", is_ready };
        Server::start(recipe, folder)
            .map(|server| Self { server, scheme: if tls.is_some() { "rediss" } else { "redis" } })
    }

    /// The server of this process, started by whoever asks first. It ends with the process.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<RedisServer, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Executes a command, such as `FLUSHALL`, and returns the first line of the answer. Not with TLS.
    pub fn command(&self, command: &str) -> io::Result<String> {
        command_at(self.server.port, command)
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/0", self.scheme, self.server.port)
    }

    /// Ends it and starts it again with the same data.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.server.restart()
    }
}

/// A Redis Cluster of three nodes without replicas, unless some are added. Dropping it ends it.
#[derive(Debug)]
pub struct RedisCluster {
    program: RedisProgram,
    settings: Vec<(String, String)>,
    nodes: Vec<RedisServer>,
    /// The port at which the first node talks to others.
    bus: String,
}

impl RedisCluster {
    /// Starts a cluster, and waits until it takes commands.
    pub fn start(program: RedisProgram) -> Result<Self, ServerError> {
        Self::start_with(program, &[])
    }

    /// One whose nodes have settings, such as `("cluster-node-timeout", "2000")`.
    pub fn start_with(program: RedisProgram, settings: &[(&str, &str)]) -> Result<Self, ServerError> {
        const SLOTS: [&str; 3] = ["0 5460", "5461 10922", "10923 16383"];
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (nodes, bus, settings) = (Vec::new(), String::new(), settings.collect());
        let mut cluster = Self { program, settings, nodes, bus };
        for slots in SLOTS {
            let node = cluster.join()?;
            cluster.at(node, &format!("CLUSTER ADDSLOTSRANGE {slots}"))?;
        }
        cluster.until("cluster_state:ok")?;
        Ok(cluster)
    }

    /// Starts a node that has nothing, and waits until all know it.
    fn join(&mut self) -> Result<usize, ServerError> {
        let bus = free_port().map_err(|error| self.failed(error))?.to_string();
        let mut settings = vec![("cluster-enabled", "yes"), ("cluster-port", bus.as_str())];
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let node = RedisServer::start_program(self.program, &settings)?;
        let number = self.nodes.len();
        if let Some(first) = self.nodes.first() {
            let meeting = format!("CLUSTER MEET 127.0.0.1 {} {}", first.port(), self.bus);
            node.command(&meeting).map_err(|error| self.failed(error))?;
        } else {
            self.bus = bus;
        }
        self.nodes.push(node);
        self.until(&format!("cluster_known_nodes:{}", self.nodes.len()))?;
        Ok(number)
    }

    /// Adds a replica of a node, and waits until it has its data.
    pub fn add_replica(&mut self, of: usize) -> Result<(), ServerError> {
        let replica = self.join()?;
        let id = self.id(of)?;
        self.at(replica, &format!("CLUSTER REPLICATE {id}"))?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.at(replica, "INFO replication")?.contains("master_link_status:up") {
            self.wait(deadline, "the replica does not get its data")?;
        }
        Ok(())
    }

    /// The id of a node.
    pub fn id(&self, node: usize) -> Result<String, ServerError> {
        // The first line of the answer is its length.
        Ok(self.at(node, "CLUSTER MYID")?.lines().nth(1).unwrap_or_default().trim().to_owned())
    }

    /// The node that is responsible for a key, and the key's slot.
    pub fn owner(&self, key: &str) -> Result<(usize, u16), ServerError> {
        let slot = self.at(0, &format!("CLUSTER KEYSLOT {key}"))?;
        let slot: u16 = slot.trim().trim_start_matches(':').parse().unwrap_or_default();
        Ok((usize::from(slot > 5460) + usize::from(slot > 10922), slot))
    }

    /// Ends a node, and what is behind its address.
    pub fn end(&mut self, node: usize) {
        drop(self.nodes.remove(node));
    }

    /// Executes a command at a node, and returns the answer.
    pub fn at(&self, node: usize, command: &str) -> Result<String, ServerError> {
        self.nodes[node].command(command).map_err(|error| self.failed(error))
    }

    fn failed(&self, source: io::Error) -> ServerError {
        ServerError::Start { program: self.program.name(), source }
    }

    /// Waits until all nodes say so about the cluster.
    fn until(&self, fact: &str) -> Result<(), ServerError> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.nodes.iter().all(|node| node.command("CLUSTER INFO").is_ok_and(|it| it.contains(fact))) {
            self.wait(deadline, "the nodes do not know each other")?;
        }
        Ok(())
    }

    fn wait(&self, deadline: Instant, problem: &str) -> Result<(), ServerError> {
        if Instant::now() > deadline {
            return Err(ServerError::NotReady { program: self.program.name(), output: problem.to_owned() });
        }
        std::thread::sleep(Duration::from_millis(50));
        Ok(())
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }
}

/// Sends an inline command, and returns the answer, which is assumed to arrive at once.
fn command_at(port: u16, command: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut answer = vec![0; 16 * 1024];
    let length = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    if answer.starts_with('-') { Err(io::Error::other(answer)) } else { Ok(answer) }
}

fn pings(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}
