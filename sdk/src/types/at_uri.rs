//! AT URIs (D5).

use std::fmt;

use super::{
    AtIdentifier, Did, Handle, Nsid, RecordKey, at_identifier,
    characters::{self, FRAGMENT},
    nsid, record_key,
    text::text_type,
};

text_type! {
    /// An [AT URI](https://atproto.com/specs/at-uri-scheme): the address of a repository, a collection or a record.
    ///
    /// AT URIs compare as text, so one that names the repository by its handle is not equal to one that names it by its
    /// DID.
    ///
    /// ```
    /// use atproto_sdk::types::AtUri;
    ///
    /// let uri = AtUri::new("at://did:web:example.com/app.bsky.feed.post/3jzfcijpj2z2a")?;
    /// assert_eq!(uri.collection().unwrap(), "app.bsky.feed.post");
    /// assert_eq!(uri.rkey().unwrap(), "3jzfcijpj2z2a");
    /// assert_eq!(uri.did().unwrap(), "did:web:example.com");
    /// assert_eq!((uri.handle(), uri.fragment()), (None, None));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    AtUri, "AT-URI", check, identifier
}

/// `at://`, a DID or handle, and optionally a collection, a record key and a fragment; at most 8 KiB.
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() > 8192 {
        return Err("it has more than 8192 bytes");
    }
    let [b'a', b't', b':', b'/', b'/', ..] = bytes else { return Err("it does not begin with `at://`") };
    if characters::part_ends(bytes, 5) {
        return Err("it has no DID or handle");
    }
    let mut end = match at_identifier::scan(bytes, 5) {
        Ok(end) => end,
        Err(problem) => return Err(problem),
    };
    // The path: a collection, then a record key.
    let mut part = 0;
    while end < bytes.len() && bytes[end] == b'/' {
        let start = end + 1;
        if characters::part_ends(bytes, start) {
            return Err("it has an empty path segment");
        }
        let scanned = match part {
            0 => nsid::scan(bytes, start),
            1 => record_key::scan(bytes, start),
            _ => return Err("it has more segments than repository, collection and record key"),
        };
        end = match scanned {
            Ok(end) => end,
            Err(problem) => return Err(problem),
        };
        part += 1;
    }
    if end == bytes.len() {
        return Ok(());
    }
    // `bytes[end]` is `#`.
    let fragment = end + 1;
    let is_path = fragment + 1 < bytes.len()
        && bytes[fragment] == b'/'
        && characters::run(bytes, fragment, FRAGMENT) == bytes.len();
    if is_path { Ok(()) } else { Err("its fragment is not a path") }
}

impl AtUri {
    /// Creates the address of a record. It is not valid if one of its parts was decoded and is not.
    ///
    /// ```
    /// use atproto_sdk::{did, nsid, record_key, types::AtUri};
    ///
    /// let uri = AtUri::record(
    ///     &did!("did:web:example.com"),
    ///     &nsid!("app.bsky.actor.profile"),
    ///     &record_key!("self"),
    /// );
    /// assert_eq!(uri, "at://did:web:example.com/app.bsky.actor.profile/self");
    /// ```
    pub fn record(repo: &Did, collection: &Nsid, rkey: &RecordKey) -> Self {
        let are_valid = repo.is_valid() && collection.is_valid() && rkey.is_valid();
        Self::of_parts(repo, collection, rkey, are_valid)
    }

    /// The address of a record whose parts have been checked: `at://`, a DID and a slash; a collection, a slash and a record
    /// key.
    #[cfg(feature = "repo")]
    pub(crate) fn of_checked(repo: &str, key: &str) -> Self {
        let mut text = compact_str::CompactString::with_capacity(repo.len() + key.len());
        text.push_str(repo);
        text.push_str(key);
        Self(text)
    }

    /// The address of a record in a repository that may be named by a handle.
    #[cfg(feature = "client")]
    pub(crate) fn in_repo(repo: &AtIdentifier, collection: &Nsid, rkey: &RecordKey) -> Self {
        let are_valid = repo.is_valid() && collection.is_valid() && rkey.is_valid();
        Self::of_parts(repo, collection, rkey, are_valid)
    }

    fn of_parts(repo: &impl fmt::Display, collection: &Nsid, rkey: &RecordKey, are_valid: bool) -> Self {
        let mut text = compact_str::format_compact!("at://{repo}/{collection}/{rkey}");
        if !are_valid && check(&text).is_ok() {
            // What follows a `#` in a part has become the fragment, which cannot have another one.
            text.push('#');
        }
        Self(text)
    }

    /// The authority, the collection and the record key; none if the URI is not valid.
    fn parts(&self) -> impl Iterator<Item = &str> {
        let path = self.as_str().split('#').next().and_then(|path| path.strip_prefix("at://"));
        path.filter(|_| self.is_valid()).into_iter().flat_map(|path| path.split('/'))
    }

    /// Returns the authority: the DID or handle of the repository. It is empty if the URI was decoded and is not valid,
    /// and the other parts are `None`.
    pub fn authority(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// Returns the authority as a typed identifier.
    ///
    /// ```
    /// use atproto_sdk::{at_uri, types::AtIdentifier};
    ///
    /// let uri = at_uri!("at://alice.example.com/app.bsky.feed.post");
    /// assert_eq!(uri.repo(), Some(AtIdentifier::new("alice.example.com")?));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn repo(&self) -> Option<AtIdentifier> {
        AtIdentifier::new(self.authority()).ok()
    }

    /// Returns the authority if it is a DID.
    pub fn did(&self) -> Option<Did> {
        Did::new(self.authority()).ok()
    }

    /// Returns the authority if it is a handle.
    pub fn handle(&self) -> Option<Handle> {
        Handle::new(self.authority()).ok()
    }

    /// Returns the NSID of the collection, if the URI has one.
    ///
    /// ```
    /// use atproto_sdk::{at_uri, nsid};
    ///
    /// let uri = at_uri!("at://did:web:example.com/app.bsky.actor.profile/self");
    /// assert_eq!(uri.collection(), Some(nsid!("app.bsky.actor.profile")));
    /// ```
    pub fn collection(&self) -> Option<Nsid> {
        Nsid::new(self.parts().nth(1)?).ok()
    }

    /// Returns the record key as a string, if the URI has one.
    pub fn rkey(&self) -> Option<&str> {
        self.parts().nth(2)
    }

    /// Returns the record key as a typed value, if the URI has one.
    ///
    /// ```
    /// use atproto_sdk::{at_uri, record_key};
    ///
    /// let uri = at_uri!("at://did:web:example.com/app.bsky.actor.profile/self");
    /// assert_eq!(uri.record_key(), Some(record_key!("self")));
    /// ```
    pub fn record_key(&self) -> Option<RecordKey> {
        RecordKey::new(self.rkey()?).ok()
    }

    /// Returns the fragment, without the `#`.
    pub fn fragment(&self) -> Option<&str> {
        let (_, fragment) = self.as_str().split_once('#')?;
        self.is_valid().then_some(fragment)
    }
}
