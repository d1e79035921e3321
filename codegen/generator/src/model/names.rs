//! Which module, definition and inner type has which Rust name. The same documents give the same names, whatever the
//! order in which they are read and in which the keys of their objects stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    ModulePath, places,
    spelling::{by_spelling, constant_name, free, group, joined, last_segment, module_name, type_name},
};
use crate::{
    catalog::{Accessor, Catalog, External},
    document::{DefId, Definition, Document, Type},
    renames::{self, Renames},
};

/// Names of a method's or a subscription's own items.
const METHOD_TYPES: &[&str] = &["Params", "Input", "Output", "Error", "Message"];

/// Chosen names of modules, definitions and the types inside of definitions.
#[derive(Debug)]
pub struct Names {
    modules: HashMap<String, Vec<String>>,
    definitions: HashMap<DefId, String>,
    nested: HashMap<DefId, HashMap<String, String>>,
    fields: BTreeMap<String, String>,
}

/// The names in a catalog and in the crates that its refs lead to.
#[derive(Debug)]
pub struct AllNames {
    own: Names,
    /// In the order of the catalog's externals, with the modules that their bindings are in.
    externals: Vec<(String, Names)>,
    /// Which of the externals a document is in.
    homes: HashMap<String, usize>,
}

impl AllNames {
    /// Chooses names for everything in the catalog.
    pub fn choose(catalog: &Catalog, renames: &Renames) -> Self {
        let of_external = |external: &External| {
            (external.root.clone(), Names::choose(&external.catalog, &external.renames))
        };
        let externals: Vec<(String, Names)> = catalog.externals().iter().map(of_external).collect();
        let nsids = externals.iter().flat_map(|(_, names)| names.modules.keys());
        let homes = nsids.filter_map(|nsid| Some((nsid.clone(), catalog.external_of(nsid)?))).collect();
        Self { own: Names::choose(catalog, renames), externals, homes }
    }

    fn of(&self, nsid: &str) -> (Option<&str>, &Names) {
        match self.homes.get(nsid).and_then(|at| self.externals.get(*at)) {
            Some((root, names)) => (Some(root), names),
            None => (None, &self.own),
        }
    }

    /// The path of the module of one of the catalog's own documents, below the module of all bindings.
    pub fn module(&self, nsid: &str) -> Vec<String> {
        self.own.module(nsid)
    }

    /// Where the module of any document is.
    pub fn module_of(&self, nsid: &str) -> ModulePath {
        let (root, names) = self.of(nsid);
        ModulePath { root: root.map(str::to_owned), segments: names.module(nsid) }
    }

    /// The name of a definition's type or constant.
    pub fn definition(&self, id: &DefId) -> String {
        self.of(&id.nsid).1.definition(id)
    }

    /// The name of a type that has none of its own in the lexicon, by its place in a definition.
    pub fn nested(&self, id: &DefId, place: &str) -> String {
        self.of(&id.nsid).1.nested(id, place)
    }

    /// The name chosen by hand for a field, by its place in a definition.
    pub fn field(&self, id: &DefId, place: &str) -> Option<&str> {
        let fields = &self.of(&id.nsid).1.fields;
        if fields.is_empty() {
            return None;
        }
        fields.get(&renames::field_key(id, place)).map(String::as_str)
    }
}

impl Names {
    /// Chooses names for everything in the catalog.
    pub fn choose(catalog: &Catalog, renames: &Renames) -> Self {
        let nsids: Vec<&str> = catalog.documents().map(|document| document.id.as_str()).collect();
        let modules = module_paths(&nsids, &renames.modules);
        let mut definitions = HashMap::new();
        let mut nested = HashMap::new();
        for document in catalog.documents() {
            let mut taken = group_types(&modules, &document.id);
            // `main` comes first: its name is the NSID's, and other documents point to it most.
            let id = |name: &str| DefId { nsid: document.id.clone(), name: name.to_owned() };
            let by_hand = |name: &str| renames.types.get(&id(name).to_string());
            let mut names: Vec<&String> = document.defs.keys().collect();
            names.sort_by_key(|name| {
                let definition = document.defs.get(*name);
                (by_hand(name).is_none(), *name != "main", is_token(definition), by_spelling(name))
            });
            for name in &names {
                let name = *name;
                let wanted = if name == "main" { last_segment(&document.id) } else { name };
                let id = id(name);
                let chosen = if let Some(by_hand) = by_hand(name) {
                    free(by_hand.clone(), &mut taken)
                } else if is_token(document.defs.get(name)) {
                    free(constant_name(wanted), &mut taken)
                } else {
                    let wanted = type_name(wanted);
                    let named = if taken.contains(&wanted) { format!("{wanted}Def") } else { wanted };
                    free(named, &mut taken)
                };
                definitions.insert(id, chosen);
            }
            taken.extend(METHOD_TYPES.iter().map(|name| (*name).to_owned()));
            for name in names {
                let id = DefId { nsid: document.id.clone(), name: name.clone() };
                let owner = definitions.get(&id).map_or("", String::as_str);
                nested.insert(id.clone(), places::names(&document.defs[name], owner, &mut taken));
            }
        }
        Self { modules, definitions, nested, fields: renames.fields.clone() }
    }

    /// The path of a document's module below `api`.
    pub fn module(&self, nsid: &str) -> Vec<String> {
        self.modules.get(nsid).cloned().unwrap_or_default()
    }

    /// The name of a definition's type or constant.
    pub fn definition(&self, id: &DefId) -> String {
        self.definitions.get(id).cloned().unwrap_or_else(|| type_name(&id.name))
    }

    /// The name of a type that has none of its own in the lexicon, by its place in a definition.
    pub fn nested(&self, id: &DefId, place: &str) -> String {
        let chosen = self.nested.get(id).and_then(|places| places.get(place));
        chosen.cloned().unwrap_or_else(|| type_name(place))
    }
}

/// What stands in the module of an NSID if it has methods below it: the accessor's type, and the trait that gives it.
fn group_types(modules: &HashMap<String, Vec<String>>, nsid: &str) -> BTreeSet<String> {
    let accessor = modules.get(nsid).map(|path| type_name(&path.join("_"))).unwrap_or_default();
    BTreeSet::from([format!("{accessor}Ext"), accessor])
}

fn is_token(definition: Option<&Definition>) -> bool {
    matches!(definition, Some(Definition::Schema(schema)) if schema.ty == Type::Token)
}

/// Module paths of documents, unique even where two names differ only in a way that snake case does not show. `by_hand` has
/// names that were chosen, by the NSID up to them.
pub(crate) fn module_paths(
    nsids: &[&str],
    by_hand: &BTreeMap<String, String>,
) -> HashMap<String, Vec<String>> {
    // The segments below each prefix of an NSID.
    let mut below: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for nsid in nsids {
        for (prefix, segment) in prefixes(nsid) {
            below.entry(prefix).or_default().insert(segment);
        }
    }
    let mut chosen: HashMap<(&str, &str), String> = HashMap::new();
    for (prefix, segments) in below {
        let by_hand = |segment: &str| {
            let nsid = if prefix.is_empty() { segment.to_owned() } else { format!("{prefix}.{segment}") };
            by_hand.get(&nsid).cloned()
        };
        let mut segments: Vec<&str> = segments.into_iter().collect();
        segments.sort_by_key(|segment| (by_hand(segment).is_none(), by_spelling(segment)));
        let mut taken = BTreeSet::new();
        for segment in segments {
            let name = free(by_hand(segment).unwrap_or_else(|| module_name(segment)), &mut taken);
            chosen.insert((prefix, segment), name);
        }
    }
    let path = |nsid: &str| prefixes(nsid).filter_map(|segment| chosen.get(&segment).cloned()).collect();
    nsids.iter().map(|nsid| ((*nsid).to_owned(), path(nsid))).collect()
}

/// The names of the accessors of groups of methods, by the NSIDs of the groups: of the modules of documents with methods, in
/// the order of their NSIDs.
pub(crate) fn accessors<'d>(
    methods: impl Iterator<Item = (&'d str, &'d [String])>,
) -> BTreeMap<String, String> {
    let mut accessors = BTreeMap::new();
    // `com.a-b` and `com.a.b` would have the same accessor.
    let mut taken = BTreeSet::new();
    for (group, wanted) in wanted_accessors(methods) {
        accessors.insert(group, free(wanted, &mut taken));
    }
    accessors
}

/// The groups of methods with the names that their accessors would have if no other had them, in the order of NSIDs.
fn wanted_accessors<'d>(
    methods: impl Iterator<Item = (&'d str, &'d [String])>,
) -> impl Iterator<Item = (String, String)> {
    let mut seen = BTreeSet::new();
    methods.filter_map(move |(nsid, path)| {
        let (_, path) = path.split_last()?;
        let group = group(nsid).to_owned();
        let wanted = joined(path.iter().map(String::as_str));
        seen.insert(group.clone()).then_some((group, wanted))
    })
}

/// What stands behind the names of accessors where nothing says what the crate is called.
pub(crate) const OWN: &str = "own";

/// The accessors of the groups of methods in a catalog, by the NSIDs of the groups.
///
/// The SDK gives its clients methods of their own, which hide those of a trait, and two traits with the same method cannot
/// be used together. So one that another crate has gets the name of this crate behind it.
pub(crate) fn group_accessors(
    catalog: &Catalog,
    renames: &Renames,
    crate_name: &str,
) -> BTreeMap<String, Accessor> {
    let elsewhere = accessors_elsewhere(catalog);
    let nsids: Vec<&str> = catalog.documents().map(|document| document.id.as_str()).collect();
    let modules = module_paths(&nsids, &renames.modules);
    let methods = catalog.documents().filter(|document| has_method(document));
    let methods = methods.filter_map(|it| Some((it.id.as_str(), modules.get(&it.id)?.as_slice())));
    let mut wanted: Vec<(String, String)> = wanted_accessors(methods).collect();
    // Names chosen by hand come first: they are not to be changed.
    wanted.sort_by_key(|(group, _)| !renames.accessors.contains_key(group));
    // Of two traits with the same method, a crate may want to use one only.
    let is_chosen = |name: &String| renames.accessors.values().any(|by_hand| by_hand == name);
    let taken = elsewhere.iter().filter(|(name, (_, of_clients))| *of_clients || !is_chosen(name));
    let mut taken: BTreeSet<String> = taken.map(|(name, _)| name.clone()).collect();
    let mut accessors = BTreeMap::new();
    for (group, wanted) in wanted {
        let root = elsewhere.get(&wanted).map(|(root, _)| root);
        let name = match (renames.accessors.get(&group), root) {
            (Some(by_hand), _) => by_hand.clone(),
            (None, Some(_)) => joined([wanted.as_str(), crate_name]),
            (None, None) => wanted.clone(),
        };
        let name = free(name, &mut taken);
        accessors.insert(group, Accessor { name, instead_of: root.map(|root| (wanted, root.clone())) });
    }
    accessors
}

/// A method that only the SDK has bindings for.
const OF_SDK: &str = "com.atproto.server.describeServer";

/// The names of the accessors of other crates, with the modules of their bindings, and whether they are methods of the clients
/// themselves, as those of the SDK are. Which of their documents are used does not matter: clients have the methods all the same.
fn accessors_elsewhere(catalog: &Catalog) -> BTreeMap<String, (String, bool)> {
    let mut elsewhere = BTreeMap::new();
    for external in catalog.externals() {
        let chosen = match external.catalog.accessors() {
            Some(chosen) => chosen.clone(),
            None => group_accessors(&external.catalog, &external.renames, OWN),
        };
        let of_clients = external.catalog.document(OF_SDK).is_some();
        elsewhere.extend(chosen.into_values().map(|it| (it.name, (external.root.clone(), of_clients))));
    }
    elsewhere
}

/// Whether a document has something that clients call.
pub(crate) fn has_method(document: &Document) -> bool {
    let is_called = |it: &Definition| {
        matches!(it, Definition::Query(_) | Definition::Procedure(_) | Definition::Subscription(_))
    };
    document.defs.values().any(is_called)
}

/// The segments of an NSID, each with what stands before it.
fn prefixes(nsid: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut start = 0;
    nsid.split('.').map(move |segment| {
        let prefix = &nsid[..start.max(1) - 1];
        start += segment.len() + 1;
        (prefix, segment)
    })
}
