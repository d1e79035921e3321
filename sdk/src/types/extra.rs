//! The fields of an object that its lexicon does not define.

use std::fmt;

use compact_str::CompactString;

use super::{
    Unknown,
    secret::{ShownUnknown, is_secret},
};

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
pub struct Extra(Option<Box<Kept>>);

/// One pointer, in every object, leads to what is nearly always absent.
#[derive(Clone, Default)]
struct Kept {
    fields: Vec<(CompactString, Unknown)>,
    /// Whether the object is a record, or a blob, that was read without its `$type`.
    lacks_type: bool,
}

impl Extra {
    /// Returns the number of fields.
    pub fn len(&self) -> usize {
        self.fields().len()
    }

    /// Returns `true` if there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
    }

    fn fields(&self) -> &[(CompactString, Unknown)] {
        self.0.as_ref().map_or(&[], |kept| &kept.fields)
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
        let fields = &mut self.0.get_or_insert_default().fields;
        match fields.iter_mut().find(|(key, _)| *key == name) {
            Some((_, old)) => Some(std::mem::replace(old, value)),
            None => {
                fields.push((name, value));
                None
            }
        }
    }

    fn at(&self, index: usize) -> Option<(&str, &Unknown)> {
        self.fields().get(index).map(|(key, value)| (key.as_str(), value))
    }

    /// Adds a field without checking whether there already is one with that name.
    pub(super) fn push(&mut self, name: CompactString, value: Unknown) {
        self.0.get_or_insert_default().fields.push((name, value));
    }

    /// Notes that the object had no `$type` where it belongs, so that its bytes stay the same.
    #[cold]
    pub(super) fn note_lack_of_type(&mut self) {
        self.0.get_or_insert_default().lacks_type = true;
    }

    /// Whether the object had no `$type` where it belongs.
    #[inline]
    pub(super) fn lacks_type(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.lacks_type)
    }

    /// Returns a name that occurs more than once. Checked at the end, in one pass: a hostile sender chooses how many
    /// fields there are, and a search for each of them would take quadratic time.
    pub(super) fn repeated(&self) -> Option<&str> {
        let fields = &self.0.as_ref()?.fields;
        if fields.len() < 2 {
            return None;
        }
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<Unknown> {
        let kept = self.0.as_mut()?;
        let at = kept.fields.iter().position(|(key, _)| key == name)?;
        let (_, value) = kept.fields.remove(at);
        if kept.fields.is_empty() && !kept.lacks_type {
            self.0 = None;
        }
        Some(value)
    }

    /// Iterates over the fields in the order in which they were read or inserted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Unknown)> {
        self.fields().iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// Shows the fields, without the values of those whose names are those of secrets, such as `accessToken`.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(key, value)| (key, ShownUnknown { value, is_hidden: is_secret(key) });
        f.debug_map().entries(self.iter().map(shown)).finish()
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
