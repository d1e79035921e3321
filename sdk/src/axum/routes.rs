//! The router of the sign-in routes.

use axum::{
    Router,
    extract::Request,
    http::{
        StatusCode,
        header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::future::join_all;

use super::{
    WebAuth, WebError,
    cookie::Sessions,
    login::{see_other, setting},
    request::{Fields, comes_from_this_site},
    return_to,
};
use crate::{
    oauth::{SessionId, SignOutError, SignOutInProgress},
    types::Did,
};

impl WebAuth {
    /// Returns the sign-in routes, to be merged into the app's router.
    ///
    /// They are at the path of the redirect URI: if that is `https://app.example/auth/callback`, the sign-in page is
    /// `/auth/login`.
    ///
    /// | route | description |
    /// | --- | --- |
    /// | `GET /login` | the sign-in form; with `identifier`, and from a page of this site, redirects to the user's server. `return_to` is the path to return to |
    /// | `POST /login` | starts a sign-in from the form; with `scope`, one that asks for what a session lacks |
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
                let ending = match to_sign_out(&fields, &mut sessions) {
                    Ok(ending) => ending,
                    Err(error) => return self.error(&error),
                };
                let mut failed = None;
                for (id, ended) in self.end_all(&ending).await {
                    // If the store fails, the session stays in the browser so that the user can try again.
                    match ended {
                        Err(error) => failed = Some(error),
                        Ok(()) => sessions.sign_out(&id),
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

    /// Signs sessions out at the same time: removes them, and revokes their tokens without waiting for long. The errors
    /// are those of sessions that may still exist.
    pub(super) async fn end_all(&self, ids: &[SessionId]) -> Vec<(SessionId, Result<(), SignOutError>)> {
        join_all(ids.iter().map(async |id| (id.clone(), self.end(id).await))).await
    }

    async fn end(&self, id: &SessionId) -> Result<(), SignOutError> {
        let SignOutInProgress { removed, revoked } = self.oauth().begin_sign_out(id);
        let revoked = self.inner.revocations.take(revoked);
        let (for_removal, for_revocation) = self.inner.settings.sign_out_limits;
        match tokio::time::timeout(for_removal, removed).await {
            Err(_) => return Err(SignOutError::Timeout { id: id.clone(), limit: for_removal }),
            Ok(Err(_)) => return Err(SignOutError::Interrupted { id: id.clone() }),
            Ok(Ok(outcome)) => outcome?,
        }
        // The browser does not wait until the requests time out.
        let _ = tokio::time::timeout(for_revocation, revoked).await;
        for hook in &self.inner.settings.after_sign_out {
            hook(id.clone()).await;
        }
        Ok(())
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
        if !comes_from_this_site(request.method(), request.headers(), &self.inner.settings.origin) {
            return Err(WebError::CrossSite);
        }
        let sessions = self.inner.jar.sessions(request.headers());
        Ok((Fields::of_form(request.into_body()).await?, sessions))
    }

    fn back(&self, fields: &Fields, sessions: &Sessions) -> Response {
        let to = fields.return_to.as_deref().and_then(return_to::safe);
        self.with_sessions(see_other(to.unwrap_or(&self.inner.settings.home)), sessions)
    }

    fn with_sessions(&self, response: Response, sessions: &Sessions) -> Response {
        setting(response, self.inner.jar.set_sessions(sessions))
    }
}

/// The sessions that a form signs out.
fn to_sign_out(fields: &Fields, sessions: &mut Sessions) -> Result<Vec<SessionId>, WebError> {
    let Some(active) = sessions.active().map(|id| id.did().clone()) else { return no_account(fields) };
    let named = fields.did.as_ref().filter(|_| !fields.all).map(Did::new).transpose();
    let Ok(named) = named else { return Err(WebError::UnknownAccount) };
    // Who signs out the active account, or all of them, has decided about one whose session has ended.
    let is_active = named.as_ref().is_none_or(|did| *did == active);
    let had_ended = is_active && sessions.forget_ended();
    let ending = match (fields.all, named) {
        (true, _) => sessions.all(),
        (false, named) => sessions.of(&named.unwrap_or(active)),
    };
    if ending.is_empty() && !had_ended && fields.did.is_some() && !fields.all {
        return Err(WebError::UnknownAccount);
    }
    Ok(ending)
}

/// The sign-out of a browser without accounts.
fn no_account(fields: &Fields) -> Result<Vec<SessionId>, WebError> {
    if fields.did.is_some() && !fields.all { Err(WebError::UnknownAccount) } else { Ok(Vec::new()) }
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
