//! Frames of event streams: a header and a payload in DAG-CBOR.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// The account that the messages are about.
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

/// A message of `com.atproto.sync.subscribeRepos` at a position.
pub fn identity(seq: i64) -> Vec<u8> {
    at(seq, "2026-11-27T00:00:00.000Z")
}

/// The same, sent at that time.
pub fn at(seq: i64, time: &str) -> Vec<u8> {
    message("#identity", &json!({"seq": seq, "did": DID, "time": time, "handle": "alice.test"}))
}

/// A message with a header of that type.
pub fn message(kind: &str, payload: &Value) -> Vec<u8> {
    [cbor(&json!({"op": 1, "t": kind})), cbor(payload)].concat()
}

/// A frame of another kind than messages and errors.
pub fn of_kind(op: i64, payload: &Value) -> Vec<u8> {
    [cbor(&json!({"op": op})), cbor(payload)].concat()
}

/// An error, with which a stream ends.
pub fn error(name: &str, text: Option<&str>) -> Vec<u8> {
    let payload = match text {
        Some(text) => json!({"error": name, "message": text}),
        None => json!({"error": name}),
    };
    of_kind(-1, &payload)
}

/// DAG-CBOR of JSON, with bytes and links in the form of the data model: `{"$bytes": ".."}` and `{"$link": ".."}`.
pub fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    match number {
        0..24 => out.push(major | number as u8),
        24..0x100 => out.extend([major | 24, number as u8]),
        0x100..0x1_0000 => {
            out.push(major | 25);
            out.extend((number as u16).to_be_bytes());
        }
        0x1_0000..0x1_0000_0000 => {
            out.push(major | 26);
            out.extend((number as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(number.to_be_bytes());
        }
    }
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(value) => out.push(if *value { 0xf5 } else { 0xf4 }),
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => head(out, 0, number),
            (None, Some(number)) => head(out, 1, !number as u64),
            // Not in the data model, which is what a test may want.
            (None, None) => {
                out.push(0xfb);
                out.extend(number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
            }
        },
        Value::String(text) => {
            head(out, 3, text.len() as u64);
            out.extend(text.as_bytes());
        }
        Value::Array(list) => {
            head(out, 4, list.len() as u64);
            list.iter().for_each(|value| write(value, out));
        }
        Value::Object(map) => {
            if let Some(bytes) = map.get("$bytes").and_then(|text| bytes_of(text.as_str()?)) {
                head(out, 2, bytes.len() as u64);
                out.extend(bytes);
            } else if let Some(cid) = map.get("$link").and_then(|text| cid_of(text.as_str()?)) {
                head(out, 6, 42);
                head(out, 2, cid.len() as u64 + 1);
                out.push(0);
                out.extend(cid);
            } else {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| (key.len(), key.as_str()));
                head(out, 5, entries.len() as u64);
                for (key, value) in entries {
                    head(out, 3, key.len() as u64);
                    out.extend(key.as_bytes());
                    write(value, out);
                }
            }
        }
    }
}

fn bytes_of(text: &str) -> Option<Vec<u8>> {
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    STANDARD.decode(padded).ok()
}

/// The bytes of a CID in base32.
fn cid_of(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for c in text.strip_prefix('b')?.bytes() {
        let value = b"abcdefghijklmnopqrstuvwxyz234567".iter().position(|known| *known == c)?;
        bits = (bits << 5 | value as u32) & 0xfff;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_in_their_normal_form() {
        assert_eq!(cbor(&json!({"op": 1, "t": "#a"})), b"\xa2\x61t\x62#a\x62op\x01");
        assert_eq!(cbor(&json!([-1, 300, null, true])), b"\x84\x20\x19\x01\x2c\xf6\xf5");
        assert_eq!(cbor(&json!({"$bytes": "AQID"})), b"\x43\x01\x02\x03");
        let link = cbor(&json!({"$link": "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}));
        assert_eq!((link.len(), &link[..9]), (41, &b"\xd8\x2a\x58\x25\x00\x01\x71\x12\x20"[..]));
    }
}
