//! Image files: what stays of one is read as the same image again, has its size and type, and does not depend on what was
//! written into the file besides the picture.
#![no_main]

use atproto_sdk::bsky::post::ImageFile;
use libfuzzer_sys::fuzz_target;

const COMMENT: &[u8] = b"GPS 52.5 N 13.4 E";

/// The same file with something in it that does not belong to the picture.
fn described(file: &[u8]) -> Option<Vec<u8>> {
    let length = COMMENT.len() as u8;
    match file {
        [0xff, 0xd8, ..] => Some([&file[..2], &[0xff, 0xfe, 0, length + 2], COMMENT, &file[2..]].concat()),
        [0x89, b'P', ..] => {
            // Behind the first chunk.
            let first = u32::from_be_bytes(*file.get(8..)?.first_chunk()?) as usize;
            let at = first.checked_add(8 + 12).filter(|&at| at <= file.len())?;
            let chunk = [&[0, 0, 0, length][..], b"tEXt", COMMENT, &[0; 4]].concat();
            Some([&file[..at], &chunk, &file[at..]].concat())
        }
        [b'G', b'I', ..] => {
            let flags = *file.get(10)?;
            let at = 13 + if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
            Some([file.get(..at)?, &[0x21, 0xfe, length], COMMENT, &[0], &file[at..]].concat())
        }
        // In front of the first chunk, if the size of the whole can be told.
        [b'R', b'I', ..] if file.get(12..16) == Some(b"VP8X") => {
            let size = u32::from_le_bytes(*file.get(4..)?.first_chunk()?);
            let first = u32::from_le_bytes(*file.get(16..)?.first_chunk()?) as usize;
            let at =
                first.checked_add(20 + first % 2).filter(|&at| at < file.len() && at < size as usize + 8)?;
            let chunk = [b"XMP ", &[length + 1, 0, 0, 0][..], COMMENT, b" "].concat();
            let mut described = [&file[..at], &chunk, &file[at..]].concat();
            let size = size.checked_add(chunk.len() as u32)?;
            described[4..8].copy_from_slice(&size.to_le_bytes());
            Some(described)
        }
        _ => None,
    }
}

fuzz_target!(|file: &[u8]| {
    let image = match ImageFile::new(file.to_vec()) {
        Ok(image) => image,
        Err(error) => {
            assert!(error.to_string().len() < 200);
            return;
        }
    };
    assert!(image.width() > 0 && image.height() > 0);
    // At most how it is turned, and the end of a GIF, are added.
    assert!(image.bytes().len() <= file.len() + 48, "{image:?}");
    assert_eq!(image.bytes().first_chunk::<3>(), file.first_chunk::<3>());
    let again = ImageFile::new(image.bytes().to_vec()).expect("what stays is an image");
    assert_eq!(again, image);
    if let Some(described) = described(file) {
        let same = ImageFile::new(described).expect("it is still an image");
        assert_eq!(same.bytes(), image.bytes());
    }
});
