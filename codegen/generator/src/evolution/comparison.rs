//! Walks through both sides and collects the changes.

use std::collections::{HashMap, HashSet};

use super::change::{Change, ChangeKind, Network, RustFace};
use super::documents::{Readers, Side, readers};
use super::taken::taken_names;
use crate::document::DefId;
use crate::model::deprecation;

/// The state of a comparison.
pub(super) struct Comparison<'s, 'd> {
    pub(super) old: &'s Side<'d>,
    pub(super) new: &'s Side<'d>,
    readers: HashMap<DefId, Readers>,
    /// The new documents that take names in Rust, with what they take.
    pub(super) taken: HashMap<String, String>,
    pub(super) changes: Vec<Change>,
    /// Pairs of definitions that are being compared because a ref changed, so that circles end.
    pub(super) open: HashSet<(DefId, DefId)>,
}

/// Where the comparison stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) nsid: String,
    pub(super) def: Option<String>,
    pub(super) path: String,
    /// Who reads data of this place.
    pub(super) readers: Readers,
    /// Whether anything is generated for it.
    pub(super) has_rust: bool,
    /// The documents that refs stand in; they differ from `nsid` behind refs that changed.
    pub(super) old_here: String,
    pub(super) new_here: String,
    /// What is known of the field at hand.
    pub(super) field: FieldFace,
}

/// What a field's Rust depends on beside its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FieldFace {
    /// It is required and not nullable on both sides: an argument of the constructor, unless it is constant.
    pub(super) is_argument: bool,
    /// It is optional and not nullable on both sides, and no parameter: its default has a method.
    pub(super) has_default: bool,
}

impl Place {
    pub(super) fn child(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, field: FieldFace::default(), ..self.clone() }
    }

    pub(super) fn element(&self, at: usize) -> Self {
        Self { path: format!("{}[{at}]", self.path), field: FieldFace::default(), ..self.clone() }
    }

    pub(super) fn read_by(&self, readers: Readers) -> Self {
        Self { readers, ..self.clone() }
    }
}

/// What a constraint does to the values that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// Fewer values are allowed.
    Tighter,
    /// More values are allowed.
    Looser,
    /// Some values that were allowed are not, and the other way around.
    Other,
}

impl<'s, 'd> Comparison<'s, 'd> {
    pub(super) fn new(old: &'s Side<'d>, new: &'s Side<'d>) -> Self {
        let (readers, taken) = (readers([old, new]), taken_names(old, new));
        Self { old, new, readers, taken, changes: Vec::new(), open: HashSet::new() }
    }

    pub(super) fn run(mut self) -> Vec<Change> {
        let mut nsids: Vec<&str> =
            self.old.documents().chain(self.new.documents()).map(|document| document.id.as_str()).collect();
        nsids.sort_unstable();
        nsids.dedup();
        for nsid in nsids {
            let place = Place {
                nsid: nsid.to_owned(),
                def: None,
                path: String::new(),
                readers: Readers::ALL,
                has_rust: true,
                old_here: nsid.to_owned(),
                new_here: nsid.to_owned(),
                field: FieldFace::default(),
            };
            self.document(nsid, &place);
        }
        self.changes
    }

    /// Who reads the data of a definition; whatever nothing uses may be in records of others.
    pub(super) fn readers_of(&self, id: &DefId) -> Readers {
        self.readers.get(id).copied().unwrap_or(Readers::ALL)
    }

    pub(super) fn add(
        &mut self,
        place: &Place,
        kind: ChangeKind,
        detail: impl Into<String>,
        network: Network,
        rust: RustFace,
    ) {
        self.changes.push(Change {
            nsid: place.nsid.clone(),
            def: place.def.clone(),
            json_path: place.path.clone(),
            kind,
            detail: detail.into(),
            network,
            rust: if place.has_rust { rust } else { RustFace::Unchanged },
        });
    }

    /// What `compare` finds, without adding it.
    pub(super) fn aside(&mut self, compare: impl FnOnce(&mut Self)) -> Vec<Change> {
        let before = std::mem::take(&mut self.changes);
        compare(self);
        std::mem::replace(&mut self.changes, before)
    }

    pub(super) fn description(&mut self, place: &Place, old: Option<&str>, new: Option<&str>) {
        if old == new {
            return;
        }
        let is_deprecated = |text: Option<&str>| text.is_some_and(|text| deprecation(text).is_some());
        let place = place.child("description");
        if is_deprecated(new) && !is_deprecated(old) {
            let detail = format!("deprecated: \"{}\"", shorten(new.unwrap_or_default()));
            self.add(&place, ChangeKind::Deprecated, detail, Network::Compatible, RustFace::Additive);
        } else {
            let detail = match (old, new) {
                (None, Some(_)) => "a description",
                (_, None) => "no longer a description",
                _ => "another description",
            };
            let kind = ChangeKind::DescriptionChanged;
            self.add(&place, kind, detail, Network::Compatible, RustFace::Unchanged);
        }
    }
}

/// What a constraint that changed does to the network.
pub(super) fn judge(readers: Readers, strictness: Strictness) -> Network {
    let refuses_old = "data that was valid is refused";
    let refuses_new = "programs that know the old version refuse new data";
    let (tighter, looser) = match strictness {
        Strictness::Tighter => (true, false),
        Strictness::Looser => (false, true),
        Strictness::Other => (true, true),
    };
    match (tighter && readers.new_reads_old, looser && readers.old_reads_new) {
        (false, false) => Network::Compatible,
        (true, false) => Network::Breaking(refuses_old.to_owned()),
        (false, true) => Network::Breaking(refuses_new.to_owned()),
        (true, true) => Network::Breaking(format!("{refuses_old}, and {refuses_new}")),
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(60).is_some() {
        short.push('…');
    }
    short
}
