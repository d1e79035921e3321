//! Headless Chromium, driven over WebDriver (W3C) through ChromeDriver.

use std::{
    env,
    io::{BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use local_network::client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The limit for ChromeDriver to listen.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The limit for one command; the first one starts Chromium.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// How long elements are waited for.
const WAIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);
/// The key of an element's id in answers, fixed by the W3C specification.
const ELEMENT_KEY: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Why the browser does not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// A program is missing.
    #[error(
        "`{program}` was not found; install Chromium with its driver (Debian: `apt-get install chromium chromium-driver`)"
    )]
    Missing {
        /// The program.
        program: &'static str,
    },
    /// The driver could not be started.
    #[error("ChromeDriver could not be started: {problem}")]
    Start {
        /// What went wrong.
        problem: String,
    },
    /// The driver does not answer.
    #[error("ChromeDriver does not answer")]
    Driver(#[source] reqwest::Error),
    /// The driver refused a command.
    #[error("the browser could not {command}: {problem}")]
    Command {
        /// What was asked for.
        command: &'static str,
        /// What the driver said.
        problem: String,
    },
    /// An element did not come up in time.
    #[error("`{xpath}` did not come up within {limit:?}; the page is {url} and reads:\n{text}")]
    NotFound {
        /// What was waited for.
        xpath: String,
        /// How long.
        limit: Duration,
        /// Where the browser is.
        url: String,
        /// The page's text.
        text: String,
    },
}

/// A headless Chromium with an empty profile. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    base: String,
    driver: Driver,
}

/// The processes and the profile.
#[derive(Debug)]
struct Driver {
    child: Child,
    port: u16,
    session: Option<String>,
    /// Removed at the end.
    profile: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ending the session ends Chromium. There may be no runtime any more, so it is done by hand.
        if let Some(session) = &self.session {
            let _ = end_session(self.port, session);
        }
        // Its standard input ends, and with it the driver; `kill` is for one that hangs.
        drop(self.child.stdin.take());
        let deadline = Instant::now() + Duration::from_secs(3);
        while Instant::now() < deadline {
            if let Ok(Some(_)) = self.child.try_wait() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn end_session(port: u16, session: &str) -> std::io::Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        connection,
        "DELETE /session/{session} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = [0; 512];
    // The answer comes when Chromium has ended.
    connection.read(&mut answer).map(drop)
}

impl Browser {
    /// Starts ChromeDriver and Chromium. `CHROMEDRIVER` and `CHROMIUM` name them where they are not on the `PATH`.
    ///
    /// # Errors
    /// When one of them is missing or does not start.
    pub async fn start() -> Result<Self, BrowserError> {
        let driver = find_program("CHROMEDRIVER", &["chromedriver"])
            .ok_or(BrowserError::Missing { program: "chromedriver" })?;
        let chromium = find_program("CHROMIUM", &["chromium", "chromium-browser", "google-chrome"])
            .ok_or(BrowserError::Missing { program: "chromium" })?;
        let start_error = |problem: std::io::Error| BrowserError::Start { problem: problem.to_string() };
        let profile = tempfile::Builder::new().prefix("atproto-browser-").tempdir().map_err(start_error)?;
        let child = driver_command(&driver, profile.path()).spawn().map_err(start_error)?;
        let mut driver = Driver { child, port: 0, session: None, profile };
        let (sender, port) = oneshot::channel();
        if let Some(stdout) = driver.child.stdout.take() {
            thread::spawn(move || read_port(BufReader::new(stdout), sender));
        }
        let no_port = "it did not tell its port in time".to_owned();
        driver.port = tokio::time::timeout(START_LIMIT, port)
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(BrowserError::Start { problem: no_port })?;
        let http = client(COMMAND_LIMIT).map_err(BrowserError::Driver)?;
        let base = format!("http://127.0.0.1:{}", driver.port);
        let mut browser = Self { http, base, driver };
        browser.open_session(&chromium).await?;
        Ok(browser)
    }

    async fn open_session(&mut self, chromium: &Path) -> Result<(), BrowserError> {
        let profile = format!("--user-data-dir={}", self.driver.profile.path().display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--disable-sync",
            "--no-first-run",
            "--window-size=1000,900",
            profile.as_str(),
        ];
        let options = json!({ "binary": chromium, "args": arguments });
        let capabilities =
            json!({ "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } });
        let url = format!("{}/session", self.base);
        let value = self.send("start", &url, Some(json!({ "capabilities": capabilities }))).await?;
        let Some(session) = value.get("sessionId").and_then(Value::as_str) else {
            return Err(BrowserError::Command { command: "start", problem: value.to_string() });
        };
        self.base = format!("{url}/{session}");
        self.driver.session = Some(session.to_owned());
        Ok(())
    }

    /// The port at which ChromeDriver listens.
    pub fn driver_port(&self) -> u16 {
        self.driver.port
    }

    /// Opens an address and waits until the page is loaded.
    pub async fn open(&self, url: &str) -> Result<(), BrowserError> {
        self.post("open the page", "/url", json!({ "url": url })).await.map(drop)
    }

    /// Presses the back button, and waits until the page is loaded.
    pub async fn back(&self) -> Result<(), BrowserError> {
        self.post("go back", "/back", json!({})).await.map(drop)
    }

    /// The address of the page.
    pub async fn address(&self) -> Result<String, BrowserError> {
        self.get("tell its address", "/url").await.map(text_of)
    }

    /// The text of the page.
    pub async fn text(&self) -> Result<String, BrowserError> {
        let script = json!({ "script": "return document.body.innerText", "args": [] });
        self.post("read the page", "/execute/sync", script).await.map(text_of)
    }

    /// Waits until an XPath finds an element that can be seen, and gives the id of the first.
    pub async fn find(&self, xpath: &str) -> Result<String, BrowserError> {
        self.find_within(xpath, WAIT).await
    }

    /// As [`find`](Self::find), with a limit of your own.
    pub async fn find_within(&self, xpath: &str, limit: Duration) -> Result<String, BrowserError> {
        let deadline = Instant::now() + limit;
        loop {
            let wanted = json!({ "using": "xpath", "value": xpath });
            let found = self.post("look for an element", "/elements", wanted).await?;
            for element in found.as_array().into_iter().flatten() {
                let Some(id) = element.get(ELEMENT_KEY).and_then(Value::as_str) else { continue };
                // The page may have replaced it meanwhile; then the next round finds the new one.
                let shown = self.get("see an element", &format!("/element/{id}/displayed")).await;
                if matches!(shown, Ok(Value::Bool(true))) {
                    return Ok(id.to_owned());
                }
            }
            if Instant::now() > deadline {
                let url = self.address().await.unwrap_or_default();
                let text = self.text().await.unwrap_or_default();
                return Err(BrowserError::NotFound { xpath: xpath.to_owned(), limit, url, text });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Clicks on the first element that an XPath finds, once there is one.
    pub async fn click(&self, xpath: &str) -> Result<(), BrowserError> {
        let element = self.find(xpath).await?;
        self.post("click", &format!("/element/{element}/click"), json!({})).await.map(drop)
    }

    /// Types into the first element that an XPath finds, once there is one.
    pub async fn type_into(&self, xpath: &str, text: &str) -> Result<(), BrowserError> {
        let element = self.find(xpath).await?;
        self.post("type", &format!("/element/{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// What the browser shows now, as a PNG.
    pub async fn screenshot(&self) -> Result<Vec<u8>, BrowserError> {
        let command = "take a picture";
        let encoded = self.get(command, "/screenshot").await.map(text_of)?;
        STANDARD
            .decode(encoded)
            .map_err(|error| BrowserError::Command { command, problem: error.to_string() })
    }

    /// Closes the browser and waits until it has ended. Dropping it does the same, without telling what went wrong.
    pub async fn quit(mut self) -> Result<(), BrowserError> {
        let closed = self.http.delete(&self.base).send().await.map_err(BrowserError::Driver);
        self.driver.session = None;
        closed.map(drop)
    }

    async fn get(&self, command: &'static str, path: &str) -> Result<Value, BrowserError> {
        self.send(command, &format!("{}{path}", self.base), None).await
    }

    async fn post(&self, command: &'static str, path: &str, body: Value) -> Result<Value, BrowserError> {
        self.send(command, &format!("{}{path}", self.base), Some(body)).await
    }

    /// Sends a command and gives the `value` of the answer.
    async fn send(
        &self,
        command: &'static str,
        url: &str,
        body: Option<Value>,
    ) -> Result<Value, BrowserError> {
        let request = match body {
            Some(body) => {
                self.http.post(url).header("content-type", "application/json").body(body.to_string())
            }
            None => self.http.get(url),
        };
        let response = request.send().await.map_err(BrowserError::Driver)?;
        let succeeded = response.status().is_success();
        let bytes = response.bytes().await.map_err(BrowserError::Driver)?;
        let answer: Value = serde_json::from_slice(&bytes)
            .map_err(|error| BrowserError::Command { command, problem: error.to_string() })?;
        let value = answer.get("value").cloned().unwrap_or(Value::Null);
        if succeeded {
            return Ok(value);
        }
        // The driver adds a stack of its own functions, which tells nobody anything.
        let problem = value.get("message").and_then(Value::as_str).unwrap_or("it does not say why");
        Err(BrowserError::Command { command, problem: problem.lines().next().unwrap_or_default().to_owned() })
    }
}

/// ChromeDriver, ended when our end of its standard input closes, which it also does when this process is killed. The
/// profile goes with it.
fn driver_command(driver: &Path, profile: &Path) -> Command {
    #[cfg(unix)]
    let mut command = {
        use std::os::unix::process::CommandExt as _;
        // ChromeDriver does not read its standard input; a shell does it, and then ends the group of both, to which
        // Chromium belongs, too.
        const SCRIPT: &str = "\"$0\" \"$@\" </dev/null & read -r _; trap '' TERM; kill -TERM 0; sleep 0.3; \
             rm -rf \"$PROFILE\"; kill -KILL 0";
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT]).arg(driver).env("PROFILE", profile).process_group(0);
        shell
    };
    #[cfg(not(unix))]
    let mut command = Command::new(driver);
    command.arg("--port=0").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Waits for `... started successfully on port 12345.` and reads on, so that the driver does not stop at a full pipe.
fn read_port(lines: impl std::io::BufRead, port: oneshot::Sender<u16>) {
    let mut port = Some(port);
    for line in lines.lines().map_while(Result::ok) {
        let found = line
            .split_once("started successfully on port ")
            .and_then(|(_, rest)| rest.trim().trim_end_matches('.').parse().ok());
        if let Some(found) = found
            && let Some(port) = port.take()
        {
            // Nobody waits any more when the limit has passed.
            let _ = port.send(found);
        }
    }
}

fn find_program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    if let Some(path) = env::var_os(variable) {
        return Some(path.into());
    }
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// The string that an answer is; empty for anything else.
fn text_of(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}
