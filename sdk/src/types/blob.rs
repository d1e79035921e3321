//! References to blobs (D2).

use super::{
    Cid, CidLink, DataError, Extra, Unknown,
    codec::{FromData, Problem, Reader},
};

/// A reference to a blob, such as an image or a video, that is stored separately from the record.
///
/// The deprecated form, which has a CID and a MIME type and no size, is decoded too, and encoded exactly as it was read, so
/// that the CID of its record stays the same. So is one that lacks its `$type`. Servers do not accept them:
/// [`validate`](super::Data::validate) refuses both, and [`to_current`](Self::to_current) converts them. See [`blob` type](https://atproto.com/specs/data-model#blob-type).
///
/// ```
/// use atproto_sdk::types::Blob;
///
/// let json = r#"{"$type":"blob","ref":{"$link":"bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy"},"mimeType":"image/png","size":9}"#;
/// let blob: Blob = serde_json::from_str(json)?;
/// assert_eq!((blob.mime_type(), blob.size()), ("image/png", Some(9)));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Blob(Form);

/// The two forms of a reference.
#[derive(Clone, PartialEq)]
pub(super) enum Form {
    Current(Current),
    AsRead(Box<AsRead>),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Current {
    pub(super) cid: Cid,
    pub(super) mime_type: String,
    /// As it was read; what is negative is not valid.
    pub(super) size: i64,
    pub(super) extra: Extra,
}

/// What is read, and not written in another way: the deprecated form, and one that lacks its `$type`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AsRead {
    cid: Cid,
    mime_type: String,
    size: Option<i64>,
    extra: Extra,
    pub(super) is_legacy: bool,
    /// The whole reference as it was read.
    pub(super) raw: Unknown,
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
        Self::with_extra(cid, mime_type.into(), size, Extra::default())
    }

    pub(super) fn with_extra(cid: Cid, mime_type: String, size: u64, extra: Extra) -> Self {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        Self(Form::Current(Current { cid, mime_type, size, extra }))
    }

    pub(super) fn form(&self) -> &Form {
        &self.0
    }

    /// Returns the CID of the blob's content.
    pub fn cid(&self) -> &Cid {
        match &self.0 {
            Form::Current(blob) => &blob.cid,
            Form::AsRead(blob) => &blob.cid,
        }
    }

    /// Returns the MIME type, as its uploader declared it.
    pub fn mime_type(&self) -> &str {
        match &self.0 {
            Form::Current(blob) => &blob.mime_type,
            Form::AsRead(blob) => &blob.mime_type,
        }
    }

    /// Returns the size in bytes, or `None` for a reference of the deprecated form, which has none, and for a negative size.
    pub fn size(&self) -> Option<u64> {
        match &self.0 {
            Form::Current(blob) => u64::try_from(blob.size).ok(),
            Form::AsRead(blob) => blob.size.and_then(|size| u64::try_from(size).ok()),
        }
    }

    /// Returns `true` if the reference has the deprecated form, `{cid, mimeType}`.
    pub fn is_legacy(&self) -> bool {
        matches!(&self.0, Form::AsRead(blob) if blob.is_legacy)
    }

    /// Returns a reference of the current form to the same blob, whose size in bytes is `size`. The deprecated form lacks the
    /// size; `com.atproto.sync.getBlob` returns the blob itself.
    ///
    /// ```
    /// use atproto_sdk::types::{Blob, Data as _, from_json};
    ///
    /// let json = r#"{"cid":"bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy","mimeType":"image/png"}"#;
    /// let legacy: Blob = from_json(json)?;
    /// assert!(legacy.is_legacy() && legacy.validate().is_err());
    /// assert_eq!(legacy.to_json()?, json);
    ///
    /// let blob = legacy.to_current(9);
    /// assert_eq!((blob.cid(), blob.size()), (legacy.cid(), Some(9)));
    /// assert!(blob.validate().is_ok());
    /// # Ok::<_, atproto_sdk::types::DataError>(())
    /// ```
    #[must_use]
    pub fn to_current(&self, size: u64) -> Self {
        Self::with_extra(self.cid().clone(), self.mime_type().to_owned(), size, self.extra().clone())
    }

    /// Returns the fields that the specification does not define.
    pub fn extra(&self) -> &Extra {
        match &self.0 {
            Form::Current(blob) => &blob.extra,
            Form::AsRead(blob) => &blob.extra,
        }
    }
}

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Form::Current(Current { cid, mime_type, size, extra }) => f
                .debug_struct("Blob")
                .field("cid", cid)
                .field("mime_type", mime_type)
                .field("size", size)
                .field("extra", extra)
                .finish(),
            Form::AsRead(blob) => f.debug_tuple("Blob").field(&blob.raw).finish(),
        }
    }
}

/// Any form as it is read.
#[derive(Clone)]
struct Fields {
    link: Option<CidLink>,
    mime_type: String,
    size: Option<i64>,
    extra: Extra,
}

/// The `$type` of a reference.
pub(super) const BLOB: &str = "blob";

crate::__object! {
    Fields, "blob", record: true, {
        0 link: "ref" optional,
        1 mime_type: "mimeType" required,
        2 size: "size" optional,
    }
}

impl FromData for Blob {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DataError> {
        let mut start = reader.clone();
        let Fields { link, mime_type, size, mut extra } = Fields::read(reader)?;
        let (cid, is_legacy) = match (link, size) {
            (Some(CidLink(cid)), Some(size)) if !extra.lacks_type() => {
                return Ok(Self(Form::Current(Current { cid, mime_type, size, extra })));
            }
            (Some(CidLink(cid)), Some(_)) => (Some(cid), false),
            // The deprecated form has no `$type` and is recognized by its fields. Beside a `ref`, `cid` is like any other.
            (None, None) => (extra.remove("cid").and_then(|cid| cid.decode().ok()), true),
            _ => (None, false),
        };
        let Some(cid) = cid else {
            let expected = "expected a blob with the fields `ref`, `mimeType` and `size`";
            return Err(reader.error(Problem::Form(expected)));
        };
        // Read a second time, and kept as it is: rare, and short.
        let raw = start.unknown()?;
        reader.take_memory(size_of::<AsRead>() + raw.encoded_length())?;
        Ok(Self(Form::AsRead(Box::new(AsRead { cid, mime_type, size, extra, is_legacy, raw }))))
    }
}

crate::__serde_data!(Blob);
