//! Text from Markdown.

use super::{RichText, link_feature, mention_feature};
use crate::types::{Did, Uri};

/// The longest target of a link, in bytes.
const LONGEST_TARGET: usize = 2048;

impl RichText {
    /// Creates a text from Markdown, of which a post can show only links.
    ///
    /// `[text](https://example.com)` and `<https://example.com>` become links, and `[text](did:plc:..)` a mention; an image becomes a
    /// link with its description. The marks of emphasis, code, strikethrough and headings are left out, as are backslashes before
    /// punctuation. Quotes, lists and line breaks stay as they are written. Text that looks like a link or tag is not one yet: see
    /// [`detected`](Self::detected) and [`resolved`](Self::resolved).
    ///
    /// ```
    /// use atproto_sdk::bsky::RichText;
    ///
    /// let text = RichText::from_markdown("# News\n**Rust** has [a *new* release](https://blog.rust-lang.org)!");
    /// assert_eq!(text.as_str(), "News\nRust has a new release!");
    /// assert_eq!(text.segments().find_map(|segment| segment.link()).map(|uri| uri.as_str()),
    ///     Some("https://blog.rust-lang.org"));
    /// ```
    pub fn from_markdown(markdown: &str) -> Self {
        let mut text = Self::default();
        let mut paragraph = String::new();
        let mut fence = None;
        for line in markdown.lines() {
            let found = Fence::of(line);
            match (&fence, found) {
                (None, Some(found)) if found.opens() => {
                    text = text.append(inline(&std::mem::take(&mut paragraph), 0));
                    fence = Some(found);
                }
                (Some(open), Some(found)) if found.closes(open) => fence = None,
                (Some(_), _) => text = text.text(line).text("\n"),
                (None, _) => {
                    paragraph.push_str(heading(line).unwrap_or(line).trim_end_matches([' ', '\t']));
                    paragraph.push('\n');
                }
            }
        }
        let text = text.append(inline(&paragraph, 0));
        let end = text.as_str().strip_suffix('\n').map_or(text.as_str().len(), str::len);
        text.slice(0..end)
    }
}

/// What may begin or end lines of code: three or more backticks or tildes at the beginning of a line.
struct Fence<'m> {
    mark: char,
    count: usize,
    /// What follows, in front of code usually its language.
    info: &'m str,
}

impl<'m> Fence<'m> {
    fn of(line: &'m str) -> Option<Self> {
        let line = line.trim_start();
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let info = line.trim_start_matches(mark);
        let count = line.len() - info.len();
        (count >= 3).then_some(Self { mark, count, info })
    }

    /// Otherwise the line has code between backticks, and text.
    fn opens(&self) -> bool {
        self.mark == '~' || !self.info.contains('`')
    }

    fn closes(&self, open: &Fence<'_>) -> bool {
        self.mark == open.mark && self.count >= open.count && self.info.trim().is_empty()
    }
}

/// The text of a heading.
fn heading(line: &str) -> Option<&str> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    let text = text.strip_prefix(' ').filter(|_| (1..=6).contains(&level))?.trim();
    let open = text.trim_end_matches('#');
    // Number signs may close a heading, but not stand at the end of a word.
    Some(if open.is_empty() || open.ends_with(' ') { open.trim_end() } else { text })
}

enum Piece<'m> {
    Text(&'m str),
    Delimiter {
        mark: char,
        count: usize,
        left_out: usize,
        opens: bool,
        closes: bool,
    },
    /// With its facet, if its target can be one.
    Link(RichText),
}

/// How deep links and images may be in each other: an image in a link. The inner one is only text.
const DEEPEST: u8 = 1;

/// Marks within paragraphs, at a depth of links in each other.
fn inline(markdown: &str, depth: u8) -> RichText {
    let mut pieces = pieces(markdown, depth);
    pair_delimiters(&mut pieces);
    pieces.into_iter().fold(RichText::default(), |text, piece| match piece {
        Piece::Text(plain) => text.text(plain),
        Piece::Delimiter { mark, count, left_out, .. } => {
            text.text(mark.to_string().repeat(count.saturating_sub(left_out)))
        }
        Piece::Link(link) => text.append(link),
    })
}

fn pieces(markdown: &str, depth: u8) -> Vec<Piece<'_>> {
    let brackets = Brackets::of(markdown);
    let mut pieces = Vec::new();
    let mut position = 0;
    let mut plain = 0;
    while let Some(found) = markdown[position..].find(['\\', '`', '*', '_', '~', '[', '!', '<']) {
        let start = position + found;
        let rest = &markdown[start..];
        let (piece, length) = match rest.as_bytes()[0] {
            b'\\' => escape(rest),
            b'`' => code(rest),
            b'<' => angle(rest, depth),
            b'[' | b'!' => link(markdown, start, &brackets, depth),
            _ => delimiter(markdown, start),
        };
        position = start + length;
        if let Some(piece) = piece {
            pieces.push(Piece::Text(&markdown[plain..start]));
            pieces.push(piece);
            plain = position;
        }
    }
    pieces.push(Piece::Text(&markdown[plain..]));
    pieces
}

/// What a mark stands for, if it is one, and how much of the text belongs to it.
type Found<'m> = (Option<Piece<'m>>, usize);

fn escape(rest: &str) -> Found<'_> {
    match rest.chars().nth(1) {
        Some(c) if c.is_ascii_punctuation() => (Some(Piece::Text(&rest[1..2])), 2),
        // A line break that is written as such.
        Some('\n') => (Some(Piece::Text("\n")), 2),
        _ => (None, 1),
    }
}

/// Text between as many backticks.
fn code(rest: &str) -> Found<'_> {
    let count = rest.len() - rest.trim_start_matches('`').len();
    let mut position = count;
    while let Some(found) = rest[position..].find('`') {
        let end = position + found;
        let closing = rest[end..].len() - rest[end..].trim_start_matches('`').len();
        if closing == count {
            let code = &rest[count..end];
            let padded = code.strip_prefix(' ').and_then(|code| code.strip_suffix(' '));
            let code = padded.filter(|code| !code.trim().is_empty()).unwrap_or(code);
            return (Some(Piece::Text(code)), end + closing);
        }
        position = end + closing;
        if position > LONGEST_CODE {
            break;
        }
    }
    (None, count)
}

/// The longest code that its end is looked for, in bytes.
const LONGEST_CODE: usize = 8 * 1024;

fn angle(rest: &str, depth: u8) -> Found<'_> {
    let end = rest.bytes().take(LONGEST_TARGET).position(|b| b == b'>' || b.is_ascii_whitespace());
    let Some(target) = end.filter(|&end| rest.as_bytes()[end] == b'>').map(|end| &rest[1..end]) else {
        return (None, 1);
    };
    match feature(target) {
        Some(feature) if depth == 0 => {
            (Some(Piece::Link(RichText::default().appended(target, feature))), target.len() + 2)
        }
        _ => (None, 1),
    }
}

/// `[text](target "title")`, and the same with an exclamation mark for an image.
fn link<'m>(markdown: &'m str, start: usize, brackets: &Brackets, depth: u8) -> Found<'m> {
    let image = markdown[start..].starts_with('!');
    let open = start + usize::from(image);
    let Some(close) = brackets.closing(open).filter(|_| depth <= DEEPEST) else { return (None, 1) };
    let Some((target, length)) = target(&markdown[close + 1..]) else { return (None, 1) };
    let mut text = inline(&markdown[open + 1..close], depth + 1);
    let end = close + 1 + length;
    if image && text.is_empty() {
        text = RichText::new(target);
    }
    if let Some(feature) = feature(target).filter(|_| depth == 0) {
        let shown = text.text;
        text = RichText::default().appended(&shown, feature);
    }
    (Some(Piece::Link(text)), end - start)
}

/// The target of a link in parentheses, and how long they are.
fn target(rest: &str) -> Option<(&str, usize)> {
    let inside = rest.strip_prefix('(')?;
    let before = inside.len() - inside.trim_start_matches([' ', '\n']).len();
    let begin = &inside[before..];
    let (target, length) = match begin.strip_prefix('<') {
        Some(angled) => {
            let end = angled.bytes().take(LONGEST_TARGET).position(|b| matches!(b, b'>' | b'\n'))?;
            (&angled[..end], end + 2)
        }
        None => {
            let end = plain_target(begin)?;
            (&begin[..end], end)
        }
    };
    let after = begin.get(length..)?;
    let mut end = after.trim_start_matches([' ', '\n']);
    if let Some(quote) = end.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let title = &end[1..];
        let close = title.bytes().take(LONGEST_TARGET).position(|b| b == quote as u8)?;
        end = title[close + 1..].trim_start_matches([' ', '\n']);
    }
    end.starts_with(')').then(|| (target, rest.len() - end.len() + 1))
}

/// Where a target without angle brackets ends: at a space, or a parenthesis that was not opened in it.
fn plain_target(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate().take(LONGEST_TARGET) {
        match byte {
            b' ' | b'\n' => return Some(index),
            b'(' => depth += 1,
            b')' if depth == 0 => return Some(index),
            b')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn feature(target: &str) -> Option<super::FacetFeaturesItem> {
    let is_web = ["https://", "http://"]
        .iter()
        .any(|scheme| target.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)));
    if is_web {
        let uri: Uri = super::detect::uri(target)?;
        return Some(link_feature(uri));
    }
    let did = Did::new(target.strip_prefix("at://").unwrap_or(target)).ok()?;
    Some(mention_feature(did))
}

/// A run of asterisks, underscores or tildes.
fn delimiter(markdown: &str, start: usize) -> Found<'_> {
    let rest = &markdown[start..];
    let Some(mark) = rest.chars().next() else { return (None, 1) };
    let count = rest.len() - rest.trim_start_matches(mark).len();
    let before = markdown[..start].chars().next_back();
    let after = rest[count..].chars().next();
    let is_text = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace());
    let is_word = |c: Option<char>| mark == '_' && c.is_some_and(char::is_alphanumeric);
    let opens = is_text(after) && !is_word(before);
    let closes = is_text(before) && !is_word(after);
    if mark == '~' && count != 2 {
        return (None, count);
    }
    (Some(Piece::Delimiter { mark, count, left_out: 0, opens, closes }), count)
}

/// Marks the delimiters that belong together to be left out.
fn pair_delimiters(pieces: &mut [Piece<'_>]) {
    let mut open: [Vec<usize>; 3] = Default::default();
    for index in 0..pieces.len() {
        let Piece::Delimiter { mark, count, opens, closes, .. } = pieces[index] else { continue };
        let stack = &mut open[match mark {
            '*' => 0,
            '_' => 1,
            _ => 2,
        }];
        let mut left = count;
        while let Some(&other) = stack.last().filter(|_| closes && left > 0) {
            let Piece::Delimiter { count, left_out, .. } = &mut pieces[other] else { break };
            let pairs = left.min(*count - *left_out);
            *left_out += pairs;
            left -= pairs;
            if *left_out == *count {
                stack.pop();
            }
        }
        if let Piece::Delimiter { left_out, .. } = &mut pieces[index] {
            *left_out = count - left;
        }
        if opens && left > 0 {
            stack.push(index);
        }
    }
}

/// Which brackets belong together.
struct Brackets {
    pairs: Vec<(usize, usize)>,
}

impl Brackets {
    fn of(markdown: &str) -> Self {
        let mut pairs = Vec::new();
        let mut open = Vec::new();
        let mut escaped = false;
        for (index, byte) in markdown.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'[' => open.push(index),
                b']' => pairs.extend(open.pop().map(|open| (open, index))),
                _ => {}
            }
        }
        pairs.sort_unstable();
        Self { pairs }
    }

    fn closing(&self, open: usize) -> Option<usize> {
        let index = self.pairs.binary_search_by_key(&open, |&(open, _)| open).ok()?;
        Some(self.pairs[index].1)
    }
}
