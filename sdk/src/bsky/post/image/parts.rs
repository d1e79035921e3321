//! What image files consist of: the segments of a JPEG, the chunks of a PNG or WebP, and the blocks of a GIF.

/// A part of a file.
#[derive(Clone, Copy)]
pub(super) struct Part<'f, Name> {
    pub(super) name: Name,
    /// All its bytes, as far as the file has them.
    pub(super) bytes: &'f [u8],
    /// Those without its name, length, checksum and padding.
    pub(super) content: &'f [u8],
    /// The file ends within this part, which is the last one then.
    pub(super) is_cut: bool,
}

/// The end of a JPEG.
pub(super) const JPEG_END: u8 = 0xd9;
/// The beginning of a scan: a part with the bytes of the picture.
pub(super) const JPEG_SCAN: u8 = 0xda;

/// The segments of a JPEG, each scan with its part of the picture.
///
/// Bytes between them that belong to nothing are left out, as decoders do.
pub(super) fn jpeg(file: &[u8]) -> impl Iterator<Item = Part<'_, u8>> {
    let mut rest = file.get(2..).unwrap_or_default();
    std::iter::from_fn(move || {
        let begins = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xff);
        rest = &rest[rest.windows(2).position(begins)?..];
        let name = rest[1];
        let header = if matches!(name, 0x01 | 0xd0..=JPEG_END) {
            Some(2)
        } else {
            let length = rest.get(2..4).map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            length.filter(|&length| length >= 2).map(|length| 2 + length)
        };
        let header = header.filter(|&header| header <= rest.len());
        let end = match header {
            Some(header) if name == JPEG_SCAN => {
                // Bytes of the picture with this value are followed by zero.
                let ends =
                    |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0x01 | 0xd0..=0xd8 | 0xff);
                rest[header..].windows(2).position(ends).map_or(rest.len(), |length| header + length)
            }
            _ => header.unwrap_or(rest.len()),
        };
        let (bytes, after) = rest.split_at(end);
        rest = after;
        let content = bytes.get(4..header.unwrap_or(end)).unwrap_or_default();
        Some(Part { name, bytes, content, is_cut: header.is_none() })
    })
}

/// The chunks of a PNG up to its last one. What is behind that does not belong to it.
pub(super) fn png(file: &[u8]) -> impl Iterator<Item = Part<'_, [u8; 4]>> {
    let mut rest = file.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk()?);
        let name = *rest.get(4..)?.first_chunk()?;
        // The checksum is behind the content.
        let (part, after) = chunk(rest, name, length, 4);
        rest = if &name == b"IEND" { &[] } else { after };
        Some(part)
    })
}

/// The chunks of a WebP. What is behind the size that it says does not belong to it.
pub(super) fn webp(file: &[u8]) -> impl Iterator<Item = Part<'_, [u8; 4]>> {
    let size = file.get(4..).and_then(|size| size.first_chunk()).map_or(0, |size| u32::from_le_bytes(*size));
    let end = (size as usize).saturating_add(8).min(file.len());
    webp_chunks(file.get(12..end).unwrap_or_default())
}

/// The chunks of a WebP, or of a frame in it.
pub(super) fn webp_chunks(mut rest: &[u8]) -> impl Iterator<Item = Part<'_, [u8; 4]>> {
    std::iter::from_fn(move || {
        let name = *rest.first_chunk()?;
        let length = u32::from_le_bytes(*rest.get(4..)?.first_chunk()?);
        // Chunks have an even length. The last one is not damaged if only that is missing.
        let whole = (length as usize).checked_add(8) == Some(rest.len());
        let padding = if whole { 0 } else { length as usize % 2 };
        let (part, after) = chunk(rest, name, length, padding);
        rest = after;
        Some(part)
    })
}

/// The chunk at the beginning, of which `rest` has the name and the length, and what comes behind it.
fn chunk(rest: &[u8], name: [u8; 4], length: u32, behind: usize) -> (Part<'_, [u8; 4]>, &[u8]) {
    let end = (length as usize).saturating_add(8);
    let whole = end.checked_add(behind).filter(|&whole| whole <= rest.len());
    let (bytes, after) = rest.split_at(whole.unwrap_or(rest.len()));
    (Part { name, bytes, content: &bytes[8..end.min(bytes.len())], is_cut: whole.is_none() }, after)
}

/// What a block of a GIF is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GifBlock {
    Picture,
    /// With the number that says of which kind.
    Extension(u8),
    End,
}

/// Where the blocks of a GIF begin: behind its size and its table of colours. `None` if the file ends before.
pub(super) fn gif_start(file: &[u8]) -> Option<usize> {
    Some(13 + colours(*file.get(10)?)).filter(|&start| start <= file.len())
}

/// The blocks of a GIF up to its end, or up to something that is no block: apps show what is in front of that. The content of a
/// picture or an extension is its sub-blocks.
pub(super) fn gif(file: &[u8]) -> impl Iterator<Item = Part<'_, GifBlock>> {
    let mut rest = gif_start(file).and_then(|start| file.get(start..)).unwrap_or_default();
    std::iter::from_fn(move || {
        let (name, head) = match *rest {
            // The place of the picture, a table of colours, and how long the codes are.
            [0x2c, ..] => (GifBlock::Picture, rest.get(9).map_or(rest.len(), |&flags| 11 + colours(flags))),
            [0x21, kind, ..] => (GifBlock::Extension(kind), 2),
            [0x3b, ..] => (GifBlock::End, 1),
            _ => return None,
        };
        let whole = if name == GifBlock::End { Some(head) } else { sub_blocks_end(rest, head) };
        let (bytes, after) = rest.split_at(whole.unwrap_or(rest.len()));
        rest = if name == GifBlock::End { &[] } else { after };
        let content = bytes.get(head..).unwrap_or_default();
        Some(Part { name, bytes, content, is_cut: whole.is_none() })
    })
}

/// How many bytes a table of colours has, by the flags in front of it.
fn colours(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

/// The sub-blocks in the content of a block.
pub(super) fn sub_blocks(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first().filter(|(length, _)| **length > 0)?;
        let (block, after) = after.split_at_checked(length.into())?;
        rest = after;
        Some(block)
    })
}

/// The end of the sub-blocks that begin there, behind the empty one.
fn sub_blocks_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *bytes.get(at)?;
        at += 1 + usize::from(length);
        if length == 0 {
            return Some(at);
        }
    }
}
