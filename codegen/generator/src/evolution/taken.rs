//! Rust names that new documents take from those that were there.

use std::collections::{BTreeMap, HashMap};

use super::documents::Side;
use crate::{
    document::Document,
    model::{accessors, has_method, module_paths},
};

/// The names that modules and accessors of one side have.
struct Names {
    modules: HashMap<String, Vec<String>>,
    accessors: BTreeMap<String, String>,
}

impl Names {
    fn of(side: &Side<'_>) -> Self {
        let nsids: Vec<&str> = side.documents().map(|document| document.id.as_str()).collect();
        let modules = module_paths(&nsids, &BTreeMap::new());
        let methods = side.documents().filter(|document| has_method(document));
        let paths = methods.filter_map(|it| Some((it.id.as_str(), modules.get(&it.id)?.as_slice())));
        let accessors = accessors(paths);
        Self { modules, accessors }
    }
}

/// The documents of the new side that take a name, by their NSIDs, with what they take.
pub(super) fn taken_names(old: &Side<'_>, new: &Side<'_>) -> HashMap<String, String> {
    let added: Vec<&Document> =
        new.documents().filter(|document| old.document(&document.id).is_none()).collect();
    let mut taken = HashMap::new();
    if added.is_empty() {
        return taken;
    }
    let (before, after) = (Names::of(old), Names::of(new));
    for document in old.documents() {
        let (Some(was), Some(is)) = (before.modules.get(&document.id), after.modules.get(&document.id))
        else {
            continue;
        };
        let Some(level) = was.iter().zip(is).position(|(was, is)| was != is) else { continue };
        let known = prefix(&document.id, level + 1);
        for one in &added {
            // Beside it, and with the name that it had, or with one that it would have to share.
            let is_beside = prefix(&one.id, level) == prefix(&document.id, level);
            let name = after.modules.get(&one.id).and_then(|path| path.get(level));
            if is_beside && name.is_some_and(|name| *name == was[level]) {
                let reason = format!("`{}` takes the name of `{known}`", prefix(&one.id, level + 1));
                taken.entry(one.id.clone()).or_insert(reason);
            }
        }
    }
    for (group, was) in &before.accessors {
        if after.accessors.get(group).is_none_or(|is| is == was) {
            continue;
        }
        for one in added.iter().filter(|document| has_method(document)) {
            let of = one.id.rsplit_once('.').map_or("", |(group, _)| group);
            if after.accessors.get(of) == Some(was) {
                let reason = format!("`{of}` takes the name of the accessor of `{group}`");
                taken.entry(one.id.clone()).or_insert(reason);
            }
        }
    }
    taken
}

/// So many segments of an NSID.
fn prefix(nsid: &str, segments: usize) -> &str {
    let end = nsid.match_indices('.').map(|(at, _)| at).nth(segments.wrapping_sub(1));
    match segments {
        0 => "",
        _ => end.map_or(nsid, |end| &nsid[..end]),
    }
}
