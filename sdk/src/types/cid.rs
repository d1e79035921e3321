//! Content identifiers (D4).

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use super::{InvalidText, characters};

/// The digits of base 32 in lower case (RFC 4648).
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// In [`VALUES`], what is not a digit: a bit that no digit has.
const NO_DIGIT: u8 = 0x80;
/// What the digits stand for.
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
/// The characters of a blessed identifier: the multibase sign and 58 digits.
const BLESSED_LENGTH: usize = 59;

/// The identifier of a piece of data, made from its hash.
///
/// The protocol's form (version 1, DAG-CBOR or raw, SHA-256, base 32) is kept as its 36 bytes. Other forms are found in
/// the wild; they are kept as text and [`is_blessed`](Self::is_blessed) tells them apart.
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
    /// Reads a CID's text.
    ///
    /// # Errors
    /// When the text cannot be a CID of any form.
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

    /// What `cid!` comes down to; a bad text does not compile.
    #[doc(hidden)]
    #[track_caller]
    pub const fn __literal(text: &'static str) -> Self {
        match decode(text.as_bytes()) {
            Some(bytes) => Self(Form::Blessed(bytes)),
            None => panic!("it is not a CID of version 1 with DAG-CBOR or raw bytes, SHA-256 and base 32"),
        }
    }

    /// The CID of DAG-CBOR: what repositories and links between records use.
    pub fn of_cbor(cbor: &[u8]) -> Self {
        Self::of(DAG_CBOR, cbor)
    }

    /// The CID of raw bytes: what blobs have.
    pub fn of_raw(bytes: &[u8]) -> Self {
        Self::of(RAW, bytes)
    }

    fn of(codec: u8, data: &[u8]) -> Self {
        let mut bytes = [0; 36];
        bytes[..4].copy_from_slice(&[1, codec, SHA_256, 32]);
        bytes[4..].copy_from_slice(&Sha256::digest(data));
        Self(Form::Blessed(bytes))
    }

    /// The CID that 36 bytes of the protocol's form stand for; nothing for any others.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 36] = bytes.try_into().ok()?;
        is_blessed(&bytes).then_some(Self(Form::Blessed(bytes)))
    }

    /// Whether it has the protocol's form: version 1, codec 0x71 or 0x55, SHA-256, base 32 in lower case.
    pub fn is_blessed(&self) -> bool {
        matches!(self.0, Form::Blessed(_))
    }

    /// The 36 bytes of the protocol's form.
    pub fn as_bytes(&self) -> Option<&[u8; 36]> {
        match &self.0 {
            Form::Blessed(bytes) => Some(bytes),
            Form::Other(_) => None,
        }
    }

    /// The codec of the protocol's form: 0x71 for DAG-CBOR, 0x55 for raw bytes.
    pub fn codec(&self) -> Option<u8> {
        self.as_bytes().map(|bytes| bytes[1])
    }

    pub(super) fn with_text<T>(&self, take: impl FnOnce(&str) -> T) -> T {
        match &self.0 {
            Form::Other(text) => take(text),
            Form::Blessed(bytes) => {
                let text = encode(bytes);
                // Made of base 32 digits only.
                take(std::str::from_utf8(&text).unwrap_or_default())
            }
        }
    }
}

/// What can be a CID in another form than the protocol's.
fn check_other(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if !(8..=256).contains(&bytes.len()) || characters::run(bytes, 0, characters::CID) != bytes.len() {
        return Err("it is not 8 to 256 letters and digits");
    }
    if bytes.len() == 46 && text.starts_with("Qm") {
        return Err("it is of version 0, which the protocol does not have");
    }
    Ok(())
}

/// The bytes of a blessed identifier's text; nothing for any other text.
const fn decode(text: &[u8]) -> Option<[u8; 36]> {
    let [b'b', digits @ ..] = text else { return None };
    if text.len() != BLESSED_LENGTH {
        return None;
    }
    let mut bytes = [0; 36];
    let mut seen = 0;
    let mut rest = digits;
    let mut at = 0;
    // Eight digits are five bytes. Without a branch for each digit: nobody can foretell the digits of a hash.
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
    // The last two digits are one byte and two bits that must be zero.
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

crate::__serde_data!(Cid);
