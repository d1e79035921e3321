//! Metadata of pages, and fetching them.
#![allow(clippy::unwrap_used)]

use tests::{Answer, Stub};
use url::Url;

use crate::{
    bsky::post::{
        LinkCardError, LinkCards,
        page::{Metadata, text_of},
    },
    identity::FetchError,
};

fn read(html: &str) -> (String, String, Option<String>) {
    let Metadata { title, description, image } =
        Metadata::read(html, &Url::parse("https://example.com/a/b").unwrap());
    (title, description, image.map(String::from))
}

fn row(title: &str, description: &str, image: Option<&str>) -> (String, String, Option<String>) {
    (title.to_owned(), description.to_owned(), image.map(str::to_owned))
}

#[test]
fn the_best_metadata_of_a_page_are_taken() {
    for (html, expected) in [
        ("", row("", "", None)),
        ("<title>Plain</title>", row("Plain", "", None)),
        ("<TITLE lang=en>\n Two\n words </TITLE >", row("Two words", "", None)),
        ("<title>a</title><meta property='og:title' content='b'>", row("b", "", None)),
        ("<meta name=twitter:title content=c><title>a</title>", row("c", "", None)),
        ("<meta name='twitter:title' content=c><meta property='og:title' content=b />", row("b", "", None)),
        (
            "<meta content='first' property='og:title'><meta property=og:title content=second>",
            row("first", "", None),
        ),
        ("<meta property='og:title' content=''><title>a</title>", row("a", "", None)),
        ("<meta name=description content='d'>", row("", "d", None)),
        ("<meta name=description content='d'><meta property=og:description content=e>", row("", "e", None)),
        ("<meta property=og:image content='/i.png'>", row("", "", Some("https://example.com/i.png"))),
        ("<meta property=og:image content='i.png'>", row("", "", Some("https://example.com/a/i.png"))),
        (
            "<meta property=og:image content='//cdn.example/i.png'>",
            row("", "", Some("https://cdn.example/i.png")),
        ),
        (
            "<base href='https://b.example/x/'><meta property=og:image content=i.png>",
            row("", "", Some("https://b.example/x/i.png")),
        ),
        ("<meta property=og:image content='data:image/png;base64,AAAA'>", row("", "", None)),
        ("<meta property=og:image content='javascript:1'>", row("", "", None)),
        (
            "<meta property=og:image content=a.png><meta property=og:image:secure_url content=b.png>",
            row("", "", Some("https://example.com/a/b.png")),
        ),
        // Character references.
        (
            "<title>a &amp; b &lt;c&gt; &#39;d&#x27; &quot;e&quot; &eacute;&mdash;&nbsp;f</title>",
            row("a & b <c> 'd' \"e\" é— f", "", None),
        ),
        (
            "<title>&#128077; &#x1F44D; &#151; &#0; &#xD800; &unknown; & &amp</title>",
            row("👍 👍 — \u{fffd} \u{fffd} &unknown; & &amp", "", None),
        ),
        ("<meta name=description content=\"it's &quot;good&quot;\">", row("", "it's \"good\"", None)),
        // What is not metadata.
        ("<!-- <title>no</title> --><title>yes</title>", row("yes", "", None)),
        ("<script>'<title>no</title>'</script><title>yes</title>", row("yes", "", None)),
        (
            "<style>a<title>no</title></style><svg><title>icon</title></svg><title>yes</title>",
            row("yes", "", None),
        ),
        ("<body><title>no</title>", row("", "", None)),
        ("<title>first</title><title>second</title>", row("first", "", None)),
        // Broken pages.
        ("<title>open", row("open", "", None)),
        ("<meta property='og:title' content='open", row("open", "", None)),
        ("<meta property=og:title content=a", row("a", "", None)),
        ("<meta = =x property=og:title content = 'spaced' >", row("spaced", "", None)),
        ("< title>no</ title><title>yes</title>", row("yes", "", None)),
        ("<!-- open <title>no</title>", row("", "", None)),
        ("<script><title>no</title>", row("", "", None)),
        ("<<<meta>><title>yes</title>", row("yes", "", None)),
    ] {
        assert_eq!(read(html), expected, "{html}");
    }
    let (title, description, _) = read(&format!(
        "<title>{}</title><meta name=description content='{}'>",
        "t".repeat(5000),
        "d ".repeat(5000)
    ));
    assert_eq!((title.chars().count(), description.chars().count() <= 1000), (300, true));
    assert!(title.ends_with('…'));
}

#[test]
fn hostile_pages_take_no_time() {
    for part in [
        "<",
        "<title>",
        "<meta ",
        "<meta a=",
        "<!--",
        "<script>",
        "&#",
        "&amp",
        "<meta content='",
        "</",
        "<svg></",
    ] {
        let start = std::time::Instant::now();
        let _ = read(&part.repeat(100_000));
        let _ = read(&format!("<title>{}", part.repeat(100_000)));
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{part}");
    }
}

#[test]
fn pages_of_western_character_sets_are_understood() {
    assert_eq!(text_of("é".as_bytes(), None), "é");
    assert_eq!(text_of(b"\xef\xbb\xbfx", None), "x");
    assert_eq!(text_of(b"\xe9\x93", Some("text/html; charset=ISO-8859-1")), "é“");
    assert_eq!(
        text_of(b"<meta charset=\"windows-1252\">\xe9", Some("text/html")),
        "<meta charset=\"windows-1252\">é"
    );
    assert_eq!(text_of(b"\xe9", Some("text/html; charset=utf-8")), "\u{fffd}");
}

/// The smallest PNG there is.
pub(super) const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\x18\xdd\x8d\xb0\0\0\0\0IEND\xaeB`\x82";

#[tokio::test]
async fn a_page_is_fetched_with_its_image() {
    let stub = Stub::start().await.unwrap();
    let html =
        "<title>T</title><meta property=og:description content=D><meta property=og:image content=/i.png>";
    stub.answer("/moved", Answer::status(302).header("location", "/page"));
    stub.answer("/page", Answer::html(html));
    stub.answer("/i.png", Answer::status(200).header("content-type", "image/png").body(PNG));
    let cards = LinkCards::for_development().unwrap();
    let url = format!("{}/moved", stub.url());
    let page = cards.page(&url).await.unwrap();
    assert_eq!((page.url.as_str(), page.title.as_str(), page.description.as_str()), (url.as_str(), "T", "D"));
    assert_eq!(cards.image(&page).await.unwrap().bytes(), PNG);
    // An image that is not there, or is none, is no reason not to have a card.
    stub.replace("/i.png", Answer::status(500));
    assert_eq!(cards.image(&page).await, None);
    stub.replace("/i.png", Answer::html("<svg/>"));
    assert_eq!(cards.image(&page).await, None);
    // A page without a title has the name of its host.
    stub.replace("/page", Answer::html(""));
    assert_eq!(cards.page(&url).await.unwrap().title, "127.0.0.1");
}

#[tokio::test]
async fn of_a_long_page_the_beginning_is_read() {
    let stub = Stub::start().await.unwrap();
    let page = format!("<title>T</title>{}", "x".repeat(3 << 20));
    stub.answer("/", Answer::html(page));
    let cards = LinkCards::for_development().unwrap();
    assert_eq!(cards.page(&stub.url()).await.unwrap().title, "T");
}

#[tokio::test]
async fn o9_only_pages_at_public_addresses_are_fetched() {
    let stub = Stub::start().await.unwrap();
    let cards = LinkCards::new().unwrap();
    for url in [
        stub.url(),
        stub.url().replace("http", "https"),
        "https://127.0.0.1/".to_owned(),
        "https://[::1]/".to_owned(),
        "https://10.0.0.1/".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://user:pass@example.com/".to_owned(),
    ] {
        let error = cards.page(&url).await.unwrap_err();
        let refused = matches!(
            &error,
            LinkCardError::Fetch(FetchError::ForbiddenAddress { .. } | FetchError::InsecureUrl { .. })
        );
        assert!(refused, "{url}: {error:?}");
    }
    for url in ["file:///etc/passwd", "ftp://example.com", "javascript:1", "example.com", ""] {
        assert!(cards.page(url).await.is_err(), "{url}");
    }
    // Nor by a redirect, or as the image of a page.
    let development = LinkCards::for_development().unwrap();
    stub.answer("/away", Answer::status(302).header("location", "https://10.0.0.1/"));
    let error = development.page(&format!("{}/away", stub.url())).await.unwrap_err();
    assert!(matches!(error, LinkCardError::Fetch(FetchError::ForbiddenAddress { .. })), "{error:?}");
    stub.answer("/page", Answer::html("<meta property=og:image content=https://10.0.0.1/i.png>"));
    let page = development.page(&format!("{}/page", stub.url())).await.unwrap();
    assert_eq!(development.image(&page).await, None);
    assert!(stub.received_at("/").is_empty());
}

#[tokio::test]
async fn what_is_no_page_has_no_card() {
    let stub = Stub::start().await.unwrap();
    stub.answer("/i.png", Answer::status(200).header("content-type", "image/png").body(PNG));
    stub.answer("/loop", Answer::status(302).header("location", "/loop"));
    let cards = LinkCards::for_development().unwrap();
    let error = cards.page(&format!("{}/i.png", stub.url())).await.unwrap_err();
    assert!(matches!(&error, LinkCardError::NotAPage { .. }), "{error:?}");
    assert!(error.to_string().contains("image/png"), "{error}");
    let error = cards.page(&format!("{}/missing", stub.url())).await.unwrap_err();
    assert!(matches!(error, LinkCardError::Fetch(FetchError::Status { status: 404, .. })), "{error:?}");
    let error = cards.page(&format!("{}/loop", stub.url())).await.unwrap_err();
    assert!(matches!(error, LinkCardError::Fetch(FetchError::Redirect { .. })), "{error:?}");
    assert_eq!(stub.received_at("/loop").len(), 6);
}
