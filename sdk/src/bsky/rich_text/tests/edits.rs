//! Changes, pieces and positions. `edits.json` has what the reference implementation does; for inserted text beyond ASCII, which
//! it counts in UTF-16, what it does for as many bytes. Where the pieces are `ours`, `why` says so.
//! `tests/reference/rich_text/cases.mjs` writes it.
#![allow(clippy::unwrap_used)]

use serde::Deserialize;

use crate::{
    api::app::bsky::richtext::facet::{ByteSlice, Facet},
    bsky::RichText,
};

/// A facet as its range and its tag.
type Row = (i64, i64, String);

#[derive(Deserialize)]
struct Edit {
    text: String,
    facets: Vec<Row>,
    insert: Option<(usize, String)>,
    delete: Option<(usize, usize)>,
    #[serde(default)]
    clean: bool,
    result: String,
    result_facets: Vec<Row>,
    segments: Vec<Piece>,
    ours: Option<Vec<Piece>>,
    why: Option<String>,
}

/// A piece of the text, and its tag.
type Piece = (String, Option<String>);

fn facet((start, end, tag): &Row) -> Facet {
    Facet::new(ByteSlice::new(*start, *end), vec![super::super::tag_feature(tag.clone())])
}

fn rows(text: &RichText) -> Vec<Row> {
    let tags = text.segments().filter_map(|segment| segment.tag());
    let row = |(facet, tag): (&Facet, &str)| (facet.index.byte_start, facet.index.byte_end, tag.to_owned());
    text.facets().iter().zip(tags).map(row).collect()
}

#[test]
fn changes_and_pieces_are_those_of_the_reference() {
    let edits: Vec<Edit> = serde_json::from_str(include_str!("edits.json")).unwrap();
    assert!(edits.len() >= 60, "{}", edits.len());
    for edit in edits {
        let mut text = RichText::from_parts(edit.text.as_str(), edit.facets.iter().map(facet));
        let about = format!("{:?} {:?} {:?} {:?}", edit.text, edit.facets, edit.insert, edit.delete);
        if let Some((index, inserted)) = &edit.insert {
            text.insert(*index, inserted);
        }
        if let Some((start, end)) = edit.delete {
            text.delete(start..end);
        }
        if edit.clean {
            text.clean_newlines();
        }
        assert_eq!((text.as_str(), rows(&text)), (edit.result.as_str(), edit.result_facets), "{about}");
        let segments: Vec<_> = text
            .segments()
            .map(|segment| (segment.text.to_owned(), segment.tag().map(str::to_owned)))
            .collect();
        assert_eq!(edit.ours.is_some(), edit.why.is_some(), "{about}");
        assert_ne!(edit.ours.as_ref(), Some(&edit.segments), "{about} is no difference");
        assert_eq!(segments, edit.ours.unwrap_or(edit.segments), "{about}");
    }
}

#[test]
fn facets_that_nobody_can_show_are_left_out() {
    let row = |start, end| (start, end, format!("{start}-{end}"));
    // a, é in 1..3, b with an accent in 3..6, c and d.
    let text = |facets: &[Row]| RichText::from_parts("aéb\u{301}cd", facets.iter().map(facet));
    let unusable =
        [row(0, 2), row(2, 6), row(8, 9), row(-4, 2), row(5, 5), row(6, 4), row(i64::MIN, i64::MAX)];
    assert_eq!(rows(&text(&unusable)), []);
    let overlapping = [row(3, 6), row(1, 6), row(0, 3), row(6, 7), row(0, 1)];
    assert_eq!(rows(&text(&overlapping)), [row(0, 3), row(3, 6), row(6, 7)]);
    assert_eq!(text(&[row(7, 99)]).facets()[0].index.byte_end, 8);
}

#[test]
fn line_breaks_are_cleaned_as_if_they_were_deleted_and_inserted_one_by_one() {
    let pieces = ["\n", "\n\n\n", "\r\n", " ", "a", "é", "\u{200b}", "bc"];
    let mut state = 7_u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut changed = 0;
    for _ in 0..2000 {
        let text: String = (0..random(24)).map(|_| pieces[random(pieces.len())]).collect();
        let facets: Vec<Facet> = (0..random(6))
            .map(|n| {
                let start = i64::try_from(random(text.len() + 1)).unwrap();
                facet(&(start, start + i64::try_from(random(9)).unwrap(), n.to_string()))
            })
            .collect();
        let mut cleaned = RichText::from_parts(text.as_str(), facets);
        let mut expected = cleaned.clone();
        for run in super::super::edit::newline_runs(&text).into_iter().rev() {
            let start = run.start;
            expected.delete(run);
            expected.insert(start, "\n\n");
        }
        cleaned.clean_newlines();
        assert_eq!(cleaned, expected, "{text:?}");
        changed += usize::from(!cleaned.facets().is_empty() && cleaned.as_str() != text);
    }
    assert!(changed > 200, "{changed}");
}

#[test]
fn many_line_breaks_and_facets_take_no_time() {
    let hostile = RichText::new("\n\n\na".repeat(200_000));
    let mut tags = RichText::detect("\n\n\n#a".repeat(50_000));
    assert_eq!(tags.facets().len(), 50_000);
    let start = std::time::Instant::now();
    let mut text = hostile;
    text.clean_newlines();
    assert_eq!(text.as_str(), "\n\na".repeat(200_000));
    tags.clean_newlines();
    assert!(tags.segments().filter_map(|segment| segment.tag()).all(|tag| tag == "a"));
    assert_eq!(tags.facets().len(), 50_000);
    assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn positions_beyond_the_text_or_inside_of_a_character_do_not_panic() {
    let mut text = RichText::detect("é #tag");
    text.insert(1, "x");
    assert_eq!(text.as_str(), "xé #tag");
    text.insert(99, "y");
    assert_eq!(text.as_str(), "xé #tagy");
    #[allow(clippy::reversed_empty_ranges)]
    text.delete(5..2);
    assert_eq!(text.as_str(), "xé #tagy");
    text.delete(2..usize::MAX);
    assert_eq!((text.as_str(), text.facets().len()), ("x", 0));
    assert_eq!(RichText::detect("é #tag").slice(1..usize::MAX).as_str(), "é #tag");
    assert_eq!((text.byte_index(usize::MAX), text.utf16_index(usize::MAX)), (1, 1));
}

#[test]
fn positions_in_utf16_and_bytes_are_those_of_the_same_character() {
    let text = "a\u{e9}\u{65e5}\u{1f468}\u{200d}\u{1f469} e\u{301}\u{5e9}\u{5dc}\u{1f1e9}\u{1f1ea}z";
    let rich = RichText::new(text);
    let (mut bytes, mut units) = (0, 0);
    for c in text.chars() {
        assert_eq!((rich.byte_index(units), rich.utf16_index(bytes)), (bytes, units), "{c:?}");
        if c.len_utf16() == 2 {
            assert_eq!(rich.byte_index(units + 1), bytes, "in the middle of {c:?}");
        }
        bytes += c.len_utf8();
        units += c.len_utf16();
    }
    assert_eq!((rich.byte_index(units), rich.utf16_index(bytes)), (bytes, units));
}

#[test]
fn a_cut_text_has_the_length_that_was_asked_for_and_no_half_of_a_tag() {
    for (text, graphemes, expected, facets) in [
        ("short", 5, "short", 0),
        ("too long", 5, "too…", 0),
        ("to #tag", 6, "to #t…", 0),
        ("to #tag x", 8, "to #tag…", 1),
        ("see example.com/abc", 12, "see example…", 1),
        ("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 2, "👩‍👩‍👧…", 0),
        ("abc", 0, "", 0),
        ("abc", 1, "…", 0),
    ] {
        let cut = RichText::detect(text).cut(graphemes, "…");
        assert_eq!((cut.as_str(), cut.facets().len()), (expected, facets), "{text}");
        assert!(cut.graphemes() <= graphemes, "{text}");
    }
    assert_eq!(RichText::new("abcdef").cut(3, "[more]").as_str(), "abc");
    // 300 graphemes of 25 bytes are too many bytes.
    let families = RichText::new("👩‍👩‍👧‍👧".repeat(300));
    assert!(!families.fits_post() && families.graphemes() == 300);
    let cut = families.cut_for_post();
    assert!(cut.fits_post() && cut.as_str().len() > 2900, "{}", cut.as_str().len());
}

#[test]
fn only_links_that_are_written_out_are_shortened() {
    for (markdown, expected) in [
        ("https://example.com/", "example.com"),
        ("https://example.com", "example.com"),
        ("http://example.com/abcdefghijklmn", "example.com/abcdefghijklmn"),
        ("http://example.com/abcdefghijklmno", "example.com/abcdefghijkl..."),
        ("example.com/?query=1234567890123", "example.com/?query=12345..."),
        ("https://example.com:8080/a#b", "example.com:8080/a#b"),
        ("https://bücher.example/größe", "bücher.example/größe"),
        (
            "[https://other.example/abcdefghijklmnop](https://example.com)",
            "https://other.example/abcdefghijklmnop",
        ),
        ("[a long description of a page](https://example.com)", "a long description of a page"),
    ] {
        let text = RichText::from_markdown(markdown).detected();
        let short = text.clone().shorten_links();
        assert_eq!(short.as_str(), expected);
        let links = |text: &RichText| -> Vec<_> {
            text.segments().filter_map(|segment| segment.link().cloned()).collect()
        };
        assert_eq!((links(&short), links(&short).len()), (links(&text), 1), "{markdown}");
    }
}
