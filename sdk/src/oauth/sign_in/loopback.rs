//! Signing in through the user's browser, with a callback server of one use on the loopback address.

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

/// Longer request heads are not from a browser that comes back.
const MAX_HEAD: usize = 16 * 1024;

type OnUrl = Box<dyn FnOnce(&str) + Send>;

/// Signs a user in through their browser on this machine; made by [`OAuth::sign_in`](crate::oauth::OAuth::sign_in), runs when awaited.
///
/// Dropping the future closes the callback server.
#[must_use = "nothing happens before this is awaited"]
pub struct SignIn {
    context: Arc<SignInContext>,
    input: String,
    options: AuthorizeOptions,
    port: Option<u16>,
    limit: Duration,
    open_browser: bool,
    on_url: Option<OnUrl>,
    /// Only where there is no session to go on with.
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

    /// Sets the scope to ask for; all of the metadata's by default.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.options.scope = Some(scope.into());
        self
    }

    /// Sets what the server is to ask the user.
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.options.prompt = Some(prompt);
        self
    }

    /// Sets every option of the authorization request. The redirect URI is this sign-in's own in any case.
    pub fn options(mut self, options: AuthorizeOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets the port of the callback; the registered one or any free one by default.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Sets how long to wait for the user; ten minutes by default and at most.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = limit.min(limits::SIGN_IN);
        self
    }

    /// Whether to open the browser; without it, [`on_url`](Self::on_url) has to bring the user to the page.
    pub fn browser(mut self, open: bool) -> Self {
        self.open_browser = open;
        self
    }

    /// Is told the page's URL before the browser opens. With it, a machine without a browser is no error.
    pub fn on_url(mut self, told: impl FnOnce(&str) + Send + 'static) -> Self {
        self.on_url = Some(Box::new(told));
        self
    }

    /// Prints the page's URL on standard error before the browser opens, for command-line tools: the user can open it by
    /// hand.
    pub fn print_url(self) -> Self {
        #[expect(clippy::print_stderr, reason = "printing is what this is for")]
        self.on_url(|url| eprintln!("Sign in with your browser:\n\n  {url}\n"))
    }

    /// Goes on with a session where there is one.
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
            // A text browser in the terminal runs until the user is done: wait for both at once.
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
            Ok(params) => self.context.callback(&params).await,
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

/// Opening a browser starts processes and can block, so it gets a thread of its own.
async fn open_browser(url: String) -> Result<(), String> {
    match tokio::task::spawn_blocking(move || webbrowser::open(&url)).await {
        Ok(result) => result.map_err(|e| e.to_string()),
        Err(_) => Err("opening it failed".to_owned()),
    }
}

/// Waits for the user's browser on a loopback address.
struct CallbackServer {
    listener: TcpListener,
    /// With the port that is listened on.
    redirect_uri: Url,
}

/// What a connection turned out to be.
enum Visit {
    /// The browser comes back; it still waits for its answer.
    Callback(Result<CallbackParams, CallbackError>, TcpStream),
    /// Something else, already answered.
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
            // Only URLs without a host refuse a port, and this one's host was looked at above.
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        Ok(Self { listener, redirect_uri })
    }

    /// The first callback with this `state`. Everything else is answered and forgotten, so that neither a
    /// silent connection nor an unrelated request keeps the user from coming back.
    async fn receive(self, state: &str) -> (Result<CallbackParams, CallbackError>, TcpStream) {
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (path, state) = (self.redirect_uri.path().to_owned(), state.to_owned());
                        visits.spawn(async move { visit(stream, &path, &state).await });
                    }
                    // Out of file descriptors, for one: do not spin.
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
                    // Malformed, and yet the server's answer to this request.
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

/// Everything up to the empty line; none where the peer stops, or goes on for too long.
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

/// Sends a page and closes. A browser that has gone does not matter: the sign-in's result stands.
async fn answer(mut stream: TcpStream, page: &Page) {
    let sending = async {
        stream.write_all(&page.to_http()).await?;
        stream.shutdown().await?;
        // Closing with unread bytes resets the connection, and the browser would show that instead.
        let mut rest = [0_u8; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = timeout(limits::CALLBACK_PAGE, sending).await;
}

#[cfg(test)]
mod tests;
