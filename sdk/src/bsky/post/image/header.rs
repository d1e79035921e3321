//! The beginning of image files: type, size, and how a camera held the picture.

use super::ImageProblem;

/// The types that every app shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Webp,
    Gif,
}

impl Format {
    pub(super) fn mime_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    fn of(file: &[u8]) -> Option<Self> {
        match file {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: Format,
    /// As it is stored.
    pub(super) width: u32,
    pub(super) height: u32,
    /// How it is to be turned, as Exif counts: 1 is not at all, from 5 on width and height change places.
    pub(super) orientation: u8,
}

impl Header {
    pub(super) fn read(file: &[u8]) -> Result<Self, ImageProblem> {
        let format = Format::of(file).ok_or(ImageProblem::UnknownType)?;
        let read = match format {
            Format::Jpeg => jpeg(file),
            Format::Png => png(file),
            Format::Webp => webp(file),
            Format::Gif => gif(file),
        };
        let damaged = |problem: &str| ImageProblem::Damaged {
            mime_type: format.mime_type(),
            problem: problem.to_owned(),
        };
        let (width, height, orientation) = read.ok_or_else(|| damaged("it does not say how large it is"))?;
        if width == 0 || height == 0 {
            return Err(damaged("it has no width or height"));
        }
        Ok(Self { format, width, height, orientation })
    }

    pub(super) fn is_on_its_side(self) -> bool {
        self.orientation >= 5
    }
}

type Size = (u32, u32, u8);

fn big(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(file.get(at..)?.first_chunk().copied()?))
}

fn big_short(file: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_be_bytes(file.get(at..)?.first_chunk().copied()?).into())
}

fn little(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..)?.first_chunk().copied()?))
}

fn little_short(file: &[u8], at: usize) -> Option<u32> {
    Some(u16::from_le_bytes(file.get(at..)?.first_chunk().copied()?).into())
}

fn png(file: &[u8]) -> Option<Size> {
    if file.get(12..16)? != b"IHDR" {
        return None;
    }
    Some((big(file, 16)?, big(file, 20)?, 1))
}

fn gif(file: &[u8]) -> Option<Size> {
    Some((little_short(file, 6)?, little_short(file, 8)?, 1))
}

fn webp(file: &[u8]) -> Option<Size> {
    let three = |at: usize| Some(little(file, at)? & 0x00ff_ffff);
    match file.get(12..16)? {
        b"VP8X" => Some((three(24)? + 1, three(27)? + 1, 1)),
        b"VP8L" if *file.get(20)? == 0x2f => {
            let bits = little(file, 21)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, 1))
        }
        b"VP8 " if file.get(23..26)? == [0x9d, 0x01, 0x2a] => {
            Some((little_short(file, 26)? & 0x3fff, little_short(file, 28)? & 0x3fff, 1))
        }
        _ => None,
    }
}

/// A part of a JPEG file: its marker, where it begins and where the next one does.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub(super) marker: u8,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// The segments of a JPEG file in front of the picture.
pub(super) fn jpeg_segments(file: &[u8]) -> impl Iterator<Item = Segment> {
    let mut position = 2;
    std::iter::from_fn(move || {
        // A marker can have any number of fill bytes.
        while file.get(position..position + 2)? == [0xff, 0xff] {
            position += 1;
        }
        let &[0xff, marker] = file.get(position..)?.first_chunk()? else { return None };
        // The picture begins, or the file ends.
        if matches!(marker, 0xd9 | 0xda) {
            return None;
        }
        let alone = matches!(marker, 0x01 | 0xd0..=0xd8);
        let length = if alone { 0 } else { big_short(file, position + 2)? as usize };
        let (start, end) = (position, position + 2 + length);
        position = end;
        (alone || length >= 2).then_some(Segment { marker, start, end })
    })
}

fn jpeg(file: &[u8]) -> Option<Size> {
    let mut orientation = 1;
    for Segment { marker, start, end } in jpeg_segments(file) {
        match marker {
            0xe1 => orientation = exif_orientation(file.get(start + 4..end)?).unwrap_or(orientation),
            // A frame; three of these numbers are something else.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                return Some((big_short(file, start + 7)?, big_short(file, start + 5)?, orientation));
            }
            _ => {}
        }
    }
    None
}

/// The tag of the orientation in Exif.
pub(super) const ORIENTATION: u16 = 0x0112;

fn exif_orientation(segment: &[u8]) -> Option<u8> {
    let tiff = segment.strip_prefix(b"Exif\0\0")?;
    let is_little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at| if is_little { little_short(tiff, at) } else { big_short(tiff, at) };
    let directory = (if is_little { little(tiff, 4) } else { big(tiff, 4) })? as usize;
    let count = short(directory)? as usize;
    (0..count)
        .map(|index| directory.saturating_add(2 + 12 * index))
        .take_while(|&entry| entry < tiff.len())
        .find(|&entry| short(entry) == Some(ORIENTATION.into()))
        .and_then(|entry| u8::try_from(short(entry.saturating_add(8))?).ok())
        .filter(|orientation| (1..=8).contains(orientation))
}
