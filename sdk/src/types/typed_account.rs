//! What people type or paste to name an account.

use super::{AtIdentifier, Did, Handle, did, handle};
use crate::server_text::{SHORT, excerpt};

/// The error returned when a text that somebody has typed does not name an account.
///
/// ```
/// use atproto_sdk::types::AtIdentifier;
///
/// let error = AtIdentifier::from_input("alice").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`alice` does not name an account: it has no dot; a handle is a whole domain name, such as `alice.example.com`"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` does not name an account: {problem}")]
#[non_exhaustive]
pub struct NotAnAccount {
    /// The text, truncated to 200 characters.
    pub input: String,
    /// What is wrong with it, and what to type instead.
    pub problem: String,
}

impl AtIdentifier {
    /// Finds the account in a text that somebody has typed or pasted.
    ///
    /// People copy handles from apps, web pages and messages, with what is around them. Besides a handle or a DID, this accepts
    ///
    /// - spaces, quotes, brackets and punctuation around it, an `@` before it, and a dot or slash after it;
    /// - capital letters, and the full-width letters, dots and signs of East Asian keyboards;
    /// - invisible characters, such as the marks of direction that apps put around handles;
    /// - links to a profile or a post, such as `https://bsky.app/profile/alice.example.com`, and AT URIs.
    ///
    /// A handle is returned in lowercase. Everything in this crate that takes the name of an account from a person uses this
    /// function, so call it only to check or to show a name before it is used.
    ///
    /// # Errors
    ///
    /// Returns an error that says what is wrong, in words for the person who has typed it.
    ///
    /// ```
    /// use atproto_sdk::types::AtIdentifier;
    ///
    /// for typed in [
    ///     "alice.example.com",
    ///     " @Alice.Example.com. ",
    ///     "\u{202a}@alice.example.com\u{202c}",
    ///     "https://bsky.app/profile/alice.example.com/",
    ///     "at://alice.example.com",
    /// ] {
    ///     assert_eq!(AtIdentifier::from_input(typed)?.as_str(), "alice.example.com");
    /// }
    /// # Ok::<_, atproto_sdk::types::NotAnAccount>(())
    /// ```
    pub fn from_input(text: &str) -> Result<Self, NotAnAccount> {
        match Typed::read(text)? {
            Typed::Handle(handle) => Ok(handle.to_lowercase().into()),
            Typed::Did(did) => Ok(did.into()),
            Typed::Url(_) => Err(not_an_account(
                text,
                "it is the address of a web site, not of a profile; type the handle alone",
            )),
        }
    }
}

/// What somebody has typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    /// With capital letters as they were typed.
    Handle(Handle),
    Did(Did),
    /// A URL that names no account: that of a server, perhaps.
    #[cfg_attr(not(feature = "client"), allow(dead_code, reason = "only a sign-in can begin with a server"))]
    Url(String),
}

/// Longer than any identifier within a link.
const LONGEST_INPUT: usize = 8192;

const NO_HANDLE: &str =
    "it is a link to a page that is no profile; type the handle alone, such as `alice.example.com`";

fn not_an_account(input: &str, problem: impl Into<String>) -> NotAnAccount {
    NotAnAccount { input: excerpt(input.trim(), SHORT), problem: problem.into() }
}

impl Typed {
    /// Reads what somebody has typed.
    pub(crate) fn read(input: &str) -> Result<Self, NotAnAccount> {
        if input.len() > LONGEST_INPUT {
            return Err(not_an_account(input, "it is too long"));
        }
        Self::of_visible(&visible(input)).map_err(|problem| not_an_account(input, problem))
    }

    fn of_visible(whole: &str) -> Result<Self, String> {
        let text = without_surroundings(whole);
        if let Some(rest) = without_scheme(text, "at://") {
            return account(first_part(rest));
        }
        match text.split_once("://") {
            Some((scheme, address)) if !scheme.contains('/') => {
                Ok(account_in_link(address)?.unwrap_or_else(|| Self::Url(without_quotes(whole).to_owned())))
            }
            // The scheme is often left out.
            _ if text.contains('/') => account_in_link(text)?.ok_or_else(|| NO_HANDLE.to_owned()),
            _ => account(text),
        }
    }
}

/// The text without characters that cannot be seen, and with those of East Asian keyboards in their common form.
fn visible(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).map(narrow).collect()
}

/// Whether a character shows nothing, and is not the space between two words: marks of direction, joiners, and so on.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// The ASCII character for its full-width form, and a dot for the full stops that domain names may be written with.
fn narrow(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        '\u{3002}' | '\u{ff61}' => '.',
        c => c,
    }
}

/// Without what stands around a name in a sentence, in source code, or at the end of a link.
fn without_surroundings(text: &str) -> &str {
    let text = text.trim_start_matches(is_quote);
    text.trim_end_matches(|c: char| {
        is_quote(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | '/' | '\u{2026}' | '\u{3001}')
    })
}

/// Without quotation marks and brackets around it. A bracket at the end can be that of an address, as in `http://[::1]`.
fn without_quotes(text: &str) -> &str {
    let inner = text.trim_start_matches(is_quote);
    let opened = &text[..text.len() - inner.len()];
    inner.trim_end_matches(|c| is_quote(c) && (c != ']' || opened.contains('[')))
}

fn is_quote(c: char) -> bool {
    c.is_whitespace()
        || matches!(c, '"' | '\'' | '`' | '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}')
        || matches!(c, '\u{2018}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{2039}' | '\u{203a}' | '\u{3008}'..='\u{3011}')
}

/// The rest of a text that begins with a scheme, in any case.
fn without_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// The text up to the end of a segment of a path.
fn first_part(text: &str) -> &str {
    text.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The account that a link is about, if it is about one: after `/profile/`, with an `@`, a DID, or in an AT URI. `address` has no
/// scheme.
fn account_in_link(address: &str) -> Result<Option<Typed>, String> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let Some((_, path)) = path.split_once('/') else { return Ok(None) };
    let path = percent_decoded(path);
    if let Some((_, uri)) = path.split_once("at://") {
        return account(first_part(uri)).map(Some);
    }
    let segments = || path.split('/').filter(|segment| !segment.is_empty());
    let mut after_profile = segments().skip_while(|segment| !segment.eq_ignore_ascii_case("profile")).skip(1);
    let named = after_profile.next();
    let named = named.or_else(|| segments().find(|segment| segment.len() > 1 && segment.starts_with('@')));
    let named = named.or_else(|| segments().find(|segment| begins_as_did(segment)));
    named.map(account).transpose()
}

/// A path without percent encoding. What is not UTF-8 then stays as it is.
fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let pair = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let decoded = pair
            .filter(|digits| *byte == b'%' && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(decoded.unwrap_or(*byte));
        rest = if decoded.is_some() { &after[2..] } else { after };
    }
    match String::from_utf8(bytes) {
        // Encoded characters can be invisible or wide as well.
        Ok(text) => visible(&text),
        Err(_) => path.to_owned(),
    }
}

fn begins_as_did(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("did:"))
}

/// Reads a DID or a handle, with or without `@`.
fn account(text: &str) -> Result<Typed, String> {
    let text = without_surroundings(text).trim_start_matches('@');
    let text = without_surroundings(text);
    if begins_as_did(text) { did_in(text).map(Typed::Did) } else { handle_in(text).map(Typed::Handle) }
}

/// The method is in lowercase, whatever the keyboard made of it. Identifiers are case-sensitive.
fn did_in(text: &str) -> Result<Did, String> {
    let method_ends = text.match_indices(':').nth(1).map_or(text.len(), |(at, _)| at);
    let (start, identifier) = text.split_at(method_ends);
    let text = format!("{}{identifier}", start.to_ascii_lowercase());
    match did::check(&text) {
        Ok(()) => Did::new(&text).map_err(|error| error.problem.to_owned()),
        Err(problem) => Err(format!("{problem}; a DID is a text such as `did:plc:ewvi7nxzyoun6zhxrhs64oiz`")),
    }
}

fn handle_in(text: &str) -> Result<Handle, String> {
    if text.is_empty() {
        return Err("it is empty; type a handle, such as `alice.example.com`".to_owned());
    }
    if text.contains('@') {
        return Err(
            "it is an email address, or a name of another network; a handle has no `@` inside".to_owned()
        );
    }
    if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '.')) {
        return Err(about_character(bad));
    }
    if !text.contains('.') {
        return Err("it has no dot; a handle is a whole domain name, such as `alice.example.com`".to_owned());
    }
    let handle = match handle::check(text) {
        Ok(()) => Handle::new(text).map_err(|error| error.problem.to_owned())?,
        Err(problem) => {
            return Err(format!("{problem}; a handle is a domain name, such as `alice.example.com`"));
        }
    };
    if handle.is_unverified() {
        return Err("apps show it in place of a handle that is broken; use the DID of the account".to_owned());
    }
    Ok(handle)
}

fn about_character(bad: char) -> String {
    if bad.is_whitespace() {
        return "it has a space inside; type one handle, such as `alice.example.com`".to_owned();
    }
    let code = u32::from(bad);
    let shown = if bad.is_control() { format!("U+{code:04X}") } else { format!("`{bad}` (U+{code:04X})") };
    let hint = if bad.is_alphabetic() && !bad.is_ascii() {
        "; domain names in other scripts are typed in their form with `xn--`"
    } else {
        ""
    };
    format!("it has the character {shown}, and a handle has only letters, digits, hyphens and dots{hint}")
}
