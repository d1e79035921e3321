//! Namespaced identifiers (D5).

use super::{handle::check_label, text::text_type};

text_type! {
    /// The name of a lexicon: a domain in reverse, then a name.
    ///
    /// ```
    /// use atproto_sdk::types::Nsid;
    ///
    /// let nsid = Nsid::new("com.atproto.repo.listRecords")?;
    /// assert_eq!((nsid.authority(), nsid.name()), ("com.atproto.repo", "listRecords"));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    Nsid, "NSID", check, checked
}

/// At least three segments; the last a name of letters and digits, the others labels of a domain; at most 317 bytes.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.len() > 317 {
        return Err("it has more than 317 bytes");
    }
    let Some((authority, name)) = text.rsplit_once('.') else {
        return Err("it has fewer than three segments");
    };
    if authority.len() > 253 {
        return Err("its domain has more than 253 bytes");
    }
    if !authority.contains('.') {
        return Err("it has fewer than three segments");
    }
    for label in authority.split('.') {
        check_label(label)?;
    }
    if authority.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("its first segment begins with a digit");
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err("its name does not begin with a letter");
    }
    if name.len() > 63 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("its name is not made of at most 63 letters and digits");
    }
    Ok(())
}

impl Nsid {
    /// A text that the generator has checked.
    pub(super) fn known(text: &'static str) -> Self {
        Self(compact_str::CompactString::const_new(text))
    }

    /// The domain in reverse.
    pub fn authority(&self) -> &str {
        self.as_str().rsplit_once('.').map_or("", |(authority, _)| authority)
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.as_str().rsplit_once('.').map_or("", |(_, name)| name)
    }
}
