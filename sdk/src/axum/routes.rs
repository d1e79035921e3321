//! The router of the sign-in routes.

use std::time::Duration;

use axum::{
    Router,
    extract::Request,
    http::{
        StatusCode,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, SET_COOKIE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};

use super::{
    WebAuth, WebError,
    cookie::Sessions,
    login::see_other,
    request::{Fields, same_site},
    return_to,
};
use crate::{
    limits,
    oauth::{SessionId, SignOutError},
    types::Did,
};

/// How long a browser waits for the server to confirm a sign-out, which takes effect locally at once.
const SIGN_OUT_LIMIT: Duration = limits::WEB_SIGN_OUT;

impl WebAuth {
    /// Returns the sign-in routes, to be merged into the app's router.
    ///
    /// They are at the path of the redirect URI: if that is `https://app.example/auth/callback`, the sign-in page is
    /// `/auth/login`.
    ///
    /// | route | description |
    /// | --- | --- |
    /// | `GET /login` | the sign-in form; with `identifier`, redirects to the user's server. `return_to` is the path to return to |
    /// | `POST /login` | starts a sign-in from the form |
    /// | `GET /callback` | completes a sign-in |
    /// | `POST /logout` | signs out the active account, the account `did`, or all accounts of the browser if `all=true` |
    /// | `POST /switch` | makes the account `did` the active one |
    /// | `GET /client-metadata.json` | the client metadata; 404 for the development client, which has none |
    /// | `GET /jwks.json` | the public keys of a confidential client; 404 for other clients |
    ///
    /// ```no_run
    /// use atproto_sdk::{axum::WebAuth, oauth::OAuthClient};
    /// use axum::{Router, routing::get};
    ///
    /// # fn example(web: WebAuth) -> Router {
    /// Router::new()
    ///     .route("/me", get(|client: OAuthClient| async move { client.did().to_string() }))
    ///     .merge(web.routes())
    ///     .layer(web.layer())
    ///     .with_state(web)
    /// # }
    /// ```
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let (login, login_form, callback) = (self.clone(), self.clone(), self.clone());
        let (logout, switch, metadata, jwks) = (self.clone(), self.clone(), self.clone(), self.clone());
        let at = |path: &str| format!("{}{path}", self.inner.settings.mounted_at);
        Router::new()
            .route(
                &at("/login"),
                get(move |request: Request| login.clone().get_login(request))
                    .post(move |request: Request| login_form.clone().post_login(request)),
            )
            .route(&at("/callback"), get(move |request: Request| callback.clone().get_callback(request)))
            .route(&at("/logout"), post(move |request: Request| logout.clone().post_logout(request)))
            .route(&at("/switch"), post(move |request: Request| switch.clone().post_switch(request)))
            .route(&at("/client-metadata.json"), get(move || std::future::ready(metadata.metadata())))
            .route(&at("/jwks.json"), get(move || std::future::ready(jwks.jwks())))
    }

    /// The document that `client_id` points to. The development client has none.
    fn metadata(&self) -> Response {
        let metadata = self.oauth().metadata();
        if metadata.is_loopback() {
            return StatusCode::NOT_FOUND.into_response();
        }
        public_json(metadata.to_json())
    }

    fn jwks(&self) -> Response {
        self.oauth().jwks().map_or_else(|| StatusCode::NOT_FOUND.into_response(), public_json)
    }

    async fn post_logout(self, request: Request) -> Response {
        match self.form(request).await {
            Err(error) => self.error(&error),
            Ok((fields, mut sessions)) => {
                let ending: Vec<SessionId> = match (fields.all, &fields.did) {
                    (true, _) => sessions.ids().to_vec(),
                    (false, Some(did)) => find(&sessions, did).into_iter().collect(),
                    (false, None) => sessions.active().cloned().into_iter().collect(),
                };
                let mut failed = None;
                for id in ending {
                    // If the store fails, the session stays in the cookie so that the user can try again.
                    match self.end(&id).await {
                        Some(error) => failed = Some(error),
                        None => sessions.sign_out(&id),
                    }
                }
                match failed {
                    Some(error) => {
                        let error = WebError::SignOut(Box::new(error));
                        self.with_sessions(self.error(&error), &sessions)
                    }
                    None => self.back(&fields, &sessions),
                }
            }
        }
    }

    /// Signs a session out, locally and, without waiting for long, at its server. Returns an error if the session could not
    /// be removed locally.
    pub(super) async fn end(&self, id: &SessionId) -> Option<SignOutError> {
        let (oauth, ending) = (self.oauth().clone(), id.clone());
        // In a task that continues until its requests time out, because the browser does not wait that long.
        let task = tokio::spawn(async move { oauth.sign_out(&ending).await });
        let failed = match tokio::time::timeout(SIGN_OUT_LIMIT, task).await {
            Ok(Ok(outcome)) => outcome.err(),
            Ok(Err(_)) | Err(_) => None,
        };
        if failed.is_none() {
            for hook in &self.inner.settings.after_sign_out {
                hook(id.clone()).await;
            }
        }
        failed
    }

    async fn post_switch(self, request: Request) -> Response {
        match self.form(request).await {
            Err(error) => self.error(&error),
            Ok((fields, mut sessions)) => {
                let did = fields.did.as_deref().and_then(|did| Did::new(did).ok());
                if did.is_some_and(|did| sessions.switch(&did)) {
                    self.back(&fields, &sessions)
                } else {
                    self.error(&WebError::UnknownAccount)
                }
            }
        }
    }

    async fn form(&self, request: Request) -> Result<(Fields, Sessions), WebError> {
        same_site(&request, &self.inner.settings.origin)?;
        let sessions = self.inner.jar.sessions(request.headers());
        Ok((Fields::of_form(request.into_body()).await?, sessions))
    }

    fn back(&self, fields: &Fields, sessions: &Sessions) -> Response {
        let to = fields.return_to.as_deref().and_then(return_to::safe);
        self.with_sessions(see_other(to.unwrap_or(&self.inner.settings.home)), sessions)
    }

    fn with_sessions(&self, mut response: Response, sessions: &Sessions) -> Response {
        response
            .headers_mut()
            .extend(self.inner.jar.set_sessions(sessions).map(|cookie| (SET_COOKIE, cookie)));
        response
    }
}

fn find(sessions: &Sessions, did: &str) -> Option<SessionId> {
    Did::new(did).ok().and_then(|did| sessions.get(&did).cloned())
}

/// A public document, for servers and for tools that run in a browser.
fn public_json(json: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "public, max-age=300"),
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, json).into_response()
}
