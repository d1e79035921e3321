//! Where the calls of a client go and what they carry, unless they say otherwise themselves.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

use super::{
    InvalidRequest, Labeler,
    options::{LABELERS, PROXY, insert_header, labelers_header},
    services,
};
use crate::{
    server_text::{SHORT, excerpt},
    types::Did,
};

/// What only the account's own server can do: nothing of it is ever forwarded for a client.
const NEVER_FORWARDED: [&str; 5] = [
    "com.atproto.admin",
    "com.atproto.identity",
    "com.atproto.repo",
    "com.atproto.server",
    "com.atproto.sync",
];
/// What is not about an application but about the account, or about a labeler. It is forwarded only for who names it.
const OF_NO_APPLICATION: [&str; 2] = ["com.atproto", "tools.ozone"];
/// A part of Bluesky that no server forwards by itself.
const CHAT: &str = "chat.bsky";

/// What a client has set for its calls.
#[derive(Clone, Default)]
pub(super) struct Defaults {
    /// The service of all namespaces that have none of their own.
    service: Option<HeaderValue>,
    /// Namespaces with their services, or without one.
    namespaces: Vec<(Box<str>, Option<HeaderValue>)>,
    labelers: Vec<Labeler>,
    labelers_header: Option<HeaderValue>,
    headers: HeaderMap,
    /// The first thing that was refused.
    problem: Option<InvalidRequest>,
}

impl Defaults {
    pub(super) fn proxy(&mut self, service: &str) {
        match service_header(service) {
            Ok(service) => self.service = Some(service),
            Err(problem) => self.report(problem),
        }
    }

    pub(super) fn proxy_for(&mut self, namespace: &str, service: Option<&str>) {
        let service = service.map(service_header).transpose();
        let service =
            service.and_then(|it| if is_forwarded(namespace) { Ok(it) } else { refused(namespace) });
        match service {
            Ok(service) => {
                self.namespaces.retain(|(known, _)| **known != *namespace);
                self.namespaces.push((namespace.into(), service));
            }
            Err(problem) => self.report(problem),
        }
    }

    pub(super) fn labelers(&mut self, labelers: Vec<Labeler>) {
        match labelers_header(&labelers) {
            Ok(header) => {
                self.labelers_header = (!labelers.is_empty()).then_some(header);
                self.labelers = labelers;
            }
            Err(problem) => self.report(problem),
        }
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        if name.eq_ignore_ascii_case(PROXY.as_str()) {
            // For the same calls as any service of a client.
            self.proxy(value);
        } else if let Err(problem) = insert_header(&mut self.headers, name, value, true) {
            self.report(problem);
        }
    }

    fn report(&mut self, problem: InvalidRequest) {
        self.problem.get_or_insert(problem);
    }

    pub(super) fn problem(&self) -> Option<&InvalidRequest> {
        self.problem.as_ref()
    }

    #[cfg(feature = "bsky")]
    pub(super) fn wanted_labelers(&self) -> &[Labeler] {
        &self.labelers
    }

    /// Adds what has been set for all requests, in place of which one may have its own.
    pub(super) fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            add(headers, name, value);
        }
    }

    /// The service for a method: that of the longest namespace that it is in.
    fn service(&self, nsid: &str, is_signed_in: bool) -> Option<Cow<'_, HeaderValue>> {
        if NEVER_FORWARDED.iter().any(|namespace| is_in(nsid, namespace)) {
            return None;
        }
        let named = self.namespaces.iter().filter(|(namespace, _)| is_in(nsid, namespace));
        match named.max_by_key(|(namespace, _)| namespace.len()) {
            Some((_, service)) => service.as_ref().map(Cow::Borrowed),
            None if is_in(nsid, CHAT) => chat(is_signed_in).map(Cow::Owned),
            None if OF_NO_APPLICATION.iter().any(|namespace| is_in(nsid, namespace)) => None,
            None => self.service.as_ref().map(Cow::Borrowed),
        }
    }
}

/// Adds to the headers of a call what it has not set itself. `defaults` is what its client has set.
pub(super) fn complete<'h>(
    mut headers: Cow<'h, HeaderMap>,
    defaults: Option<&Defaults>,
    nsid: &str,
    proxied: bool,
    is_signed_in: impl FnOnce() -> bool,
) -> Cow<'h, HeaderMap> {
    let Some(defaults) = defaults else {
        if proxied && is_in(nsid, CHAT) && !headers.contains_key(&PROXY) {
            headers.to_mut().extend(chat(is_signed_in()).map(|service| (PROXY.clone(), service)));
        }
        return headers;
    };
    let all = headers.to_mut();
    if proxied && let Some(service) = defaults.service(nsid, is_signed_in()) {
        add(all, &PROXY, &service);
    }
    if let Some(labelers) = &defaults.labelers_header {
        add(all, &LABELERS, labelers);
    }
    defaults.add_headers(all);
    headers
}

fn add(headers: &mut HeaderMap, name: &http::HeaderName, value: &HeaderValue) {
    headers.entry(name).or_insert_with(|| value.clone());
}

/// Where chats are, for who is signed in: no server forwards the calls of others, and a client may also talk to the service itself.
fn chat(is_signed_in: bool) -> Option<HeaderValue> {
    is_signed_in.then(|| HeaderValue::from_static(services::BLUESKY_CHAT))
}

/// Whether a method is in a namespace, or is it.
fn is_in(nsid: &str, namespace: &str) -> bool {
    nsid.strip_prefix(namespace).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Whether calls of a namespace can be forwarded.
fn is_forwarded(namespace: &str) -> bool {
    let is_segment = |it: &str| !it.is_empty() && it.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-');
    namespace.split('.').all(is_segment) && !NEVER_FORWARDED.iter().any(|own| is_in(namespace, own))
}

fn refused<T>(namespace: &str) -> Result<T, InvalidRequest> {
    Err(InvalidRequest::Namespace { namespace: excerpt(namespace, SHORT) })
}

/// The value of the header for a service.
pub(super) fn service_header(service: &str) -> Result<HeaderValue, InvalidRequest> {
    let refuse = || InvalidRequest::Service { service: excerpt(service, SHORT) };
    let (did, id) = service.split_once('#').ok_or_else(refuse)?;
    if Did::new(did).is_err() || id.is_empty() || !id.bytes().all(|c| c.is_ascii_graphic()) {
        return Err(refuse());
    }
    HeaderValue::try_from(service).map_err(|_| refuse())
}
