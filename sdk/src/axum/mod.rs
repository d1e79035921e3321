//! Signing users in on a web site that is built with [axum](https://docs.rs/axum).
//!
//! [`WebAuth`] brings the routes (`/login`, `/callback`, `/logout`, `/switch`, `/client-metadata.json`, `/jwks.json`), and
//! handlers take an [`OAuthClient`](crate::oauth::OAuthClient) as an argument: the signed-in user of the request.
//!
//! ```no_run
//! use atproto_sdk::{
//!     axum::WebAuth,
//!     oauth::{ClientMetadata, OAuth, OAuthClient},
//!     store::SealingKeys,
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
//! // Only for users who are signed in; others are sent to `/login` and come back.
//! async fn settings(client: OAuthClient) -> String {
//!     format!("Settings of {}", client.did())
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let metadata = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:3000/callback");
//! let oauth = OAuth::builder(metadata).build()?;
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
//! What the browser keeps is one sealed cookie with the names of its sessions, nothing else: `HttpOnly`, `SameSite=Lax`,
//! `Secure` except on loopback. A callback counts only in the browser whose sign-in it ends.

mod builder;
mod cookie;
mod error;
mod extract;
mod layer;
mod login;
mod page;
mod request;
mod return_to;
mod routes;
mod signed_in;

use std::sync::Arc;

pub use builder::{WebAuthBuilder, WebBuildError};
pub use error::WebError;
pub use extract::{AskToSignIn, NotSignedIn, SignInAgain};
pub use layer::{SignedInLayer, SignedInService};
pub use signed_in::{Accounts, SignedInAccount};

use crate::{oauth::OAuth, xrpc::BoxFuture};
use builder::Settings;
use cookie::Jar;

/// Sign-in for a web site. Cheap to clone; one per site.
#[derive(Clone)]
pub struct WebAuth {
    inner: Arc<Inner>,
}

struct Inner {
    oauth: OAuth,
    jar: Jar,
    settings: Settings,
}

type Hook<T> = Arc<dyn Fn(T) -> BoxFuture<'static, ()> + Send + Sync>;

impl WebAuth {
    /// Starts to set up sign-in with an app and the keys that seal its cookies. All instances of a site need the same
    /// keys.
    pub fn builder(oauth: OAuth, keys: crate::store::SealingKeys) -> WebAuthBuilder {
        WebAuthBuilder::new(oauth, keys)
    }

    /// The app.
    pub fn oauth(&self) -> &OAuth {
        &self.inner.oauth
    }

    /// The path of the sign-in page, such as `/login`. With `?identifier=` it goes on to the user's server at once, with
    /// `&return_to=` it comes back to a path of this site.
    pub fn login_path(&self) -> String {
        format!("{}/login", self.inner.settings.prefix)
    }

    /// The path that a form posts to in order to sign out: the account shown, one named by `did`, or with `all=true` all.
    pub fn logout_path(&self) -> String {
        format!("{}/logout", self.inner.settings.prefix)
    }

    /// The path that a form posts a `did` to in order to switch to another account of this browser.
    pub fn switch_path(&self) -> String {
        format!("{}/switch", self.inner.settings.prefix)
    }
}

impl std::fmt::Debug for WebAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebAuth").field("prefix", &self.inner.settings.prefix).finish_non_exhaustive()
    }
}
