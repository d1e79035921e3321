//! Content identifiers (D4).

use std::{fmt, str::FromStr};

use super::{InvalidText, multibase, text::serde_checked};
use crate::sha256::sha256;

/// The digits of base 32 in lower case (RFC 4648).
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Marks characters that are not digits in [`VALUES`]: a bit that no digit's value has.
const NO_DIGIT: u8 = 0x80;
/// The values of the digits.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};
/// The codec of records (multicodec).
const DAG_CBOR: u8 = 0x71;
/// The codec of blobs.
const RAW: u8 = 0x55;
/// The hash function (multihash).
const SHA_256: u8 = 0x12;
/// The length of a blessed CID's text: the multibase prefix and 58 digits.
const BLESSED_LENGTH: usize = 59;

/// A content identifier (CID), which identifies data by its hash.
///
/// The protocol's own ["blessed" form](https://atproto.com/specs/data-model#link-and-cid-formats) (version 1, DAG-CBOR
/// or raw, SHA-256, base 32) is stored as 36 bytes. Other forms occur in existing data; they are stored as text, and
/// [`is_blessed`](Self::is_blessed) tells them apart.
///
/// Decodes from any string, also where a link is expected, because existing answers have empty ones;
/// [`is_valid`](Self::is_valid) tells. What is not valid cannot be encoded as a link in DAG-CBOR.
///
/// ```
/// use atproto_sdk::types::Cid;
///
/// let cid: Cid = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a".parse()?;
/// assert!(cid.is_blessed());
/// assert_eq!(cid.to_string(), "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a");
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cid(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Blessed([u8; 36]),
    Other(Box<str>),
}

impl Cid {
    /// Parses a CID.
    ///
    /// # Errors
    ///
    /// Returns an error if the text cannot be a CID of any form.
    pub fn new(text: impl AsRef<str>) -> Result<Self, InvalidText> {
        let text = text.as_ref();
        if let Some(bytes) = decode(text.as_bytes()) {
            return Ok(Self(Form::Blessed(bytes)));
        }
        match check_other(text) {
            Ok(()) => Ok(Self(Form::Other(text.into()))),
            Err(problem) => Err(InvalidText::new("CID", text, problem)),
        }
    }

    /// Keeps a text that has been decoded, whatever it is.
    #[inline]
    pub(super) fn from_text(text: &str) -> Self {
        match decode(text.as_bytes()) {
            Some(bytes) => Self(Form::Blessed(bytes)),
            None => Self(Form::Other(text.into())),
        }
    }

    /// Returns `true` if this is a CID of any form. A decoded value need not be.
    ///
    /// ```
    /// use atproto_sdk::types::{Cid, from_json};
    ///
    /// let cid: Cid = from_json("\"\"")?;
    /// assert!(!cid.is_valid() && cid.to_string().is_empty());
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    pub fn is_valid(&self) -> bool {
        self.problem().is_none()
    }

    /// What is wrong with a value that is not valid.
    pub(super) fn problem(&self) -> Option<InvalidText> {
        match &self.0 {
            Form::Blessed(_) => None,
            Form::Other(text) => {
                check_other(text).err().map(|problem| InvalidText::new("CID", text, problem))
            }
        }
    }

    /// The implementation of `cid!`; an invalid literal fails to compile.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __literal(text: &'static str) -> Self {
        match decode(text.as_bytes()) {
            Some(bytes) => Self(Form::Blessed(bytes)),
            None => panic!("it is not a CID of version 1 with DAG-CBOR or raw, SHA-256 and base 32"),
        }
    }

    /// Computes the CID of DAG-CBOR data, as repositories and links between records use it.
    ///
    /// [`cid_of`](super::cid_of) computes the CID of typed data.
    ///
    /// ```
    /// use atproto_sdk::{cid, types::Cid};
    ///
    /// let empty_map = [0xa0];
    /// assert_eq!(
    ///     Cid::of_cbor(&empty_map),
    ///     cid!("bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"),
    /// );
    /// ```
    pub fn of_cbor(cbor: &[u8]) -> Self {
        Self::of(DAG_CBOR, cbor)
    }

    /// Computes the CID of raw bytes, as blobs use it.
    ///
    /// ```
    /// use atproto_sdk::types::Cid;
    ///
    /// // Verifies a download against the CID that a record refers to.
    /// let expected: Cid = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq".parse()?;
    /// assert_eq!(Cid::of_raw(b"hello"), expected);
    /// # Ok::<_, atproto_sdk::types::InvalidText>(())
    /// ```
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::of(RAW, bytes)
    }

    fn of(codec: u8, data: &[u8]) -> Self {
        Self::of_hash(codec, sha256(data))
    }

    /// The CID of raw bytes that have been hashed piece by piece.
    #[cfg(all(feature = "client", feature = "repo"))]
    pub(crate) fn of_raw_hash(hash: [u8; 32]) -> Self {
        Self::of_hash(RAW, hash)
    }

    fn of_hash(codec: u8, hash: [u8; 32]) -> Self {
        let mut bytes = [0; 36];
        bytes[..4].copy_from_slice(&[1, codec, SHA_256, 32]);
        bytes[4..].copy_from_slice(&hash);
        Self(Form::Blessed(bytes))
    }

    /// Creates a CID from the 36 bytes of the blessed form. Returns `None` if the bytes have any other form.
    ///
    /// ```
    /// use atproto_sdk::types::Cid;
    ///
    /// let cid = Cid::of_raw(b"hello");
    /// let bytes = cid.as_bytes().unwrap();
    /// assert_eq!(Cid::from_bytes(bytes), Some(cid));
    /// assert_eq!(Cid::from_bytes(b"hello"), None);
    /// ```
    #[inline]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 36] = bytes.try_into().ok()?;
        is_blessed(&bytes).then_some(Self(Form::Blessed(bytes)))
    }

    /// Returns `true` if the CID has the blessed form: version 1, codec 0x71 or 0x55, SHA-256, lowercase base 32.
    pub fn is_blessed(&self) -> bool {
        matches!(self.0, Form::Blessed(_))
    }

    /// Returns the 36 bytes of a blessed CID, or `None` if the CID has another form.
    pub fn as_bytes(&self) -> Option<&[u8; 36]> {
        match &self.0 {
            Form::Blessed(bytes) => Some(bytes),
            Form::Other(_) => None,
        }
    }

    /// Returns the codec of a blessed CID, 0x71 for DAG-CBOR or 0x55 for raw bytes; `None` if it has another form.
    pub fn codec(&self) -> Option<u8> {
        self.as_bytes().map(|bytes| bytes[1])
    }

    /// Calls a function with the text, which for a blessed CID lives on the stack.
    pub(super) fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Form::Other(text) => take(text),
            Form::Blessed(bytes) => {
                let text = encode(bytes);
                // Base 32 digits are ASCII, so this never fails.
                take(std::str::from_utf8(&text).unwrap_or_default())
            }
        }
    }
}

/// Checks what can be a CID in a form other than the blessed one.
fn check_other(text: &str) -> Result<(), &'static str> {
    if !(8..=256).contains(&text.len()) {
        return Err("it does not have 8 to 256 characters");
    }
    if text.len() == 46 && text.starts_with("Qm") {
        return Err("CIDs of version 0 are not supported");
    }
    let Some(bytes) = multibase::decode(text) else {
        return Err("it is not a letter for a base, such as `b`, followed by digits of that base");
    };
    let mut rest = &*bytes;
    if varint(&mut rest) != Some(1) {
        return Err("it does not begin with version 1");
    }
    let (Some(_codec), Some(hash)) = (varint(&mut rest), varint(&mut rest)) else {
        return Err("it ends before its hash");
    };
    let length = varint(&mut rest).unwrap_or(u64::MAX);
    // The digests of other hash functions are not ours to judge; the protocol's examples have one that is made up.
    if is_hash(hash) && length != rest.len() as u64 {
        return Err("its hash does not have the length that it says");
    }
    Ok(())
}

/// The hash functions that are in use in CIDs (multicodec).
const fn is_hash(code: u64) -> bool {
    matches!(code, 0 | 0x11..=0x1e | 0x20 | 0x22 | 0x23 | 0x56 | 0xb201..=0xb240 | 0x1012..=0x1015)
}

/// Takes an unsigned number in the form that CIDs have them in (LEB128, at most nine bytes).
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Decodes the text of a blessed CID; `None` for any other text.
const fn decode(text: &[u8]) -> Option<[u8; 36]> {
    let [b'b', digits @ ..] = text else { return None };
    if text.len() != BLESSED_LENGTH {
        return None;
    }
    let mut bytes = [0; 36];
    let mut seen = 0;
    let mut rest = digits;
    let mut at = 0;
    // Eight digits are five bytes. No branch for each digit: the digits of a hash are unpredictable.
    while let Some((group, behind)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, e, f, g, h] = *group;
        let [a, b, c, d] = [value(a), value(b), value(c), value(d)];
        let [e, f, g, h] = [value(e), value(f), value(g), value(h)];
        seen |= a | b | c | d | e | f | g | h;
        bytes[at] = a << 3 | b >> 2;
        bytes[at + 1] = b << 6 | c << 1 | d >> 4;
        bytes[at + 2] = d << 4 | e >> 1;
        bytes[at + 3] = e << 7 | f << 2 | g >> 3;
        bytes[at + 4] = g << 5 | h;
        at += 5;
        rest = behind;
    }
    // The last two digits are one byte and two bits, which must be zero.
    let [a, b] = *rest else { return None };
    let (a, b) = (value(a), value(b));
    bytes[at] = a << 3 | b >> 2;
    if (seen | a | b) & NO_DIGIT != 0 || b & 3 != 0 || !is_blessed(&bytes) {
        return None;
    }
    Some(bytes)
}

#[inline]
const fn value(digit: u8) -> u8 {
    VALUES[digit as usize]
}

#[inline]
const fn is_blessed(bytes: &[u8; 36]) -> bool {
    bytes[0] == 1 && matches!(bytes[1], DAG_CBOR | RAW) && bytes[2] == SHA_256 && bytes[3] == 32
}

fn encode(bytes: &[u8; 36]) -> [u8; BLESSED_LENGTH] {
    let mut text = [b'b'; BLESSED_LENGTH];
    for (group, digits) in bytes.chunks(5).zip(text[1..].chunks_mut(8)) {
        let mut whole = [0; 8];
        whole[..group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(whole);
        for (number, digit) in digits.iter_mut().enumerate() {
            *digit = DIGITS[(bits >> (59 - 5 * number) & 31) as usize];
        }
    }
    text
}

impl fmt::Display for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| f.pad(text))
    }
}

impl fmt::Debug for Cid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| write!(f, "{text:?}"))
    }
}

impl FromStr for Cid {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Cid {
    type Error = InvalidText;
    fn try_from(text: &str) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

impl TryFrom<String> for Cid {
    type Error = InvalidText;
    fn try_from(text: String) -> Result<Self, InvalidText> {
        Self::new(text)
    }
}

impl From<Cid> for String {
    fn from(cid: Cid) -> Self {
        cid.to_string()
    }
}

serde_checked! { Cid, |cid| match cid.problem() {
    None => Ok(cid),
    Some(error) => Err(error),
} }
