//! Encodes DAG-CBOR in its canonical form (D3).

use super::{
    super::{Blob, Cid, Unknown, Value, blob::Form},
    Data, DataError, List, MAX_DEPTH, ObjectView, Problem, Shape,
};

pub(super) fn write(data: &dyn Data) -> Result<Vec<u8>, DataError> {
    let mut writer =
        Writer { out: Vec::with_capacity(512), entries: Vec::new(), sorted: Vec::new(), depth: 0 };
    writer.shape(data.shape())?;
    Ok(writer.out)
}

/// Writes the head of a value in its shortest form.
#[inline]
pub(crate) fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | argument as u8),
        24..0x100 => out.extend([major | 24, argument as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((argument as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

struct Writer {
    out: Vec<u8>,
    /// The entries of the open maps, innermost last.
    entries: Vec<Entry>,
    /// A buffer for sorting entries.
    sorted: Vec<u8>,
    depth: u8,
}

/// The position of a map's entry in the output; it ends where the next one begins.
#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    key: usize,
    value: usize,
}

/// A map that is being encoded.
struct Open {
    start: usize,
    first_entry: usize,
}

impl Writer {
    fn head(&mut self, major: u8, argument: u64) {
        head(&mut self.out, major, argument);
    }

    fn shape(&mut self, shape: Shape<'_>) -> Result<(), DataError> {
        match shape {
            Shape::Absent | Shape::Null => self.out.push(0xf6),
            Shape::Boolean(value) => self.out.push(if value { 0xf5 } else { 0xf4 }),
            Shape::Integer(value) => self.integer(value),
            Shape::Text(text) | Shape::Format(text, _) => self.text(text),
            Shape::CidText(cid) => cid.with_text(|text| self.text(text)),
            Shape::Link(cid) => self.link(cid)?,
            Shape::Bytes(bytes) => self.bytes(bytes),
            Shape::Blob(blob) => self.blob(blob)?,
            Shape::List(list) => self.list(list)?,
            Shape::Object(object) => self.object(None, &object)?,
            Shape::Tagged(tag, data) => match data.shape() {
                Shape::Object(object) => self.object(Some(tag), &object)?,
                shape => self.shape(shape)?,
            },
            Shape::Unknown(value) | Shape::Other(value) => self.unknown(value)?,
            Shape::Value(value) => self.value(value)?,
            Shape::Owned(value) => self.value(&(*value)?)?,
        }
        Ok(())
    }

    fn integer(&mut self, value: i64) {
        if value < 0 { self.head(1, !(value as u64)) } else { self.head(0, value as u64) }
    }

    fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.head(2, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn link(&mut self, cid: &Cid) -> Result<(), DataError> {
        let problem = Problem::Form("only a CID of version 1 with SHA-256 and DAG-CBOR or raw can be a link");
        let bytes = cid.as_bytes().ok_or_else(|| DataError::new(problem))?;
        self.head(6, 42);
        self.head(2, bytes.len() as u64 + 1);
        self.out.push(0);
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn enter(&mut self) -> Result<(), DataError> {
        if self.depth == MAX_DEPTH {
            return Err(DataError::new(Problem::Depth));
        }
        self.depth += 1;
        Ok(())
    }

    fn list(&mut self, list: &dyn List) -> Result<(), DataError> {
        self.enter()?;
        self.head(4, list.length() as u64);
        for index in 0..list.length() {
            if let Some(item) = list.get(index) {
                self.shape(item.shape()).map_err(|error| error.in_index(index))?;
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn open(&mut self) -> Result<Open, DataError> {
        self.enter()?;
        let open = Open { start: self.out.len(), first_entry: self.entries.len() };
        // A placeholder for the head of a small map.
        self.out.push(0);
        Ok(open)
    }

    fn key(&mut self, key: &str) {
        let start = self.out.len();
        self.text(key);
        let value = self.out.len();
        self.entries.push(Entry { start, key: value - key.len(), value });
    }

    /// Writes the head and sorts the entries by their keys: by length, then by bytes.
    fn close(&mut self, open: &Open) -> Result<(), DataError> {
        self.depth -= 1;
        let (out, entries) = (&mut self.out, &self.entries[open.first_entry..]);
        let count = entries.len();
        let key = |entry: &Entry| (entry.value - entry.key, &out[entry.key..entry.value]);
        if entries.windows(2).any(|pair| key(&pair[0]) >= key(&pair[1])) {
            let end = out.len();
            let mut order: Vec<(Entry, usize)> = entries
                .iter()
                .enumerate()
                .map(|(number, entry)| (*entry, entries.get(number + 1).map_or(end, |next| next.start)))
                .collect();
            order.sort_by(|(a, _), (b, _)| key(a).cmp(&key(b)));
            if let Some(pair) = order.windows(2).find(|pair| key(&pair[0].0) == key(&pair[1].0)) {
                let field = String::from_utf8_lossy(key(&pair[0].0).1).into();
                return Err(DataError::new(Problem::Duplicate { field }));
            }
            let first = open.start + 1;
            self.sorted.clear();
            for (entry, end) in &order {
                self.sorted.extend_from_slice(&out[entry.start..*end]);
            }
            out[first..].copy_from_slice(&self.sorted);
        }
        self.entries.truncate(open.first_entry);
        if count < 24 {
            self.out[open.start] = 0xa0 | count as u8;
        } else {
            let body = self.out.split_off(open.start + 1);
            self.out.truncate(open.start);
            self.head(5, count as u64);
            self.out.extend_from_slice(&body);
        }
        Ok(())
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), DataError> {
        let blob = match blob.form() {
            Form::Current(blob) => blob,
            Form::AsRead(blob) => return self.unknown(&blob.raw),
        };
        let open = self.open()?;
        self.key("ref");
        self.link(&blob.cid).map_err(|error| error.in_key("ref"))?;
        self.key("size");
        self.integer(blob.size);
        self.key("$type");
        self.text("blob");
        self.key("mimeType");
        self.text(&blob.mime_type);
        for (key, value) in blob.extra.iter() {
            self.key(key);
            self.unknown(value).map_err(|error| error.in_key(key))?;
        }
        self.close(&open)
    }

    fn object(&mut self, tag: Option<&'static str>, object: &ObjectView<'_>) -> Result<(), DataError> {
        let open = self.open()?;
        let tag = if object.lacks_type() { tag } else { object.tag(tag) };
        if let Some(tag) = tag {
            self.key("$type");
            self.text(tag);
        }
        let mut result = Ok(());
        object.each_present(|field, shape| {
            if result.is_err() {
                return;
            }
            let key = field.key;
            self.key(key);
            result = self.shape(shape).map_err(|error| error.in_key(key));
        });
        result?;
        for (key, value) in super::extra_of(object, tag.is_some()) {
            self.key(key);
            self.unknown(value).map_err(|error| error.in_key(key))?;
        }
        self.close(&open)
    }

    fn unknown(&mut self, value: &Unknown) -> Result<(), DataError> {
        match value.raw_cbor() {
            Some(cbor) => {
                self.out.extend_from_slice(cbor);
                Ok(())
            }
            None => self.value(&value.to_value()?),
        }
    }

    fn value(&mut self, value: &Value) -> Result<(), DataError> {
        match value {
            Value::Null => self.out.push(0xf6),
            Value::Boolean(value) => return self.shape(Shape::Boolean(*value)),
            Value::Integer(value) => self.integer(*value),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Link(cid) => self.link(cid)?,
            Value::Blob(blob) => self.blob(blob)?,
            Value::List(list) => {
                self.enter()?;
                self.head(4, list.len() as u64);
                for (index, item) in list.iter().enumerate() {
                    self.value(item).map_err(|error| error.in_index(index))?;
                }
                self.depth -= 1;
            }
            Value::Map(map) => {
                let open = self.open()?;
                for (key, value) in map {
                    self.key(key);
                    self.value(value).map_err(|error| error.in_key(key))?;
                }
                self.close(&open)?;
            }
        }
        Ok(())
    }
}
