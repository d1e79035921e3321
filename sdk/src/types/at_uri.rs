//! AT-URIs (D5).

use super::{AtIdentifier, Did, Nsid, RecordKey, at_identifier, nsid, record_key, text::text_type};

text_type! {
    /// The address of a repository, a collection or a record.
    ///
    /// ```
    /// use atproto_sdk::types::AtUri;
    ///
    /// let uri = AtUri::new("at://did:web:example.com/app.bsky.feed.post/3jzfcijpj2z2a")?;
    /// assert_eq!(uri.collection().unwrap(), "app.bsky.feed.post");
    /// assert_eq!(uri.rkey().unwrap(), "3jzfcijpj2z2a");
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    AtUri, "AT-URI", check, checked
}

/// `at://`, a DID or handle, then a collection, then a record key, then a fragment; at most 8 KB.
fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > 8192 {
        return Err("it has more than 8192 bytes");
    }
    let Some(rest) = text.strip_prefix("at://") else { return Err("it does not begin with `at://`") };
    let (path, fragment) = match rest.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (rest, None),
    };
    let mut parts = path.split('/');
    at_identifier::check(parts.next().unwrap_or_default())?;
    if let Some(collection) = parts.next() {
        nsid::check(collection)
            .map_err(|problem| if collection.is_empty() { "it ends with a slash" } else { problem })?;
    }
    if let Some(rkey) = parts.next() {
        record_key::check(rkey)
            .map_err(|problem| if rkey.is_empty() { "it ends with a slash" } else { problem })?;
    }
    if parts.next().is_some() {
        return Err("it has more parts than repository, collection and record key");
    }
    match fragment {
        None => Ok(()),
        Some(fragment) => {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:@!$&')(*+,;=%[]/-".contains(&byte);
            let fits = fragment.len() > 1 && fragment.starts_with('/') && fragment.bytes().all(allowed);
            if fits { Ok(()) } else { Err("its fragment is not a path") }
        }
    }
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
