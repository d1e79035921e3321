//! DID or handle.

use super::{Did, Handle, did, handle, text::text_type};

text_type! {
    folded
    /// A [DID](Did) or a [handle](Handle), the two kinds of identifiers of an account.
    ///
    /// Handles compare case-insensitively; DIDs are case-sensitive.
    ///
    /// ```
    /// use atproto_sdk::types::AtIdentifier;
    ///
    /// let account = AtIdentifier::new("alice.example.com")?;
    /// assert!(account.handle().is_some() && account.did().is_none());
    /// assert_eq!(account, AtIdentifier::new("Alice.Example.COM")?);
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    AtIdentifier, "DID or handle", check, identifier
}

#[inline]
pub(super) const fn check(text: &str) -> Result<(), &'static str> {
    if did::begins(text.as_bytes(), 0) { did::check(text) } else { handle::check(text) }
}

/// Returns the end of the DID or handle that starts at `from`, on its own or within an AT URI.
#[inline]
pub(super) const fn scan(bytes: &[u8], from: usize) -> Result<usize, &'static str> {
    if did::begins(bytes, from) { did::scan(bytes, from) } else { handle::scan(bytes, from) }
}

impl AtIdentifier {
    /// Returns the DID, or `None` if this is a handle.
    ///
    /// ```
    /// use atproto_sdk::{did, types::AtIdentifier};
    ///
    /// let account = AtIdentifier::from(did!("did:web:example.com"));
    /// assert_eq!(account.did(), Some(did!("did:web:example.com")));
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn did(&self) -> Option<Did> {
        Did::new(self).ok()
    }

    /// Returns the handle, or `None` if this is a DID.
    pub fn handle(&self) -> Option<Handle> {
        Handle::new(self).ok()
    }
}

macro_rules! from {
    ($($name:ident)*) => { $(
        impl From<$name> for AtIdentifier {
            fn from(value: $name) -> Self {
                Self::from(&value)
            }
        }

        impl From<&$name> for AtIdentifier {
            /// What is not valid stays so: a text that would be a valid identifier of the other kind is left out.
            fn from(value: &$name) -> Self {
                let changes = !value.is_valid() && check(value.as_str()).is_ok();
                Self(if changes { Default::default() } else { value.as_str().into() })
            }
        }
    )* };
}

from! { Did Handle }
