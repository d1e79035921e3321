//! What a file says besides the picture: places, times, devices, comments, previews.

use bytes::Bytes;

use super::{
    ImageProblem, exif,
    header::{Format, Header},
    parts::{self, GifBlock, JPEG_END, JPEG_SCAN, Part},
};

/// The file without it, but with how the picture is to be turned.
///
/// Only parts that are known to belong to the picture are kept, so nothing stays because it could not be understood. Where a
/// file ends too early, what there is of the picture is kept.
///
/// # Errors
///
/// Returns an error if the file ends, or cannot be read any further, in front of the picture.
pub(super) fn removed(file: Bytes, header: Header) -> Result<Bytes, ImageProblem> {
    let kept = match header.format {
        Format::Jpeg => jpeg(&file, header.orientation),
        Format::Png => png(&file, header.orientation),
        Format::Webp => webp(&file, header.orientation),
        Format::Gif => gif(&file),
    };
    let kept = kept.ok_or_else(|| header.format.damaged("it ends in front of the picture"))?;
    Ok(if kept == file { file } else { kept.into() })
}

fn jpeg(file: &[u8], orientation: u8) -> Option<Vec<u8>> {
    let exif = if orientation == 1 { Vec::new() } else { exif::segment_of_orientation(orientation) };
    let mut kept = file.get(..2)?.to_vec();
    let mut exif_at = kept.len();
    let mut has_picture = false;
    for Part { name, bytes, content, is_cut } in parts::jpeg(file) {
        if is_cut {
            break;
        }
        match name {
            // How colours are stored; other segments of these kinds are previews and indexes of further pictures.
            0xe0 if content.starts_with(b"JFIF\0") => {
                kept.extend_from_slice(&jfif(bytes));
                // It says what kind of JPEG this is, and has to be the first.
                if !has_picture && exif_at == 2 {
                    exif_at = kept.len();
                }
            }
            0xe2 if content.starts_with(b"ICC_PROFILE\0") => kept.extend_from_slice(bytes),
            0xee if content.starts_with(b"Adobe") => kept.extend_from_slice(bytes),
            // What applications add, and comments.
            0xe0..=0xef | 0xfe => {}
            _ => kept.extend_from_slice(bytes),
        }
        has_picture |= name == JPEG_SCAN;
        // Phones append films and other versions of the picture, which have metadata of their own.
        if name == JPEG_END {
            break;
        }
    }
    kept.splice(exif_at..exif_at, exif);
    has_picture.then_some(kept)
}

/// The segment without a preview.
fn jfif(segment: &[u8]) -> Vec<u8> {
    let mut kept = segment.to_vec();
    if kept.len() > 18 {
        kept.truncate(18);
        kept[2..4].copy_from_slice(&[0, 16]);
        kept[16..].fill(0);
    }
    kept
}

fn png(file: &[u8], orientation: u8) -> Option<Vec<u8>> {
    let mut kept = file.get(..8)?.to_vec();
    // Once, however many headers a damaged file has.
    let mut exif = (orientation != 1).then(|| png_chunk(*b"eXIf", &exif::of_orientation(orientation)));
    let mut has_picture = false;
    for Part { name, bytes, is_cut, .. } in parts::png(file) {
        let is_picture = matches!(&name, b"IDAT" | b"fdAT");
        has_picture |= &name == b"IDAT";
        // An incomplete chunk of anything else is of no use.
        if is_cut && !is_picture && &name != b"IEND" {
            break;
        }
        if is_picture || belongs_to_png(&name) {
            kept.extend_from_slice(bytes);
        }
        if &name == b"IHDR" {
            kept.extend(exif.take().into_iter().flatten());
        }
    }
    has_picture.then_some(kept)
}

/// Whether a chunk belongs to the picture: one that decoders must understand, or one about colours, density or animation.
fn belongs_to_png(name: &[u8; 4]) -> bool {
    let is_critical = name[0].is_ascii_uppercase();
    let is_shown = matches!(
        name,
        b"tRNS"
            | b"cHRM"
            | b"gAMA"
            | b"iCCP"
            | b"sBIT"
            | b"sRGB"
            | b"cICP"
            | b"mDCV"
            | b"cLLI"
            | b"bKGD"
            | b"hIST"
            | b"pHYs"
            | b"sPLT"
            | b"acTL"
            | b"fcTL"
    );
    is_critical || is_shown
}

fn png_chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    // A chunk of ours is small.
    let length = u32::try_from(content.len()).unwrap_or(0);
    let named = [&name[..], content].concat();
    [&length.to_be_bytes()[..], &named, &png_checksum(&named).to_be_bytes()].concat()
}

/// CRC-32 as ISO 3309 defines it.
fn png_checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |checksum, &byte| {
        (0..8).fold(checksum ^ u32::from(byte), |checksum, _| {
            checksum >> 1 ^ if checksum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    })
}

/// The flags of the first chunk of an extended WebP.
const WEBP_EXIF: u8 = 0b1000;
const WEBP_XMP: u8 = 0b0100;

fn webp(file: &[u8], orientation: u8) -> Option<Vec<u8>> {
    let mut kept = file.get(..12)?.to_vec();
    // The bytes that a cut chunk lacks, and where Exif stands in front of it.
    let mut missing = 0;
    let mut exif_at = None;
    let mut has_picture = false;
    for part in parts::webp(file) {
        let Part { name, bytes, content, is_cut } = part;
        let start = kept.len();
        if &name == b"ANMF" {
            let Some((frame, lacks)) = webp_frame(part) else { continue };
            has_picture = true;
            kept.extend_from_slice(&frame);
            if lacks > 0 {
                exif_at = Some(start);
                missing = lacks;
            }
            continue;
        }
        let is_picture = is_webp_picture(&name);
        has_picture |= is_picture;
        if is_cut && !is_picture {
            break;
        }
        match &name {
            b"VP8X" => {
                kept.extend_from_slice(bytes);
                let flags = kept.get_mut(start + 8)?;
                *flags &= !(WEBP_EXIF | WEBP_XMP);
                if orientation != 1 {
                    *flags |= WEBP_EXIF;
                }
            }
            _ if is_picture || matches!(&name, b"ICCP" | b"ANIM" | b"ALPH") => kept.extend_from_slice(bytes),
            _ => continue,
        }
        if is_cut {
            exif_at = Some(start);
            missing = lacking(bytes, content)?;
        } else if kept.len() % 2 == 1 {
            // Padding that was forgotten.
            kept.push(0);
        }
    }
    if orientation != 1 {
        let tiff = exif::of_orientation(orientation);
        let length = u32::try_from(tiff.len()).ok()?.to_le_bytes();
        let at = exif_at.unwrap_or(kept.len());
        kept.splice(at..at, [b"EXIF", &length[..], &tiff].concat());
    }
    let size = u32::try_from(kept.len() as u64 - 8 + missing).ok()?;
    kept[4..8].copy_from_slice(&size.to_le_bytes());
    has_picture.then_some(kept)
}

fn is_webp_picture(name: &[u8; 4]) -> bool {
    matches!(name, b"VP8 " | b"VP8L")
}

/// How many bytes a cut chunk lacks.
fn lacking(bytes: &[u8], content: &[u8]) -> Option<u64> {
    let length = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    (u64::from(length) + u64::from(length % 2)).checked_sub(content.len() as u64)
}

/// A frame of an animation with nothing but its picture, and how many bytes it lacks at its end. `None` if there is no picture.
fn webp_frame(frame: Part<'_, [u8; 4]>) -> Option<(Vec<u8>, u64)> {
    // Its place, its size and its time come first.
    const HEAD: usize = 16;
    let mut kept = [&frame.name[..], &[0; 4], frame.content.get(..HEAD)?].concat();
    let (mut missing, mut has_picture) = (0, false);
    for Part { name, bytes, content, is_cut } in parts::webp_chunks(&frame.content[HEAD..]) {
        let is_picture = is_webp_picture(&name);
        has_picture |= is_picture;
        if is_cut && !is_picture {
            break;
        }
        if !is_picture && &name != b"ALPH" {
            continue;
        }
        let start = kept.len();
        kept.extend_from_slice(bytes);
        if is_cut && frame.is_cut {
            missing = lacking(bytes, content)?;
            break;
        }
        if is_cut {
            // It claims more than the frame has, and would take in what follows.
            let length = u32::try_from(content.len()).ok()?;
            kept[start + 4..start + 8].copy_from_slice(&length.to_le_bytes());
        }
        if kept.len() % 2 == 1 {
            kept.push(0);
        }
    }
    let length = u32::try_from(kept.len() as u64 - 8 + missing).ok()?;
    kept[4..8].copy_from_slice(&length.to_le_bytes());
    has_picture.then_some((kept, missing))
}

/// Only pictures stay, with how long each is shown, and how often all of them.
fn gif(file: &[u8]) -> Option<Vec<u8>> {
    let mut kept = file.get(..parts::gif_start(file)?)?.to_vec();
    let (mut has_picture, mut is_whole) = (false, true);
    // How the next picture is shown.
    let mut control = None;
    for Part { name, bytes, content, is_cut } in parts::gif(file) {
        match name {
            GifBlock::Picture if content.is_empty() => break,
            GifBlock::Picture => {
                kept.extend(control.take().into_iter().flatten());
                kept.extend_from_slice(bytes);
                (has_picture, is_whole) = (true, !is_cut);
            }
            GifBlock::Extension(0xf9) => control = gif_control(content),
            // Text to be drawn over the picture, which no app does.
            GifBlock::Extension(0x01) => control = None,
            GifBlock::Extension(0xff) => kept.extend(gif_repetition(content).into_iter().flatten()),
            GifBlock::Extension(_) => {}
            GifBlock::End => break,
        }
    }
    if is_whole {
        kept.push(0x3b);
    }
    has_picture.then_some(kept)
}

/// The extension that says how a picture is shown, without anything else in it.
fn gif_control(content: &[u8]) -> Option<[u8; 8]> {
    let &[flags, low, high, transparent] = parts::sub_blocks(content).next()? else { return None };
    Some([0x21, 0xf9, 4, flags, low, high, transparent, 0])
}

/// The extension that says how often an animation is repeated, without anything else in it.
fn gif_repetition(content: &[u8]) -> Option<Vec<u8>> {
    let mut blocks = parts::sub_blocks(content);
    let name = blocks.next().filter(|name| matches!(*name, b"NETSCAPE2.0" | b"ANIMEXTS1.0"))?;
    let times = blocks.find_map(|block| block.strip_prefix(&[1])?.first_chunk::<2>())?;
    Some([&[0x21, 0xff, 11][..], name, &[3, 1], times, &[0]].concat())
}
