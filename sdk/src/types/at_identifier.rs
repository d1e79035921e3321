//! DID or handle.

use super::{Did, Handle, did, handle, text::text_type};

text_type! {
    /// A DID or a handle.
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

pub(super) fn check(text: &str) -> Result<(), &'static str> {
    if text.starts_with("did:") { did::check(text) } else { handle::check(text) }
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
