//! Image files: what they are, how large they are, and what they should not tell.

mod exif;
mod header;
mod metadata;
mod parts;
#[cfg(feature = "images")]
mod smaller;

use bytes::Bytes;

use header::Header;
#[cfg(feature = "images")]
pub use smaller::ImageLimits;

/// The most bytes of an image in a post.
pub(super) const POST_IMAGE_BYTES: usize = 2_000_000;
/// The most bytes of the image of a link card.
pub(super) const THUMBNAIL_BYTES: usize = 1_000_000;

/// The error returned when a file is not an image that can be embedded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageProblem {
    /// The file is not an image of a known type.
    #[error("the file is not an image that apps show: a JPEG, PNG, WebP or GIF")]
    UnknownType,
    /// The file is of a known type, but does not say how large the image is, or is damaged.
    #[error("the file begins like a {mime_type}, but is damaged: {problem}")]
    Damaged {
        /// The type of the file.
        mime_type: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The file has too many bytes.
    #[error(
        "the image has {found} bytes, at most {most} are allowed; make it smaller, for example with \
         `ImageFile::made_to_fit` of the feature `images`"
    )]
    TooLarge {
        /// The bytes found.
        found: usize,
        /// The most that are allowed.
        most: usize,
    },
}

/// An image file, to be embedded in a post or used as an avatar.
///
/// ```
/// use atproto_sdk::bsky::post::{ImageFile, ImageProblem};
///
/// # let gif = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
/// let image = ImageFile::new(gif)?;
/// assert_eq!((image.mime_type(), image.width(), image.height()), ("image/gif", 3, 2));
/// assert_eq!(ImageFile::new("<svg/>"), Err(ImageProblem::UnknownType));
/// # Ok::<_, ImageProblem>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ImageFile {
    bytes: Bytes,
    header: Header,
}

/// Shows the size, but not the bytes.
impl std::fmt::Debug for ImageFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageFile")
            .field("mime_type", &self.mime_type())
            .field("width", &self.width())
            .field("height", &self.height())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

impl ImageFile {
    /// Reads a file, and takes what it says besides the picture out of it: cameras write down where and when a photo was taken,
    /// and with what. How it is turned is kept.
    ///
    /// Only what belongs to the picture stays, such as its pixels, its colour profile and its animation; of a GIF, its pictures,
    /// how long each is shown, and how often all of them. If the end of a file is missing, what there is of the picture is kept,
    /// and may be shown in part.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert_eq!(image.mime_type(), "image/gif");
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the file is not a JPEG, PNG, WebP or GIF, or is damaged so that nothing of the picture is
    /// found. A file is never kept because it could not be understood.
    pub fn new(file: impl Into<Bytes>) -> Result<Self, ImageProblem> {
        let bytes = file.into();
        let header = Header::read(&bytes)?;
        let bytes = metadata::removed(bytes, header)?;
        Ok(Self { bytes, header })
    }

    /// Returns the MIME type, which is found out from the bytes.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert_eq!(image.mime_type(), "image/gif");
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    pub fn mime_type(&self) -> &'static str {
        self.header.format.mime_type()
    }

    /// Returns the width in pixels, as the image is shown.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert_eq!(image.width(), 3);
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    pub fn width(&self) -> u32 {
        if self.header.is_on_its_side() { self.header.height } else { self.header.width }
    }

    /// Returns the height in pixels, as the image is shown.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert_eq!(image.height(), 2);
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    pub fn height(&self) -> u32 {
        if self.header.is_on_its_side() { self.header.width } else { self.header.height }
    }

    /// Returns the bytes of the file.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert!(image.bytes().starts_with(b"GIF"));
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes of the file, for an upload.
    ///
    /// ```
    /// # let file = &b"GIF89a\x03\0\x02\0\0\0\0,\0\0\0\0\x03\0\x02\0\0\x02\x02\x84Q\0;"[..];
    /// let image = atproto_sdk::bsky::post::ImageFile::new(file)?;
    /// assert!(image.into_bytes().starts_with(b"GIF"));
    /// # Ok::<_, atproto_sdk::bsky::post::ImageProblem>(())
    /// ```
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// # Errors
    ///
    /// Returns an error if there are more bytes than `most`.
    pub(super) fn check_size(&self, most: usize) -> Result<(), ImageProblem> {
        let found = self.bytes.len();
        if found > most { Err(ImageProblem::TooLarge { found, most }) } else { Ok(()) }
    }
}
