//! Keys of the tree.

use std::{cmp::Ordering, fmt, ops::Deref};

use super::node::layer_of;
use crate::sha256;

/// The length up to which a key is stored without an allocation. Nearly all keys of the network are shorter.
const SHORT: usize = 46;

/// A key, which is text.
#[derive(Clone)]
pub(in crate::repo) struct Key(Form);

#[derive(Clone)]
enum Form {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(Box<str>),
}

impl Key {
    /// Makes a key of two parts. Returns `None` if they are not text.
    #[inline]
    pub(super) fn join(beginning: &[u8], rest: &[u8]) -> Option<Self> {
        let length = beginning.len() + rest.len();
        if length > SHORT {
            let text = String::from_utf8([beginning, rest].concat()).ok()?;
            return Some(Self(Form::Long(text.into_boxed_str())));
        }
        let mut bytes = [0; SHORT];
        bytes[..beginning.len()].copy_from_slice(beginning);
        bytes[beginning.len()..length].copy_from_slice(rest);
        // All bytes of a fixed number at once; those behind the key are zero.
        if !bytes.is_ascii() {
            std::str::from_utf8(&bytes[..length]).ok()?;
        }
        Some(Self(Form::Short { length: length as u8, bytes }))
    }

    /// Returns the layer of the tree that the key belongs to.
    #[inline]
    pub(in crate::repo) fn layer(&self) -> usize {
        match &self.0 {
            Form::Short { length, bytes } => sha256::leading_zeros_padded(bytes, *length) / 2,
            Form::Long(text) => layer_of(text.as_bytes()),
        }
    }

    #[inline]
    pub(in crate::repo) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Form::Short { length, bytes } => &bytes[..usize::from(*length)],
            Form::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        // Text is text.
        Self::join(text.as_bytes(), &[]).unwrap_or_else(|| Self(Form::Long(text.into())))
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            // Checked when the key was made.
            Form::Short { .. } => std::str::from_utf8(self.as_bytes()).unwrap_or_default(),
            Form::Long(text) => text,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Key, layer_of};

    #[test]
    fn keys_of_every_length_are_what_they_were_made_of() {
        let text = "ä".repeat(60);
        for length in (0..text.len()).step_by(2) {
            let key = Key::from(&text[..length]);
            assert_eq!(key.layer(), layer_of(key.as_bytes()));
            assert_eq!((&*key, key.as_bytes()), (&text[..length], &text.as_bytes()[..length]));
            for at in 0..length {
                assert_eq!(
                    Key::join(&text.as_bytes()[..at], &text.as_bytes()[at..length]),
                    Some(key.clone())
                );
            }
            assert_eq!(Key::join(&text.as_bytes()[..length], &[0xc3]), None);
            assert!(Key::from(&*format!("{}b", &*key)) > Key::from(&*format!("{}a", &*key)));
        }
    }
}
