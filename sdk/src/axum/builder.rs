//! Setting up sign-in for a site.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use axum::response::Response;
use url::Url;

use super::{Hook, Inner, WebAuth, WebError, cookie::Jar, return_to};
use crate::{
    oauth::{AuthorizeOptions, OAuth, SessionId, SignedIn},
    store::SealingKeys,
};

/// How long a browser stays signed in without signing in again.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sign-in for a site cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebBuildError {
    /// The redirect URI does not lead to the callback route.
    #[error(
        "the redirect URI `{redirect_uri}` does not end in `/callback`, which is the route that takes the user back; \
         the client metadata needs one such as `https://app.example/callback`"
    )]
    RedirectUri {
        /// The redirect URI.
        redirect_uri: String,
    },
    /// The path is not one that routes can be under.
    #[error(
        "`{path}` is not a path such as `/auth`: it begins with `/`, does not end with one, and is plain ASCII"
    )]
    Path {
        /// The path.
        path: String,
    },
    /// A path to go to is not one of this site.
    #[error("`{path}` is not a path of this site")]
    Home {
        /// The path.
        path: String,
    },
    /// The cookie's name has characters that cookies' names cannot have.
    #[error("`{name}` cannot be the name of a cookie")]
    CookieName {
        /// The name.
        name: String,
    },
}

/// What the routes and extractors go by.
pub(super) struct Settings {
    /// Scheme, host and port under which browsers know the site.
    pub(super) origin: Url,
    pub(super) redirect_uri: String,
    /// What stands before the routes for browsers, such as `/auth`; empty at the root.
    pub(super) prefix: String,
    /// The same behind a proxy that takes a part of the path away.
    pub(super) mounted_at: String,
    pub(super) home: String,
    pub(super) redirect_to_login: bool,
    pub(super) options: AuthorizeOptions,
    pub(super) after_sign_in: Vec<Hook<SignedIn>>,
    pub(super) after_sign_out: Vec<Hook<SessionId>>,
    pub(super) login_page: Option<LoginPage>,
    pub(super) error_page: Option<ErrorPage>,
}

pub(super) type LoginPage = Arc<dyn Fn(Option<&str>) -> Response + Send + Sync>;
pub(super) type ErrorPage = Arc<dyn Fn(&WebError) -> Response + Send + Sync>;

/// Sets up a [`WebAuth`]; made by [`WebAuth::builder`].
#[must_use = "nothing is set up before `build`"]
pub struct WebAuthBuilder {
    oauth: OAuth,
    keys: SealingKeys,
    lifetime: Duration,
    cookie_name: String,
    mounted_at: Option<String>,
    home: String,
    redirect_to_login: bool,
    options: AuthorizeOptions,
    after_sign_in: Vec<Hook<SignedIn>>,
    after_sign_out: Vec<Hook<SessionId>>,
    login_page: Option<LoginPage>,
    error_page: Option<ErrorPage>,
}

impl WebAuthBuilder {
    pub(super) fn new(oauth: OAuth, keys: SealingKeys) -> Self {
        Self {
            oauth,
            keys,
            lifetime: DEFAULT_LIFETIME,
            cookie_name: "atproto".to_owned(),
            mounted_at: None,
            home: "/".to_owned(),
            redirect_to_login: true,
            options: AuthorizeOptions::new(),
            after_sign_in: Vec::new(),
            after_sign_out: Vec::new(),
            login_page: None,
            error_page: None,
        }
    }

    /// Sets how long a browser stays signed in without signing in again; 30 days by default.
    pub fn cookie_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the cookie's name, `atproto` by default; browsers know it as `__Host-atproto` on sites with TLS. Two sites on
    /// ports of one host need two names.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// Sets the path under which the routes are mounted, where a proxy in front takes a part of the path away. Otherwise
    /// it is that of the redirect URI without `/callback`.
    pub fn mounted_at(mut self, path: impl Into<String>) -> Self {
        self.mounted_at = Some(path.into());
        self
    }

    /// Sets where users go who wanted to go nowhere in particular; `/` by default.
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.home = path.into();
        self
    }

    /// Answers requests that need a signed-in user with 401 instead of sending browsers to the sign-in page; for APIs.
    pub fn answer_unauthorized(mut self) -> Self {
        self.redirect_to_login = false;
        self
    }

    /// Sets what sign-ins ask for beyond their defaults. The redirect URI and the app's state are the routes' own.
    pub fn authorize_options(mut self, options: AuthorizeOptions) -> Self {
        self.options = options;
        self
    }

    /// Is called after each sign-in, before the browser goes on: to make the user's row in a database, for example.
    pub fn after_sign_in<F>(mut self, hook: impl Fn(SignedIn) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.after_sign_in.push(Arc::new(move |signed_in| Box::pin(hook(signed_in))));
        self
    }

    /// Is called after each sign-out through the routes.
    pub fn after_sign_out<F>(mut self, hook: impl Fn(SessionId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.after_sign_out.push(Arc::new(move |id| Box::pin(hook(id))));
        self
    }

    /// Sets the page that asks who signs in, with the path to come back to. Its form posts `identifier` and `return_to` to
    /// [`WebAuth::login_path`].
    pub fn login_page(mut self, page: impl Fn(Option<&str>) -> Response + Send + Sync + 'static) -> Self {
        self.login_page = Some(Arc::new(page));
        self
    }

    /// Sets the page that tells what went wrong. Its status is the page's own affair; [`WebError::status`] has one.
    pub fn error_page(mut self, page: impl Fn(&WebError) -> Response + Send + Sync + 'static) -> Self {
        self.error_page = Some(Arc::new(page));
        self
    }

    /// Checks everything and sets up sign-in.
    pub fn build(self) -> Result<WebAuth, WebBuildError> {
        let uris: Vec<&str> = self.oauth.metadata().redirect_uris().collect();
        let callback = uris.iter().find_map(|uri| {
            let url = Url::parse(uri).ok()?;
            let prefix = url.path().strip_suffix("/callback")?.to_owned();
            matches!(url.scheme(), "http" | "https").then_some((url, prefix, (*uri).to_owned()))
        });
        let Some((origin, prefix, redirect_uri)) = callback else {
            let redirect_uri = uris.first().copied().unwrap_or_default().to_owned();
            return Err(WebBuildError::RedirectUri { redirect_uri });
        };
        let mounted_at = self.mounted_at.unwrap_or_else(|| prefix.clone());
        for path in [&prefix, &mounted_at] {
            let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
            if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/') || !plain) {
                return Err(WebBuildError::Path { path: path.clone() });
            }
        }
        if return_to::safe(&self.home).is_none() {
            return Err(WebBuildError::Home { path: self.home });
        }
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if self.cookie_name.is_empty() || !self.cookie_name.bytes().all(token) {
            return Err(WebBuildError::CookieName { name: self.cookie_name });
        }
        // A redirect URI without TLS is on loopback, or the metadata would have been refused.
        let secure = origin.scheme() == "https";
        let jar = Jar { keys: self.keys, secure, lifetime: self.lifetime, name: self.cookie_name };
        let settings = Settings {
            origin,
            redirect_uri,
            prefix,
            mounted_at,
            home: self.home,
            redirect_to_login: self.redirect_to_login,
            options: self.options,
            after_sign_in: self.after_sign_in,
            after_sign_out: self.after_sign_out,
            login_page: self.login_page,
            error_page: self.error_page,
        };
        Ok(WebAuth { inner: Arc::new(Inner { oauth: self.oauth, jar, settings }) })
    }
}

impl fmt::Debug for WebAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebAuthBuilder").field("oauth", &self.oauth).finish_non_exhaustive()
    }
}
