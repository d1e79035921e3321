//! The payload of an event whose type stands beside it.

use super::{
    super::Unknown, DataError, Problem, Reader, cbor_writer, json_reader::without_unpaired_surrogates,
};
use crate::server_text::{SHORT, excerpt};

const TYPE: &str = "$type";

/// Reads an object that has a type by its header, and puts this type into it as `$type`, in place of one that it has.
///
/// A type that begins with `#` is one of the lexicon's own.
#[doc(hidden)]
#[cold]
pub fn payload_of_type(nsid: &'static str, tag: &str, reader: &mut Reader<'_>) -> Result<Unknown, DataError> {
    let full_name =
        if tag.starts_with('#') { format!("{nsid}{tag}").into() } else { std::borrow::Cow::from(tag) };
    let start = reader.at;
    let value = if reader.is_cbor { cbor(&full_name, reader)? } else { json(&full_name, reader)? };
    reader.take_memory(reader.at - start + full_name.len() + super::reader::ALLOCATION)?;
    Ok(value)
}

fn cbor(full_name: &str, reader: &mut Reader<'_>) -> Result<Unknown, DataError> {
    let mut entries = reader.cbor_enter_map()?;
    let mut count = entries.left;
    let bytes = reader.bytes;
    let first = reader.at;
    // Where `$type` belongs: behind the keys that are shorter or come before it. What is there now ends at `after`.
    let (mut before, mut after) = (first, first);
    loop {
        let start = reader.at;
        let Some(key) = reader.cbor_next_key(&mut entries)? else { break };
        reader.skip().map_err(|error| error.in_key(key))?;
        if key == TYPE {
            (before, after) = (start, reader.at);
            count -= 1;
        } else if (key.len(), key) < (TYPE.len(), TYPE) {
            (before, after) = (reader.at, reader.at);
        }
    }
    let mut out = Vec::with_capacity(reader.at - first + full_name.len() + 32);
    cbor_writer::head(&mut out, 5, count.saturating_add(1));
    out.extend_from_slice(&bytes[first..before]);
    for text in [TYPE, full_name] {
        cbor_writer::head(&mut out, 3, text.len() as u64);
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&bytes[after..reader.at]);
    Ok(Unknown::from_raw_cbor(&out))
}

fn json(full_name: &str, reader: &mut Reader<'_>) -> Result<Unknown, DataError> {
    let mut entries = reader.enter_map()?;
    let text = reader.text;
    let mut out = format!("{{\"{TYPE}\":{}", serde_json::Value::from(full_name));
    let mut type_seen = false;
    while reader.json_next_entry(&mut entries)? {
        let start = reader.at;
        let key = reader.json_text()?;
        reader.json_colon()?;
        reader.skip().map_err(|error| error.in_key(&key))?;
        if key != TYPE {
            out.push(',');
            out.push_str(&text[start..reader.at]);
        } else if std::mem::replace(&mut type_seen, true) {
            return Err(reader.error(Problem::Duplicate { field: excerpt(TYPE, SHORT).into() }));
        }
    }
    out.push('}');
    if reader.replaced {
        out = without_unpaired_surrogates(&out);
    }
    Ok(Unknown::from_raw_json(&out))
}
