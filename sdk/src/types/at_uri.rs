//! AT-URIs (D5).

use super::{
    AtIdentifier, Did, Handle, Nsid, RecordKey, at_identifier,
    characters::{self, FRAGMENT},
    nsid, record_key,
    text::text_type,
};

text_type! {
    /// The address of a repository, a collection or a record.
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
    AtUri, "AT-URI", check, checked
}

/// `at://`, a DID or handle, then a collection, then a record key, then a fragment; at most 8 KB.
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
    // What stands behind a slash: a collection, then a record key.
    let mut part = 0;
    while end < bytes.len() && bytes[end] == b'/' {
        let start = end + 1;
        if characters::part_ends(bytes, start) {
            return Err("it has a slash with nothing behind it");
        }
        let scanned = match part {
            0 => nsid::scan(bytes, start),
            1 => record_key::scan(bytes, start),
            _ => return Err("it has more parts than repository, collection and record key"),
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
    // Here stands `#`.
    let fragment = end + 1;
    let is_path = fragment + 1 < bytes.len()
        && bytes[fragment] == b'/'
        && characters::run(bytes, fragment, FRAGMENT) == bytes.len();
    if is_path { Ok(()) } else { Err("its fragment is not a path") }
}

impl AtUri {
    /// The address of a record.
    pub fn record(repo: &Did, collection: &Nsid, rkey: &RecordKey) -> Self {
        Self(compact_str::format_compact!("at://{repo}/{collection}/{rkey}"))
    }

    fn parts(&self) -> impl Iterator<Item = &str> {
        let path = self.as_str().split('#').next().unwrap_or_default();
        path.trim_start_matches("at://").split('/')
    }

    /// The repository, a DID or a handle.
    pub fn authority(&self) -> &str {
        self.parts().next().unwrap_or_default()
    }

    /// The repository as a checked value.
    pub fn repo(&self) -> Option<AtIdentifier> {
        AtIdentifier::new(self.authority()).ok()
    }

    /// The repository's DID, if it is named by one.
    pub fn did(&self) -> Option<Did> {
        Did::new(self.authority()).ok()
    }

    /// The repository's handle, if it is named by one.
    pub fn handle(&self) -> Option<Handle> {
        Handle::new(self.authority()).ok()
    }

    /// The collection's NSID, if it names one.
    pub fn collection(&self) -> Option<&str> {
        self.parts().nth(1)
    }

    /// The record key, if it names one.
    pub fn rkey(&self) -> Option<&str> {
        self.parts().nth(2)
    }

    /// The record key as a checked value.
    pub fn record_key(&self) -> Option<RecordKey> {
        RecordKey::new(self.rkey()?).ok()
    }

    /// What stands behind `#`.
    pub fn fragment(&self) -> Option<&str> {
        self.as_str().split_once('#').map(|(_, fragment)| fragment)
    }
}
