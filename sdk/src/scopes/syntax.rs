//! The syntax of scopes (O40): `resource[:positional][?name=value&name=value]`.

use std::{borrow::Cow, fmt};

use super::error::ScopeProblem;
use crate::server_text::{SHORT, excerpt};

/// A scope, parsed and decoded.
pub(super) struct Syntax<'a> {
    resource: &'static str,
    positional: Option<Cow<'a, str>>,
    parameters: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// The resource of a scope.
pub(super) fn resource(text: &str) -> &str {
    text.split([':', '?']).next().unwrap_or_default()
}

/// Checks that a text contains only characters that are allowed in a scope (RFC 6749, section 3.3).
pub(super) fn check_characters(text: &str) -> Result<(), ScopeProblem> {
    if text.is_empty() {
        return Err(ScopeProblem::Empty);
    }
    match text.char_indices().find(|(_, c)| !c.is_ascii_graphic() || matches!(c, '"' | '\\')) {
        Some((at, found)) => Err(ScopeProblem::Character { found, at }),
        None => Ok(()),
    }
}

impl<'a> Syntax<'a> {
    /// The text must start with `resource`.
    pub(super) fn parse(text: &'a str, resource: &'static str) -> Result<Self, ScopeProblem> {
        let rest = text.get(resource.len()..).unwrap_or_default();
        let (head, query) = rest.split_once('?').unwrap_or((rest, ""));
        let positional = match head.strip_prefix(':') {
            Some(value) => Some(decode(value, false)?),
            None => None,
        };
        let mut parameters = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.push((decode(name, true)?, decode(value, true)?));
        }
        Ok(Self { resource, positional, parameters })
    }

    /// Rejects parameters with other names (O43). `allowed` lists the names in the error message.
    pub(super) fn only(&self, names: &[&str], allowed: &'static str) -> Result<(), ScopeProblem> {
        match self.parameters.iter().find(|(name, _)| !names.contains(&&**name)) {
            Some((name, _)) => Err(ScopeProblem::UnknownParameter {
                resource: self.resource,
                name: name.to_string(),
                allowed,
            }),
            None => Ok(()),
        }
    }

    fn named<'s>(&'s self, wanted: &'s str) -> impl Iterator<Item = &'s str> {
        self.parameters.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| &**value)
    }

    /// The values of a parameter that may be repeated.
    pub(super) fn many<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.named(name)
    }

    /// The value of a parameter that may occur at most once.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, ScopeProblem> {
        let mut values = self.named(name);
        let first = values.next();
        if values.next().is_some() { Err(ScopeProblem::Repeated { name }) } else { Ok(first) }
    }

    /// The values of the positional parameter. There must be at least one.
    pub(super) fn many_positional(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<Vec<&str>, ScopeProblem> {
        let named: Vec<&str> = self.named(name).collect();
        match (&self.positional, named.is_empty()) {
            (Some(value), true) => Ok(vec![value]),
            (Some(_), false) => Err(ScopeProblem::Repeated { name }),
            (None, false) => Ok(named),
            (None, true) => Err(ScopeProblem::Missing { name, expected }),
        }
    }

    /// The value of the positional parameter.
    pub(super) fn one_positional(
        &self,
        name: &'static str,
        expected: &'static str,
    ) -> Result<&str, ScopeProblem> {
        match *self.many_positional(name, expected)? {
            [value] => Ok(value),
            _ => Err(ScopeProblem::Repeated { name }),
        }
    }
}

/// Decodes percent-encoding. In a query, a plus sign is decoded as a space.
fn decode(part: &str, in_query: bool) -> Result<Cow<'_, str>, ScopeProblem> {
    if !part.contains(['%', '+']) {
        return Ok(Cow::Borrowed(part));
    }
    let broken = || ScopeProblem::Encoding { part: excerpt(part, SHORT) };
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else { return Err(broken()) };
                // Two digits of base 16 fit a byte.
                (high * 16 + low) as u8
            }
            b'+' if in_query => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| broken())
}

/// Whether a byte need not be encoded. This differs from the reference implementation for `%` and, in a query, `+`, which it
/// does not encode and therefore cannot read back.
pub(super) const fn is_plain(byte: u8, in_query: bool) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => true,
        b':' | b'/' | b',' | b'@' => true,
        b'+' | b'!' | b'~' | b'\'' | b'(' | b')' => !in_query,
        _ => false,
    }
}

/// The hexadecimal digit of a number below 16.
pub(super) const fn hex(number: u8) -> u8 {
    if number < 10 { b'0' + number } else { b'A' + number - 10 }
}

/// Writes a scope in the canonical form (O42).
pub(super) struct Printer<'f, 'g> {
    f: &'f mut fmt::Formatter<'g>,
    separator: char,
}

impl<'f, 'g> Printer<'f, 'g> {
    pub(super) fn new(f: &'f mut fmt::Formatter<'g>, resource: &str) -> Result<Self, fmt::Error> {
        f.write_str(resource)?;
        Ok(Self { f, separator: '?' })
    }

    pub(super) fn positional(&mut self, value: &str) -> fmt::Result {
        self.f.write_str(":")?;
        self.escaped(value, false)
    }

    pub(super) fn parameter(&mut self, name: &str, value: &str) -> fmt::Result {
        write!(self.f, "{}{name}=", self.separator)?;
        self.separator = '&';
        self.escaped(value, true)
    }

    /// Writes a single value after the colon, or several values as parameters.
    pub(super) fn list<'v>(&mut self, name: &str, values: impl Iterator<Item = &'v str>) -> fmt::Result {
        let mut values = values.peekable();
        let Some(first) = values.next() else { return Ok(()) };
        if values.peek().is_none() {
            return self.positional(first);
        }
        self.parameter(name, first)?;
        values.try_for_each(|value| self.parameter(name, value))
    }

    fn escaped(&mut self, value: &str, in_query: bool) -> fmt::Result {
        for byte in value.bytes() {
            if is_plain(byte, in_query) {
                write!(self.f, "{}", char::from(byte))?;
            } else {
                write!(self.f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}
