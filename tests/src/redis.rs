//! A Redis server.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    sync::OnceLock,
    time::Duration,
};

use crate::{
    certificates::ServerTls,
    server::{Recipe, Server, ServerError, find},
};

const PROGRAM: &str = "redis-server";

/// A Redis server without data that keeps what it gets over a restart. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    server: Server,
    scheme: &'static str,
}

impl RedisServer {
    /// Starts a server.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(None)
    }

    /// One that takes connections over TLS only.
    pub fn start_with_tls(tls: &ServerTls) -> Result<Self, ServerError> {
        Self::start_with(Some(tls))
    }

    fn start_with(tls: Option<&ServerTls>) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Start { program: PROGRAM, source };
        let program =
            find(PROGRAM, []).ok_or(ServerError::Missing { program: PROGRAM, package: "redis-server" })?;
        let folder = tempfile::Builder::new().prefix("atproto-redis-").tempdir().map_err(failed)?;
        let mut command = vec![program];
        for (name, value) in [("--bind", "127.0.0.1"), ("--appendonly", "yes"), ("--save", "")] {
            command.extend([name.to_owned(), value.to_owned()]);
        }
        command.extend(["--dir".to_owned(), folder.path().display().to_string()]);
        let is_ready: Box<dyn Fn(u16) -> bool + Send + Sync> = if let Some(tls) = tls {
            tls.write(folder.path()).map_err(failed)?;
            let clients = if tls.asks_clients { "yes" } else { "no" };
            for (name, value) in [
                ("--port", "0"),
                ("--tls-cert-file", "server.crt"),
                ("--tls-key-file", "server.key"),
                ("--tls-ca-cert-file", "authority.crt"),
                ("--tls-auth-clients", clients),
            ] {
                command.extend([name.to_owned(), value.to_owned()]);
            }
            Box::new(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
        } else {
            Box::new(|port| pings(port).unwrap_or(false))
        };
        let port_option = if tls.is_some() { "--tls-port" } else { "--port" };
        let recipe = Recipe { program: PROGRAM, command, port_option, stop_signal: "TERM", is_ready };
        Server::start(recipe, folder)
            .map(|server| Self { server, scheme: if tls.is_some() { "rediss" } else { "redis" } })
    }

    /// The server of this process, started by whoever asks first. It ends with the process.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<RedisServer, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
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

fn pings(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG")
}
