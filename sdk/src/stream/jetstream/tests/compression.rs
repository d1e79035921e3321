use std::mem::replace;

use super::super::compression::{CompressionError, Decompressor, Dictionary};

/// Made with the reference implementation: dictionaries, messages compressed with each, each behind its length, and 256 MiB
/// of spaces.
pub(super) const DICTIONARY: &[u8] = include_bytes!("fixtures/dictionary");
pub(super) const OTHER_DICTIONARY: &[u8] = include_bytes!("fixtures/other_dictionary");
pub(super) const FRAMES: &[u8] = include_bytes!("fixtures/frames");
pub(super) const OTHER_FRAMES: &[u8] = include_bytes!("fixtures/other_frames");
const BOMB: &[u8] = include_bytes!("fixtures/bomb");

const LIMIT: usize = 1 << 20;

/// The frames of a fixture.
pub(super) fn frames(mut file: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        let (frame, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        frames.push(frame);
        file = rest;
    }
    frames
}

fn decompressor(limit: usize) -> Decompressor {
    let dictionary = Dictionary::new(DICTIONARY).unwrap();
    Decompressor::new(limit).with_dictionary(&dictionary).unwrap()
}

#[test]
fn e8_messages_are_decompressed_with_the_dictionary() {
    let mut decompressor = decompressor(LIMIT);
    let frames = frames(FRAMES);
    assert_eq!(frames.len(), 8);
    for (frame, seq) in frames.iter().zip(101..) {
        let text = String::from_utf8(decompressor.decompress(frame).unwrap()).unwrap();
        assert!(text.starts_with(r#"{"$type":"message","payload":{"#) && text.ends_with("}}}"), "{text}");
        assert!(text.contains(&format!(r#""seq":{seq},"#)), "{text}");
    }
}

#[test]
fn e8_a_message_of_another_dictionary_is_an_error_and_not_garbage() {
    let mut decompressor = decompressor(LIMIT);
    for frame in frames(OTHER_FRAMES) {
        let error = decompressor.decompress(frame).unwrap_err();
        assert!(matches!(error, CompressionError::Invalid { .. }), "{error}");
    }
    // With both, both can be read: the server may change from one to the other.
    let other = Dictionary::new(OTHER_DICTIONARY).unwrap();
    let mut decompressor = decompressor.with_dictionary(&other).unwrap();
    for frame in frames(FRAMES).iter().chain(&frames(OTHER_FRAMES)) {
        decompressor.decompress(frame).unwrap();
    }
}

#[test]
fn a_bomb_is_refused_before_it_takes_memory() {
    let mut decompressor = decompressor(LIMIT);
    assert_eq!(decompressor.decompress(BOMB), Err(CompressionError::TooLong { limit: LIMIT }));
    // One that announces its length is refused at its head.
    let frame = frames(FRAMES)[0];
    let length = decompressor.decompress(frame).unwrap().len();
    let exact = self::decompressor(length).decompress(frame).unwrap();
    assert_eq!(exact.len(), length);
    let error = self::decompressor(length - 1).decompress(frame);
    assert_eq!(error, Err(CompressionError::TooLong { limit: length - 1 }));
}

#[test]
fn a_damaged_message_is_an_error_and_the_next_one_is_read() {
    let mut decompressor = decompressor(LIMIT);
    let frame = frames(FRAMES)[0];
    let whole = decompressor.decompress(frame).unwrap();
    for end in 0..frame.len() {
        assert!(decompressor.decompress(&frame[..end]).is_err(), "cut at {end}");
    }
    let mut damaged = frame.to_vec();
    for at in 0..frame.len() {
        for bit in 0..8 {
            let good = replace(&mut damaged[at], frame[at] ^ (1 << bit));
            // A bit may mean nothing, but it never changes the message.
            if let Ok(message) = decompressor.decompress(&damaged) {
                assert_eq!(message, whole, "bit {bit} of byte {at}");
            }
            damaged[at] = good;
        }
    }
    let twice = [frame, frame].concat();
    assert!(decompressor.decompress(&twice).unwrap_err().to_string().contains("follows"));
    assert_eq!(decompressor.decompress(frame).unwrap(), whole);
}

#[test]
fn only_dictionaries_are_dictionaries() {
    let dictionary = Dictionary::new(DICTIONARY).unwrap();
    assert_eq!((dictionary.id(), &**dictionary.as_bytes()), (2_011_806_860, DICTIONARY));
    assert!(format!("{dictionary:?}").len() < 60);
    for bad in [&b""[..], b"{}", &DICTIONARY[..8], &DICTIONARY[..100], FRAMES] {
        let error = Dictionary::new(bad.to_vec()).unwrap_err();
        assert!(error.to_string().starts_with("not a zstd dictionary: "), "{error}");
    }
    let mut zero = DICTIONARY.to_vec();
    zero[4..8].fill(0);
    assert!(Dictionary::new(zero).is_err());
    assert!(Dictionary::new([DICTIONARY, &vec![0; 5 << 20]].concat()).is_err());
}
