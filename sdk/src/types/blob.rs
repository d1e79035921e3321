//! References to blobs (D2).

use super::{
    Cid, CidLink, DataError, Extra,
    codec::{FromData, Problem, Reader},
};

/// A reference to a blob, such as an image or a video, that is stored separately from the record.
///
/// Both the current form and the deprecated one without a size are decoded, and are encoded as they were. See
/// [`blob` type](https://atproto.com/specs/data-model#blob-type).
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
    /// Negative for a legacy reference, which has no size.
    size: i64,
    extra: Extra,
}

impl Blob {
    /// Creates a reference to a blob of `size` bytes.
    ///
    /// References usually come from the output of `com.atproto.repo.uploadBlob`; a server rejects a record that refers
    /// to a blob it does not have.
    ///
    /// ```
    /// use atproto_sdk::types::{Blob, Cid};
    ///
    /// let image = b"...";
    /// let blob = Blob::new(Cid::of_raw(image), "image/png", image.len() as u64);
    /// assert_eq!(blob.size(), Some(3));
    /// ```
    pub fn new(cid: Cid, mime_type: impl Into<String>, size: u64) -> Self {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Self { link: CidLink(cid), mime_type: mime_type.into(), size, extra: Extra::default() }
    }

    /// Returns the CID of the blob's content.
    pub fn cid(&self) -> &Cid {
        &self.link.0
    }

    /// Returns the MIME type, as its uploader declared it.
    pub fn mime_type(&self) -> &str {
        &self.mime_type
    }

    /// Returns the size in bytes, or `None` for a legacy reference, which has none.
    pub fn size(&self) -> Option<u64> {
        u64::try_from(self.size).ok()
    }

    /// The size to encode: always present in the current form, -1 for a legacy reference.
    pub(super) fn written_size(&self) -> i64 {
        self.size
    }

    pub(super) fn extra_mut(&mut self) -> &mut Extra {
        &mut self.extra
    }

    /// Returns the fields that the specification does not define.
    pub fn extra(&self) -> &Extra {
        &self.extra
    }
}

/// Either form as it is read. The legacy form, `{cid, mimeType}`, has no `$type` and is recognized by its fields.
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
            _ => {
                Err(reader
                    .error(Problem::Form("expected a blob with the fields `ref`, `mimeType` and `size`")))
            }
        }
    }
}

crate::__serde_data!(Blob);
