//! Text from Markdown.
#![allow(clippy::unwrap_used)]

use crate::bsky::RichText;

/// The text with links in brackets.
fn shown(markdown: &str) -> String {
    let text = RichText::from_markdown(markdown);
    let one = |segment: crate::bsky::rich_text::Segment<'_>| match (segment.link(), segment.mention()) {
        (Some(uri), _) => format!("[{}|{uri}]", segment.text),
        (_, Some(did)) => format!("[{}|{did}]", segment.text),
        _ => segment.text.to_owned(),
    };
    text.segments().map(one).collect()
}

#[test]
fn links_become_facets_and_marks_are_left_out() {
    for (markdown, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("[a](https://a.com)", "[a|https://a.com]"),
        ("see [a b](https://a.com/x_y_z) now", "see [a b|https://a.com/x_y_z] now"),
        ("[a](https://a.com \"a title\")", "[a|https://a.com]"),
        ("[a](<https://a.com/b c>)", "[a|https://a.com/b%20c]"),
        ("[a](https://a.com/b_(c))", "[a|https://a.com/b_(c)]"),
        ("[**bold** and *more*](https://a.com)", "[bold and more|https://a.com]"),
        ("[a [b] c](https://a.com)", "[a [b] c|https://a.com]"),
        ("![alt](https://a.com/i.png)", "[alt|https://a.com/i.png]"),
        ("![](https://a.com/i.png)", "[https://a.com/i.png|https://a.com/i.png]"),
        ("[![alt](https://a.com/i.png)](https://a.com)", "[alt|https://a.com]"),
        ("<https://a.com>", "[https://a.com|https://a.com]"),
        ("[alice](did:plc:ewvi7nxzyoun6zhxrhs64oiz)", "[alice|did:plc:ewvi7nxzyoun6zhxrhs64oiz]"),
        ("[alice](at://did:plc:ewvi7nxzyoun6zhxrhs64oiz)", "[alice|did:plc:ewvi7nxzyoun6zhxrhs64oiz]"),
        // Targets that are no links in a post.
        ("[a](/relative)", "a"),
        ("[a](javascript:alert(1))", "a"),
        ("[a](mailto:a@b.com)", "a"),
        ("[a]()", "a"),
        // What only looks like a link.
        ("[a]", "[a]"),
        ("[a] (https://a.com)", "[a] (https://a.com)"),
        ("[a](https://a.com", "[a](https://a.com"),
        ("a](https://a.com)", "a](https://a.com)"),
        ("[a\\](https://a.com)", "[a](https://a.com)"),
        ("\\[a](https://a.com)", "[a](https://a.com)"),
        ("a < b > c", "a < b > c"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("wow!", "wow!"),
        // Marks.
        ("**bold** _it_ *it* __bold__ ~~gone~~ `code`", "bold it it bold gone code"),
        ("***both***", "both"),
        ("a*b*c", "abc"),
        ("snake_case_name and _under_", "snake_case_name and under"),
        ("2 * 3 * 4", "2 * 3 * 4"),
        ("**open", "**open"),
        ("*a **b* c**", "a b c"),
        ("`a*b*` and ``a ` b``", "a*b* and a ` b"),
        ("`` ` ``", "`"),
        ("`open", "`open"),
        ("a ~ b ~tilde~", "a ~ b ~tilde~"),
        ("\\*not\\* \\a", "*not* \\a"),
        ("**日本語**。", "日本語。"),
        // Lines.
        ("# Title\ntext", "Title\ntext"),
        ("### Title ###", "Title"),
        ("# About C#", "About C#"),
        ("#tag\n####### seven", "#tag\n####### seven"),
        ("- one\n- *two*\n* three", "- one\n- two\n* three"),
        ("> quote", "> quote"),
        ("one  \ntwo\\\nthree", "one\ntwo\nthree"),
        ("a\n\nb", "a\n\nb"),
        ("```rust\nlet a = *b * *c;\n```\n**x**", "let a = *b * *c;\nx"),
        ("```\nopen *a*", "open *a*"),
        ("```code``` and *text*\nmore", "code and text\nmore"),
        ("a\n```x```\nb", "a\nx\nb"),
        ("```\n```rust\n*a*\n```\n*b*", "```rust\n*a*\nb"),
        ("````md\n```\n*a*\n```\n````\n*b*", "```\n*a*\n```\nb"),
        ("```\n*a*\n`````  \n*b*", "*a*\nb"),
        ("```\n~~~\n``` no\n```", "~~~\n``` no"),
        ("~~~ a `b`\n*a*\n~~~\n*b*", "*a*\nb"),
    ] {
        assert_eq!(shown(markdown), expected, "{markdown:?}");
    }
}

#[test]
fn what_is_found_later_does_not_overlap_with_links() {
    let text = RichText::from_markdown("[see example.com](https://a.com) and example.com #tag").detected();
    let links: Vec<_> = text.segments().filter_map(|s| s.link()).map(|uri| uri.as_str()).collect();
    assert_eq!(links, ["https://a.com", "https://example.com"]);
}

#[test]
fn hostile_markdown_takes_no_time_and_does_not_panic() {
    for part in [
        "[",
        "]",
        "[a](",
        "![",
        "`",
        "*a ",
        "_*",
        "<",
        "\\",
        "(",
        "[a](b",
        "**a*",
        "~~",
        "`` ` ",
        "[](x)",
        "é*",
        "[[a](b)](c)",
    ] {
        let text = part.repeat(40_000);
        let start = std::time::Instant::now();
        let _ = RichText::from_markdown(&text);
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{part:?}");
    }
    let nested = format!("{}a{}", "[".repeat(20_000), "](https://a.com)".repeat(20_000));
    let _ = RichText::from_markdown(&nested);
}
