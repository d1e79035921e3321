//! The `WWW-Authenticate` header of resource servers (RFC 9110, section 11.6.1; O34).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// The `error` of a DPoP challenge, at any position among the challenges and their parameters.
pub(crate) fn dpop_error(headers: &HeaderMap) -> Option<String> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .find_map(|value| error_of(&String::from_utf8_lossy(value.as_bytes())))
}

fn error_of(text: &str) -> Option<String> {
    let (mut rest, mut in_dpop) = (text, false);
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
            if in_dpop && name.eq_ignore_ascii_case("error") {
                return Some(value);
            }
            rest = next;
        } else {
            // A token without a value starts the next challenge.
            in_dpop = name.eq_ignore_ascii_case("DPoP");
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
    use super::error_of;

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
            assert_eq!(error_of(text).as_deref(), error, "{text}");
        }
    }
}
