//! Byte strings and links (D2), which JSON represents as objects with a single key.

use std::{fmt, ops::Deref};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::Cid;

/// Encodes without padding; decodes with or without. Bits that belong to no byte need not be zero: the network has such
/// texts, and so do the examples of the specification.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A byte string, `{"$bytes": "<base64>"}` in JSON.
///
/// Dereferences to `[u8]`. See [data types](https://atproto.com/specs/data-model#data-types).
///
/// ```
/// use atproto_sdk::types::{Bytes, Data as _};
///
/// let bytes = Bytes::from(b"hello".to_vec());
/// assert_eq!(bytes.to_json()?, r#"{"$bytes":"aGVsbG8"}"#);
/// assert!(bytes.starts_with(b"he"));
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper of its contents and nothing else")]
pub struct Bytes(pub bytes::Bytes);

/// A link to other data by its CID, `{"$link": "<cid>"}` in JSON.
///
/// A field of the string format `cid`, in contrast, is a plain [`Cid`]. See
/// [data types](https://atproto.com/specs/data-model#data-types).
///
/// JSON decodes with any text in the place of the CID, which need not be [valid](Cid::is_valid) then. In DAG-CBOR, only
/// CIDs of the protocol's own form are links: others are neither decoded nor encoded.
///
/// ```
/// use atproto_sdk::{cid, types::{CidLink, Data as _}};
///
/// let link = CidLink::from(cid!("bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"));
/// assert_eq!(
///     link.to_json()?,
///     r#"{"$link":"bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"}"#,
/// );
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a wrapper of its contents and nothing else")]
pub struct CidLink(pub Cid);

/// Decodes base64, with or without padding.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// Encodes as base64 without padding.
pub(super) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Appends base64 without padding.
pub(super) fn append_base64(bytes: &[u8], text: &mut String) {
    BASE64.encode_string(bytes, text);
}

crate::__serde_data!(Bytes);
crate::__serde_data!(CidLink);

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

/// Shows the length and the first bytes.
impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes: {:02x?})", self.len(), &self[..self.len().min(16)])
    }
}

impl From<Cid> for CidLink {
    fn from(cid: Cid) -> Self {
        Self(cid)
    }
}

impl fmt::Debug for CidLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CidLink({})", self.0)
    }
}

impl fmt::Display for CidLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
