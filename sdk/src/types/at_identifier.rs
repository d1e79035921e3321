//! DID or handle.

use super::{Did, Handle, did, handle, text::text_type};

text_type! {
    folded
    /// A DID or a handle. Upper and lower case of a handle are the same.
    ///
    /// ```
    /// use atproto_sdk::types::{AtIdentifier, Did};
    ///
    /// let did = Did::new("did:web:example.com")?;
    /// assert_eq!(AtIdentifier::from(&did).did(), Some(did));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    AtIdentifier, "DID or handle", check, checked
}

#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    if did::begins(text.as_bytes(), 0) { did::check(text) } else { handle::check(text) }
}

/// Where the DID or handle ends that begins at a position, alone or as a part of an AT-URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    if did::begins(bytes, from) { did::scan(bytes, from) } else { handle::scan(bytes, from) }
}

impl AtIdentifier {
    /// The DID, if it is one.
    pub fn did(&self) -> Option<Did> {
        Did::new(self).ok()
    }

    /// The handle, if it is one.
    pub fn handle(&self) -> Option<Handle> {
        Handle::new(self).ok()
    }
}

macro_rules! from {
    ($($name:ident)*) => { $(
        impl From<$name> for AtIdentifier {
            fn from(value: $name) -> Self {
                Self(value.as_str().into())
            }
        }

        impl From<&$name> for AtIdentifier {
            fn from(value: &$name) -> Self {
                Self(value.as_str().into())
            }
        }
    )* };
}

from! { Did Handle }
