//! Making images smaller.

use std::{borrow::Cow, io::Cursor};

use image::{
    DynamicImage, GenericImageView as _, ImageDecoder as _, ImageEncoder as _, ImageReader, Limits,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    imageops::FilterType,
    metadata::Orientation,
};

use super::{Header, ImageFile, ImageProblem, POST_IMAGE_BYTES, THUMBNAIL_BYTES, header::Format};

/// The qualities of a JPEG that are tried, from 100 for the best.
const QUALITIES: [u8; 3] = [90, 80, 70];
/// The largest image that is read at all, in pixels of its longer side.
const LARGEST_SIDE: u32 = 20_000;
/// The memory for reading the user's own image.
const OWN_MEMORY: u64 = 512 << 20;
/// The memory for reading an image that somebody on the web has chosen.
const FOREIGN_MEMORY: u64 = 96 << 20;

/// What an image must fit into; see [`ImageFile::made_to_fit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    bytes: usize,
    side: u32,
    memory: u64,
}

impl ImageLimits {
    /// What a post may embed: 2,000,000 bytes, and 2,000 pixels on the longer side, as apps do.
    pub const POST: Self = Self::new(POST_IMAGE_BYTES, 2000);
    /// The image of a link card.
    pub(in crate::bsky::post) const THUMBNAIL: Self = Self::new(THUMBNAIL_BYTES, 1200).memory(FOREIGN_MEMORY);

    /// At most so many bytes, and so many pixels on the longer side.
    ///
    /// ```no_run
    /// use atproto_sdk::bsky::post::{ImageFile, ImageLimits};
    ///
    /// # fn example(photo: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
    /// let avatar = ImageFile::new(photo)?.made_to_fit(ImageLimits::new(1_000_000, 1000))?;
    /// # Ok(()) }
    /// ```
    pub const fn new(bytes: usize, side: u32) -> Self {
        Self { bytes, side, memory: OWN_MEMORY }
    }

    /// Limits the memory for reading the image, in bytes. A larger one is refused. The default is 512 MiB.
    ///
    /// A web site that makes the images of visitors smaller should set this to what it can spare, and limit how many it
    /// does at once: a file of some kilobytes can be an image of hundreds of megapixels. A picture takes three or four bytes for
    /// each pixel, and scaling it up to 16 bytes besides for each pixel of its shorter side times the longest side
    /// that is wanted.
    ///
    /// ```
    /// use atproto_sdk::bsky::post::ImageLimits;
    ///
    /// // Up to about 24 megapixels.
    /// let visitors = ImageLimits::POST.memory(96 << 20);
    /// # let _ = visitors;
    /// ```
    #[must_use]
    pub const fn memory(self, bytes: u64) -> Self {
        Self { memory: bytes, ..self }
    }
}

impl ImageFile {
    /// Makes the image smaller if it does not fit: first its pixels, then its quality. It becomes a JPEG, or a PNG if it is
    /// transparent somewhere; of an animation, the first picture remains. An image that fits stays as it is.
    ///
    /// This computes for up to some seconds. In async code, call it in `tokio::task::spawn_blocking`. For images of strangers,
    /// limit the [memory](ImageLimits::memory).
    ///
    /// ```no_run
    /// use atproto_sdk::bsky::post::{ImageFile, ImageLimits};
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let image = ImageFile::new(std::fs::read("photo.jpg")?)?.made_to_fit(ImageLimits::POST)?;
    /// assert!(image.bytes().len() <= 2_000_000);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the image is damaged, takes too much memory to read, or cannot be made small enough.
    pub fn made_to_fit(self, limits: ImageLimits) -> Result<Self, ImageProblem> {
        let longer = self.width().max(self.height());
        if self.bytes.len() <= limits.bytes && longer <= limits.side {
            return Ok(self);
        }
        let (picture, profile) = self.decode(limits.memory)?;
        let transparent =
            picture.color().has_alpha() && picture.pixels().any(|(_, _, pixel)| pixel.0[3] < 255);
        let mut side = longer.min(limits.side);
        while side > 0 {
            let scaled = if longer > side {
                Cow::Owned(picture.resize(side, side, FilterType::CatmullRom))
            } else {
                Cow::Borrowed(&picture)
            };
            for quality in QUALITIES {
                let file = if transparent {
                    png(&scaled, profile.as_deref())
                } else {
                    jpeg(&scaled, profile.as_deref(), quality)
                };
                let file = file.map_err(|error| self.damaged(error))?;
                if file.len() <= limits.bytes {
                    let header = Header::read(&file)?;
                    return Ok(Self { bytes: file.into(), header });
                }
                if transparent {
                    break;
                }
            }
            side = side / 4 * 3;
        }
        Err(ImageProblem::TooLarge { found: self.bytes.len(), most: limits.bytes })
    }

    /// The picture as it is shown, and its colour profile.
    fn decode(&self, memory: u64) -> Result<(DynamicImage, Option<Vec<u8>>), ImageProblem> {
        let mut limits = Limits::default();
        limits.max_image_width = Some(LARGEST_SIDE);
        limits.max_image_height = Some(LARGEST_SIDE);
        limits.max_alloc = Some(memory);
        let format = match self.header.format {
            Format::Jpeg => image::ImageFormat::Jpeg,
            Format::Png => image::ImageFormat::Png,
            Format::Webp => image::ImageFormat::WebP,
            Format::Gif => image::ImageFormat::Gif,
        };
        let mut reader = ImageReader::with_format(Cursor::new(&self.bytes[..]), format);
        reader.limits(limits.clone());
        let mut decoder = reader.into_decoder().map_err(|error| self.damaged(error))?;
        // The reader checks the size of the image only; this is for what the decoder needs.
        let size = decoder.total_bytes();
        if size > memory {
            return Err(
                self.damaged(format!("it takes {size} bytes of memory, at most {memory} are allowed"))
            );
        }
        let profile = decoder.icc_profile().ok().flatten();
        let mut picture = DynamicImage::from_decoder(decoder).map_err(|error| self.damaged(error))?;
        if let Some(orientation) = Orientation::from_exif(self.header.orientation) {
            picture.apply_orientation(orientation);
        }
        Ok((picture, profile))
    }

    fn damaged(&self, problem: impl std::fmt::Display) -> ImageProblem {
        self.header.format.damaged(problem)
    }
}

fn jpeg(picture: &DynamicImage, profile: Option<&[u8]>, quality: u8) -> Result<Vec<u8>, image::ImageError> {
    let mut file = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut file, quality);
    if let Some(profile) = profile {
        // A profile that cannot be written costs only its colours.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    encoder.encode_image(&DynamicImage::ImageRgb8(picture.to_rgb8()))?;
    Ok(file)
}

fn png(picture: &DynamicImage, profile: Option<&[u8]>) -> Result<Vec<u8>, image::ImageError> {
    let mut file = Vec::new();
    let mut encoder = PngEncoder::new(&mut file);
    if let Some(profile) = profile {
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    picture.write_with_encoder(encoder)?;
    Ok(file)
}
