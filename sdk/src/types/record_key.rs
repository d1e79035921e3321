//! Record keys (D5).

use super::{Tid, text::text_type};

text_type! {
    /// The key of a record in its collection.
    ///
    /// ```
    /// use atproto_sdk::types::RecordKey;
    ///
    /// assert!(RecordKey::new("self").is_ok());
    /// assert!(RecordKey::new("a/b").is_err());
    /// ```
    RecordKey, "record key", check, checked
}

/// 1 to 512 letters, digits and `._~:-`, but not `.` or `..`.
pub(super) fn check(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("it is empty"),
        "." | ".." => Err("`.` and `..` are not allowed"),
        _ if text.len() > 512 => Err("it has more than 512 bytes"),
        _ if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~:-".contains(&byte)) => {
            Err("it has a character other than letters, digits and `._~:-`")
        }
        _ => Ok(()),
    }
}

impl From<Tid> for RecordKey {
    fn from(tid: Tid) -> Self {
        Self(tid.as_str().into())
    }
}
