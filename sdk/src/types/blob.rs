//! References to blobs (D2).

use super::{Cid, CidLink, Extra, Object as _};

/// A reference to a blob: an image or a video, say, that a server keeps beside the records.
///
/// ```
/// use atproto_sdk::types::Blob;
///
/// let json = r#"{"$type":"blob","ref":{"$link":"bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"},"mimeType":"image/png","size":9}"#;
/// let blob: Blob = serde_json::from_str(json)?;
/// assert_eq!((blob.mime_type(), blob.size()), ("image/png", Some(9)));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Blob {
    link: CidLink,
    mime_type: String,
    /// Negative for a legacy reference, which does not tell.
    size: i64,
    extra: Extra,
}

impl Blob {
    /// A reference to a blob of so many bytes.
    pub fn new(cid: Cid, mime_type: impl Into<String>, size: u64) -> Self {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Self { link: CidLink(cid), mime_type: mime_type.into(), size, extra: Extra::default() }
    }

    /// The blob's CID.
    pub fn cid(&self) -> &Cid {
        &self.link.0
    }

    /// The blob's type.
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// The blob's size in bytes; nothing for a legacy reference.
    pub fn size(&self) -> Option<u64> {
        u64::try_from(self.size).ok()
    }

    /// Fields that the specification does not name.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }
}

/// The form in use. Read and written like a generated object; the legacy form `{cid, mimeType}` is told by its fields.
#[derive(Debug, Clone, PartialEq)]
struct Fields {
    link: Option<CidLink>,
    cid: Option<Cid>,
    mime_type: String,
    size: Option<i64>,
    extra: Extra,
}

crate::object! { Fields, "blob", typed: true, { link: "ref" optional, cid: "cid" optional, mime_type: "mimeType" required, size: "size" optional } }

impl<'de> serde::Deserialize<'de> for Blob {
    #[inline]
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;

        let Fields { link, cid, mime_type, size, extra } = Fields::deserialize(deserializer)?;
        match (link, cid, size) {
            (Some(link), None, Some(size)) => Ok(Self { link, mime_type, size, extra }),
            (None, Some(cid), None) => Ok(Self { link: CidLink(cid), mime_type, size: -1, extra }),
            _ => Err(D::Error::custom("expected a blob with `ref`, `mimeType` and `size`")),
        }
    }
}

/// Always the form in use, also for what came in the legacy one.
impl serde::Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("$type", Fields::ID)?;
        map.serialize_entry("ref", &self.link)?;
        map.serialize_entry("mimeType", &self.mime_type)?;
        map.serialize_entry("size", &self.size)?;
        self.extra.encode_into(&mut map, false)?;
        map.end()
    }
}
