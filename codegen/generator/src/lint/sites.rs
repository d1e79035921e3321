//! Everything in a document that has a type, with its place and what it is used for.

use std::collections::{HashMap, HashSet};

use super::source::Node;
use crate::document::{Body, DefId, Definition, Document, Object, Params, Reference, Schema, Type, Union};

/// What data of a type is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Use {
    /// Records.
    pub(super) in_record: bool,
    /// Outputs of methods.
    pub(super) in_output: bool,
}

/// What a schema is in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// An entry of `defs`.
    Definition,
    /// A property of an object, required and nullable or not.
    Property { is_required: bool, is_nullable: bool },
    /// A parameter, required or not.
    Parameter { is_required: bool },
    /// The elements of an array.
    Element,
    /// A request or response body.
    Body,
}

/// A schema at its place.
pub(super) struct Site<'a> {
    pub(super) schema: &'a Schema,
    pub(super) node: Node<'a>,
    pub(super) role: Role,
    /// The name of the property or parameter, also for the elements of an array in it.
    pub(super) name: Option<&'a str>,
    pub(super) usage: Use,
    pub(super) is_parameter: bool,
}

/// An object with its place: a definition, a record, a body or a property.
pub(super) struct ObjectSite<'a> {
    pub(super) object: &'a Object,
    pub(super) node: Node<'a>,
    pub(super) usage: Use,
}

/// A union with its place.
pub(super) struct UnionSite<'a> {
    pub(super) union: &'a Union,
    pub(super) node: Node<'a>,
}

/// All of a document.
#[derive(Default)]
pub(super) struct Sites<'a> {
    pub(super) schemas: Vec<Site<'a>>,
    pub(super) objects: Vec<ObjectSite<'a>>,
    pub(super) unions: Vec<UnionSite<'a>>,
    pub(super) references: Vec<&'a Reference>,
}

impl<'a> Sites<'a> {
    pub(super) fn of(document: &'a Document, root: &Node<'a>, uses: &HashMap<DefId, Use>) -> Self {
        let mut sites = Self::default();
        let Some(defs) = root.child("defs") else { return sites };
        for (name, definition) in &document.defs {
            let Some(node) = defs.child(name) else { continue };
            let id = DefId { nsid: document.id.clone(), name: name.clone() };
            let usage = uses.get(&id).copied().unwrap_or_default();
            sites.definition(definition, node, usage);
        }
        sites
    }

    /// Without what has an error of its own: the parser has put something else in its place.
    pub(super) fn without(mut self, wrong: &[String]) -> Self {
        let is_wrong = |node: &Node<'_>| {
            wrong.iter().any(|path| {
                path.strip_prefix(&node.path).is_some_and(|rest| {
                    let inner = ["properties", "items", "schema"].map(|key| format!(".{key}"));
                    rest.is_empty()
                        || (rest.starts_with('.') && !inner.iter().any(|key| rest.starts_with(key)))
                })
            })
        };
        self.schemas.retain(|site| !is_wrong(&site.node));
        self.objects.retain(|site| !is_wrong(&site.node));
        self.unions.retain(|site| !is_wrong(&site.node));
        self
    }

    fn definition(&mut self, definition: &'a Definition, node: Node<'a>, usage: Use) {
        match definition {
            Definition::Record(it) => {
                if let Some(node) = node.child("record") {
                    self.object(&it.object, node, Use { in_record: true, ..usage });
                }
            }
            Definition::Query(it) => {
                self.params(it.parameters.as_ref(), &node);
                self.body(it.output.as_ref(), node.child("output"), Use { in_output: true, ..usage });
            }
            Definition::Procedure(it) => {
                self.params(it.parameters.as_ref(), &node);
                self.body(it.input.as_ref(), node.child("input"), Use::default());
                self.body(it.output.as_ref(), node.child("output"), Use { in_output: true, ..usage });
            }
            Definition::Subscription(it) => {
                self.params(it.parameters.as_ref(), &node);
                let schema = node.child("message").and_then(|node| node.child("schema"));
                if let (Some(message), Some(node)) = (&it.message, schema) {
                    self.union(&message.schema, node);
                }
            }
            Definition::Schema(schema) => {
                let site =
                    Site { schema, node, role: Role::Definition, name: None, usage, is_parameter: false };
                self.schema(site);
            }
            Definition::PermissionSet(_) => {}
        }
    }

    fn params(&mut self, params: Option<&'a Params>, method: &Node<'a>) {
        let properties = method.child("parameters").and_then(|node| node.child("properties"));
        let (Some(params), Some(properties)) = (params, properties) else { return };
        for (name, schema) in &params.properties {
            if let Some(node) = properties.child(name) {
                self.schema(Site {
                    schema,
                    node,
                    role: Role::Parameter { is_required: params.is_required(name) },
                    name: Some(name),
                    usage: Use::default(),
                    is_parameter: true,
                });
            }
        }
    }

    fn body(&mut self, body: Option<&'a Body>, node: Option<Node<'a>>, usage: Use) {
        let schema = body.and_then(|body| body.schema.as_ref());
        if let (Some(schema), Some(node)) = (schema, node.and_then(|node| node.child("schema"))) {
            self.schema(Site { schema, node, role: Role::Body, name: None, usage, is_parameter: false });
        }
    }

    fn object(&mut self, object: &'a Object, node: Node<'a>, usage: Use) {
        for (name, schema) in &object.properties {
            let property = node.child("properties").and_then(|properties| properties.child(name));
            if let Some(node) = property {
                let (is_required, is_nullable) = (object.is_required(name), object.is_nullable(name));
                self.schema(Site {
                    schema,
                    node,
                    role: Role::Property { is_required, is_nullable },
                    name: Some(name),
                    usage,
                    is_parameter: false,
                });
            }
        }
        self.objects.push(ObjectSite { object, node, usage });
    }

    fn union(&mut self, union: &'a Union, node: Node<'a>) {
        self.references.extend(&union.refs);
        self.unions.push(UnionSite { union, node });
    }

    fn schema(&mut self, site: Site<'a>) {
        let node = site.node.clone();
        match &site.schema.ty {
            Type::Object(object) => self.object(object, node, site.usage),
            Type::Union(union) => self.union(union, node),
            Type::Ref(reference) => self.references.push(reference),
            Type::Array(array) => {
                if let Some(node) = node.child("items") {
                    self.schema(Site {
                        schema: &array.items,
                        node,
                        role: Role::Element,
                        name: site.name,
                        usage: site.usage,
                        is_parameter: site.is_parameter,
                    });
                }
            }
            _ => {}
        }
        self.schemas.push(site);
    }
}

/// What the definitions are part of that records and outputs reach.
pub(super) fn uses<'d>(documents: &HashMap<&'d str, &'d Document>) -> HashMap<DefId, Use> {
    let mut uses: HashMap<DefId, Use> = HashMap::new();
    let mut roots: [Vec<DefId>; 2] = [Vec::new(), Vec::new()];
    for document in documents.values() {
        for definition in document.defs.values() {
            let (in_record, output) = match definition {
                Definition::Record(it) => (it.object.references(), None),
                Definition::Query(it) => (Vec::new(), it.output.as_ref()),
                Definition::Procedure(it) => (Vec::new(), it.output.as_ref()),
                _ => continue,
            };
            let output = output.and_then(|body| body.schema.as_ref());
            let in_output = output.map(|schema| schema.ty.references()).unwrap_or_default();
            roots[0].extend(in_record.into_iter().map(|it| it.resolve(&document.id)));
            roots[1].extend(in_output.into_iter().map(|it| it.resolve(&document.id)));
        }
    }
    let [in_records, in_outputs] = roots.map(|roots| reached(documents, roots));
    for id in in_records {
        uses.entry(id).or_default().in_record = true;
    }
    for id in in_outputs {
        uses.entry(id).or_default().in_output = true;
    }
    uses
}

fn reached(documents: &HashMap<&str, &Document>, mut open: Vec<DefId>) -> HashSet<DefId> {
    let mut reached = HashSet::new();
    while let Some(id) = open.pop() {
        if !reached.insert(id.clone()) {
            continue;
        }
        let definition = documents.get(id.nsid.as_str()).and_then(|document| document.defs.get(&id.name));
        let references = match definition {
            Some(Definition::Schema(schema)) => schema.ty.references(),
            // A record inside something else is checked as a record.
            _ => continue,
        };
        open.extend(references.into_iter().map(|reference| reference.resolve(&id.nsid)));
    }
    reached
}
