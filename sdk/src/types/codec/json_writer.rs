//! Encodes JSON.

use super::{
    super::{Blob, Cid, Unknown, Value, binary, blob::Form},
    Data, DataError, List, MAX_DEPTH, ObjectView, Problem, Shape,
    json_reader::text_run,
};

pub(super) fn write(data: &dyn Data) -> Result<String, DataError> {
    let mut writer = Writer { out: String::with_capacity(512), depth: 0 };
    writer.shape(data.shape())?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    depth: u8,
}

impl Writer {
    fn shape(&mut self, shape: Shape<'_>) -> Result<(), DataError> {
        match shape {
            Shape::Absent | Shape::Null => self.out.push_str("null"),
            Shape::Boolean(value) => self.out.push_str(if value { "true" } else { "false" }),
            Shape::Integer(value) => self.integer(value),
            Shape::Text(text) | Shape::Format(text, _) => self.text(text),
            Shape::CidText(cid) => self.cid(cid),
            Shape::Link(cid) => self.link(cid),
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

    fn open(&mut self, bracket: char) -> Result<(), DataError> {
        if self.depth == MAX_DEPTH {
            return Err(DataError::new(Problem::Depth));
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: char) {
        self.depth -= 1;
        self.out.push(bracket);
    }

    fn integer(&mut self, value: i64) {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if value < 0 {
            self.out.push('-');
        }
        // Digits are ASCII, so this never fails.
        self.out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut rest = text;
        loop {
            let run = text_run(rest.as_bytes(), 0);
            self.out.push_str(&rest[..run]);
            let Some(byte) = rest.as_bytes().get(run) else { break };
            match byte {
                b'"' => self.out.push_str("\\\""),
                b'\\' => self.out.push_str("\\\\"),
                b'\n' => self.out.push_str("\\n"),
                b'\r' => self.out.push_str("\\r"),
                b'\t' => self.out.push_str("\\t"),
                control => {
                    self.out.push_str("\\u00");
                    for digit in [control >> 4, control & 15] {
                        self.out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                    }
                }
            }
            rest = &rest[run + 1..];
        }
        self.out.push('"');
    }

    fn cid(&mut self, cid: &Cid) {
        if !cid.is_blessed() {
            // Any text: it was decoded, and need not be a CID.
            return cid.with_text(|text| self.text(text));
        }
        cid.with_text(|text| {
            self.out.push('"');
            self.out.push_str(text);
            self.out.push('"');
        });
    }

    fn link(&mut self, cid: &Cid) {
        self.out.push_str("{\"$link\":");
        self.cid(cid);
        self.out.push('}');
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.push_str("{\"$bytes\":\"");
        binary::append_base64(bytes, &mut self.out);
        self.out.push_str("\"}");
    }

    fn blob(&mut self, blob: &Blob) -> Result<(), DataError> {
        let blob = match blob.form() {
            Form::Current(blob) => blob,
            Form::AsRead(blob) => return self.unknown(&blob.raw),
        };
        self.open('{')?;
        self.out.push_str("\"$type\":\"blob\",\"ref\":");
        self.link(&blob.cid);
        self.out.push_str(",\"mimeType\":");
        self.text(&blob.mime_type);
        self.out.push_str(",\"size\":");
        self.integer(blob.size);
        for (key, value) in blob.extra.iter() {
            self.key(key, false);
            self.unknown(value).map_err(|error| error.in_key(key))?;
        }
        self.close('}');
        Ok(())
    }

    fn list(&mut self, list: &dyn List) -> Result<(), DataError> {
        self.open('[')?;
        let mut index = 0;
        while let Some(item) = list.get(index) {
            if index > 0 {
                self.out.push(',');
            }
            self.shape(item.shape()).map_err(|error| error.in_index(index))?;
            index += 1;
        }
        self.close(']');
        Ok(())
    }

    #[inline]
    fn key(&mut self, key: &str, is_first: bool) {
        if !is_first {
            self.out.push(',');
        }
        self.text(key);
        self.out.push(':');
    }

    fn object(&mut self, tag: Option<&'static str>, object: &ObjectView<'_>) -> Result<(), DataError> {
        self.open('{')?;
        let tag = object.tag(tag);
        let mut is_first = true;
        if let Some(tag) = tag {
            self.out.push_str("\"$type\":");
            self.text(tag);
            is_first = false;
        }
        let mut result = Ok(());
        object.each_present(|field, shape| {
            if result.is_err() {
                return;
            }
            let key = field.key;
            self.key(key, is_first);
            is_first = false;
            result = self.shape(shape).map_err(|error| error.in_key(key));
        });
        result?;
        for (key, value) in super::extra_of(object, tag.is_some()) {
            self.key(key, is_first);
            is_first = false;
            self.unknown(value).map_err(|error| error.in_key(key))?;
        }
        self.close('}');
        Ok(())
    }

    fn unknown(&mut self, value: &Unknown) -> Result<(), DataError> {
        match value.raw_json() {
            Some(json) => {
                self.out.push_str(json);
                Ok(())
            }
            None => self.value(&value.to_value()?),
        }
    }

    fn value(&mut self, value: &Value) -> Result<(), DataError> {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Boolean(value) => return self.shape(Shape::Boolean(*value)),
            Value::Integer(value) => self.integer(*value),
            Value::Text(text) => self.text(text),
            Value::Bytes(bytes) => self.bytes(bytes),
            Value::Link(cid) => self.link(cid),
            Value::Blob(blob) => self.blob(blob)?,
            Value::List(list) => {
                self.open('[')?;
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.value(item).map_err(|error| error.in_index(index))?;
                }
                self.close(']');
            }
            Value::Map(map) => {
                self.open('{')?;
                let mut is_first = true;
                for (key, value) in map {
                    self.key(key, is_first);
                    is_first = false;
                    self.value(value).map_err(|error| error.in_key(key))?;
                }
                self.close('}');
            }
        }
        Ok(())
    }
}
