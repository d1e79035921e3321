//! References to blobs (D2).

use super::{
    Cid, CidLink, DataError, Extra,
    codec::{FromData, Problem, Reader},
};

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

    /// The size as it is written: the form in use always has one, a legacy reference is written with -1.
    pub(super) fn written_size(&self) -> i64 {
        self.size
    }

    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        &mut self.extra
    }

    /// Fields that the specification does not name.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }
}

/// Either form, as it is read; the legacy one, `{cid, mimeType}`, is told by its fields.
#[derive(Clone)]
struct Fields {
    link: Option<CidLink>,
    cid: Option<Cid>,
    mime_type: String,
    size: Option<i64>,
    extra: Extra,
}

crate::__object! {
    Fields, "blob", record: true, {
        0 link: "ref" optional,
        1 mime_type: "mimeType" required,
        2 size: "size" optional,
        3 cid: "cid" optional,
    }
}

impl FromData for Blob {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let Fields { link, cid, mime_type, size, extra } = Fields::read(reader)?;
        match (link, cid, size) {
            (Some(link), None, Some(size)) => Ok(Self { link, mime_type, size, extra }),
            (None, Some(cid), None) => Ok(Self { link: CidLink(cid), mime_type, size: -1, extra }),
            _ => Err(reader.error(Problem::Form("expected a blob with `ref`, `mimeType` and `size`"))),
        }
    }
}

crate::__serde_data!(Blob);
