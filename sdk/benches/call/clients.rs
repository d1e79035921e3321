//! Clients of sessions that nobody had to sign in for.

use std::time::{Duration, SystemTime};

use atproto_sdk::{
    oauth::{ClientMetadata, OAuth, OAuthClient, SessionId},
    store::{Entry, Expected, Store, StoreError, StoreLock, Version},
    xrpc::BoxFuture,
};
use serde_json::json;

/// The key of RFC 7515, appendix A.3, in the form in which sessions are stored.
pub(crate) const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

/// A client as a program without the SDK creates it.
pub(crate) fn plain_http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// An app whose store has every session, and needs no memory for them.
pub(crate) fn app(pds: &str) -> OAuth {
    let store = Sessions { pds: pds.to_owned() };
    OAuth::builder(ClientMetadata::loopback()).store(store).allow_loopback_http().build().unwrap()
}

/// The id of one of many sessions.
pub(crate) fn session_id(number: usize) -> SessionId {
    let digits = (0..24).rev().map(|place| {
        let digit = number.checked_shr(place * 5).unwrap_or(0) & 31;
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[digit])
    });
    format!("did:plc:{}#{number:022}", digits.collect::<String>()).parse().unwrap()
}

pub(crate) async fn client(app: &OAuth, number: usize) -> OAuthClient {
    app.client_for(&session_id(number)).await.unwrap()
}

/// Has every session that is asked for, signed in now and valid for an hour.
struct Sessions {
    pds: String,
}

impl Sessions {
    fn row(&self, key: &str) -> Vec<u8> {
        let (did, random) = key.strip_prefix("session/").unwrap().split_once('/').unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let row = json!({
            "v": 1,
            "id": format!("{did}#{random}"),
            "issuer": self.pds,
            "token_endpoint": format!("{}/oauth/token", self.pds),
            "revocation_endpoint": format!("{}/oauth/revoke", self.pds),
            "pds": self.pds,
            "client_id": "http://localhost",
            "scope": "atproto transition:generic",
            "requested_scope": "atproto transition:generic",
            // As long as those of the reference PDS.
            "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJIUzI1NiJ9.".repeat(15),
            "refresh_token": format!("ref-{}", "5".repeat(64)),
            "expires_at": now + 3600,
            "refreshed_at": now,
            "created_at": now,
            "dpop_key": KEY,
            "refresh_in_doubt": false,
        });
        row.to_string().into_bytes()
    }
}

impl Store for Sessions {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async { Ok(Some(Entry::new(self.row(key), Version(1)))) })
    }

    fn put<'a>(
        &'a self,
        _: &'a str,
        _: &'a [u8],
        _: Option<i64>,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async { Ok(Version(1)) })
    }

    fn delete<'a>(
        &'a self,
        _: &'a str,
        _: Expected<Version>,
    ) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn lock<'a>(&'a self, _: &'a str, _: Duration) -> BoxFuture<'a, Result<StoreLock, StoreError>> {
        Box::pin(async { Ok(StoreLock::new(())) })
    }
}
