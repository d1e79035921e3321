//! The types that methods send and receive. Documents and model are walked side by side: keys and values come from the
//! documents, Rust names from the model.

use std::collections::{BTreeMap, HashMap, HashSet};

use atproto_sdk_codegen::{
    catalog::Catalog,
    document::{self, DefId, Definition, ErrorName, Object, Params, Text, Type, Union},
    model::{self, Field, Item, Method, Model, Module, RustType, Struct},
};

use super::{WireError, module_of};

/// Everything that the wire tests need, by the path of its module below `api`.
#[derive(Debug, Default)]
pub(super) struct Reached<'m> {
    pub(super) types: BTreeMap<Vec<String>, Vec<Reachable<'m>>>,
    pub(super) methods: BTreeMap<String, ReachedMethod<'m>>,
}

/// A method with what its document says about it.
#[derive(Debug)]
pub(super) struct ReachedMethod<'m> {
    pub(super) method: &'m Method,
    /// Names in the document, and the variants of the generated `Error`.
    pub(super) errors: Vec<(String, &'m str)>,
    /// Whether callers choose the content type.
    pub(super) chooses_type: bool,
}

/// A generated type whose values have to be made.
#[derive(Debug)]
pub(super) enum Reachable<'m> {
    /// A struct: its fields, by the keys of the document.
    Struct {
        it: &'m Struct,
        fields: Vec<(String, &'m Field)>,
        /// The arguments of its constructor, in the order of the document's `required`.
        arguments: Vec<(String, &'m Field)>,
    },
    /// A union: its variants, by their `$type`.
    Union { name: &'m str, closed: bool, variants: Vec<(String, &'m str)> },
    /// A string with named values.
    Strings { name: &'m str, closed: bool, values: Vec<(String, &'m str)> },
}

/// Follows every method to the types of its parameters, input and output.
pub(super) fn from_methods<'m>(catalog: &'m Catalog, model: &'m Model) -> Result<Reached<'m>, WireError> {
    let modules = model.modules.iter().map(|module| (module.nsid.as_str(), module)).collect();
    let mut walk = Walk {
        catalog,
        model,
        modules,
        method: String::new(),
        seen: HashSet::new(),
        reached: Reached::default(),
    };
    for document in catalog.documents() {
        walk.method.clone_from(&document.id);
        match document.defs.get("main") {
            Some(Definition::Query(it)) => {
                walk.method(&document.id, it.parameters.as_ref(), None, it.output.as_ref(), &it.errors)?;
            }
            Some(Definition::Procedure(it)) => {
                let (input, output) = (it.input.as_ref(), it.output.as_ref());
                walk.method(&document.id, it.parameters.as_ref(), input, output, &it.errors)?;
            }
            _ => {}
        }
    }
    Ok(walk.reached)
}

struct Walk<'m> {
    catalog: &'m Catalog,
    model: &'m Model,
    modules: HashMap<&'m str, &'m Module>,
    /// The method at hand, for errors.
    method: String,
    seen: HashSet<(Vec<String>, String)>,
    reached: Reached<'m>,
}

impl<'m> Walk<'m> {
    fn wrong(&self, place: impl Into<String>, problem: &'static str) -> WireError {
        WireError { method: self.method.clone(), place: place.into(), problem }
    }

    fn method(
        &mut self,
        nsid: &str,
        params: Option<&'m Params>,
        input: Option<&'m document::Body>,
        output: Option<&'m document::Body>,
        errors: &[ErrorName],
    ) -> Result<(), WireError> {
        let module = *self.modules.get(nsid).ok_or_else(|| self.wrong(nsid, "not in the model"))?;
        let method = module.method.as_ref().ok_or_else(|| self.wrong(nsid, "no method in the model"))?;
        if let Some(params) = params {
            let item = item(module, "Params").ok_or_else(|| self.wrong("Params", "missing"))?;
            let object = (&params.properties, params.required.as_slice());
            self.structure(module, item, object, nsid)?;
        }
        for (name, body) in [("Input", input), ("Output", output)] {
            if let Some(schema) =
                body.filter(|it| it.encoding == "application/json").and_then(|it| it.schema.as_ref())
            {
                let rust = RustType::Generated { module: None, name: name.to_owned(), into: false };
                self.visit(module, &rust, &schema.ty, nsid)?;
            }
        }
        let variants = module.items.iter().find_map(|item| match item {
            Item::Errors { values, .. } => Some(values.as_slice()),
            _ => None,
        });
        let variants = variants.unwrap_or_default();
        if variants.len() != errors.len() {
            return Err(self.wrong("Error", "not what the document names"));
        }
        let errors = errors
            .iter()
            .zip(variants)
            .map(|(error, variant)| (error.name.clone(), variant.name.as_str()))
            .collect();
        let chooses_type = input.is_some_and(|body| body.encoding.contains('*'));
        self.reached.methods.insert(nsid.to_owned(), ReachedMethod { method, errors, chooses_type });
        Ok(())
    }

    /// A type as it is seen in `module`, and what the document `nsid` says about it.
    fn visit(
        &mut self,
        module: &'m Module,
        rust: &RustType,
        ty: &'m Type,
        nsid: &str,
    ) -> Result<(), WireError> {
        match (rust, ty) {
            (RustType::Vec(rust), Type::Array(array)) => self.visit(module, rust, &array.items.ty, nsid),
            (RustType::Boxed(rust) | RustType::Nullable(rust), ty) => self.visit(module, rust, ty, nsid),
            (RustType::Generated { module: path, name, .. }, ty) => {
                let module = match path {
                    None => module,
                    Some(path) => {
                        let found = module_of(self.model, path);
                        found.ok_or_else(|| self.wrong(path.join("."), "not in the model"))?
                    }
                };
                self.item(module, name, ty, nsid)
            }
            _ => Ok(()),
        }
    }

    fn item(&mut self, module: &'m Module, name: &str, ty: &'m Type, nsid: &str) -> Result<(), WireError> {
        let item = item(module, name).ok_or_else(|| self.wrong(name, "not in its module"))?;
        if !matches!(item, Item::Alias { .. }) && !self.seen.insert((module.path.clone(), name.to_owned())) {
            return Ok(());
        }
        let (ty, nsid) = match ty {
            Type::Ref(reference) => {
                let target = reference.resolve(nsid);
                match self.catalog.definition(&target) {
                    Some(Definition::Record(record)) => {
                        let object = (&record.object.properties, record.object.required.as_slice());
                        return self.structure(module, item, object, &target.nsid);
                    }
                    Some(Definition::Schema(schema)) => (&schema.ty, target.nsid),
                    _ => return Err(self.wrong(name, "behind a ref to no type")),
                }
            }
            ty => (ty, nsid.to_owned()),
        };
        match (item, ty) {
            // The name of another type.
            (Item::Alias { ty: rust, .. }, ty) => self.visit(module, rust, ty, &nsid),
            (Item::Struct(_), Type::Object(Object { properties, required, .. })) => {
                self.structure(module, item, (properties, required.as_slice()), &nsid)
            }
            (Item::Union(it), Type::Union(union)) => self.union(module, it, union, &nsid),
            (Item::Strings(it), Type::String(text)) => self.strings(module, it, text),
            _ => Err(self.wrong(name, "of another kind than in the document")),
        }
    }

    fn structure(
        &mut self,
        module: &'m Module,
        item: &'m Item,
        (properties, required): (&'m indexmap::IndexMap<String, document::Schema>, &'m [String]),
        nsid: &str,
    ) -> Result<(), WireError> {
        let Item::Struct(it) = item else { return Err(self.wrong(nsid, "no struct in the model")) };
        if it.fields.len() != properties.len() {
            return Err(self.wrong(&it.name, "without some of the document's properties"));
        }
        // By their places: the model's keys are among what is tested.
        let fields: Vec<(String, &Field)> = properties.keys().cloned().zip(&it.fields).collect();
        let mut arguments: Vec<(String, &Field)> = Vec::new();
        for key in required {
            let field = fields.iter().find(|(it, field)| it == key && field.constant.is_none());
            let is_new = !arguments.iter().any(|(it, _)| it == key);
            arguments.extend(field.filter(|_| is_new).cloned());
        }
        let nested: Vec<(&RustType, &Type)> = it
            .fields
            .iter()
            .map(|field| &field.ty)
            .zip(properties.values().map(|schema| &schema.ty))
            .collect();
        self.add(module, Reachable::Struct { it, fields, arguments });
        nested.into_iter().try_for_each(|(rust, ty)| self.visit(module, rust, ty, nsid))
    }

    fn union(
        &mut self,
        module: &'m Module,
        it: &'m model::Union,
        union: &'m Union,
        nsid: &str,
    ) -> Result<(), WireError> {
        let targets: Vec<DefId> = union.refs.iter().map(|reference| reference.resolve(nsid)).collect();
        if targets.len() != it.variants.len() {
            return Err(self.wrong(&it.name, "without some of the document's variants"));
        }
        let variants =
            targets.iter().map(ToString::to_string).zip(it.variants.iter().map(|it| it.name.as_str()));
        self.add(
            module,
            Reachable::Union { name: &it.name, closed: union.closed, variants: variants.collect() },
        );
        for (target, variant) in targets.iter().zip(&it.variants) {
            let (RustType::Generated { module: path, name, .. }, Some(definition)) =
                (&variant.ty, self.catalog.definition(target))
            else {
                return Err(self.wrong(&it.name, "a union of something else than definitions"));
            };
            let module = path.as_deref().map_or(Some(module), |path| module_of(self.model, path));
            let module = module.ok_or_else(|| self.wrong(name, "not in the model"))?;
            if !self.seen.insert((module.path.clone(), name.clone())) {
                continue;
            }
            let found = item(module, name).ok_or_else(|| self.wrong(name, "not in its module"))?;
            let object = match definition {
                Definition::Record(record) => &record.object,
                Definition::Schema(document::Schema { ty: Type::Object(object), .. }) => object,
                _ => return Err(self.wrong(name, "of another kind than in the document")),
            };
            self.structure(module, found, (&object.properties, object.required.as_slice()), &target.nsid)?;
        }
        Ok(())
    }

    fn strings(&mut self, module: &'m Module, it: &'m model::Strings, text: &Text) -> Result<(), WireError> {
        let closed = !text.allowed.is_empty();
        let mut texts: Vec<String> = Vec::new();
        for text in if closed { &text.allowed } else { &text.known_values } {
            if !texts.contains(text) {
                texts.push(text.clone());
            }
        }
        if texts.len() != it.values.len() {
            return Err(self.wrong(&it.name, "without some of the document's values"));
        }
        let values = texts.into_iter().zip(it.values.iter().map(|value| value.name.as_str())).collect();
        self.add(module, Reachable::Strings { name: &it.name, closed, values });
        Ok(())
    }

    fn add(&mut self, module: &Module, found: Reachable<'m>) {
        self.reached.types.entry(module.path.clone()).or_default().push(found);
    }
}

fn item<'m>(module: &'m Module, name: &str) -> Option<&'m Item> {
    module.items.iter().find(|item| match item {
        Item::Struct(it) => it.name == name,
        Item::Union(it) => it.name == name,
        Item::Strings(it) => it.name == name,
        Item::Alias { name: found, .. } => found == name,
        _ => false,
    })
}
