//! The answer to a request whose handler has failed.

use axum::{
    extract::{OriginalUri, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
            CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, RETRY_AFTER,
            SET_COOKIE, TRAILER, TRANSFER_ENCODING,
        },
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    HandlerError, HandlerErrorKind, WebAuth, consent::wider_scope, extract::is_navigation,
    handler_error::retry_after, page,
};
use crate::{oauth::SessionId, report::with_causes, types::Did};

/// What says something about the body that is replaced. A layer in between may have compressed it, for example.
const ABOUT_THE_BODY: [HeaderName; 12] = [
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    TRAILER,
    TRANSFER_ENCODING,
];

/// What the page of a failed handler shows.
///
/// It is passed to the [page](super::WebAuthBuilder::handler_error_page).
///
/// ```no_run
/// use atproto_sdk::axum::HandlerErrorPage;
/// use axum::response::{Html, IntoResponse as _, Response};
///
/// # fn escape(text: &str) -> String { text.to_owned() }
/// fn failed(page: &HandlerErrorPage<'_>) -> Response {
///     let mut html = format!("<p>{}</p>", escape(page.error.user_message()));
///     if let Some(consent) = &page.consent {
///         html += &format!(
///             r#"<form method="post" action="/login">
///                 <input type="hidden" name="identifier" value="{}">
///                 <input type="hidden" name="scope" value="{}">
///                 <input type="hidden" name="return_to" value="{}">
///                 <button>Allow</button>
///             </form>"#,
///             escape(consent.identifier),
///             escape(consent.scope),
///             escape(page.return_to.unwrap_or("/")),
///         );
///     }
///     (page.error.status(), Html(html)).into_response()
/// }
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct HandlerErrorPage<'a> {
    /// The error. Its [message](HandlerError::user_message) is for visitors.
    pub error: &'a HandlerError,
    /// The form that asks for the missing scope, if it is the active account that lacks it and may grant it.
    pub consent: Option<ConsentForm<'a>>,
    /// The DID of the active account, if the app cannot use its stored session: a new sign-in replaces that. It is for the field
    /// `identifier` of a form to be posted to [`WebAuth::login_path`], with the `return_to` of the page.
    pub sign_in_again: Option<&'a str>,
    /// The path of the page, or of the page with the form that was posted, if it is known.
    pub return_to: Option<&'a str>,
}

/// The fields of a form that asks for a missing scope, to be posted to [`WebAuth::login_path`] with the `return_to` of the
/// page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsentForm<'a> {
    /// The DID of the account, for the field `identifier`.
    pub identifier: &'a str,
    /// The missing scope, for the field `scope`. The sign-in requests it together with what the session has.
    pub scope: &'a str,
}

#[derive(Serialize)]
struct Json<'a> {
    error: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

/// The parts of a request that decide about the answer.
pub(super) fn parts_for_answer(request: &Request) -> Parts {
    let (mut parts, ()) = axum::http::Request::new(()).into_parts();
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.headers = request.headers().clone();
    if let Some(original) = request.extensions().get::<OriginalUri>() {
        parts.extensions.insert(original.clone());
    }
    parts
}

impl WebAuth {
    /// The answer in place of that of the handler, whose headers it keeps: a layer in between may have set cookies.
    pub(super) async fn answer(&self, parts: &Parts, error: &HandlerError, kept: HeaderMap) -> Response {
        let ask = match error.kind() {
            HandlerErrorKind::SignIn => self.ask_because_of(parts, error),
            _ => None,
        };
        let of_the_app;
        let error = if error.kind() == HandlerErrorKind::SignIn && ask.is_none() {
            of_the_app = error.to_internal();
            &of_the_app
        } else {
            error
        };
        log(error);
        let mut response = match ask {
            Some(ask) => ask.into_response(),
            None if is_navigation(&parts.headers) => self.error_page(parts, error).await,
            None => json(error),
        };
        let headers = response.headers_mut();
        for (name, value) in &kept {
            if !ABOUT_THE_BODY.contains(name) && (name == SET_COOKIE || !headers.contains_key(name)) {
                headers.append(name, value.clone());
            }
        }
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Some(wait) = error.retry_after() {
            headers.entry(RETRY_AFTER).or_insert_with(|| retry_after(wait));
        }
        response
    }

    async fn error_page(&self, parts: &Parts, error: &HandlerError) -> Response {
        let sessions = self.inner.jar.sessions(&parts.headers);
        let consent = match (error.missing_scope(), sessions.signed_in()) {
            // Another account cannot give what this one lacks, and that of the app signs in elsewhere.
            (Some(scope), Some(id))
                if error.lacking() == Some(id.did()) && self.scope_with(Some(id), scope).await.is_some() =>
            {
                Some(ConsentForm { identifier: id.did().as_str(), scope })
            }
            _ => None,
        };
        let sign_in_again =
            sessions.signed_in().map(SessionId::did).filter(|did| error.unusable() == Some(did));
        let return_to = self.way_back(parts);
        let sign_in_again = sign_in_again.map(Did::as_str);
        let shown = HandlerErrorPage { error, consent, sign_in_again, return_to: return_to.as_deref() };
        match &self.inner.settings.handler_error_page {
            Some(page) => page(&shown),
            None => page::failed(&shown, &self.login_path()),
        }
    }

    /// The scope of a sign-in in which the account of this session grants another scope as well. `None` if the app may not
    /// request it.
    pub(super) async fn scope_with(&self, id: Option<&SessionId>, missing: &str) -> Option<String> {
        let had = match id {
            // A session that cannot be read has nothing to keep.
            Some(id) => {
                self.oauth().client_named(id).session_info().await.map(|info| info.requested_scope).ok()
            }
            None => None,
        };
        let usual = self.inner.settings.options.scope.as_deref();
        wider_scope(self.oauth().metadata().scopes(), usual, had.as_deref().unwrap_or_default(), missing)
    }
}

fn json(error: &HandlerError) -> Response {
    let body = Json { error: error.name(), message: error.user_message(), scope: error.missing_scope() };
    // Texts can always be written as JSON.
    let body = serde_json::to_string(&body).unwrap_or_default();
    (error.status(), [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Visitors see no causes, so the log has them.
fn log(error: &HandlerError) {
    let causes = with_causes(error);
    match error.kind() {
        HandlerErrorKind::Internal => tracing::error!(error = %causes, "a handler failed"),
        HandlerErrorKind::TryLater | HandlerErrorKind::BadAnswer => {
            tracing::warn!(error = %causes, "a handler failed because of a server or a store");
        }
        kind => tracing::debug!(error = %causes, ?kind, "a handler rejected a request"),
    }
}
