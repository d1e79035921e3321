//! Sign-in for web apps built with [axum](https://docs.rs/axum).
//!
//! [`WebAuth`] provides the routes (`/login`, `/callback`, `/logout`, `/switch`, `/client-metadata.json`, `/jwks.json`).
//! Handlers that take an [`OAuthClient`](crate::oauth::OAuthClient) as an argument receive the client of the signed-in
//! user.
//!
//! ```no_run
//! use atproto_sdk::{
//!     axum::{HandlerError, WebAuth},
//!     oauth::{ClientMetadata, OAuth, OAuthClient},
//!     store::{FileStore, SealingKeys},
//! };
//! use axum::{Router, extract::FromRef, routing::get};
//!
//! #[derive(Clone)]
//! struct App {
//!     web: WebAuth,
//! }
//!
//! impl FromRef<App> for WebAuth {
//!     fn from_ref(app: &App) -> Self {
//!         app.web.clone()
//!     }
//! }
//!
//! async fn home(user: Option<OAuthClient>) -> String {
//!     match user {
//!         Some(client) => format!("Hello {}", client.did()),
//!         None => "Go to /login".to_owned(),
//!     }
//! }
//!
//! // For signed-in users only; others are redirected to `/login`, and back here afterwards.
//! async fn settings(client: OAuthClient) -> Result<String, HandlerError> {
//!     let session = client.com_atproto_server().get_session().await?;
//!     Ok(format!("Settings of {}", session.handle))
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let metadata = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:3000/callback");
//! // With the same store and the same keys, users remain signed in after a restart.
//! let oauth = OAuth::builder(metadata).store(FileStore::open("sessions.json")?).build()?;
//! let web = WebAuth::builder(oauth, SealingKeys::from_env("COOKIE_KEYS")?).build()?;
//! let app = Router::new()
//!     .route("/", get(home))
//!     .route("/settings", get(settings))
//!     .merge(web.routes())
//!     .layer(web.layer())
//!     .with_state(App { web });
//! axum::serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?, app).await?;
//! # Ok(()) }
//! ```
//!
//! # Extractors
//!
//! | argument of a handler | if the user is not signed in |
//! | --- | --- |
//! | [`OAuthClient`](crate::oauth::OAuthClient) | the handler is not called; browsers are redirected to `/login`, other clients get 401 |
//! | `Option<OAuthClient>` | `None` |
//! | `Result<OAuthClient, `[`NotSignedIn`]`>` | an error that says why |
//! | [`Accounts`] | empty |
//!
//! The state of the router must provide the [`WebAuth`] through [`FromRef`](axum::extract::FromRef), as above.
//!
//! # Errors
//!
//! Handlers return `Result<_, `[`HandlerError`]`>`, to which every error of this crate converts with `?`. It answers: a
//! session that has ended leads to the sign-in and back, a missing scope to a page that asks for it, a server that is down
//! to a page that says so; scripts get JSON. The layer makes these answers, because it knows the request.
//!
//! # Cookies
//!
//! A browser stores one encrypted cookie for each account that is signed in, which contains the identifier of the
//! session; tokens stay on the server. Another one for each sign-in in progress, which lives for ten minutes, binds the
//! sign-in to the browser that started it. So requests that several tabs send at once do not undo each other. The
//! cookies are `HttpOnly`, `SameSite=Lax`, and `Secure` except on loopback.
//!
//! A browser stays signed in to 16 accounts, or to fewer if their DIDs are so long that the cookies would take more
//! than 4096 bytes; one more replaces the oldest.
//!
//! The account that was signed in or switched to last is the active one. If its session ends, it stays that, and the browser is
//! asked to sign in again, until the user signs in, switches or signs out: what is sent from a page that is still open is
//! never done as another account. [`WebAuth::client_for`] ties a form to the account that it was shown for.
//!
//! # Requests from other sites
//!
//! A sign-in starts, and accounts are signed out and switched, only at the request of a page of the site itself.
//! Browsers say so with `Sec-Fetch-Site: same-origin`, older ones with `Origin`. A link from elsewhere, such as
//! `https://app.example/login?identifier=alice.example.com` in a mail, shows the sign-in page with the name filled in.
//! Otherwise anybody could sign a visitor in as somebody else without their noticing. A POST without any of these
//! headers is accepted, because every browser sends one of them with a form.

mod answer;
mod builder;
mod classify;
mod consent;
mod cookie;
mod error;
mod extract;
#[cfg(fuzzing)]
#[allow(missing_docs)]
pub mod fuzzing;
mod handler_error;
mod identity;
mod layer;
mod login;
mod page;
mod request;
mod return_to;
mod revocations;
mod routes;
mod signed_in;
#[cfg(test)]
mod tests;
mod violations;

use std::sync::Arc;

pub use answer::{ConsentForm, HandlerErrorPage};
pub use builder::{WebAuthBuilder, WebBuildError};
pub use error::WebError;
pub use extract::{AskToSignIn, NotSignedIn, SignInAgain};
pub use handler_error::{HandlerError, HandlerErrorKind};
pub use layer::{SignedInLayer, SignedInService};
pub use login::LoginForm;
pub use signed_in::{Accounts, SignedInAccount};

use crate::{oauth::OAuth, xrpc::BoxFuture};
use builder::Settings;
use cookie::Jar;
use revocations::Revocations;

/// Sign-in for a web app. Cheap to clone; create one per app.
///
/// See the [module documentation](self) for a complete example.
#[derive(Clone)]
pub struct WebAuth {
    inner: Arc<Inner>,
}

struct Inner {
    oauth: OAuth,
    jar: Jar,
    settings: Settings,
    revocations: Revocations,
}

type Hook<T> = Arc<dyn Fn(T) -> BoxFuture<'static, ()> + Send + Sync>;

impl WebAuth {
    /// Creates a builder from an OAuth app and the keys that encrypt its cookies.
    ///
    /// All instances of the app need the same keys. To rotate the keys, put a new one first and keep the old ones until
    /// the cookies that they encrypted have expired.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     axum::WebAuth,
    ///     oauth::OAuth,
    ///     store::{SealingKey, SealingKeys},
    /// };
    ///
    /// # fn example(oauth: OAuth, new: &str, old: &str) -> Result<WebAuth, Box<dyn std::error::Error>> {
    /// let keys = SealingKeys::new([SealingKey::from_base64(new)?, SealingKey::from_base64(old)?])?;
    /// let web = WebAuth::builder(oauth, keys).build()?;
    /// # Ok(web) }
    /// ```
    pub fn builder(oauth: OAuth, keys: crate::store::SealingKeys) -> WebAuthBuilder {
        WebAuthBuilder::new(oauth, keys)
    }

    /// Returns the OAuth app.
    pub fn oauth(&self) -> &OAuth {
        &self.inner.oauth
    }

    /// Returns the path of the sign-in page, such as `/login`.
    ///
    /// With the query parameter `identifier`, a link from a page of this site redirects to the user's server
    /// immediately; a link from elsewhere shows the form with the identifier filled in. With `return_to`, the user
    /// returns to that path afterwards.
    ///
    /// ```no_run
    /// # fn example(web: atproto_sdk::axum::WebAuth) -> String {
    /// format!(r#"<a href="{}?return_to=/settings">Sign in</a>"#, web.login_path())
    /// # }
    /// ```
    pub fn login_path(&self) -> String {
        format!("{}/login", self.inner.settings.prefix)
    }

    /// Returns the path that a form must be posted to in order to sign out, such as `/logout`.
    ///
    /// This signs out the active account; with the field `did` the account with that DID, and with `all=true` all
    /// accounts of the browser.
    ///
    /// ```no_run
    /// # fn example(web: atproto_sdk::axum::WebAuth) -> String {
    /// format!(r#"<form method="post" action="{}"><button>Sign out</button></form>"#, web.logout_path())
    /// # }
    /// ```
    pub fn logout_path(&self) -> String {
        format!("{}/logout", self.inner.settings.prefix)
    }

    /// Returns the path that a form must be posted to, with the field `did`, in order to switch to another account of the
    /// browser, such as `/switch`. See [`Accounts`] for an example.
    pub fn switch_path(&self) -> String {
        format!("{}/switch", self.inner.settings.prefix)
    }
}

impl std::fmt::Debug for WebAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebAuth").field("prefix", &self.inner.settings.prefix).finish_non_exhaustive()
    }
}
