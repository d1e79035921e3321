//! The syntaxes of names that documents themselves contain (D5, L8).

/// Whether `text` is an NSID (D5).
pub(crate) fn is_nsid(text: &str) -> bool {
    let Some((authority, name)) = text.rsplit_once('.') else { return false };
    let labels: Vec<&str> = authority.split('.').collect();
    text.len() <= 317
        && labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
        && !authority.starts_with(|c: char| c.is_ascii_digit())
        && (1..=63).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether `text` can be a definition's name: a letter, then letters, digits and `_`.
pub(crate) fn is_def_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `text` is a record key (D5).
pub(crate) fn is_record_key(text: &str) -> bool {
    (1..=512).contains(&text.len())
        && text != "."
        && text != ".."
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_~.:-".contains(&b))
}

/// Whether `text` is a MIME type or a pattern such as `image/*` or `*/*` (L5).
pub(crate) fn is_mime_pattern(text: &str) -> bool {
    match text.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => is_token(kind),
        Some((kind, rest)) => is_token(kind) && is_token(rest),
        None => false,
    }
}

/// Whether `text` may stand in the list `accept` of a blob (L5): a MIME type, which may have parameters, or the beginning of
/// one with a star behind it, such as `image/*` or `application/vnd.*`; a star alone is everything, like `*/*`.
pub(crate) fn is_accept_pattern(text: &str) -> bool {
    let (essence, parameters) = match text.split_once(';') {
        Some((essence, parameters)) => (essence.trim(), Some(parameters)),
        None => (text, None),
    };
    if let Some(parameters) = parameters {
        return is_mime_type(essence) && parameters.split(';').all(is_parameter);
    }
    match essence.strip_suffix('*') {
        Some("" | "*/") => true,
        Some(start) => match start.split_once('/') {
            Some((kind, rest)) => is_token(kind) && (rest.is_empty() || is_token(rest)),
            None => is_token(start),
        },
        None => is_mime_type(essence),
    }
}

fn is_mime_type(text: &str) -> bool {
    text.split_once('/').is_some_and(|(kind, rest)| is_token(kind) && is_token(rest))
}

/// A parameter of a MIME type, such as `codecs=opus` or `codecs="vp8, opus"`.
fn is_parameter(text: &str) -> bool {
    text.trim().split_once('=').is_some_and(|(name, value)| {
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        is_token(name)
            && quoted.map_or(is_token(value), |it| !it.contains(|c: char| c == '"' || c.is_control()))
    })
}

fn is_token(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
}

/// Whether `text` is a DID.
pub(crate) fn is_did(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let (Some("did"), Some(method), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    text.len() <= 2048
        && !method.is_empty()
        && method.bytes().all(|b| b.is_ascii_lowercase())
        && !id.is_empty()
        && !id.ends_with([':', '%'])
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:%-".contains(&b))
}

/// Whether `text` is a handle.
pub(crate) fn is_handle(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    text.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
        && !labels.last().is_some_and(|tld| tld.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether `text` is a TID.
pub(crate) fn is_tid(text: &str) -> bool {
    text.len() == 13
        && text.starts_with(|c| "234567abcdefghij".contains(c))
        && text.bytes().all(|b| matches!(b, b'2'..=b'7' | b'a'..=b'z'))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_names() {
        let long = format!("com.{}.x", "a".repeat(64));
        for good in [
            "com.example.fooBar",
            "a-0.b.c",
            "net.users.bob.ping",
            "cn.8.lex.stuff",
            "onion.expyuzz4wqqyqhjn.spec.getThing",
        ] {
            assert!(is_nsid(good), "{good}");
        }
        for bad in [
            "",
            "com.example",
            "com.example.3",
            "com.example.foo-bar",
            "3com.example.foo",
            "com..foo",
            "com.-a.foo",
            "com.example.foo#a",
            long.as_str(),
            "com.exämple.foo",
        ] {
            assert!(!is_nsid(bad), "{bad}");
        }
        assert!(
            is_def_name("replyRef")
                && is_def_name("a_1")
                && !is_def_name("1a")
                && !is_def_name("")
                && !is_def_name("a.b")
        );
        assert!(
            is_record_key("self") && is_record_key("a:b~c") && !is_record_key("..") && !is_record_key("a/b")
        );
        assert!(
            is_mime_pattern("image/*")
                && is_mime_pattern("*/*")
                && is_mime_pattern("application/vnd.ipld.car")
        );
        assert!(
            !is_mime_pattern("*")
                && !is_mime_pattern("image")
                && !is_mime_pattern("*/png")
                && !is_mime_pattern("a b/c")
        );
        for good in [
            "*",
            "*/*",
            "image/*",
            "image/png",
            "application/vnd.*",
            "audio/ogg;codecs=opus",
            "video/webm; codecs=\"vp8, opus\"",
        ] {
            assert!(is_accept_pattern(good), "{good}");
        }
        for bad in
            ["", "image", "*/png", "a b/c", "text/plain, text/html", "*a", "image/*;q=1", "a/b;", "a/b;c"]
        {
            assert!(!is_accept_pattern(bad), "{bad}");
        }
        assert!(
            is_did("did:web:a.example") && !is_did("did:WEB:a") && !is_did("did:web:") && !is_did("web:a:b")
        );
        assert!(is_handle("a.example") && !is_handle("example") && !is_handle("a.1x"));
        assert!(is_tid("3jzfcijpj2z2a") && !is_tid("zjzfcijpj2z2a"));
    }
}
