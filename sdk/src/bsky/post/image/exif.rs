//! How a camera held the picture: Exif, of which only that is read and written.

/// The tag of the orientation.
const ORIENTATION: u16 = 0x0112;
/// What is in front of Exif in a JPEG, and by mistake elsewhere.
const PREFIX: &[u8] = b"Exif\0\0";

/// Reads Exif from a segment of a JPEG, which can be something else.
pub(super) fn orientation_of_segment(segment: &[u8]) -> Option<u8> {
    orientation(segment.strip_prefix(PREFIX)?)
}

/// Reads Exif: how the picture is to be turned, from 1 for not at all to 8.
pub(super) fn orientation(exif: &[u8]) -> Option<u8> {
    let tiff = exif.strip_prefix(PREFIX).unwrap_or(exif);
    let is_little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *tiff.get(at..)?.first_chunk()?;
        Some(if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let bytes = *tiff.get(4..)?.first_chunk()?;
    let directory = if is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize;
    let count: usize = short(directory)?.into();
    (0..count)
        .map(|index| directory.saturating_add(2 + 12 * index))
        .take_while(|&entry| entry < tiff.len())
        .find(|&entry| short(entry) == Some(ORIENTATION))
        .and_then(|entry| u8::try_from(short(entry.saturating_add(8))?).ok())
        .filter(|orientation| (1..=8).contains(orientation))
}

/// Exif that says only how the picture is to be turned.
pub(super) fn of_orientation(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01".to_vec();
    tiff.extend_from_slice(&ORIENTATION.to_be_bytes());
    // A short, of which there is one. No directory follows.
    tiff.extend_from_slice(&[0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// The same as a segment of a JPEG.
pub(super) fn segment_of_orientation(orientation: u8) -> Vec<u8> {
    [&[0xff, 0xe1, 0, 34], PREFIX, &of_orientation(orientation)].concat()
}
