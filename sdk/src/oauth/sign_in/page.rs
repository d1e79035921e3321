//! The pages of the local callback server.

use super::CallbackError;
use crate::{html::escape, types::Did};

/// A small HTML page with its HTTP status.
#[derive(Debug)]
pub(super) struct Page {
    status: &'static str,
    title: &'static str,
    text: String,
}

/// The page for the result of a sign-in.
pub(super) fn of_result(result: Result<&Did, &CallbackError>) -> Page {
    match result {
        Ok(did) => Page {
            status: "200 OK",
            title: "Signed in",
            text: format!("You are signed in as {did}. You can close this window and return to the app."),
        },
        Err(CallbackError::Denied { .. }) => Page {
            status: "200 OK",
            title: "Access denied",
            text: "You did not allow access, and nothing was changed. You can close this window.".into(),
        },
        Err(error) => Page {
            status: "400 Bad Request",
            title: "Sign-in failed",
            text: format!("{error}. Close this window, return to the app and try again."),
        },
    }
}

impl Page {
    pub(super) fn unknown() -> Self {
        Self {
            status: "400 Bad Request",
            title: "Unknown sign-in",
            text: "This callback does not belong to a sign-in in progress here.".into(),
        }
    }

    pub(super) fn not_found() -> Self {
        Self { status: "404 Not Found", title: "Not found", text: "There is nothing here.".into() }
    }

    pub(super) fn not_understood() -> Self {
        Self { status: "400 Bad Request", title: "Bad request", text: "Only GET is supported.".into() }
    }

    /// The whole HTTP/1.1 response. It forbids caching and scripts, and keeps the URL, which contains the code, out of
    /// `Referer` headers.
    pub(super) fn to_http(&self) -> Vec<u8> {
        let (title, text) = (self.title, escape(&self.text));
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>body{{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem;\
             color-scheme:light dark}}</style>\n<h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
        );
        format!(
            "HTTP/1.1 {}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
             Connection: close\r\n\r\n{body}",
            self.status,
            body.len()
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(page: &Page) -> String {
        String::from_utf8(page.to_http()).unwrap()
    }

    #[test]
    fn what_a_server_says_is_escaped() {
        let error = CallbackError::Authorization {
            error: "<script>".into(),
            description: Some("\"a\" & 'b'</p>".into()),
            app_state: None,
        };
        let page = text(&of_result(Err(&error)));
        assert!(
            page.contains("&lt;script&gt;") && page.contains("&quot;a&quot; &amp; &#39;b&#39;&lt;/p&gt;")
        );
        assert!(!page.contains("<script>"));
        assert!(page.starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn success_and_denial_have_pages_of_their_own() {
        let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap();
        let page = text(&of_result(Ok(&did)));
        assert!(page.starts_with("HTTP/1.1 200 ") && page.contains(did.as_str()));
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        let denied = CallbackError::Denied { description: None, app_state: None };
        assert!(text(&of_result(Err(&denied))).contains("Access denied"));
    }
}
