//! What files say besides the picture, in every format and every place that has room for it.
#![allow(clippy::unwrap_used)]

use std::{io::Cursor, time::Duration};

use image::{
    AnimationDecoder, Delay, Frame, ImageFormat, Rgba, RgbaImage,
    codecs::{
        gif::{GifDecoder, GifEncoder, Repeat},
        webp::WebPDecoder,
    },
};

use super::images::{contains, extended_webp, file, halves, noise, png_chunk, webp_chunk, with_segment};
use crate::bsky::post::{ImageFile, ImageProblem};

/// What must not stay.
const SECRET: &[u8] = b"GPS 52.5 N 13.4 E";

/// What stays of a file, which is read again as the same.
fn kept(file: &[u8]) -> Vec<u8> {
    let image = ImageFile::new(file.to_vec()).unwrap();
    assert!(!contains(image.bytes(), b"GPS"), "{image:?}");
    assert_eq!(ImageFile::new(image.bytes().to_vec()).unwrap(), image);
    image.bytes().to_vec()
}

/// Cut anywhere, a file keeps nothing but its picture, or is refused.
fn check_cut(whole: &[u8]) {
    let mut accepted = 0;
    for length in 0..whole.len() {
        match ImageFile::new(whole[..length].to_vec()) {
            Ok(image) => {
                assert!(!contains(image.bytes(), b"GPS"), "{length} of {image:?}");
                assert_eq!(ImageFile::new(image.bytes().to_vec()).as_ref(), Ok(&image), "{length}");
                accepted += 1;
            }
            Err(ImageProblem::UnknownType) => assert!(length < 12, "{length}"),
            Err(error) => assert!(matches!(error, ImageProblem::Damaged { .. }), "{error}"),
        }
    }
    assert!(accepted > 0 && accepted < whole.len() - 12, "{accepted}");
}

/// Two pictures in turn, for ever.
fn animated_gif() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = GifEncoder::new(&mut file);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for red in [10, 200] {
        let picture = RgbaImage::from_pixel(12, 7, Rgba([red, 20, 20, 255]));
        let delay = Delay::from_saturating_duration(Duration::from_millis(80));
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    file
}

fn gif_frames(file: &[u8]) -> Vec<Vec<u8>> {
    let frames = GifDecoder::new(Cursor::new(file)).unwrap().into_frames().collect_frames().unwrap();
    frames.into_iter().map(|frame| frame.into_buffer().into_raw()).collect()
}

/// An extension of a GIF with content in blocks.
fn extension(label: u8, blocks: &[&[u8]]) -> Vec<u8> {
    let mut extension = vec![0x21, label];
    for block in blocks {
        extension.push(u8::try_from(block.len()).unwrap());
        extension.extend_from_slice(block);
    }
    extension.push(0);
    extension
}

/// Where the blocks of a GIF begin, behind its table of colours.
fn gif_blocks_at(file: &[u8]) -> usize {
    let table = if file[10] & 0x80 != 0 { 3 << ((file[10] & 7) + 1) } else { 0 };
    13 + table
}

#[test]
fn comments_and_extensions_in_a_gif_are_removed_and_it_stays_animated() {
    let gif = animated_gif();
    assert!(contains(&gif, b"NETSCAPE2.0"));
    assert_eq!(kept(&gif), gif, "one without them is not touched");
    let (start, end) = (gif_blocks_at(&gif), gif.len() - 1);
    let long = [SECRET, &[b'x'; 200]].concat();
    for added in [
        extension(0xfe, &[SECRET]),
        extension(0xfe, &[&long, SECRET, &long]),
        extension(0xff, &[b"XMP DataXMP", SECRET]),
        extension(0xff, &[b"ICCRGBG1012", SECRET]),
        extension(0xff, &[b"short", SECRET]),
        extension(0xff, &[SECRET]),
        extension(0x77, &[SECRET]),
        // Text that no app shows, with what says for how long.
        [extension(0xf9, &[&[0, 5, 0, 0]]), extension(0x01, &[&[0; 12], SECRET])].concat(),
        // Two of the same, of which only the first may count.
        [extension(0xfe, &[SECRET]), extension(0xfe, &[SECRET])].concat(),
    ] {
        for at in [start, end] {
            let described = [&gif[..at], &added, &gif[at..]].concat();
            assert_eq!(kept(&described), gif, "{added:?}");
        }
        assert_eq!(kept(&[&gif[..end], &added].concat()), gif, "its end was missing");
        let behind = [&gif[..], &added].concat();
        assert_eq!(kept(&behind), gif);
        check_cut(&[&gif[..start], &added, &gif[start..end], &added, &gif[end..]].concat());
    }
    // How often it is shown, with something more in the same extension.
    let looping = extension(0xff, &[b"NETSCAPE2.0", &[1, 3, 0], SECRET]);
    let still = file(noise(9, 5), ImageFormat::Gif);
    let start = gif_blocks_at(&still);
    let described = [&still[..start], &looping, &still[start..]].concat();
    let expected =
        [&still[..start], &extension(0xff, &[b"NETSCAPE2.0", &[1, 3, 0]]), &still[start..]].concat();
    assert_eq!(kept(&described), expected);
    assert_eq!(gif_frames(&expected).len(), 1);
}

#[test]
fn a_damaged_gif_keeps_the_pictures_in_front_of_the_damage() {
    let gif = animated_gif();
    let end = gif.len() - 1;
    // Something that is no block: apps show what is in front of it.
    for odd in [&b"\0"[..], b"GPS", b"\xff\xff"] {
        let described = [&gif[..end], odd, &extension(0xfe, &[SECRET]), &gif[end..]].concat();
        let stayed = kept(&described);
        assert_eq!(gif_frames(&stayed), gif_frames(&gif));
    }
    let pictures = gif_frames(&gif);
    // Cut within the second picture.
    let cut = kept(&gif[..gif.len() - 3]);
    assert!(contains(&cut, b"NETSCAPE2.0"));
    let mut frames = GifDecoder::new(Cursor::new(&cut[..])).unwrap().into_frames();
    assert_eq!(frames.next().unwrap().unwrap().into_buffer().into_raw(), pictures[0]);
    check_cut(&gif);
    // One without a picture is damaged, like those of the other types.
    for none in [&gif[..gif_blocks_at(&gif)], b"GIF89a\x03\0\x02\0\0\0\0;", b"GIF89a\x03\0\x02\0\0\0\0"] {
        let error = ImageFile::new(none.to_vec()).unwrap_err();
        assert!(matches!(error, ImageProblem::Damaged { mime_type: "image/gif", .. }), "{error:?}");
    }
}

/// A frame of an animated WebP with chunks around its picture.
fn frame(before: &[u8], picture: &[u8], behind: &[u8]) -> Vec<u8> {
    let place = [0, 0, 0, 0, 0, 0, 199, 0, 0, 99, 0, 0, 80, 0, 0, 0];
    webp_chunk(b"ANMF", &[&place, before, picture, behind].concat())
}

fn animated_webp(frames: &[Vec<u8>]) -> Vec<u8> {
    let head = [0b10, 0, 0, 0, 199, 0, 0, 99, 0, 0];
    let animation = webp_chunk(b"ANIM", &[0; 6]);
    let chunks = [b"WEBP", &webp_chunk(b"VP8X", &head)[..], &animation, &frames.concat()].concat();
    [b"RIFF", &u32::try_from(chunks.len()).unwrap().to_le_bytes()[..], &chunks].concat()
}

#[test]
fn what_is_in_the_frames_of_a_webp_is_removed_and_it_stays_animated() {
    let simple = file(halves(), ImageFormat::WebP);
    let picture = &simple[12..];
    let clean = animated_webp(&[frame(&[], picture, &[]), frame(&[], picture, &[])]);
    let shown = |file: &[u8]| {
        let frames = WebPDecoder::new(Cursor::new(file)).unwrap().into_frames().collect_frames().unwrap();
        frames.into_iter().map(|frame| frame.into_buffer().into_raw()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&clean).len(), 2);
    assert_eq!(kept(&clean), clean, "one without them is not touched");
    for name in [b"EXIF", b"XMP ", b"ICCP", b"what"] {
        let secret = webp_chunk(name, SECRET);
        for frames in [
            [frame(&secret, picture, &[]), frame(&[], picture, &[])],
            [frame(&[], picture, &secret), frame(&secret, picture, &secret)],
        ] {
            let described = animated_webp(&frames);
            assert_eq!(kept(&described), clean, "{name:?}");
            check_cut(&described);
        }
    }
    // What is left over in a frame, and a frame without a picture.
    let odd =
        animated_webp(&[frame(&[], picture, b"GPS"), frame(&[], picture, &[]), frame(b"GPS", &[], &[])]);
    assert_eq!(kept(&odd), clean);
    assert_eq!(shown(&kept(&odd)), shown(&clean));
    assert!(ImageFile::new(animated_webp(&[frame(&webp_chunk(b"EXIF", SECRET), &[], &[])])).is_err());

    // A picture that claims more than its frame has room for does not take in what follows.
    let mut longer = picture.to_vec();
    longer[4..8].copy_from_slice(&9_000_u32.to_le_bytes());
    let described =
        animated_webp(&[frame(&[], picture, &[]), frame(&[], &longer, &[]), webp_chunk(b"EXIF", SECRET)]);
    kept(&described);
}

#[test]
fn texts_of_every_kind_in_a_png_are_removed_and_it_stays_animated() {
    let png = file(noise(9, 9), ImageFormat::Png);
    let last = png.len() - 12;
    for name in
        [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"caBX", b"iDOT", b"vpAg", b"gIFx", b"gIFt", b"zxIf"]
    {
        let chunk = png_chunk(name, SECRET);
        for at in [33, last] {
            assert_eq!(kept(&[&png[..at], &chunk, &png[at..]].concat()), png, "{name:?}");
        }
        check_cut(&[&png[..33], &chunk, &png[33..last], &chunk, &png[last..]].concat());
    }
    // An animation has texts between its frames.
    let turn = [&[0, 0, 0, 0][..], &[0, 0, 0, 9, 0, 0, 0, 9], &[0; 14]].concat();
    let animated = |text: &[u8]| {
        let frames = [
            png_chunk(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]),
            text.to_vec(),
            png_chunk(b"fcTL", &turn),
            png[33..last].to_vec(),
            text.to_vec(),
            png_chunk(b"fcTL", &turn),
            text.to_vec(),
            png_chunk(b"fdAT", b"\0\0\0\x02picture"),
        ];
        [&png[..33], &frames.concat(), &png[last..]].concat()
    };
    assert_eq!(kept(&animated(&png_chunk(b"iTXt", SECRET))), animated(b""));
}

#[test]
fn segments_of_every_application_in_a_jpeg_are_removed() {
    let jpeg = file(noise(30, 20), ImageFormat::Jpeg);
    for marker in (0xe0..=0xef).chain([0xfe]) {
        for content in [SECRET.to_vec(), [b"http://ns.adobe.com/xap/1.0/\0", SECRET].concat()] {
            let described = with_segment(&jpeg, marker, &content);
            assert_eq!(kept(&described), jpeg, "{marker:x}");
            check_cut(&described);
        }
    }
    // The second part of an image for two eyes, and the index of parts.
    let parts = with_segment(&jpeg, 0xe2, &[b"MPF\0", SECRET].concat());
    assert_eq!(kept(&[&parts[..], &jpeg, SECRET].concat()), jpeg);
    // Colours stay.
    let profile = [b"ICC_PROFILE\0\x01\x01", &[7; 30][..]].concat();
    assert_eq!(kept(&with_segment(&jpeg, 0xe2, &profile)), with_segment(&jpeg, 0xe2, &profile));
}

#[test]
fn a_webp_that_is_not_animated_has_no_text_left_either() {
    let clean = extended_webp(&halves(), 0, &[], &[]);
    for name in [b"EXIF", b"XMP ", b"what"] {
        for (before, behind) in [(webp_chunk(name, SECRET), vec![]), (vec![], webp_chunk(name, SECRET))] {
            let described = extended_webp(&halves(), 0b1100, &before, &behind);
            assert_eq!(kept(&described), clean, "{name:?}");
            check_cut(&described);
        }
    }
}

/// The size stands where a decoder looks for it, or else what stays of the file would have another one.
#[test]
fn a_size_outside_of_the_first_chunk_is_none() {
    let size = [0x2f, 2, 0x40, 0, 0, 7, 0x10, 0x11];
    let short = [b"VP8L\0\0\0\0", &size[..], &webp_chunk(b"VP8L", &size)].concat();
    let webp =
        [b"RIFF", &u32::try_from(short.len() + 4).unwrap().to_le_bytes()[..], b"WEBP", &short].concat();
    let png = file(noise(5, 5), ImageFormat::Png);
    let png = [&png[..8], &png_chunk(b"IHDR", b""), &png[8..]].concat();
    for file in [webp, png] {
        let error = ImageFile::new(file).unwrap_err();
        assert!(matches!(error, ImageProblem::Damaged { .. }), "{error}");
    }
}

#[test]
fn a_png_with_several_headers_says_once_how_it_is_turned() {
    let png = file(noise(5, 5), ImageFormat::Png);
    let turned = [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0", SECRET].concat();
    let odd = [&png[..33], &png[8..33], &png_chunk(b"eXIf", &turned), &png[33..]].concat();
    let stayed = kept(&odd);
    assert_eq!(stayed.windows(4).filter(|name| name == b"eXIf").count(), 1);
}
