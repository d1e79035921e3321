//! The beginning of image files: type, size, and how a camera held the picture.

use super::{
    ImageProblem, exif,
    parts::{self, JPEG_END, JPEG_SCAN, Part},
};

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

    pub(super) fn damaged(self, problem: impl std::fmt::Display) -> ImageProblem {
        ImageProblem::Damaged { mime_type: self.mime_type(), problem: problem.to_string() }
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
        let (width, height, orientation) =
            read.ok_or_else(|| format.damaged("it does not say how large it is"))?;
        if width == 0 || height == 0 {
            return Err(format.damaged("it has no width or height"));
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
    let head = parts::png(file).next().filter(|chunk| &chunk.name == b"IHDR")?.content;
    let exif = parts::png(file).find(|chunk| &chunk.name == b"eXIf" && !chunk.is_cut);
    let orientation = exif.and_then(|chunk| exif::orientation(chunk.content));
    Some((big(head, 0)?, big(head, 4)?, orientation.unwrap_or(1)))
}

fn gif(file: &[u8]) -> Option<Size> {
    Some((little_short(file, 6)?, little_short(file, 8)?, 1))
}

fn webp(file: &[u8]) -> Option<Size> {
    // Where else a size may stand does not matter: a decoder looks into the first chunk.
    let Part { name, content: head, .. } = parts::webp(file).next()?;
    let three = |at: usize| Some(little_short(head, at)? | u32::from(*head.get(at + 2)?) << 16);
    match &name {
        // Only this kind can have other chunks than the picture.
        b"VP8X" => {
            let exif = parts::webp(file).find(|chunk| &chunk.name == b"EXIF" && !chunk.is_cut);
            let orientation = exif.and_then(|chunk| exif::orientation(chunk.content));
            Some((three(4)? + 1, three(7)? + 1, orientation.unwrap_or(1)))
        }
        b"VP8L" if *head.first()? == 0x2f => {
            let bits = little(head, 1)?;
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, 1))
        }
        b"VP8 " if head.get(3..6)? == [0x9d, 0x01, 0x2a] => {
            Some((little_short(head, 6)? & 0x3fff, little_short(head, 8)? & 0x3fff, 1))
        }
        _ => None,
    }
}

fn jpeg(file: &[u8]) -> Option<Size> {
    let mut orientation = 1;
    let mut size = None;
    for Part { name, content, .. } in
        parts::jpeg(file).take_while(|part| part.name != JPEG_SCAN && !part.is_cut)
    {
        match name {
            JPEG_END => break,
            0xe1 => orientation = exif::orientation_of_segment(content).unwrap_or(orientation),
            // A frame; three of these numbers are something else.
            0xc0..=0xcf if !matches!(name, 0xc4 | 0xc8 | 0xcc) && size.is_none() => {
                size = Some((big_short(content, 3)?, big_short(content, 1)?));
            }
            _ => {}
        }
    }
    size.map(|(width, height)| (width, height, orientation))
}
