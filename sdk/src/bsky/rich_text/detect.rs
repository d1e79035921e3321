//! Finding mentions, links and tags in plain text.
//!
//! What counts as one is not specified. All apps go by the reference implementation, so this does what that does, except
//! where its result would not be a valid facet; `tests/cases.json` has both.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation as _;

use super::top_level_domains::has_top_level_domain;
use crate::{
    bsky::characters::{is_invisible, is_punctuation, is_space},
    types::{Handle, Uri},
};

/// The longest tag, in graphemes.
const TAG_GRAPHEMES: usize = 64;
/// The longest tag, in bytes.
const TAG_BYTES: usize = 640;
/// The longest symbol after a dollar sign.
const LONGEST_SYMBOL: usize = 5;

/// A mention, link or tag that was found in a text by [`detect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detected {
    /// Where it is, in bytes.
    pub range: Range<usize>,
    /// What it is.
    pub kind: DetectedKind,
}

/// What was found in a text by [`detect`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DetectedKind {
    /// `@alice.example.com`. Whether the account exists is not known.
    Mention(Handle),
    /// `https://example.com`, or `example.com` for a name in a top-level domain that exists.
    Link(Uri),
    /// `#rust`, without the number sign, or `$ABC` with the dollar sign and in upper case.
    Tag(String),
}

/// Finds mentions, links and tags, which do not overlap, in their order in the text.
///
/// [`RichText::resolve`](super::RichText::resolve) makes facets of them.
///
/// ```
/// use atproto_sdk::{bsky::rich_text::{DetectedKind, detect}, handle};
///
/// let text = "Thanks @alice.example.com! (see example.com/docs) #rust";
/// let found = detect(text);
/// assert_eq!(found.len(), 3);
/// assert_eq!(&text[found[0].range.clone()], "@alice.example.com");
/// assert_eq!(found[0].kind, DetectedKind::Mention(handle!("alice.example.com")));
/// assert_eq!(found[1].kind, DetectedKind::Link("https://example.com/docs".try_into()?));
/// assert_eq!(found[2].kind, DetectedKind::Tag("rust".to_owned()));
/// # Ok::<_, atproto_sdk::types::InvalidText>(())
/// ```
pub fn detect(text: &str) -> Vec<Detected> {
    let mut found: Vec<Detected> = Vec::new();
    let mut scanners = [Scanner::new(mention), Scanner::new(link), Scanner::new(tag), Scanner::new(symbol)];
    let mut before = None;
    for (start, c) in text.char_indices() {
        let opens = match before {
            None => Opening::Beginning,
            Some(b) if is_space(b) => Opening::Space,
            Some('(') => Opening::Parenthesis,
            Some(_) => Opening::None,
        };
        before = Some(c);
        if opens == Opening::None {
            continue;
        }
        for scanner in &mut scanners {
            // What a scanner has looked at, it does not look at again, whether or not it took it.
            if start < scanner.next {
                continue;
            }
            let Some(scanned) = (scanner.scan)(text, start, opens) else { continue };
            scanner.next = scanned.end;
            // Facets must not overlap: the one that begins first stays.
            let free = found.last().is_none_or(|last| last.range.end <= start);
            if let Some((end, kind)) = scanned.found.filter(|_| free) {
                found.push(Detected { range: start..end, kind });
            }
        }
    }
    found
}

/// What is in front of a position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Opening {
    Beginning,
    Space,
    Parenthesis,
    None,
}

/// What looks like a mention, link or tag, up to `end`. It need not be one.
struct Scanned {
    end: usize,
    found: Option<(usize, DetectedKind)>,
}

type Scan = fn(&str, usize, Opening) -> Option<Scanned>;

struct Scanner {
    scan: Scan,
    next: usize,
}

impl Scanner {
    fn new(scan: Scan) -> Self {
        Self { scan, next: 0 }
    }
}

/// The end of the run of characters that begins at `start`.
fn run(text: &str, start: usize, is_in: impl Fn(char) -> bool) -> usize {
    text[start..].find(|c| !is_in(c)).map_or(text.len(), |length| start + length)
}

fn mention(text: &str, start: usize, _: Opening) -> Option<Scanned> {
    let name = start + text[start..].strip_prefix('@').map(|_| 1)?;
    let most = run(text, name, |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    let is_word = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let bytes = text.as_bytes();
    // It ends where a word ends or begins: not in a final dot, and not in front of `_`.
    let end = (name + 1..=most).rev().find(|&end| is_word(bytes.get(end - 1)) != is_word(bytes.get(end)))?;
    let candidate = &text[name..end];
    let exists = has_top_level_domain(candidate) || candidate.ends_with(".test");
    let handle = Handle::new(candidate).ok().filter(|_| exists);
    Some(Scanned { end, found: handle.map(|handle| (end, DetectedKind::Mention(handle))) })
}

fn link(text: &str, start: usize, _: Opening) -> Option<Scanned> {
    let rest = &text[start..];
    let folded = |prefix: &str| {
        rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
            && rest[prefix.len()..].starts_with(|c| !is_space(c))
    };
    let has_scheme = folded("https://") || folded("http://");
    let name = if has_scheme { None } else { Some(domain(rest)?) };
    // Only now, because every parenthesis may be in front of a link.
    let end = run(text, start, |c| !is_space(c));
    let good = match name {
        // In upper case it is found, but it is no link.
        None => rest.starts_with("http"),
        Some(name) => has_top_level_domain(name),
    };
    if !good {
        return Some(Scanned { end, found: None });
    }
    let mut address = &text[start..end];
    address = address.strip_suffix(['.', ',', ';', ':', '!', '?']).unwrap_or(address);
    if !address.contains('(') {
        address = address.strip_suffix(')').unwrap_or(address);
    }
    let target = if has_scheme { address.to_owned() } else { format!("https://{address}") };
    let found = uri(&target).map(|uri| (start + address.len(), DetectedKind::Link(uri)));
    Some(Scanned { end, found })
}

/// A name of at least two labels of letters and digits at the beginning.
fn domain(text: &str) -> Option<&str> {
    let label = |from: usize| run(text, from, |c| c.is_ascii_alphanumeric());
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let first = label(0);
    let mut end = first;
    while text[end..].starts_with('.') && label(end + 1) > end + 1 {
        end = label(end + 1);
    }
    (end > first).then(|| &text[..end])
}

/// The address as it is if it is a URI, and otherwise as a browser would send it: non-ASCII characters are encoded.
pub(super) fn uri(address: &str) -> Option<Uri> {
    let as_it_is = address.is_ascii().then(|| Uri::new(address).ok()).flatten();
    as_it_is.or_else(|| Uri::new(url::Url::parse(address).ok()?.as_str()).ok())
}

fn tag(text: &str, start: usize, opening: Opening) -> Option<Scanned> {
    if opening == Opening::Parenthesis {
        return None;
    }
    let sign = text[start..].chars().next().filter(|c| matches!(c, '#' | '＃'))?.len_utf8();
    let name = start + sign;
    let end = run(text, name, |c| !is_space(c) && !is_invisible(c));
    let whole = &text[name..end];
    // `#️` with a variation selector is the beginning of an emoji.
    let is_name = |c: char| !c.is_ascii_digit() && !is_punctuation(c);
    if whole.starts_with('\u{fe0f}') || !whole.contains(is_name) {
        return None;
    }
    let tag = whole.trim_end_matches(is_punctuation);
    let fits = tag.len() <= TAG_BYTES && tag.graphemes(true).count() <= TAG_GRAPHEMES;
    let found = fits.then(|| (name + tag.len(), DetectedKind::Tag(tag.to_owned())));
    Some(Scanned { end, found })
}

/// The symbol of a company or currency.
fn symbol(text: &str, start: usize, _: Opening) -> Option<Scanned> {
    let name = start + text[start..].strip_prefix('$').map(|_| 1)?;
    let end = run(text, name, |c| c.is_ascii_alphanumeric());
    let symbol = &text[name..end];
    let begins = symbol.starts_with(|c: char| c.is_ascii_alphabetic()) && symbol.len() <= LONGEST_SYMBOL;
    let ends = text[end..].chars().next().is_none_or(|c| {
        is_space(c) || matches!(c, '.' | ',' | ';' | ':' | '!' | '?' | ')' | '"' | '\'' | '’')
    });
    let found = (begins && ends).then(|| (end, DetectedKind::Tag(text[start..end].to_ascii_uppercase())));
    found.map(|found| Scanned { end, found: Some(found) })
}
