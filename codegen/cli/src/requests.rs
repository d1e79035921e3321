//! The table `[documents]` of `lexicons.toml`: which documents are asked for, and from where.

use std::collections::BTreeMap;

use atproto_sdk::{lexicon::LexiconGroup, types::Nsid};
use atproto_sdk_codegen::{config::Source, pattern::Pattern};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// What is asked for, and from where.
pub(crate) type Requests = BTreeMap<Pattern, Source>;

/// Whether a request includes a document. On the network, a group is that of one authority.
pub(crate) fn includes(pattern: &Pattern, source: &Source, nsid: &Nsid) -> bool {
    match (source, group(pattern)) {
        (Source::Network, Some(group)) => group.contains(nsid),
        _ => pattern.matches(nsid.as_str()),
    }
}

/// The group that a pattern is; `None` for a single document.
pub(crate) fn group(pattern: &Pattern) -> Option<LexiconGroup> {
    pattern.group().and_then(|_| LexiconGroup::new(pattern.as_str()).ok())
}

/// The request that a document is there for: the narrowest one that includes it.
pub(crate) fn owner<'r>(requests: &'r Requests, nsid: &Nsid) -> Option<(&'r Pattern, &'r Source)> {
    let including = requests.iter().filter(|(pattern, source)| includes(pattern, source, nsid));
    including.max_by_key(|(pattern, _)| (pattern.group().is_none(), pattern.as_str().len()))
}

/// Adds requests to the text of `lexicons.toml`, and leaves everything else in it as it is.
pub(crate) fn add(text: &str, added: &Requests) -> Result<String, toml_edit::TomlError> {
    let mut file: DocumentMut = text.parse()?;
    let documents = file.entry("documents").or_insert_with(|| Item::Table(Table::new()));
    if let Some(table) = documents.as_table_like_mut() {
        for (pattern, source) in added {
            table.insert(pattern.as_str(), Item::Value(written(source)));
        }
    }
    Ok(file.to_string())
}

fn written(source: &Source) -> Value {
    let fields: Vec<(&str, String)> = match source {
        Source::Path(path) => vec![("path", path.display().to_string())],
        Source::Npm { package, version } => vec![("npm", package.clone()), ("version", version.clone())],
        Source::Git { url, rev, path } => {
            let path = path.display().to_string();
            let mut fields = vec![("git", url.clone()), ("rev", rev.clone())];
            fields.extend((!path.is_empty()).then_some(("path", path)));
            fields
        }
        _ => return "network".into(),
    };
    Value::InlineTable(
        fields.into_iter().map(|(name, text)| (name, Value::from(text))).collect::<InlineTable>(),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use atproto_sdk_codegen::config::Config;

    use super::*;

    fn requests(entries: &[(&str, Source)]) -> Requests {
        entries.iter().map(|(pattern, source)| (pattern.parse().unwrap(), source.clone())).collect()
    }

    #[test]
    fn requests_are_added_in_place_with_comments_and_order_kept() {
        let text = "# mine\nstrict = true # really\n\n[documents]\n# the shop\n\"com.example.shop.*\" = \"network\" # all\n\n[crates.other]\n";
        let git = Source::Git {
            url: "https://example.com/x".to_owned(),
            rev: "abc".to_owned(),
            path: "lexicons".into(),
        };
        let npm = Source::Npm { package: "@a/b".to_owned(), version: "1.2.3".to_owned() };
        let added = requests(&[
            ("org.example.item", Source::Network),
            ("org.a.*", Source::Path("../a b".into())),
            ("org.b.*", npm),
            ("org.c.*", git),
        ]);
        let edited = add(text, &added).unwrap();
        for kept in text.split_inclusive('\n') {
            assert!(edited.contains(kept), "{kept}{edited}");
        }
        assert!(
            edited.find("com.example.shop") < edited.find("org.example")
                && edited.find("org.example") < edited.find("[crates")
        );
        let mut expected = added;
        expected.insert("com.example.shop.*".parse().unwrap(), Source::Network);
        assert_eq!(Config::parse(&edited).unwrap().documents, expected);
        for without in ["", "lexicons = \"x\"\n"] {
            let edited = add(without, &requests(&[("org.example.item", Source::Network)])).unwrap();
            assert!(
                edited.starts_with(without)
                    && edited.contains("[documents]\n\"org.example.item\" = \"network\"\n"),
                "{edited}"
            );
        }
    }

    #[test]
    fn the_narrowest_request_counts() {
        let local = Source::Path("x".into());
        let requests = requests(&[
            ("com.example.*", Source::Network),
            ("org.example.*", local.clone()),
            ("org.example.shop.*", Source::Network),
            ("org.example.shop.item", local.clone()),
        ]);
        let owner =
            |nsid: &str| owner(&requests, &nsid.parse().unwrap()).map(|(pattern, _)| pattern.as_str());
        assert_eq!(owner("com.example.item"), Some("com.example.*"));
        assert_eq!(owner("com.example.shop.item"), None, "another authority");
        assert_eq!(
            owner("org.example.deep.below.item"),
            Some("org.example.*"),
            "a folder has no authorities"
        );
        assert_eq!(owner("org.example.shop.other"), Some("org.example.shop.*"));
        assert_eq!(owner("org.example.shop.item"), Some("org.example.shop.item"));
        assert_eq!(owner("net.example.item"), None);
    }
}
