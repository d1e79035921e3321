//! Documents inside of npm packages. The protocol's own TypeScript generator puts all of a package into one object.

use std::path::{Path, PathBuf};

use crate::{
    folder::{FolderError, files_below},
    json::{self, JsonError, Value},
};

/// The name of the object, as the TypeScript generator writes it.
pub const OBJECT_NAME: &str = "schemaDict";

/// The file that has it, without its extension.
const FILE_NAME: &str = "lexicons";

/// The documents of the object in a JavaScript or TypeScript file; `None` if there is no such object.
///
/// # Errors
///
/// Returns an error if the object is not written as a literal.
pub fn bundled_documents(text: &str) -> Result<Option<Vec<Value>>, JsonError> {
    let Some(start) = literal_start(text) else { return Ok(None) };
    let object = json::parse_object_literal(text, start)?;
    let members = object.as_object().into_iter().flat_map(|it| it.values());
    Ok(Some(members.map(|member| member.value.clone()).collect()))
}

/// The byte offset of the object literal.
fn literal_start(text: &str) -> Option<usize> {
    text.match_indices(OBJECT_NAME).find_map(|(offset, name)| {
        let rest = text[offset + name.len()..].trim_start().strip_prefix('=')?.trim_start();
        rest.starts_with('{').then(|| text.len() - rest.len())
    })
}

/// The files of an unpacked package that may have the object: what a program would import comes first.
///
/// # Errors
///
/// Returns an error if a folder cannot be read.
pub fn bundle_files(package: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let mut found = Vec::new();
    for extension in ["js", "mjs", "cjs", "ts"] {
        let files = files_below(package, extension)?;
        found.extend(files.into_iter().filter(|file| file.file_stem().is_some_and(|it| it == FILE_NAME)));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_object_is_read_whatever_stands_around_it() {
        let text = "export const schemaDict = {\n  A: {lexicon: 1, id: 'com.example.a', defs: {}},\n} as const satisfies X\n";
        let documents = bundled_documents(text).unwrap().unwrap();
        assert_eq!(documents[0].get("id").and_then(Value::as_str), Some("com.example.a"));
        assert!(bundled_documents("export const ids = {schemaDict: 1}").unwrap().is_none());
        assert!(bundled_documents("const schemaDict = {a: load()}").is_err());
    }

    #[test]
    fn the_file_is_found_in_any_folder() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["dist/client/lexicons.js", "src/lexicons.ts", "dist/other.js", "dist/lexicons.d.map"] {
            std::fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            std::fs::write(dir.path().join(path), "").unwrap();
        }
        let files = bundle_files(dir.path()).unwrap();
        let names: Vec<_> = files.iter().map(|it| it.strip_prefix(dir.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("dist/client/lexicons.js"), Path::new("src/lexicons.ts")]);
    }
}
