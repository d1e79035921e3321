//! Types that stand at the same place: objects, unions, arrays, refs.

use super::change::{ChangeKind, Network, RustFace};
use super::comparison::{Comparison, FieldFace, Place};
use super::documents::Side;
use super::shape::shape;
use crate::document::{DefId, Definition, Object, Reference, Schema, Type, Union};
use crate::model::{by_spelling, field_name};

impl Comparison<'_, '_> {
    pub(super) fn schema(&mut self, old: &Schema, new: &Schema, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        self.ty(&old.ty, &new.ty, place);
    }

    pub(super) fn ty(&mut self, old: &Type, new: &Type, place: &Place) {
        match (old, new) {
            (Type::Ref(before), Type::Ref(after)) => {
                if before.resolve(&place.old_here) != after.resolve(&place.new_here) {
                    self.reference(old, new, place);
                }
            }
            (Type::Ref(_), _) | (_, Type::Ref(_)) => self.reference(old, new, place),
            (Type::Object(old), Type::Object(new)) => self.object(old, new, place),
            (Type::Union(old), Type::Union(new)) => self.union(old, new, place),
            (Type::Array(old), Type::Array(new)) => {
                self.array_limits(old, new, place);
                self.schema(&old.items, &new.items, &place.child("items"));
            }
            (Type::Boolean(old), Type::Boolean(new)) => self.boolean(old, new, place),
            (Type::Integer(old), Type::Integer(new)) => self.integer(old, new, place),
            (Type::String(old), Type::String(new)) => self.string(old, new, place),
            (Type::Bytes(old), Type::Bytes(new)) => self.bytes(old, new, place),
            (Type::Blob(old), Type::Blob(new)) => self.blob(old, new, place),
            _ if old.name() == new.name() => {}
            _ => {
                let detail = format!("the type `{}` that was `{}`", new.name(), old.name());
                let network = Network::Breaking("types do not change".to_owned());
                let rust = match (old, new) {
                    (Type::Token, _) | (_, Type::Token) => {
                        RustFace::Breaking("a constant becomes a type, or a type a constant".to_owned())
                    }
                    _ => self.rust_type(old, new, place),
                };
                self.add(&place.child("type"), ChangeKind::TypeChanged, detail, network, rust);
            }
        }
    }

    pub(super) fn object(&mut self, old: &Object, new: &Object, place: &Place) {
        self.fields(old, new, place, false);
    }

    /// Whether the generated type is another one.
    pub(super) fn rust_type(&self, old: &Type, new: &Type, place: &Place) -> RustFace {
        let (before, after) = (shape(self.old, old, &place.old_here), shape(self.new, new, &place.new_here));
        match before == after {
            true => RustFace::Unchanged,
            false => RustFace::Breaking(format!("{after} takes the place of {before}")),
        }
    }

    /// A ref that leads elsewhere than before, or that stands where its target stood. On the network only the data counts:
    /// the targets are compared.
    fn reference(&mut self, old: &Type, new: &Type, place: &Place) {
        let text = |ty: &Type| match ty {
            Type::Ref(reference) => format!("a ref to `{reference}`"),
            ty => format!("the type `{}`", ty.name()),
        };
        let detail = format!("{} that was {}", text(new), text(old));
        let network = self.targets(old, new, place);
        let rust = self.rust_type(old, new, place);
        self.add(place, ChangeKind::RefChanged, detail, network, rust);
    }

    fn targets(&mut self, old: &Type, new: &Type, place: &Place) -> Network {
        let target = |ty: &Type, here: &str| match ty {
            Type::Ref(reference) => Some(reference.resolve(here)),
            _ => None,
        };
        let (old_id, new_id) = (target(old, &place.old_here), target(new, &place.new_here));
        let (before, after) =
            match (behind(self.old, old_id.as_ref(), old), behind(self.new, new_id.as_ref(), new)) {
                (Ok(before), Ok(after)) => (before, after),
                (Err(reason), _) | (_, Err(reason)) => return Network::Breaking(reason),
            };
        let here = |id: &Option<DefId>, here: &str| {
            id.as_ref().map_or_else(|| here.to_owned(), |id| id.nsid.clone())
        };
        let place_behind = Place {
            old_here: here(&old_id, &place.old_here),
            new_here: here(&new_id, &place.new_here),
            ..place.clone()
        };
        let unnamed = || DefId { nsid: place.nsid.clone(), name: place.path.clone() };
        let pair = (old_id.unwrap_or_else(unnamed), new_id.unwrap_or_else(unnamed));
        if !self.open.insert(pair.clone()) {
            return Network::Compatible;
        }
        let changes = self.aside(|comparison| comparison.ty(before, after, &place_behind));
        self.open.remove(&pair);
        let broken = changes.into_iter().find(|change| change.network.is_breaking());
        match broken.map(|change| (change.detail, change.network)) {
            Some((detail, Network::Breaking(reason))) => {
                Network::Breaking(format!("the types differ: {detail}: {reason}"))
            }
            _ => Network::Compatible,
        }
    }

    /// The properties of an object, or parameters.
    pub(super) fn fields(&mut self, old: &Object, new: &Object, place: &Place, is_params: bool) {
        let properties = place.child("properties");
        let renamed = self.renamed(old, new, &properties);
        for (key, before) in &old.properties {
            match new.properties.get(key) {
                Some(after) => {
                    let field = Field { key, before, after };
                    self.field(&field, old, new, &properties.child(key), is_params);
                }
                None => match renamed.as_ref().filter(|(from, _)| from == key) {
                    Some((_, to)) => self.field_renamed(key, to, &properties.child(to)),
                    None => self.field_removed(key, old.is_required(key), &properties.child(key)),
                },
            }
        }
        let is_new = |key: &str| !old.properties.contains_key(key);
        for (key, added) in new.properties.iter().filter(|(key, _)| is_new(key)) {
            if renamed.as_ref().is_none_or(|(_, to)| to != key) {
                let has_required = old.properties.keys().any(|key| old.is_required(key));
                let rust = match (new.is_required(key), is_filled_in(new, key, &added.ty)) {
                    _ if let Some(known) = old.properties.keys().find(|known| takes_its_name(key, known)) => {
                        RustFace::Breaking(format!("it takes the name of `{known}`"))
                    }
                    (false, _) => RustFace::Additive,
                    (true, true) if has_required => RustFace::Additive,
                    (true, true) => RustFace::Breaking("`Default` is no longer implemented".to_owned()),
                    (true, false) => RustFace::Breaking("`new` takes one argument more".to_owned()),
                };
                self.field_added(key, new.is_required(key), rust, &properties.child(key));
            }
        }
        self.order(old, new, &place.child("required"));
    }

    fn field(&mut self, field: &Field<'_>, old: &Object, new: &Object, place: &Place, is_params: bool) {
        let Field { key, before, after } = field;
        let (was_required, is_required) = (old.is_required(key), new.is_required(key));
        let presence = RustFace::Breaking("`Option` comes or goes, and an argument of `new`".to_owned());
        match (was_required, is_required) {
            (false, true) => {
                let network = Network::Breaking("data that was written without it is refused".to_owned());
                let detail = format!("`{key}` must be there now");
                self.add(place, ChangeKind::FieldRequired, detail, network, presence);
            }
            (true, false) => {
                let reason = "programs that know the old version refuse data without it";
                let network = Network::Breaking(reason.to_owned());
                self.add(
                    place,
                    ChangeKind::FieldOptional,
                    format!("`{key}` may be absent now"),
                    network,
                    presence,
                );
            }
            _ => {}
        }
        let (was_nullable, is_nullable) = (old.is_nullable(key), new.is_nullable(key));
        if was_nullable != is_nullable {
            let (detail, reason) = match is_nullable {
                true => {
                    (format!("`{key}` may be null now"), "programs that know the old version refuse null")
                }
                false => (format!("`{key}` may not be null any more"), "data with null is refused"),
            };
            let rust = RustFace::Breaking("`Nullable` comes or goes".to_owned());
            self.add(place, ChangeKind::NullableChanged, detail, Network::Breaking(reason.to_owned()), rust);
        }
        let face = FieldFace {
            is_argument: was_required && is_required && !was_nullable && !is_nullable,
            has_default: !is_params && !was_required && !is_required && !was_nullable && !is_nullable,
        };
        self.schema(before, after, &Place { field: face, ..place.clone() });
    }

    fn field_added(&mut self, key: &str, is_required: bool, rust: RustFace, place: &Place) {
        let (detail, network) = match is_required {
            true => {
                let reason = "new fields must be optional: data that is there lacks it";
                (format!("the required field `{key}`"), Network::Breaking(reason.to_owned()))
            }
            false => (format!("the optional field `{key}`"), Network::Compatible),
        };
        self.add(place, ChangeKind::FieldAdded, detail, network, rust);
    }

    fn field_removed(&mut self, key: &str, was_required: bool, place: &Place) {
        let (detail, network) = match was_required {
            true => {
                let reason = "programs that know the old version refuse data without it";
                (format!("the required field `{key}`"), Network::Breaking(reason.to_owned()))
            }
            false => (format!("the optional field `{key}`"), Network::Compatible),
        };
        let rust = RustFace::Breaking("the field is gone".to_owned());
        self.add(place, ChangeKind::FieldRemoved, detail, network, rust);
    }

    fn field_renamed(&mut self, from: &str, to: &str, place: &Place) {
        let network =
            Network::Breaking("fields are not renamed: data that is there has the old name".to_owned());
        let rust = RustFace::Breaking("the field is gone".to_owned());
        let detail = format!("the field `{to}` that was `{from}`");
        self.add(place, ChangeKind::FieldRenamed, detail, network, rust);
    }

    /// The one field that is gone and the one that is new, if nothing but the name differs.
    fn renamed(&mut self, old: &Object, new: &Object, place: &Place) -> Option<(String, String)> {
        let only = |from: &Object, but: &Object| {
            let mut keys = from.properties.keys().filter(|key| !but.properties.contains_key(*key));
            keys.next().cloned().filter(|_| keys.next().is_none())
        };
        let (from, to) = (only(old, new)?, only(new, old)?);
        let is_same_presence =
            old.is_required(&from) == new.is_required(&to) && old.is_nullable(&from) == new.is_nullable(&to);
        let (before, after) = (&old.properties[&from], &new.properties[&to]);
        let changes = self.aside(|comparison| comparison.schema(before, after, place));
        let is_same_type = changes
            .iter()
            .all(|change| matches!(change.kind, ChangeKind::DescriptionChanged | ChangeKind::Deprecated));
        (is_same_presence && is_same_type).then_some((from, to))
    }

    /// The constructor takes the required fields in this order; on the network it means nothing.
    fn order(&mut self, old: &Object, new: &Object, place: &Place) {
        let arguments = |of: &Object, other: &Object| -> Vec<String> {
            let is_argument = |object: &Object, key: &str| {
                object.is_required(key)
                    && object.properties.get(key).is_some_and(|it| !is_filled_in(object, key, &it.ty))
            };
            let kept = of.required.iter().filter(|key| is_argument(of, key) && is_argument(other, key));
            kept.cloned().collect()
        };
        let (before, after) = (arguments(old, new), arguments(new, old));
        if before != after {
            let detail = format!("required in the order {}, not {}", after.join(", "), before.join(", "));
            let rust = RustFace::Breaking("the arguments of `new` change places".to_owned());
            self.add(place, ChangeKind::RequiredReordered, detail, Network::Compatible, rust);
        }
    }

    pub(super) fn union(&mut self, old: &Union, new: &Union, place: &Place) {
        self.members(old, new, place, false);
    }

    /// The union of a subscription's messages, which is an enum with `Other` whatever the lexicon says of it.
    pub(super) fn messages(&mut self, old: &Union, new: &Union, place: &Place) {
        self.members(old, new, place, true);
    }

    fn members(&mut self, old: &Union, new: &Union, place: &Place, are_messages: bool) {
        if old.closed != new.closed {
            let place = place.child("closed");
            let reason = match new.closed {
                true => "data of other variants is refused",
                false => "programs that know the old version refuse other variants",
            };
            let network = Network::Breaking(reason.to_owned());
            if new.closed {
                let rust = match are_messages {
                    true => RustFace::Unchanged,
                    false => RustFace::Breaking("the variant `Other` is gone".to_owned()),
                };
                self.add(&place, ChangeKind::UnionClosed, "takes no other variants any more", network, rust);
            } else {
                let detail = "takes other variants now";
                let rust = if are_messages { RustFace::Unchanged } else { RustFace::Additive };
                self.add(&place, ChangeKind::UnionOpened, detail, network, rust);
            }
        }
        let targets = |refs: &[Reference], here: &str| -> Vec<DefId> {
            refs.iter().map(|reference| reference.resolve(here)).collect()
        };
        let (before, after) = (targets(&old.refs, &place.old_here), targets(&new.refs, &place.new_here));
        let becomes = |what: &str| RustFace::Breaking(what.to_owned());
        let place = &place.child("refs");
        for target in before.iter().filter(|it| !after.contains(it)) {
            let network =
                Network::Breaking("variants are not removed: data that is there may be one".to_owned());
            let rust = match after.is_empty() && !are_messages {
                true => becomes("the enum becomes `Unknown`"),
                false => becomes("its variant is gone"),
            };
            self.add(place, ChangeKind::VariantRemoved, format!("the variant `{target}`"), network, rust);
        }
        for target in after.iter().filter(|it| !before.contains(it)) {
            let network = match old.closed {
                true => Network::Breaking("programs that know the old version refuse it".to_owned()),
                false => Network::Compatible,
            };
            let rust = match before.is_empty() && !are_messages {
                true => becomes("`Unknown` becomes an enum"),
                false => RustFace::Additive,
            };
            self.add(place, ChangeKind::VariantAdded, format!("the variant `{target}`"), network, rust);
        }
    }
}

/// Whether a new field gets the Rust name that another one has had, from which it differs in spelling only.
fn takes_its_name(new: &str, known: &str) -> bool {
    field_name(new) == field_name(known) && by_spelling(new) < by_spelling(known)
}

/// What stands behind a ref, or the type itself where there is none.
fn behind<'t>(side: &Side<'t>, id: Option<&DefId>, ty: &'t Type) -> Result<&'t Type, String> {
    let Some(id) = id else { return Ok(ty) };
    match side.definition(id) {
        Some(Definition::Schema(schema)) => Ok(&schema.ty),
        Some(_) => Err(format!("`{id}` writes its own `$type`")),
        None => Err(format!("`{id}` is not among the documents, and may be anything")),
    }
}

/// A field that is on both sides.
struct Field<'a> {
    key: &'a str,
    before: &'a Schema,
    after: &'a Schema,
}

/// Whether there is only one value, which the constructor fills in. It does not where that could be null as well, or is
/// of a type with a syntax of its own.
fn is_filled_in(object: &Object, key: &str, ty: &Type) -> bool {
    let is_constant = match ty {
        Type::Boolean(it) => it.constant.is_some(),
        Type::Integer(it) => it.constant.is_some(),
        Type::String(it) => it.constant.is_some() && it.format.is_none(),
        _ => false,
    };
    is_constant && !object.is_nullable(key)
}
