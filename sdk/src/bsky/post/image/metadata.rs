//! What a file says besides the picture: places, times, devices, comments, previews.

use bytes::Bytes;

use super::header::{Format, Header, ORIENTATION, Segment, jpeg_segments};

/// The file without it. What cannot be understood is kept as it is.
pub(super) fn removed(file: Bytes, header: Header) -> Bytes {
    let shorter = match header.format {
        Format::Jpeg => jpeg(&file, header.orientation),
        Format::Png => png(&file),
        Format::Webp => webp(&file),
        // It has comments only, which nobody writes without knowing.
        Format::Gif => None,
    };
    shorter.map_or(file, Bytes::from)
}

fn jpeg(file: &[u8], orientation: u8) -> Option<Vec<u8>> {
    let mut kept = file.get(..2)?.to_vec();
    let mut end = 2;
    let mut removed = false;
    for Segment { marker, start, end: segment_end } in jpeg_segments(file) {
        let segment = file.get(start..segment_end)?;
        // Exif and XMP, Photoshop's, comments. The colour profile stays, and what says how colours are stored.
        if matches!(marker, 0xe1 | 0xed | 0xfe) {
            removed = true;
        } else {
            kept.extend_from_slice(segment);
            // The first segment says what kind of JPEG it is.
            if kept.len() == 2 + segment.len() && orientation != 1 && marker == 0xe0 {
                kept.extend_from_slice(&exif(orientation));
            }
        }
        end = segment_end;
    }
    // Phones append films and other versions of the picture, which have metadata of their own.
    let picture_end = jpeg_end(file, end).unwrap_or(file.len());
    if !removed && picture_end == file.len() {
        return None;
    }
    if orientation != 1 && !kept.windows(6).any(|window| window == b"Exif\0\0") {
        kept.splice(2..2, exif(orientation));
    }
    kept.extend_from_slice(file.get(end..picture_end)?);
    Some(kept)
}

/// Where the picture ends whose first scan begins at `position`.
fn jpeg_end(file: &[u8], mut position: usize) -> Option<usize> {
    loop {
        position += file.get(position..)?.iter().position(|&byte| byte == 0xff)?;
        position += match *file.get(position + 1)? {
            0xd9 => return Some(position + 2),
            // A fill byte; a byte of the picture; a part of it.
            0xff => 1,
            0x00 | 0x01 | 0xd0..=0xd8 => 2,
            // Segments stand also between scans.
            _ => 2 + usize::from(u16::from_be_bytes(file.get(position + 2..)?.first_chunk().copied()?)),
        };
    }
}

/// A segment that says only how the picture is to be turned.
fn exif(orientation: u8) -> Vec<u8> {
    let mut segment = vec![0xff, 0xe1, 0, 34];
    segment.extend_from_slice(b"Exif\0\0MM\0*\0\0\0\x08\0\x01");
    segment.extend_from_slice(&ORIENTATION.to_be_bytes());
    // A short, of which there is one.
    segment.extend_from_slice(&[0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
    segment
}

fn png(file: &[u8]) -> Option<Vec<u8>> {
    let mut kept = file.get(..8)?.to_vec();
    let mut position = 8;
    let mut removed = false;
    while position < file.len() {
        let length = u32::from_be_bytes(file.get(position..)?.first_chunk().copied()?) as usize;
        let chunk = file.get(position..position.checked_add(length)?.checked_add(12)?)?;
        if matches!(&chunk[4..8], b"eXIf" | b"tEXt" | b"zTXt" | b"iTXt" | b"tIME") {
            removed = true;
        } else {
            kept.extend_from_slice(chunk);
        }
        position += chunk.len();
        if &chunk[4..8] == b"IEND" {
            break;
        }
    }
    // What follows the end is not part of the picture.
    (removed || position < file.len()).then_some(kept)
}

fn webp(file: &[u8]) -> Option<Vec<u8>> {
    let mut kept = file.get(..12)?.to_vec();
    let mut position = 12;
    let mut removed = false;
    while position < file.len() {
        let length = u32::from_le_bytes(file.get(position + 4..)?.first_chunk().copied()?) as usize;
        // Chunks have an even length.
        let end = position.checked_add(8)?.checked_add(length)?.checked_add(length % 2)?;
        let chunk = file.get(position..end)?;
        match &chunk[..4] {
            b"EXIF" | b"XMP " => removed = true,
            b"VP8X" => {
                kept.extend_from_slice(chunk);
                let flags = kept.len() - chunk.len() + 8;
                *kept.get_mut(flags)? &= !0b1100;
            }
            _ => kept.extend_from_slice(chunk),
        }
        position = end;
    }
    let size = u32::try_from(kept.len() - 8).ok()?;
    kept[4..8].copy_from_slice(&size.to_le_bytes());
    removed.then_some(kept)
}
