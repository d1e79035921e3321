//! A connection pooler in front of a PostgreSQL server.

use std::{fs, net::TcpStream};

use crate::{
    PostgresServer,
    postgres::as_other_user,
    server::{Recipe, Server, ServerError, find},
};

const PROGRAM: &str = "pgbouncer";

/// PgBouncer in transaction mode: each transaction may run on another connection to the server. Dropping it ends it.
#[derive(Debug)]
pub struct PgBouncer(Server);

impl PgBouncer {
    /// Starts a pooler with a few connections to `server`.
    pub fn start(server: &PostgresServer) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Start { program: PROGRAM, source };
        let found = find(PROGRAM, ["/usr/sbin".into()]);
        let program = found.ok_or(ServerError::Missing { program: PROGRAM, package: PROGRAM })?;
        let folder = tempfile::Builder::new().prefix("atproto-pgbouncer-").tempdir().map_err(failed)?;
        let settings = format!(
            "[databases]\npostgres = host=127.0.0.1 port={} dbname=postgres user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = transaction\ndefault_pool_size = 3\n",
            server.port()
        );
        fs::write(folder.path().join("settings.ini"), settings).map_err(failed)?;
        let mut command = as_other_user(&folder).map_err(failed)?;
        // It takes its port only from the file.
        let script = format!("echo \"listen_port = $2\" >> settings.ini; exec {program} -q settings.ini");
        command.extend(["sh".to_owned(), "-c".to_owned(), script, "sh".to_owned()]);
        let is_ready = Box::new(|port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok());
        let recipe = Recipe { program: PROGRAM, command, port_option: "-p", stop_signal: "INT", is_ready };
        Server::start(recipe, folder).map(Self)
    }

    /// The URL of the database through the pooler.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.0.port)
    }
}
