//! Which values a type allows: limits, formats, constants, defaults, sets of values.

use std::fmt::Display;

use super::change::{ChangeKind, Network, RustFace};
use super::comparison::{Comparison, FieldFace, Place, Strictness, judge};
use super::definitions::covers;
use crate::document::{Array, Blob, Boolean, Bytes, Format, Integer, Text, Type};
use crate::model::names_values;

/// Which end of a range a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Least,
    Greatest,
}

impl Comparison<'_, '_> {
    pub(super) fn boolean(&mut self, old: &Boolean, new: &Boolean, place: &Place) {
        self.constant(&old.constant, &new.constant, place);
        self.default_value(&old.default, &new.default, place);
    }

    pub(super) fn integer(&mut self, old: &Integer, new: &Integer, place: &Place) {
        self.limit("minimum", End::Least, old.minimum, new.minimum, place);
        self.limit("maximum", End::Greatest, old.maximum, new.maximum, place);
        self.constant(&old.constant, &new.constant, place);
        self.default_value(&old.default, &new.default, place);
        self.allowed(&old.allowed, &new.allowed, &Faces::default(), place);
    }

    pub(super) fn string(&mut self, old: &Text, new: &Text, place: &Place) {
        self.format(old, new, place);
        self.limit("minLength", End::Least, old.min_length, new.min_length, place);
        self.limit("maxLength", End::Greatest, old.max_length, new.max_length, place);
        self.limit("minGraphemes", End::Least, old.min_graphemes, new.min_graphemes, place);
        self.limit("maxGraphemes", End::Greatest, old.max_graphemes, new.max_graphemes, place);
        // A constant of a type with a syntax of its own is not filled in, and a default has no method.
        let is_plain = old.format.is_none() && new.format.is_none();
        let FieldFace { is_argument, has_default } = place.field;
        let field = FieldFace { is_argument: is_argument && is_plain, has_default: has_default && is_plain };
        let plain = Place { field, ..place.clone() };
        self.constant(&old.constant, &new.constant, &plain);
        self.default_value(&old.default, &new.default, &plain);
        let faces = Faces::of(old, new);
        let are_closed = !old.allowed.is_empty() && !new.allowed.is_empty();
        let of_known = if are_closed { Faces::default() } else { Faces::of(old, new) };
        let known = place.child("knownValues");
        for value in old.known_values.iter().filter(|it| !new.known_values.contains(it)) {
            let detail = format!("the known value `{value}`");
            let rust = of_known.removed.clone();
            self.add(&known, ChangeKind::KnownValueRemoved, detail, Network::Compatible, rust);
        }
        for value in new.known_values.iter().filter(|it| !old.known_values.contains(it)) {
            let detail = format!("the known value `{value}`");
            let rust = of_known.added.clone();
            self.add(&known, ChangeKind::KnownValueAdded, detail, Network::Compatible, rust);
        }
        self.allowed(&old.allowed, &new.allowed, &faces, place);
    }

    pub(super) fn bytes(&mut self, old: &Bytes, new: &Bytes, place: &Place) {
        self.limit("minLength", End::Least, old.min_length, new.min_length, place);
        self.limit("maxLength", End::Greatest, old.max_length, new.max_length, place);
    }

    pub(super) fn array_limits(&mut self, old: &Array, new: &Array, place: &Place) {
        self.limit("minLength", End::Least, old.min_length, new.min_length, place);
        self.limit("maxLength", End::Greatest, old.max_length, new.max_length, place);
    }

    pub(super) fn blob(&mut self, old: &Blob, new: &Blob, place: &Place) {
        self.limit("maxSize", End::Greatest, old.max_size, new.max_size, place);
        // Nothing means anything.
        let any = || vec!["*/*".to_owned()];
        let of = |accept: &[String]| if accept.is_empty() { any() } else { accept.to_vec() };
        let (before, after) = (of(&old.accept), of(&new.accept));
        let is_within =
            |inner: &[String], outer: &[String]| inner.iter().all(|it| outer.iter().any(|by| covers(by, it)));
        let strictness = match (is_within(&before, &after), is_within(&after, &before)) {
            (true, true) => return,
            (true, false) => Strictness::Looser,
            (false, true) => Strictness::Tighter,
            (false, false) => Strictness::Other,
        };
        let detail = format!("`accept` from {} to {}", list(&before), list(&after));
        let network = judge(place.readers, strictness);
        self.add(&place.child("accept"), ChangeKind::AcceptChanged, detail, network, RustFace::Unchanged);
    }

    fn limit<T: Ord + Display + Copy>(
        &mut self,
        name: &str,
        end: End,
        old: Option<T>,
        new: Option<T>,
        place: &Place,
    ) {
        let strictness = match (old, new) {
            (old, new) if old == new => return,
            (None, _) => Strictness::Tighter,
            (_, None) => Strictness::Looser,
            (Some(old), Some(new)) if (new < old) == (end == End::Greatest) => Strictness::Tighter,
            _ => Strictness::Looser,
        };
        let detail = from_to(name, old.as_ref(), new.as_ref());
        let network = judge(place.readers, strictness);
        self.add(&place.child(name), ChangeKind::LimitChanged, detail, network, RustFace::Unchanged);
    }

    fn constant<T: PartialEq + Display>(&mut self, old: &Option<T>, new: &Option<T>, place: &Place) {
        let (strictness, argument) = match (old, new) {
            (old, new) if old == new => return,
            (None, _) => (Strictness::Tighter, Some("`new` takes one argument less")),
            (_, None) => (Strictness::Looser, Some("`new` takes one argument more")),
            _ => (Strictness::Other, None),
        };
        let rust = match argument.filter(|_| place.field.is_argument) {
            Some(reason) => RustFace::Breaking(reason.to_owned()),
            None => RustFace::Unchanged,
        };
        let detail = from_to("const", old.as_ref(), new.as_ref());
        let network = judge(place.readers, strictness);
        self.add(&place.child("const"), ChangeKind::ConstChanged, detail, network, rust);
    }

    fn default_value<T: PartialEq + Display>(&mut self, old: &Option<T>, new: &Option<T>, place: &Place) {
        let rust = match (old, new) {
            (old, new) if old == new => return,
            (None, Some(_)) if place.field.has_default => RustFace::Additive,
            (Some(_), None) if place.field.has_default => {
                RustFace::Breaking("the method that gives the default is gone".to_owned())
            }
            _ => RustFace::Unchanged,
        };
        let detail = from_to("default", old.as_ref(), new.as_ref());
        self.add(&place.child("default"), ChangeKind::DefaultChanged, detail, Network::Compatible, rust);
    }

    fn format(&mut self, old: &Text, new: &Text, place: &Place) {
        let strictness = match (old.format, new.format) {
            (old, new) if old == new => return,
            (None, _) => Strictness::Tighter,
            (_, None) => Strictness::Looser,
            (Some(old), Some(new)) if includes(new, old) => Strictness::Looser,
            (Some(old), Some(new)) if includes(old, new) => Strictness::Tighter,
            _ => Strictness::Other,
        };
        let name = |format: Option<Format>| format.map(Format::as_str);
        let detail = from_to("format", name(old.format).as_ref(), name(new.format).as_ref());
        let network = judge(place.readers, strictness);
        let rust = self.rust_type(&Type::String(old.clone()), &Type::String(new.clone()), place);
        self.add(&place.child("format"), ChangeKind::FormatChanged, detail, network, rust);
    }

    /// `enum`.
    fn allowed<T: PartialEq + Display>(&mut self, old: &[T], new: &[T], faces: &Faces, place: &Place) {
        let place = &place.child("enum");
        let (strictness, detail) = match (old.is_empty(), new.is_empty()) {
            (true, true) => return,
            (true, false) => (Strictness::Tighter, format!("only {} are allowed now", list(new))),
            (false, true) => (Strictness::Looser, "any value is allowed now".to_owned()),
            (false, false) => return self.allowed_values(old, new, faces, place),
        };
        let network = judge(place.readers, strictness);
        self.add(place, ChangeKind::EnumChanged, detail, network, faces.changed.clone());
    }

    fn allowed_values<T: PartialEq + Display>(&mut self, old: &[T], new: &[T], faces: &Faces, place: &Place) {
        for value in old.iter().filter(|it| !new.contains(it)) {
            let (detail, network) =
                (format!("the allowed value `{value}`"), judge(place.readers, Strictness::Tighter));
            self.add(place, ChangeKind::EnumValueRemoved, detail, network, faces.removed.clone());
        }
        for value in new.iter().filter(|it| !old.contains(it)) {
            let (detail, network) =
                (format!("the allowed value `{value}`"), judge(place.readers, Strictness::Looser));
            self.add(place, ChangeKind::EnumValueAdded, detail, network, faces.added.clone());
        }
    }
}

/// What the values of a string do to its Rust type: an enum if it names values and has no format.
struct Faces {
    /// When a value comes.
    added: RustFace,
    /// When a value goes.
    removed: RustFace,
    /// When `enum` comes or goes.
    changed: RustFace,
}

impl Default for Faces {
    fn default() -> Self {
        let unchanged = || RustFace::Unchanged;
        Self { added: unchanged(), removed: unchanged(), changed: unchanged() }
    }
}

impl Faces {
    fn of(old: &Text, new: &Text) -> Self {
        let breaking = |reason: &str| RustFace::Breaking(reason.to_owned());
        let all = |face: RustFace| Self { added: face.clone(), removed: face.clone(), changed: face };
        let (was_closed, is_closed) = (!old.allowed.is_empty(), !new.allowed.is_empty());
        match (names_values(old), names_values(new)) {
            (false, false) => Self::default(),
            (false, true) => all(breaking("the string becomes an enum")),
            (true, false) => all(breaking("the enum becomes a string")),
            (true, true) => Self {
                added: RustFace::Additive,
                removed: breaking("its variant is gone"),
                changed: match (was_closed, is_closed) {
                    (false, true) => breaking("the variant `Other` is gone"),
                    (true, false) => breaking("the closed enum becomes an open one"),
                    _ => RustFace::Unchanged,
                },
            },
        }
    }
}

/// Whether every value of the format `inner` is one of the format `outer`.
fn includes(outer: Format, inner: Format) -> bool {
    matches!(
        (outer, inner),
        (Format::AtIdentifier, Format::Did | Format::Handle)
            | (Format::Uri, Format::AtUri | Format::Did)
            | (Format::RecordKey, Format::Tid | Format::Nsid)
    )
}

fn from_to<T: Display>(name: &str, old: Option<&T>, new: Option<&T>) -> String {
    match (old, new) {
        (Some(old), Some(new)) => format!("`{name}` from {old} to {new}"),
        (None, Some(new)) => format!("`{name}` {new}, which was not set"),
        (Some(old), None) => format!("no `{name}`, which was {old}"),
        (None, None) => format!("no `{name}`"),
    }
}

fn list<T: Display>(values: &[T]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}
