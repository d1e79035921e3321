//! Which limit a call counts for, and how much (X13).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::xrpc::PacedCall;

const CREATE: u64 = 3;
const UPDATE: u64 = 2;
const DELETE: u64 = 1;

/// What a call takes from which budget.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// The key of the budget, which is also its key in a store.
    pub(super) key: String,
    /// What the budget is for, for messages.
    pub(super) budget: String,
    pub(super) points: u64,
}

impl Cost {
    /// Returns `None` for a call that is not paced.
    pub(super) fn of(call: &PacedCall<'_>) -> Option<Self> {
        // Another service counts calls that are forwarded to it.
        if call.headers.contains_key("atproto-proxy") {
            return None;
        }
        let (class, points) = match call.nsid {
            "com.atproto.repo.createRecord" => ("write", CREATE),
            "com.atproto.repo.putRecord" => ("write", UPDATE),
            "com.atproto.repo.deleteRecord" => ("write", DELETE),
            "com.atproto.repo.applyWrites" => {
                ("write", call.body.map_or(CREATE, |body| points_of_writes(body)))
            }
            "com.atproto.repo.uploadBlob" => ("blob", 1),
            // Limited for each account, which is not signed in yet.
            "com.atproto.server.createSession" => return Self::sign_in(call.body?),
            _ => return None,
        };
        let account = call.account?.as_str();
        let budget = format!("{class} budget of {account}");
        Some(Self { key: key(class, account), budget, points })
    }

    fn sign_in(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Input {
            identifier: String,
        }
        let Input { identifier } = serde_json::from_slice(body).ok()?;
        Some(Self {
            key: key("session", &identifier),
            budget: "budget of sign-ins of this account".into(),
            points: 1,
        })
    }
}

/// Hashed, because keys are short, and an identifier can be an email address.
fn key(class: &str, account: &str) -> String {
    format!("budget/{class}/{}", URL_SAFE_NO_PAD.encode(&Sha256::digest(account.as_bytes())[..18]))
}

/// The points of several writes. One that cannot be read counts as the most expensive one; the server refuses it.
fn points_of_writes(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Input {
        writes: Vec<Write>,
    }
    #[derive(Deserialize)]
    struct Write {
        #[serde(rename = "$type")]
        kind: Option<String>,
    }
    let Ok(Input { writes }) = serde_json::from_slice(body) else { return CREATE };
    let points = |write: Write| match write.kind.as_deref() {
        Some("com.atproto.repo.applyWrites#update") => UPDATE,
        Some("com.atproto.repo.applyWrites#delete") => DELETE,
        _ => CREATE,
    };
    writes.into_iter().map(points).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{
        types::Did,
        xrpc::{Kind, Request},
    };

    fn points(request: &Request) -> Option<u64> {
        let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap();
        Cost::of(&PacedCall::new(Some(&did), request)).map(|cost| cost.points)
    }

    fn request(name: &str) -> Request {
        Request::new(Kind::Procedure, format!("com.atproto.{name}"))
    }

    #[test]
    fn x13_a_create_is_three_points_an_update_two_a_delete_one() {
        for (name, expected) in
            [("createRecord", 3), ("putRecord", 2), ("deleteRecord", 1), ("uploadBlob", 1)]
        {
            assert_eq!(points(&request(&format!("repo.{name}"))), Some(expected), "{name}");
        }
        let writes = r##"{"writes": [{"$type": "com.atproto.repo.applyWrites#create", "value": {"$type": "x"}},
            {"$type": "com.atproto.repo.applyWrites#update"}, {"$type": "com.atproto.repo.applyWrites#delete"},
            {"$type": "com.atproto.repo.applyWrites#create"}, {}]}"##;
        assert_eq!(points(&request("repo.applyWrites").with_body(writes)), Some(12));
        assert_eq!(points(&request("repo.applyWrites").with_body("[")), Some(3));
    }

    #[test]
    fn what_is_not_limited_by_account_is_not_paced() {
        assert_eq!(points(&request("server.deleteSession")), None);
        assert_eq!(points(&Request::new(Kind::Query, "com.atproto.repo.getRecord")), None);
        assert_eq!(Cost::of(&PacedCall::new(None, &request("repo.createRecord"))), None);
        let mut headers = http::HeaderMap::new();
        headers.insert("atproto-proxy", http::HeaderValue::from_static("did:web:example.com#x"));
        assert_eq!(points(&request("repo.createRecord").with_headers(headers)), None);
    }

    #[test]
    fn sign_ins_count_for_the_account_that_they_name() {
        let sign_in = |body: &str| {
            let request = request("server.createSession").with_body(body.to_owned());
            Cost::of(&PacedCall::new(None, &request))
        };
        let first = sign_in(r#"{"identifier": "alice@example.com", "password": "secret"}"#).unwrap();
        let other = sign_in(r#"{"identifier": "bob@example.com", "password": "secret"}"#).unwrap();
        assert_ne!(first.key, other.key);
        assert!(!format!("{first:?}").contains("alice"), "{first:?}");
        assert_eq!(sign_in("{}"), None);
    }
}
