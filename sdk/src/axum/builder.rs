//! The builder of [`WebAuth`].

use std::{fmt, future::Future, sync::Arc, time::Duration};

use axum::response::Response;
use url::Url;

use super::{
    HandlerErrorPage, Hook, Inner, LoginForm, WebAuth, WebError, cookie::Jar, return_to,
    revocations::Revocations,
};
use crate::{
    limits,
    oauth::{AuthorizeOptions, OAuth, SessionId, SignedIn},
    store::SealingKeys,
};

/// The maximum length of the name of the cookie. With it, a cookie for the longest DID is one that browsers accept.
pub(super) const MAX_COOKIE_NAME: usize = 128;

/// The error returned by [`WebAuthBuilder::build`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebBuildError {
    /// The client metadata has no redirect URI that points to the callback route.
    #[error(
        "the redirect URI `{redirect_uri}` does not end with `/callback`, the route that completes a sign-in; \
         the client metadata needs one such as `https://app.example/callback`"
    )]
    RedirectUri {
        /// The redirect URI.
        redirect_uri: String,
    },
    /// The path of the routes is invalid.
    #[error(
        "`{path}` is not a valid path such as `/auth`, which begins with `/`, does not end with `/`, and is plain ASCII"
    )]
    Path {
        /// The path.
        path: String,
    },
    /// The path of the redirect URI does not begin with what the proxy strips.
    #[error(
        "the path of the redirect URI `{redirect_uri}` does not begin with `{path}`, which the proxy strips"
    )]
    StrippedPrefix {
        /// The path that the proxy strips.
        path: String,
        /// The redirect URI.
        redirect_uri: String,
    },
    /// The home path is not a path of this site.
    #[error("`{path}` is not a path of this site")]
    Home {
        /// The path.
        path: String,
    },
    /// The name of the cookie is empty, contains invalid characters, or has more than 128.
    #[error(
        "`{name}` is not a valid cookie name, which has at most {MAX_COOKIE_NAME} characters from A-Z a-z 0-9 - _ ."
    )]
    CookieName {
        /// The name.
        name: String,
    },
}

/// The configuration of the routes and extractors.
pub(super) struct Settings {
    /// The scheme, host and port of the site as browsers see it.
    pub(super) origin: Url,
    pub(super) redirect_uri: String,
    /// The path prefix of the routes as browsers see it, such as `/auth`; empty at the root.
    pub(super) prefix: String,
    /// The path prefix of the routes in the router that they are merged into.
    pub(super) mounted_at: String,
    /// What a proxy strips from the beginning of every path.
    pub(super) stripped_prefix: String,
    pub(super) home: String,
    pub(super) redirect_to_login: bool,
    pub(super) options: AuthorizeOptions,
    pub(super) after_sign_in: Vec<Hook<SignedIn>>,
    pub(super) after_sign_out: Vec<Hook<SessionId>>,
    /// How long a browser waits for the removal and for the revocation of a session; different in tests only.
    pub(super) sign_out_limits: (Duration, Duration),
    pub(super) login_page: Option<LoginPage>,
    pub(super) error_page: Option<ErrorPage>,
    pub(super) handler_error_page: Option<FailedPage>,
}

pub(super) type LoginPage = Arc<dyn Fn(&LoginForm<'_>) -> Response + Send + Sync>;
pub(super) type ErrorPage = Arc<dyn Fn(&WebError) -> Response + Send + Sync>;
pub(super) type FailedPage = Arc<dyn Fn(&HandlerErrorPage<'_>) -> Response + Send + Sync>;

/// Builds a [`WebAuth`]. Created by [`WebAuth::builder`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use atproto_sdk::{
///     axum::WebAuth,
///     oauth::OAuth,
///     store::SealingKeys,
/// };
///
/// # fn example(oauth: OAuth) -> Result<WebAuth, Box<dyn std::error::Error>> {
/// let web = WebAuth::builder(oauth, SealingKeys::from_env("COOKIE_KEYS")?)
///     .cookie_lifetime(Duration::from_secs(7 * 24 * 3600))
///     .home("/timeline")
///     .build()?;
/// # Ok(web) }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct WebAuthBuilder {
    oauth: OAuth,
    keys: SealingKeys,
    lifetime: Duration,
    cookie_name: String,
    mounted_at: Option<String>,
    stripped_prefix: String,
    home: Option<String>,
    redirect_to_login: bool,
    options: AuthorizeOptions,
    after_sign_in: Vec<Hook<SignedIn>>,
    after_sign_out: Vec<Hook<SessionId>>,
    pub(super) sign_out_limits: (Duration, Duration),
    login_page: Option<LoginPage>,
    error_page: Option<ErrorPage>,
    handler_error_page: Option<FailedPage>,
}

impl WebAuthBuilder {
    pub(super) fn new(oauth: OAuth, keys: SealingKeys) -> Self {
        Self {
            oauth,
            keys,
            lifetime: limits::SESSION_COOKIE,
            cookie_name: "atproto".to_owned(),
            mounted_at: None,
            stripped_prefix: String::new(),
            home: None,
            redirect_to_login: true,
            options: AuthorizeOptions::new(),
            after_sign_in: Vec::new(),
            after_sign_out: Vec::new(),
            sign_out_limits: (limits::WEB_REMOVAL, limits::WEB_SIGN_OUT),
            login_page: None,
            error_page: None,
            handler_error_page: None,
        }
    }

    /// Sets how long a browser stays signed in after a sign-in. The default is 30 days.
    pub fn cookie_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the name of the cookie. The default is `atproto`.
    ///
    /// On sites with TLS, the name is prefixed with `__Host-`. Two apps on different ports of the same host need different
    /// names, because browsers do not separate cookies by port.
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// Sets the path of the routes in the router, for routes that are nested in another router. The default is the path
    /// of the redirect URI without `/callback`, and without what a [proxy strips](Self::stripped_prefix).
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     axum::WebAuth,
    ///     oauth::{ClientMetadata, OAuth},
    ///     store::SealingKeys,
    /// };
    /// use axum::Router;
    ///
    /// # fn example(keys: SealingKeys) -> Result<Router, Box<dyn std::error::Error>> {
    /// let metadata = ClientMetadata::web("https://example.com/auth/client-metadata.json")
    ///     .redirect_uri("https://example.com/auth/callback");
    /// let web = WebAuth::builder(OAuth::builder(metadata).build()?, keys).mounted_at("").build()?;
    /// let app = Router::new().nest("/auth", web.routes());
    /// # Ok(app) }
    /// ```
    pub fn mounted_at(mut self, path: impl Into<String>) -> Self {
        self.mounted_at = Some(path.into());
        self
    }

    /// Sets the path that a proxy in front of the app strips from the beginning of every path, such as `/app`.
    ///
    /// The routes are then found without it, and users return to the path that the proxy knows.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     axum::WebAuth,
    ///     oauth::{ClientMetadata, OAuth},
    ///     store::SealingKeys,
    /// };
    ///
    /// # fn example(keys: SealingKeys) -> Result<(), Box<dyn std::error::Error>> {
    /// // The proxy forwards `https://example.com/app/..` as `/..`.
    /// let metadata = ClientMetadata::web("https://example.com/app/client-metadata.json")
    ///     .redirect_uri("https://example.com/app/callback");
    /// let web = WebAuth::builder(OAuth::builder(metadata).build()?, keys).stripped_prefix("/app").build()?;
    /// assert_eq!(web.login_path(), "/app/login");
    /// # Ok(()) }
    /// ```
    pub fn stripped_prefix(mut self, path: impl Into<String>) -> Self {
        self.stripped_prefix = path.into();
        self
    }

    /// Sets the path that users are redirected to after a sign-in or sign-out without `return_to`, as browsers know it.
    /// The default is `/`, behind what a [proxy strips](Self::stripped_prefix).
    pub fn home(mut self, path: impl Into<String>) -> Self {
        self.home = Some(path.into());
        self
    }

    /// Rejects requests that require a signed-in user with 401, instead of redirecting browsers to the sign-in page.
    ///
    /// For apps whose pages call an API and handle the response themselves. Requests that are not navigations, such as
    /// those made with `fetch`, get 401 in any case.
    ///
    /// ```no_run
    /// # use atproto_sdk::{axum::{WebAuth, WebBuildError}, oauth::OAuth, store::SealingKeys};
    /// # fn example(oauth: OAuth, keys: SealingKeys) -> Result<WebAuth, WebBuildError> {
    /// WebAuth::builder(oauth, keys).answer_unauthorized().build()
    /// # }
    /// ```
    pub fn answer_unauthorized(mut self) -> Self {
        self.redirect_to_login = false;
        self
    }

    /// Sets the options of all sign-ins, such as the scope or the languages of the user interface.
    ///
    /// The routes set the redirect URI themselves. The app state is returned to the
    /// [`after_sign_in`](Self::after_sign_in) hooks.
    ///
    /// ```no_run
    /// use atproto_sdk::oauth::{AuthorizeOptions, Prompt};
    ///
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.authorize_options(AuthorizeOptions::new().prompt(Prompt::SelectAccount).ui_locales("de en"))
    /// # }
    /// ```
    pub fn authorize_options(mut self, options: AuthorizeOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a hook that is called after each sign-in, before the browser is redirected. Use it to create the user in a
    /// database, for example.
    ///
    /// Hooks are called in the order in which they were added.
    ///
    /// ```no_run
    /// # async fn create_user(_: &str) {}
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.after_sign_in(|signed_in| async move {
    ///     create_user(signed_in.client.did().as_str()).await;
    /// })
    /// # }
    /// ```
    pub fn after_sign_in<F>(mut self, hook: impl Fn(SignedIn) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.after_sign_in.push(Arc::new(move |signed_in| Box::pin(hook(signed_in))));
        self
    }

    /// Adds a hook that is called after each sign-out through the routes.
    ///
    /// It is also called when a session is replaced, because the account signed in again or because the browser has too
    /// many accounts.
    ///
    /// ```no_run
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.after_sign_out(|session| async move { println!("{} signed out", session.did()) })
    /// # }
    /// ```
    pub fn after_sign_out<F>(mut self, hook: impl Fn(SessionId) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.after_sign_out.push(Arc::new(move |id| Box::pin(hook(id))));
        self
    }

    /// Sets the sign-in page. The function is passed what the form shows.
    ///
    /// The page must contain a form that posts `identifier`, and `return_to` if there is one, to
    /// [`WebAuth::login_path`]. Fill in the [identifier](LoginForm::identifier), and escape both like any other text.
    ///
    /// ```no_run
    /// use axum::response::{Html, IntoResponse as _};
    ///
    /// # fn escape(text: &str) -> String { text.to_owned() }
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.login_page(|form| {
    ///     Html(format!(
    ///         r#"<form method="post" action="/login">
    ///             <input name="identifier" placeholder="alice.example.com" value="{}">
    ///             <input name="return_to" type="hidden" value="{}">
    ///             <button>Sign in</button>
    ///         </form>"#,
    ///         escape(form.identifier.unwrap_or_default()),
    ///         escape(form.return_to.unwrap_or("/")),
    ///     ))
    ///     .into_response()
    /// })
    /// # }
    /// ```
    pub fn login_page(mut self, page: impl Fn(&LoginForm<'_>) -> Response + Send + Sync + 'static) -> Self {
        self.login_page = Some(Arc::new(page));
        self
    }

    /// Sets the error page of the sign-in routes. The function also chooses the status code; [`WebError::status`] returns a
    /// suitable one, and [`WebError::login_form`] what a form for another attempt should contain.
    ///
    /// ```no_run
    /// use axum::response::IntoResponse as _;
    ///
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.error_page(|error| (error.status(), error.user_message()).into_response())
    /// # }
    /// ```
    pub fn error_page(mut self, page: impl Fn(&WebError) -> Response + Send + Sync + 'static) -> Self {
        self.error_page = Some(Arc::new(page));
        self
    }

    /// Sets the page that visitors see if a handler fails with a [`HandlerError`](super::HandlerError). The function also
    /// chooses the status code; [`HandlerError::status`](super::HandlerError::status) returns a suitable one.
    ///
    /// Sessions that have ended lead to the sign-in page instead, and scripts get JSON.
    ///
    /// ```no_run
    /// use axum::response::IntoResponse as _;
    ///
    /// # fn example(builder: atproto_sdk::axum::WebAuthBuilder) -> atproto_sdk::axum::WebAuthBuilder {
    /// builder.handler_error_page(|page| {
    ///     (page.error.status(), page.error.user_message().to_owned()).into_response()
    /// })
    /// # }
    /// ```
    pub fn handler_error_page(
        mut self,
        page: impl Fn(&HandlerErrorPage<'_>) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.handler_error_page = Some(Arc::new(page));
        self
    }

    /// Validates the configuration and builds the [`WebAuth`].
    ///
    /// A site that others use needs a [store](crate::oauth::OAuthBuilder::store) that lasts; if there is none, this logs a
    /// warning.
    ///
    /// # Errors
    ///
    /// Returns an error if the client metadata has no redirect URI that ends with `/callback`, or if a path or the name of
    /// the cookie is invalid.
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
        let stripped_prefix = self.stripped_prefix;
        let Some(inside) =
            prefix.strip_prefix(&stripped_prefix).filter(|path| path.is_empty() || path.starts_with('/'))
        else {
            return Err(WebBuildError::StrippedPrefix { path: stripped_prefix, redirect_uri });
        };
        let mounted_at = self.mounted_at.unwrap_or_else(|| inside.to_owned());
        for path in [&prefix, &mounted_at, &stripped_prefix] {
            let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b));
            if !path.is_empty() && (!path.starts_with('/') || path.ends_with('/') || !plain) {
                return Err(WebBuildError::Path { path: path.clone() });
            }
        }
        let home = self.home.unwrap_or_else(|| format!("{stripped_prefix}/"));
        if return_to::safe(&home).is_none() {
            return Err(WebBuildError::Home { path: home });
        }
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let length = self.cookie_name.len();
        if !(1..=MAX_COOKIE_NAME).contains(&length) || !self.cookie_name.bytes().all(token) {
            return Err(WebBuildError::CookieName { name: self.cookie_name });
        }
        if loses_sessions(&self.oauth) {
            tracing::warn!(
                client_id = self.oauth.metadata().client_id(),
                "sessions are kept in memory only, so all users are signed out when the site is restarted, and other instances \
                 do not know them; set `OAuthBuilder::store` to a store that lasts"
            );
        }
        // A redirect URI without TLS is on loopback, or the metadata would have been rejected.
        let secure = origin.scheme() == "https";
        let jar = Jar { keys: self.keys, secure, lifetime: self.lifetime, name: self.cookie_name };
        let settings = Settings {
            origin,
            redirect_uri,
            prefix,
            mounted_at,
            stripped_prefix,
            home,
            redirect_to_login: self.redirect_to_login,
            options: self.options,
            after_sign_in: self.after_sign_in,
            after_sign_out: self.after_sign_out,
            sign_out_limits: self.sign_out_limits,
            login_page: self.login_page,
            error_page: self.error_page,
            handler_error_page: self.handler_error_page,
        };
        let revocations = Revocations::default();
        Ok(WebAuth { inner: Arc::new(Inner { oauth: self.oauth, jar, settings, revocations }) })
    }
}

/// Whether a site that others use keeps its sessions in memory only.
fn loses_sessions(oauth: &OAuth) -> bool {
    oauth.is_in_memory() && !oauth.metadata().is_loopback()
}

impl fmt::Debug for WebAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebAuthBuilder").field("oauth", &self.oauth).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::{
        oauth::{ClientMetadata, OAuthBuilder},
        store::{FileStore, MemoryStore},
    };

    #[test]
    fn a_site_whose_users_are_signed_out_by_a_restart_is_noticed() {
        let web = ClientMetadata::web("https://app.example/client-metadata.json")
            .redirect_uri("https://app.example/callback");
        let loopback = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:3000/callback");
        let folder = tempfile::tempdir().unwrap();
        let file = || FileStore::open(folder.path().join("sessions.json")).unwrap();
        let loses = |metadata: &ClientMetadata, store: &dyn Fn(OAuthBuilder) -> OAuthBuilder| {
            loses_sessions(&store(OAuth::builder(metadata.clone())).build().unwrap())
        };
        assert!(loses(&web, &|oauth| oauth));
        assert!(loses(&web, &|oauth| oauth.store(MemoryStore::new())));
        assert!(!loses(&web, &|oauth| oauth.store(file())));
        assert!(!loses(&web, &|oauth| oauth.store(MemoryStore::new()).shared_store(Arc::new(file()))));
        assert!(!loses(&loopback, &|oauth| oauth), "it is for development");
    }
}
