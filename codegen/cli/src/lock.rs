//! `lexicons.lock`: which documents were fetched, from where, and what they were.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use atproto_sdk::types::{Cid, Did, Nsid};
use atproto_sdk_codegen::pattern::Pattern;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use crate::CliError;

/// The name of the file, beside `lexicons.toml`.
pub(crate) const LOCK_FILE: &str = "lexicons.lock";

const HEADER: &str =
    "# Made by `atproto-sdk`, which keeps it up to date: do not edit it, and put it under version control.\n";

/// A document that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locked {
    /// Where it is from, in the words of `sources::key`.
    pub(crate) source: String,
    /// The account that publishes it; `None` if it is not from the network.
    pub(crate) did: Option<Did>,
    /// Of the document as DAG-CBOR.
    pub(crate) cid: Cid,
    /// When.
    pub(crate) fetched: toml_edit::Datetime,
    /// Whether `lexicons.toml` asks for it; other documents refer to it otherwise.
    pub(crate) requested: bool,
}

/// The contents of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) documents: BTreeMap<Nsid, Locked>,
    /// Groups that were listed and fetched as a whole, with their sources. They may have no documents of their own: all may
    /// be there for narrower requests.
    pub(crate) listed: BTreeMap<Pattern, String>,
}

/// Reads the file; without one, nothing has been fetched.
pub(crate) fn load(path: &Path) -> Result<Lock, CliError> {
    match fs::read_to_string(path) {
        Ok(text) => parse(&text).map_err(|problem| CliError::InvalidLock { path: path.to_owned(), problem }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Lock::default()),
        Err(problem) => Err(CliError::File { action: "read", path: path.to_owned(), problem }),
    }
}

fn parse(text: &str) -> Result<Lock, String> {
    let file: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    match file.get("version").and_then(Item::as_integer) {
        Some(1) => {}
        Some(version) => {
            return Err(format!("it has version {version}, which a newer atproto-sdk has written"));
        }
        None => return Err("it has no `version`".to_owned()),
    }
    let mut lock = Lock::default();
    for table in tables(&file, "group")? {
        let text =
            |name: &str| table.get(name).and_then(Item::as_str).ok_or(format!("a group has no `{name}`"));
        let pattern = text("pattern")?.parse().map_err(|_| "a group has no valid `pattern`")?;
        lock.listed.insert(pattern, text("source")?.to_owned());
    }
    for table in tables(&file, "document")? {
        let (nsid, locked) = entry(table)?;
        if lock.documents.insert(nsid.clone(), locked).is_some() {
            return Err(format!("{nsid} is in it twice"));
        }
    }
    Ok(lock)
}

fn tables<'f>(
    file: &'f DocumentMut,
    name: &str,
) -> Result<impl Iterator<Item = &'f Table> + use<'f>, String> {
    let tables = match file.get(name) {
        None => None,
        Some(item) => {
            Some(item.as_array_of_tables().ok_or_else(|| format!("`{name}` is not a list of tables"))?)
        }
    };
    Ok(tables.into_iter().flatten())
}

fn entry(table: &Table) -> Result<(Nsid, Locked), String> {
    let text = |name: &str| table.get(name).and_then(Item::as_str);
    let nsid = text("nsid").and_then(|it| Nsid::new(it).ok()).ok_or("an entry has no `nsid`")?;
    let missing = |name: &str| format!("{nsid} has no valid `{name}`");
    let did = match text("did") {
        Some(did) => Some(Did::new(did).map_err(|_| missing("did"))?),
        None => None,
    };
    let locked = Locked {
        source: text("source").ok_or_else(|| missing("source"))?.to_owned(),
        did,
        cid: text("cid")
            .and_then(|it| Cid::new(it).ok())
            .filter(Cid::is_blessed)
            .ok_or_else(|| missing("cid"))?,
        fetched: *table.get("fetched").and_then(Item::as_datetime).ok_or_else(|| missing("fetched"))?,
        requested: table.get("requested").and_then(Item::as_bool).ok_or_else(|| missing("requested"))?,
    };
    Ok((nsid, locked))
}

/// The text of the file.
pub(crate) fn print(lock: &Lock) -> String {
    let mut file = DocumentMut::new();
    file["version"] = value(1);
    let mut groups = ArrayOfTables::new();
    for (pattern, source) in &lock.listed {
        let mut table = Table::new();
        table["pattern"] = value(pattern.as_str());
        table["source"] = value(source);
        groups.push(table);
    }
    if !groups.is_empty() {
        file["group"] = Item::ArrayOfTables(groups);
    }
    let mut documents = ArrayOfTables::new();
    for (nsid, locked) in &lock.documents {
        let mut table = Table::new();
        table["nsid"] = value(nsid.as_str());
        table["source"] = value(&locked.source);
        if let Some(did) = &locked.did {
            table["did"] = value(did.as_str());
        }
        table["cid"] = value(locked.cid.to_string());
        table["fetched"] = value(locked.fetched);
        table["requested"] = value(locked.requested);
        documents.push(table);
    }
    file["document"] = Item::ArrayOfTables(documents);
    format!("{HEADER}{file}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn locked(source: &str, did: Option<&str>) -> Locked {
        Locked {
            source: source.to_owned(),
            did: did.map(|did| Did::new(did).unwrap()),
            cid: Cid::of_cbor(b""),
            fetched: "2026-11-26T15:00:00Z".parse().unwrap(),
            requested: did.is_some(),
        }
    }

    #[test]
    fn a_lock_is_read_as_it_was_written_and_sorted() {
        let documents = BTreeMap::from([
            ("org.example.b".parse().unwrap(), locked(r#"path C:\it's "here""#, None)),
            ("com.example.a".parse().unwrap(), locked("network", Some("did:web:example.com"))),
        ]);
        let listed = BTreeMap::from([("org.example.*".parse().unwrap(), "path a b".to_owned())]);
        let lock = Lock { documents, listed };
        let text = print(&lock);
        assert_eq!(parse(&text).unwrap(), lock);
        assert!(text.find("com.example.a") < text.find("org.example.b"), "{text}");
        assert!(
            text.contains("\nversion = 1\n") && text.contains("\n[[document]]\nnsid = \"com.example.a\"\n"),
            "{text}"
        );
        assert_eq!(parse(&print(&Lock::default())).unwrap(), Lock::default());
    }

    #[test]
    fn a_file_that_is_no_lock_is_refused_with_the_reason() {
        let documents = BTreeMap::from([("com.example.a".parse().unwrap(), locked("network", None))]);
        let listed = BTreeMap::from([("com.example.*".parse().unwrap(), "network".to_owned())]);
        let whole = print(&Lock { documents, listed });
        for (from, to, problem) in [
            ("version = 1", "version = 2", "newer atproto-sdk"),
            ("version = 1", "", "no `version`"),
            ("version = 1", "version =", "TOML parse error"),
            ("example.*", "example.**", "no valid `pattern`"),
            ("pattern = ", "name = ", "a group has no `pattern`"),
            ("nsid = ", "id = ", "no `nsid`"),
            ("cid = \"baf", "cid = \"", "com.example.a has no valid `cid`"),
            ("fetched", "when", "com.example.a has no valid `fetched`"),
        ] {
            let error = parse(&whole.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        let twice = format!("{whole}{}", &whole[whole.find("[[document]]").unwrap()..]);
        assert_eq!(parse(&twice).unwrap_err(), "com.example.a is in it twice");
    }
}
