//! Where in a JSON text something stands.
//!
//! Errors of the JSON parser know line and column. Following the text up to there gives the path without costing the
//! decoding anything.

/// The path of what stands at (or ends before) a line and column, both counted from 1.
pub(super) fn at(json: &[u8], line: usize, column: usize) -> String {
    let line_start = match line {
        0 | 1 => 0,
        _ => json
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .nth(line - 2)
            .map_or(0, |(at, _)| at + 1),
    };
    let end = (line_start + column.saturating_sub(1)).min(json.len());
    path_of(&json[..end])
}

enum Step {
    Key(String),
    Index(usize),
}

/// The path that is open where the text ends.
fn path_of(json: &[u8]) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut last_text = String::new();
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'"' => {
                let start = at + 1;
                at = start;
                while at < json.len() && json[at] != b'"' {
                    at += if json[at] == b'\\' { 2 } else { 1 };
                }
                last_text =
                    String::from_utf8_lossy(&json[start..at.min(json.len())]).chars().take(100).collect();
            }
            b'{' => steps.push(Step::Key(String::new())),
            b'[' => steps.push(Step::Index(0)),
            b'}' | b']' => {
                steps.pop();
            }
            b':' => {
                if let Some(Step::Key(key)) = steps.last_mut() {
                    *key = std::mem::take(&mut last_text);
                }
            }
            b',' => {
                if let Some(Step::Index(index)) = steps.last_mut() {
                    *index += 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::at;

    fn path(json: &str, column: usize) -> String {
        at(json.as_bytes(), 1, column)
    }

    #[test]
    fn names_keys_and_indices() {
        let json = r#"{"a":[{"b":1},{"c":"x,{\"","d":2}],"e":3}"#;
        let column = |what: &str| json.find(what).map_or(0, |at| at + 2);
        assert_eq!(path(json, column("1}")), "a[0].b");
        assert_eq!(path(json, column("2}")), "a[1].d");
        assert_eq!(path(json, column("3}")), "e");
        assert_eq!(path(json, 1), "");
    }

    #[test]
    fn counts_lines() {
        assert_eq!(at(b"{\n\"a\": 1,\n\"b\": x}", 3, 6), "b");
        assert_eq!(at(b"{", 9, 9), "");
        assert_eq!(at(b"{\"a\\", 1, 100), "");
    }
}
