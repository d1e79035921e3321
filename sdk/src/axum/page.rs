//! The default pages, for apps that do not set their own.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};

use super::{HandlerErrorKind, HandlerErrorPage, LoginForm, WebError};
use crate::html::escape;

const STYLE: &str = "body{font:1.05rem/1.5 system-ui,sans-serif;max-width:26rem;margin:18vh auto;padding:0 1rem;\
    color-scheme:light dark}input,button{font:inherit;padding:.5rem .7rem;width:100%;box-sizing:border-box;\
    margin:.3rem 0}label{display:block}";

/// The sign-in form.
pub(super) fn login(action: &str, form: &LoginForm<'_>) -> Response {
    page(StatusCode::OK, "Sign in", &login_form(action, form))
}

fn login_form(action: &str, form: &LoginForm<'_>) -> String {
    let name = form.identifier.map(|name| format!(" value=\"{}\"", escape(name))).unwrap_or_default();
    let back = form.return_to.map(|path| hidden("return_to", path)).unwrap_or_default();
    format!(
        "<form method=\"post\" action=\"{}\">\n<label for=\"identifier\">Your handle, or the server of your account</label>\n\
         <input id=\"identifier\" name=\"identifier\" required autofocus autocapitalize=\"none\" \
         autocomplete=\"username\" spellcheck=\"false\" placeholder=\"alice.example.com\"{name}>\n{back}\
         <button>Sign in</button>\n</form>",
        escape(action)
    )
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
}

/// The page of a handler that has failed: with a form that asks for a missing scope, or with a link for another attempt.
pub(super) fn failed(shown: &HandlerErrorPage<'_>, login_path: &str) -> Response {
    let error = shown.error;
    let title = match error.kind() {
        HandlerErrorKind::MissingScope => "Permission needed",
        HandlerErrorKind::AccountUnavailable => "Account not available",
        HandlerErrorKind::TryLater => "Not available at the moment",
        HandlerErrorKind::NotFound => "Not found",
        _ => "Something went wrong",
    };
    let mut body = format!("<p>{}</p>\n", escape(error.user_message()));
    let mut form = |fields: String, button: &str| {
        let back = shown.return_to.map(|path| hidden("return_to", path)).unwrap_or_default();
        body += &format!(
            "<form method=\"post\" action=\"{}\">\n{fields}{back}<button>{button}</button>\n</form>",
            escape(login_path)
        );
    };
    match (&shown.consent, shown.sign_in_again, shown.return_to) {
        (Some(consent), ..) => form(
            hidden("identifier", consent.identifier) + &hidden("scope", consent.scope),
            "Continue to your account's server",
        ),
        (None, Some(did), _) => form(hidden("identifier", did), "Sign in again"),
        (None, None, Some(path)) if error.kind() == HandlerErrorKind::TryLater => {
            body += &format!("<p><a href=\"{}\">Try again</a></p>", escape(path));
        }
        _ => {}
    }
    page(error.status(), title, &body)
}

/// The error page, with the sign-in form for another attempt.
pub(super) fn error(error: &WebError, login_path: &str) -> Response {
    let title = match error {
        WebError::Callback { source, .. } if source.is_denied() => "Access denied",
        _ => "Something went wrong",
    };
    let form = login_form(login_path, &error.login_form());
    let body = format!("<p>{}</p>\n{form}", escape(&error.user_message()));
    page(error.status(), title, &body)
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
         <h1>{title}</h1>\n{body}\n</html>\n"
    );
    // No form-action: browsers apply it to redirects after a form too, and these go to arbitrary servers.
    const POLICY: &str =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        // With `no-referrer`, browsers send `Origin: null` for the form.
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, html).into_response()
}
