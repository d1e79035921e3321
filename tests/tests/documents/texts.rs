//! Strings within and beyond their limits.

use atproto_sdk::types::ViolationKind;
use atproto_sdk_codegen::json::Value;

use super::{integer, text};

/// Characters that need an escape in JSON or in a query string, one grapheme each.
const MIXED: [&str; 20] = [
    "a",
    " ",
    "Ü",
    "&",
    "=",
    "?",
    "/",
    "+",
    "#",
    "%",
    "\"",
    "\\",
    "<",
    "👩‍🚀",
    "水",
    "\n",
    "~",
    "\u{1}",
    ":",
    ".",
];

/// A string and the number of its graphemes.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) text: String,
    graphemes: u64,
}

/// The limits of a string (L4).
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    min_bytes: Option<u64>,
    max_bytes: Option<u64>,
    min_graphemes: Option<u64>,
    max_graphemes: Option<u64>,
}

impl Limits {
    pub(super) fn of(schema: &Value) -> Self {
        let limit = |key| integer(schema, key).map(|value| u64::try_from(value).unwrap());
        Self {
            min_bytes: limit("minLength"),
            max_bytes: limit("maxLength"),
            min_graphemes: limit("minGraphemes"),
            max_graphemes: limit("maxGraphemes"),
        }
    }

    fn least_graphemes(&self) -> u64 {
        self.min_graphemes.unwrap_or(0).max(1)
    }

    /// Valid strings: one with many kinds of characters, and those at the limits.
    pub(super) fn valid(&self) -> Vec<Sample> {
        let most = self.max_bytes.unwrap_or(u64::MAX);
        let mut mixed = Sample { text: String::new(), graphemes: 0 };
        for grapheme in MIXED {
            let fits = (mixed.text.len() + grapheme.len()) as u64 <= most
                && mixed.graphemes < self.max_graphemes.unwrap_or(u64::MAX);
            if fits {
                mixed.text.push_str(grapheme);
                mixed.graphemes += 1;
            }
        }
        let mut samples = vec![mixed];
        if let Some(graphemes) = self.max_graphemes {
            let unit = if graphemes * 2 <= most { "é" } else { "x" };
            samples.push(Sample { text: unit.repeat(graphemes as usize), graphemes });
        }
        if let Some(most) = self.max_bytes {
            samples.extend(sample(self.least_graphemes(), most));
        }
        let least = self.min_bytes.unwrap_or(0).max(self.min_graphemes.unwrap_or(0));
        samples.extend(sample(self.min_graphemes.unwrap_or(u64::from(least > 0)), least));
        samples.retain(|sample| self.violations(sample).is_empty());
        samples
    }

    /// For every limit, a string that exceeds it and, where that is possible, no other one.
    pub(super) fn exceeded(&self) -> Vec<(&'static str, Sample)> {
        let mut broken = Vec::new();
        if let Some(least) = self.min_bytes.filter(|least| *least > 0) {
            let graphemes = self.min_graphemes.unwrap_or(0).max(u64::from(least > 1)).min(least - 1);
            broken.extend(sample(graphemes, least - 1).map(|sample| ("minLength", sample)));
        }
        if let Some(most) = self.max_bytes {
            broken.extend(sample(self.least_graphemes(), most + 1).map(|sample| ("maxLength", sample)));
        }
        if let Some(least) = self.min_graphemes.filter(|least| *least > 0) {
            let bytes = self.min_bytes.unwrap_or(0).max(least - 1);
            // Without a grapheme there are no bytes.
            let bytes = if least == 1 { 0 } else { bytes };
            broken.extend(sample(least - 1, bytes).map(|sample| ("minGraphemes", sample)));
        }
        if let Some(most) = self.max_graphemes {
            let graphemes = most + 1;
            let text = "x".repeat(graphemes as usize);
            broken.push(("maxGraphemes", Sample { text, graphemes }));
        }
        broken
    }

    /// All limits that a string exceeds.
    pub(super) fn violations(&self, sample: &Sample) -> Vec<ViolationKind> {
        let (bytes, graphemes) = (sample.text.len() as u64, sample.graphemes);
        let mut found = Vec::new();
        for (found_length, least, most, unit) in [
            (graphemes, self.min_graphemes, self.max_graphemes, "graphemes"),
            (bytes, self.min_bytes, self.max_bytes, "bytes"),
        ] {
            if let Some(least) = least.filter(|least| found_length < *least) {
                found.push(ViolationKind::TooShort { found: found_length, least, unit });
            }
            if let Some(most) = most.filter(|most| found_length > *most) {
                found.push(ViolationKind::TooLong { found: found_length, most, unit });
            }
        }
        found
    }
}

/// A string with these numbers of graphemes and of bytes, if there is one: letters, and then combining accents.
fn sample(graphemes: u64, bytes: u64) -> Option<Sample> {
    if graphemes > bytes || (graphemes == 0 && bytes > 0) {
        return None;
    }
    let mut text = "x".repeat(graphemes as usize);
    let mut more = bytes - graphemes;
    if more % 2 == 1 {
        text.replace_range(..1, "é");
        more -= 1;
    }
    text.push_str(&"\u{301}".repeat((more / 2) as usize));
    Some(Sample { text, graphemes })
}

/// A string of which every character is a grapheme.
pub(super) fn plain(text: impl Into<String>) -> Sample {
    let text = text.into();
    let graphemes = text.chars().count() as u64;
    Sample { text, graphemes }
}

/// Valid values of a format.
pub(super) fn formatted(format: &str) -> &'static [&'static str] {
    match format {
        "at-identifier" => &["did:plc:z72i7hdynmk6r22z27h6tvur", "alice.example.com", "did:web:example.com"],
        "at-uri" => &[
            "at://did:plc:z72i7hdynmk6r22z27h6tvur/app.bsky.feed.post/3jzfcijpj2z2a",
            "at://alice.example.com/com.example.thing/self",
            "at://did:web:example.com",
        ],
        "cid" => &[
            "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",
            "bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy",
        ],
        "datetime" => {
            &["2026-01-02T03:04:05.678Z", "1985-04-12T23:20:50.123456789+00:00", "2024-02-29T23:59:59-07:00"]
        }
        "did" => &["did:plc:z72i7hdynmk6r22z27h6tvur", "did:web:example.com"],
        "handle" => &["alice.example.com", "Bob-2.test.example.org"],
        "nsid" => &["app.bsky.feed.post", "com.example.fooBar"],
        "tid" => &["3jzfcijpj2z2a", "3jzfcijpj2z2b"],
        "record-key" => &["3jzfcijpj2z2a", "self", "a:b_c~d.e-f"],
        "uri" => &["https://example.com/a?b=c%20d&e=f#g", "dns:example.com", "at://alice.example.com"],
        "language" => &["de", "pt-BR", "zh-Hant-TW", "i-navajo"],
        other => panic!("there are no examples of the format {other}"),
    }
}

/// A string that is not of a format.
pub(super) fn malformed(format: &str) -> &'static str {
    match format {
        "datetime" => "2026-01-02 03:04",
        "uri" => "example.com",
        "language" => "pt_BR",
        _ => "no such thing!",
    }
}

/// Whether [`formatted_with`] so many bytes is of the format.
pub(super) fn is_possible(format: &str, bytes: usize) -> bool {
    match format {
        "record-key" => (1..=512).contains(&bytes),
        _ => bytes > 0,
    }
}

/// A value of a format with exactly this number of bytes.
pub(super) fn formatted_with(format: &str, bytes: u64) -> String {
    let start = match format {
        "uri" => "https://example.com/",
        "record-key" => "k",
        other => panic!("there are no long examples of the format {other}"),
    };
    let more = bytes.checked_sub(start.len() as u64);
    more.map_or_else(String::new, |more| format!("{start}{}", "x".repeat(more as usize)))
}

/// The format of a string, if it has one.
pub(super) fn format_of(schema: &Value) -> Option<&str> {
    text(schema, "format")
}
