//! The network as a child process, steered through its control port.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{OnceCell, oneshot};

use crate::{
    http,
    install::{InstallError, install, program},
};

/// The limit for the network to be ready.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The limit for it to end by itself.
const END_LIMIT: Duration = Duration::from_secs(2);
/// The limit for a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// How often it is started before it counts as broken.
const START_ATTEMPTS: u32 = 5;
/// In the messages about the folder where the servers' packages reserve ports. When two networks start in the same
/// moment, one of them can take the reservation of the other for an old one and remove it.
const PORT_RESERVATIONS: &str = "atproto-dev-env-ports";
/// Its file for what it prints, in the folder of its data.
const LOG: &str = "network.log";

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
    #[error("the local network was not ready within {START_LIMIT:?}; it printed:\n{output}")]
    NotReady {
        /// The last that it printed.
        output: String,
    },
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

/// A PLC directory and a PDS with its authorization server. Dropping it ends them.
///
/// It belongs to no async runtime: tests with runtimes of their own can use one network.
#[derive(Debug)]
pub struct Network {
    addresses: Addresses,
    http: reqwest::Client,
    next_account: AtomicU32,
    _server: Server,
}

/// The child process. It ends when this is dropped, and by itself when its standard input ends because this process
/// died.
#[derive(Debug)]
struct Server {
    child: Child,
    /// Everything that it writes; removed at the end.
    folder: TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It ends with its standard input, and frees its ports.
        drop(self.child.stdin.take());
        let begun = Instant::now();
        while begun.elapsed() < END_LIMIT {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                _ => return,
            }
        }
        // What fails here has ended already, and there is nobody to tell. Without the wait, it would still be writing to
        // the folder when that is removed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// The end of what it printed besides the ready line.
    fn output(&self) -> String {
        let text = fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned();
        text.trim().to_owned()
    }
}

#[derive(Debug, Deserialize)]
struct Addresses {
    pds: String,
    plc: String,
    control: String,
}

/// The DID of an account: the type of the SDK with the feature `types`, otherwise a text.
#[cfg(feature = "types")]
pub type Did = atproto_sdk::types::Did;
/// The DID of an account: the type of the SDK with the feature `types`, otherwise a text.
#[cfg(not(feature = "types"))]
pub type Did = String;
/// The handle of an account: the type of the SDK with the feature `types`, otherwise a text.
#[cfg(feature = "types")]
pub type Handle = atproto_sdk::types::Handle;
/// The handle of an account: the type of the SDK with the feature `types`, otherwise a text.
#[cfg(not(feature = "types"))]
pub type Handle = String;

/// An account at the PDS.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its DID.
    pub did: Did,
    /// Its handle, which resolves inside of the network.
    pub handle: Handle,
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
        let script = program()?;
        let mut attempts = 1;
        loop {
            match Self::start_once(&node, &script).await {
                Err(NetworkError::NotReady { output })
                    if output.contains(PORT_RESERVATIONS) && attempts < START_ATTEMPTS =>
                {
                    attempts += 1;
                }
                started => return started,
            }
        }
    }

    async fn start_once(node: &Path, script: &Path) -> Result<Self, NetworkError> {
        let folder =
            tempfile::Builder::new().prefix("atproto-network-").tempdir().map_err(NetworkError::Start)?;
        // The servers tell of every refused request, which is part of the game: kept for when they do not start.
        let log = File::create(folder.path().join(LOG)).map_err(NetworkError::Start)?;
        let mut command = Command::new(node);
        command
            .arg(script)
            .arg(folder.path())
            .env("LOG_ENABLED", "false")
            .env("NODE_ENV", "development")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        if let Some(packages) = script.parent() {
            command.current_dir(packages);
        }
        let child = command.spawn().map_err(NetworkError::Start)?;
        // From here on every way out ends the child.
        let mut server = Server { child, folder };
        let (sender, addresses) = oneshot::channel();
        if let Some(stdout) = server.child.stdout.take() {
            thread::spawn(move || read_output(stdout, sender));
        }
        let addresses = tokio::time::timeout(START_LIMIT, addresses).await.ok().and_then(Result::ok);
        let Some(addresses) = addresses else {
            return Err(NetworkError::NotReady { output: server.output() });
        };
        let http = http::client(COMMAND_LIMIT).map_err(NetworkError::Control)?;
        Ok(Self { addresses, http, next_account: AtomicU32::new(0), _server: server })
    }

    /// The network of this process, started by whoever asks first. It ends with the process. What a test sets in it (the
    /// lifetime of tokens, nonces, a restart) every other test gets too: tests that set something start their own.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn shared() -> Result<&'static Self, NetworkError> {
        static SHARED: OnceCell<Network> = OnceCell::const_new();
        #[expect(
            clippy::print_stderr,
            reason = "the first install takes minutes, and a test has no other voice"
        )]
        SHARED.get_or_try_init(|| Self::start(&|step| eprintln!("{step}"))).await
    }

    /// Ends the network and waits until it has ended. Dropping it does the same.
    pub fn stop(self) {}

    /// The PDS, which is also the issuer of tokens.
    pub fn pds(&self) -> &str {
        &self.addresses.pds
    }

    /// The PLC directory.
    pub fn plc(&self) -> &str {
        &self.addresses.plc
    }

    /// A new account with a handle that begins like `name` and is not taken. The PDS refuses names that it reserves, such
    /// as `password`.
    pub async fn account(&self, name: &str) -> Result<Account, NetworkError> {
        self.create_account("account", name, self.next_handle(name)).await
    }

    /// A new account with the handle `name.test`, which must not be taken.
    pub async fn account_named(&self, name: &str) -> Result<Account, NetworkError> {
        self.create_account("account", name, format!("{name}.test")).await
    }

    fn next_handle(&self, name: &str) -> String {
        match self.next_account.fetch_add(1, Ordering::Relaxed) {
            0 => format!("{name}.test"),
            number => format!("{name}{number}.test"),
        }
    }

    /// A new account whose DID is of the method `web`. Its document is on a server of its own.
    pub async fn web_account(&self, name: &str) -> Result<Account, NetworkError> {
        self.create_account("webAccount", name, self.next_handle(name)).await
    }

    async fn create_account(
        &self,
        command: &str,
        name: &str,
        handle: String,
    ) -> Result<Account, NetworkError> {
        #[derive(Deserialize)]
        struct Made {
            did: String,
        }
        let password = format!("password-of-{name}");
        let made: Made = self.command(command, json!({ "handle": handle, "password": password })).await?;
        let invalid = |text: &str| NetworkError::Command {
            command: command.to_owned(),
            problem: format!("it made an account with the identifier `{text}`"),
        };
        Ok(Account {
            did: made.did.parse().map_err(|_| invalid(&made.did))?,
            handle: handle.parse().map_err(|_| invalid(&handle))?,
            password,
        })
    }

    /// Moves an account with its repository to a second PDS, and deactivates it here. Gives the second PDS.
    pub async fn move_account(&self, account: &Account) -> Result<String, NetworkError> {
        #[derive(Deserialize)]
        struct Moved {
            pds: String,
        }
        Ok(self.of_account::<Moved>("move", account, json!({ "handle": account.handle.as_str() })).await?.pds)
    }

    /// The owner deactivates the account.
    pub async fn deactivate(&self, account: &Account) -> Result<(), NetworkError> {
        self.of_account::<Value>("deactivate", account, json!({})).await.map(drop)
    }

    /// The owner activates the account again.
    pub async fn activate(&self, account: &Account) -> Result<(), NetworkError> {
        self.of_account::<Value>("activate", account, json!({})).await.map(drop)
    }

    /// The administrator takes the account down, or undoes it.
    pub async fn take_down(&self, account: &Account, applied: bool) -> Result<(), NetworkError> {
        self.of_account::<Value>("takedown", account, json!({ "applied": applied })).await.map(drop)
    }

    /// The administrator deletes the account.
    pub async fn delete_account(&self, account: &Account) -> Result<(), NetworkError> {
        self.of_account::<Value>("deleteAccount", account, json!({})).await.map(drop)
    }

    /// The owner changes the handle.
    pub async fn change_handle(&self, account: &Account, handle: &str) -> Result<(), NetworkError> {
        self.of_account::<Value>("changeHandle", account, json!({ "handle": handle })).await.map(drop)
    }

    async fn of_account<T: DeserializeOwned>(
        &self,
        command: &str,
        account: &Account,
        mut body: Value,
    ) -> Result<T, NetworkError> {
        body["did"] = account.did.as_str().into();
        body["password"] = account.password.clone().into();
        self.command(command, body).await
    }

    /// How long access tokens live from now on.
    pub async fn set_token_lifetime(&self, lifetime: Duration) -> Result<(), NetworkError> {
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        self.command::<Value>("lifetime", json!({ "millis": millis })).await.map(drop)
    }

    /// Puts the servers' clocks forward: what lasts less long has expired then.
    pub async fn forward(&self, time: Duration) -> Result<(), NetworkError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.command::<Value>("clock", json!({ "millis": millis })).await.map(drop)
    }

    /// Puts the servers' clocks back.
    pub async fn back(&self, time: Duration) -> Result<(), NetworkError> {
        let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
        self.command::<Value>("clock", json!({ "millis": -millis })).await.map(drop)
    }

    /// The password of the PDS's administrator.
    pub fn admin_password(&self) -> &'static str {
        "admin-pass"
    }

    /// Makes every DPoP nonce that was given out so far worthless.
    pub async fn rotate_nonces(&self) -> Result<(), NetworkError> {
        self.command::<Value>("rotateNonces", json!({})).await.map(drop)
    }

    /// Gives every response of the PDS a nonce of its own from now on. The last `window` of them are good.
    pub async fn change_nonces(&self, window: u32) -> Result<(), NetworkError> {
        self.command::<Value>("changeNonces", json!({ "window": window })).await.map(drop)
    }

    /// Has the PDS listen on another port of this machine, which is returned. Its public address stays the same, for a proxy
    /// that listens there from now on.
    pub async fn step_behind(&self) -> Result<u16, NetworkError> {
        #[derive(Deserialize)]
        struct Answer {
            port: u16,
        }
        Ok(self.command::<Answer>("stepBehind", json!({})).await?.port)
    }

    /// Ends all OAuth sessions of an account at the server.
    pub async fn end_sessions(&self, account: &Account) -> Result<(), NetworkError> {
        self.command::<Value>("endSessions", json!({ "did": account.did.as_str() })).await.map(drop)
    }

    /// Makes the server take the access tokens that an account has now for expired, though they last longer by their own
    /// account. The sessions go on: a refresh succeeds. Gives how many there were.
    pub async fn expire_tokens(&self, account: &Account) -> Result<u32, NetworkError> {
        self.number("expireTokens", account).await
    }

    /// How many OAuth sessions an account has at the server.
    pub async fn sessions(&self, account: &Account) -> Result<u32, NetworkError> {
        self.number("sessions", account).await
    }

    async fn number(&self, command: &str, account: &Account) -> Result<u32, NetworkError> {
        #[derive(Deserialize)]
        struct Answer {
            count: u32,
        }
        Ok(self.command::<Answer>(command, json!({ "did": account.did.as_str() })).await?.count)
    }

    /// Has the documents of clients at an https origin, such as `https://app.example`, fetched from a server on this
    /// machine instead: the metadata and the keys of a confidential client.
    pub async fn serve_client(&self, origin: &str, at: &str) -> Result<(), NetworkError> {
        self.command::<Value>("serve", json!({ "origin": origin, "at": at })).await.map(drop)
    }

    /// Stops the PDS for a while and starts it again with the same data.
    pub async fn restart(&self, pause: Duration) -> Result<(), NetworkError> {
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.command::<Value>("restart", json!({ "millis": millis })).await.map(drop)
    }

    /// Has the PDS send the DID document of an account with its session, as the common servers do, or not, as it is at
    /// first.
    pub async fn set_did_documents(&self, on: bool) -> Result<(), NetworkError> {
        self.command::<Value>("didDocuments", json!({ "on": on })).await.map(drop)
    }

    /// Starts the PDS again with the rate limits of the common servers, or without them, as it is at first. Only for
    /// a network of one's own.
    pub async fn set_rate_limits(&self, on: bool) -> Result<(), NetworkError> {
        self.command::<Value>("rateLimits", json!({ "on": on })).await.map(drop)
    }

    /// What the server has seen so far.
    pub async fn counts(&self) -> Result<Counts, NetworkError> {
        self.command("counts", json!({})).await
    }

    /// How many requests the PDS has got, by method and path, such as `POST /oauth/token`.
    pub async fn requests(&self) -> Result<BTreeMap<String, u32>, NetworkError> {
        self.command("requests", json!({})).await
    }

    /// Signs in on the provider's page and allows the access, as a browser would. Gives the address to which the page
    /// sends the browser back.
    pub async fn approve(&self, authorize_url: &str, account: &Account) -> Result<String, NetworkError> {
        let (username, password) = (account.handle.as_str(), &account.password);
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
            return Err(failed(told(&answer)));
        }
        serde_json::from_slice(&answer).map_err(|error| failed(error.to_string()))
    }
}

/// What a failed command says: the first line of its error, without the places in the program.
fn told(answer: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Told {
        error: String,
    }
    let text = match serde_json::from_slice(answer) {
        Ok(Told { error }) => error,
        Err(_) => String::from_utf8_lossy(answer).into_owned(),
    };
    text.split("\n    at ").next().unwrap_or_default().to_owned()
}

/// Reads lines until one tells the addresses; the rest of the output is read and thrown away, so that the network does
/// not stop at a full pipe.
fn read_output(stdout: ChildStdout, ready: oneshot::Sender<Addresses>) {
    let mut ready = Some(ready);
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        if ready.is_some()
            && let Ok(addresses) = serde_json::from_str(&line)
            && let Some(ready) = ready.take()
        {
            // Nobody waits any more when the limit has passed.
            let _ = ready.send(addresses);
        }
    }
}
