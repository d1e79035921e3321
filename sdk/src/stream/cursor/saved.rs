//! A cursor as it is stored.

use serde::{Deserialize, Serialize};

use super::ledger::{EventId, Progress};

/// The version of the format.
const FORMAT: u32 = 1;

/// The stream that a cursor belongs to. Positions of different servers have nothing to do with each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamName {
    /// The origin of the server, or its description.
    pub(crate) server: String,
    /// The NSID of the subscription, or the name of the protocol.
    pub(crate) subscription: String,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    v: u32,
    /// Who has written it.
    by: String,
    #[serde(flatten)]
    stream: StreamName,
    /// What tells the cursor from earlier ones of the same stream. Absent from cursors of version 0.4.1 and earlier.
    #[serde(default, skip_serializing_if = "is_zero")]
    life: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<i64>,
    /// Positions, or pairs of a position and the number that tells events of this position apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    beyond: Vec<SavedId>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(life: &u32) -> bool {
    *life == 0
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SavedId {
    Position(i64),
    Distinguished(i64, u64),
}

/// Why a stored cursor cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It was not written by this module, or is damaged.
    Format(String),
    /// It was written by a newer version of this crate.
    Newer(u32),
    /// It belongs to another stream.
    OtherStream(StreamName),
}

pub(crate) fn encode(
    stream: &StreamName,
    writer: &str,
    life: u32,
    progress: &Progress,
) -> Result<Vec<u8>, serde_json::Error> {
    let beyond = progress.beyond.iter().map(|id| match id.distinguisher {
        0 => SavedId::Position(id.position),
        distinguisher => SavedId::Distinguished(id.position, distinguisher),
    });
    serde_json::to_vec(&Saved {
        v: FORMAT,
        by: writer.to_owned(),
        stream: stream.clone(),
        life,
        cursor: progress.cursor,
        beyond: beyond.collect(),
    })
}

/// Returns the progress, and what tells the cursor from earlier ones.
pub(crate) fn decode(stream: &StreamName, bytes: &[u8]) -> Result<(Progress, u32), Unusable> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    let format = |error: serde_json::Error| Unusable::Format(error.to_string());
    match serde_json::from_slice(bytes).map_err(format)? {
        Version { v: FORMAT } => {}
        Version { v } => return Err(Unusable::Newer(v)),
    }
    let saved: Saved = serde_json::from_slice(bytes).map_err(format)?;
    if saved.stream != *stream {
        return Err(Unusable::OtherStream(saved.stream));
    }
    let beyond = saved.beyond.into_iter().map(|id| match id {
        SavedId::Position(position) => EventId { position, distinguisher: 0 },
        SavedId::Distinguished(position, distinguisher) => EventId { position, distinguisher },
    });
    Ok((Progress { cursor: saved.cursor, beyond: beyond.collect() }, saved.life))
}

/// Who has written a cursor. Returns `None` if it is not one.
pub(crate) fn writer(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<Saved>(bytes).ok().map(|saved| saved.by)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stream(server: &str) -> StreamName {
        StreamName { server: server.into(), subscription: "com.example.watch".into() }
    }

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for progress in [
            Progress::default(),
            Progress { cursor: Some(-1), beyond: [].into() },
            Progress {
                cursor: Some(i64::MAX),
                beyond: [(7, 0), (7, u64::MAX), (8, 0)]
                    .map(|(position, distinguisher)| EventId { position, distinguisher })
                    .into(),
            },
        ] {
            for life in [0, 7, u32::MAX] {
                let bytes = encode(&stream("https://pds.example"), "me", life, &progress).unwrap();
                assert_eq!(decode(&stream("https://pds.example"), &bytes), Ok((progress.clone(), life)));
            }
        }
    }

    #[test]
    fn a_cursor_of_an_earlier_version_is_read() {
        let bytes = br#"{"v":1,"by":"me","server":"x","subscription":"com.example.watch","cursor":7}"#;
        let progress = Progress { cursor: Some(7), beyond: [].into() };
        assert_eq!(decode(&stream("x"), bytes), Ok((progress, 0)));
    }

    #[test]
    fn a_cursor_of_another_stream_or_format_is_refused() {
        let bytes = encode(&stream("https://one.example"), "me", 1, &Progress::default()).unwrap();
        let other = decode(&stream("https://two.example"), &bytes);
        assert_eq!(other, Err(Unusable::OtherStream(stream("https://one.example"))));
        assert_eq!(decode(&stream("x"), br#"{"v":9}"#), Err(Unusable::Newer(9)));
        for damaged in ["", "{}", "null", r#"{"v":1,"server":"x"}"#, "\u{0}"] {
            assert!(
                matches!(decode(&stream("x"), damaged.as_bytes()), Err(Unusable::Format(_))),
                "{damaged}"
            );
        }
    }
}
