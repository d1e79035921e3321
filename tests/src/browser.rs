//! A headless Chromium, driven through its WebDriver (W3C WebDriver, sections 8 to 12).

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

/// The limit for the driver to start and for an element to appear.
const LIMIT: Duration = Duration::from_secs(30);
/// The key under which WebDriver names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Why the browser does not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// There is no driver.
    #[error(
        "`chromedriver` cannot be run; install Chromium and its driver (Debian: chromium, chromium-driver)"
    )]
    Missing(#[source] std::io::Error),
    /// The driver was not ready in time.
    #[error("chromedriver did not start within {LIMIT:?}")]
    NotReady,
    /// The driver cannot be reached.
    #[error("chromedriver does not answer")]
    Driver(#[from] reqwest::Error),
    /// A command failed.
    #[error("the browser could not {command}: {problem}")]
    Command {
        /// The command.
        command: String,
        /// What the driver said.
        problem: String,
    },
}

/// A browser with one window. Ends when it is dropped.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
    _driver: Child,
}

impl Browser {
    /// Starts a headless browser with an empty profile.
    ///
    /// # Errors
    /// When Chromium or its driver is missing or does not start.
    pub async fn start() -> Result<Self, BrowserError> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(BrowserError::Missing)?;
        let stdout = driver.stdout.take().ok_or(BrowserError::NotReady)?;
        let port =
            tokio::time::timeout(LIMIT, port(stdout)).await.ok().flatten().ok_or(BrowserError::NotReady)?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT * 2).build()?;
        let profile = tempfile::tempdir().map_err(BrowserError::Missing)?;
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
        ];
        let mut arguments: Vec<String> = flags.map(str::to_owned).into();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let options = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let made = command(&http, "start", http.post(&driver_url), Some(options)).await?;
        let id = made["sessionId"].as_str().unwrap_or_default();
        Ok(Self { session: format!("{driver_url}/{id}"), http, _profile: profile, _driver: driver })
    }

    /// Opens an address.
    pub async fn open(&self, url: &str) -> Result<(), BrowserError> {
        self.post("open a page", "url", json!({ "url": url })).await.map(drop)
    }

    /// The address of the page.
    pub async fn address(&self) -> Result<String, BrowserError> {
        let value =
            command(&self.http, "tell its address", self.http.get(format!("{}/url", self.session)), None)
                .await?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// The text of the page.
    pub async fn text(&self) -> Result<String, BrowserError> {
        let script = json!({"script": "return document.body.innerText", "args": []});
        let value = self.post("read the page", "execute/sync", script).await?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Clicks on the first element that an XPath finds, once there is one.
    pub async fn click(&self, xpath: &str) -> Result<(), BrowserError> {
        let element = self.find(xpath).await?;
        self.post("click", &format!("element/{element}/click"), json!({})).await.map(drop)
    }

    /// Types into the first element that an XPath finds, once there is one.
    pub async fn type_into(&self, xpath: &str, text: &str) -> Result<(), BrowserError> {
        let element = self.find(xpath).await?;
        self.post("type", &format!("element/{element}/value"), json!({ "text": text })).await.map(drop)
    }

    /// Waits for an element.
    pub async fn find(&self, xpath: &str) -> Result<String, BrowserError> {
        let begun = std::time::Instant::now();
        loop {
            let wanted = json!({"using": "xpath", "value": xpath});
            match self.post(&format!("find {xpath}"), "element", wanted).await {
                Ok(found) => return Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned()),
                Err(error) if begun.elapsed() > LIMIT => {
                    let page = self.text().await.unwrap_or_default();
                    let problem = format!("{error}; the page says: {page}");
                    return Err(BrowserError::Command { command: format!("find {xpath}"), problem });
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn post(&self, what: &str, path: &str, body: Value) -> Result<Value, BrowserError> {
        command(&self.http, what, self.http.post(format!("{}/{path}", self.session)), Some(body)).await
    }

    /// Closes the browser. Without it, Chromium ends with its driver.
    pub async fn quit(self) -> Result<(), BrowserError> {
        command(&self.http, "quit", self.http.delete(&self.session), None).await.map(drop)
    }
}

async fn command(
    http: &reqwest::Client,
    what: &str,
    request: reqwest::RequestBuilder,
    body: Option<Value>,
) -> Result<Value, BrowserError> {
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    };
    let answer = http.execute(request.build()?).await?.bytes().await?;
    let failed = |problem: String| BrowserError::Command { command: what.to_owned(), problem };
    let mut answer: Value = serde_json::from_slice(&answer).map_err(|error| failed(error.to_string()))?;
    let value = answer["value"].take();
    match value.get("error").and_then(Value::as_str) {
        Some(error) => {
            let message = value["message"].as_str().unwrap_or_default();
            Err(failed(format!("{error}: {}", message.lines().next().unwrap_or_default())))
        }
        None => Ok(value),
    }
}

/// Reads the driver's output until it tells its port; the rest is read and thrown away.
async fn port(stdout: tokio::process::ChildStdout) -> Option<u16> {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            let port = port.trim_end_matches('.').parse().ok();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return port;
        }
    }
    None
}
