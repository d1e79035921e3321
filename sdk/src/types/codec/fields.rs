//! Decodes the fields of an object straight into place.

use std::borrow::Cow;

use compact_str::CompactString;

use super::{
    super::{Extra, Unknown},
    DataError, Entries, Field, FromData, ObjectSchema, Problem, Reader,
};
use crate::{
    server_text::{SHORT, excerpt},
    types::blob::BLOB,
};

/// Decodes the fields of one object; used by generated code.
///
/// Fields that the lexicon does not define are collected in [`Extra`]. Duplicate fields are an error, because
/// implementations differ in which of the two they use.
#[derive(Debug)]
pub struct FieldReader<'r, 'a> {
    reader: &'r mut Reader<'a>,
    entries: Entries<'a>,
    schema: &'static ObjectSchema,
    /// Whether a union has already processed the `$type`.
    tagged: bool,
    /// Whether the `$type` has been read.
    type_seen: bool,
    /// The index of the current field; the one after it is the best guess for the next.
    current: usize,
    /// A bit for each of the first 128 fields that has been read.
    seen: u128,
    /// The same for all others, which nearly no object has.
    seen_beyond: Option<Box<Beyond>>,
    extra: Extra,
}

/// A bit for each field from the 129th on.
#[derive(Debug, Default)]
struct Beyond(Vec<u128>);

/// Decodes an object outside of a union.
#[inline]
pub(super) fn object<T: FromData>(reader: &mut Reader<'_>) -> Result<T, DataError> {
    let mut fields = FieldReader::enter(reader, T::SCHEMA, false)?;
    T::read_fields(&mut fields)
}

/// Decodes an object whose `$type` a union has processed.
#[doc(hidden)]
#[inline]
pub fn tagged_object<T: FromData>(reader: &mut Reader<'_>) -> Result<Box<T>, DataError> {
    reader.take_memory(size_of::<T>())?;
    let mut fields = FieldReader::enter(reader, T::SCHEMA, true)?;
    T::read_fields(&mut fields).map(Box::new)
}

impl<'r, 'a> FieldReader<'r, 'a> {
    fn enter(
        reader: &'r mut Reader<'a>,
        schema: &'static ObjectSchema,
        tagged: bool,
    ) -> Result<Self, DataError> {
        let entries = reader.enter_map()?;
        let current = schema.fields.len();
        Ok(Self {
            reader,
            entries,
            schema,
            tagged,
            type_seen: false,
            current,
            seen: 0,
            seen_beyond: None,
            extra: Extra::default(),
        })
    }

    /// Returns the index of the next field that the lexicon defines, whose value must be read next, or `None` at the end
    /// of the object.
    ///
    /// # Errors
    ///
    /// Returns an error if the input is malformed or a field occurs twice.
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
                self.add_extra(&key)?;
            }
        }
    }

    /// Ends the object.
    #[inline]
    fn end(&self) -> Result<Option<usize>, DataError> {
        match self.extra.repeated() {
            None => Ok(None),
            Some(key) => Err(self.duplicate(key)),
        }
    }

    /// The index of the field after the current one.
    #[inline]
    fn expected(&self) -> usize {
        if self.current < self.schema.fields.len() { self.current + 1 } else { 0 }
    }

    /// Objects nearly always have their fields in the same order, so the next one is tried before the end of the name is
    /// searched for.
    #[inline]
    fn expected_json_key(&mut self) -> Option<usize> {
        let next = self.expected();
        let key = self.schema.fields.get(next)?.key.as_bytes();
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

    /// The index of a field, which is nearly always the expected one.
    #[inline]
    fn lookup(&self, key: &[u8]) -> Option<usize> {
        let expected = self.expected();
        match self.schema.fields.get(expected) {
            Some(field) if field.key.as_bytes() == key => Some(expected),
            _ => self.search(key, expected),
        }
    }

    /// Searches for the index of a field, starting at `from`.
    fn search(&self, key: &[u8], from: usize) -> Option<usize> {
        let fields = self.schema.fields;
        let (before, behind) = fields.split_at_checked(from).unwrap_or((fields, &[]));
        // Length and first byte nearly always decide, and cost less than a call that compares everything.
        let fits = |field: &Field| {
            let known = field.key.as_bytes();
            known.len() == key.len() && known.first() == key.first() && known == key
        };
        let behind_at = behind.iter().position(fits).map(|at| before.len() + at);
        behind_at.or_else(|| before.iter().position(fits))
    }

    #[inline]
    fn found(&mut self, index: usize) -> Result<usize, DataError> {
        let is_repeated = if index < 128 {
            let bit = 1_u128 << index;
            let is_repeated = self.seen & bit != 0;
            self.seen |= bit;
            is_repeated
        } else {
            self.is_repeated_beyond(index)
        };
        if is_repeated {
            return Err(self.duplicate(self.schema.fields[index].key));
        }
        self.current = index;
        Ok(index)
    }

    #[cold]
    fn is_repeated_beyond(&mut self, index: usize) -> bool {
        let Beyond(seen) = &mut **self.seen_beyond.get_or_insert_default();
        let (at, bit) = (index / 128 - 1, 1_u128 << (index % 128));
        if seen.len() <= at {
            seen.resize(at + 1, 0);
        }
        let is_repeated = seen[at] & bit != 0;
        seen[at] |= bit;
        is_repeated
    }

    #[cold]
    fn duplicate(&self, field: &str) -> DataError {
        self.reader.error(Problem::Duplicate { field: excerpt(field, SHORT).into() })
    }

    /// The `$type` of a record must be its own. That of any other object is an extra field, unless a union has processed
    /// it.
    fn type_field(&mut self) -> Result<(), DataError> {
        if std::mem::replace(&mut self.type_seen, true) {
            return Err(self.duplicate("$type"));
        }
        if self.tagged {
            return self.reader.skip();
        }
        if !self.schema.record {
            return self.add_extra("$type");
        }
        let found = self.reader.text().map_err(|error| error.in_key("$type"))?;
        if found == self.schema.id {
            return Ok(());
        }
        let found = excerpt(&found, SHORT).into();
        Err(self.reader.error(Problem::Type { expected: self.schema.id, found }))
    }

    #[cold]
    fn add_extra(&mut self, key: &str) -> Result<(), DataError> {
        // The list of fields doubles when it grows.
        self.reader.take_memory(key.len() + 2 * size_of::<(CompactString, Unknown)>())?;
        let value = self.reader.unknown().map_err(|error| error.in_key(key))?;
        self.extra.push(CompactString::new(key), value);
        Ok(())
    }

    /// Decodes the value of the current field.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not of type `T`.
    #[inline]
    pub fn value<T: FromData>(&mut self) -> Result<T, DataError> {
        match T::read(self.reader) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.in_field(error)),
        }
    }

    #[cold]
    fn in_field(&self, error: DataError) -> DataError {
        error.in_key(self.schema.fields.get(self.current).map_or("", |field| field.key))
    }

    /// Decodes the value of the current field, which is optional. A `null` that the lexicon does not allow counts as
    /// absent; it is stored as an extra field, so that it is encoded again.
    ///
    /// # Errors
    ///
    /// Returns an error if the value is not of type `T`.
    #[inline]
    pub fn optional<T: FromData>(&mut self) -> Result<Option<T>, DataError> {
        if self.reader.null()? {
            self.add_extra_null();
            return Ok(None);
        }
        self.value().map(Some)
    }

    #[cold]
    fn add_extra_null(&mut self) {
        let key = self.schema.fields.get(self.current).map_or("", |field| field.key);
        self.extra.push(CompactString::const_new(key), Unknown::null());
    }

    /// Returns the value of a required field.
    ///
    /// # Errors
    ///
    /// Returns an error if the field was absent.
    #[inline]
    pub fn required<T>(&self, value: Option<T>, index: usize) -> Result<T, DataError> {
        match value {
            Some(value) => Ok(value),
            None => Err(self.missing(index)),
        }
    }

    #[cold]
    fn missing(&self, index: usize) -> DataError {
        let field = self.schema.fields.get(index).map_or("", |field| field.key);
        self.reader.error(Problem::Missing { field, of: self.schema.id })
    }

    /// The error for a type that is not an object. The generator does not create one.
    #[cold]
    pub(super) fn not_an_object(&self) -> DataError {
        self.reader.error(Problem::Kind { expected: "another kind of value", found: "an object" })
    }

    /// Returns the fields that the lexicon does not define.
    #[inline]
    pub fn take_extra(&mut self) -> Extra {
        if self.schema.record && !self.type_seen && !self.tagged {
            self.note_lack_of_type();
        }
        std::mem::take(&mut self.extra)
    }

    /// What has a hash has bytes that must stay the same. In JSON, which callers write by hand too, the `$type` of a
    /// record is understood.
    #[cold]
    fn note_lack_of_type(&mut self) {
        if self.reader.is_cbor || self.schema.id == BLOB {
            self.extra.note_lack_of_type();
        }
    }
}
