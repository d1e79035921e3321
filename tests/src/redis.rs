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

/// A Redis Cluster of three nodes without replicas. Dropping it ends it.
#[derive(Debug)]
pub struct RedisCluster(Vec<RedisServer>);

impl RedisCluster {
    /// Starts a cluster, and waits until it takes commands.
    pub fn start(program: RedisProgram) -> Result<Self, ServerError> {
        const SLOTS: [&str; 3] = ["0 5460", "5461 10922", "10923 16383"];
        let failed = |source| ServerError::Start { program: program.name(), source };
        let mut nodes = Vec::new();
        for slots in SLOTS {
            let bus = free_port().map_err(failed)?.to_string();
            let settings = [("cluster-enabled", "yes"), ("cluster-port", bus.as_str())];
            let node = RedisServer::start_program(program, &settings)?;
            node.command(&format!("CLUSTER ADDSLOTSRANGE {slots}")).map_err(failed)?;
            nodes.push((node, bus));
        }
        for (node, bus) in &nodes[1..] {
            let meeting = format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port());
            nodes[0].0.command(&meeting).map_err(failed)?;
        }
        let cluster = Self(nodes.into_iter().map(|(node, _)| node).collect());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !cluster.is_ready() {
            if Instant::now() > deadline {
                let output = "the nodes do not know each other".to_owned();
                return Err(ServerError::NotReady { program: program.name(), output });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(cluster)
    }

    /// Whether all nodes agree that all slots are served.
    fn is_ready(&self) -> bool {
        self.0.iter().all(|node| {
            // The first line of the answer is its length, and the second one the state.
            let info = node.command("CLUSTER INFO").unwrap_or_default();
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        })
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.0
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
