//! Files, with their lines and the JSON in them.

use std::path::{Path, PathBuf};

use crate::catalog::MANIFEST;
use crate::folder::files_below;
use crate::json::{self, Position, Value};

/// A file as it was read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    /// Below the folder that was asked for; `None` for a file that was asked for by itself.
    pub(super) relative: Option<PathBuf>,
    pub(super) text: Result<Vec<u8>, String>,
}

/// The files at a path: itself, or every document below the folder.
pub(super) fn read(path: &Path) -> Vec<Source> {
    let unreadable = |path: &Path, error: &std::io::Error| Source {
        path: path.to_owned(),
        relative: None,
        text: Err(error.to_string()),
    };
    if !path.is_dir() {
        return vec![match std::fs::read(path) {
            Ok(bytes) => Source { path: path.to_owned(), relative: None, text: Ok(bytes) },
            Err(error) => unreadable(path, &error),
        }];
    }
    let files = match files_below(path, "json") {
        Ok(files) => files,
        Err(error) => return vec![unreadable(&error.path, &error.problem)],
    };
    let documents = files.into_iter().filter(|file| *file != path.join(MANIFEST));
    documents
        .map(|file| match std::fs::read(&file) {
            Ok(bytes) => {
                let relative = file.strip_prefix(path).unwrap_or(&file).to_owned();
                Source { path: file, relative: Some(relative), text: Ok(bytes) }
            }
            Err(error) => unreadable(&file, &error),
        })
        .collect()
}

/// The line that a position names.
pub(super) fn line(text: &[u8], position: Position) -> Option<String> {
    let at = usize::try_from(position.line).ok()?.checked_sub(1)?;
    let line = text.split(|byte| *byte == b'\n').nth(at)?;
    Some(String::from_utf8_lossy(line).trim_end_matches('\r').to_owned())
}

/// A value of a document with its place.
#[derive(Debug, Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    /// Where its key stands, or the value itself where it has none.
    pub(super) key: Position,
    pub(super) path: String,
}

impl<'v> Node<'v> {
    pub(super) fn top(value: &'v Value) -> Self {
        Self { value, key: value.position, path: String::new() }
    }

    pub(super) fn child(&self, key: &str) -> Option<Self> {
        let member = self.value.as_object()?.get(key)?;
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Some(Self { value: &member.value, key: member.position, path })
    }

    pub(super) fn element(&self, at: usize) -> Option<Self> {
        let value = self.value.as_array()?.get(at)?;
        Some(Self { value, key: value.position, path: format!("{}[{at}]", self.path) })
    }

    /// The elements, if this is an array.
    pub(super) fn elements(&self) -> Vec<Self> {
        let count = self.value.as_array().map_or(0, <[_]>::len);
        (0..count).filter_map(|at| self.element(at)).collect()
    }

    /// The members, if this is an object.
    pub(super) fn members(&self) -> Vec<(&'v str, Self)> {
        let keys = self.value.as_object().into_iter().flat_map(|members| members.keys());
        keys.filter_map(|key| Some((key.as_str(), self.child(key)?))).collect()
    }
}

/// A step of a JSON path.
#[derive(Debug, Clone)]
pub(super) struct Step<'v> {
    /// The key; `None` for the element of an array.
    pub(super) key: Option<&'v str>,
    /// Whether the key is a name that the document gives: of a definition or of a property.
    pub(super) is_name: bool,
    pub(super) value: &'v Value,
}

/// The steps of a path that the parser reports. Keys may contain the signs that paths are written with, so the tree decides.
pub(super) fn steps<'v>(root: &'v Value, path: &str) -> Vec<Step<'v>> {
    let mut steps: Vec<Step<'v>> = Vec::new();
    let (mut value, mut rest) = (root, path);
    while !rest.is_empty() {
        let step = match rest.strip_prefix('[') {
            Some(index) => {
                let Some((index, behind)) = index.split_once(']') else { break };
                let element = index.parse::<usize>().ok().and_then(|at| value.as_array()?.get(at));
                let Some(element) = element else { break };
                rest = behind;
                Step { key: None, is_name: false, value: element }
            }
            None => {
                let members = value.as_object().into_iter().flatten();
                let is_end = |behind: &str| behind.is_empty() || behind.starts_with(['.', '[']);
                let fits = |key: &str| rest.strip_prefix(key).is_some_and(is_end);
                let longest = members.filter(|(key, _)| fits(key)).max_by_key(|(key, _)| key.len());
                let Some((key, member)) = longest else { break };
                rest = &rest[key.len()..];
                let is_name = steps
                    .last()
                    .is_some_and(|last| !last.is_name && matches!(last.key, Some("properties" | "defs")));
                Step { key: Some(key), is_name, value: &member.value }
            }
        };
        rest = rest.strip_prefix('.').unwrap_or(rest);
        value = step.value;
        steps.push(step);
    }
    steps
}

/// Parses a document, for its positions.
pub(super) fn tree(text: &[u8]) -> Option<Value> {
    json::parse(text).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_where_keys_contain_their_signs() {
        let root = tree(br#"{"defs": {"a.b": {"properties": {"properties": {"x": [1, 2]}}}}}"#).unwrap();
        let found = steps(&root, "defs.a.b.properties.properties.x[1]");
        let keys: Vec<_> = found.iter().map(|step| (step.key, step.is_name)).collect();
        assert_eq!(
            keys,
            [
                (Some("defs"), false),
                (Some("a.b"), true),
                (Some("properties"), false),
                (Some("properties"), true),
                (Some("x"), false),
                (None, false),
            ]
        );
        assert_eq!(found.last().unwrap().value.describe(), "2");
        assert_eq!(steps(&root, "defs.zzz").len(), 1);
    }
}
