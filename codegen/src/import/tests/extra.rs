//! Documents that the package lacks.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BUNDLE, options, package, snapshot};
use crate::import::{ImportError, ImportOptions, Manifest, Source, Summary, import};

const NOTE: &str = r#"{"lexicon": 1, "id": "org.example.note", "defs": {"main": {"type": "object",
    "description": "Theirs.", "properties": {"thing": {"type": "ref", "ref": "com.example.thing"}}}}}"#;

/// Folders with a package and with extra documents, and the folder that imports make.
struct Folders {
    _dir: tempfile::TempDir,
    package: PathBuf,
    extra: PathBuf,
    lexicons: PathBuf,
}

impl Folders {
    fn new(documents: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let folders =
            Self { package: at("package"), extra: at("extra"), lexicons: at("lexicons"), _dir: dir };
        package(&folders.package, BUNDLE);
        fs::create_dir_all(&folders.extra).unwrap();
        for (name, text) in documents {
            fs::write(folders.extra.join(name), text).unwrap();
        }
        folders
    }

    fn import_package(&self) -> Summary {
        import(&options(&self.package), &self.lexicons).unwrap()
    }

    fn import_extra(&self) -> Result<Summary, ImportError> {
        import(&ImportOptions { extra: true, ..options(&self.extra) }, &self.lexicons)
    }

    fn manifest(&self) -> Manifest {
        Manifest::load(&self.lexicons.join("manifest.json")).unwrap().unwrap()
    }

    fn source(&self, id: &str) -> Source {
        self.manifest().documents[id].source
    }
}

#[test]
fn extra_documents_survive_imports_of_the_package() {
    let folders = Folders::new(&[("note.json", NOTE)]);
    folders.import_package();
    let package = folders.manifest().package;
    let summary = folders.import_extra().unwrap();
    assert_eq!(summary.added, ["org.example.note"]);
    assert_eq!((summary.documents, summary.extra), (3, 1));
    assert!(summary.removed.is_empty() && summary.changed.is_empty());
    assert_eq!(folders.manifest().package, package);
    assert_eq!(folders.source("org.example.note"), Source::Extra);
    assert_eq!(folders.source("com.example.thing"), Source::Package);

    // Their own words are kept, and no other import touches them.
    let file = folders.lexicons.join("org/example/note.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("Theirs."));
    let text = text.replace("\"object\",", "\"object\",\n      \"description\": \"Our note.\",");
    fs::write(&file, &text).unwrap();
    import(&options(&folders.lexicons), &folders.lexicons).unwrap();
    let made = snapshot(&folders.lexicons);
    let summary = folders.import_package();
    assert_eq!((summary.documents, summary.extra, summary.descriptions_lost), (3, 1, 0));
    folders.import_extra().unwrap();
    assert_eq!(snapshot(&folders.lexicons), made);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn one_extra_document_can_be_imported_without_the_others() {
    let folders = Folders::new(&[("note.json", NOTE)]);
    folders.import_package();
    folders.import_extra().unwrap();
    fs::write(folders.extra.join("note.json"), NOTE.replace("org.example.note", "org.example.other"))
        .unwrap();
    let summary = folders.import_extra().unwrap();
    assert_eq!((summary.added, summary.removed), (vec!["org.example.other".to_owned()], vec![]));
    assert_eq!(summary.extra, 2);
}

#[test]
fn an_extra_document_goes_when_its_file_is_deleted() {
    let folders = Folders::new(&[("note.json", NOTE)]);
    folders.import_package();
    folders.import_extra().unwrap();
    fs::remove_file(folders.lexicons.join("org/example/note.json")).unwrap();
    let summary = folders.import_package();
    assert_eq!((summary.documents, summary.extra), (2, 0));
    assert!(!folders.manifest().documents.contains_key("org.example.note"));
}

#[test]
fn a_document_that_the_manifest_does_not_list_is_extra() {
    for (from_folder, has_manifest) in [(true, true), (false, true), (false, false)] {
        let folders = Folders::new(&[]);
        folders.import_package();
        let file = folders.lexicons.join("org/example/note.json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, NOTE).unwrap();
        if !has_manifest {
            fs::remove_file(folders.lexicons.join("manifest.json")).unwrap();
        }
        let source = if from_folder { &folders.lexicons } else { &folders.package };
        let summary = import(&options(source), &folders.lexicons).unwrap();
        assert_eq!((summary.adopted, summary.extra), (vec!["org.example.note".to_owned()], 1));
        assert_eq!(folders.source("org.example.note"), Source::Extra);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("Theirs."), "what stands in the folder is the project's own");
    }
}

#[test]
fn the_package_has_the_last_word_on_its_documents() {
    let thing = r#"{"lexicon": 1, "id": "com.example.thing", "defs": {"a": {"type": "token"}}}"#;
    let folders = Folders::new(&[("thing.json", thing), ("note.json", NOTE)]);
    folders.import_package();
    let before = snapshot(&folders.lexicons);
    let error = folders.import_extra().unwrap_err();
    assert!(matches!(&error, ImportError::InPackage { ids } if ids == &["com.example.thing"]), "{error}");
    assert_eq!(snapshot(&folders.lexicons), before);

    // One that the package gets later moves there.
    fs::remove_file(folders.extra.join("thing.json")).unwrap();
    folders.import_extra().unwrap();
    let note = "OrgExampleNote: { lexicon: 1, id: 'org.example.note', defs: { main: { type: 'token' } } },\n    ComExampleThing:";
    package(&folders.package, &BUNDLE.replace("ComExampleThing:", note));
    let summary = folders.import_package();
    assert_eq!((summary.moved, summary.extra), (vec!["org.example.note".to_owned()], 0));
    assert_eq!(folders.source("org.example.note"), Source::Package);
}

#[test]
fn refs_between_the_package_and_extra_documents_are_checked() {
    let folders = Folders::new(&[("note.json", NOTE)]);
    folders.import_package();
    folders.import_extra().unwrap();
    let before = snapshot(&folders.lexicons);

    let bundle = BUNDLE.replace("id: 'com.example.thing'", "id: 'com.example.other'");
    package(&folders.package, &bundle.replace("lex:com.example.thing", "lex:com.example.other"));
    let error = import(&options(&folders.package), &folders.lexicons).unwrap_err().to_string();
    let file = Path::new("org/example/note.json");
    assert!(error.contains(&file.display().to_string()) && error.contains("com.example.thing"), "{error}");

    fs::write(folders.extra.join("note.json"), NOTE.replace("com.example.thing", "com.example.gone"))
        .unwrap();
    let error = folders.import_extra().unwrap_err().to_string();
    assert!(error.contains("note.json") && error.contains("com.example.gone"), "{error}");
    assert_eq!(snapshot(&folders.lexicons), before);
}

#[test]
fn the_folder_itself_is_no_extra_source() {
    let folders = Folders::new(&[]);
    folders.import_package();
    let options = ImportOptions { extra: true, ..options(&folders.lexicons) };
    assert!(matches!(import(&options, &folders.lexicons), Err(ImportError::NoSource { .. })));
}

#[test]
fn without_its_manifest_the_folder_itself_is_no_source() {
    let folders = Folders::new(&[]);
    folders.import_package();
    let manifest = folders.lexicons.join("manifest.json");
    fs::remove_file(&manifest).unwrap();
    let error = import(&options(&folders.lexicons), &folders.lexicons).unwrap_err().to_string();
    assert!(error.contains("restore it, or import the package"), "{error}");
    assert!(!manifest.exists());
}

/// A merge can leave both sides in the file: to go on as if there were none would lose where documents come from.
#[test]
fn a_manifest_that_cannot_be_read_stops_the_import() {
    let folders = Folders::new(&[]);
    folders.import_package();
    let file = folders.lexicons.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    for broken in [format!("<<<<<<< ours\n{text}"), "{}".to_owned(), text.replace("\"upstream\"", "\"old\"")]
    {
        fs::write(&file, &broken).unwrap();
        let error = import(&options(&folders.package), &folders.lexicons).unwrap_err();
        assert!(matches!(error, ImportError::BadManifest { .. }), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    }
}
