//! The sign-in and callback routes.

use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, LOCATION, SET_COOKIE},
    },
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    WebAuth, WebError, page,
    request::{Fields, MAX_SHOWN, comes_from_this_site, other_loopback_name},
    return_to,
};
use crate::{
    oauth::{CallbackParams, SignOutError, SignedIn},
    server_text::excerpt,
};

/// The app state of a sign-in in progress.
#[derive(Default, Serialize, Deserialize)]
struct AppState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    return_to: Option<String>,
    /// What the user has entered, for another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    /// The app state from the options of all sign-ins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app: Option<String>,
}

impl AppState {
    fn read(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// What the sign-in page shows.
///
/// It is passed to the [sign-in page](super::WebAuthBuilder::login_page). Both texts come from the URL, which anybody
/// can have made, so they must be escaped like any other text.
///
/// ```no_run
/// use axum::response::{Html, IntoResponse as _, Response};
/// use atproto_sdk::axum::LoginForm;
///
/// # fn escape(text: &str) -> String { text.to_owned() }
/// fn login(form: &LoginForm<'_>) -> Response {
///     Html(format!(
///         r#"<form method="post" action="/login">
///             <input name="identifier" value="{}">
///             <input name="return_to" type="hidden" value="{}">
///             <button>Sign in</button>
///         </form>"#,
///         escape(form.identifier.unwrap_or_default()),
///         escape(form.return_to.unwrap_or("/")),
///     ))
///     .into_response()
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoginForm<'a> {
    /// The handle, DID or server to fill in, from a link such as `/login?identifier=alice.example.com`.
    pub identifier: Option<&'a str>,
    /// The path to return to after the sign-in.
    pub return_to: Option<&'a str>,
}

/// A redirect that the browser follows with a GET, even after posting a form.
pub(super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to), (CACHE_CONTROL, "no-store")]).into_response()
}

/// Adds cookies to a response.
pub(super) fn setting(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    response.headers_mut().extend(cookies.into_iter().map(|cookie| (SET_COOKIE, cookie)));
    response
}

impl WebAuth {
    pub(super) async fn get_login(self, request: Request) -> Response {
        let fields = Fields::of_query(request.uri().query());
        if other_loopback_name(request.headers(), &self.inner.settings.origin) {
            return self.redirect_to_origin(&fields);
        }
        let asked = comes_from_this_site(request.method(), request.headers(), &self.inner.settings.origin);
        match &fields.identifier {
            Some(identifier) if asked => self.start(request.headers(), identifier, &fields).await,
            _ => self.login_page(&fields),
        }
    }

    fn login_page(&self, fields: &Fields) -> Response {
        let return_to = fields.return_to.as_deref().and_then(return_to::safe);
        let form = LoginForm { identifier: fields.shown_identifier(), return_to };
        match &self.inner.settings.login_page {
            Some(page) => page(&form),
            None => page::login(&self.login_path(), &form),
        }
    }

    pub(super) async fn post_login(self, request: Request) -> Response {
        if !comes_from_this_site(request.method(), request.headers(), &self.inner.settings.origin) {
            return self.error(&WebError::CrossSite);
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
            Some(identifier) => self.start(&parts.headers, identifier, &fields).await,
            None => self.error(&WebError::Form { problem: "`identifier` is missing" }),
        }
    }

    /// Redirects to the same page at the host of the redirect URI, so that the callback receives the cookie. To the
    /// browser that is another site, so the page shows the form again.
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

    async fn start(&self, headers: &HeaderMap, identifier: &str, fields: &Fields) -> Response {
        let settings = &self.inner.settings;
        let return_to = fields.return_to.as_deref().and_then(return_to::safe).map(str::to_owned);
        let state = AppState {
            return_to: return_to.clone(),
            identifier: fields.shown_identifier().map(str::to_owned),
            app: settings.options.app_state.clone(),
        };
        let mut options = settings.options.clone().redirect_uri(&settings.redirect_uri);
        options.app_state = serde_json::to_string(&state).ok();
        if let Some(missing) = &fields.scope {
            let sessions = self.inner.jar.sessions(headers);
            let session = sessions.all().into_iter().rfind(|id| id.did().as_str() == identifier);
            match self.scope_with(session.as_ref(), missing).await {
                Some(scope) => options = options.scope(scope),
                None => return self.error(&WebError::Form { problem: "the app may not request this scope" }),
            }
        }
        let authorization = match self.oauth().authorize(identifier, options).await {
            Ok(authorization) => authorization,
            Err(source) => {
                let identifier = excerpt(identifier, MAX_SHOWN);
                let source = Box::new(source);
                return self.error(&WebError::Authorize { source, identifier, return_to });
            }
        };
        let cookies = self.inner.jar.begin(headers, &authorization.state);
        setting(see_other(&authorization.url), cookies)
    }

    pub(super) async fn get_callback(self, request: Request) -> Response {
        let headers = request.headers();
        let params = match CallbackParams::from_query(request.uri().query().unwrap_or_default()) {
            Ok(params) => params,
            Err(source) => {
                let (identifier, return_to) = (None, None);
                return self.error(&WebError::Callback { source: Box::new(source), identifier, return_to });
            }
        };
        // A callback of another browser's sign-in must not sign this browser in, which would then write to an attacker's
        // account. The sign-in remains valid in the browser that started it.
        if !self.inner.jar.has_begun(headers, params.state()) {
            return self.error(&WebError::OtherBrowser);
        }
        let response = match self.oauth().callback_or_state(&params).await {
            Ok(signed_in) => self.signed_in(headers, signed_in).await,
            Err(failed) => {
                let AppState { identifier, return_to, .. } = AppState::read(failed.app_state.as_deref());
                self.error(&WebError::Callback { source: Box::new(failed.error), identifier, return_to })
            }
        };
        setting(response, self.inner.jar.end(params.state()))
    }

    async fn signed_in(&self, headers: &HeaderMap, mut signed_in: SignedIn) -> Response {
        let state = AppState::read(signed_in.app_state.as_deref());
        signed_in.app_state = state.app;
        let mut sessions = self.inner.jar.sessions(headers);
        // No cookie contains earlier sessions of the account anymore, so nobody could sign them out later. The cookies of those
        // that cannot be removed now stay, for the next sign-out.
        let replaced = self.inner.jar.sign_in(&mut sessions, signed_in.client.session_id().clone());
        for (id, ended) in self.end_all(&replaced).await {
            let Err(error) = ended else { continue };
            tracing::warn!(session = %id, error = &error as &dyn std::error::Error, "a replaced session remains");
            // A removal that takes long goes on.
            if !matches!(error, SignOutError::Timeout { .. }) {
                sessions.keep(&id);
            }
        }
        for hook in &self.inner.settings.after_sign_in {
            hook(signed_in.clone()).await;
        }
        let back = state.return_to.as_deref().and_then(return_to::safe);
        setting(see_other(back.unwrap_or(&self.inner.settings.home)), self.inner.jar.set_sessions(&sessions))
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
