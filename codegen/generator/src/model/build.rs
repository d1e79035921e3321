//! The items of one document.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    AllNames, Docs, Field, Item, Literal, NamedValue, Presence, Rule, RustType, Strings, Struct, StructKind,
    Union, Variant, accessors,
    boxing::Containment,
    docs, places,
    plain::{names_values, plain},
    rules,
    spelling::{self, by_spelling, field_name, free},
};
use crate::{
    catalog::Catalog,
    document::{self, DefId, Definition, Document, Object, Schema, Text, Type},
    renames,
};

/// What all documents share.
pub(super) struct Context<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) names: &'a AllNames,
    pub(super) containment: &'a Containment,
    pub(super) sent: &'a HashSet<DefId>,
    pub(super) stored: &'a HashSet<DefId>,
    pub(super) secrets: &'a BTreeSet<String>,
}

/// Collects the items of one document.
pub(super) struct ModuleBuilder<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) document: &'a Document,
    /// The definition at hand.
    pub(super) definition: DefId,
    /// Whether what is at hand is something that callers send.
    pub(super) sent: bool,
    pub(super) items: Vec<Item>,
}

impl<'a> ModuleBuilder<'a> {
    pub(super) fn new(context: &'a Context<'a>, document: &'a Document) -> Self {
        let definition = DefId { nsid: document.id.clone(), name: "main".to_owned() };
        Self { context, document, definition, sent: false, items: Vec::new() }
    }

    /// Turns to a definition.
    pub(super) fn begin(&mut self, definition: DefId) {
        self.sent = self.context.sent.contains(&definition);
        self.definition = definition;
    }

    /// The name of the definition at hand.
    pub(super) fn name(&self) -> String {
        self.context.names.definition(&self.definition)
    }

    /// A struct, whose fields stand at `place` in the definition at hand.
    pub(super) fn structure(
        &mut self,
        name: &str,
        docs: Docs,
        kind: StructKind,
        object: &Object,
        place: &str,
    ) {
        // The struct stands before the types that its fields need.
        let at = self.items.len();
        let fields = self.fields(&kind, object, place);
        let id = self.definition.to_string();
        let stored = kind != StructKind::Params && self.context.stored.contains(&self.definition);
        let arguments = arguments(object, &fields);
        let item =
            Struct { name: name.to_owned(), docs, id, kind, fields, arguments, sent: self.sent, stored };
        self.items.insert(at, Item::Struct(item));
    }

    /// The Rust names of the fields of an object, which stands at `place` in a definition.
    pub(super) fn field_idents<'o>(
        &self,
        definition: &DefId,
        object: &'o Object,
        place: &str,
    ) -> HashMap<&'o str, String> {
        let mut keys: Vec<&str> = object.properties.keys().map(String::as_str).collect();
        let chosen = |key: &str| {
            self.context.names.field(definition, &places::property(place, key)).map(str::to_owned)
        };
        // Names chosen by hand come first: they are not to be changed.
        keys.sort_by_key(|key| (chosen(key).is_none(), by_spelling(key)));
        let mut taken = BTreeSet::new();
        let name = |key| free(chosen(key).unwrap_or_else(|| field_name(key)), &mut taken);
        keys.iter().copied().zip(keys.iter().copied().map(name)).collect()
    }

    fn fields(&mut self, kind: &StructKind, object: &Object, place: &str) -> Vec<Field> {
        let idents = self.field_idents(&self.definition, object, place);
        let mut accessors = accessors::names(kind, object, &idents);
        let fields = object.properties.iter().map(|(key, schema)| {
            let ty = self.ty(&schema.ty, &places::property(place, key));
            let (required, nullable) = (object.is_required(key), object.is_nullable(key));
            let presence = match (required, nullable) {
                (true, _) => Presence::Required,
                (false, false) => Presence::Optional,
                (false, true) => Presence::OptionalNullable,
            };
            // One that is often absent would take its whole room in every object that it is a field of.
            let ty = match ty {
                ty @ RustType::Generated { .. } if !required && self.is_struct(&schema.ty) => {
                    RustType::Boxed(Box::new(ty))
                }
                ty => ty,
            };
            let ty = if nullable { RustType::Nullable(Box::new(ty)) } else { ty };
            let (constant, default) = values(&schema.ty);
            // What no expression gives is left to callers; validation knows the only value all the same.
            let constant = constant.filter(|_| !matches!(ty, RustType::Runtime(_) | RustType::Nullable(_)));
            let accessors = accessors.remove(key.as_str()).unwrap_or_default();
            let mut rules = rules::of(&schema.ty, &self.document.id, self.context.catalog);
            if self.is_secret(&places::property(place, key)) {
                rules.push(Rule::Hidden);
            }
            Field {
                ident: idents[key.as_str()].clone(),
                setter: accessors.setter,
                or_default: accessors.or_default,
                key: key.clone(),
                docs: docs::of_field(schema),
                ty,
                presence,
                constant,
                default,
                rules,
            }
        });
        fields.collect()
    }

    /// Whether the field at a place of the definition at hand is one that the crate has named as a secret.
    fn is_secret(&self, place: &str) -> bool {
        let secrets = self.context.secrets;
        !secrets.is_empty() && secrets.contains(&renames::field_key(&self.definition, place))
    }

    pub(super) fn union(&mut self, name: &str, docs: Docs, union: &document::Union) {
        let variants = self.variants(&self.targets(union));
        self.items.push(Item::Union(Union { name: name.to_owned(), docs, closed: union.closed, variants }));
    }

    /// The objects and records among the members of a union.
    pub(super) fn targets(&self, union: &document::Union) -> Vec<DefId> {
        union
            .refs
            .iter()
            .map(|reference| reference.resolve(&self.document.id))
            // Anything but objects and records has no `$type` to be told by; the catalog has warned.
            .filter(|target| self.is_object(target))
            .collect()
    }

    /// The variants that stand for these definitions.
    pub(super) fn variants(&self, targets: &[DefId]) -> Vec<Variant> {
        let names = spelling::variant_names(targets, &self.document.id);
        let variant = |(target, name): (&DefId, String)| Variant {
            name,
            tag: target.to_string(),
            ty: self.generated(target, false),
        };
        targets.iter().zip(names).map(variant).collect()
    }

    pub(super) fn strings(&mut self, name: &str, docs: Docs, text: &Text) {
        let closed = !text.allowed.is_empty();
        let texts = if closed { &text.allowed } else { &text.known_values };
        let mut seen = HashSet::new();
        let texts: Vec<String> = texts.iter().filter(|text| seen.insert(*text)).cloned().collect();
        let values = spelling::value_names(&texts)
            .into_iter()
            .zip(texts)
            .map(|(name, text)| NamedValue { name, docs: self.value_docs(&text), text })
            .collect();
        self.items.push(Item::Strings(Strings { name: name.to_owned(), docs, closed, values }));
    }

    /// A value that is a token is described, and may be deprecated, where the token is defined.
    fn value_docs(&self, text: &str) -> Docs {
        let token = text.split_once('#').and_then(|(nsid, name)| {
            let nsid = if nsid.is_empty() { self.document.id.as_str() } else { nsid };
            self.context.catalog.definition(&DefId { nsid: nsid.to_owned(), name: name.to_owned() })
        });
        let description = token.and_then(Definition::description);
        Docs::described(description).and(docs::code(text))
    }

    /// The Rust type of what stands at `place` in the definition at hand.
    pub(super) fn ty(&mut self, ty: &Type, place: &str) -> RustType {
        if let Some(ty) = plain(ty) {
            return ty;
        }
        match ty {
            Type::Array(array) => match self.ty(&array.items.ty, &places::elements(place)) {
                // An array ends a recursion by itself.
                RustType::Boxed(item) => RustType::Vec(item),
                item => RustType::Vec(Box::new(item)),
            },
            Type::Ref(reference) => {
                let target = reference.resolve(&self.document.id);
                self.reference(&target, Some(&self.definition))
            }
            Type::Object(_) | Type::Union(_) | Type::String(_) => self.nested(ty, place),
            _ => RustType::Runtime("Unknown"),
        }
    }

    /// A type without a name of its own in the lexicon.
    fn nested(&mut self, ty: &Type, place: &str) -> RustType {
        let name = self.context.names.nested(&self.definition, place);
        let docs = Docs::of(format!("Part of {}.", docs::code(&self.definition.to_string())));
        let mut into = false;
        match ty {
            Type::Object(object) => self.structure(&name, docs, StructKind::Object, object, place),
            Type::Union(union) => {
                into = true;
                self.union(&name, docs, union);
            }
            Type::String(text) => {
                into = text.allowed.is_empty();
                self.strings(&name, docs, text);
            }
            _ => {}
        }
        RustType::Generated { module: None, name, into }
    }

    /// The type behind a ref; boxed where the definition it stands in would contain itself.
    pub(super) fn reference(&self, target: &DefId, within: Option<&DefId>) -> RustType {
        match self.context.catalog.definition(target) {
            Some(Definition::Record(_)) => {}
            Some(Definition::Schema(schema)) => match &schema.ty {
                Type::Token => return RustType::String,
                // Another name for something may be one for what it stands in.
                Type::Object(_) | Type::Ref(_) => {}
                Type::Union(union) => return self.generated(target, !union.refs.is_empty()),
                Type::String(text) => {
                    return self.generated(target, text.allowed.is_empty() && names_values(text));
                }
                _ => return self.generated(target, false),
            },
            _ => return RustType::Runtime("Unknown"),
        }
        let ty = self.generated(target, false);
        match within {
            Some(from) if self.context.containment.is_recursive(from, target) => {
                RustType::Boxed(Box::new(ty))
            }
            _ => ty,
        }
    }

    fn generated(&self, target: &DefId, into: bool) -> RustType {
        let module = (target.nsid != self.document.id).then(|| self.context.names.module_of(&target.nsid));
        RustType::Generated { module, name: self.context.names.definition(target), into }
    }

    /// Whether a field's type is a struct, under whatever name.
    fn is_struct(&self, ty: &Type) -> bool {
        let Type::Ref(reference) = ty else { return matches!(ty, Type::Object(_)) };
        let mut target = reference.resolve(&self.document.id);
        // The catalog has ended circles of names.
        while let Some(Definition::Schema(Schema { ty: Type::Ref(reference), .. })) =
            self.context.catalog.definition(&target)
        {
            target = reference.resolve(&target.nsid);
        }
        self.is_object(&target)
    }

    fn is_object(&self, target: &DefId) -> bool {
        match self.context.catalog.definition(target) {
            Some(Definition::Record(_)) => true,
            Some(Definition::Schema(schema)) => matches!(schema.ty, Type::Object(_)),
            _ => false,
        }
    }
}

/// The constructor's arguments in the order of `required`: that of the properties is lost where keys are sorted.
fn arguments(object: &Object, fields: &[Field]) -> Vec<usize> {
    let mut arguments = Vec::new();
    for key in &object.required {
        let at = fields.iter().position(|field| field.key == *key && field.constant.is_none());
        arguments.extend(at.filter(|at| !arguments.contains(at)));
    }
    arguments
}

/// A string, or the variant that stands for it in a closed set.
fn literal(text: &Text, value: Option<&String>) -> Option<Literal> {
    let value = value?.clone();
    if text.allowed.is_empty() || !names_values(text) {
        return Some(Literal::Text(value));
    }
    let at = text.allowed.iter().position(|it| *it == value)?;
    let name = spelling::value_names(&text.allowed).swap_remove(at);
    Some(Literal::Variant { text: value, name })
}

fn values(ty: &Type) -> (Option<Literal>, Option<Literal>) {
    match ty {
        Type::Boolean(it) => (it.constant.map(Literal::Boolean), it.default.map(Literal::Boolean)),
        Type::Integer(it) => (it.constant.map(Literal::Integer), it.default.map(Literal::Integer)),
        Type::String(it) => (literal(it, it.constant.as_ref()), literal(it, it.default.as_ref())),
        _ => (None, None),
    }
}
