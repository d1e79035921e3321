//! Whom a call may be passed on to.

use std::{fmt, str::FromStr};

use crate::types::{Did, InvalidText};

/// A service of a DID, `did:web:api.example.com#example`.
///
/// The DID is of one of the methods of the protocol, `plc` or `web`, and the latter without a path.
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
    /// Checks and takes a text.
    ///
    /// # Errors
    /// When it is not such a DID with a service id behind `#`.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
        let text = text.as_ref();
        check(text).map_err(|problem| InvalidText::new("service", text, problem))?;
        let did = Did::new(text.split('#').next().unwrap_or_default())?;
        Ok(Self { text: text.to_owned(), did })
    }

    /// The service of an id, such as `bsky_appview`, of a DID.
    ///
    /// # Errors
    /// When the DID or the id cannot stand in a scope.
    pub fn of(did: &Did, id: &str) -> Result<Self, InvalidText> {
        Self::new(format!("{did}#{id}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The DID.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// What stands behind `#`.
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

/// The services that calls may go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// Any service.
    Any,
    /// One service.
    Service(Service),
}

impl Audience {
    /// `*` for any service, the service otherwise.
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

/// `did:plc:...#id` or `did:web:...#id`, as the reference implementation takes them.
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let mut hash = 0;
    while hash < bytes.len() && bytes[hash] != b'#' {
        hash += 1;
    }
    if hash == bytes.len() {
        return Err("it has no service id: `#` and a name, as in `did:web:api.example.com#example`");
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
            return Err("its `did:plc:` is not followed by 24 characters");
        }
        let mut at = 8;
        while at < end {
            if !matches!(bytes[at], b'a'..=b'z' | b'2'..=b'7') {
                return Err("its `did:plc:` has a character other than `a` to `z` and `2` to `7`");
            }
            at += 1;
        }
        return Ok(());
    }
    if !begins(bytes, b"did:web:") {
        return Err("it does not begin with `did:plc:` or `did:web:`");
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

/// Labels between dots; the last one does not begin with a digit, so that it is no address.
const fn check_host(bytes: &[u8], from: usize, end: usize) -> Result<(), &'static str> {
    let mut start = from;
    let mut at = from;
    while at <= end {
        if at == end || bytes[at] == b'.' {
            if at == start {
                return Err("its `did:web:` has an empty part in the host name");
            }
            if at == end && bytes[start].is_ascii_digit() {
                return Err("its `did:web:` is followed by an address, expected a host name");
            }
            start = at + 1;
        } else if !bytes[at].is_ascii_alphanumeric() && bytes[at] != b'-' {
            return Err("its `did:web:` is followed by more than a host name");
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
            _ => return Err("its service id has a character that a fragment cannot have"),
        }
        at += 1;
    }
    Ok(())
}
