//! Rules of the language: what the parser and the catalog find, under the rules' names.

use super::rule::Rule;
use super::source::{Step, steps};
use crate::diagnostic::{Diagnostic, Problem};
use crate::json::{JsonProblem, Kind, Value};

/// Types that may only be called `main`.
const PRIMARY: [&str; 5] = ["record", "query", "procedure", "subscription", "permission-set"];

/// The rule that a finding of the parser or the catalog is about. Where its kind says little, its place decides: what is
/// wrong with a `key` is the record key.
pub(super) fn rule_of(diagnostic: &Diagnostic, root: Option<&Value>) -> Rule {
    match &diagnostic.problem {
        Problem::Unreadable(_) | Problem::NoDocuments => Rule::Unreadable,
        Problem::Json(JsonProblem::DuplicateKey { .. }) => Rule::DuplicateKey,
        Problem::Json(_) => Rule::NotJson,
        Problem::Exclusive { one: "aud", .. } => Rule::AudAndInheritAud,
        Problem::Exclusive { .. } => Rule::DefaultAndConst,
        Problem::MissingField { .. } => Rule::MissingField,
        Problem::UnknownField { .. } => Rule::UnknownField,
        Problem::LooseDefinition { .. } | Problem::LoosePermission => Rule::LooseDefinition,
        Problem::Repeated(_) => Rule::RepeatedEntry,
        Problem::UnknownResource(_) => Rule::UnknownResource,
        Problem::UnknownSubprotocol { .. } => Rule::UnknownSubprotocol,
        Problem::TakenAccessor { .. } => Rule::NameConflict,
        Problem::UnusedSchema { .. } => Rule::UnusedSchema,
        Problem::NoAudience => Rule::MissingAudience,
        Problem::WrongPath { .. } => Rule::WrongPath,
        Problem::DuplicateDocument { .. } | Problem::Shadowed { .. } => Rule::DuplicateDocument,
        Problem::UnresolvedRef { .. } => Rule::UnresolvedRef,
        Problem::WrongTarget { .. } => Rule::WrongRefTarget,
        Problem::RefCircle(_) => Rule::RefCircle,
        Problem::Unexpected { .. } => match root {
            Some(root) => rule_of_place(&steps(root, &diagnostic.json_path)),
            None => Rule::WrongValue,
        },
    }
}

fn rule_of_place(steps: &[Step<'_>]) -> Rule {
    let Some(last) = steps.last() else { return Rule::WrongValue };
    // The list that the value is an element of, or the value's own key.
    let named = steps.iter().rev().find(|step| step.key.is_some());
    let key = named.filter(|step| !step.is_name).and_then(|step| step.key);
    let is_element = last.key.is_none();
    if last.is_name {
        return rule_of_name(steps, last);
    }
    match (key, is_element, &last.value.kind) {
        (Some("lexicon"), false, _) => Rule::LanguageVersion,
        (Some("id"), false, Kind::String(_)) => Rule::InvalidNsid,
        (Some("defs"), false, Kind::Object(_)) => Rule::NoDefinitions,
        (Some("type"), false, Kind::String(kind)) => {
            let is_definition = steps.len() == 3 && PRIMARY.contains(&kind.as_str());
            if is_definition && steps[1].key != Some("main") {
                Rule::PrimaryNotMain
            } else {
                Rule::UnknownType
            }
        }
        (Some("required" | "nullable"), true, Kind::String(_)) => Rule::UnknownProperty,
        (Some("format"), false, Kind::String(_)) => Rule::UnknownFormat,
        (Some("ref"), false, Kind::String(_)) | (Some("refs"), true, Kind::String(_)) => Rule::InvalidRef,
        (Some("refs"), false, Kind::Array(_)) => Rule::EmptyClosedUnion,
        (Some("minLength" | "minGraphemes" | "minimum"), false, Kind::Number(text))
            if text.parse::<i64>().is_ok_and(|number| number >= 0 || key == Some("minimum")) =>
        {
            Rule::ImpossibleRange
        }
        (Some("enum"), false, Kind::Array(_)) => Rule::EmptyEnum,
        (Some("default" | "const"), false, Kind::String(_)) | (Some("enum"), true, Kind::String(_)) => {
            Rule::ValueNotAllowed
        }
        (Some("default" | "const"), false, Kind::Number(text)) | (Some("enum"), true, Kind::Number(text))
            if text.parse::<i64>().is_ok() =>
        {
            Rule::ValueNotAllowed
        }
        (Some("accept"), true, Kind::String(_)) | (Some("encoding"), false, Kind::String(_)) => {
            Rule::InvalidMimeType
        }
        (Some("key"), false, Kind::String(_)) => Rule::InvalidRecordKey,
        (Some("name"), false, Kind::String(_)) => Rule::InvalidErrorName,
        (Some("lxm" | "collection"), true, Kind::String(_)) => Rule::InvalidNsid,
        (Some("action"), true, Kind::String(_)) => Rule::UnknownAction,
        _ => Rule::WrongValue,
    }
}

fn rule_of_name(steps: &[Step<'_>], last: &Step<'_>) -> Rule {
    // A definition or property that is no object is wrong itself, whatever its name.
    match last.value.as_object() {
        None => Rule::WrongValue,
        Some(_) if steps.len() == 2 => Rule::InvalidDefinitionName,
        Some(_) if last.key.is_some_and(|key| key.is_empty() || key.starts_with('$')) => {
            Rule::InvalidPropertyName
        }
        Some(_) => Rule::WrongValue,
    }
}
