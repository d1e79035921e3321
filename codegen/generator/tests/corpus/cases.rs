//! The documents of the folder `cases`, and what is said about them.
//!
//! A case begins with a line `# what it is about`. A line `=== nsid` begins one of its documents: the lines behind it are
//! what stands in `defs`, or with `=== name (whole)` the whole file. Lines that begin with `! ` are the warnings, in
//! their order.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Documents that belong together.
#[derive(Default)]
pub struct Case {
    /// What they are about.
    pub what: String,
    documents: Vec<Document>,
    /// What is expected to be said about them.
    pub warnings: Vec<String>,
}

#[derive(Default)]
struct Document {
    /// The NSID, and whether the text is the whole file.
    name: String,
    text: String,
}

const WHOLE: &str = " (whole)";

impl Case {
    /// The documents as files.
    pub fn sources(&self) -> Vec<(PathBuf, String)> {
        self.documents.iter().map(Document::source).collect()
    }
}

impl Document {
    fn source(&self) -> (PathBuf, String) {
        let Self { name, text } = self;
        match name.strip_suffix(WHOLE) {
            Some(name) => (format!("{name}.json").into(), text.clone()),
            None => (
                format!("{name}.json").into(),
                format!("{{\"lexicon\": 1, \"id\": \"{name}\", \"defs\": {{\n{text}}}}}\n"),
            ),
        }
    }
}

/// The files with cases.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/cases");
    atproto_sdk_codegen::folder::files_below(&folder, "txt").unwrap()
}

/// The cases of a file.
pub fn read(file: &Path) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in fs::read_to_string(file).unwrap().lines() {
        if let Some(what) = line.strip_prefix("# ") {
            cases.push(Case { what: what.to_owned(), ..Case::default() });
            continue;
        }
        let case = cases.last_mut().unwrap();
        if let Some(name) = line.strip_prefix("=== ") {
            case.documents.push(Document { name: name.to_owned(), text: String::new() });
        } else if let Some(warning) = line.strip_prefix("! ") {
            case.warnings.push(warning.to_owned());
        } else if !line.is_empty() {
            let document = case.documents.last_mut().unwrap();
            document.text.push_str(line);
            document.text.push('\n');
        }
    }
    cases
}

/// Writes a file anew.
pub fn write(file: &Path, cases: &[Case]) {
    let of_case = |case: &Case| {
        let documents = case.documents.iter().map(|it| format!("=== {}\n{}", it.name, it.text));
        let warnings = case.warnings.iter().map(|it| format!("! {it}\n"));
        format!("# {}\n{}", case.what, documents.chain(warnings).collect::<String>())
    };
    fs::write(file, cases.iter().map(of_case).collect::<Vec<_>>().join("\n")).unwrap();
}
