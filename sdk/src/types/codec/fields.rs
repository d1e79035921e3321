//! Reading the fields of an object straight into place.

use std::borrow::Cow;

use compact_str::CompactString;

use super::{
    super::{Extra, Unknown},
    About, DataError, Entries, Field, FromData, Problem, Reader,
};

/// Reads the fields of one object; what generated code is written against.
///
/// Names that the lexicon does not know land in [`Extra`]. A field may stand there once only: which of two would count
/// differs from one implementation to the next.
#[derive(Debug)]
pub struct FieldReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    entries: Entries<'a>,
    about: &'static About,
    /// Whether the `$type` has been seen to before, by a union.
    tagged: bool,
    /// Whether the `$type` has been passed.
    type_seen: bool,
    /// The field at hand, and so the best guess for the next one is the one behind it.
    current: usize,
    /// Fields read so far. Fields beyond the 128th are not watched; no lexicon comes near.
    seen: u128,
    extra: Extra,
}

/// Reads an object that stands for itself.
#[inline]
pub(super) fn object<T: FromData>(reader: &mut Reader<'_>) -> Result<T, DataError> {
    let mut fields = FieldReader::enter(reader, T::ABOUT, false)?;
    T::read_fields(&mut fields)
}

/// Reads an object whose `$type` a union has seen to.
#[doc(hidden)]
#[inline]
pub fn tagged_object<T: FromData>(reader: &mut Reader<'_>) -> Result<Box<T>, DataError> {
    let mut fields = FieldReader::enter(reader, T::ABOUT, true)?;
    T::read_fields(&mut fields).map(Box::new)
}

impl<'r, 'a> FieldReader<'r, 'a> {
    fn enter(reader: &'r mut Reader<'a>, about: &'static About, tagged: bool) -> Result<Self, DataError> {
        let entries = reader.enter_map()?;
        let current = about.fields.len();
        Ok(Self {
            reader,
            entries,
            about,
            tagged,
            type_seen: false,
            current,
            seen: 0,
            extra: Extra::default(),
        })
    }

    /// The number of the next field that the lexicon knows; its value is then to be read.
    ///
    /// # Errors
    /// When the input is broken, or a field stands there twice.
    pub fn next_field(&mut self) -> Result<Option<usize>, DataError> {
        loop {
            let key = if self.reader.is_cbor {
                let Some(key) = self.reader.cbor_next_key_bytes(&mut self.entries)? else {
                    return self.end();
                };
                if let Some(index) = self.lookup(key) {
                    return self.found(index).map(Some);
                }
                Cow::Borrowed(self.reader.cbor_key_text(key)?)
            } else {
                if !self.reader.json_next_entry(&mut self.entries)? {
                    return self.end();
                }
                if let Some(index) = self.expected_json_key() {
                    self.reader.json_colon()?;
                    return self.found(index).map(Some);
                }
                let key = self.reader.json_text()?;
                self.reader.json_colon()?;
                if let Some(index) = self.lookup(key.as_bytes()) {
                    return self.found(index).map(Some);
                }
                key
            };
            if key == "$type" {
                self.type_field()?;
            } else {
                self.keep(&key)?;
            }
        }
    }

    /// The end of the object.
    #[inline]
    fn end(&self) -> Result<Option<usize>, DataError> {
        match self.extra.repeated() {
            None => Ok(None),
            Some(key) => Err(self.twice(key)),
        }
    }

    /// The number of the field behind the one at hand.
    #[inline]
    fn expected(&self) -> usize {
        if self.current < self.about.fields.len() { self.current + 1 } else { 0 }
    }

    /// Objects nearly always have their fields in the same order: the one behind the last one is tried without looking
    /// for the name's end.
    #[inline]
    fn expected_json_key(&mut self) -> Option<usize> {
        let next = self.expected();
        let key = self.about.fields.get(next)?.key.as_bytes();
        let rest = self.reader.bytes.get(self.reader.at + 1..)?;
        let fits = rest.first() == key.first()
            && rest.get(key.len()) == Some(&b'"')
            && rest.get(..key.len())? == key;
        if !fits {
            return None;
        }
        self.reader.at += key.len() + 2;
        Some(next)
    }

    /// The number of a field, which is nearly always the expected one.
    #[inline]
    fn lookup(&self, key: &[u8]) -> Option<usize> {
        let expected = self.expected();
        match self.about.fields.get(expected) {
            Some(field) if field.key.as_bytes() == key => Some(expected),
            _ => self.search(key, expected),
        }
    }

    /// The number of a field, looked for from one onwards.
    fn search(&self, key: &[u8], from: usize) -> Option<usize> {
        let fields = self.about.fields;
        let (before, behind) = fields.split_at_checked(from).unwrap_or((fields, &[]));
        // Length and first letter nearly always decide, and cost less than a call that compares all.
        let fits = |field: &Field| {
            let known = field.key.as_bytes();
            known.len() == key.len() && known.first() == key.first() && known == key
        };
        let behind_at = behind.iter().position(fits).map(|at| before.len() + at);
        behind_at.or_else(|| before.iter().position(fits))
    }

    #[inline]
    fn found(&mut self, index: usize) -> Result<usize, DataError> {
        let bit = if index < 128 { 1_u128 << index } else { 0 };
        if self.seen & bit != 0 {
            return Err(self.twice(self.about.fields[index].key));
        }
        self.seen |= bit;
        self.current = index;
        Ok(index)
    }

    #[cold]
    fn twice(&self, field: &str) -> DataError {
        self.reader.error(Problem::Duplicate { field: field.into() })
    }

    /// A record's `$type` must be its own; that of another object is kept, unless a union has it.
    fn type_field(&mut self) -> Result<(), DataError> {
        if std::mem::replace(&mut self.type_seen, true) {
            return Err(self.twice("$type"));
        }
        if self.tagged {
            return self.reader.skip();
        }
        if !self.about.record {
            return self.keep("$type");
        }
        let found = self.reader.text().map_err(|error| error.in_key("$type"))?;
        if found == self.about.id {
            return Ok(());
        }
        let found = found.chars().take(200).collect::<String>().into();
        Err(self.reader.error(Problem::Type { expected: self.about.id, found }))
    }

    #[cold]
    fn keep(&mut self, key: &str) -> Result<(), DataError> {
        let value = self.reader.unknown().map_err(|error| error.in_key(key))?;
        self.extra.push(CompactString::new(key), value);
        Ok(())
    }

    /// The value of the field at hand.
    ///
    /// # Errors
    /// When it is not of the type.
    #[inline]
    pub fn value<T: FromData>(&mut self) -> Result<T, DataError> {
        match T::read(self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.in_field(error)),
        }
    }

    #[cold]
    fn in_field(&self, error: DataError) -> DataError {
        error.in_key(self.about.fields.get(self.current).map_or("", |field| field.key))
    }

    /// The value of the field at hand, which need not be there. A `null` that the lexicon does not allow counts as
    /// absent and is kept, so that it is written back.
    ///
    /// # Errors
    /// When it is not of the type.
    #[inline]
    pub fn optional<T: FromData>(&mut self) -> Result<Option<T>, DataError> {
        if self.reader.null()? {
            self.keep_null();
            return Ok(None);
        }
        self.value().map(Some)
    }

    #[cold]
    fn keep_null(&mut self) {
        let key = self.about.fields.get(self.current).map_or("", |field| field.key);
        self.extra.push(CompactString::const_new(key), Unknown::null());
    }

    /// What has been read of a field that has to be there.
    ///
    /// # Errors
    /// When it was absent.
    #[inline]
    pub fn required<T>(&self, value: Option<T>, index: usize) -> Result<T, DataError> {
        match value {
            Some(value) => Ok(value),
            None => Err(self.missing(index)),
        }
    }

    #[cold]
    fn missing(&self, index: usize) -> DataError {
        let field = self.about.fields.get(index).map_or("", |field| field.key);
        self.reader.error(Problem::Missing { field, of: self.about.id })
    }

    /// The error for a type that is no object after all; the generator makes none.
    #[cold]
    pub(super) fn no_object(&self) -> DataError {
        self.reader.error(Problem::Kind { expected: "another kind of value", found: "an object" })
    }

    /// The fields that the lexicon does not know.
    #[inline]
    pub fn take_extra(&mut self) -> Extra {
        std::mem::take(&mut self.extra)
    }
}
