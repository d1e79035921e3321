//! What to do about an error, by its name and not by its status (X14, O46).

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::challenge;

/// What to do about a failed call. Returned by [`Error::kind`](super::Error::kind).
///
/// The name of an error decides, because servers, and proxies in front of them, send the same status for many reasons.
///
/// ```no_run
/// # async fn example(client: atproto_sdk::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use atproto_sdk::{api::com::atproto::server::get_session::GetSession, xrpc::ErrorKind};
///
/// match client.com_atproto_server().get_session().await {
///     Ok(session) => println!("{}", session.handle),
///     Err(error) => match error.kind() {
///         // The session has ended: redirect the user to the sign-in page.
///         ErrorKind::SignInAgain => println!("please sign in again"),
///         // Signing in again would lead back here: show the message, which says what the owner of the account can do.
///         ErrorKind::AccountUnavailable => println!("{error}"),
///         // Ask for this scope in the next sign-in.
///         ErrorKind::MissingScope => println!("{:?} was not granted", error.missing_scope()),
///         // Retries have been exhausted: wait, and respect the rate limit of the server.
///         ErrorKind::TryLater => {
///             tokio::time::sleep(error.retry_after().unwrap_or(Duration::from_secs(60))).await;
///         }
///         // A mistake in the program or in its input: show the message.
///         ErrorKind::InvalidInput => println!("{error}"),
///         // A mistake of the server, or an outdated lexicon: report it.
///         ErrorKind::BadAnswer => println!("unexpected response: {error}"),
///         // A mistake in how the app is set up: report it, and offer a new sign-in.
///         ErrorKind::Internal => println!("the stored session cannot be used: {error}"),
///         _ => println!("{error}"),
///     },
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The session has ended. The user must sign in again.
    SignInAgain,
    /// The account or repository is deactivated, suspended, taken down, or not at this server; see
    /// [`Error::account_problem`](super::Error::account_problem). The session has not ended, and signing in again does not
    /// help.
    AccountUnavailable,
    /// The session lacks a scope; see [`Error::missing_scope`](super::Error::missing_scope). The session has not ended. The
    /// user must grant the scope by signing in with it.
    MissingScope,
    /// The same call may succeed later: the network or the server failed, or a rate limit was exceeded.
    TryLater,
    /// The same call will fail again: it is invalid or not allowed.
    InvalidInput,
    /// The response does not conform to the lexicon.
    BadAnswer,
    /// The app cannot use the session that it has stored: it is damaged, or a key is missing. The same call fails until somebody
    /// mends that, or the user signs in again. The session has not ended.
    Internal,
}

/// Why an account, or its repository, cannot be used. Returned by [`Error::account_problem`](super::Error::account_problem).
///
/// [`Display`](fmt::Display) says what the owner of the account can do.
///
/// ```
/// use atproto_sdk::xrpc::AccountProblem;
///
/// assert_eq!(AccountProblem::from_error_name("RepoDeactivated"), Some(AccountProblem::Deactivated));
/// assert_eq!(AccountProblem::from_error_name("ExpiredToken"), None);
/// assert!(AccountProblem::Deactivated.to_string().contains("reactivate"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountProblem {
    /// The owner has deactivated the account, for example to move it to another server.
    Deactivated,
    /// The server has taken the account down.
    TakenDown,
    /// The server has suspended the account for a time.
    Suspended,
    /// The server does not have the account: it has been deleted, or it has moved to another server.
    NotFound,
}

impl AccountProblem {
    /// Returns the problem with this name in an error response, or `None` if the name means something else.
    pub fn from_error_name(name: &str) -> Option<Self> {
        Some(match name {
            "AccountDeactivated" | "RepoDeactivated" => Self::Deactivated,
            "AccountTakedown" | "RepoTakendown" => Self::TakenDown,
            "AccountSuspended" | "RepoSuspended" => Self::Suspended,
            "AccountNotFound" | "RepoNotFound" => Self::NotFound,
            _ => return None,
        })
    }

    /// A name that means this, for what is stored.
    #[cfg(feature = "client")]
    pub(crate) fn error_name(self) -> &'static str {
        match self {
            Self::Deactivated => "AccountDeactivated",
            Self::TakenDown => "AccountTakedown",
            Self::Suspended => "AccountSuspended",
            Self::NotFound => "AccountNotFound",
        }
    }
}

impl fmt::Display for AccountProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deactivated => "the account is deactivated; its owner can reactivate it at its server",
            Self::TakenDown => {
                "the account was taken down by its server; its owner can appeal to the server's administrators"
            }
            Self::Suspended => {
                "the account is suspended by its server; try again later, or ask the server's administrators"
            }
            Self::NotFound => {
                "the server does not have the account: it was deleted or has moved; resolve its DID to find its server"
            }
        })
    }
}

/// Methods with a token from an email or a message in their input, to which they refer by the names of session errors.
const TOKENS_IN_INPUT: [&str; 5] = [
    "app.bsky.contact.importContacts",
    "com.atproto.server.confirmEmail",
    "com.atproto.server.deleteAccount",
    "com.atproto.server.resetPassword",
    "com.atproto.server.updateEmail",
];

/// Whether `ExpiredToken` and `InvalidToken` of a method can refer to a token in its input.
pub(crate) fn has_token_in_input(nsid: &str) -> bool {
    TOKENS_IN_INPUT.contains(&nsid)
}

/// What to do about a response with this name and status.
pub(super) fn kind_of(nsid: &str, name: &str, status: StatusCode) -> ErrorKind {
    if AccountProblem::from_error_name(name).is_some() {
        return ErrorKind::AccountUnavailable;
    }
    match name {
        _ if is_missing_scope(name) => return ErrorKind::MissingScope,
        "ExpiredToken" | "InvalidToken" if has_token_in_input(nsid) => return ErrorKind::InvalidInput,
        "ExpiredToken" | "InvalidToken" | "invalid_token" | "invalid_grant" => return ErrorKind::SignInAgain,
        // The proof of the next call has another nonce.
        "RateLimitExceeded" | "use_dpop_nonce" => return ErrorKind::TryLater,
        _ => {}
    }
    match status.as_u16() {
        408 | 425 | 429 => ErrorKind::TryLater,
        501 => ErrorKind::InvalidInput,
        500.. => ErrorKind::TryLater,
        400.. => ErrorKind::InvalidInput,
        _ => ErrorKind::BadAnswer,
    }
}

/// Whether an error with this name says that a scope was not granted.
pub(crate) fn is_missing_scope(name: &str) -> bool {
    matches!(name, "ScopeMissingError" | "insufficient_scope")
}

/// The scope that a server says is missing: the parameter of its challenge, or the quoted part of its message.
pub(super) fn missing_scope(headers: &HeaderMap, message: Option<&str>) -> Option<String> {
    let quoted = || {
        let (_, rest) = message?.split_once(['"', '`'])?;
        let (scope, _) = rest.split_once(['"', '`'])?;
        Some(scope.to_owned())
    };
    let is_scope = |scope: &String| {
        !scope.is_empty()
            && scope.trim() == scope
            && scope.len() <= 2048
            && scope.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    challenge::parameter(headers, None, "scope").filter(is_scope).or_else(|| quoted().filter(is_scope))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::xrpc::ErrorResponse;

    fn response(nsid: &str, status: u16, headers: &[(&'static str, &str)], body: &str) -> ErrorResponse {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        ErrorResponse::new(nsid.into(), StatusCode::from_u16(status).unwrap(), &map, body.as_bytes())
    }

    fn named(name: &str, status: u16) -> ErrorResponse {
        response("a.b.c", status, &[], &format!(r#"{{"error": "{name}", "message": "m"}}"#))
    }

    #[test]
    fn x14_account_states_are_told_by_name_whatever_the_status() {
        for (name, problem) in [
            ("AccountDeactivated", AccountProblem::Deactivated),
            ("RepoDeactivated", AccountProblem::Deactivated),
            ("AccountTakedown", AccountProblem::TakenDown),
            ("RepoTakendown", AccountProblem::TakenDown),
            ("AccountSuspended", AccountProblem::Suspended),
            ("RepoSuspended", AccountProblem::Suspended),
            ("AccountNotFound", AccountProblem::NotFound),
            ("RepoNotFound", AccountProblem::NotFound),
        ] {
            for status in [400, 401, 403, 404, 410, 500] {
                let response = named(name, status);
                assert_eq!(response.kind(), ErrorKind::AccountUnavailable, "{name} {status}");
                assert_eq!(response.account_problem(), Some(problem));
                let told = response.to_string();
                assert!(told.contains(&problem.to_string()) && !told.contains("sign in"), "{told}");
            }
        }
    }

    #[test]
    fn x14_only_named_errors_say_sign_in_again() {
        for name in ["ExpiredToken", "InvalidToken", "invalid_token", "invalid_grant"] {
            for status in [400, 401] {
                assert_eq!(named(name, status).kind(), ErrorKind::SignInAgain, "{name} {status}");
            }
        }
        let challenged = [("www-authenticate", r#"DPoP error="invalid_token""#)];
        assert_eq!(response("a.b.c", 401, &challenged, "").kind(), ErrorKind::SignInAgain);
        let page = response("a.b.c", 401, &[("www-authenticate", "Basic realm=x")], "<html>401</html>");
        assert_eq!(page.kind(), ErrorKind::InvalidInput, "the page of a proxy says nothing about a session");
        assert_eq!(named("AuthMissing", 401).kind(), ErrorKind::InvalidInput);
        // These are about a token that was sent by email.
        for nsid in TOKENS_IN_INPUT {
            let body = r#"{"error": "ExpiredToken"}"#;
            assert_eq!(response(nsid, 400, &[], body).kind(), ErrorKind::InvalidInput, "{nsid}");
        }
        assert_eq!(named("RateLimitExceeded", 400).kind(), ErrorKind::TryLater);
    }

    #[test]
    fn o34_a_nonce_that_was_refused_again_says_try_later() {
        let challenge = [("www-authenticate", r#"DPoP error="use_dpop_nonce""#)];
        assert_eq!(response("a.b.c", 401, &challenge, "").kind(), ErrorKind::TryLater);
        assert_eq!(named("use_dpop_nonce", 400).kind(), ErrorKind::TryLater);
    }

    #[test]
    fn o46_a_missing_scope_is_named_from_the_message_or_the_challenge() {
        let body = r#"{"error": "ScopeMissingError", "message": "Missing required scope \"repo:a.b.c?action=create\""}"#;
        let told = response("a.b.c", 403, &[], body);
        assert_eq!(
            (told.kind(), told.missing_scope.as_deref()),
            (ErrorKind::MissingScope, Some("repo:a.b.c?action=create"))
        );
        let challenge = r#"DPoP error="insufficient_scope", scope="blob:image/png""#;
        for (status, body) in [(401, ""), (403, "<html>"), (403, r#"{"error": "insufficient_scope"}"#)] {
            let told = response("a.b.c", status, &[("www-authenticate", challenge)], body);
            assert_eq!(told.kind(), ErrorKind::MissingScope, "{status}");
            assert_eq!(told.missing_scope.as_deref(), Some("blob:image/png"), "{status}");
        }
        let untold = response("a.b.c", 403, &[], r#"{"error": "insufficient_scope"}"#);
        assert_eq!((untold.kind(), untold.missing_scope), (ErrorKind::MissingScope, None));
        // A quoted part of another error is not a scope, and neither is what only looks like one.
        assert_eq!(
            response("a.b.c", 400, &[], r#"{"error": "X", "message": "\"repo:a\""}"#).missing_scope,
            None
        );
        let odd = response(
            "a.b.c",
            403,
            &[],
            "{\"error\": \"ScopeMissingError\", \"message\": \"\\\"a\\u0007\\\"\"}",
        );
        assert_eq!(odd.missing_scope, None);
    }

    #[test]
    fn x3_the_name_in_the_body_wins_over_that_of_the_challenge() {
        let challenge = [("www-authenticate", r#"DPoP error="invalid_token""#)];
        let told = response("a.b.c", 401, &challenge, r#"{"error": "AccountTakedown"}"#);
        assert_eq!(told.kind(), ErrorKind::AccountUnavailable);
    }
}
