//! The documents of both sides, and who reads the data of which definition.

use std::collections::{BTreeMap, HashMap};

use crate::document::{Body, DefId, Definition, Document, Reference};

/// The documents of one side by NSID.
pub(super) struct Side<'d>(BTreeMap<&'d str, &'d Document>);

impl<'d> Side<'d> {
    pub(super) fn new(documents: impl IntoIterator<Item = &'d Document>) -> Self {
        Self(documents.into_iter().map(|document| (document.id.as_str(), document)).collect())
    }

    pub(super) fn documents(&self) -> impl Iterator<Item = &'d Document> {
        self.0.values().copied()
    }

    pub(super) fn document(&self, nsid: &str) -> Option<&'d Document> {
        self.0.get(nsid).copied()
    }

    pub(super) fn definition(&self, id: &DefId) -> Option<&'d Definition> {
        self.document(&id.nsid)?.defs.get(&id.name)
    }
}

/// Which programs meet data of another version than theirs. A service is brought up to date before the programs that
/// call it: it reads requests of older ones, and they read its newer answers. Records are read by everybody, at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Readers {
    /// Programs of the old version read data of the new one.
    pub(super) old_reads_new: bool,
    /// Programs of the new version read data of the old one.
    pub(super) new_reads_old: bool,
}

impl Readers {
    /// Records, and whatever is in no method: others may use it in records.
    pub(super) const ALL: Self = Self { old_reads_new: true, new_reads_old: true };
    /// Parameters and inputs.
    pub(super) const OF_REQUESTS: Self = Self { old_reads_new: false, new_reads_old: true };
    /// Outputs and messages.
    pub(super) const OF_ANSWERS: Self = Self { old_reads_new: true, new_reads_old: false };

    fn and(self, other: Self) -> Self {
        Self {
            old_reads_new: self.old_reads_new || other.old_reads_new,
            new_reads_old: self.new_reads_old || other.new_reads_old,
        }
    }
}

/// Who reads the data of the definitions that records and methods reach, on either side.
pub(super) fn readers(sides: [&Side<'_>; 2]) -> HashMap<DefId, Readers> {
    let mut readers: HashMap<DefId, Readers> = HashMap::new();
    for (id, of) in sides.into_iter().flat_map(readers_of) {
        let known = readers.entry(id).or_default();
        *known = known.and(of);
    }
    readers
}

fn readers_of(side: &Side<'_>) -> HashMap<DefId, Readers> {
    let mut readers: HashMap<DefId, Readers> = HashMap::new();
    let mut open: Vec<(DefId, Readers)> = Vec::new();
    for document in side.documents() {
        let found = document.defs.values().flat_map(roots);
        open.extend(found.map(|(reference, of)| (reference.resolve(&document.id), of)));
    }
    while let Some((id, of)) = open.pop() {
        let known = readers.get(&id).copied().unwrap_or_default();
        let all = known.and(of);
        if readers.insert(id.clone(), all) == Some(all) {
            continue;
        }
        let references = match side.definition(&id) {
            Some(Definition::Schema(schema)) => schema.ty.references(),
            Some(Definition::Record(record)) => record.object.references(),
            _ => Vec::new(),
        };
        open.extend(references.into_iter().map(|reference| (reference.resolve(&id.nsid), of)));
    }
    readers
}

/// The refs of what is sent and stored, with who reads it.
fn roots(definition: &Definition) -> Vec<(&Reference, Readers)> {
    match definition {
        Definition::Record(it) => it.object.references().into_iter().map(|it| (it, Readers::ALL)).collect(),
        Definition::Query(it) => of_body(it.output.as_ref(), Readers::OF_ANSWERS),
        Definition::Procedure(it) => {
            let mut found = of_body(it.input.as_ref(), Readers::OF_REQUESTS);
            found.extend(of_body(it.output.as_ref(), Readers::OF_ANSWERS));
            found
        }
        Definition::Subscription(it) => {
            let refs = it.message.iter().flat_map(|message| &message.schema.refs);
            refs.map(|reference| (reference, Readers::OF_ANSWERS)).collect()
        }
        Definition::Schema(_) | Definition::PermissionSet(_) => Vec::new(),
    }
}

fn of_body(body: Option<&Body>, readers: Readers) -> Vec<(&Reference, Readers)> {
    let schema = body.and_then(|body| body.schema.as_ref());
    schema.into_iter().flat_map(|schema| schema.ty.references()).map(|it| (it, readers)).collect()
}
