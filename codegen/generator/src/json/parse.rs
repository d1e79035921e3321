//! The parser: strict JSON, and the object literals of JavaScript that `import` reads.

use indexmap::IndexMap;

use super::{
    Kind, Member, Value,
    cursor::{Dialect, JsonError, JsonProblem, MAX_DEPTH, Parser},
    text::read_string,
};

/// Parses strict JSON; keys must be unique.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let mut parser = Parser::new(&before, Dialect::Json);
            while parser.bump().is_some() {}
            return Err(parser.error(JsonProblem::NotUtf8));
        }
    };
    // Some editors write a byte order mark.
    let mut parser = Parser::new(text.strip_prefix('\u{feff}').unwrap_or(text), Dialect::Json);
    parser.skip_space()?;
    let value = parser.value(0)?;
    parser.skip_space()?;
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.unexpected("the end of the file")),
    }
}

/// Parses the JavaScript literal that begins at the byte offset `start` of `text`: quoted and bare keys,
/// three kinds of strings, trailing commas and comments. What follows the literal is not looked at.
pub fn parse_object_literal(text: &str, start: usize) -> Result<Value, JsonError> {
    let mut parser = Parser::new(text, Dialect::JavaScript);
    let end_length = text.len().saturating_sub(start);
    while parser.rest.len() > end_length && parser.bump().is_some() {}
    parser.skip_space()?;
    parser.value(0)
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error(JsonProblem::TooDeep));
        }
        let position = self.position;
        let kind = match self.peek() {
            Some('{') => self.object(depth)?,
            Some('[') => self.array(depth)?,
            Some('"') => Kind::String(read_string(self)?),
            Some('\'' | '`') if self.dialect == Dialect::JavaScript => Kind::String(read_string(self)?),
            Some('-' | '0'..='9') => Kind::Number(self.number()?),
            Some(c) if c.is_ascii_alphabetic() => self.literal()?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Value { position, kind })
    }

    fn literal(&mut self) -> Result<Kind, JsonError> {
        let end = self.rest.find(|c: char| !is_name_char(c)).unwrap_or(self.rest.len());
        let kind = match &self.rest[..end] {
            "null" => Kind::Null,
            "true" => Kind::Bool(true),
            "false" => Kind::Bool(false),
            other => {
                let found = format!("`{other}`");
                return Err(self.error(JsonProblem::Unexpected { expected: "a value".to_owned(), found }));
            }
        };
        for _ in 0..end {
            self.bump();
        }
        Ok(kind)
    }

    fn number(&mut self) -> Result<String, JsonError> {
        let start = self.rest;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.peek() == Some('.') {
            self.bump();
            self.digits()?;
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.bump();
            if matches!(self.peek(), Some('+' | '-')) {
                self.bump();
            }
            self.digits()?;
        }
        if self.peek().is_some_and(|c| is_name_char(c) || c == '.') {
            return Err(self.unexpected("the end of the number"));
        }
        Ok(start[..start.len() - self.rest.len()].to_owned())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !self.peek().is_some_and(|c| c.is_ascii_digit()) {
            return Err(self.unexpected("a digit"));
        }
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.bump();
        }
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<Kind, JsonError> {
        self.bump();
        let mut items = Vec::new();
        loop {
            self.skip_space()?;
            let may_end = items.is_empty() || self.dialect == Dialect::JavaScript;
            if may_end && self.eat("]") {
                return Ok(Kind::Array(items));
            }
            let outer = self.path.len();
            self.path.push_str(&format!("[{}]", items.len()));
            items.push(self.value(depth + 1)?);
            self.path.truncate(outer);
            self.skip_space()?;
            if self.eat("]") {
                return Ok(Kind::Array(items));
            }
            if !self.eat(",") {
                return Err(self.unexpected("`,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Kind, JsonError> {
        self.bump();
        let mut members: IndexMap<String, Member> = IndexMap::new();
        loop {
            self.skip_space()?;
            let may_end = members.is_empty() || self.dialect == Dialect::JavaScript;
            if may_end && self.eat("}") {
                return Ok(Kind::Object(members));
            }
            let position = self.position;
            let key = self.key()?;
            if let Some(first) = members.get(&key) {
                let problem = JsonProblem::DuplicateKey { key, first: first.position };
                return Err(JsonError { position, json_path: self.path.clone(), problem });
            }
            self.skip_space()?;
            if !self.eat(":") {
                return Err(self.unexpected("`:`"));
            }
            self.skip_space()?;
            let outer = self.path.len();
            if outer > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            let value = self.value(depth + 1)?;
            self.path.truncate(outer);
            members.insert(key, Member { position, value });
            self.skip_space()?;
            if self.eat("}") {
                return Ok(Kind::Object(members));
            }
            if !self.eat(",") {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
    }

    fn key(&mut self) -> Result<String, JsonError> {
        match (self.dialect, self.peek()) {
            (_, Some('"')) | (Dialect::JavaScript, Some('\'')) => read_string(self),
            (Dialect::JavaScript, Some(c)) if is_name_char(c) => {
                let mut key = String::new();
                while let Some(c) = self.peek().filter(|c| is_name_char(*c)) {
                    key.push(c);
                    self.bump();
                }
                Ok(key)
            }
            (Dialect::JavaScript, _) => Err(self.unexpected("a key")),
            (Dialect::Json, _) => Err(self.unexpected("a key in double quotes")),
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
