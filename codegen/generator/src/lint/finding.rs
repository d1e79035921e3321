//! A finding, and how it is shown: with the line of the source and a marker below.

use std::fmt;
use std::path::PathBuf;

use super::rule::Rule;
use crate::diagnostic::Severity;
use crate::json::{Kind, Position, Value};
use crate::one_line::{misleads, one_line};

/// How much of a long line is shown, in characters.
const SHOWN: usize = 100;

/// How much of it stands in front of the marker.
const BEFORE: usize = 40;

/// A rule that a document breaks. `Display` is several lines, with the source line and a marker below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// The source file.
    pub file: PathBuf,
    /// Where in it; `None` where the whole file is meant.
    pub position: Option<Position>,
    /// The JSON path, such as `defs.main.output.schema`; empty at the top.
    pub json_path: String,
    /// What is wrong.
    pub message: String,
    /// The line that `position` names.
    pub source_line: Option<String>,
}

impl Finding {
    /// The severity of the rule.
    pub fn severity(&self) -> Severity {
        self.rule.severity()
    }

    /// The finding for machines.
    pub fn to_json(&self) -> Value {
        let number = |number: Option<u32>| {
            Value::new(number.map_or(Kind::Null, |number| Kind::Number(number.to_string())))
        };
        Value::object([
            ("rule", Value::string(self.rule.name())),
            ("severity", Value::string(severity_name(self.severity()))),
            ("file", Value::string(self.file.display().to_string())),
            ("line", number(self.position.map(|it| it.line))),
            ("column", number(self.position.map(|it| it.column))),
            ("path", Value::string(&self.json_path)),
            ("message", Value::string(&self.message)),
            ("help", Value::string(self.rule.help())),
        ])
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}[{}]: {}", severity_name(self.severity()), self.rule, one_line(&self.message))?;
        let number = self.position.map(|it| it.line.to_string()).unwrap_or_default();
        let margin = " ".repeat(number.len().max(1));
        write!(f, "{margin}--> {}", one_line(&self.file.display().to_string()))?;
        match self.position {
            Some(Position { line, column }) => writeln!(f, ":{line}:{column}")?,
            None => writeln!(f)?,
        }
        if let (Some(position), Some(line)) = (self.position, &self.source_line) {
            let shown = excerpt(line, position.column as usize);
            writeln!(f, "{margin} |")?;
            writeln!(f, "{number} | {}", shown.text)?;
            writeln!(f, "{margin} | {}{}", " ".repeat(shown.offset), "^".repeat(shown.marked))?;
        }
        if !self.json_path.is_empty() {
            writeln!(f, "{margin} = at: {}", one_line(&self.json_path))?;
        }
        write!(f, "{margin} = help: {}", self.rule.help())
    }
}

/// The part of a line that is shown, and what of it is marked.
struct Excerpt {
    text: String,
    offset: usize,
    marked: usize,
}

fn excerpt(line: &str, column: usize) -> Excerpt {
    let characters: Vec<char> = line.chars().map(|c| if misleads(c) { ' ' } else { c }).collect();
    let at = column.saturating_sub(1).min(characters.len());
    let is_long = characters.len() > SHOWN;
    let start = if is_long { at.saturating_sub(BEFORE) } else { 0 };
    let end = if is_long { (start + SHOWN).min(characters.len()) } else { characters.len() };
    let mut text = String::new();
    if start > 0 {
        text.push('…');
    }
    text.extend(&characters[start..end]);
    if end < characters.len() {
        text.push('…');
    }
    let offset = at - start + usize::from(start > 0);
    let marked = token_length(&characters[at..]).min(end.saturating_sub(at)).max(1);
    Excerpt { text, offset, marked }
}

/// How many characters the token takes that begins here.
fn token_length(rest: &[char]) -> usize {
    match rest.first() {
        Some('"') => {
            let mut is_escaped = false;
            for (at, c) in rest.iter().enumerate().skip(1) {
                match c {
                    '"' if !is_escaped => return at + 1,
                    '\\' => is_escaped = !is_escaped,
                    _ => is_escaped = false,
                }
            }
            rest.len()
        }
        Some(c) if c.is_ascii_alphanumeric() || *c == '-' => {
            rest.iter().take_while(|c| c.is_ascii_alphanumeric() || "+-.".contains(**c)).count()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{excerpt, token_length};

    #[test]
    fn the_marker_covers_one_token() {
        let length = |text: &str| token_length(&text.chars().collect::<Vec<_>>());
        assert_eq!(length(r#""a\"b": 1"#), 6);
        assert_eq!(length("\"open"), 5);
        assert_eq!(length("-12, 3"), 3);
        assert_eq!(length("true}"), 4);
        assert_eq!(length("{}"), 1);
        assert_eq!(length(""), 1);
    }

    #[test]
    fn what_changes_the_order_of_a_line_is_not_shown() {
        assert_eq!(excerpt("\"a\u{202e}b\u{2028}\tc\"", 1).text, "\"a b  c\"");
    }

    #[test]
    fn long_lines_are_cut_around_the_marker() {
        let line = format!("{}\"here\"{}", "x".repeat(200), "y".repeat(200));
        let shown = excerpt(&line, 201);
        assert_eq!(shown.text.chars().count(), 102);
        assert!(shown.text.starts_with('…') && shown.text.ends_with('…'));
        let marked: String = shown.text.chars().skip(shown.offset).take(shown.marked).collect();
        assert_eq!(marked, "\"here\"");
        // A position behind the end, as of an object that is not closed.
        assert_eq!((excerpt("{", 2).offset, excerpt("{", 2).marked), (1, 1));
        assert_eq!(excerpt("\t\"a\"", 2).text, " \"a\"");
    }
}
