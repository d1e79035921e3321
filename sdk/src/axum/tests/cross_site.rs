//! Cross-site request forgery: what other sites can make a browser send starts and changes nothing.

use super::*;

const LOGIN: &str = "/login?identifier=alice.example.com&return_to=/a%22b";

#[tokio::test]
async fn a_link_of_another_site_shows_the_page_and_starts_no_sign_in() {
    let site = Site::new();
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        // A bookmark, or a link in a mail.
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
        // An image or a frame of the site itself, which a user of the site may have written.
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")],
        // Old browsers send neither, and `Referer` can be left out by whoever sets the link.
        &[],
        &[("origin", ORIGIN)],
        &[("sec-fetch-site", "same-origin, cross-site")],
    ] {
        let page = site.send(Method::GET, LOGIN, headers, "").await;
        assert_eq!(page.status(), StatusCode::OK, "{headers:?}");
        // With `no-referrer`, browsers without `Sec-Fetch-Site` send `Origin: null` for the form, which is refused.
        assert_eq!(page.headers()["referrer-policy"], "same-origin");
        assert!(page.headers().get("set-cookie").is_none(), "{headers:?}");
        let page = text(page).await;
        assert_eq!(site.started(), 0, "{headers:?}");
        assert!(page.contains("value=\"alice.example.com\""), "{page}");
        assert!(page.contains("value=\"/a&quot;b\""), "{page}");
    }
}

#[tokio::test]
async fn a_link_of_the_site_itself_starts_a_sign_in() {
    let site = Site::new();
    for headers in [
        &[("sec-fetch-site", "same-origin")][..],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
    ] {
        let answer = site.send(Method::GET, LOGIN, headers, "").await;
        // The resolver of the test knows nobody.
        assert_eq!((answer.status(), site.started()), (StatusCode::BAD_REQUEST, 1), "{headers:?}");
    }
}

#[tokio::test]
async fn forms_start_and_change_something_only_from_the_site_itself() {
    let site = Site::new();
    let other = StatusCode::FORBIDDEN;
    let cases = [
        (&[("sec-fetch-site", "cross-site")][..], true),
        (&[("sec-fetch-site", "same-site")], true),
        (&[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)], true),
        (&[("origin", "https://evil.example.com")], true),
        (&[("origin", "null")], true),
        // The same host without TLS is another origin, which anybody in the network can pretend to be.
        (&[("origin", "http://app.example.com")], true),
        (&[("origin", "https://app.example.com:8443")], true),
        (&[("sec-fetch-site", "")], true),
        (&[("sec-fetch-site", "same-origin")], false),
        (&[("sec-fetch-site", "same-origin"), ("origin", ORIGIN)], false),
        // No page makes a browser send this.
        (&[("sec-fetch-site", "none")], false),
        (&[("origin", ORIGIN)], false),
        // Not a browser.
        (&[], false),
    ];
    for (headers, refused) in cases {
        let fields = "identifier=alice.example.com&did=did:web:alice.example.com";
        let login = site.send(Method::POST, "/login", headers, fields).await;
        assert_eq!(
            (login.status() == other, site.started()),
            (refused, usize::from(!refused)),
            "{headers:?}"
        );
        for path in ["/logout", "/switch"] {
            let answer = site.send(Method::POST, path, headers, fields).await;
            assert_eq!(answer.status() == other, refused, "{path} {headers:?}");
        }
    }
    for path in ["/logout?all=true", "/switch?did=did:web:alice.example.com"] {
        let answer = site.send(Method::GET, path, &[("sec-fetch-site", "same-origin")], "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
}

#[tokio::test]
async fn the_name_in_the_page_is_text_and_short() {
    let site = Site::new();
    let page = text(site.send(Method::GET, "/login?identifier=%22%3E%3Cscript%3E", &[], "").await).await;
    assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !page.contains("<script>"), "{page}");
    let long = format!("/login?identifier={}", "x".repeat(5000));
    assert!(!text(site.send(Method::GET, &long, &[], "").await).await.contains("xxxx"));
}
