//! What a page on the web says about itself.

use std::borrow::Cow;

use url::Url;

/// The longest title and description that are taken, in graphemes.
const LONGEST_TITLE: usize = 300;
const LONGEST_DESCRIPTION: usize = 1000;

/// The names of metadata that are understood, the better ones first.
const TITLES: &[&str] = &["og:title", "twitter:title"];
const DESCRIPTIONS: &[&str] = &["og:description", "twitter:description", "description"];
const IMAGES: &[&str] =
    &["og:image:secure_url", "og:image", "og:image:url", "twitter:image", "twitter:image:src"];

/// The metadata of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) image: Option<Url>,
}

/// The values that were found, by how good their names are.
#[derive(Default)]
struct Found {
    /// The element `title`.
    title: Option<String>,
    titles: [Option<String>; TITLES.len()],
    descriptions: [Option<String>; DESCRIPTIONS.len()],
    images: [Option<String>; IMAGES.len()],
}

impl Metadata {
    /// Reads the head of an HTML document, of which the end may be missing.
    pub(super) fn read(html: &str, page: &Url) -> Self {
        let mut found = Found::default();
        let mut base = page.clone();
        let mut rest = html;
        while let Some(start) = rest.find('<') {
            rest = &rest[start + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.split_once("-->").map_or("", |(_, after)| after);
                continue;
            }
            let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
            let (name, after) = rest.split_at(name_end);
            let name = name.to_ascii_lowercase();
            match name.as_str() {
                "body" => break,
                "script" | "style" | "noscript" | "template" | "svg" => rest = behind(after, &name).1,
                "title" => {
                    let (text, after) = behind(after.split_once('>').map_or("", |(_, text)| text), "title");
                    found.title.get_or_insert_with(|| decode(text));
                    rest = after;
                }
                "meta" | "base" => {
                    let (attributes, after) = attributes(after);
                    if name == "meta" {
                        found.add(&attributes);
                    } else if let Some(url) = attributes.get("href").and_then(|href| base.join(href).ok()) {
                        base = url;
                    }
                    rest = after;
                }
                _ => rest = after,
            }
        }
        found.into_metadata(&base)
    }
}

impl Found {
    fn add(&mut self, attributes: &Attributes) {
        let Some(content) = attributes.get("content").filter(|content| !content.trim().is_empty()) else {
            return;
        };
        for name in [attributes.get("property"), attributes.get("name")].into_iter().flatten() {
            let name = name.trim().to_ascii_lowercase();
            let lists: [(&[&str], &mut [Option<String>]); 3] = [
                (TITLES, &mut self.titles),
                (DESCRIPTIONS, &mut self.descriptions),
                (IMAGES, &mut self.images),
            ];
            for (names, values) in lists {
                if let Some(index) = names.iter().position(|known| *known == name) {
                    values[index].get_or_insert_with(|| content.to_owned());
                }
            }
        }
    }

    fn into_metadata(self, base: &Url) -> Metadata {
        let first = |values: &[Option<String>]| values.iter().flatten().next().cloned();
        let title = first(&self.titles).or(self.title).unwrap_or_default();
        let image = first(&self.images).and_then(|image| base.join(image.trim()).ok());
        Metadata {
            title: tidy(&title, LONGEST_TITLE),
            description: tidy(&first(&self.descriptions).unwrap_or_default(), LONGEST_DESCRIPTION),
            image: image.filter(|url| matches!(url.scheme(), "http" | "https")),
        }
    }
}

/// The text with single spaces, cut if it is too long.
fn tidy(text: &str, graphemes: usize) -> String {
    let text: Vec<&str> = text.split_whitespace().collect();
    crate::bsky::RichText::new(text.join(" ")).cut(graphemes, "…").into_parts().0
}

/// The text in front of an end tag, and what is behind the tag's name.
fn behind<'h>(html: &'h str, name: &str) -> (&'h str, &'h str) {
    let mut position = 0;
    while let Some(found) = html[position..].find("</") {
        let (start, tag) = (position + found, position + found + 2);
        let end = tag + name.len();
        if html.get(tag..end).is_some_and(|tag| tag.eq_ignore_ascii_case(name)) {
            return (&html[..start], &html[end..]);
        }
        position = tag;
    }
    (html, "")
}

/// The attributes of a tag.
struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The attributes in front of the end of a tag, and what is behind it.
fn attributes(html: &str) -> (Attributes, &str) {
    let mut attributes = Vec::new();
    let mut rest = html;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (Attributes(attributes), rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (Attributes(attributes), after);
        }
        let is_end = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
        // An equals sign at the beginning belongs to the name.
        let name_end =
            rest.char_indices().skip(1).find(|&(_, c)| is_end(c)).map_or(rest.len(), |(end, _)| end);
        let (name, after) = rest.split_at(name_end);
        let after_name = after.trim_start();
        let Some(value) = after_name.strip_prefix('=') else {
            attributes.push((name.to_ascii_lowercase(), String::new()));
            rest = after_name;
            continue;
        };
        let value = value.trim_start();
        let (value, after) = match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => value[1..].split_once(quote).unwrap_or((&value[1..], "")),
            None => value
                .split_at(value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len())),
        };
        attributes.push((name.to_ascii_lowercase(), decode(value)));
        rest = after;
    }
}

/// The text with character references replaced: those that are written in practice.
fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        rest = &rest[start..];
        match reference(rest) {
            Some((character, length)) => {
                decoded.push_str(character.as_ref());
                rest = &rest[length..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

fn reference(text: &str) -> Option<(Cow<'static, str>, usize)> {
    let end = text.bytes().take(12).position(|b| b == b';')?;
    let name = &text[1..end];
    let number = |text: &str, radix| u32::from_str_radix(text, radix).ok();
    let code = match name.strip_prefix('#') {
        Some(digits) => match digits.strip_prefix(['x', 'X']) {
            Some(digits) => number(digits, 16),
            None => number(digits, 10),
        },
        None => None,
    };
    let character = match (code, name) {
        (Some(code), _) => {
            // Pages that were written for Windows mean its characters.
            let code = u8::try_from(code).ok().map_or(char::from_u32(code), |byte| Some(windows_1252(byte)));
            Cow::Owned(code.filter(|&c| c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER).to_string())
        }
        (None, name) => Cow::Borrowed(NAMED.iter().find(|(known, _)| *known == name)?.1),
    };
    Some((character, end + 1))
}

const NAMED: &[(&str, &str)] = &[
    ("amp", "&"),
    ("lt", "<"),
    ("gt", ">"),
    ("quot", "\""),
    ("apos", "'"),
    ("nbsp", " "),
    ("ndash", "–"),
    ("mdash", "—"),
    ("lsquo", "‘"),
    ("rsquo", "’"),
    ("sbquo", "‚"),
    ("ldquo", "“"),
    ("rdquo", "”"),
    ("bdquo", "„"),
    ("laquo", "«"),
    ("raquo", "»"),
    ("lsaquo", "‹"),
    ("rsaquo", "›"),
    ("hellip", "…"),
    ("bull", "•"),
    ("middot", "·"),
    ("copy", "©"),
    ("reg", "®"),
    ("trade", "™"),
    ("euro", "€"),
    ("pound", "£"),
    ("yen", "¥"),
    ("cent", "¢"),
    ("sect", "§"),
    ("deg", "°"),
    ("times", "×"),
    ("auml", "ä"),
    ("ouml", "ö"),
    ("uuml", "ü"),
    ("Auml", "Ä"),
    ("Ouml", "Ö"),
    ("Uuml", "Ü"),
    ("szlig", "ß"),
    ("eacute", "é"),
    ("egrave", "è"),
    ("ecirc", "ê"),
    ("euml", "ë"),
    ("Eacute", "É"),
    ("agrave", "à"),
    ("aacute", "á"),
    ("acirc", "â"),
    ("aring", "å"),
    ("Aring", "Å"),
    ("aelig", "æ"),
    ("AElig", "Æ"),
    ("atilde", "ã"),
    ("ccedil", "ç"),
    ("Ccedil", "Ç"),
    ("iacute", "í"),
    ("icirc", "î"),
    ("iuml", "ï"),
    ("ntilde", "ñ"),
    ("oacute", "ó"),
    ("ocirc", "ô"),
    ("otilde", "õ"),
    ("oslash", "ø"),
    ("Oslash", "Ø"),
    ("uacute", "ú"),
    ("ugrave", "ù"),
    ("ucirc", "û"),
    ("iexcl", "¡"),
    ("iquest", "¿"),
    ("shy", "\u{ad}"),
    ("zwj", "\u{200d}"),
    ("zwnj", "\u{200c}"),
];

/// The text of a page: UTF-8, or the character set of Windows for western languages if that is declared.
pub(super) fn text_of(body: &[u8], content_type: Option<&str>) -> String {
    let beginning = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    let declared = content_type.map(str::to_ascii_lowercase).unwrap_or_default();
    let charset = [declared.as_str(), beginning.as_str()].into_iter().find_map(|text| {
        let value = text.split_once("charset=")?.1.trim_start_matches(['"', '\'']);
        Some(
            value
                .split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
                .next()
                .unwrap_or_default(),
        )
    });
    match charset {
        Some("iso-8859-1" | "iso-8859-15" | "latin1" | "windows-1252" | "cp1252" | "us-ascii") => {
            body.iter().map(|&byte| windows_1252(byte)).collect()
        }
        _ => String::from_utf8_lossy(body).trim_start_matches('\u{feff}').to_owned(),
    }
}

fn windows_1252(byte: u8) -> char {
    const FROM_80: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => FROM_80[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
