//! Cookies: nothing that this site has not made is read, what it makes is small, and no account gets lost but the
//! oldest. And the paths that users return to.
#![no_main]

use std::collections::BTreeMap;

use atproto_sdk::{
    fuzzing::axum::{Cookies, return_to},
    oauth::SessionId,
};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use libfuzzer_sys::fuzz_target;
use url::Url;

#[derive(Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    fn take(&mut self, set: Vec<HeaderValue>) {
        for line in set {
            assert!(line.len() <= 4096, "{} bytes", line.len());
            let line = line.to_str().expect("it is ASCII");
            let (pair, attributes) = line.split_once(';').expect("it has attributes");
            let (name, value) = pair.split_once('=').expect("it has a name");
            match attributes.contains("Max-Age=0;") {
                true => drop(self.0.remove(name)),
                false => drop(self.0.insert(name.to_owned(), value.to_owned())),
            }
        }
    }

    fn headers(&self, more: &[u8]) -> HeaderMap {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let own = HeaderValue::try_from(pairs.join("; ")).expect("these are cookies");
        let more = HeaderValue::from_bytes(more).ok();
        more.into_iter().chain([own]).map(|value| (COOKIE, value)).collect()
    }

    fn size(&self) -> usize {
        self.0.iter().filter(|(name, _)| !name.contains("-login.")).map(|(n, v)| n.len() + v.len() + 3).sum()
    }
}

fuzz_target!(|input: (&[u8], Vec<(u8, u8, u16)>, &str)| {
    let (garbage, steps, path) = input;
    let cookies = Cookies::new().expect("the key is good");
    let mut browser = Browser::default();
    let mut expected: Vec<SessionId> = Vec::new();
    let mut active: Option<SessionId> = None;
    for (number, (what, who, length)) in steps.into_iter().take(40).enumerate() {
        let headers = browser.headers(garbage);
        let (all, now) = cookies.sessions(&headers);
        assert_eq!((&all, &now), (&expected, &active), "garbage before, cookies of ours after");
        let name = "a".repeat(usize::from(length % 2000));
        let id: SessionId =
            format!("did:web:x{who}{name}.example#{number:022}").parse().expect("it is an id");
        let of_account = expected.iter().find(|other| other.did() == id.did()).cloned();
        match what % 4 {
            0 | 1 => {
                let (set, gone) = cookies.sign_in(&headers, id.clone());
                browser.take(set);
                expected.retain(|other| !gone.contains(other));
                assert!(expected.iter().all(|other| other.did() != id.did()));
                expected.push(id.clone());
                active = Some(id);
            }
            2 => {
                let (set, known) = cookies.switch(&headers, id.did());
                browser.take(set);
                assert_eq!(known, of_account.is_some());
                active = of_account.or(active);
            }
            _ => {
                if let Some(id) = of_account {
                    browser.take(cookies.sign_out(&headers, &id));
                    expected.retain(|other| *other != id);
                    active = cookies.sessions(&browser.headers(b"")).1;
                    assert_eq!(active.is_some(), !expected.is_empty());
                }
                let state = format!("state-{number}");
                browser.take(cookies.begin(&headers, &state));
                assert!(cookies.has_begun(&browser.headers(garbage), &state));
                assert!(!cookies.has_begun(&browser.headers(garbage), "another"));
            }
        }
        assert!(expected.len() <= 16 && browser.size() <= 4096, "{} bytes", browser.size());
    }
    let nobody = Browser::default().headers(garbage);
    assert_eq!(cookies.sessions(&nobody), (Vec::new(), None));
    if let Some(safe) = return_to(path) {
        let base = Url::parse("https://app.example.com:8443/login").expect("it is a URL");
        let url = base.join(safe).expect("it is a path");
        assert_eq!(url.origin(), base.origin(), "{safe:?}");
        assert!(HeaderValue::from_str(safe).is_ok() || !safe.is_ascii());
    }
});
