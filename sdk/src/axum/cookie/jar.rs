//! Sealing, naming and reading cookies.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{MAX_COOKIE, MAX_READ};
use crate::{clock::unix_now, store::SealingKeys};

/// How many hexadecimal digits distinguish the cookies of a kind.
const DIGITS: usize = 16;

/// A sealed value with its expiry.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    v: T,
    /// Unix seconds. Checked here, because browsers may store a cookie for longer than they are told to.
    e: i64,
}

/// A cookie of a request.
pub(super) struct ReadCookie<T> {
    /// The full name.
    pub(super) name: String,
    pub(super) value: T,
    /// When it expires, in Unix seconds.
    pub(super) expires_at: i64,
    /// Its size in a request, in bytes.
    pub(super) size: usize,
}

/// Reads and writes the cookies.
pub(in crate::axum) struct Jar {
    pub(in crate::axum) keys: SealingKeys,
    /// `false` only if the site is on loopback without TLS.
    pub(in crate::axum) secure: bool,
    /// How long a browser stays signed in.
    pub(in crate::axum) lifetime: Duration,
    /// The base name, which distinguishes apps on the same host.
    pub(in crate::axum) name: String,
}

impl Jar {
    /// `__Host-` makes browsers restrict the cookie to this host, all of its paths, and TLS.
    pub(super) fn full_name(&self, kind: &str) -> String {
        format!("{}{}{kind}", if self.secure { "__Host-" } else { "" }, self.name)
    }

    /// The name of the cookie for one thing of a kind. It tells nothing about the secret that it is made from.
    pub(super) fn name_of(&self, kind: &str, secret: &str) -> String {
        let digest = Sha256::digest(secret.as_bytes());
        let digits: String = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
        format!("{}.{digits}", self.full_name(kind))
    }

    /// The cookies of a kind that this site has sealed and that have not expired. All others count as absent: the user
    /// signs in again.
    pub(super) fn read_all<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        kind: &str,
    ) -> Vec<ReadCookie<T>> {
        let prefix = format!("{}.", self.full_name(kind));
        let is_ours = |name: &str| name.strip_prefix(&prefix).is_some_and(is_digits);
        let mut found: Vec<ReadCookie<T>> = Vec::new();
        for (name, value) in pairs(headers).filter(|(name, _)| is_ours(name)).take(MAX_READ) {
            if let Some((opened, expires_at)) = self.open(name, value)
                && !found.iter().any(|other| other.name == name)
            {
                let size = size_in_request(name, value);
                found.push(ReadCookie { name: name.to_owned(), value: opened, expires_at, size });
            }
        }
        found
    }

    /// The cookie with this full name, under the same conditions.
    pub(super) fn read<T: DeserializeOwned>(&self, headers: &HeaderMap, name: &str) -> Option<(T, i64)> {
        pairs(headers)
            .filter(|(found, _)| *found == name)
            .take(MAX_READ)
            .find_map(|(_, value)| self.open(name, value))
    }

    /// Whether a request has the cookie with this full name, readable or not.
    pub(super) fn has(&self, headers: &HeaderMap, name: &str) -> bool {
        pairs(headers).any(|(found, _)| found == name)
    }

    /// Whether a request has a cookie of a kind, readable or not.
    pub(super) fn has_any(&self, headers: &HeaderMap, kind: &str) -> bool {
        let prefix = format!("{}.", self.full_name(kind));
        pairs(headers).any(|(name, _)| name.strip_prefix(&prefix).is_some_and(is_digits))
    }

    fn open<T: DeserializeOwned>(&self, name: &str, value: &str) -> Option<(T, i64)> {
        let sealed = URL_SAFE_NO_PAD.decode(value).ok()?;
        let opened = self.keys.open(&sealed, name);
        if let Err(error) = &opened {
            tracing::debug!(cookie = name, %error, "ignoring a cookie that cannot be opened");
        }
        let sealed: Sealed<T> = serde_json::from_slice(&opened.ok()?).ok()?;
        (sealed.e > unix_now()).then_some((sealed.v, sealed.e))
    }

    /// Returns the header that sets a cookie, or `None` if browsers would drop it.
    pub(super) fn set<T: Serialize>(&self, name: &str, value: &T, expires_at: i64) -> Option<HeaderValue> {
        let plain = serde_json::to_vec(&Sealed { v: value, e: expires_at }).ok()?;
        let sealed = self.keys.seal(&plain, name);
        let sealed = sealed.inspect_err(|error| tracing::error!(%error, "a cookie cannot be sealed")).ok()?;
        let seconds = u64::try_from(expires_at.saturating_sub(unix_now())).unwrap_or(0);
        let header = self.header(name, &URL_SAFE_NO_PAD.encode(sealed), seconds);
        let length = header.as_ref().map_or(0, HeaderValue::len);
        if length > MAX_COOKIE {
            tracing::error!(
                cookie = name,
                length,
                "browsers drop cookies of more than {MAX_COOKIE} bytes, so this one is not set; choose a shorter \
                 `WebAuthBuilder::cookie_name`"
            );
            return None;
        }
        header
    }

    /// Returns the header that removes a cookie.
    pub(super) fn unset(&self, name: &str) -> Option<HeaderValue> {
        self.header(name, "", 0)
    }

    fn header(&self, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let header = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// The size of a cookie in a request, with its separator.
pub(super) fn size_in_request(name: &str, value: &str) -> usize {
    name.len() + 1 + value.len() + 2
}

/// The size in requests of a cookie that is set.
pub(super) fn size_of_set(header: &HeaderValue) -> usize {
    let end = header.as_bytes().iter().position(|byte| *byte == b';').unwrap_or(header.len());
    end + 2
}

fn is_digits(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The names and values of a request's cookies.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}
