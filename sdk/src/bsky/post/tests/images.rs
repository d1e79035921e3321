//! Image files.
#![allow(clippy::unwrap_used)]

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use crate::bsky::post::{ImageFile, ImageLimits, ImageProblem};

/// A picture that does not get much smaller by compression.
pub(super) fn noise(width: u32, height: u32) -> RgbImage {
    let mut state = 1_u32;
    RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    })
}

pub(super) fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.into().write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A JPEG with a segment behind its beginning.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, content, &jpeg[2..]].concat()
}

/// Exif with an orientation and a place.
fn exif(orientation: u8, little: bool) -> Vec<u8> {
    let mut exif = b"Exif\0\0".to_vec();
    if little {
        exif.extend_from_slice(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0");
        exif.extend_from_slice(&[orientation, 0, 0, 0]);
    } else {
        exif.extend_from_slice(b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01");
        exif.extend_from_slice(&[0, orientation, 0, 0]);
    }
    exif.extend_from_slice(b"\0\0\0\0GPS 52.5 N 13.4 E");
    exif
}

pub(super) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn type_and_size_are_read_from_the_bytes() {
    for (format, mime_type) in [
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::Png, "image/png"),
        (ImageFormat::WebP, "image/webp"),
        (ImageFormat::Gif, "image/gif"),
    ] {
        let image = ImageFile::new(file(noise(31, 17), format)).unwrap();
        assert_eq!((image.mime_type(), image.width(), image.height()), (mime_type, 31, 17));
        assert!(format!("{image:?}").contains("31"));
    }
    // The other two kinds of WebP.
    let extended = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0VP8L\0\0\0\0";
    let image = ImageFile::new(&extended[..]).unwrap();
    assert_eq!((image.width(), image.height()), (320, 240));
    let lossy = b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x40\x01\xf0\0";
    let image = ImageFile::new(&lossy[..]).unwrap();
    assert_eq!((image.width(), image.height()), (320, 240));
}

#[test]
fn what_is_no_image_or_is_damaged_is_refused() {
    for text in [&b""[..], b"GIF", b"<svg/>", b"\0\0\0\x20ftypavif", b"RIFF\0\0\0\0WAVEfmt "] {
        assert_eq!(ImageFile::new(text), Err(ImageProblem::UnknownType));
    }
    for (format, kept) in
        [(ImageFormat::Jpeg, 20), (ImageFormat::Png, 20), (ImageFormat::WebP, 20), (ImageFormat::Gif, 7)]
    {
        let mut whole = file(noise(9, 9), format);
        whole.truncate(kept);
        let error = ImageFile::new(whole).unwrap_err();
        assert!(matches!(error, ImageProblem::Damaged { .. }), "{format:?}: {error}");
    }
    let mut empty = file(noise(9, 9), ImageFormat::Gif);
    empty[6..8].fill(0);
    assert!(ImageFile::new(empty).unwrap_err().to_string().contains("no width or height"));
}

#[test]
fn bytes_of_any_kind_do_not_panic() {
    let mut state = 99_u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif] {
        let good = with_segment(&file(noise(12, 12), format), 0xe1, &exif(6, true));
        let good = if format == ImageFormat::Jpeg { good } else { file(noise(12, 12), format) };
        for _ in 0..500 {
            let mut bad = good.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() as usize % bad.len().min(96);
                bad[at] = random() as u8;
            }
            bad.truncate(random() as usize % (bad.len() + 1));
            if let Ok(image) = ImageFile::new(bad) {
                let _ = image.made_to_fit(ImageLimits::new(50, 4));
            }
        }
    }
}

#[test]
fn a_photo_keeps_how_it_is_turned_and_nothing_about_where_it_was_taken() {
    let jpeg = file(noise(30, 20), ImageFormat::Jpeg);
    for little in [true, false] {
        let photo = with_segment(&jpeg, 0xe1, &exif(6, little));
        let photo = with_segment(&photo, 0xfe, b"a comment");
        let image = ImageFile::new(photo).unwrap();
        assert_eq!((image.width(), image.height()), (20, 30), "it is shown on its side");
        assert!(!contains(image.bytes(), b"GPS") && !contains(image.bytes(), b"a comment"));
        // What remains is read again in the same way, also by another reader.
        let again = ImageFile::new(image.bytes().to_vec()).unwrap();
        assert_eq!(again, image);
        let mut decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(image.bytes())).unwrap();
        let orientation = image::ImageDecoder::orientation(&mut decoder).unwrap();
        assert_eq!(orientation, image::metadata::Orientation::Rotate90);
    }
    // A photo that is not turned needs no Exif at all, and a file without metadata is not touched.
    let image = ImageFile::new(with_segment(&jpeg, 0xe1, &exif(1, true))).unwrap();
    assert_eq!(image.bytes(), jpeg);
    assert_eq!(ImageFile::new(jpeg.clone()).unwrap().bytes(), jpeg);
    // Nor does what is behind the picture belong to it.
    let film = [&jpeg[..], b"ftypmp42 GPS"].concat();
    assert_eq!(ImageFile::new(film).unwrap().bytes(), jpeg);
}

#[test]
fn texts_in_png_and_webp_are_removed() {
    let png = file(noise(5, 5), ImageFormat::Png);
    let chunk = b"\0\0\0\x0ctEXtAuthor\0Alice\x9d\x31\x5d\x04";
    // Behind the header, which has 25 bytes with its length, name and checksum.
    let described = [&png[..33], chunk, &png[33..], b"trailing"].concat();
    let image = ImageFile::new(described).unwrap();
    assert_eq!(image.bytes(), png);

    let webp = file(noise(5, 5), ImageFormat::WebP);
    let mut described = [&webp[..], b"EXIF\x03\0\0\0GPS\0"].concat();
    let size = u32::try_from(described.len() - 8).unwrap();
    described[4..8].copy_from_slice(&size.to_le_bytes());
    assert_eq!(ImageFile::new(described).unwrap().bytes(), webp);
}

/// A PNG chunk; its checksum counts only where a decoder reads it.
pub(super) fn png_chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32::try_from(content.len()).unwrap().to_be_bytes(), &name[..], content, &[0; 4]].concat()
}

pub(super) fn webp_chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let padding = &[0][..content.len() % 2];
    [&name[..], &u32::try_from(content.len()).unwrap().to_le_bytes(), content, padding].concat()
}

/// An extended WebP with these flags and with chunks in front of and behind the picture.
pub(super) fn extended_webp(picture: &DynamicImage, flags: u8, before: &[u8], behind: &[u8]) -> Vec<u8> {
    let simple = file(picture.clone(), ImageFormat::WebP);
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let head = [&[flags, 0, 0, 0][..], &side(picture.width()), &side(picture.height())].concat();
    let chunks = [b"WEBP", &webp_chunk(b"VP8X", &head)[..], before, &simple[12..], behind].concat();
    [b"RIFF", &u32::try_from(chunks.len()).unwrap().to_le_bytes()[..], &chunks].concat()
}

/// Red on the left, blue on the right.
pub(super) fn halves() -> DynamicImage {
    let half = RgbImage::from_fn(200, 100, |x, _| if x < 100 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
    half.into()
}

#[test]
fn a_turned_png_and_webp_stay_turned_and_tell_no_place() {
    let png = file(halves(), ImageFormat::Png);
    for (little, prefix) in [(true, 6), (false, 6), (true, 0)] {
        let tiff = &exif(6, little)[prefix..];
        let chunk = png_chunk(b"eXIf", tiff);
        let end = png.len() - 12;
        for turned in [
            [&png[..33], &chunk, &png[33..]].concat(),
            [&png[..end], &chunk, &png[end..]].concat(),
            extended_webp(&halves(), 0b1000, &[], &webp_chunk(b"EXIF", tiff)),
            extended_webp(&halves(), 0, &webp_chunk(b"EXIF", tiff), &[]),
        ] {
            let image = ImageFile::new(turned).unwrap();
            assert_eq!((image.width(), image.height()), (100, 200), "{image:?}");
            assert!(!contains(image.bytes(), b"GPS"));
            assert_eq!(ImageFile::new(image.bytes().to_vec()), Ok(image.clone()));
            // Another reader turns it in the same way.
            let reader = image::ImageReader::new(Cursor::new(image.bytes())).with_guessed_format().unwrap();
            let orientation = image::ImageDecoder::orientation(&mut reader.into_decoder().unwrap()).unwrap();
            assert_eq!(orientation, image::metadata::Orientation::Rotate90);
            image::load_from_memory(image.bytes()).unwrap();

            let smaller = image.made_to_fit(ImageLimits::new(1 << 20, 50)).unwrap();
            assert_eq!((smaller.width(), smaller.height()), (25, 50));
            let picture = image::load_from_memory(smaller.bytes()).unwrap().to_rgb8();
            assert!(picture.get_pixel(12, 5).0[0] > 200 && picture.get_pixel(12, 45).0[2] > 200);
        }
    }
    // One that is not turned needs no Exif, and the first chunk does not claim that there is any.
    let image = ImageFile::new(extended_webp(&halves(), 0b1100, &[], &webp_chunk(b"EXIF", &exif(1, true))));
    assert_eq!(image.unwrap().bytes(), extended_webp(&halves(), 0, &[], &[]));
}

#[test]
fn the_checksum_of_the_orientation_in_a_png_is_right() {
    for orientation in 2..=8 {
        let png = file(noise(5, 5), ImageFormat::Png);
        let turned = [&png[..33], &png_chunk(b"eXIf", &exif(orientation, true)), &png[33..]].concat();
        let image = ImageFile::new(turned).unwrap();
        let chunk = &image.bytes()[33..33 + 12 + 26];
        assert_eq!(&chunk[4..8], b"eXIf");
        // The remainder of every text with its checksum.
        let remainder =
            chunk[4..34].iter().chain(chunk[34..].iter().rev()).fold(u32::MAX, |mut sum, &byte| {
                for bit in 0..8 {
                    let odd = (sum ^ u32::from(byte) >> bit) & 1 == 1;
                    sum = sum >> 1 ^ if odd { 0xedb8_8320 } else { 0 };
                }
                sum
            });
        assert_eq!(remainder, 0xdebb_20e3, "{orientation}");
    }
}

#[test]
fn metadata_does_not_stay_because_a_file_is_odd() {
    let gps = b"GPS 52.5 N 13.4 E";
    let webp = extended_webp(&halves(), 0b1000, &[], &webp_chunk(b"EXIF", gps));
    let clean = extended_webp(&halves(), 0, &[], &[]);
    for behind in 1..=9 {
        // Behind the size that the file says, and within it.
        let mut odd = [&webp[..], &vec![b'G'; behind]].concat();
        assert_eq!(ImageFile::new(odd.clone()).unwrap().bytes(), clean, "{behind}");
        let size = u32::try_from(odd.len() - 8).unwrap();
        odd[4..8].copy_from_slice(&size.to_le_bytes());
        assert_eq!(ImageFile::new(odd).unwrap().bytes(), clean, "{behind}");
    }
    // The padding of the last chunk is missing.
    let mut unpadded = webp[..webp.len() - 1].to_vec();
    assert_eq!(ImageFile::new(unpadded.clone()).unwrap().bytes(), clean);
    let size = u32::try_from(unpadded.len() - 8).unwrap();
    unpadded[4..8].copy_from_slice(&size.to_le_bytes());
    assert_eq!(ImageFile::new(unpadded).unwrap().bytes(), clean);

    let png = file(noise(9, 9), ImageFormat::Png);
    let described =
        [&png[..33], &png_chunk(b"eXIf", gps), &png_chunk(b"prVt", gps), &png[33..png.len() - 12]].concat();
    for end in [&b""[..], b"\0\0\0\0IE", b"\0\0\0\0IEND\xae", &png_chunk(b"tEXt", gps)[..20]] {
        let image = ImageFile::new([&described, end].concat()).unwrap();
        assert!(!contains(image.bytes(), b"GPS"), "{end:?}");
        assert!(image.bytes().starts_with(&png[..png.len() - 12]), "{end:?}");
    }

    let jpeg = file(noise(30, 20), ImageFormat::Jpeg);
    let end = jpeg.len() - 2;
    let place = [&[0xff, 0xe1, 0, 25][..], b"Exif\0\0", gps].concat();
    for odd in [
        // Between scans or behind the only one, with an end, without one, and cut.
        [&jpeg[..end], &place, &jpeg[end..]].concat(),
        [&jpeg[..end], &place].concat(),
        [&jpeg[..end], &place[..23]].concat(),
        // Behind bytes that belong to nothing.
        [&jpeg[..20], b"odd", &place, &jpeg[20..]].concat(),
        // Segments of other applications.
        with_segment(&jpeg, 0xe2, gps),
        with_segment(&jpeg, 0xeb, gps),
        with_segment(&jpeg, 0xe0, gps),
    ] {
        let image = ImageFile::new(odd).unwrap();
        assert!(!contains(image.bytes(), b"GPS"));
        assert!(image.bytes().starts_with(&jpeg[..end]) && image.bytes().len() <= jpeg.len());
    }
}

#[test]
fn a_file_that_ends_early_keeps_what_there_is_of_its_picture_and_no_place() {
    let gps = b"GPS 52.5 N 13.4 E";
    let jpeg = with_segment(&file(noise(30, 20), ImageFormat::Jpeg), 0xe1, &exif(6, true));
    let png = file(noise(30, 20), ImageFormat::Png);
    let png = [&png[..33], &png_chunk(b"eXIf", &exif(6, true)), &png[33..]].concat();
    let webp =
        extended_webp(&halves(), 0b1000, &webp_chunk(b"EXIF", &exif(6, false)), &webp_chunk(b"XMP ", gps));
    for whole in [jpeg, png, webp] {
        let mut refused = 0;
        for length in 12..whole.len() {
            match ImageFile::new(whole[..length].to_vec()) {
                Ok(image) => {
                    assert!(!contains(image.bytes(), b"GPS"), "{length} of {image:?}");
                    assert!(image.width() < image.height(), "{length} of {image:?}");
                    assert_eq!(ImageFile::new(image.bytes().to_vec()).as_ref(), Ok(&image), "{length}");
                }
                Err(error) => {
                    assert!(matches!(error, ImageProblem::Damaged { .. }), "{error}");
                    refused = length;
                }
            }
        }
        assert!(refused > 30 && refused < whole.len() - 30, "{refused}");
    }
}

#[test]
fn a_preview_in_a_jpeg_is_removed() {
    let jpeg = file(noise(30, 20), ImageFormat::Jpeg);
    assert_eq!((&jpeg[2..4], &jpeg[6..11]), (&[0xff, 0xe0][..], &b"JFIF\0"[..]));
    let mut preview = [&jpeg[..20], b"RGB", &jpeg[20..]].concat();
    preview[4..6].copy_from_slice(&[0, 19]);
    preview[18..20].copy_from_slice(&[1, 1]);
    assert_eq!(ImageFile::new(preview).unwrap().bytes(), jpeg);
}

#[test]
fn an_image_is_made_small_enough_and_one_that_fits_stays_as_it_is() {
    let small = ImageFile::new(file(noise(40, 30), ImageFormat::Png)).unwrap();
    assert_eq!(small.clone().made_to_fit(ImageLimits::POST), Ok(small));

    let wide = ImageFile::new(file(noise(400, 100), ImageFormat::Png)).unwrap();
    let smaller = wide.clone().made_to_fit(ImageLimits::new(1 << 20, 200)).unwrap();
    assert_eq!((smaller.mime_type(), smaller.width(), smaller.height()), ("image/jpeg", 200, 50));

    let lighter = wide.clone().made_to_fit(ImageLimits::new(9_000, 1000)).unwrap();
    assert!(lighter.bytes().len() <= 9_000, "{}", lighter.bytes().len());
    assert_eq!(lighter.width() / lighter.height(), 4);

    let error = wide.made_to_fit(ImageLimits::new(10, 1000)).unwrap_err();
    assert!(matches!(error, ImageProblem::TooLarge { most: 10, .. }), "{error}");
}

#[test]
fn a_transparent_image_stays_transparent_and_a_turned_photo_is_turned() {
    let glass = RgbaImage::from_fn(300, 300, |x, _| Rgba([200, 20, 20, if x < 150 { 0 } else { 255 }]));
    let image = ImageFile::new(file(glass, ImageFormat::Png)).unwrap();
    let smaller = image.made_to_fit(ImageLimits::new(1 << 20, 100)).unwrap();
    assert_eq!((smaller.mime_type(), smaller.width()), ("image/png", 100));
    // Transparent in name only.
    let opaque = RgbaImage::from_pixel(300, 300, Rgba([1, 2, 3, 255]));
    let smaller =
        ImageFile::new(file(opaque, ImageFormat::Png)).unwrap().made_to_fit(ImageLimits::new(1 << 20, 99));
    assert_eq!(smaller.unwrap().mime_type(), "image/jpeg");

    let half = RgbImage::from_fn(200, 100, |x, _| if x < 100 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
    let photo = with_segment(&file(half, ImageFormat::Jpeg), 0xe1, &exif(6, false));
    let smaller = ImageFile::new(photo).unwrap().made_to_fit(ImageLimits::new(1 << 20, 50)).unwrap();
    assert_eq!((smaller.width(), smaller.height()), (25, 50));
    let picture = image::load_from_memory(smaller.bytes()).unwrap().to_rgb8();
    // Turned clockwise, the left half is at the top.
    assert!(picture.get_pixel(12, 5).0[0] > 200 && picture.get_pixel(12, 45).0[2] > 200);
}

#[test]
fn an_image_that_claims_to_be_enormous_is_refused_before_it_takes_memory() {
    let mut png = file(noise(5, 5), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
    let image = ImageFile::new(png).unwrap();
    assert_eq!(image.width(), 0x4000);
    let error = image.made_to_fit(ImageLimits::POST).unwrap_err();
    assert!(matches!(error, ImageProblem::Damaged { .. }), "{error}");
}

#[test]
fn a_web_site_can_limit_the_memory_for_images_of_strangers() {
    // 60 kB as pixels, whatever its file takes.
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Gif] {
        let picture = RgbImage::from_pixel(200, 100, Rgb([7, 7, 7]));
        let bytes = match format {
            ImageFormat::Gif => file(image::DynamicImage::from(picture).to_rgba8(), format),
            _ => file(picture, format),
        };
        let image = ImageFile::new(bytes).unwrap();
        let limits = ImageLimits::new(1 << 20, 100);
        let error = image.clone().made_to_fit(limits.memory(50_000)).unwrap_err();
        assert!(matches!(error, ImageProblem::Damaged { .. }), "{format:?}: {error}");
        let smaller = image.made_to_fit(limits.memory(1 << 20)).unwrap();
        assert_eq!((smaller.width(), smaller.height()), (100, 50), "{format:?}");
    }
    assert_ne!(ImageLimits::POST.memory(1), ImageLimits::POST);
}
