//! Documents and their definitions: records, methods, permission sets.

use super::change::{ChangeKind, Network, RustFace};
use super::comparison::{Comparison, Place, Strictness, judge};
use super::documents::{Readers, Side};
use super::shape::{Shape, shape};
use crate::document::{
    Body, DefId, Definition, Document, ErrorName, Message, Object, Params, Permission, PermissionSet,
    Procedure, Query, Record, RecordKey, Schema, Subscription, Type,
};
use crate::model::{by_spelling, last_segment, listed, type_name};

impl Comparison<'_, '_> {
    pub(super) fn document(&mut self, nsid: &str, place: &Place) {
        match (self.old.document(nsid), self.new.document(nsid)) {
            (Some(old), Some(new)) => self.definitions(old, new, place),
            (None, Some(_)) => {
                let taken = self.taken.get(nsid).cloned();
                let rust = taken.map_or(RustFace::Additive, RustFace::Breaking);
                self.add(place, ChangeKind::DocumentAdded, "a new document", Network::Compatible, rust);
            }
            (Some(_), None) => {
                let network = Network::Breaking("what uses it refers to something that is gone".to_owned());
                let rust = RustFace::Breaking("its module is gone".to_owned());
                self.add(place, ChangeKind::DocumentRemoved, "the document", network, rust);
            }
            (None, None) => {}
        }
    }

    fn definitions(&mut self, old: &Document, new: &Document, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        for (name, before) in &old.defs {
            let place = self.of_definition(place, name);
            match new.defs.get(name) {
                Some(after) => self.definition(before, after, &place),
                None => {
                    let network =
                        Network::Breaking("what refers to it refers to something that is gone".to_owned());
                    let rust = RustFace::Breaking("what it stands for is gone".to_owned());
                    let detail = format!("the definition `{name}`");
                    self.add(&place, ChangeKind::DefinitionRemoved, detail, network, rust);
                }
            }
        }
        for (name, added) in new.defs.iter().filter(|(name, _)| !old.defs.contains_key(*name)) {
            let place = self.of_definition(place, name);
            let detail = format!("the definition `{name}`");
            let takes_its_name = |(known, it): &(&String, &Definition)| match name.as_str() {
                "main" => is_called_like(known, &old.id),
                _ => *known != "main" && is_constant(it) == is_constant(added) && takes_its_name(name, known),
            };
            let rust = match old.defs.iter().find(takes_its_name) {
                Some((known, _)) => RustFace::Breaking(format!("`{name}` takes the name of `{known}`")),
                None => RustFace::Additive,
            };
            self.add(&place, ChangeKind::DefinitionAdded, detail, Network::Compatible, rust);
        }
    }

    fn of_definition(&self, document: &Place, name: &str) -> Place {
        let id = DefId { nsid: document.nsid.clone(), name: name.to_owned() };
        let place = document.read_by(self.readers_of(&id)).child("defs").child(name);
        Place { def: Some(name.to_owned()), ..place }
    }

    fn definition(&mut self, old: &Definition, new: &Definition, place: &Place) {
        match (old, new) {
            (Definition::Record(old), Definition::Record(new)) => self.record(old, new, place),
            (Definition::Query(old), Definition::Query(new)) => self.query(old, new, place),
            (Definition::Procedure(old), Definition::Procedure(new)) => self.procedure(old, new, place),
            (Definition::Subscription(old), Definition::Subscription(new)) => {
                self.subscription(old, new, place)
            }
            (Definition::PermissionSet(old), Definition::PermissionSet(new)) => {
                self.permission_set(old, new, place)
            }
            (Definition::Schema(old), Definition::Schema(new)) => self.schema(old, new, place),
            _ => {
                let detail = format!("a {} that was a {}", kind(new), kind(old));
                let network = Network::Breaking("types do not change".to_owned());
                let rust = RustFace::Breaking("its items are others".to_owned());
                self.add(place, ChangeKind::DefinitionKindChanged, detail, network, rust);
            }
        }
    }

    fn record(&mut self, old: &Record, new: &Record, place: &Place) {
        let place = &place.read_by(Readers::ALL);
        self.description(place, old.description.as_deref(), new.description.as_deref());
        if old.key != new.key {
            let detail = format!("record keys of the type `{}` that were `{}`", key(&new.key), key(&old.key));
            let network = Network::Breaking("keys of the one version are invalid in the other".to_owned());
            let place = place.child("key");
            self.add(&place, ChangeKind::RecordKeyChanged, detail, network, RustFace::Unchanged);
        }
        let place = &place.child("record");
        self.description(place, old.object_description.as_deref(), new.object_description.as_deref());
        self.object(&old.object, &new.object, place);
    }

    fn query(&mut self, old: &Query, new: &Query, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        self.parameters(old.parameters.as_ref(), new.parameters.as_ref(), place);
        self.body(old.output.as_ref(), new.output.as_ref(), &output(place));
        self.errors(&old.errors, &new.errors, place);
        self.pages(old, new, place);
    }

    fn procedure(&mut self, old: &Procedure, new: &Procedure, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        self.parameters(old.parameters.as_ref(), new.parameters.as_ref(), place);
        let input = place.read_by(Readers::OF_REQUESTS).child("input");
        self.body(old.input.as_ref(), new.input.as_ref(), &input);
        self.body(old.output.as_ref(), new.output.as_ref(), &output(place));
        self.errors(&old.errors, &new.errors, place);
    }

    fn subscription(&mut self, old: &Subscription, new: &Subscription, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        self.parameters(old.parameters.as_ref(), new.parameters.as_ref(), place);
        self.message(old.message.as_ref(), new.message.as_ref(), place);
        self.errors(&old.errors, &new.errors, place);
    }

    fn message(&mut self, old: Option<&Message>, new: Option<&Message>, place: &Place) {
        let place = place.read_by(Readers::OF_ANSWERS).child("message");
        match (old, new) {
            (Some(old), Some(new)) => {
                self.description(&place, old.description.as_deref(), new.description.as_deref());
                self.messages(&old.schema, &new.schema, &place.child("schema"));
            }
            (None, Some(_)) => {
                let (network, rust) = (Network::Compatible, RustFace::Additive);
                self.add(&place, ChangeKind::BodyAdded, "messages", network, rust);
            }
            (Some(old), None) => {
                let network = Network::Breaking("programs expect messages of these types".to_owned());
                let rust = match old.schema.refs.is_empty() {
                    true => RustFace::Unchanged,
                    false => RustFace::Breaking("their variants are gone".to_owned()),
                };
                self.add(&place, ChangeKind::BodyRemoved, "the messages", network, rust);
            }
            (None, None) => {}
        }
    }

    fn parameters(&mut self, old: Option<&Params>, new: Option<&Params>, place: &Place) {
        let place = place.read_by(Readers::OF_REQUESTS).child("parameters");
        let (before, after) = (old.map(|it| &it.description), new.map(|it| &it.description));
        self.description(&place, before.and_then(Option::as_deref), after.and_then(Option::as_deref));
        let object = |params: Option<&Params>| {
            params.map_or(Object::default(), |params| Object {
                required: params.required.clone(),
                nullable: Vec::new(),
                properties: params.properties.clone(),
            })
        };
        self.fields(&object(old), &object(new), &place, true);
    }

    fn body(&mut self, old: Option<&Body>, new: Option<&Body>, place: &Place) {
        let is_input = place.readers == Readers::OF_REQUESTS;
        match (old, new) {
            (None, None) => {}
            (None, Some(new)) => self.body_added(new, is_input, place),
            (Some(_), None) => {
                let reason = match is_input {
                    true => "programs that know the old version send one",
                    false => "programs that know the old version expect one",
                };
                let rust = match is_input {
                    true => "calls take one argument less",
                    false => "the type of the answer has nothing in it",
                };
                let (network, rust) =
                    (Network::Breaking(reason.to_owned()), RustFace::Breaking(rust.to_owned()));
                self.add(place, ChangeKind::BodyRemoved, body_name(is_input), network, rust);
            }
            (Some(old), Some(new)) => {
                self.description(place, old.description.as_deref(), new.description.as_deref());
                if old.encoding != new.encoding {
                    self.encoding(&old.encoding, &new.encoding, is_input, place);
                }
                self.body_schema(old, new, place);
            }
        }
    }

    fn body_added(&mut self, body: &Body, is_input: bool, place: &Place) {
        let (network, rust) = if is_input {
            (
                Network::Breaking("programs that know the old version send none".to_owned()),
                RustFace::Breaking("calls take one argument more".to_owned()),
            )
        } else if can_be_made_from_nothing(body) {
            (Network::Compatible, RustFace::Additive)
        } else {
            let reason = "the answer can no longer be made without saying what is in it";
            (Network::Compatible, RustFace::Breaking(reason.to_owned()))
        };
        self.add(place, ChangeKind::BodyAdded, body_name(is_input), network, rust);
    }

    fn encoding(&mut self, old: &str, new: &str, is_input: bool, place: &Place) {
        let is_compatible = if is_input { covers(new, old) } else { covers(old, new) };
        let network = match is_compatible {
            true => Network::Compatible,
            false => Network::Breaking("bodies of the one version are refused by the other".to_owned()),
        };
        let rust = match (old == JSON) != (new == JSON) {
            true => {
                RustFace::Breaking("what was decoded JSON is bytes now, or the other way around".to_owned())
            }
            false => RustFace::Unchanged,
        };
        let detail = format!("the MIME type `{new}` that was `{old}`");
        self.add(&place.child("encoding"), ChangeKind::EncodingChanged, detail, network, rust);
    }

    fn body_schema(&mut self, old: &Body, new: &Body, place: &Place) {
        let place = &place.child("schema");
        let is_json = old.encoding == JSON && new.encoding == JSON;
        let rust = match is_json {
            true => RustFace::Breaking("the body has another type".to_owned()),
            false => RustFace::Unchanged,
        };
        match (&old.schema, &new.schema) {
            (Some(old), Some(new)) if is_json => self.schema(old, new, place),
            (Some(old), Some(new)) => self.schema(old, new, &Place { has_rust: false, ..place.clone() }),
            (None, Some(_)) => {
                let network = judge(place.readers, Strictness::Tighter);
                self.add(place, ChangeKind::SchemaAdded, "a schema", network, rust);
            }
            (Some(_), None) => {
                let network = judge(place.readers, Strictness::Looser);
                self.add(place, ChangeKind::SchemaRemoved, "the schema", network, rust);
            }
            (None, None) => {}
        }
    }

    fn errors(&mut self, old: &[ErrorName], new: &[ErrorName], place: &Place) {
        let place = place.child("errors");
        for error in old {
            match new.iter().enumerate().find(|(_, it)| it.name == error.name) {
                Some((at, same)) => {
                    let place = place.element(at);
                    self.description(&place, error.description.as_deref(), same.description.as_deref());
                }
                None => {
                    let detail = format!("the error `{}`", error.name);
                    let rust = RustFace::Breaking("its variant is gone".to_owned());
                    self.add(&place, ChangeKind::ErrorRemoved, detail, Network::Compatible, rust);
                }
            }
        }
        for error in new.iter().filter(|it| old.iter().all(|known| known.name != it.name)) {
            let detail = format!("the error `{}`", error.name);
            self.add(&place, ChangeKind::ErrorAdded, detail, Network::Compatible, RustFace::Additive);
        }
    }

    /// A query that is gone through in pages has methods that others lack.
    fn pages(&mut self, old: &Query, new: &Query, place: &Place) {
        let before = pages_of(self.old, old, &place.old_here);
        let after = pages_of(self.new, new, &place.new_here);
        let (detail, rust) = match (before, after) {
            (None, None) => return,
            (None, Some((key, _))) => {
                (format!("can be gone through in pages, by `{key}`"), RustFace::Additive)
            }
            (Some(_), None) => {
                let reason = "the call has no `pages` and `items` any more";
                let detail = "cannot be gone through in pages any more".to_owned();
                (detail, RustFace::Breaking(reason.to_owned()))
            }
            (Some((old, _)), Some((new, _))) if old == new => return,
            (Some((old, before)), Some((new, after))) => {
                let reason = "`items` goes through another type";
                let rust = match before == after {
                    true => RustFace::Unchanged,
                    false => RustFace::Breaking(reason.to_owned()),
                };
                (format!("is gone through by `{new}`, no longer by `{old}`"), rust)
            }
        };
        self.add(place, ChangeKind::PagesChanged, detail, Network::Compatible, rust);
    }

    fn permission_set(&mut self, old: &PermissionSet, new: &PermissionSet, place: &Place) {
        self.description(place, old.description.as_deref(), new.description.as_deref());
        let texts = [
            ("title", old.title != new.title || old.title_by_language != new.title_by_language),
            ("detail", old.detail != new.detail || old.detail_by_language != new.detail_by_language),
        ];
        for (key, _) in texts.iter().filter(|(_, is_changed)| *is_changed) {
            let (kind, detail) = (ChangeKind::DescriptionChanged, format!("another {key}"));
            self.add(&place.child(key), kind, detail, Network::Compatible, RustFace::Unchanged);
        }
        let place = &place.child("permissions");
        for permission in old.permissions.iter().filter(|it| !new.permissions.contains(it)) {
            let network = Network::Breaking("programs that ask for the set are granted less".to_owned());
            let detail = describe(permission);
            self.add(place, ChangeKind::PermissionRemoved, detail, network, RustFace::Unchanged);
        }
        for permission in new.permissions.iter().filter(|it| !old.permissions.contains(it)) {
            let detail = describe(permission);
            let (network, rust) = (Network::Compatible, RustFace::Unchanged);
            self.add(place, ChangeKind::PermissionAdded, detail, network, rust);
        }
    }
}

/// Whether a definition has the name in Rust that the main one of its document has.
fn is_called_like(name: &str, nsid: &str) -> bool {
    type_name(name) == type_name(last_segment(nsid))
}

/// Whether a new definition gets the Rust name that another one has had, from which it differs in spelling only.
fn takes_its_name(new: &str, known: &str) -> bool {
    type_name(new) == type_name(known) && by_spelling(new) < by_spelling(known)
}

fn is_constant(definition: &Definition) -> bool {
    matches!(definition, Definition::Schema(schema) if schema.ty == Type::Token)
}

const JSON: &str = "application/json";

fn output(place: &Place) -> Place {
    place.read_by(Readers::OF_ANSWERS).child("output")
}

fn body_name(is_input: bool) -> &'static str {
    if is_input { "an input" } else { "an output" }
}

fn kind(definition: &Definition) -> &'static str {
    match definition {
        Definition::Record(_) => "record",
        Definition::Query(_) => "query",
        Definition::Procedure(_) => "procedure",
        Definition::Subscription(_) => "subscription",
        Definition::PermissionSet(_) => "permission set",
        Definition::Schema(schema) => schema.ty.name(),
    }
}

fn key(key: &RecordKey) -> String {
    match key {
        RecordKey::Tid => "tid".to_owned(),
        RecordKey::Nsid => "nsid".to_owned(),
        RecordKey::Any => "any".to_owned(),
        RecordKey::Literal(value) => format!("literal:{value}"),
    }
}

/// Methods without an output have one in Rust all the same, without fields: a struct of optional fields can be made from
/// nothing as well.
fn can_be_made_from_nothing(output: &Body) -> bool {
    match &output.schema {
        Some(Schema { ty: Type::Object(object), .. }) => {
            output.encoding == JSON && object.required.iter().all(|key| !object.properties.contains_key(key))
        }
        _ => false,
    }
}

/// Whether everything that the MIME type `inner` allows is allowed by `outer` too.
pub(super) fn covers(outer: &str, inner: &str) -> bool {
    let group = |mime: &str| mime.split('/').next().map(str::to_owned);
    outer == inner || outer == "*/*" || (outer.ends_with("/*") && group(outer) == group(inner))
}

/// The list by whose entries a query is gone through in pages, and the shape of an entry.
fn pages_of(side: &Side<'_>, query: &Query, here: &str) -> Option<(String, Shape)> {
    let schema = query.output.as_ref().filter(|output| output.encoding == JSON)?.schema.as_ref()?;
    let (object, home) = match &schema.ty {
        Type::Object(object) => (object, here.to_owned()),
        Type::Ref(reference) => {
            let target = reference.resolve(here);
            match side.definition(&target)? {
                Definition::Schema(Schema { ty: Type::Object(object), .. }) => (object, target.nsid),
                _ => return None,
            }
        }
        _ => return None,
    };
    let is_text = |schema: &Schema| matches!(schema.ty, Type::String(_));
    let parameters = query.parameters.as_ref()?;
    let has_cursors = parameters.properties.get("cursor").is_some_and(is_text)
        && object.properties.get("cursor").is_some_and(is_text)
        && !object.is_nullable("cursor");
    let (key, array) = listed(object).filter(|_| has_cursors)?;
    Some((key.to_owned(), shape(side, &array.items.ty, &home)))
}

fn describe(permission: &Permission) -> String {
    let list = |names: &[String]| names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    match permission {
        Permission::Repo { collection, action } if action.is_empty() => {
            format!("permission to write records of {}", list(collection))
        }
        Permission::Repo { collection, action } => {
            format!("permission to {} records of {}", action.join(", "), list(collection))
        }
        Permission::Rpc { lxm, aud, inherit_aud } => {
            let service = match (aud, inherit_aud) {
                (_, true) => "the service that is asked for".to_owned(),
                (Some(aud), _) => format!("the service `{aud}`"),
                (None, false) => "no service".to_owned(),
            };
            format!("permission to call {} of {service}", list(lxm))
        }
    }
}
