//! Whether every ref leads to something that may stand there (L6, L9), and what takes the place of those that do not.

use std::collections::HashSet;

use super::{
    Catalog,
    sites::{Site, SiteMut, sites, sites_mut},
};
use crate::{
    diagnostic::{Outcome, Problem, Report, closest},
    document::{DefId, Definition, Document, Reference, Schema, Text, Type, Union},
};

/// For how many refs a suggestion is sought: one takes a look at every NSID, and nobody reads hundreds.
const MAX_SUGGESTIONS: usize = 50;

/// What happens to one place, in the order of [`sites`].
#[derive(Debug)]
enum Repair {
    /// Nothing is wrong.
    None,
    /// It becomes `unknown`.
    Unknown,
    /// These variants stay.
    Variants(Vec<Reference>),
    /// It becomes a string with these known values.
    Text(Vec<String>),
}

/// Checks every ref, and repairs the places of those that cannot be used.
pub(super) fn resolve(catalog: &mut Catalog, report: &mut Report) {
    drop_repeated(catalog, report);
    let mut check = Check { catalog, report, suggestions: 0 };
    let repairs: Vec<Vec<Vec<Repair>>> = catalog
        .documents()
        .map(|document| document.defs.values().map(|it| check.definition(document, it)).collect())
        .collect();
    for (document, repairs) in catalog.documents.values_mut().zip(repairs) {
        for (definition, repairs) in document.defs.values_mut().zip(repairs) {
            for (site, repair) in sites_mut(definition).into_iter().zip(repairs) {
                apply(site, repair);
            }
        }
    }
}

fn apply(site: SiteMut<'_>, repair: Repair) {
    match (site, repair) {
        (_, Repair::None) => {}
        (SiteMut::Messages(union) | SiteMut::Type(Type::Union(union)), Repair::Variants(refs)) => {
            *union = Union { refs, closed: false };
        }
        (SiteMut::Messages(union), _) => *union = Union { refs: Vec::new(), closed: false },
        (SiteMut::Type(ty), Repair::Text(known_values)) => {
            *ty = Type::String(Text { known_values, ..Text::default() });
        }
        (SiteMut::Type(ty), _) => *ty = Type::Unknown,
    }
}

/// Removes union variants that two refs name (`#a` and `nsid#a`).
fn drop_repeated(catalog: &mut Catalog, report: &mut Report) {
    for document in catalog.documents.values_mut() {
        for definition in document.defs.values_mut() {
            for site in sites_mut(definition) {
                let (SiteMut::Messages(union) | SiteMut::Type(Type::Union(union))) = site else { continue };
                let mut seen = HashSet::new();
                union.refs.retain(|reference| {
                    let new = seen.insert(reference.resolve(&document.id));
                    if !new {
                        let problem = Problem::Repeated(format!("the ref `{reference}`"));
                        report.warn(&document.path, reference.position, &reference.json_path, problem);
                    }
                    new
                });
            }
        }
    }
}

struct Check<'c> {
    catalog: &'c Catalog,
    report: &'c mut Report,
    suggestions: usize,
}

impl Check<'_> {
    fn definition(&mut self, document: &Document, definition: &Definition) -> Vec<Repair> {
        let repair = |site| match site {
            Site::Ref(reference) => self.reference(document, reference),
            Site::Union(union) => self.union(document, union, true),
            Site::Messages(union) => self.union(document, union, false),
        };
        sites(definition).into_iter().map(repair).collect()
    }

    fn reference(&mut self, document: &Document, reference: &Reference) -> Repair {
        let wrong = match self.catalog.definition(&reference.resolve(&document.id)) {
            None => return self.unresolved(document, reference, Outcome::Unknown),
            Some(definition) => not_a_type(definition),
        };
        match wrong {
            None => Repair::None,
            Some(found) => {
                self.add(document, reference, wrong_target("a type", reference, found), Outcome::Unknown)
            }
        }
    }

    /// Variants carry a `$type`: objects and records. A union of strings, which the network has, is a string.
    fn union(&mut self, document: &Document, union: &Union, may_be_text: bool) -> Repair {
        let targets: Vec<(&Reference, Option<&Definition>)> = union
            .refs
            .iter()
            .map(|reference| (reference, self.catalog.definition(&reference.resolve(&document.id))))
            .collect();
        let is_text = may_be_text
            && !targets.is_empty()
            && targets.iter().all(|(_, target)| target.is_some_and(is_string));
        let mut kept = Vec::new();
        for (reference, target) in &targets {
            let outcome = if is_text { Outcome::Text } else { Outcome::VariantLeftOut };
            match target.map(|target| not_a_variant(target).map(|found| (found, not_a_type(target)))) {
                None => {
                    self.unresolved(document, reference, outcome);
                }
                Some(None) => kept.push((*reference).clone()),
                Some(Some((found, not_a_type))) => {
                    let expected = if not_a_type.is_some() { "a type" } else { "an object or a record" };
                    self.add(document, reference, wrong_target(expected, reference, found), outcome);
                }
            }
        }
        if kept.len() == targets.len() {
            Repair::None
        } else if is_text {
            let values = targets.iter().flat_map(|(reference, target)| {
                target.map(|it| known_values(it, &reference.resolve(&document.id))).unwrap_or_default()
            });
            Repair::Text(values.collect())
        } else {
            Repair::Variants(kept)
        }
    }

    fn unresolved(&mut self, document: &Document, reference: &Reference, outcome: Outcome) -> Repair {
        let suggestion = (self.suggestions < MAX_SUGGESTIONS).then(|| self.suggestion(document, reference));
        self.suggestions += 1;
        let problem =
            Problem::UnresolvedRef { reference: reference.to_string(), suggestion: suggestion.flatten() };
        self.add(document, reference, problem, outcome)
    }

    fn add(
        &mut self,
        document: &Document,
        reference: &Reference,
        problem: Problem,
        outcome: Outcome,
    ) -> Repair {
        let mark = self.report.diagnostics.len();
        self.report.error(&document.path, reference.position, &reference.json_path, problem);
        self.report.set_outcome(mark, outcome);
        Repair::Unknown
    }

    /// A definition of the named document, or the same name in a document whose NSID is close.
    fn suggestion(&self, document: &Document, reference: &Reference) -> Option<String> {
        let target = reference.resolve(&document.id);
        let externals = self.catalog.externals().iter();
        if let Some(owner) = self
            .catalog
            .document(&target.nsid)
            .or_else(|| externals.clone().find_map(|it| it.document(&target.nsid)))
        {
            if owner.left_out.contains(&target.name) {
                return None;
            }
            let name = closest(&target.name, owner.defs.keys().map(String::as_str))?;
            let nsid = reference.nsid.clone();
            return Some(Reference { nsid, name, ..reference.clone() }.to_string());
        }
        let external = externals.flat_map(|it| it.catalog.documents());
        let candidates = self.catalog.documents().chain(external).map(|it| it.id.as_str());
        let nsid = closest(&target.nsid, candidates.filter(|it| *it != document.id))?;
        let id = DefId { nsid: nsid.clone(), name: target.name };
        self.catalog.definition(&id)?;
        Some(Reference { nsid: Some(nsid), ..reference.clone() }.to_string())
    }
}

fn wrong_target(expected: &'static str, reference: &Reference, found: &'static str) -> Problem {
    Problem::WrongTarget { expected, reference: reference.to_string(), found }
}

/// What a definition is that no ref may lead to.
fn not_a_type(definition: &Definition) -> Option<&'static str> {
    match definition {
        Definition::Record(_) => None,
        Definition::Schema(Schema { ty: Type::Params(_), .. }) => Some("params"),
        Definition::Schema(_) => None,
        Definition::Query(_) => Some("query"),
        Definition::Procedure(_) => Some("procedure"),
        Definition::Subscription(_) => Some("subscription"),
        Definition::PermissionSet(_) => Some("permission-set"),
    }
}

/// What a definition is that cannot be the variant of a union.
fn not_a_variant(definition: &Definition) -> Option<&'static str> {
    match definition {
        Definition::Schema(schema) if !matches!(schema.ty, Type::Object(_)) => Some(schema.ty.name()),
        _ => not_a_type(definition),
    }
}

fn is_string(definition: &Definition) -> bool {
    matches!(definition, Definition::Schema(Schema { ty: Type::Token | Type::String(_), .. }))
}

/// The values that a definition of a string names. A token is one itself.
fn known_values(definition: &Definition, id: &DefId) -> Vec<String> {
    match definition {
        Definition::Schema(Schema { ty: Type::Token, .. }) => vec![id.to_string()],
        Definition::Schema(Schema { ty: Type::String(text), .. }) => {
            text.known_values.iter().chain(&text.allowed).cloned().collect()
        }
        _ => Vec::new(),
    }
}
