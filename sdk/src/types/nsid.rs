//! Namespaced identifiers (D5).

use super::{
    characters::{self, ALPHANUMERIC, LABEL},
    handle::check_label,
    text::text_type,
};

text_type! {
    /// A [namespaced identifier](https://atproto.com/specs/nsid) (NSID), the name of a lexicon: a domain name in reverse,
    /// followed by a name.
    ///
    /// ```
    /// use atproto_sdk::types::Nsid;
    ///
    /// let nsid = Nsid::new("com.atproto.repo.listRecords")?;
    /// assert_eq!((nsid.authority(), nsid.name()), ("com.atproto.repo", "listRecords"));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Nsid, "NSID", check, identifier
}

const BAD_CHARACTER: &str = "it has a character other than letters, digits, hyphens and dots";

/// At least three segments: domain labels, followed by a name of letters and digits; at most 317 bytes.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    match scan(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(BAD_CHARACTER),
        Err(problem) => Err(problem),
    }
}

/// Returns the end of the NSID that starts at `from`, on its own or within an AT URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    let mut start = from;
    let mut labels = 0;
    // The labels of the domain; what follows the last dot is the name.
    let end = loop {
        let end = characters::run(bytes, start, LABEL);
        if characters::part_ends(bytes, end) {
            break end;
        }
        if bytes[end] != b'.' {
            return Err(BAD_CHARACTER);
        }
        if let Err(problem) = check_label(bytes, start, end) {
            return Err(problem);
        }
        labels += 1;
        start = end + 1;
    };
    if labels < 2 {
        return Err("it has fewer than three segments");
    }
    if bytes[from].is_ascii_digit() {
        return Err("its first segment begins with a digit");
    }
    if end == start || !bytes[start].is_ascii_alphabetic() {
        return Err("its name does not begin with a letter");
    }
    if end - start > 63 || characters::run(bytes, start, ALPHANUMERIC) != end {
        return Err("its name is not made of at most 63 letters and digits");
    }
    // No limit for the domain alone: the network has NSIDs whose domain no name server could answer for.
    if end - from > 317 {
        return Err("it has more than 317 bytes");
    }
    Ok(end)
}

impl Nsid {
    /// An NSID that the generator has checked.
    pub(crate) fn known(text: &'static str) -> Self {
        Self(compact_str::CompactString::const_new(text))
    }

    /// Returns everything before the last segment: the domain name in reverse order. It is empty if the NSID was decoded
    /// and is not valid.
    pub fn authority(&self) -> &str {
        self.parts().0
    }

    /// Returns the last segment; empty if the NSID was decoded and is not valid.
    ///
    /// ```
    /// use atproto_sdk::nsid;
    ///
    /// assert_eq!(nsid!("app.bsky.feed.post").name(), "post");
    /// ```
    pub fn name(&self) -> &str {
        self.parts().1
    }

    /// The authority and the name.
    fn parts(&self) -> (&str, &str) {
        self.as_str().rsplit_once('.').filter(|_| self.is_valid()).unwrap_or_default()
    }
}
