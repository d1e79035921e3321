//! Signing in through the browser on this machine, with a callback server on the loopback address.

use std::{
    future::{Future, IntoFuture},
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use url::Url;

use super::{
    AuthorizeOptions, CallbackError, CallbackParams, Prompt, SignInError, SignedIn,
    context::SignInContext,
    page::{self, Page},
};
use crate::limits;

/// The maximum length of a request head.
const MAX_HEAD: usize = 16 * 1024;

type OnUrl = Box<dyn FnOnce(&str) + Send>;

/// A sign-in through the browser on this machine, which runs when awaited. Created by
/// [`OAuth::sign_in`](crate::oauth::OAuth::sign_in) and
/// [`OAuth::resume_or_sign_in`](crate::oauth::OAuth::resume_or_sign_in).
///
/// It starts a server on the loopback address that receives the callback. Dropping the future stops the server.
///
/// ```no_run
/// use std::time::Duration;
///
/// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
/// let signed_in = oauth
///     .sign_in("alice.example.com")
///     .scope("atproto")
///     .timeout(Duration::from_secs(120))
///     .print_url()
///     .await?;
/// # Ok(()) }
/// ```
#[must_use = "the sign-in does not start until it is awaited"]
pub struct SignIn {
    context: Arc<SignInContext>,
    input: String,
    options: AuthorizeOptions,
    port: Option<u16>,
    limit: Duration,
    open_browser: bool,
    on_url: Option<OnUrl>,
    /// Whether to reuse a stored session.
    resume: bool,
}

impl std::fmt::Debug for SignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignIn").field("input", &self.input).field("port", &self.port).finish_non_exhaustive()
    }
}

impl SignIn {
    pub(crate) fn new(context: Arc<SignInContext>, input: String) -> Self {
        Self {
            context,
            input,
            options: AuthorizeOptions::new(),
            port: None,
            limit: limits::SIGN_IN,
            open_browser: true,
            on_url: None,
            resume: false,
        }
    }

    /// Sets the scope to request. The default is the scope in the client metadata.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.options.scope = Some(scope.into());
        self
    }

    /// Sets what the server asks the user for.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.options.prompt = Some(prompt);
        self
    }

    /// Sets all options of the authorization request, replacing those set before. The redirect URI is ignored.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
    /// use atproto_sdk::oauth::{AuthorizeOptions, Prompt};
    ///
    /// let options = AuthorizeOptions::new().prompt(Prompt::Create).ui_locales("fr");
    /// let client = oauth.sign_in("https://pds.example.com").options(options).await?.client;
    /// # Ok(()) }
    /// ```
    pub fn options(mut self, options: AuthorizeOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the port of the callback server. The default is the port of the redirect URI in the client metadata, or any
    /// free port if that has none.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets how long to wait for the user. The default and the maximum are ten minutes.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit.min(limits::SIGN_IN);
        self
    }

    /// Sets whether to open the browser. The default is `true`. If `false`, display the URL with
    /// [`on_url`](Self::on_url).
    pub fn browser(mut self, open: bool) -> Self {
        self.open_browser = open;
        self
    }

    /// Sets a callback that receives the URL of the sign-in page before the browser is opened.
    ///
    /// If it is set, the sign-in does not fail when no browser can be opened.
    ///
    /// ```no_run
    /// # async fn f(oauth: atproto_sdk::oauth::OAuth) -> Result<(), atproto_sdk::oauth::SignInError> {
    /// let sign_in = oauth.sign_in("alice.example.com").browser(false);
    /// let client = sign_in.on_url(|url| println!("Open this link: {url}")).await?.client;
    /// # Ok(()) }
    /// ```
    pub fn on_url(mut self, told: impl FnOnce(&str) + Send + 'static) -> Self {
        self.on_url = Some(Box::new(told));
        self
    }

    /// Prints the URL of the sign-in page to standard error before the browser is opened, so that the user of a
    /// command-line tool can open it manually.
    pub fn print_url(self) -> Self {
        #[expect(clippy::print_stderr, reason = "printing is what this is for")]
        self.on_url(|url| eprintln!("Sign in with your browser:\n\n  {url}\n"))
    }

    /// Reuses a stored session if there is one.
    pub(crate) fn resuming(mut self) -> Self {
        self.resume = true;
        self
    }

    async fn run(mut self) -> Result<SignedIn, SignInError> {
        if self.resume {
            let scope = self.context.scope_of(&self.options)?;
            if let Some(resumed) = self.context.resume(&self.input, scope).await? {
                return Ok(resumed);
            }
        }
        let registered =
            self.context.metadata.loopback_redirect_uri().ok_or(SignInError::NoLoopbackRedirect)?;
        let server = CallbackServer::bind(registered, self.port).await?;
        self.options.redirect_uri = Some(server.redirect_uri.to_string());
        let authorization = self.context.authorize(&self.input, self.options).await?;

        let told = self.on_url.is_some();
        if let Some(on_url) = self.on_url {
            on_url(&authorization.url);
        }
        let mut waiting = pin!(timeout(self.limit, server.receive(&authorization.state)));
        let received = if self.open_browser {
            let mut opening = pin!(open_browser(authorization.url));
            // A text browser in the terminal runs until the user has finished, so wait for both.
            tokio::select! {
                received = &mut waiting => received,
                opened = &mut opening => match opened {
                    Err(problem) if !told => return Err(SignInError::NoBrowser { problem }),
                    _ => waiting.await,
                },
            }
        } else {
            waiting.await
        };
        let Ok(received) = received else { return Err(SignInError::Timeout { limit: self.limit }) };
        let (params, browser) = received;
        let result = match params {
            Ok(params) => self.context.callback(&params).await.map_err(|failed| failed.error),
            Err(error) => Err(error),
        };
        answer(browser, &page::of_result(result.as_ref().map(|signed_in| signed_in.client.did()))).await;
        Ok(result?)
    }
}

impl IntoFuture for SignIn {
    type Output = Result<SignedIn, SignInError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

/// Opening a browser starts processes and can block, so it runs on a blocking thread.
async fn open_browser(url: String) -> Result<(), String> {
    match tokio::task::spawn_blocking(move || webbrowser::open(&url)).await {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("opening it panicked".to_owned()),
    }
}

/// Receives the callback on a loopback address.
struct CallbackServer {
    listener: TcpListener,
    /// With the port of the listener.
    redirect_uri: Url,
}

/// The purpose of a connection.
enum Visit {
    /// The callback. The browser still waits for the response.
    Callback(Result<CallbackParams, CallbackError>, TcpStream),
    /// Something else. The response has been sent.
    Other,
}

impl CallbackServer {
    async fn bind(mut redirect_uri: Url, port: Option<u16>) -> Result<Self, SignInError> {
        let ip = match redirect_uri.host_str() {
            Some("[::1]") => IpAddr::V6(Ipv6Addr::LOCALHOST),
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let address = SocketAddr::new(ip, port.or(redirect_uri.port()).unwrap_or(0));
        let failed = |source| SignInError::Listen { address: address.to_string(), source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        if redirect_uri.set_port(Some(port)).is_err() {
            // Only URLs without a host reject a port.
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        Ok(Self { listener, redirect_uri })
    }

    /// Waits for the first callback with this `state`. Other connections are handled concurrently, so that neither an idle
    /// connection nor an unrelated request delays the callback.
    async fn receive(self, state: &str) -> (Result<CallbackParams, CallbackError>, TcpStream) {
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (path, state) = (self.redirect_uri.path().to_owned(), state.to_owned());
                        visits.spawn(async move { visit(stream, &path, &state).await });
                    }
                    // For example, out of file descriptors: do not spin.
                    Err(_) => tokio::time::sleep(limits::CALLBACK_PAUSE).await,
                },
                Some(done) = visits.join_next() => {
                    if let Ok(Visit::Callback(params, browser)) = done {
                        return (params, browser);
                    }
                }
            }
        }
    }
}

async fn visit(mut stream: TcpStream, path: &str, state: &str) -> Visit {
    let Ok(Some(head)) = timeout(limits::CALLBACK_HEAD, read_head(&mut stream)).await else {
        return Visit::Other;
    };
    let page = match target_of(&head) {
        Some(target) => match target.split_once('?') {
            Some((found, query)) if found == path => {
                let params = CallbackParams::from_query(query);
                match &params {
                    Ok(known) if known.state() == state => return Visit::Callback(params, stream),
                    // Malformed, but it is the callback of this sign-in.
                    Err(_) if query.contains(state) => return Visit::Callback(params, stream),
                    _ => Page::unknown(),
                }
            }
            _ => Page::not_found(),
        },
        None => Page::not_understood(),
    };
    answer(stream, &page).await;
    Visit::Other
}

/// Reads up to the empty line. Returns `None` if the peer stops earlier or sends too much.
async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if head.len() >= MAX_HEAD || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// The target of a `GET` request.
fn target_of(head: &[u8]) -> Option<&str> {
    let line = head.split(|b| *b == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    match (words.next(), words.next(), words.next()) {
        (Some("GET"), Some(target), Some(version)) if version.starts_with("HTTP/1.") => Some(target),
        _ => None,
    }
}

/// Sends a page and closes the connection. If the browser has disconnected, the result of the sign-in is still valid.
async fn answer(mut stream: TcpStream, page: &Page) {
    let sending = async {
        stream.write_all(&page.to_http()).await?;
        stream.shutdown().await?;
        // Closing a connection with unread bytes resets it, and the browser would show an error instead.
        let mut rest = [0_u8; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(limits::CALLBACK_PAGE, sending).await;
}

#[cfg(test)]
mod tests;
