//! Typed access to JSON that reports what is not as expected.

use std::path::Path;

use indexmap::IndexMap;

use crate::diagnostic::{Outcome, Problem, Report, Severity, closest};
use crate::json::{Kind, Member, Position, Value};

/// A value together with its JSON path.
#[derive(Debug, Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    pub(super) path: String,
}

impl<'v> Node<'v> {
    pub(super) fn top(value: &'v Value) -> Self {
        Self { value, path: String::new() }
    }
}

/// An object whose unknown fields have been reported.
pub(super) struct Fields<'v> {
    pub(super) members: &'v IndexMap<String, Member>,
    pub(super) owner: String,
    value: &'v Value,
    path: String,
}

impl<'v> Fields<'v> {
    pub(super) fn position(&self) -> Position {
        self.value.position
    }

    pub(super) fn node(&self) -> Node<'v> {
        Node { value: self.value, path: self.path.clone() }
    }

    pub(super) fn field(&self, key: &str) -> Option<Node<'v>> {
        let member = self.members.get(key)?;
        Some(Node { value: &member.value, path: self.child_path(key) })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.members.contains_key(key)
    }

    pub(super) fn key_position(&self, key: &str) -> Position {
        self.members.get(key).map_or(self.value.position, |member| member.position)
    }

    /// Every member, in source order.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&'v str, Node<'v>)> {
        self.members
            .iter()
            .map(|(key, member)| (key.as_str(), Node { value: &member.value, path: self.child_path(key) }))
    }

    fn child_path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// Reads one document.
pub(super) struct Reader<'r> {
    file: &'r Path,
    report: &'r mut Report,
    /// How many types the one at hand stands in.
    depth: usize,
}

/// How many types may stand inside of each other; real documents stay below 10. What reads generated code, compilers and
/// the generator itself, needs room for each.
const MAX_DEPTH: usize = 24;

impl<'r> Reader<'r> {
    pub(super) fn new(file: &'r Path, report: &'r mut Report) -> Self {
        Self { file, report, depth: 0 }
    }

    pub(super) fn file(&self) -> &Path {
        self.file
    }

    pub(super) fn error(&mut self, node: &Node<'_>, problem: Problem) {
        self.report.error(self.file, node.value.position, &node.path, problem);
    }

    pub(super) fn error_count(&self) -> usize {
        self.report.error_count()
    }

    pub(super) fn error_at(&mut self, position: Position, path: &str, problem: Problem) {
        self.report.error(self.file, position, path, problem);
    }

    pub(super) fn warn(&mut self, node: &Node<'_>, problem: Problem) {
        self.report.warn(self.file, node.value.position, &node.path, problem);
    }

    /// What `read` makes of something. Errors on the way to a value are about parts that are passed over; where there is
    /// no value, they have the `outcome`.
    pub(super) fn recover<T>(
        &mut self,
        outcome: Outcome,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let mark = self.report.diagnostics.len();
        let value = read(self);
        self.report.set_outcome(mark, if value.is_some() { Outcome::Ignored } else { outcome });
        value
    }

    /// Reads what is inside of a type.
    pub(super) fn inside<T>(
        &mut self,
        node: &Node<'_>,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        if self.depth == MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} types inside of each other");
            self.error(node, Problem::unexpected(expected, "one more"));
            return None;
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    /// How many findings there are.
    pub(super) fn mark(&self) -> usize {
        self.report.diagnostics.len()
    }

    /// Whether errors were found since `mark`.
    pub(super) fn has_errors_since(&self, mark: usize) -> bool {
        self.report.diagnostics.iter().skip(mark).any(|it| it.severity == Severity::Error)
    }

    /// Says of the errors since `mark` that what they are about is used as it stands.
    pub(super) fn keep_since(&mut self, mark: usize) {
        self.report.set_outcome(mark, Outcome::Used);
    }

    /// Reports an error of something that is used as it stands where errors are tolerated.
    pub(super) fn questionable(&mut self, node: &Node<'_>, expected: &str) {
        let mark = self.report.diagnostics.len();
        self.wrong(node, expected);
        self.report.set_outcome(mark, Outcome::Used);
    }

    /// The same for the name of a member.
    pub(super) fn questionable_name(&mut self, fields: &Fields<'_>, name: &str, expected: &str) {
        let mark = self.report.diagnostics.len();
        let problem = Problem::unexpected(expected, format!("`{name}`"));
        self.error_at(fields.key_position(name), &fields.child_path(name), problem);
        self.report.set_outcome(mark, Outcome::Used);
    }

    /// Reports that `node` is not what is expected.
    pub(super) fn wrong(&mut self, node: &Node<'_>, expected: &str) {
        self.error(node, Problem::unexpected(expected, node.value.describe()));
    }

    /// Reports a missing field.
    pub(super) fn missing(&mut self, fields: &Fields<'_>, field: &'static str) {
        let problem = Problem::MissingField { field, owner: fields.owner.clone() };
        self.error(&fields.node(), problem);
    }

    /// The fields of an object; those that are not `known` get a warning.
    pub(super) fn fields<'v>(&mut self, node: &Node<'v>, owner: &str, known: &[&str]) -> Option<Fields<'v>> {
        let fields = self.map(node, owner)?;
        for (key, child) in fields.nodes().filter(|(key, _)| !known.contains(key)) {
            let unset = known.iter().copied().filter(|it| !fields.has(it));
            let suggestion = closest(key, unset);
            let problem =
                Problem::UnknownField { field: key.to_owned(), owner: owner.to_owned(), suggestion };
            self.report.warn(self.file, fields.key_position(key), &child.path, problem);
        }
        Some(fields)
    }

    /// The members of an object whose keys are free.
    pub(super) fn map<'v>(&mut self, node: &Node<'v>, owner: &str) -> Option<Fields<'v>> {
        let Some(members) = node.value.as_object() else {
            self.wrong(node, &format!("{owner} (an object)"));
            return None;
        };
        Some(Fields { members, owner: owner.to_owned(), value: node.value, path: node.path.clone() })
    }

    pub(super) fn required_object<'v>(
        &mut self,
        fields: &Fields<'v>,
        key: &'static str,
    ) -> Option<Fields<'v>> {
        match fields.field(key) {
            Some(node) => self.map(&node, &format!("`{key}`")),
            None => {
                self.missing(fields, key);
                None
            }
        }
    }

    pub(super) fn text(&mut self, fields: &Fields<'_>, key: &str) -> Option<String> {
        let node = fields.field(key)?;
        self.text_of(&node)
    }

    pub(super) fn required_text(&mut self, fields: &Fields<'_>, key: &'static str) -> Option<String> {
        if !fields.has(key) {
            self.missing(fields, key);
        }
        self.text(fields, key)
    }

    pub(super) fn text_of(&mut self, node: &Node<'_>) -> Option<String> {
        let text = node.value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(node, "a string");
        }
        text
    }

    pub(super) fn flag(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let node = fields.field(key)?;
        if let Kind::Bool(value) = node.value.kind {
            return Some(value);
        }
        self.wrong(&node, "true or false");
        None
    }

    pub(super) fn integer(&mut self, fields: &Fields<'_>, key: &str) -> Option<i64> {
        let node = fields.field(key)?;
        self.integer_of(&node)
    }

    pub(super) fn integer_of(&mut self, node: &Node<'_>) -> Option<i64> {
        let parsed = if let Kind::Number(text) = &node.value.kind { text.parse().ok() } else { None };
        if parsed.is_none() {
            self.wrong(node, "an integer (64 bits, without fraction or exponent)");
        }
        parsed
    }

    pub(super) fn count(&mut self, fields: &Fields<'_>, key: &str) -> Option<u64> {
        let node = fields.field(key)?;
        let parsed = if let Kind::Number(text) = &node.value.kind { text.parse::<u64>().ok() } else { None };
        // Beyond the signed range no length or size could be written in data.
        let parsed = parsed.filter(|count| i64::try_from(*count).is_ok());
        if parsed.is_none() {
            self.wrong(&node, "an integer of at least 0");
        }
        parsed
    }

    /// The elements of an array; none where the field is missing.
    pub(super) fn items<'v>(&mut self, fields: &Fields<'v>, key: &str) -> Vec<Node<'v>> {
        let Some(node) = fields.field(key) else { return Vec::new() };
        let Some(items) = node.value.as_array() else {
            self.wrong(&node, "an array");
            return Vec::new();
        };
        let path = |index| format!("{}[{index}]", node.path);
        items.iter().enumerate().map(|(index, value)| Node { value, path: path(index) }).collect()
    }

    /// An array of strings, each kept once.
    pub(super) fn texts<'v>(&mut self, fields: &Fields<'v>, key: &str) -> Vec<(String, Node<'v>)> {
        let mut texts: Vec<(String, Node<'v>)> = Vec::new();
        for node in self.items(fields, key) {
            let Some(text) = self.text_of(&node) else { continue };
            if texts.iter().any(|(known, _)| *known == text) {
                self.warn(&node, Problem::Repeated(node.value.describe()));
            } else {
                texts.push((text, node));
            }
        }
        texts
    }
}

/// "`a`, `b` or `c`".
pub(super) fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|it| format!("`{it}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}
