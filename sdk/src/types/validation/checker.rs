//! The walk through data.

use std::fmt::Write as _;

use super::{
    super::{
        Blob, Cid, Extra, InvalidText, Nsid, Unknown,
        blob::Form,
        codec::{Data, Format, ObjectView, Shape},
    },
    Rule, Violation, ViolationKind, Warning, WarningKind, rules,
};
use crate::server_text::{SHORT, excerpt};

pub(super) const TYPE_FORM: &str =
    "an NSID, or one with the name of a definition like `com.example.defs#view`";

pub(super) struct Checker {
    path: String,
    /// The definition of the object around the value.
    enclosing: &'static str,
    /// Whether the value is among parameters, where `unknown` is a text and not an object.
    in_params: bool,
    pub(super) violations: Vec<Violation>,
    pub(super) warnings: Vec<Warning>,
}

impl Checker {
    /// Checks data as a whole.
    pub(super) fn run(data: &dyn Data) -> Self {
        let mut checker = Self::new();
        checker.check(data.shape(), &[]);
        checker
    }

    /// Checks the body of a call, which is any JSON if it has no schema.
    pub(super) fn run_body(data: &dyn Data) -> Self {
        let mut checker = Self::new();
        match data.shape() {
            Shape::Unknown(value) => checker.any(value),
            shape => checker.check(shape, &[]),
        }
        checker
    }

    fn new() -> Self {
        Self {
            path: String::new(),
            enclosing: "",
            in_params: false,
            violations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn report(&mut self, kind: ViolationKind) {
        self.violations.push(Violation { path: self.path.clone(), kind });
    }

    /// Checks something in a field of what is being checked.
    pub(super) fn in_key<R>(&mut self, key: &str, check: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let result = check(self);
        self.path.truncate(length);
        result
    }

    /// Checks something in an element of what is being checked.
    pub(super) fn in_index<R>(&mut self, index: usize, check: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        // Writing to a `String` never fails.
        let _ = write!(self.path, "[{index}]");
        let result = check(self);
        self.path.truncate(length);
        result
    }

    fn check(&mut self, shape: Shape<'_>, rules: &[Rule]) {
        match &shape {
            Shape::Absent | Shape::Null | Shape::Bytes(_) => {}
            Shape::Text(_) | Shape::Boolean(_) => {}
            Shape::Integer(value) => self.integer(*value),
            Shape::Format(text, format) => self.format(text, format),
            Shape::CidText(cid) => {
                if let Some(problem) = cid.problem() {
                    self.report(problem.into());
                }
            }
            Shape::Link(cid) => self.link(cid),
            Shape::Blob(blob) => self.blob(blob),
            Shape::Unknown(_) if self.in_params => {}
            Shape::Unknown(value) => self.unknown(value),
            Shape::Other(value) => self.variant(value),
            Shape::Value(value) => self.value(value),
            // What cannot be encoded is reported when it is.
            Shape::Owned(value) => {
                if let Ok(value) = &**value {
                    self.value(value);
                }
            }
            Shape::Object(object) => self.object(*object, false),
            Shape::Tagged(_, data) => match data.shape() {
                Shape::Object(object) => self.object(object, true),
                shape => self.check(shape, &[]),
            },
            Shape::List(list) => {
                let of_elements = rules.iter().find_map(|rule| match rule {
                    Rule::Each(rules) => Some(*rules),
                    _ => None,
                });
                for index in 0..list.length() {
                    if let Some(item) = list.get(index) {
                        self.in_index(index, |checker| {
                            checker.check(item.shape(), of_elements.unwrap_or_default());
                        });
                    }
                }
            }
        }
        for rule in rules {
            if let Some(kind) = rules::violation(&shape, rule) {
                self.report(kind);
            }
        }
    }

    fn format(&mut self, text: &str, format: &Format) {
        if let Err(problem) = (format.check)(text) {
            return self.report(InvalidText::new(format.name, text, problem).into());
        }
        if let Some(problem) = format.warning.and_then(|warning| warning(text)) {
            let kind = WarningKind::Format { format: format.name, text: excerpt(text, SHORT), problem };
            self.warnings.push(Warning { path: self.path.clone(), kind });
        }
    }

    /// An integer within 64 bits (D1).
    pub(super) fn integer(&mut self, found: i64) {
        const LARGEST: u64 = (1 << 53) - 1;
        if found.unsigned_abs() > LARGEST {
            let kind = WarningKind::LargeInteger { found };
            self.warnings.push(Warning { path: self.path.clone(), kind });
        }
    }

    pub(super) fn link(&mut self, cid: &Cid) {
        if !cid.is_blessed() {
            let problem = "a link must be a CID of version 1 with SHA-256 and DAG-CBOR or raw";
            self.report(InvalidText::new("link", &cid.to_string(), problem).into());
        }
    }

    pub(super) fn blob(&mut self, blob: &Blob) {
        match blob.form() {
            Form::AsRead(blob) if blob.is_legacy => self.report(ViolationKind::LegacyBlob),
            Form::AsRead(_) => {
                self.report(ViolationKind::Blob { problem: "`$type` is missing; `Blob::to_current` adds it" })
            }
            Form::Current(current) => {
                self.link(&current.cid);
                self.in_key("size", |checker| checker.integer(current.size));
                if current.size < 0 {
                    self.in_key("size", |checker| {
                        checker.report(ViolationKind::OutOfRange { found: current.size, limit: 0 });
                    });
                }
                if !current.mime_type.contains('/') {
                    self.report(ViolationKind::Blob {
                        problem: "`mimeType` is not a MIME type like `image/png`",
                    });
                }
                self.extra(blob.extra());
            }
        }
    }

    fn object(&mut self, object: ObjectView<'_>, tagged: bool) {
        let (fields, id) = (object.schema.fields, object.schema.id);
        // An object that a lexicon defines in place has no `$type` of its own; its definition is that of what is around it.
        let outer = std::mem::replace(&mut self.enclosing, id);
        self.in_params = object.extra.is_none();
        object.data.each_field(&mut |index, value| {
            let Some(field) = fields.get(index) else { return };
            let shape = value.shape();
            if !matches!(shape, Shape::Absent) {
                self.in_key(field.key, |checker| checker.check(shape, field.rules));
            }
        });
        (self.enclosing, self.in_params) = (outer, false);
        let Some(extra) = object.extra.filter(|extra| !extra.is_empty()) else { return };
        if !tagged
            && !object.schema.record
            && outer != id
            && let Some(found) = extra.get("$type")
        {
            self.expect_type(found, id);
        }
        // A `null` that the lexicon does not allow is stored among the extra fields, to be written back.
        for (key, value) in extra.iter() {
            if value.is_null() && fields.iter().any(|field| field.key == key) {
                self.in_key(key, |checker| checker.report(ViolationKind::Null));
            }
        }
        self.extra(extra);
    }

    /// The `$type` of an object outside of a union, which need not have one.
    fn expect_type(&mut self, found: &Unknown, expected: &'static str) {
        let is_expected = found.decode::<String>().is_ok_and(|found| found == expected);
        if !is_expected {
            let found = excerpt(&found.as_json(), SHORT);
            self.report(ViolationKind::Type { found, expected });
        }
    }

    /// The fields that a lexicon does not define.
    fn extra(&mut self, extra: &Extra) {
        for (key, value) in extra.iter().filter(|(key, _)| *key != "$type") {
            self.in_key(key, |checker| checker.any(value));
        }
    }

    /// A variant that an open union does not define.
    fn variant(&mut self, value: &Unknown) {
        match value.type_name() {
            None => self.report(ViolationKind::Untyped),
            Some(name) if !is_type_name(&name) => {
                self.report(ViolationKind::Type { found: excerpt(&name, SHORT), expected: TYPE_FORM });
            }
            Some(_) => self.unknown(value),
        }
    }
}

/// Whether a text is an NSID, with or without the name of a definition (L9).
fn is_type_name(text: &str) -> bool {
    let (nsid, name) = text.split_once('#').unwrap_or((text, "main"));
    Nsid::new(nsid).is_ok()
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
