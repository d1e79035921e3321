//! Long texts in several posts.
#![allow(clippy::unwrap_used)]

use crate::bsky::{RichText, rich_text::ThreadOptions};

fn split(text: &str, graphemes: usize) -> Vec<String> {
    let posts = RichText::detect(text).split(ThreadOptions::new().graphemes(graphemes));
    posts.iter().map(|post| post.as_str().to_owned()).collect()
}

#[test]
fn posts_end_at_paragraphs_then_sentences_then_words() {
    assert_eq!(split("One two.\n\nThree four. Five", 21), ["One two.\n\nThree four.", "Five"]);
    assert_eq!(split("One two three.\n\nFour five six seven", 20), ["One two three.", "Four five six seven"]);
    assert_eq!(split("One two. Three four five", 15), ["One two.", "Three four five"]);
    // A sentence that ends too early leaves most of the post empty.
    assert_eq!(split("No. Three four five six", 15), ["No. Three four", "five six"]);
    assert_eq!(split("abcdefghij", 4), ["abcd", "efgh", "ij"]);
    assert_eq!(split("これは文です。次の文です。終わり", 9), ["これは文です。", "次の文です。終わり"]);
}

#[test]
fn what_fits_is_one_post_and_nothing_is_none() {
    assert_eq!(split("short", 5), ["short"]);
    assert!(split("", 5).is_empty());
    assert!(split(" \n ", 5).is_empty());
    assert_eq!(split("  short\n", 7), ["short"]);
}

#[test]
fn facets_are_not_divided() {
    let text = "Some words before example.com/path-one-two #tag and @more";
    let posts = RichText::detect(text).split(ThreadOptions::new().graphemes(30));
    let all: Vec<_> =
        posts.iter().flat_map(|post| post.segments().filter(|s| s.facet.is_some()).map(|s| s.text)).collect();
    assert_eq!(all, ["example.com/path-one-two", "#tag"]);
    // A link that does not fit is divided, and all of it leads to the target. A tag is not one any more.
    let posts = RichText::detect("https://example.com/a-b-c").split(ThreadOptions::new().graphemes(10));
    assert_eq!(posts.len(), 3);
    for post in &posts {
        assert_eq!(post.segments().next().unwrap().link().unwrap(), "https://example.com/a-b-c");
    }
    let posts = RichText::detect("#averylongtag").split(ThreadOptions::new().graphemes(10));
    assert_eq!((posts.len(), posts.iter().map(|post| post.facets().len()).sum::<usize>()), (2, 0));
}

#[test]
fn numbers_have_room_also_when_they_get_longer() {
    let text = RichText::new("word ".repeat(60));
    let options = ThreadOptions::new().graphemes(30).numbered();
    let posts = text.split(options);
    assert!(posts.len() > 10);
    for (index, post) in posts.iter().enumerate() {
        assert!(post.graphemes() <= 30, "{}", post.as_str());
        assert!(post.as_str().ends_with(&format!(" ({}/{})", index + 1, posts.len())), "{}", post.as_str());
    }
    let words: usize = posts.iter().map(|post| post.as_str().matches("word").count()).sum();
    assert_eq!(words, 60);
    // One post needs no number, and in very short ones there is no room for it.
    assert_eq!(RichText::new("one").split(options)[0].as_str(), "one");
    assert_eq!(RichText::new("one two three").split(ThreadOptions::new().graphemes(5).numbered()).len(), 3);
}

#[test]
fn every_text_is_divided_into_posts_that_fit_and_loses_nothing_but_space() {
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let parts = [
        "word",
        " ",
        "\n",
        "\n\n",
        ". ",
        "!",
        "👩‍👩‍👧",
        "e\u{301}",
        "日本語。",
        " #tag",
        " example.com/a",
        "(",
        "שלום",
        " ",
        "\u{200d}",
        "@a.com ",
        "https://example.com/some/long/path ",
        "?",
    ];
    for _ in 0..400 {
        let text: String = (0..random(120)).map(|_| parts[random(parts.len())]).collect();
        let rich = RichText::detect(text.as_str());
        let graphemes = 1 + random(60);
        for options in
            [ThreadOptions::new().graphemes(graphemes), ThreadOptions::new().graphemes(graphemes).numbered()]
        {
            let posts = rich.split(options);
            for post in &posts {
                assert!(
                    post.graphemes() <= graphemes && post.fits_post(),
                    "{text:?} {graphemes}: {:?}",
                    post.as_str()
                );
                assert!(!post.is_empty(), "{text:?} {graphemes}");
            }
            if options == ThreadOptions::new().graphemes(graphemes) {
                let visible = |text: &str| text.replace(char::is_whitespace, "");
                let together: String = posts.iter().map(|post| visible(post.as_str())).collect();
                assert_eq!(together, visible(&text));
            }
        }
    }
}

#[test]
fn a_grapheme_of_too_many_bytes_is_divided() {
    let text = RichText::new(format!("a{}", "\u{301}".repeat(4000)));
    let posts = text.split(ThreadOptions::new());
    assert!(posts.len() > 1 && posts.iter().all(RichText::fits_post));
}
