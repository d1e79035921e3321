//! A PostgreSQL server.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::{
    certificates::ServerTls,
    server::{Recipe, Server, ServerError, find},
};

const PROGRAM: &str = "postgres";
const PACKAGE: &str = "postgresql";

/// A PostgreSQL server with an empty database. Dropping it ends it.
#[derive(Debug)]
pub struct PostgresServer(Server);

impl PostgresServer {
    /// Makes a database in a temporary folder and starts a server on it. Takes a second or two.
    pub fn start() -> Result<Self, ServerError> {
        Self::start_with(None)
    }

    /// One that takes connections over TLS only.
    pub fn start_with_tls(tls: &ServerTls) -> Result<Self, ServerError> {
        Self::start_with(Some(tls))
    }

    fn start_with(tls: Option<&ServerTls>) -> Result<Self, ServerError> {
        let failed = |source| ServerError::Start { program: PROGRAM, source };
        let program = |name: &'static str| {
            find(name, newest_first()).ok_or(ServerError::Missing { program: name, package: PACKAGE })
        };
        let (initdb, postgres, isready) = (program("initdb")?, program(PROGRAM)?, program("pg_isready")?);
        let folder = tempfile::Builder::new().prefix("atproto-postgres-").tempdir().map_err(failed)?;
        if let Some(tls) = tls {
            tls.write(folder.path()).map_err(failed)?;
        }
        let user = as_other_user(&folder).map_err(failed)?;
        let data = folder.path().join("data").display().to_string();
        let mut making = user.clone();
        making.extend([initdb, "-D".into(), data.clone()]);
        making.extend(
            ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"].map(Into::into),
        );
        let made = Command::new(&making[0])
            .args(&making[1..])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .map_err(failed)?;
        if !made.status.success() {
            let output = String::from_utf8_lossy(&made.stderr).into_owned();
            return Err(ServerError::NotReady { program: "initdb", output });
        }
        let mut command = user;
        command.extend([postgres, "-D".into(), data]);
        // Nothing here outlives a crash of the machine, so nothing waits for the disk.
        for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"] {
            command.extend(["-c".into(), setting.into()]);
        }
        if let Some(tls) = tls {
            let method = if tls.asks_clients { "cert" } else { "trust" };
            let access = format!("hostssl all all 127.0.0.1/32 {method}\n");
            fs::write(folder.path().join("data/pg_hba.conf"), access).map_err(failed)?;
            let file = |name: &str| folder.path().join(name).display().to_string();
            for (setting, value) in [
                ("ssl", "on".to_owned()),
                ("ssl_cert_file", file("server.crt")),
                ("ssl_key_file", file("server.key")),
                ("ssl_ca_file", file("authority.crt")),
            ] {
                command.extend(["-c".into(), format!("{setting}={value}")]);
            }
        }
        let is_ready = Box::new(move |port: u16| {
            let mut asking = Command::new(&isready);
            asking.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
            asking.status().is_ok_and(|status| status.success())
        });
        let recipe = Recipe { program: PROGRAM, command, port_option: "-p", stop_signal: "INT", is_ready };
        Server::start(recipe, folder).map(Self)
    }

    /// The server of this process, started by whoever asks first. It ends with the process.
    pub fn shared() -> Result<&'static Self, String> {
        static SHARED: OnceLock<Result<PostgresServer, String>> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// The URL of its database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.0.port)
    }

    /// Ends it and starts it again with the same data.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.0.restart()
    }
}

/// Debian has its programs beside the `PATH`, in a folder for each version.
fn newest_first() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

/// PostgreSQL does not run as root: what makes a command run as its own user then, who gets the folder.
pub(crate) fn as_other_user(folder: &tempfile::TempDir) -> std::io::Result<Vec<String>> {
    let id = Command::new("id").arg("-u").output()?;
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return Ok(Vec::new());
    }
    Command::new("chown").args(["-R", "postgres"]).arg(folder.path()).status()?;
    Ok(["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"].map(Into::into).to_vec())
}
