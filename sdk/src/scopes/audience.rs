//! The audience of `rpc:` permissions.

use std::{fmt, str::FromStr};

use crate::types::{Did, InvalidText};

/// A reference to a service of a DID, such as `did:web:api.example.com#example`.
///
/// The DID is a `did:plc`, or a `did:web` without a path.
///
/// ```
/// use atproto_sdk::scopes::Service;
///
/// let service = Service::new("did:web:api.bsky.app#bsky_appview")?;
/// assert_eq!((service.did().method(), service.id()), ("web", "bsky_appview"));
/// assert!(Service::new("did:web:api.bsky.app").is_err());
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    text: String,
    did: Did,
}

impl Service {
    /// Parses a service reference.
    ///
    /// # Errors
    ///
    /// Returns an error if `text` is not such a DID, followed by `#` and a service id.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
        let text = text.as_ref();
        check(text).map_err(|problem| InvalidText::new("service", text, problem))?;
        let did = Did::new(text.split('#').next().unwrap_or_default())?;
        Ok(Self { text: text.to_owned(), did })
    }

    /// Creates a reference to the service with an id such as `bsky_appview` of a DID.
    ///
    /// ```
    /// use atproto_sdk::{did, scopes::Service};
    ///
    /// let service = Service::of(&did!("did:web:api.bsky.app"), "bsky_appview")?;
    /// assert_eq!(service.as_str(), "did:web:api.bsky.app#bsky_appview");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the DID or the id is not allowed in a scope.
    pub fn of(did: &Did, id: &str) -> Result<Self, InvalidText> {
        Self::new(format!("{did}#{id}"))
    }

    /// Returns the reference as a string.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the DID.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Returns the service id, which is the part after `#`.
    pub fn id(&self) -> &str {
        self.text.split_once('#').map_or("", |(_, id)| id)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl FromStr for Service {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

/// The services that an [`RpcPermission`](super::RpcPermission) applies to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an audience is a service or a wildcard, by the specification")]
pub enum Audience {
    /// Any service.
    Any,
    /// One service.
    Service(Service),
}

impl Audience {
    /// Returns `*` for [`Any`](Self::Any), and the reference of a service otherwise.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::Service(service) => service.as_str(),
        }
    }
}

impl From<Service> for Audience {
    fn from(service: Service) -> Self {
        Self::Service(service)
    }
}

/// Checks that a text has the form `did:plc:...#id` or `did:web:...#id`, like the reference implementation.
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let mut hash = 0;
    while hash < bytes.len() && bytes[hash] != b'#' {
        hash += 1;
    }
    if hash == bytes.len() {
        return Err("it has no service id, expected `#` and a name as in `did:web:api.example.com#example`");
    }
    if let Err(problem) = check_did(bytes, hash) {
        return Err(problem);
    }
    if hash + 1 == bytes.len() {
        return Err("its service id is empty");
    }
    check_fragment(bytes, hash + 1)
}

const fn begins(bytes: &[u8], start: &[u8]) -> bool {
    let mut at = 0;
    while at < start.len() {
        if at >= bytes.len() || bytes[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn check_did(bytes: &[u8], end: usize) -> Result<(), &'static str> {
    if begins(bytes, b"did:plc:") {
        if end != 32 {
            return Err("`did:plc:` is not followed by exactly 24 characters");
        }
        let mut at = 8;
        while at < end {
            if !matches!(bytes[at], b'a'..=b'z' | b'2'..=b'7') {
                return Err("its `did:plc` contains a character other than `a` to `z` and `2` to `7`");
            }
            at += 1;
        }
        return Ok(());
    }
    if !begins(bytes, b"did:web:") {
        return Err("it does not start with `did:plc:` or `did:web:`");
    }
    let local = b"did:web:localhost%3A";
    if begins(bytes, local) && end <= local.len() + 5 {
        let mut at = local.len();
        while at < end && bytes[at].is_ascii_digit() {
            at += 1;
        }
        return if at == end && end > local.len() { Ok(()) } else { Err("its port is not a number") };
    }
    check_host(bytes, 8, end)
}

/// Checks a host name. The last label must not start with a digit, so that it is not an IP address.
const fn check_host(bytes: &[u8], from: usize, end: usize) -> Result<(), &'static str> {
    let mut start = from;
    let mut at = from;
    while at <= end {
        if at == end || bytes[at] == b'.' {
            if at == start {
                return Err("the host name of its `did:web` contains an empty label");
            }
            if at == end && bytes[start].is_ascii_digit() {
                return Err("its `did:web` contains an IP address, expected a host name");
            }
            start = at + 1;
        } else if !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'-' {
            return Err("its `did:web` contains more than a host name");
        }
        at += 1;
    }
    if end - from > 253 {
        return Err("its host name has more than 253 bytes");
    }
    Ok(())
}

/// RFC 3986 section 3.5.
const fn check_fragment(bytes: &[u8], from: usize) -> Result<(), &'static str> {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' => {}
            b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/' | b'?' => {}
            b'%' if at + 2 < bytes.len()
                && bytes[at + 1].is_ascii_hexdigit()
                && bytes[at + 2].is_ascii_hexdigit() => {}
            _ => return Err("its service id contains a character that is not allowed in a fragment"),
        }
        at += 1;
    }
    Ok(())
}
