//! What a conditional write expects to find.

/// What must be in the place that is written to for a write to go through: in a session store,
/// under a key, and in a repository, under a record key.
///
/// It is exhaustive, because a store has to handle every case.
///
/// ```
/// use atproto_sdk::types::Expected;
///
/// assert!(Expected::Any.matches(Some(7)));
/// assert!(Expected::Absent.matches(None::<i32>));
/// assert!(!Expected::Version(8).matches(Some(7)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store has to handle every case")]
pub enum Expected<V> {
    /// Anything, or nothing at all: the write is unconditional.
    Any,
    /// Nothing: the entry must be new.
    Absent,
    /// The entry of this version.
    Version(V),
}

impl<V: PartialEq> Expected<V> {
    /// Returns whether an entry of this version, or no entry, is what is expected.
    pub fn matches(self, found: Option<V>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => found.is_none(),
            Self::Version(version) => found == Some(version),
        }
    }
}
