//! The `WWW-Authenticate` header (RFC 9110, section 11.6.1; RFC 6750, section 3; O34, O46).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// A parameter of the first challenge that has it, at any position. Only challenges of `scheme` count, if one is given.
pub(crate) fn parameter(headers: &HeaderMap, scheme: Option<&str>, name: &str) -> Option<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .find_map(|value| parameter_of(&String::from_utf8_lossy(value.as_bytes()), scheme, name))
}

fn parameter_of(text: &str, scheme: Option<&str>, wanted: &str) -> Option<String> {
    let (mut rest, mut counts) = (text, scheme.is_none());
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return None;
        }
        let (name, after) = rest.split_at(rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len()));
        if name.is_empty() {
            // Skip a quoted string, or a character that cannot start a token.
            rest = if rest.starts_with('"') { read_value(rest).1 } else { &rest[1..] };
        } else if let Some(value) = after.trim_start_matches([' ', '\t']).strip_prefix('=') {
            let (value, next) = read_value(value.trim_start_matches([' ', '\t']));
            if counts && name.eq_ignore_ascii_case(wanted) {
                return Some(value);
            }
            rest = next;
        } else {
            // A token without a value starts the next challenge.
            counts = scheme.is_none_or(|scheme| name.eq_ignore_ascii_case(scheme));
            rest = after;
        }
    }
}

/// Reads a token or a quoted string. Returns its value and the remaining text.
fn read_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([' ', '\t', ',']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::parameter_of;

    #[test]
    fn o34_error_is_found_wherever_it_stands() {
        for (text, error) in [
            (r#"DPoP error="use_dpop_nonce""#, Some("use_dpop_nonce")),
            (r#"DPoP algs="RS256 ES256, PS256", error="use_dpop_nonce""#, Some("use_dpop_nonce")),
            (r#"dpop realm="a \"b\", error=\"no\"" , ERROR = invalid_token"#, Some("invalid_token")),
            (
                r#"Bearer error="invalid_token", DPoP algs="ES256",error="use_dpop_nonce""#,
                Some("use_dpop_nonce"),
            ),
            (r#"Basic YWJj==, DPoP error=x"#, Some("x")),
            (r#"Bearer error="invalid_token""#, None),
            ("DPoP", None),
            ("", None),
            (r#"DPoP error_description="error=\"use_dpop_nonce\"""#, None),
            (r#"DPoP "error=x" ="error", =,= é error=x"#, None),
            (r#"DPoP error="unclosed"#, Some("unclosed")),
        ] {
            assert_eq!(parameter_of(text, Some("DPoP"), "error").as_deref(), error, "{text}");
        }
    }

    #[test]
    fn o46_error_and_scope_are_found_in_a_challenge_of_any_scheme() {
        let text = r#"Basic realm=x, Bearer scope="repo:a.b.c blob:*/*", error="insufficient_scope""#;
        assert_eq!(parameter_of(text, None, "error").as_deref(), Some("insufficient_scope"));
        assert_eq!(parameter_of(text, None, "scope").as_deref(), Some("repo:a.b.c blob:*/*"));
        assert_eq!(parameter_of(text, Some("DPoP"), "scope"), None);
    }
}
