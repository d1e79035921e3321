//! Every constraint of a document, broken alone (L4, L5).

use std::collections::BTreeSet;

use atproto_sdk::types::{Violation, ViolationKind, Violations};
use atproto_sdk_codegen::json;
use serde_json::{Value, json};

use super::{
    Lexicons,
    examples::{blob, bytes, full_name, is_closed},
    integer, members, scalar, text, texts,
    texts::{Limits, format_of, formatted_with, is_possible, malformed, plain},
};

/// A constraint of a schema.
pub(crate) type Rule = (*const json::Value, &'static str);

/// A value that breaks a rule.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) rule: Rule,
    /// The whole parameters or input.
    pub(crate) value: Value,
    /// Where the rule is broken.
    pub(crate) path: String,
    pub(crate) expected: Expected,
}

/// What has to become of it.
#[derive(Debug)]
pub(crate) enum Expected {
    /// No Rust value can hold it.
    Prevented,
    /// The call is refused, with these violations.
    Refused(Vec<Wrong>),
}

/// A violation.
#[derive(Debug)]
pub(crate) enum Wrong {
    Kind(ViolationKind),
    Format,
}

impl Broken {
    /// Asserts that these are the violations, all of them where the rule is broken.
    pub(crate) fn assert_found(&self, wrong: &[Wrong], found: &Violations, what: &str) {
        let is_expected = |violation: &Violation| {
            violation.path == self.path && wrong.iter().any(|wrong| wrong.is(violation))
        };
        let are_expected = found.violations.len() == wrong.len() && found.violations.iter().all(is_expected);
        assert!(are_expected, "{what}: {:?}, expected {wrong:?} at `{}`", found.violations, self.path);
    }
}

impl Wrong {
    fn is(&self, violation: &Violation) -> bool {
        match self {
            Self::Kind(kind) => *kind == violation.kind,
            Self::Format => matches!(violation.kind, ViolationKind::Format(_)),
        }
    }
}

/// The rules of a schema itself that can be broken.
pub(crate) fn rules_of(schema: &json::Value) -> Vec<Rule> {
    const RULES: [&str; 12] = [
        "minLength",
        "maxLength",
        "minGraphemes",
        "maxGraphemes",
        "minimum",
        "maximum",
        "maxSize",
        "accept",
        "enum",
        "const",
        "format",
        "closed",
    ];
    let is_length = |rule: &str| matches!(rule, "minLength" | "minGraphemes");
    let has = |rule: &str| match integer(schema, rule) {
        // Nothing has less than 0 bytes or elements.
        Some(limit) => limit > 0 || !is_length(rule),
        None if rule == "closed" => is_closed(schema),
        None => schema.get(rule).is_some(),
    };
    RULES.into_iter().filter(|rule| has(rule)).map(|rule| (std::ptr::from_ref(schema), rule)).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// Breaks the rules of an example one after another, except those that have been broken before.
pub(crate) struct Breaker<'l> {
    lexicons: &'l Lexicons,
    pub(crate) done: BTreeSet<Rule>,
    root: Value,
    steps: Vec<Step>,
    found: Vec<Broken>,
}

impl<'l> Breaker<'l> {
    pub(crate) fn new(lexicons: &'l Lexicons) -> Self {
        Self { lexicons, done: BTreeSet::new(), root: Value::Null, steps: Vec::new(), found: Vec::new() }
    }

    /// The example once for each rule of the schema, with that rule broken.
    pub(crate) fn of(&mut self, schema: &'l json::Value, nsid: &'l str, example: &Value) -> Vec<Broken> {
        self.root = example.clone();
        self.walk(schema, nsid, example);
        std::mem::take(&mut self.found)
    }

    fn push(&mut self, schema: &json::Value, rule: &'static str, value: Value, expected: Expected) {
        let rule: Rule = (schema, rule);
        if !self.done.insert(rule) {
            return;
        }
        let mut whole = self.root.clone();
        let place = self.steps.iter().fold(&mut whole, |value, step| match step {
            Step::Key(key) => &mut value[key.as_str()],
            Step::Index(index) => &mut value[*index],
        });
        *place = value;
        self.found.push(Broken { rule, value: whole, path: self.path(), expected });
    }

    fn refused(
        &mut self,
        schema: &json::Value,
        rule: &'static str,
        value: impl Into<Value>,
        kind: ViolationKind,
    ) {
        self.push(schema, rule, value.into(), Expected::Refused(vec![Wrong::Kind(kind)]));
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => path = format!("{path}.{key}"),
                Step::Index(index) => path = format!("{path}[{index}]"),
            }
        }
        path
    }

    fn walk(&mut self, schema: &'l json::Value, nsid: &'l str, value: &Value) {
        if value.is_null() {
            return;
        }
        match text(schema, "type").unwrap_or_default() {
            "boolean" => self.boolean(schema),
            "integer" => self.integer(schema),
            "string" => self.string(schema),
            "bytes" => self.bytes(schema),
            "blob" => self.blob(schema),
            "array" => self.list(schema, nsid, value),
            "object" | "params" => self.object(schema, nsid, value),
            "ref" => {
                let target = self.lexicons.resolve(text(schema, "ref").unwrap(), nsid);
                self.walk(target.schema, target.nsid, value);
            }
            "union" => {
                if is_closed(schema) {
                    let foreign = json!({"$type": "com.example.unheard#of"});
                    self.push(schema, "closed", foreign, Expected::Prevented);
                }
                let tag = value["$type"].as_str().unwrap();
                let reference = texts(schema, "refs").into_iter().find(|it| full_name(it, nsid) == tag);
                if let Some(reference) = reference {
                    let target = self.lexicons.resolve(reference, nsid);
                    self.object(target.schema, target.nsid, value);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, schema: &'l json::Value, nsid: &'l str, value: &Value) {
        for (key, property) in schema.get("properties").into_iter().flat_map(members) {
            if let Some(value) = value.get(key) {
                self.steps.push(Step::Key(key.to_owned()));
                self.walk(property, nsid, value);
                self.steps.pop();
            }
        }
    }

    fn list(&mut self, schema: &'l json::Value, nsid: &'l str, value: &Value) {
        let Some(first) = value.get(0) else { return };
        if let Some(least) = integer(schema, "minLength").filter(|least| *least > 0) {
            let (found, least) = (least as u64 - 1, least as u64);
            let short = vec![first.clone(); found as usize];
            let kind = ViolationKind::TooShort { found, least, unit: "elements" };
            self.refused(schema, "minLength", short, kind);
        }
        if let Some(most) = integer(schema, "maxLength") {
            let (found, most) = (most as u64 + 1, most as u64);
            let long = vec![first.clone(); found as usize];
            self.refused(schema, "maxLength", long, ViolationKind::TooLong { found, most, unit: "elements" });
        }
        // The last one, so that its number is seen to be right.
        let last = value.as_array().map_or(0, |list| list.len() - 1);
        self.steps.push(Step::Index(last));
        self.walk(schema.get("items").unwrap(), nsid, &value[last]);
        self.steps.pop();
    }

    fn boolean(&mut self, schema: &json::Value) {
        if let Some(only) = schema.get("const").map(scalar) {
            let allowed = only.to_string();
            self.refused(schema, "const", only == Value::Bool(false), ViolationKind::NotAllowed { allowed });
        }
    }

    fn integer(&mut self, schema: &json::Value) {
        if let Some(limit) = integer(schema, "minimum") {
            self.refused(schema, "minimum", limit - 1, ViolationKind::OutOfRange { found: limit - 1, limit });
        }
        if let Some(limit) = integer(schema, "maximum") {
            self.refused(schema, "maximum", limit + 1, ViolationKind::OutOfRange { found: limit + 1, limit });
        }
        for (rule, allowed) in [("enum", schema.get("enum")), ("const", schema.get("const"))] {
            if let Some(allowed) = allowed {
                let allowed = allowed
                    .as_array()
                    .map_or_else(|| vec![scalar(allowed)], |list| list.iter().map(scalar).collect());
                let names: Vec<String> = allowed.iter().map(Value::to_string).collect();
                let kind = ViolationKind::NotAllowed { allowed: names.join(", ") };
                self.refused(schema, rule, i64::from(i32::MIN), kind);
            }
        }
    }

    fn string(&mut self, schema: &json::Value) {
        let (limits, format) = (Limits::of(schema), format_of(schema));
        if let Some(format) = format {
            self.push(schema, "format", malformed(format).into(), Expected::Refused(vec![Wrong::Format]));
        }
        for (rule, mut sample) in limits.exceeded() {
            let mut wrong = Vec::new();
            if let Some(format) = format {
                sample = plain(formatted_with(format, sample.text.len() as u64));
                wrong.extend((!is_possible(format, sample.text.len())).then_some(Wrong::Format));
            }
            wrong.extend(limits.violations(&sample).into_iter().map(Wrong::Kind));
            self.push(schema, rule, sample.text.into(), Expected::Refused(wrong));
        }
        if !texts(schema, "enum").is_empty() {
            let allowed = texts(schema, "enum").join(", ");
            let refused = Expected::Refused(vec![Wrong::Kind(ViolationKind::NotAllowed { allowed })]);
            // Without a format, the type is an enum of these strings.
            self.push(
                schema,
                "enum",
                "none of them".into(),
                if format.is_some() { refused } else { Expected::Prevented },
            );
        }
        if let Some(only) = text(schema, "const") {
            let kind = ViolationKind::NotAllowed { allowed: only.to_owned() };
            self.refused(schema, "const", "something else", kind);
        }
    }

    fn bytes(&mut self, schema: &json::Value) {
        if let Some(least) = integer(schema, "minLength").filter(|least| *least > 0) {
            let kind =
                ViolationKind::TooShort { found: least as u64 - 1, least: least as u64, unit: "bytes" };
            self.refused(schema, "minLength", bytes(&vec![1; least as usize - 1]), kind);
        }
        if let Some(most) = integer(schema, "maxLength") {
            let kind = ViolationKind::TooLong { found: most as u64 + 1, most: most as u64, unit: "bytes" };
            self.refused(schema, "maxLength", bytes(&vec![1; most as usize + 1]), kind);
        }
    }

    fn blob(&mut self, schema: &json::Value) {
        let accepted = texts(schema, "accept");
        let mime = accepted.first().unwrap_or(&"image/png").replace('*', "png");
        if let Some(most) = integer(schema, "maxSize") {
            let kind = ViolationKind::TooLong { found: most as u64 + 1, most: most as u64, unit: "bytes" };
            self.refused(schema, "maxSize", blob(&mime, most + 1), kind);
        }
        if !accepted.is_empty() && !accepted.contains(&"*/*") {
            let (found, accepted) = ("wrong/type".to_owned(), accepted.join(", "));
            self.refused(
                schema,
                "accept",
                blob(&found, 1),
                ViolationKind::MimeType { found: found.clone(), accepted },
            );
        }
    }
}
