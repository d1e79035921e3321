//! The sessions of a browser.

use axum::http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};

use super::{Jar, MAX_ACCOUNT_COOKIES, MAX_ACCOUNTS, jar::size_of_set, now};
use crate::{clock::unix_now, oauth::SessionId, types::Did};

const KIND: &str = "";

/// What the cookie of an account contains: the session, when it signed in, and when it was last made active, in
/// milliseconds since 1970; and whether the session has ended, which older versions do not write.
#[derive(Serialize, Deserialize)]
struct Content(SessionId, i64, i64, #[serde(default, skip_serializing_if = "std::ops::Not::not")] bool);

/// The form of versions before 0.3: one cookie for all accounts, in the order in which they signed in.
#[derive(Deserialize)]
struct Single {
    ids: Vec<SessionId>,
    active: Option<Did>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    id: SessionId,
    since: i64,
    /// The account that was made active last is the active one.
    activated: i64,
    /// In Unix seconds.
    expires_at: i64,
    /// In a request, in bytes.
    size: usize,
    /// Whether the session has ended. The account stays active all the same, until the user decides: pages of it may be open,
    /// and what is sent from them must not be done as another account.
    ended: bool,
    /// Whether the browser has to be told.
    changed: bool,
}

/// The sessions of a browser, as a request says, and what a response is to change about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::axum) struct Sessions {
    /// In the order in which the accounts signed in. Usually one per account, but several tabs can sign in at once.
    entries: Vec<Entry>,
    removed: Vec<SessionId>,
    /// Whether the browser has a cookie in the form of earlier versions.
    single: bool,
}

impl Sessions {
    fn newest(&self) -> Option<&Entry> {
        self.entries.iter().max_by_key(|entry| (entry.activated, entry.since))
    }

    /// The sessions that have not ended.
    fn usable(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.ended)
    }

    /// The session of the active account, which may have [ended](Self::has_ended).
    pub(in crate::axum) fn active(&self) -> Option<&SessionId> {
        self.newest().map(|entry| &entry.id)
    }

    /// The session of the active account, unless it has ended.
    pub(in crate::axum) fn signed_in(&self) -> Option<&SessionId> {
        self.newest().filter(|entry| !entry.ended).map(|entry| &entry.id)
    }

    /// Whether a session has ended and is still the active one.
    pub(in crate::axum) fn has_ended(&self, id: &SessionId) -> bool {
        self.newest().is_some_and(|entry| entry.ended && entry.id == *id)
    }

    /// One session per account, in the order in which the accounts signed in, without those that have ended.
    pub(in crate::axum) fn accounts(&self) -> Vec<&SessionId> {
        let latest = |entry: &&Entry| {
            let of_account = self.usable().filter(|other| other.id.did() == entry.id.did());
            of_account.max_by_key(|other| (other.activated, other.since)).is_some_and(|other| other == *entry)
        };
        self.usable().filter(latest).map(|entry| &entry.id).collect()
    }

    /// The session of an account that was used last, unless it has ended.
    pub(in crate::axum) fn latest_of(&self, did: &Did) -> Option<&SessionId> {
        let of_account = self.usable().filter(|entry| entry.id.did() == did);
        of_account.max_by_key(|entry| (entry.activated, entry.since)).map(|entry| &entry.id)
    }

    /// All sessions that have not ended.
    pub(in crate::axum) fn all(&self) -> Vec<SessionId> {
        self.usable().map(|entry| entry.id.clone()).collect()
    }

    /// The sessions of an account that have not ended.
    pub(in crate::axum) fn of(&self, did: &Did) -> Vec<SessionId> {
        self.usable().map(|entry| &entry.id).filter(|id| id.did() == did).cloned().collect()
    }

    /// Removes a session that the user has signed out. If it was active, the account that was active before becomes active.
    pub(in crate::axum) fn sign_out(&mut self, id: &SessionId) {
        if self.entries.iter().any(|entry| entry.id == *id) {
            self.entries.retain(|entry| entry.id != *id);
            self.removed.push(id.clone());
        }
    }

    /// Notes that a session has ended by itself. Where another account would become active, without the user's having asked
    /// for that, the entry stays as that of the active account; otherwise it is removed.
    pub(in crate::axum) fn end(&mut self, id: &SessionId) {
        let was_active = self.active() == Some(id);
        let next = self.entries.iter().filter(|entry| entry.id != *id);
        let next = next.max_by_key(|entry| (entry.activated, entry.since));
        if !was_active || next.is_none_or(|next| next.id.did() == id.did()) {
            return self.sign_out(id);
        }
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == *id && !entry.ended) {
            (entry.ended, entry.changed) = (true, true);
        }
    }

    /// Removes what has ended, because the user has decided what to do next. Returns whether there was anything.
    pub(in crate::axum) fn forget_ended(&mut self) -> bool {
        let ended: Vec<SessionId> =
            self.entries.iter().filter(|entry| entry.ended).map(|entry| entry.id.clone()).collect();
        ended.iter().for_each(|id| self.sign_out(id));
        !ended.is_empty()
    }

    /// The browser keeps a session that was to be signed out, and could not be: nobody could sign it out otherwise.
    pub(in crate::axum) fn keep(&mut self, id: &SessionId) {
        self.removed.retain(|removed| removed != id);
    }

    /// Makes another account active; returns whether it is signed in.
    pub(in crate::axum) fn switch(&mut self, did: &Did) -> bool {
        let now = self.next_activation();
        let of_account = self.entries.iter_mut().filter(|entry| !entry.ended && entry.id.did() == did);
        let Some(entry) = of_account.max_by_key(|entry| (entry.activated, entry.since)) else { return false };
        (entry.activated, entry.changed) = (now, true);
        self.forget_ended();
        true
    }

    /// Later than all others, also if another instance with a faster clock has set them.
    fn next_activation(&self) -> i64 {
        let last = self.newest().map_or(0, |entry| entry.activated);
        now().max(last.saturating_add(1))
    }
}

impl Jar {
    /// The sessions of a request's browser.
    pub(in crate::axum) fn sessions(&self, headers: &HeaderMap) -> Sessions {
        let mut sessions = Sessions::default();
        if let Some((single, expires_at)) = self.read::<Single>(headers, &self.full_name(KIND)) {
            sessions.single = true;
            for (position, id) in (0..).zip(single.ids) {
                let activated = i64::from(single.active.as_ref() == Some(id.did()));
                let (size, ended, changed) = (0, false, true);
                let entry = Entry { id, since: position, activated, expires_at, size, ended, changed };
                sessions.entries.push(entry);
            }
        }
        for cookie in self.read_all::<Content>(headers, KIND) {
            let Content(id, since, activated, ended) = cookie.value;
            sessions.entries.retain(|entry| entry.id != id);
            let (expires_at, size, changed) = (cookie.expires_at, cookie.size, false);
            sessions.entries.push(Entry { id, since, activated, expires_at, size, ended, changed });
        }
        sessions.entries.sort_by(|a, b| (a.since, &a.id).cmp(&(b.since, &b.id)));
        sessions
    }

    /// Whether a request comes from a browser that has sessions.
    pub(in crate::axum) fn has_sessions(&self, headers: &HeaderMap) -> bool {
        self.has_any(headers, KIND) || self.has(headers, &self.full_name(KIND))
    }

    /// Adds a session and makes it active. Returns the sessions that it replaces, which must be signed out: those of
    /// the same account, and the oldest if there are more than a browser can take.
    pub(in crate::axum) fn sign_in(&self, sessions: &mut Sessions, id: SessionId) -> Vec<SessionId> {
        let activated = sessions.next_activation();
        sessions.forget_ended();
        let mut gone = sessions.of(id.did());
        let expires_at = unix_now().saturating_add_unsigned(self.lifetime.as_secs());
        // After all others, also if they have signed in within the same millisecond.
        let since = now().max(sessions.entries.last().map_or(0, |last| last.since.saturating_add(1)));
        let (size, ended, changed) = (0, false, true);
        let mut entry = Entry { id, since, activated, expires_at, size, ended, changed };
        entry.size = self.set_entry(&entry).as_ref().map_or(0, size_of_set);
        let others = sessions.entries.iter().filter(|other| other.id.did() != entry.id.did());
        let (mut count, mut size) = (others.clone().count() + 1, entry.size);
        size += others.clone().map(|other| other.size).sum::<usize>();
        for oldest in others {
            if count <= MAX_ACCOUNTS && size <= MAX_ACCOUNT_COOKIES {
                break;
            }
            gone.push(oldest.id.clone());
            (count, size) = (count - 1, size - oldest.size);
        }
        for id in &gone {
            sessions.sign_out(id);
        }
        sessions.entries.push(entry);
        gone
    }

    /// Returns the headers that tell the browser what has changed.
    pub(in crate::axum) fn set_sessions(&self, sessions: &Sessions) -> Vec<HeaderValue> {
        let removed = sessions.removed.iter().filter_map(|id| self.unset(&self.name_of_session(id)));
        let changed = sessions.entries.iter().filter(|entry| entry.changed);
        let set = changed.filter_map(|entry| self.set_entry(entry));
        let single = sessions.single.then(|| self.unset(&self.full_name(KIND))).flatten();
        removed.chain(set).chain(single).collect()
    }

    fn set_entry(&self, entry: &Entry) -> Option<HeaderValue> {
        let content = Content(entry.id.clone(), entry.since, entry.activated, entry.ended);
        self.set(&self.name_of_session(&entry.id), &content, entry.expires_at)
    }

    /// The id has a random part, so the name does not tell which account it is.
    fn name_of_session(&self, id: &SessionId) -> String {
        self.name_of(KIND, &id.to_string())
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{collections::BTreeMap, time::Duration};

    use super::{super::MAX_COOKIE, *};
    use crate::store::{SealingKey, SealingKeys};

    fn id(name: &str, part: char) -> SessionId {
        format!("did:web:{name}.example#{}", part.to_string().repeat(22)).parse().unwrap()
    }

    pub(in crate::axum::cookie) fn jar(secure: bool) -> Jar {
        let keys = SealingKeys::new([SealingKey::generate().unwrap()]).unwrap();
        Jar { keys, secure, lifetime: Duration::from_secs(60), name: "atproto".into() }
    }

    /// The cookies of a browser.
    #[derive(Debug, Clone, Default)]
    pub(in crate::axum::cookie) struct Browser(pub(in crate::axum::cookie) BTreeMap<String, String>);

    impl Browser {
        pub(in crate::axum::cookie) fn take(&mut self, set: impl IntoIterator<Item = HeaderValue>) {
            for header in set {
                assert!(header.is_sensitive() && header.len() <= MAX_COOKIE, "{} bytes", header.len());
                let line = header.to_str().unwrap();
                let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
                match line.contains("Max-Age=0") {
                    true => drop(self.0.remove(name)),
                    false => drop(self.0.insert(name.to_owned(), value.to_owned())),
                }
            }
        }

        pub(in crate::axum::cookie) fn headers(&self) -> HeaderMap {
            let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let line = format!("other=1; {}", pairs.join("; "));
            [(axum::http::header::COOKIE, HeaderValue::try_from(line).unwrap())].into_iter().collect()
        }

        pub(in crate::axum::cookie) fn len(&self) -> usize {
            self.0.len()
        }

        fn sign_in(&mut self, jar: &Jar, id: SessionId) -> Vec<SessionId> {
            let mut sessions = jar.sessions(&self.headers());
            let gone = jar.sign_in(&mut sessions, id);
            self.take(jar.set_sessions(&sessions));
            gone
        }

        fn change(&mut self, jar: &Jar, change: impl FnOnce(&mut Sessions)) {
            let mut sessions = jar.sessions(&self.headers());
            change(&mut sessions);
            self.take(jar.set_sessions(&sessions));
        }

        fn active(&self, jar: &Jar) -> Option<SessionId> {
            jar.sessions(&self.headers()).active().cloned()
        }
    }

    #[test]
    fn attributes_of_the_cookie() {
        let set = |jar: &Jar| {
            let mut sessions = Sessions::default();
            jar.sign_in(&mut sessions, id("a", 'a'));
            let set = jar.set_sessions(&sessions);
            assert_eq!(set.len(), 1);
            set[0].to_str().unwrap().to_owned()
        };
        let text = set(&jar(true));
        assert!(text.starts_with("__Host-atproto."), "{text}");
        assert!(text.ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"), "{text}");
        assert!(!text.contains("did:"));
        assert!(!set(&jar(false)).contains("Secure"));
        let gone = jar(true).unset("__Host-atproto.0").unwrap();
        assert!(gone.to_str().unwrap().starts_with("__Host-atproto.0=; Path=/; Max-Age=0;"));
    }

    /// With another letter in the middle.
    fn swapped(value: &str) -> String {
        let other = if &value[60..61] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &value[..60], &value[61..])
    }

    #[test]
    fn only_what_this_site_sealed_for_this_purpose_and_time_is_read() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.sign_in(&jar, id("a", 'a'));
        let read = |browser: &Browser| jar.sessions(&browser.headers()).all();
        assert_eq!(read(&browser), [id("a", 'a')]);
        assert!(jar.has_sessions(&browser.headers()) && !jar.has_sessions(&HeaderMap::new()));
        // Another site's keys, another cookie's name, a changed letter, the bare id.
        assert!(super::tests::jar(true).sessions(&browser.headers()).all().is_empty());
        let (name, value) = browser.0.pop_first().unwrap();
        for (name, value) in [
            (name.replace(|c: char| c.is_ascii_digit(), "0"), value.clone()),
            (name.clone(), swapped(&value)),
            (name.clone(), id("a", 'a').to_string()),
            (name.to_uppercase(), value.clone()),
        ] {
            assert!(read(&Browser([(name, value)].into())).is_empty());
        }
        let over = jar.set(&name, &(id("a", 'a'), 0, 0), unix_now()).unwrap();
        let over = over.to_str().unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
        assert!(read(&Browser([(name, over)].into())).is_empty(), "it has expired");
    }

    #[test]
    fn accounts_come_and_go() {
        let jar = jar(true);
        let mut browser = Browser::default();
        assert!(browser.sign_in(&jar, id("a", 'a')).is_empty());
        assert!(browser.sign_in(&jar, id("b", 'b')).is_empty());
        assert_eq!(browser.sign_in(&jar, id("a", 'c')), [id("a", 'a')], "one session per account");
        assert_eq!((browser.active(&jar), browser.len()), (Some(id("a", 'c')), 2));
        browser.change(&jar, |sessions| {
            assert!(sessions.switch(id("b", 'b').did()) && !sessions.switch(id("x", 'x').did()));
        });
        assert_eq!(browser.active(&jar), Some(id("b", 'b')));
        browser.change(&jar, |sessions| sessions.sign_out(&id("b", 'b')));
        assert_eq!((browser.active(&jar), browser.len()), (Some(id("a", 'c')), 1));
        for n in 0..MAX_ACCOUNTS {
            let gone = browser.sign_in(&jar, id(&format!("n{n}"), 'n'));
            assert_eq!(gone.len(), usize::from(n == MAX_ACCOUNTS - 1));
        }
        assert_eq!(browser.len(), MAX_ACCOUNTS);
    }

    #[test]
    fn an_account_whose_session_has_ended_stays_active_until_the_user_decides() {
        let jar = jar(true);
        let mut before = Browser::default();
        before.sign_in(&jar, id("c", 'c'));
        before.sign_in(&jar, id("b", 'b'));
        before.sign_in(&jar, id("a", 'a'));
        before.change(&jar, |sessions| sessions.end(&id("a", 'a')));
        let read = |browser: &Browser| jar.sessions(&browser.headers());
        for _ in 0..2 {
            let sessions = read(&before);
            assert_eq!((sessions.active(), sessions.signed_in()), (Some(&id("a", 'a')), None));
            assert!(sessions.has_ended(&id("a", 'a')) && !sessions.has_ended(&id("b", 'b')));
            assert_eq!(sessions.all(), [id("c", 'c'), id("b", 'b')], "it is not signed in any more");
            assert_eq!(sessions.accounts(), [&id("c", 'c'), &id("b", 'b')]);
            assert!(sessions.of(id("a", 'a').did()).is_empty());
            assert_eq!(sessions.latest_of(id("a", 'a').did()), None);
            // A second request that finds the same changes nothing.
            let mut again = sessions;
            again.end(&id("a", 'a'));
            assert!(jar.set_sessions(&again).is_empty());
        }
        type Decision = fn(&Jar, &mut Sessions);
        let decisions: [(Decision, char); 3] = [
            (|_, sessions| assert!(sessions.switch(id("c", 'c').did())), 'c'),
            (|jar, sessions| drop(jar.sign_in(sessions, id("d", 'd'))), 'd'),
            (|_, sessions| assert!(sessions.forget_ended() && !sessions.forget_ended()), 'b'),
        ];
        for (decision, active) in decisions {
            let mut browser = before.clone();
            browser.change(&jar, |sessions| decision(&jar, sessions));
            assert_eq!(browser.active(&jar), Some(id(&active.to_string(), active)));
            assert!(!read(&browser).entries.iter().any(|entry| entry.ended));
        }
        // The sign-out of another account decides nothing, and what has ended is none that is replaced.
        let mut browser = before.clone();
        browser.change(&jar, |sessions| sessions.sign_out(&id("b", 'b')));
        assert_eq!(browser.active(&jar), Some(id("a", 'a')));
        assert!(browser.sign_in(&jar, id("a", 'x')).is_empty());
        assert_eq!(browser.active(&jar), Some(id("a", 'x')));
    }

    #[test]
    fn what_has_ended_leaves_the_browser_if_no_other_account_becomes_active_by_that() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.sign_in(&jar, id("a", 'a'));
        browser.sign_in(&jar, id("b", 'b'));
        browser.change(&jar, |sessions| sessions.end(&id("a", 'a')));
        assert_eq!(
            (browser.active(&jar), browser.len()),
            (Some(id("b", 'b')), 1),
            "it was not the active one"
        );
        browser.change(&jar, |sessions| sessions.end(&id("b", 'b')));
        assert_eq!((browser.active(&jar), browser.len()), (None, 0), "it was the only one");
        // Another session of the same account, from a sign-in in another tab.
        browser.sign_in(&jar, id("c", 'c'));
        let (one, two) = (browser.headers(), browser.headers());
        for (headers, id) in [(one, id("a", 'x')), (two, id("a", 'y'))] {
            let mut sessions = jar.sessions(&headers);
            jar.sign_in(&mut sessions, id);
            browser.take(jar.set_sessions(&sessions));
        }
        let last = browser.active(&jar).unwrap();
        browser.change(&jar, |sessions| sessions.end(&last));
        assert_eq!((browser.active(&jar).unwrap().did(), browser.len()), (last.did(), 2));
    }

    #[test]
    fn cookies_of_earlier_versions_are_those_of_sessions_that_have_not_ended() {
        let jar = jar(true);
        let name = jar.name_of_session(&id("a", 'a'));
        let mut browser = Browser::default();
        browser.take(jar.set(&name, &(id("a", 'a'), 1, 2), unix_now() + 60));
        assert_eq!(jar.sessions(&browser.headers()).signed_in(), Some(&id("a", 'a')));
        // And they can read these.
        let written = serde_json::to_value(Content(id("a", 'a'), 1, 2, false)).unwrap();
        assert_eq!(written.as_array().unwrap().len(), 3);
    }

    #[test]
    fn a_session_that_could_not_be_signed_out_stays_in_the_browser() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.sign_in(&jar, id("a", 'a'));
        let mut sessions = jar.sessions(&browser.headers());
        let gone = jar.sign_in(&mut sessions, id("a", 'b'));
        gone.iter().for_each(|id| sessions.keep(id));
        browser.take(jar.set_sessions(&sessions));
        assert_eq!(jar.sessions(&browser.headers()).all(), [id("a", 'a'), id("a", 'b')]);
        assert_eq!(browser.active(&jar), Some(id("a", 'b')));
    }

    #[test]
    fn accounts_keep_their_order_within_a_millisecond() {
        let jar = jar(true);
        let mut browser = Browser::default();
        let ids = ["z", "y", "x", "m", "c", "b", "a"].map(|name| id(name, 'r'));
        for id in &ids {
            browser.sign_in(&jar, id.clone());
        }
        assert_eq!(jar.sessions(&browser.headers()).all(), ids);
    }

    #[test]
    fn a_switch_is_the_last_word_whatever_the_clocks_of_the_instances_say() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.sign_in(&jar, id("a", 'a'));
        browser.sign_in(&jar, id("b", 'b'));
        browser.change(&jar, |sessions| {
            sessions.switch(id("a", 'a').did());
            sessions.entries[0].activated += 3_600_000;
        });
        browser.change(&jar, |sessions| assert!(sessions.switch(id("b", 'b').did())));
        assert_eq!(browser.active(&jar), Some(id("b", 'b')));
    }

    #[test]
    fn long_names_are_bounded_by_bytes_and_the_oldest_account_goes_first() {
        let jar = jar(true);
        let mut browser = Browser::default();
        let host = |n: usize| format!("{}{n:02}", "a".repeat(200));
        let mut gone = Vec::new();
        for n in 0..MAX_ACCOUNTS {
            gone.extend(browser.sign_in(&jar, id(&host(n), 'n')));
            let size: usize = browser.0.iter().map(|(name, value)| name.len() + value.len() + 3).sum();
            assert!(size <= MAX_ACCOUNT_COOKIES, "{size}");
        }
        let expected: Vec<SessionId> = (0..gone.len()).map(|n| id(&host(n), 'n')).collect();
        assert!(gone == expected && gone.len() > 4 && browser.len() == MAX_ACCOUNTS - gone.len());
        // The longest DID that there is, with the longest name that the builder accepts.
        let longest = format!("did:web:{}#{}", "a".repeat(2048 - 8), "r".repeat(22));
        let longest: SessionId = longest.parse().unwrap();
        let jar = Jar { name: "n".repeat(crate::axum::builder::MAX_COOKIE_NAME), ..jar };
        let mut sessions = Sessions::default();
        jar.sign_in(&mut sessions, longest.clone());
        let mut browser = Browser::default();
        browser.take(jar.set_sessions(&sessions));
        assert_eq!(browser.active(&jar), Some(longest));
    }

    #[test]
    fn a_cookie_that_browsers_would_drop_is_not_set() {
        let jar = Jar { name: "n".repeat(MAX_COOKIE), ..jar(true) };
        let mut sessions = Sessions::default();
        jar.sign_in(&mut sessions, id("a", 'a'));
        assert!(jar.set_sessions(&sessions).is_empty());
    }

    #[test]
    fn the_single_cookie_of_earlier_versions_is_taken_over() {
        let jar = jar(true);
        let ids = [id("a", 'a'), id("b", 'b'), id("c", 'c')];
        let single = serde_json::json!({ "ids": ids, "active": "did:web:b.example" });
        let mut browser = Browser::default();
        browser.take(jar.set("__Host-atproto", &single, unix_now() + 60));
        assert!(jar.has_sessions(&browser.headers()));
        assert_eq!(browser.active(&jar), Some(id("b", 'b')));
        browser.change(&jar, |sessions| sessions.sign_out(&id("b", 'b')));
        assert!(!browser.0.contains_key("__Host-atproto") && browser.len() == 2);
        assert_eq!(jar.sessions(&browser.headers()).all(), [id("a", 'a'), id("c", 'c')]);
        assert_eq!(browser.active(&jar), Some(id("c", 'c')));
    }

    #[test]
    fn answers_to_two_tabs_do_not_undo_each_other() {
        let jar = jar(true);
        let mut browser = Browser::default();
        browser.sign_in(&jar, id("a", 'a'));
        let before = browser.headers();
        let (mut first, mut second) = (jar.sessions(&before), jar.sessions(&before));
        jar.sign_in(&mut first, id("b", 'b'));
        jar.sign_in(&mut second, id("c", 'c'));
        second.sign_out(&id("a", 'a'));
        browser.take(jar.set_sessions(&first));
        browser.take(jar.set_sessions(&second));
        assert_eq!(jar.sessions(&browser.headers()).all(), [id("b", 'b'), id("c", 'c')]);
    }
}
