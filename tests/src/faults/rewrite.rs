//! What faults do to an answer.

use super::{
    answer::{Answered, http_date},
    fault::Kind,
};

/// What the client is told instead of the server's answer, which is absent if the server did not get the request. The
/// second value says whether it is still that answer.
pub(super) fn rewritten(
    kind: &Kind,
    answer: Option<Answered>,
    path: &str,
    first_nonce: Option<&str>,
) -> Option<(Answered, bool)> {
    match kind {
        Kind::Answer { status, body, retry_after, .. } => {
            let mut gateway = Answered::of_gateway(*status, *body);
            gateway.set("retry-after", retry_after.clone());
            Some((gateway, false))
        }
        Kind::Redirect { status, to } => {
            let to = if to.matches('/').count() < 3 { format!("{to}{path}") } else { to.clone() };
            let headers = vec![("location".to_owned(), to)];
            Some((Answered { status: *status, headers, body: Vec::new() }, false))
        }
        Kind::ContentType { value } => {
            let mut answer = answer?;
            answer.set("content-type", Some(value.clone()));
            Some((answer, false))
        }
        Kind::NoNonce => {
            let mut answer = answer?;
            // Only what had a nonce is another answer without it.
            let had = answer.header("dpop-nonce").is_some();
            answer.set("dpop-nonce", None);
            Some((answer, !had))
        }
        Kind::StaleNonce => {
            let mut answer = answer?;
            if answer.header("dpop-nonce").is_some()
                && let Some(nonce) = first_nonce
            {
                answer.set("dpop-nonce", Some(nonce.to_owned()));
            }
            Some((answer, true))
        }
        Kind::Date { seconds } => {
            let mut answer = answer?;
            answer.set("date", Some(http_date(*seconds)));
            Some((answer, true))
        }
        _ => Some((answer?, true)),
    }
}
