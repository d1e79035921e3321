//! Content identifiers (D4).

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use super::InvalidText;

/// The digits of base 32 in lower case (RFC 4648).
const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
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
        let fits = (8..=256).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'=' | b'/' | b'_' | b'-'));
        if fits {
            Ok(Self(Form::Other(text.into())))
        } else {
            Err(InvalidText::new("CID", text, "it is not 8 to 256 letters and digits"))
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

/// The bytes of a blessed identifier's text; nothing for any other text.
fn decode(text: &[u8]) -> Option<[u8; 36]> {
    let digits = text.strip_prefix(b"b").filter(|_| text.len() == BLESSED_LENGTH)?;
    let mut bytes = [0; 36];
    let mut at = 0;
    for group in digits.chunks(8) {
        let mut bits: u64 = 0;
        for digit in group {
            let value = match digit {
                b'a'..=b'z' => digit - b'a',
                b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        // Eight digits are five bytes; the last two digits are one byte and two bits that must be zero.
        let spare = group.len() * 5 % 8;
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let whole = (bits >> spare).to_be_bytes();
        let count = group.len() * 5 / 8;
        bytes.get_mut(at..at + count)?.copy_from_slice(&whole[8 - count..]);
        at += count;
    }
    is_blessed(&bytes).then_some(bytes)
}

fn is_blessed(bytes: &[u8; 36]) -> bool {
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

crate::serde_data!(Cid);
