//! Upstream descriptions that change.

use std::fs;
use std::path::PathBuf;

use super::{BUNDLE, options, package};
use crate::import::upstream::descriptions;
use crate::import::{DescriptionChange, Difference, ImportOptions, Manifest, import};
use atproto_sdk_codegen::json::parse;

/// Two versions of a package, and a folder into which the first has been imported.
struct Versions {
    _dir: tempfile::TempDir,
    old: PathBuf,
    new: PathBuf,
    lexicons: PathBuf,
}

impl Versions {
    fn new(new: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let versions = Self { old: at("old"), new: at("new"), lexicons: at("lexicons"), _dir: dir };
        package(&versions.old, BUNDLE);
        package(&versions.new, new);
        let summary = import(&options(&versions.old), &versions.lexicons).unwrap();
        assert_eq!(summary.upstream, [], "a first import has nothing to compare with");
        versions
    }

    fn import(&self, previous: Option<&PathBuf>) -> Vec<DescriptionChange> {
        let options = ImportOptions { previous: previous.cloned(), ..options(&self.new) };
        import(&options, &self.lexicons).unwrap().upstream
    }

    fn manifest(&self) -> Manifest {
        Manifest::load(&self.lexicons.join("manifest.json")).unwrap().unwrap()
    }
}

fn change(path: &str, difference: Difference, before: Option<&str>, now: Option<&str>) -> DescriptionChange {
    DescriptionChange {
        document: "com.example.list".to_owned(),
        path: path.to_owned(),
        difference,
        before: before.map(str::to_owned),
        now: now.map(str::to_owned),
        own: None,
    }
}

#[test]
fn every_difference_is_reported_once() {
    let new = BUNDLE
        .replace("It's theirs.", "Now it is deprecated.")
        .replace("type: 'query',", "type: 'query', description: 'For admins.',")
        .replace("record: { description: 'Theirs.',", "record: {");
    let versions = Versions::new(&new);
    let hashes = versions.manifest();
    let expected = [
        change("defs.main", Difference::New, None, Some("For admins.")),
        change(
            "defs.main.errors.NotFound",
            Difference::Changed,
            Some("It's theirs."),
            Some("Now it is deprecated."),
        ),
        change("defs.record", Difference::Removed, Some("Theirs."), None),
    ];
    assert_eq!(versions.import(Some(&versions.old)), expected);
    assert_eq!(versions.import(Some(&versions.old)), []);

    // Nothing of theirs is written.
    let text = fs::read_to_string(versions.lexicons.join("manifest.json")).unwrap();
    assert!(!text.contains("admins") && !text.contains("heirs"), "{text}");
    assert_ne!(versions.manifest(), hashes);
    assert_eq!(versions.manifest().to_text(), text);
}

#[test]
fn the_old_text_is_shown_only_if_it_is_the_one_that_was_imported() {
    let versions = Versions::new(&BUNDLE.replace("It's theirs.", "Another."));
    let manifest = versions.lexicons.join("manifest.json");
    let before = fs::read_to_string(&manifest).unwrap();
    let path = "defs.main.errors.NotFound";
    assert_eq!(versions.import(None), [change(path, Difference::Changed, None, Some("Another."))]);
    fs::write(&manifest, before).unwrap();
    package(&versions.old, &BUNDLE.replace("It's theirs.", "Older still."));
    assert_eq!(
        versions.import(Some(&versions.old)),
        [change(path, Difference::Changed, None, Some("Another."))]
    );
}

#[test]
fn a_change_comes_with_the_description_of_the_project() {
    let versions = Versions::new(&BUNDLE.replace("It's theirs.", "Another."));
    let file = versions.lexicons.join("com/example/list.json");
    let text = fs::read_to_string(&file).unwrap();
    let own = "\"name\": \"NotFound\", \"description\": \"Our words.\"";
    fs::write(&file, text.replace("\"name\": \"NotFound\"", own)).unwrap();
    let changes = versions.import(None);
    assert_eq!(changes[0].own.as_deref(), Some("Our words."));
}

/// An import of the folder itself follows edits of our own; what upstream says has not changed by that.
#[test]
fn an_import_of_the_folder_itself_keeps_the_hashes() {
    let versions = Versions::new(BUNDLE);
    let before = versions.manifest();
    let file = versions.lexicons.join("com/example/list.json");
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replacen("\"id\":", "\"description\": \"Our document.\",\n  \"id\":", 1);
    fs::write(&file, text).unwrap();
    let summary = import(&options(&versions.lexicons), &versions.lexicons).unwrap();
    assert_eq!((summary.changed, summary.upstream), (vec!["com.example.list".to_owned()], vec![]));
    let after = versions.manifest();
    let hashes = |manifest: &Manifest| manifest.documents["com.example.list"].upstream.clone();
    assert_eq!(hashes(&after), hashes(&before));
    assert!(!hashes(&after).is_empty());
    assert_ne!(after, before);
}

#[test]
fn the_descriptions_of_a_new_document_are_new() {
    let note = "Note: { lexicon: 1, id: 'org.example.note', defs: { main: { type: 'token', description: 'Told.' } } },\n    ComExampleThing:";
    let versions = Versions::new(&BUNDLE.replace("ComExampleThing:", note));
    let changes = versions.import(None);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].document.as_str(), changes[0].path.as_str()), ("org.example.note", "defs.main"));
}

#[test]
fn descriptions_are_found_wherever_the_language_has_them() {
    let text = r#"{"lexicon": 1, "id": "com.example.a", "description": "1", "defs": {
        "main": {"type": "procedure", "description": "2",
            "parameters": {"type": "params", "description": "3", "properties": {
                "description": {"type": "string", "description": "4"},
                "title": {"type": "array", "items": {"type": "string", "description": "5"}}}},
            "input": {"encoding": "application/json", "description": "6", "schema": {"type": "object", "properties": {}}},
            "errors": [{"name": "B", "description": "7"}, {"name": "A", "description": "8"}]},
        "set": {"type": "permission-set", "title": "9", "title:lang": {"de": "10"}, "detail": "11",
            "permissions": [{"type": "permission", "resource": "repo", "collection": [], "description": "12"}]}}}"#;
    let found = descriptions(&parse(text.as_bytes()).unwrap());
    let found: Vec<_> = found.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    assert_eq!(
        found,
        [
            ("defs.main", "2"),
            ("defs.main.errors.A", "8"),
            ("defs.main.errors.B", "7"),
            ("defs.main.input", "6"),
            ("defs.main.parameters", "3"),
            ("defs.main.parameters.properties.description", "4"),
            ("defs.main.parameters.properties.title.items", "5"),
            ("defs.set.detail", "11"),
            ("defs.set.permissions.0", "12"),
            ("defs.set.title", "9"),
            ("defs.set.title:lang.de", "10"),
            ("description", "1"),
        ]
    );
}

#[test]
fn the_texts_of_a_permission_set_for_users_are_not_taken_over_either() {
    let set = "Access: { lexicon: 1, id: 'com.example.access', defs: { main: { type: 'permission-set', title: 'Theirs.', detail: 'Theirs.', permissions: [] } } },\n    ComExampleThing:";
    let versions = Versions::new(&BUNDLE.replace("ComExampleThing:", set));
    versions.import(None);
    let file = versions.lexicons.join("com/example/access.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains("Theirs."), "{text}");
    fs::write(&file, text.replace("\"permissions\"", "\"title\": \"Ours.\", \"permissions\"")).unwrap();
    versions.import(None);
    assert!(fs::read_to_string(&file).unwrap().contains("\"title\": \"Ours.\""));
}
