//! Record keys (D5).

use super::{
    Tid,
    characters::{self, KEY},
    text::text_type,
};

text_type! {
    /// A [record key](https://atproto.com/specs/record-key): the name of a record within its collection.
    ///
    /// Most collections use [TIDs](super::Tid) as keys; a [`Tid`](super::Tid) converts into a record key.
    ///
    /// ```
    /// use atproto_sdk::types::RecordKey;
    ///
    /// assert!(RecordKey::new("self").is_ok());
    /// assert!(RecordKey::new("a/b").is_err());
    /// ```
    ///
    /// ```
    /// use atproto_sdk::types::{RecordKey, Tid};
    ///
    /// // A new key, later than all earlier ones.
    /// let key = RecordKey::from(Tid::now());
    /// assert_eq!(key.as_str().len(), 13);
    /// ```
    RecordKey, "record key", check, identifier
}

const BAD_CHARACTER: &str = "it has a character other than letters, digits and `._~:-`";

/// 1 to 512 letters, digits and `._~:-`, but not `.` or `..`.
#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    match scan(text.as_bytes(), 0) {
        Ok(end) if end == text.len() => Ok(()),
        Ok(_) => Err(BAD_CHARACTER),
        Err(problem) => Err(problem),
    }
}

/// Returns the end of the record key that starts at `from`, on its own or within an AT URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    let end = characters::run(bytes, from, KEY);
    if !characters::part_ends(bytes, end) {
        return Err(BAD_CHARACTER);
    }
    match end - from {
        0 => Err("it is empty"),
        1 | 2 if bytes[from] == b'.' && bytes[end - 1] == b'.' => Err("`.` and `..` are not allowed"),
        513.. => Err("it has more than 512 bytes"),
        _ => Ok(end),
    }
}

impl From<Tid> for RecordKey {
    /// What is not a valid TID stays invalid: a text that would be another valid key is left out.
    fn from(tid: Tid) -> Self {
        let changes = !tid.is_valid() && check(tid.as_str()).is_ok();
        Self(if changes { Default::default() } else { tid.as_str().into() })
    }
}
