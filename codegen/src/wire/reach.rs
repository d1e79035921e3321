//! The types that methods send and receive. Documents and model are walked side by side: keys and values come from the
//! documents, Rust names from the model.

use std::collections::{BTreeMap, HashMap, HashSet};

use atproto_sdk_codegen::{
    catalog::Catalog,
    document::{Body, DefId, Definition, ErrorName, Object, Params, Schema, Text, Type, Union},
    model::{self, Field, Item, Method, Model, Module, RustType, Struct},
};

use indexmap::IndexMap;

use super::WireError;

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
        input: Option<&'m Body>,
        output: Option<&'m Body>,
        errors: &[ErrorName],
    ) -> Result<(), WireError> {
        let module = *self.modules.get(nsid).ok_or_else(|| self.wrong(nsid, "not in the model"))?;
        let method = module.method.as_ref().ok_or_else(|| self.wrong(nsid, "no method in the model"))?;
        if let Some(params) = params {
            self.fields(module, "Params", (&params.properties, &params.required), nsid)?;
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
                let module = self.module(module, path.as_ref().map(|it| it.segments.as_slice()))?;
                match ty {
                    Type::Ref(reference) => self.definition(module, name, &reference.resolve(nsid)),
                    ty => self.item(module, name, ty, nsid),
                }
            }
            _ => Ok(()),
        }
    }

    /// The module that a type of `here` stands in.
    fn module(&self, here: &'m Module, path: Option<&[String]>) -> Result<&'m Module, WireError> {
        let Some(path) = path else { return Ok(here) };
        let found = self.model.modules.iter().find(|module| module.path == path);
        found.ok_or_else(|| self.wrong(path.join("."), "not in the model"))
    }

    /// What a ref leads to.
    fn definition(&mut self, module: &'m Module, name: &str, target: &DefId) -> Result<(), WireError> {
        match self.catalog.definition(target) {
            Some(Definition::Record(record)) => self.structure(module, name, &record.object, &target.nsid),
            Some(Definition::Schema(schema)) => self.item(module, name, &schema.ty, &target.nsid),
            _ => Err(self.wrong(name, "behind a ref to no type")),
        }
    }

    fn item(&mut self, module: &'m Module, name: &str, ty: &'m Type, nsid: &str) -> Result<(), WireError> {
        if let Type::Object(object) = ty {
            return self.structure(module, name, object, nsid);
        }
        let Some(item) = self.new_item(module, name)? else { return Ok(()) };
        match (item, ty) {
            // The name of another type.
            (Item::Alias { ty: rust, .. }, ty) => self.visit(module, rust, ty, nsid),
            (Item::Union(it), Type::Union(union)) => self.union(module, it, union, nsid),
            (Item::Strings(it), Type::String(text)) => self.strings(module, it, text),
            _ => Err(self.wrong(name, "of another kind than in the document")),
        }
    }

    /// The item of that name, or `None` if it has been here before.
    fn new_item(&mut self, module: &'m Module, name: &str) -> Result<Option<&'m Item>, WireError> {
        let is_it = |item: &&Item| match item {
            Item::Struct(it) => it.name == name,
            Item::Union(it) => it.name == name,
            Item::Strings(it) => it.name == name,
            Item::Alias { name: found, .. } => found == name,
            _ => false,
        };
        let item = module.items.iter().find(is_it);
        let item = item.ok_or_else(|| self.wrong(name, "not in its module"))?;
        Ok(self.seen.insert((module.path.clone(), name.to_owned())).then_some(item))
    }

    fn structure(
        &mut self,
        module: &'m Module,
        name: &str,
        object: &'m Object,
        nsid: &str,
    ) -> Result<(), WireError> {
        self.fields(module, name, (&object.properties, &object.required), nsid)
    }

    fn fields(
        &mut self,
        module: &'m Module,
        name: &str,
        (properties, required): (&'m IndexMap<String, Schema>, &'m [String]),
        nsid: &str,
    ) -> Result<(), WireError> {
        let Some(item) = self.new_item(module, name)? else { return Ok(()) };
        let it = match item {
            Item::Struct(it) => it,
            Item::Alias { ty: RustType::Generated { module: path, name, .. }, .. } => {
                let module = self.module(module, path.as_ref().map(|it| it.segments.as_slice()))?;
                return self.fields(module, name, (properties, required), nsid);
            }
            _ => return Err(self.wrong(name, "no struct in the model")),
        };
        if it.fields.len() != properties.len() {
            return Err(self.wrong(name, "without some of the document's properties"));
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
            let RustType::Generated { module: path, name, .. } = &variant.ty else {
                return Err(self.wrong(&it.name, "a union of something else than definitions"));
            };
            let module = self.module(module, path.as_ref().map(|it| it.segments.as_slice()))?;
            self.definition(module, name, target)?;
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
