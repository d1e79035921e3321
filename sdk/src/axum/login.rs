//! The sign-in and callback routes.

use axum::{
    extract::Request,
    http::{
        HeaderMap, StatusCode,
        header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    WebAuth, WebError, page,
    request::{Fields, other_loopback_name, same_site},
    return_to,
};
use crate::oauth::{CallbackError, CallbackParams, SignedIn};

/// The app state of a sign-in in progress.
#[derive(Serialize, Deserialize)]
struct AppState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_to: Option<String>,
    /// The app state from the options of all sign-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
}

impl AppState {
    fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Self { return_to: None, app: None })
    }
}

/// A redirect that the browser follows with a GET, even after posting a form.
pub(super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to), (CACHE_CONTROL, "no-store")]).into_response()
}

impl WebAuth {
    pub(super) async fn get_login(self, request: Request) -> Response {
        let fields = Fields::of_query(request.uri().query());
        if other_loopback_name(request.headers(), &self.inner.settings.origin) {
            return self.redirect_to_origin(&fields);
        }
        match fields.identifier {
            Some(identifier) => self.start(request.headers(), &identifier, fields.return_to.as_deref()).await,
            None => {
                let back = fields.return_to.as_deref().and_then(return_to::safe);
                match &self.inner.settings.login_page {
                    Some(page) => page(back),
                    None => page::login(&self.login_path(), back),
                }
            }
        }
    }

    pub(super) async fn post_login(self, request: Request) -> Response {
        if let Err(error) = same_site(&request, &self.inner.settings.origin) {
            return self.error(&error);
        }
        let (parts, body) = request.into_parts();
        let fields = match Fields::of_form(body).await {
            Ok(fields) => fields,
            Err(error) => return self.error(&error),
        };
        if other_loopback_name(&parts.headers, &self.inner.settings.origin) {
            return self.redirect_to_origin(&fields);
        }
        match &fields.identifier {
            Some(identifier) => self.start(&parts.headers, identifier, fields.return_to.as_deref()).await,
            None => self.error(&WebError::Form { problem: "`identifier` is missing" }),
        }
    }

    /// Redirects to the same page at the host of the redirect URI, so that the callback receives the cookie.
    fn redirect_to_origin(&self, fields: &Fields) -> Response {
        let mut url = self.inner.settings.origin.clone();
        url.set_path(&self.login_path());
        url.set_query(None);
        let pairs = [("identifier", &fields.identifier), ("return_to", &fields.return_to)];
        for (name, value) in pairs {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        see_other(url.as_str())
    }

    async fn start(&self, headers: &HeaderMap, identifier: &str, wanted: Option<&str>) -> Response {
        let settings = &self.inner.settings;
        let return_to = wanted.and_then(return_to::safe).map(str::to_owned);
        let state = AppState { return_to: return_to.clone(), app: settings.options.app_state.clone() };
        let mut options = settings.options.clone().redirect_uri(&settings.redirect_uri);
        options.app_state = serde_json::to_string(&state).ok();
        let authorization = match self.oauth().authorize(identifier, options).await {
            Ok(authorization) => authorization,
            Err(source) => {
                let identifier = identifier.chars().take(200).collect();
                let source = Box::new(source);
                return self.error(&WebError::Authorize { source, identifier, return_to });
            }
        };
        let mut logins = self.inner.jar.logins(headers);
        logins.begin(&authorization.state);
        let mut response = see_other(&authorization.url);
        response.headers_mut().extend(self.inner.jar.set_logins(&logins).map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    pub(super) async fn get_callback(self, request: Request) -> Response {
        let headers = request.headers();
        let params = match CallbackParams::from_query(request.uri().query().unwrap_or_default()) {
            Ok(params) => params,
            Err(source) => {
                return self.error(&WebError::Callback { source: Box::new(source), return_to: None });
            }
        };
        // A callback of another browser's sign-in must not sign this browser in, which would then write to an attacker's
        // account. The sign-in remains valid in the browser that started it.
        let mut logins = self.inner.jar.logins(headers);
        if !logins.has(params.state()) {
            return self.error(&WebError::OtherBrowser);
        }
        let outcome = self.oauth().callback(&params).await;
        logins.end(params.state());
        let mut response = match outcome {
            Ok(signed_in) => self.signed_in(headers, signed_in).await,
            Err(source) => {
                let return_to = AppState::read(app_state(&source)).return_to;
                self.error(&WebError::Callback { source: Box::new(source), return_to })
            }
        };
        response.headers_mut().extend(self.inner.jar.set_logins(&logins).map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    async fn signed_in(&self, headers: &HeaderMap, mut signed_in: SignedIn) -> Response {
        let state = AppState::read(signed_in.app_state.as_deref());
        signed_in.app_state = state.app;
        let mut sessions = self.inner.jar.sessions(headers);
        // No cookie contains earlier sessions of the account anymore, so nobody could sign them out later.
        for old in sessions.sign_in(signed_in.client.session_id().clone()) {
            self.end(&old).await;
        }
        for hook in &self.inner.settings.after_sign_in {
            hook(signed_in.clone()).await;
        }
        let back = state.return_to.as_deref().and_then(return_to::safe);
        let mut response = see_other(back.unwrap_or(&self.inner.settings.home));
        response
            .headers_mut()
            .extend(self.inner.jar.set_sessions(&sessions).map(|cookie| (SET_COOKIE, cookie)));
        response
    }

    pub(super) fn error(&self, error: &WebError) -> Response {
        match error.status().is_server_error() {
            true => tracing::warn!(error = error as &dyn std::error::Error, "a sign-in route failed"),
            false => {
                tracing::debug!(error = error as &dyn std::error::Error, "a sign-in route rejected a request")
            }
        }
        match &self.inner.settings.error_page {
            Some(page) => page(error),
            None => page::error(error, &self.login_path()),
        }
    }
}

fn app_state(error: &CallbackError) -> Option<&str> {
    match error {
        CallbackError::Denied { app_state, .. } | CallbackError::Authorization { app_state, .. } => {
            app_state.as_deref()
        }
        _ => None,
    }
}
