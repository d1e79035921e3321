//! The sign-ins that a browser has in progress.

use axum::http::{HeaderMap, HeaderValue};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::{Jar, MAX_LOGINS, now};
use crate::{clock::unix_now, limits};

const KIND: &str = "-login";

/// What the cookie of a sign-in contains: the hash of its `state`, and when it began, in milliseconds since 1970.
type Content = (String, i64);

impl Jar {
    /// Returns the headers that bind a new sign-in to the browser. A browser that has begun too many forgets the
    /// oldest.
    pub(in crate::axum) fn begin(&self, headers: &HeaderMap, state: &str) -> Vec<HeaderValue> {
        let mut earlier = self.read_all::<Content>(headers, KIND);
        earlier.sort_by_key(|cookie| cookie.value.1);
        let begun = now().max(earlier.last().map_or(0, |cookie| cookie.value.1.saturating_add(1)));
        let expires_at = unix_now().saturating_add_unsigned(limits::SIGN_IN.as_secs());
        let set = self.set(&self.name_of(KIND, state), &(hash(state), begun), expires_at);
        let forgotten = &earlier[..earlier.len().saturating_sub(MAX_LOGINS - 1)];
        set.into_iter().chain(forgotten.iter().filter_map(|cookie| self.unset(&cookie.name))).collect()
    }

    /// Whether this browser has begun a sign-in.
    pub(in crate::axum) fn has_begun(&self, headers: &HeaderMap, state: &str) -> bool {
        let found = self.read::<Content>(headers, &self.name_of(KIND, state));
        found.is_some_and(|((begun, _), _)| begun == hash(state))
    }

    /// Returns the header that ends a sign-in, which then cannot be completed.
    pub(in crate::axum) fn end(&self, state: &str) -> Option<HeaderValue> {
        self.unset(&self.name_of(KIND, state))
    }
}

/// A hash, so that the cookie alone cannot complete a sign-in.
fn hash(state: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{
        super::sessions::tests::{Browser, jar},
        *,
    };

    #[test]
    fn sign_ins_in_progress_are_bounded_and_end_once() {
        let jar = jar(true);
        let mut browser = Browser::default();
        for n in 0..20 {
            browser.take(jar.begin(&browser.headers(), &format!("state-{n}")));
            assert!(browser.len() <= MAX_LOGINS);
        }
        let has = |browser: &Browser, state: &str| jar.has_begun(&browser.headers(), state);
        assert!(!has(&browser, "state-1") && has(&browser, "state-19") && has(&browser, "state-12"));
        browser.take(jar.end("state-19"));
        assert!(!has(&browser, "state-19") && has(&browser, "state-18"));
        assert_eq!(browser.len(), MAX_LOGINS - 1);
    }

    #[test]
    fn a_cookie_counts_for_its_own_sign_in_only() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.take(jar.begin(&HeaderMap::new(), "mine"));
        let value = browser.0.values().next().unwrap().clone();
        let mut other = Browser::default();
        other.0.insert(jar.name_of(KIND, "theirs"), value);
        assert!(!jar.has_begun(&other.headers(), "theirs") && !jar.has_begun(&other.headers(), "mine"));
    }
}
