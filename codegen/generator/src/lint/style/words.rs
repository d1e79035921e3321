//! Words in names.

/// The words of a name in camel case, in lower case.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_ascii_uppercase() => word.push(c),
            _ => words.push(c.to_ascii_lowercase().to_string()),
        }
    }
    words
}

/// Endings of words that end in `s` and are one all the same.
const SINGULAR_ENDINGS: [&str; 7] = ["ss", "us", "is", "as", "os", "ws", "ys"];

/// Words that look like the plural of another, and are none; and those that are their own plural.
const SINGULAR: [&str; 8] =
    ["lens", "series", "species", "means", "credits", "settings", "preferences", "analytics"];

/// Plurals with the ending of a singular.
const PLURAL: [&str; 10] =
    ["views", "reviews", "days", "keys", "replays", "displays", "videos", "photos", "memos", "repos"];

/// Whether an English word is a plural, as far as its ending tells.
pub(super) fn is_plural(word: &str) -> bool {
    let is_singular = SINGULAR.contains(&word) || SINGULAR_ENDINGS.iter().any(|end| word.ends_with(end));
    PLURAL.contains(&word) || (word.len() > 3 && word.ends_with('s') && !is_singular)
}

/// Whether a name is in lower camel case. Signs other than letters, digits and the `_` of snake case are not its concern.
pub(super) fn is_lower_camel(name: &str) -> bool {
    !name.contains('_') && !name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Whether a name is in upper camel case.
pub(super) fn is_upper_camel(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && (name.len() == 1 || name.bytes().any(|b| b.is_ascii_lowercase()))
}

/// Whether a text that consists of words is not in kebab case. What is written in the notation of something else (a ref,
/// a MIME type, a pattern) is left alone.
pub(super) fn is_other_case(value: &str) -> bool {
    let word = value.strip_prefix('!').unwrap_or(value);
    let is_words = word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_ ".contains(&b));
    is_words && word.bytes().any(|b| b.is_ascii_uppercase() || b == b'_' || b == b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(words("getPostThread"), ["get", "post", "thread"]);
        assert_eq!(words("ping"), ["ping"]);
        assert_eq!(words(""), Vec::<String>::new());
    }

    #[test]
    fn plurals_are_told_from_singulars() {
        for plural in ["posts", "likes", "bookmarks", "stories", "keys", "views", "photos", "boxes"] {
            assert!(is_plural(plural), "{plural}");
        }
        for singular in
            ["post", "status", "news", "series", "address", "analysis", "bus", "chaos", "gas", "lens", "yes"]
        {
            assert!(!is_plural(singular), "{singular}");
        }
    }

    #[test]
    fn cases_are_told_apart() {
        assert!(is_lower_camel("postView") && is_lower_camel("x") && is_lower_camel("a-b"));
        assert!(!is_lower_camel("PostView") && !is_lower_camel("post_view") && !is_lower_camel("POST"));
        assert!(is_upper_camel("NotFound") && is_upper_camel("X"));
        assert!(!is_upper_camel("NOT") && !is_upper_camel("notFound") && !is_upper_camel("Not_Found"));
        assert!(is_other_case("veryHigh") && is_other_case("very_high") && is_other_case("very high"));
        for fine in ["very-high", "!hide", "com.example.defs#topLevel", "image/PNG", "*", ""] {
            assert!(!is_other_case(fine), "{fine}");
        }
    }
}
