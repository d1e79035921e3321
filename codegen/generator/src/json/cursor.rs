//! Where the parser stands in the text, and what is wrong there.

use super::Position;

/// How deep arrays and objects may nest; real documents stay below 20.
pub const MAX_DEPTH: usize = 128;

/// Text that is not JSON, with the place where that showed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {problem}", position.line, position.column)]
pub struct JsonError {
    /// Where.
    pub position: Position,
    /// The JSON path of the value being read; empty at the top.
    pub json_path: String,
    /// What was wrong.
    pub problem: JsonProblem,
}

/// What is wrong with text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonProblem {
    /// Something else should stand here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What should stand here.
        expected: String,
        /// What does.
        found: String,
    },
    /// An object has a key twice.
    #[error("expected every key once, found `{key}` again (first in line {})", first.line)]
    DuplicateKey {
        /// The key.
        key: String,
        /// Where it stood first.
        first: Position,
    },
    /// Too many arrays and objects inside each other.
    #[error("expected at most {MAX_DEPTH} levels of nesting, found more")]
    TooDeep,
    /// The bytes are not UTF-8.
    #[error("expected UTF-8, found other bytes")]
    NotUtf8,
}

/// Which notation is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Json,
    JavaScript,
}

/// Walks over text character by character.
pub(super) struct Parser<'a> {
    pub(super) rest: &'a str,
    pub(super) position: Position,
    pub(super) dialect: Dialect,
    /// The JSON path of the value at hand.
    pub(super) path: String,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, dialect: Dialect) -> Self {
        Self { rest: text, position: Position { line: 1, column: 1 }, dialect, path: String::new() }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        if next == '\n' {
            self.position.line = self.position.line.saturating_add(1);
            self.position.column = 1;
        } else {
            self.position.column = self.position.column.saturating_add(1);
        }
        Some(next)
    }

    pub(super) fn eat(&mut self, wanted: &str) -> bool {
        let found = self.rest.starts_with(wanted);
        if found {
            for _ in wanted.chars() {
                self.bump();
            }
        }
        found
    }

    pub(super) fn error(&self, problem: JsonProblem) -> JsonError {
        JsonError { position: self.position, json_path: self.path.clone(), problem }
    }

    pub(super) fn unexpected(&self, expected: &str) -> JsonError {
        let found = match self.peek() {
            None => "the end of the file".to_owned(),
            Some(c) if c.is_control() || c == '\u{feff}' => format!("the character U+{:04X}", u32::from(c)),
            Some(c) => format!("`{c}`"),
        };
        self.error(JsonProblem::Unexpected { expected: expected.to_owned(), found })
    }

    pub(super) fn skip_space(&mut self) -> Result<(), JsonError> {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\r') => {
                    self.bump();
                }
                Some(c) if self.dialect == Dialect::JavaScript && (c.is_whitespace() || c == '\u{feff}') => {
                    self.bump();
                }
                Some('/') if self.dialect == Dialect::JavaScript => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), JsonError> {
        if self.eat("//") {
            while self.peek().is_some_and(|c| c != '\n') {
                self.bump();
            }
            return Ok(());
        }
        if !self.eat("/*") {
            return Err(self.unexpected("a value or a comment"));
        }
        while !self.eat("*/") {
            if self.bump().is_none() {
                return Err(self.unexpected("`*/`"));
            }
        }
        Ok(())
    }
}
