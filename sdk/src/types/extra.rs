//! The fields of an object that its lexicon does not name.

use std::fmt;

use compact_str::CompactString;

use super::Unknown;

/// Fields that came with an object and that its lexicon does not name; they are written back as they came.
///
/// Costs one pointer, and nothing else, as long as there are none.
#[derive(Clone, Default)]
#[allow(clippy::box_collection, reason = "one pointer, in every object, for what is nearly always absent")]
pub struct Extra(Option<Box<Vec<(CompactString, Unknown)>>>);

impl Extra {
    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |fields| fields.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Unknown> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Sets a field and gives what it was before.
    ///
    /// A name that the lexicon does know does not belong here: it would be written twice.
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

    /// Adds a field without looking whether there is one of that name.
    pub(super) fn push(&mut self, name: CompactString, value: Unknown) {
        self.0.get_or_insert_default().push((name, value));
    }

    /// A name that more than one field has. Not looked for while fields are added: somebody else says how many there are.
    pub(super) fn repeated(&self) -> Option<&str> {
        let fields = self.0.as_ref().filter(|fields| fields.len() > 1)?;
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Takes a field out.
    pub fn remove(&mut self, name: &str) -> Option<Unknown> {
        let fields = self.0.as_mut()?;
        let at = fields.iter().position(|(key, _)| key == name)?;
        let (_, value) = fields.remove(at);
        if fields.is_empty() {
            self.0 = None;
        }
        Some(value)
    }

    /// The fields in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Unknown)> {
        self.0.iter().flat_map(|fields| fields.iter()).map(|(key, value)| (key.as_str(), value))
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Equal when the same fields have the same values, in whatever order.
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
