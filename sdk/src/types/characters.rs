//! The character classes of the string formats in one table: each check looks a byte up once, in `const` contexts too.

pub(super) const LOWER: u16 = 1;
const UPPER: u16 = 1 << 1;
pub(super) const DIGIT: u16 = 1 << 2;
const HYPHEN: u16 = 1 << 3;
const DID_SIGN: u16 = 1 << 4;
const KEY_SIGN: u16 = 1 << 5;
const FRAGMENT_SIGN: u16 = 1 << 6;
const SCHEME_SIGN: u16 = 1 << 7;
/// The digits of a TID.
pub(super) const TID: u16 = 1 << 8;
/// The characters of a URI.
pub(super) const URI: u16 = 1 << 9;

pub(super) const LETTER: u16 = LOWER | UPPER;
pub(super) const ALPHANUMERIC: u16 = LETTER | DIGIT;
/// A label of a host name.
pub(super) const LABEL: u16 = ALPHANUMERIC | HYPHEN;
/// The identifier of a DID.
pub(super) const DID: u16 = ALPHANUMERIC | DID_SIGN;
/// A record key.
pub(super) const KEY: u16 = ALPHANUMERIC | KEY_SIGN;
/// The fragment of an AT-URI.
pub(super) const FRAGMENT: u16 = ALPHANUMERIC | FRAGMENT_SIGN;
/// The scheme of a URI.
pub(super) const SCHEME: u16 = ALPHANUMERIC | SCHEME_SIGN;

const CLASSES: [u16; 256] = {
    let mut classes = [0; 256];
    let mut code = 0;
    while code < 256 {
        let byte = code as u8;
        classes[code] = class(byte.is_ascii_lowercase(), LOWER)
            | class(byte.is_ascii_uppercase(), UPPER)
            | class(byte.is_ascii_digit(), DIGIT)
            | class(byte == b'-', HYPHEN)
            | class(contains(byte, b"._:%-"), DID_SIGN)
            | class(contains(byte, b"._~:-"), KEY_SIGN)
            | class(contains(byte, b"._~:@!$&')(*+,;=%[]/-"), FRAGMENT_SIGN)
            | class(contains(byte, b"+.-"), SCHEME_SIGN)
            | class(matches!(byte, b'2'..=b'7' | b'a'..=b'z'), TID)
            | class(byte.is_ascii_graphic() && !contains(byte, b"\"<>"), URI);
        code += 1;
    }
    classes
};

const fn class(belongs: bool, class: u16) -> u16 {
    if belongs { class } else { 0 }
}

const fn contains(byte: u8, list: &[u8]) -> bool {
    let mut at = 0;
    while at < list.len() {
        if list[at] == byte {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a byte belongs to one of the classes.
#[inline]
pub(super) const fn is(byte: u8, classes: u16) -> bool {
    CLASSES[byte as usize] & classes != 0
}

/// Returns the end of the run of bytes in the given classes that starts at `from`.
#[inline]
pub(super) const fn run(bytes: &[u8], from: usize, classes: u16) -> usize {
    let mut at = from;
    while at < bytes.len() && is(bytes[at], classes) {
        at += 1;
    }
    at
}

/// Whether a component of an AT URI can end at a position: at the end of the text or at a delimiter.
#[inline]
pub(super) const fn part_ends(bytes: &[u8], at: usize) -> bool {
    at == bytes.len() || bytes[at] == b'/' || bytes[at] == b'#'
}
