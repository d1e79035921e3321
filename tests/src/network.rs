//! The network as a child process, steered through its control port.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::install::{InstallError, install, install_folder};

/// The limit for the network to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The limit for a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// Why the network does not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// It could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// It could not be started.
    #[error("the local network could not be started")]
    Start(#[source] std::io::Error),
    /// It ended, or was not ready in time.
    #[error("the local network was not ready within {START_LIMIT:?}; what it printed is in {}", log_file().display())]
    NotReady,
    /// Its control port cannot be reached.
    #[error("the local network does not answer")]
    Control(#[source] reqwest::Error),
    /// A command failed.
    #[error("the local network could not `{command}`: {problem}")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        problem: String,
    },
}

/// What the servers print.
fn log_file() -> PathBuf {
    install_folder().join(format!("network-{}.log", std::process::id()))
}

/// A PLC directory and a PDS with its authorization server. Dropping it ends them.
#[derive(Debug)]
pub struct Network {
    addresses: Addresses,
    http: reqwest::Client,
    next_account: Arc<AtomicU32>,
    /// Ends when it is dropped, and with the standard input when this process dies.
    _child: Child,
}

#[derive(Debug, Deserialize)]
struct Addresses {
    pds: String,
    plc: String,
    control: String,
}

/// An account at the PDS.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its DID.
    pub did: String,
    /// Its handle, which resolves inside of the network.
    pub handle: String,
    /// Its password.
    pub password: String,
}

/// What the server has seen since it was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Successful refreshes.
    pub refreshes: u32,
    /// Refused refreshes.
    pub refused_refreshes: u32,
    /// Tokens given for a code.
    pub tokens: u32,
    /// Requests of any kind.
    pub requests: u32,
}

impl Network {
    /// Installs the network if need be and starts it. `progress` is told what takes long.
    ///
    /// # Errors
    /// When it cannot be installed or started.
    pub async fn start(progress: &(dyn Fn(&str) + Sync)) -> Result<Self, NetworkError> {
        let node = install(progress).await?;
        let folder = install_folder();
        let script = folder.join("network.mjs");
        // Beside its packages, because that is where Node looks for them.
        tokio::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("network/network.mjs"), &script)
            .await
            .map_err(NetworkError::Start)?;
        // The servers tell of every refused request, which is part of the game; kept for when something is wrong.
        let log = std::fs::File::create(log_file()).map(Stdio::from).map_err(NetworkError::Start)?;
        let mut child = Command::new(node)
            .arg(&script)
            .current_dir(&folder)
            .env("LOG_ENABLED", "false")
            .env("NODE_ENV", "development")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(NetworkError::Start)?;
        let addresses = match child.stdout.take() {
            Some(stdout) => tokio::time::timeout(START_LIMIT, ready(stdout)).await.ok().flatten(),
            None => None,
        };
        let addresses = addresses.ok_or(NetworkError::NotReady)?;
        // Another part of the program may have chosen a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http =
            reqwest::Client::builder().timeout(COMMAND_LIMIT).build().map_err(NetworkError::Control)?;
        Ok(Self { addresses, http, next_account: Arc::default(), _child: child })
    }

    /// The PDS, which is also the issuer of tokens.
    pub fn pds(&self) -> &str {
        &self.addresses.pds
    }

    /// The PLC directory.
    pub fn plc(&self) -> &str {
        &self.addresses.plc
    }

    /// A new account with a handle that begins like `name` and is not taken.
    pub async fn account(&self, name: &str) -> Result<Account, NetworkError> {
        #[derive(Deserialize)]
        struct Made {
            did: String,
        }
        let number = self.next_account.fetch_add(1, Ordering::Relaxed);
        let handle = if number == 0 { format!("{name}.test") } else { format!("{name}{number}.test") };
        let password = format!("password-of-{name}");
        let made: Made = self.command("account", json!({ "handle": handle, "password": password })).await?;
        Ok(Account { did: made.did, handle, password })
    }

    /// How long access tokens live from now on.
    pub async fn set_token_lifetime(&self, lifetime: Duration) -> Result<(), NetworkError> {
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        self.command::<Value>("lifetime", json!({ "millis": millis })).await.map(drop)
    }

    /// Makes every DPoP nonce that was given out so far worthless.
    pub async fn rotate_nonces(&self) -> Result<(), NetworkError> {
        self.command::<Value>("rotateNonces", json!({})).await.map(drop)
    }

    /// Ends all OAuth sessions of an account at the server.
    pub async fn end_sessions(&self, account: &Account) -> Result<(), NetworkError> {
        self.command::<Value>("endSessions", json!({ "did": account.did })).await.map(drop)
    }

    /// Stops the PDS for a while and starts it again with the same data.
    pub async fn restart(&self, pause: Duration) -> Result<(), NetworkError> {
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.command::<Value>("restart", json!({ "millis": millis })).await.map(drop)
    }

    /// What the server has seen so far.
    pub async fn counts(&self) -> Result<Counts, NetworkError> {
        self.command("counts", json!({})).await
    }

    /// Signs in on the provider's page and allows the access, as a browser would. Gives the address to which the page
    /// sends the browser back.
    pub async fn approve(&self, authorize_url: &str, account: &Account) -> Result<String, NetworkError> {
        let (username, password) = (&account.handle, &account.password);
        self.authorize(json!({ "url": authorize_url, "username": username, "password": password })).await
    }

    /// Presses "Deny access" on the provider's page.
    pub async fn deny(&self, authorize_url: &str) -> Result<String, NetworkError> {
        self.authorize(json!({ "url": authorize_url, "deny": true })).await
    }

    async fn authorize(&self, body: Value) -> Result<String, NetworkError> {
        #[derive(Deserialize)]
        struct Answer {
            redirect: String,
        }
        Ok(self.command::<Answer>("authorize", body).await?.redirect)
    }

    async fn command<T: DeserializeOwned>(&self, command: &str, body: Value) -> Result<T, NetworkError> {
        let url = format!("{}/{command}", self.addresses.control);
        let failed = |problem: String| NetworkError::Command { command: command.to_owned(), problem };
        let response =
            self.http.post(url).body(body.to_string()).send().await.map_err(NetworkError::Control)?;
        let succeeded = response.status().is_success();
        let answer = response.bytes().await.map_err(NetworkError::Control)?;
        if !succeeded {
            return Err(failed(String::from_utf8_lossy(&answer).into_owned()));
        }
        serde_json::from_slice(&answer).map_err(|error| failed(error.to_string()))
    }
}

/// Reads lines until one tells the addresses; the rest of the output is read and thrown away.
async fn ready(stdout: tokio::process::ChildStdout) -> Option<Addresses> {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(addresses) = serde_json::from_str(&line) {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Some(addresses);
        }
    }
    None
}
