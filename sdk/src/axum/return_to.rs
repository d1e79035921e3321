//! The path that a user returns to after a sign-in or sign-out, which must be on this site.

use url::Url;

/// The maximum length; a longer path is a mistake.
const MAX_LEN: usize = 2000;

/// Returns the text if it is a path on this site, possibly with a query. Rejects anything that a browser might interpret as
/// another site.
pub(super) fn safe(text: &str) -> Option<&str> {
    let harmless = |c: char| !c.is_control() && c != '\\' && !c.is_whitespace();
    if text.len() > MAX_LEN || !text.starts_with('/') || !text.chars().all(harmless) {
        return None;
    }
    // Resolved against a placeholder site, it must stay on that site.
    let base = Url::parse("https://site.invalid").ok()?;
    let url = base.join(text).ok()?;
    (url.origin() == base.origin() && url.username().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn only_paths_of_this_site() {
        for good in ["/", "/a/b?c=d&e=%20f#g", "/x?next=https://other.example", "/%2F/other.example", "/a//b"]
        {
            assert_eq!(safe(good), Some(good));
        }
        let long = format!("/{}", "x".repeat(2000));
        for bad in [
            "",
            "a",
            "//other.example",
            "///other.example",
            "/\\other.example",
            "\\/other.example",
            "/\t/other.example",
            "/\n/other.example",
            " /a",
            "https://other.example/",
            "https:/other.example",
            "javascript:alert(1)",
            "//other.example\\@site.invalid",
            "?a",
            "#a",
            &long,
        ] {
            assert_eq!(safe(bad), None, "{bad:?}");
        }
    }
}
