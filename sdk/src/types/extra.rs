//! The fields of an object that its lexicon does not define.

use std::fmt;

use compact_str::CompactString;

use super::Unknown;

/// The fields of an object that its lexicon does not define.
///
/// They are encoded again with the object, so a record that is read, modified and written back loses nothing. An empty
/// `Extra` is the size of a pointer and does not allocate.
///
/// ```
/// use atproto_sdk::{api::app::bsky::feed::post::Post, types::{Data as _, from_json}};
///
/// let mut post: Post = from_json(
///     r#"{"text":"hi","createdAt":"2026-01-02T03:04:05Z","com.example.mood":"calm"}"#,
/// )?;
/// assert_eq!(post.extra.get("com.example.mood").unwrap().as_json(), "\"calm\"");
///
/// post.text = "hello".into();
/// assert!(post.to_json()?.contains(r#""com.example.mood":"calm""#));
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Clone, Default)]
#[allow(clippy::box_collection, reason = "one pointer, in every object, for what is nearly always absent")]
pub struct Extra(Option<Box<Vec<(CompactString, Unknown)>>>);

impl Extra {
    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |fields| fields.len())
    }

    /// Returns `true` if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the field with the given name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Unknown> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Sets a field and returns its previous value.
    ///
    /// A field that the lexicon defines must be set on the object itself. If it is set here too, the object's own value
    /// takes precedence.
    ///
    /// ```
    /// use atproto_sdk::{api::app::bsky::actor::profile::Profile, types::{Data as _, Unknown}};
    ///
    /// let mut profile = Profile::new();
    /// profile.extra.insert("com.example.mood", Unknown::from("calm"));
    /// assert_eq!(profile.to_json()?, r#"{"$type":"app.bsky.actor.profile","com.example.mood":"calm"}"#);
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn insert(&mut self, name: impl Into<CompactString>, value: Unknown) -> Option<Unknown> {
        let name = name.into();
        let fields = self.0.get_or_insert_default();
        match fields.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                fields.push((name, value));
                None
            }
        }
    }

    fn at(&self, index: usize) -> Option<(&str, &Unknown)> {
        self.0.as_ref()?.get(index).map(|(key, value)| (key.as_str(), value))
    }

    /// Adds a field without checking whether there already is one with that name.
    pub(super) fn push(&mut self, name: CompactString, value: Unknown) {
        self.0.get_or_insert_default().push((name, value));
    }

    /// Returns a name that occurs more than once. Checked at the end, in one pass: a hostile sender chooses how many
    /// fields there are, and a search for each of them would take quadratic time.
    pub(super) fn repeated(&self) -> Option<&str> {
        let fields = self.0.as_ref().filter(|fields| fields.len() > 1)?;
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Unknown> {
        let fields = self.0.as_mut()?;
        let at = fields.iter().position(|(key, _)| key == name)?;
        let (_, value) = fields.remove(at);
        if fields.is_empty() {
            self.0 = None;
        }
        Some(value)
    }

    /// Iterates over the fields in the order in which they were read or inserted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Unknown)> {
        self.0.iter().flat_map(|fields| fields.iter()).map(|(key, value)| (key.as_str(), value))
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Compares fields by name, regardless of their order.
impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        let sorted = |extra: &Self| {
            let mut order: Vec<usize> = (0..extra.len()).collect();
            order.sort_by_key(|at| extra.at(*at).map(|(key, _)| key));
            order
        };
        self.len() == other.len()
            && (self.iter().eq(other.iter())
                || sorted(self).into_iter().zip(sorted(other)).all(|(a, b)| self.at(a) == other.at(b)))
    }
}
