//! From documents to the model.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    Body, Field, Group, Item, Literal, Method, MethodKind, Model, Module, NamedValue, Names, Pages, Presence,
    RustType, Strings, Struct, StructKind, Union, Variant, boxing::Containment, docs, names, reach, rules,
};
use crate::{
    catalog::Catalog,
    document::{
        self, DefId, Definition, Document, ErrorName, Format, Object, Params, RecordKey, Schema, Text, Type,
    },
};

/// Lowers every document.
pub fn lower(catalog: &Catalog) -> Model {
    let names = Names::choose(catalog);
    let containment = Containment::of(catalog);
    let (sent, stored) = (reach::sent_definitions(catalog), reach::stored_definitions(catalog));
    let context = Context { catalog, names: &names, containment: &containment, sent: &sent, stored: &stored };
    let modules: Vec<Module> = catalog.documents().map(|document| context.module(document)).collect();
    let groups = groups(&modules);
    Model { modules, groups }
}

fn groups(modules: &[Module]) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (at, module) in modules.iter().enumerate() {
        let callable = module.method.as_ref().is_some_and(|method| method.kind != MethodKind::Subscription);
        if let (true, Some((name, path))) = (callable, module.path.split_last()) {
            let group = groups.entry(names::group(&module.nsid).to_owned()).or_insert_with(|| Group {
                path: path.to_vec(),
                accessor: path.join("_"),
                name: names::type_name(&path.join("_")),
                methods: Vec::new(),
            });
            group.methods.push((at, name.clone()));
        }
    }
    groups
}

/// What all documents share.
struct Context<'a> {
    catalog: &'a Catalog,
    names: &'a Names,
    containment: &'a Containment,
    sent: &'a HashSet<DefId>,
    stored: &'a HashSet<DefId>,
}

impl<'a> Context<'a> {
    fn module(&'a self, document: &'a Document) -> Module {
        let mut builder = ModuleBuilder {
            context: self,
            document,
            taken: self.names.taken(&document.id),
            definition: DefId { nsid: document.id.clone(), name: "main".to_owned() },
            sent: false,
            items: Vec::new(),
        };
        let method = builder.definitions();
        let mut docs = vec![format!("`{}`", document.id)];
        docs.extend(document.description.as_deref().map(docs::sentence));
        let main = document.defs.get("main").filter(|main| main.is_primary());
        let mut main_docs: Vec<String> =
            main.and_then(Definition::description).map(docs::sentence).into_iter().collect();
        main_docs.push(format!("`{}`", document.id));
        Module {
            nsid: document.id.clone(),
            main_docs,
            path: self.names.module(&document.id),
            docs,
            items: builder.items,
            method,
        }
    }
}

/// Collects the items of one document.
struct ModuleBuilder<'a> {
    context: &'a Context<'a>,
    document: &'a Document,
    taken: BTreeSet<String>,
    /// The definition at hand, for recursion.
    definition: DefId,
    /// Whether the definition at hand is something that callers send.
    sent: bool,
    items: Vec<Item>,
}

impl ModuleBuilder<'_> {
    fn definitions(&mut self) -> Option<Method> {
        let document = self.document;
        let mut method = None;
        for (name, definition) in &document.defs {
            self.definition = DefId { nsid: document.id.clone(), name: name.clone() };
            self.sent = self.context.sent.contains(&self.definition);
            let type_name = self.context.names.definition(&self.definition);
            let docs = self.definition_docs(definition);
            match definition {
                Definition::Record(record) => self.record(&type_name, docs, record),
                Definition::Schema(schema) => self.schema(&type_name, docs, schema),
                Definition::PermissionSet(it) => {
                    let permissions = it.permissions.clone();
                    self.items.push(Item::PermissionSet { name: type_name, docs, permissions });
                }
                Definition::Query(it) => {
                    let output = it.output.as_ref();
                    method = Some(self.method(
                        MethodKind::Query,
                        it.parameters.as_ref(),
                        None,
                        output,
                        &it.errors,
                    ));
                }
                Definition::Procedure(it) => {
                    let (input, output) = (it.input.as_ref(), it.output.as_ref());
                    let parameters = it.parameters.as_ref();
                    method = Some(self.method(MethodKind::Procedure, parameters, input, output, &it.errors));
                }
                Definition::Subscription(it) => {
                    method = Some(self.method(
                        MethodKind::Subscription,
                        it.parameters.as_ref(),
                        None,
                        None,
                        &it.errors,
                    ));
                    self.message(it);
                }
            }
        }
        method
    }

    fn definition_docs(&self, definition: &Definition) -> Vec<String> {
        let mut docs: Vec<String> = definition.description().map(docs::sentence).into_iter().collect();
        let id = &self.definition;
        match definition {
            Definition::Record(record) => {
                docs.push(format!("Record `{id}`, record key: `{}`.", key_text(&record.key)));
            }
            _ => docs.push(format!("`{id}`")),
        }
        docs
    }

    fn record(&mut self, name: &str, docs: Vec<String>, record: &document::Record) {
        let kind = StructKind::Record { key: key_text(&record.key) };
        self.structure(name, docs, kind, &record.object);
    }

    fn schema(&mut self, name: &str, mut docs: Vec<String>, schema: &Schema) {
        match &schema.ty {
            Type::Object(object) => self.structure(name, docs, StructKind::Object, object),
            Type::Union(union) if !union.refs.is_empty() => self.union(name, docs, union),
            Type::String(text) if names_values(text) => self.strings(name, docs, text),
            Type::Token => {
                let value = self.definition.to_string();
                self.items.push(Item::Token { name: name.to_owned(), docs, value });
            }
            ty => {
                let facts = docs::facts(ty);
                docs.extend((!facts.is_empty()).then_some(facts));
                let ty = self.ty(ty, name);
                self.items.push(Item::Alias { name: name.to_owned(), docs, ty });
            }
        }
    }

    /// A struct; one without a name of its own in the lexicon is known by its owner's.
    fn structure(&mut self, name: &str, docs: Vec<String>, kind: StructKind, object: &Object) {
        let fields = object.properties.iter().map(|(key, schema)| {
            let presence = match (object.is_required(key), object.is_nullable(key)) {
                (true, _) => Presence::Required,
                (false, false) => Presence::Optional,
                (false, true) => Presence::OptionalNullable,
            };
            (key, schema, presence, object.is_nullable(key))
        });
        let fields: Vec<_> = fields.collect();
        // The struct stands before the types that its fields need.
        let at = self.items.len();
        let fields = self.fields(name, fields);
        let id = self.definition.to_string();
        let (sent, stored) = (self.sent, self.context.stored.contains(&self.definition));
        let item = Struct { name: name.to_owned(), docs, id, kind, fields, sent, stored };
        self.items.insert(at, Item::Struct(item));
    }

    fn fields(&mut self, owner: &str, fields: Vec<(&String, &Schema, Presence, bool)>) -> Vec<Field> {
        let mut taken = BTreeSet::new();
        fields
            .into_iter()
            .map(|(key, schema, presence, nullable)| {
                let ty =
                    self.ty(&schema.ty, &format!("{owner}{}", names::type_name(key).trim_end_matches("Def")));
                // One that is often absent would take its whole room in every object that it is a field of.
                let ty = match ty {
                    ty @ RustType::Generated { .. }
                        if presence != Presence::Required && self.is_struct(&schema.ty) =>
                    {
                        RustType::Boxed(Box::new(ty))
                    }
                    ty => ty,
                };
                let ty = if nullable { RustType::Nullable(Box::new(ty)) } else { ty };
                let (constant, default) = values(&schema.ty);
                Field {
                    ident: names::free(names::field_name(key), &mut taken),
                    key: key.clone(),
                    docs: docs::of_field(key, schema),
                    ty,
                    presence,
                    constant,
                    default,
                    rules: rules::of(&schema.ty, &self.document.id, self.context.catalog),
                }
            })
            .collect()
    }

    fn params(&mut self, params: &Params) {
        let fields = params.properties.iter().map(|(key, schema)| {
            let presence = if params.is_required(key) { Presence::Required } else { Presence::Optional };
            (key, schema, presence, false)
        });
        let fields: Vec<_> = fields.collect();
        let at = self.items.len();
        let fields = self.fields("Params", fields);
        let mut docs = vec![format!("The parameters of `{}`.", self.document.id)];
        docs.extend(params.description.as_deref().map(docs::sentence));
        let (id, kind, sent, stored) = (self.definition.to_string(), StructKind::Params, true, false);
        self.items.insert(
            at,
            Item::Struct(Struct { name: "Params".to_owned(), docs, id, kind, fields, sent, stored }),
        );
    }

    fn union(&mut self, name: &str, docs: Vec<String>, union: &document::Union) {
        let targets: Vec<DefId> = union
            .refs
            .iter()
            .map(|reference| reference.resolve(&self.document.id))
            // Anything but objects and records has no `$type` to be told by; the catalog has warned.
            .filter(|target| self.is_object(target))
            .collect();
        let names = names::variant_names(&targets, &self.document.id);
        let variants = targets
            .into_iter()
            .zip(names)
            .map(|(target, name)| Variant {
                name,
                tag: target.to_string(),
                ty: self.generated(&target, false),
            })
            .collect();
        self.items.push(Item::Union(Union { name: name.to_owned(), docs, closed: union.closed, variants }));
    }

    fn strings(&mut self, name: &str, docs: Vec<String>, text: &Text) {
        let closed = !text.allowed.is_empty();
        let texts = if closed { &text.allowed } else { &text.known_values };
        let mut seen = HashSet::new();
        let texts: Vec<String> = texts.iter().filter(|text| seen.insert(*text)).cloned().collect();
        let values = names::value_names(&texts, &self.document.id)
            .into_iter()
            .zip(texts)
            .map(|(name, text)| NamedValue { name, docs: vec![format!("`{text}`")], text })
            .collect();
        self.items.push(Item::Strings(Strings { name: name.to_owned(), docs, closed, values }));
    }

    fn method(
        &mut self,
        kind: MethodKind,
        params: Option<&Params>,
        input: Option<&document::Body>,
        output: Option<&document::Body>,
        errors: &[ErrorName],
    ) -> Method {
        let params = params.filter(|params| !params.properties.is_empty());
        if let Some(params) = params {
            self.sent = true;
            self.params(params);
        }
        self.sent = true;
        let input_kind = self.body("Input", "The input", input);
        self.sent = false;
        let output_kind = self.body("Output", "The output", output);
        if !errors.is_empty() {
            self.errors(errors);
        }
        let pages = if kind == MethodKind::Query { self.pages(params, output) } else { None };
        Method {
            name: self.context.names.definition(&self.definition),
            kind,
            has_params: params.is_some(),
            input: input_kind,
            output: output_kind,
            has_errors: !errors.is_empty(),
            pages,
        }
    }

    fn body(&mut self, name: &str, title: &str, body: Option<&document::Body>) -> Body {
        let Some(body) = body else { return Body::Empty };
        if body.encoding != "application/json" {
            return Body::Raw(body.encoding.clone());
        }
        let mut docs = vec![format!("{title} of `{}`.", self.document.id)];
        docs.extend(body.description.as_deref().map(docs::sentence));
        match &body.schema {
            None => {
                let ty = RustType::Runtime("Unknown");
                self.items.push(Item::Alias { name: name.to_owned(), docs, ty });
            }
            Some(schema) => {
                docs.extend(schema.description.as_deref().map(docs::sentence));
                match &schema.ty {
                    Type::Object(object) => self.structure(name, docs, StructKind::Object, object),
                    Type::Union(union) if !union.refs.is_empty() => self.union(name, docs, union),
                    ty => {
                        let ty = self.ty(ty, &format!("{name}Value"));
                        self.items.push(Item::Alias { name: name.to_owned(), docs, ty });
                    }
                }
            }
        }
        Body::Json
    }

    fn errors(&mut self, errors: &[ErrorName]) {
        let mut taken = BTreeSet::new();
        let values = errors
            .iter()
            .map(|error| {
                let mut docs: Vec<String> =
                    error.description.as_deref().map(docs::sentence).into_iter().collect();
                docs.push(format!("`{}`", error.name));
                let name = names::free(names::variant_name(&error.name), &mut taken);
                NamedValue { name, text: error.name.clone(), docs }
            })
            .collect();
        self.items.push(Item::Errors(values));
    }

    fn message(&mut self, subscription: &document::Subscription) {
        let mut docs = vec![format!("A message of `{}`.", self.document.id)];
        match &subscription.message {
            Some(message) if !message.schema.refs.is_empty() => {
                docs.extend(message.description.as_deref().map(docs::sentence));
                self.union("Message", docs, &message.schema);
            }
            _ => {
                let ty = RustType::Runtime("Unknown");
                self.items.push(Item::Alias { name: "Message".to_owned(), docs, ty });
            }
        }
    }

    /// A query is paginated if it has a cursor on both sides and exactly one array in its output.
    fn pages(&mut self, params: Option<&Params>, output: Option<&document::Body>) -> Option<Pages> {
        let params = params?;
        let schema = output?.schema.as_ref()?;
        let here = DefId { nsid: self.document.id.clone(), name: "main".to_owned() };
        let (object, home) = match &schema.ty {
            Type::Object(object) => (object, here),
            Type::Ref(reference) => {
                let target = reference.resolve(&self.document.id);
                match self.context.catalog.definition(&target)? {
                    Definition::Schema(Schema { ty: Type::Object(object), .. }) => (object, target),
                    _ => return None,
                }
            }
            _ => return None,
        };
        let is_text = |schema: &Schema| matches!(schema.ty, Type::String(_));
        if !params.properties.get("cursor").is_some_and(is_text)
            || !object.properties.get("cursor").is_some_and(is_text)
        {
            return None;
        }
        let mut arrays = object.properties.iter().filter(|(_, schema)| matches!(schema.ty, Type::Array(_)));
        let (key, schema) = arrays.next()?;
        let Type::Array(array) = &schema.ty else { return None };
        if arrays.next().is_some() || object.is_nullable(key) || object.is_nullable("cursor") {
            return None;
        }
        Some(Pages {
            cursor_required: params.is_required("cursor"),
            output_cursor_required: object.is_required("cursor"),
            items: names::field_name(key),
            items_required: object.is_required(key),
            item: self.item_type(key, &array.items.ty, &home)?,
        })
    }

    /// The element type of the array under `key` of an output.
    fn item_type(&self, key: &str, items: &Type, home: &DefId) -> Option<RustType> {
        let own = self.items.iter().find_map(|item| match item {
            Item::Struct(it) if it.name == "Output" => it.fields.iter().find(|field| field.key == key),
            _ => None,
        });
        match (own.map(|field| &field.ty), items) {
            (Some(RustType::Vec(item)), _) => Some((**item).clone()),
            (_, Type::Ref(reference)) => Some(self.reference(&reference.resolve(&home.nsid), None)),
            (_, ty) => plain(ty),
        }
    }

    /// The Rust type of a field; types without a name of their own in the lexicon get `hint`.
    fn ty(&mut self, ty: &Type, hint: &str) -> RustType {
        if let Some(ty) = plain(ty) {
            return ty;
        }
        match ty {
            Type::Array(array) => match self.ty(&array.items.ty, &format!("{hint}Item")) {
                // An array ends a recursion by itself.
                RustType::Boxed(item) => RustType::Vec(item),
                item => RustType::Vec(Box::new(item)),
            },
            Type::Ref(reference) => {
                let target = reference.resolve(&self.document.id);
                self.reference(&target, Some(&self.definition))
            }
            Type::Object(object) => {
                let name = names::free(hint.to_owned(), &mut self.taken);
                self.structure(
                    &name,
                    vec![format!("Part of `{}`.", self.definition)],
                    StructKind::Object,
                    object,
                );
                RustType::Generated { module: None, name, into: false }
            }
            Type::Union(union) => {
                let name = names::free(hint.to_owned(), &mut self.taken);
                self.union(&name, vec![format!("Part of `{}`.", self.definition)], union);
                RustType::Generated { module: None, name, into: true }
            }
            Type::String(text) => {
                let name = names::free(hint.to_owned(), &mut self.taken);
                self.strings(&name, vec![format!("Part of `{}`.", self.definition)], text);
                RustType::Generated { module: None, name, into: text.allowed.is_empty() }
            }
            _ => RustType::Runtime("Unknown"),
        }
    }

    /// The type behind a ref; boxed where the definition it stands in would contain itself.
    fn reference(&self, target: &DefId, within: Option<&DefId>) -> RustType {
        match self.context.catalog.definition(target) {
            Some(Definition::Record(_)) => {}
            Some(Definition::Schema(schema)) => match &schema.ty {
                Type::Token => return RustType::String,
                Type::Object(_) => {}
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
        let module = (target.nsid != self.document.id).then(|| self.context.names.module(&target.nsid));
        RustType::Generated { module, name: self.context.names.definition(target), into }
    }

    /// Whether a field's type is a struct.
    fn is_struct(&self, ty: &Type) -> bool {
        match ty {
            Type::Object(_) => true,
            Type::Ref(reference) => self.is_object(&reference.resolve(&self.document.id)),
            _ => false,
        }
    }

    fn is_object(&self, target: &DefId) -> bool {
        match self.context.catalog.definition(target) {
            Some(Definition::Record(_)) => true,
            Some(Definition::Schema(schema)) => matches!(schema.ty, Type::Object(_)),
            _ => false,
        }
    }
}

/// The Rust type of what needs no item of its own.
fn plain(ty: &Type) -> Option<RustType> {
    Some(match ty {
        Type::Boolean(_) => RustType::Bool,
        Type::Integer(_) => RustType::Integer,
        Type::String(text) if names_values(text) => return None,
        Type::String(text) => match text.format {
            None => RustType::String,
            Some(format) => RustType::Runtime(runtime_name(format)),
        },
        Type::Bytes(_) => RustType::Runtime("Bytes"),
        Type::CidLink => RustType::Runtime("CidLink"),
        Type::Blob(_) => RustType::Runtime("Blob"),
        Type::Token => RustType::String,
        Type::Unknown | Type::Params(_) => RustType::Runtime("Unknown"),
        // An open union of nothing is any object with `$type`.
        Type::Union(union) if union.refs.is_empty() => RustType::Runtime("Unknown"),
        Type::Array(array) => RustType::Vec(Box::new(plain(&array.items.ty)?)),
        Type::Ref(_) | Type::Object(_) | Type::Union(_) => return None,
    })
}

/// Whether a string becomes an enum: it names values, and no format has a say.
fn names_values(text: &Text) -> bool {
    text.format.is_none() && !(text.known_values.is_empty() && text.allowed.is_empty())
}

fn runtime_name(format: Format) -> &'static str {
    match format {
        Format::AtIdentifier => "AtIdentifier",
        Format::AtUri => "AtUri",
        Format::Cid => "Cid",
        Format::Datetime => "Datetime",
        Format::Did => "Did",
        Format::Handle => "Handle",
        Format::Nsid => "Nsid",
        Format::Tid => "Tid",
        Format::RecordKey => "RecordKey",
        Format::Uri => "Uri",
        Format::Language => "Language",
    }
}

fn values(ty: &Type) -> (Option<Literal>, Option<Literal>) {
    match ty {
        Type::Boolean(it) => (it.constant.map(Literal::Boolean), it.default.map(Literal::Boolean)),
        Type::Integer(it) => (it.constant.map(Literal::Integer), it.default.map(Literal::Integer)),
        Type::String(it) => (it.constant.clone().map(Literal::Text), it.default.clone().map(Literal::Text)),
        _ => (None, None),
    }
}

fn key_text(key: &RecordKey) -> String {
    match key {
        RecordKey::Tid => "tid".to_owned(),
        RecordKey::Nsid => "nsid".to_owned(),
        RecordKey::Any => "any".to_owned(),
        RecordKey::Literal(value) => format!("literal:{value}"),
    }
}
