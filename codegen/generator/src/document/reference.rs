//! References between definitions (L9).

use std::fmt;

use super::Position;

/// What a `ref` says: `#name`, `nsid` or `nsid#name`, with or without `lex:` in front (L9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The other document, or `None` for a definition of the same one.
    pub nsid: Option<String>,
    /// The definition's name; `main` where the text names none.
    pub name: String,
    /// Where the reference stands.
    pub position: Position,
    /// Its JSON path, for messages.
    pub json_path: String,
}

impl Reference {
    /// The definition meant, for a reference that stands in the document `here`.
    pub fn resolve(&self, here: &str) -> DefId {
        DefId { nsid: self.nsid.clone().unwrap_or_else(|| here.to_owned()), name: self.name.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nsid {
            None => write!(f, "#{}", self.name),
            Some(nsid) if self.name == "main" => f.write_str(nsid),
            Some(nsid) => write!(f, "{nsid}#{}", self.name),
        }
    }
}

/// The name of one definition among all documents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefId {
    /// The document.
    pub nsid: String,
    /// The definition in it.
    pub name: String,
}

impl fmt::Display for DefId {
    /// As in `$type`: `nsid` for `main`, `nsid#name` otherwise (L6).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == "main" { f.write_str(&self.nsid) } else { write!(f, "{}#{}", self.nsid, self.name) }
    }
}
