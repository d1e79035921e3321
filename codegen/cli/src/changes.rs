//! What changed between two versions of documents, and what that breaks.

use std::{collections::BTreeMap, path::PathBuf};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::{
    diagnostic::Report,
    document::Document,
    evolution::{Change, Documents, Evolution, compare},
};

/// Versions of documents: the texts by NSID.
pub(crate) type Version = BTreeMap<Nsid, String>;

/// The changes between two versions.
#[derive(Debug)]
pub(crate) struct Changes {
    evolution: Evolution,
    /// Documents with mistakes in one of the versions, which therefore cannot be compared.
    pub(crate) incomparable: Vec<Nsid>,
}

impl Changes {
    /// Compares two versions. Documents that have not changed belong into both of them: what uses a definition decides
    /// about what a change of it breaks.
    pub(crate) fn between(old: &Version, new: &Version) -> Self {
        let mut incomparable = Vec::new();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (nsid, text) in new {
            let old_text = old.get(nsid);
            match (old_text.map(|text| parse(nsid, text)), parse(nsid, text)) {
                (None, Some(new)) => after.push(new),
                (Some(Some(old)), Some(new)) => {
                    before.push(old);
                    after.push(new);
                }
                _ if old_text == Some(text) => {}
                _ => incomparable.push(nsid.clone()),
            }
        }
        let (before, after): (Documents, Documents) =
            (before.into_iter().collect(), after.into_iter().collect());
        Self { evolution: compare(&before, &after), incomparable }
    }

    /// The changes that break data or programs on the network, in lines.
    pub(crate) fn breaking(&self) -> Vec<String> {
        let changes = self.evolution.breaking_for_network().map(Change::to_string);
        changes.chain(self.incomparable_lines()).collect()
    }

    fn incomparable_lines(&self) -> impl Iterator<Item = String> {
        self.incomparable.iter().map(|nsid| {
            format!("~ {nsid}: has mistakes in one of its versions, so what the change breaks is not known")
        })
    }

    /// All changes, in lines, and a last one that counts them.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.incomparable_lines().chain([self.evolution.to_string()]).collect()
    }
}

/// A document without a mistake.
fn parse(nsid: &Nsid, text: &str) -> Option<Document> {
    let mut report = Report::default();
    let document = Document::parse(&PathBuf::from(nsid.as_str()), text.as_bytes(), &mut report);
    document.filter(|_| report.error_count() == 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn version(documents: &[(&str, &str)]) -> Version {
        let text = |id: &str, properties: &str| {
            format!(
                r#"{{"lexicon":1,"id":"{id}","defs":{{"main":{{"type":"record","key":"tid","record":{{"type":"object",
                "properties":{{{properties}}}}}}}}}}}"#
            )
        };
        documents.iter().map(|(id, properties)| (id.parse().unwrap(), text(id, properties))).collect()
    }

    const TEXT: &str = r#""a":{"type":"string"}"#;

    #[test]
    fn changes_are_told_with_what_they_break() {
        let old = version(&[("com.example.a", TEXT), ("com.example.b", TEXT)]);
        let new = version(&[
            ("com.example.a", r#""a":{"type":"integer"}"#),
            ("com.example.b", TEXT),
            ("com.example.c", TEXT),
        ]);
        let changes = Changes::between(&old, &new);
        let breaking = changes.breaking();
        assert!(
            breaking.len() == 1 && breaking[0].contains("com.example.a defs.main.record.properties.a"),
            "{breaking:?}"
        );
        let lines = changes.lines().join("\n");
        assert!(lines.contains("com.example.c") && !lines.contains("com.example.b"), "{lines}");
        assert!(Changes::between(&old, &old).breaking().is_empty());
    }

    #[test]
    fn a_document_with_mistakes_counts_as_breaking_if_it_has_changed() {
        let mut old = version(&[("com.example.a", TEXT), ("com.example.b", TEXT)]);
        old.insert(
            "com.example.a".parse().unwrap(),
            r#"{"lexicon":1,"id":"com.example.a","defs":{}}"#.to_owned(),
        );
        assert!(Changes::between(&old, &old).breaking().is_empty());
        let changes = Changes::between(&old, &version(&[("com.example.a", TEXT), ("com.example.b", TEXT)]));
        assert_eq!(changes.incomparable, ["com.example.a".parse::<Nsid>().unwrap()]);
        assert!(changes.breaking()[0].contains("not known"), "{changes:?}");
    }
}
