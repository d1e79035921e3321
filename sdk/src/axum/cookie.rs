//! The two cookies: the sessions of a browser, and the sign-ins that it has in progress.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header::COOKIE};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{clock::unix_now, limits, oauth::SessionId, store::SealingKeys, types::Did};

/// The maximum number of accounts that are signed in at once in a browser; one more replaces the oldest.
const MAX_ACCOUNTS: usize = 16;
/// The maximum number of sign-ins in progress in a browser, in several tabs for example.
const MAX_LOGINS: usize = 8;
/// The time limit of a sign-in.
const LOGIN_LIFETIME: Duration = limits::SIGN_IN;

/// The sessions of a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sessions {
    /// One session per account, in the order in which the accounts signed in.
    ids: Vec<SessionId>,
    /// The active account.
    active: Option<Did>,
}

impl Sessions {
    pub(super) fn active(&self) -> Option<&SessionId> {
        let active = self.active.as_ref()?;
        self.get(active)
    }

    pub(super) fn get(&self, did: &Did) -> Option<&SessionId> {
        self.ids.iter().find(|id| id.did() == did)
    }

    pub(super) fn ids(&self) -> &[SessionId] {
        &self.ids
    }

    /// Adds a session and makes it active. Returns the sessions that it replaces, which must be signed out.
    pub(super) fn sign_in(&mut self, id: SessionId) -> Vec<SessionId> {
        let (mut gone, mut kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.ids).into_iter().partition(|other| other.did() == id.did());
        self.active = Some(id.did().clone());
        kept.push(id);
        gone.extend(kept.drain(..kept.len().saturating_sub(MAX_ACCOUNTS)));
        self.ids = kept;
        gone
    }

    /// Removes a session. If it was active, the most recent remaining one becomes active.
    pub(super) fn sign_out(&mut self, id: &SessionId) {
        self.ids.retain(|other| other != id);
        if self.active().is_none() {
            self.active = self.ids.last().map(|id| id.did().clone());
        }
    }

    /// Makes another account active; returns whether it is signed in.
    pub(super) fn switch(&mut self, did: &Did) -> bool {
        let known = self.get(did).is_some();
        if known {
            self.active = Some(did.clone());
        }
        known
    }
}

/// The sign-ins in progress in a browser, each as a hash of its `state`, so that the cookie alone cannot complete one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Logins(Vec<String>);

impl Logins {
    pub(super) fn begin(&mut self, state: &str) {
        self.0.push(hash(state));
        self.0.drain(..self.0.len().saturating_sub(MAX_LOGINS));
    }

    /// Removes a sign-in; returns whether this browser had started it.
    pub(super) fn end(&mut self, state: &str) -> bool {
        let (hash, before) = (hash(state), self.0.len());
        self.0.retain(|begun| *begun != hash);
        self.0.len() < before
    }

    pub(super) fn has(&self, state: &str) -> bool {
        self.0.contains(&hash(state))
    }
}

fn hash(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes()))
}

/// A sealed value with its expiry.
#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    v: T,
    /// Unix seconds. Checked here, because browsers may store a cookie for longer than they are told to.
    e: i64,
}

/// Reads and writes the cookies.
pub(super) struct Jar {
    pub(super) keys: SealingKeys,
    /// `false` only if the site is on loopback without TLS.
    pub(super) secure: bool,
    /// The lifetime of the session cookie.
    pub(super) lifetime: Duration,
    /// The base name, which distinguishes apps on the same host.
    pub(super) name: String,
}

impl Jar {
    /// `__Host-` makes browsers restrict the cookie to this host, all of its paths, and TLS.
    fn full_name(&self, kind: &str) -> String {
        format!("{}{}{kind}", if self.secure { "__Host-" } else { "" }, self.name)
    }

    pub(super) fn sessions(&self, headers: &HeaderMap) -> Sessions {
        self.read(headers, "").unwrap_or_default()
    }

    pub(super) fn logins(&self, headers: &HeaderMap) -> Logins {
        self.read(headers, "-login").unwrap_or_default()
    }

    /// Whether a request comes from a browser that has sessions.
    pub(super) fn has_sessions(&self, headers: &HeaderMap) -> bool {
        find(headers, &self.full_name("")).is_some()
    }

    pub(super) fn set_sessions(&self, sessions: &Sessions) -> Option<HeaderValue> {
        let lifetime = if sessions.ids.is_empty() { Duration::ZERO } else { self.lifetime };
        self.write("", sessions, lifetime)
    }

    pub(super) fn set_logins(&self, logins: &Logins) -> Option<HeaderValue> {
        let lifetime = if logins.0.is_empty() { Duration::ZERO } else { LOGIN_LIFETIME };
        self.write("-login", logins, lifetime)
    }

    /// A cookie that cannot be opened or has expired counts as absent: the user signs in again.
    fn read<T: DeserializeOwned>(&self, headers: &HeaderMap, kind: &str) -> Option<T> {
        let name = self.full_name(kind);
        let sealed = URL_SAFE_NO_PAD.decode(find(headers, &name)?).ok()?;
        let opened = self.keys.open(&sealed, &name);
        if let Err(error) = &opened {
            tracing::debug!(cookie = name, %error, "ignoring a cookie that cannot be opened");
        }
        let sealed: Sealed<T> = serde_json::from_slice(&opened.ok()?).ok()?;
        (sealed.e > unix_now()).then_some(sealed.v)
    }

    /// Returns the header that sets a cookie, or removes it if the lifetime is zero.
    fn write<T: Serialize>(&self, kind: &str, value: &T, lifetime: Duration) -> Option<HeaderValue> {
        let name = self.full_name(kind);
        let seconds = lifetime.as_secs();
        let text = if seconds == 0 {
            String::new()
        } else {
            let end = unix_now().saturating_add_unsigned(seconds);
            let plain = serde_json::to_vec(&Sealed { v: value, e: end }).ok()?;
            URL_SAFE_NO_PAD.encode(self.keys.seal(&plain, &name).ok()?)
        };
        let secure = if self.secure { "; Secure" } else { "" };
        let header = format!("{name}={text}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        let mut header = HeaderValue::try_from(header).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// Returns the value of the first cookie with the given name.
fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
        line.split(';').find_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then_some(value)
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::store::SealingKey;

    fn id(name: &str, part: char) -> SessionId {
        format!("did:web:{name}.example#{}", part.to_string().repeat(22)).parse().unwrap()
    }

    fn jar(secure: bool) -> Jar {
        let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        Jar { keys, secure, lifetime: Duration::from_secs(60), name: "atproto".into() }
    }

    fn sent(set_cookie: &HeaderValue) -> HeaderMap {
        let pair = set_cookie.to_str().unwrap().split(';').next().unwrap();
        [(COOKIE, HeaderValue::try_from(format!("other=1; {pair}")).unwrap())].into_iter().collect()
    }

    #[test]
    fn attributes_of_the_cookie() {
        let mut sessions = Sessions::default();
        sessions.sign_in(id("a", 'a'));
        let set = jar(true).set_sessions(&sessions).unwrap();
        let text = set.to_str().unwrap();
        assert!(text.starts_with("__Host-atproto="), "{text}");
        assert!(text.ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"), "{text}");
        assert!(set.is_sensitive() && !text.contains("did:"));
        let plain = jar(false).set_sessions(&sessions).unwrap();
        assert!(!plain.to_str().unwrap().contains("Secure"));
        let gone = jar(true).set_sessions(&Sessions::default()).unwrap();
        assert!(gone.to_str().unwrap().starts_with("__Host-atproto=; Path=/; Max-Age=0;"));
    }

    #[test]
    fn only_what_this_site_sealed_for_this_purpose_and_time_is_read() {
        let jar = jar(true);
        let mut sessions = Sessions::default();
        sessions.sign_in(id("a", 'a'));
        let set = jar.set_sessions(&sessions).unwrap();
        assert_eq!(jar.sessions(&sent(&set)), sessions);
        // Another site's keys, another cookie's name, a changed letter, the bare id.
        assert_eq!(super::tests::jar(true).sessions(&sent(&set)), Sessions::default());
        let renamed = set.to_str().unwrap().replacen("atproto=", "atproto-login=", 1);
        assert_eq!(jar.logins(&sent(&renamed.parse().unwrap())), Logins::default());
        let raw = format!("__Host-atproto={}", id("a", 'a'));
        assert_eq!(jar.sessions(&sent(&raw.parse().unwrap())), Sessions::default());
        let over = jar.write("", &sessions, Duration::from_secs(1)).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(jar.sessions(&sent(&over)), Sessions::default());
    }

    #[test]
    fn accounts_come_and_go() {
        let mut sessions = Sessions::default();
        assert!(sessions.sign_in(id("a", 'a')).is_empty());
        assert!(sessions.sign_in(id("b", 'b')).is_empty());
        assert_eq!(sessions.sign_in(id("a", 'c')), [id("a", 'a')], "one session per account");
        assert_eq!(sessions.active(), Some(&id("a", 'c')));
        assert!(sessions.switch(id("b", 'b').did()) && !sessions.switch(id("x", 'x').did()));
        sessions.sign_out(&id("b", 'b'));
        assert_eq!(sessions.active(), Some(&id("a", 'c')));
        for n in 0..MAX_ACCOUNTS {
            let gone = sessions.sign_in(id(&format!("n{n}"), 'n'));
            assert_eq!(gone.len(), usize::from(n == MAX_ACCOUNTS - 1));
        }
        assert_eq!(sessions.ids().len(), MAX_ACCOUNTS);
        // What a browser takes at most.
        assert!(jar(true).set_sessions(&sessions).unwrap().len() < 4000);
    }

    #[test]
    fn sign_ins_under_way_are_bounded_and_end_once() {
        let mut logins = Logins::default();
        for n in 0..20 {
            logins.begin(&format!("state-{n}"));
        }
        assert!(!logins.end("state-1") && logins.has("state-19"));
        assert!(logins.end("state-19") && !logins.end("state-19"));
        assert_eq!(logins.0.len(), MAX_LOGINS - 1);
    }
}
