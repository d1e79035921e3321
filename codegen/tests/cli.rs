//! The command line, from the outside.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn codegen(dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_codegen"));
    command.current_dir(dir).env_remove("CARGO_MANIFEST_DIR");
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder `lexicons` with these documents.
fn workspace(documents: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, defs) in documents {
        let file = dir.path().join("lexicons").join(path).with_extension("json");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let id = path.replace('/', ".");
        fs::write(file, format!("{{\"lexicon\": 1, \"id\": \"{id}\",\n \"defs\": {{{defs}}}}}")).unwrap();
    }
    dir
}

const FOLDERS: [&str; 4] = ["--lexicons", "lexicons", "--out", "api"];

#[test]
fn bad_documents_are_all_reported_and_nothing_is_written() {
    let dir = workspace(&[
        ("com/example/good", r#""main": {"type": "query"}"#),
        ("com/example/bad", r#""main": {"type": "qurey"}"#),
        ("com/example/worse", r##""a": {"type": "array", "items": {"type": "string", "format": "date"}}"##),
    ]);
    let result = codegen(dir.path(), &FOLDERS);
    assert_eq!((result.status.code(), text(&result.stdout)), (Some(1), String::new()));
    let errors = text(&result.stderr);
    assert!(
        errors.contains("error: lexicons/com/example/bad.json:2:28: defs.main.type: expected the type"),
        "{errors}"
    );
    assert!(errors.contains("did you mean `query`?"), "{errors}");
    assert!(
        errors.contains(
            "error: lexicons/com/example/worse.json:2:72: defs.a.items.format: expected the format"
        ),
        "{errors}"
    );
    assert!(errors.ends_with("nothing was written\n"));
    assert!(!dir.path().join("api").exists());
}

#[test]
fn warnings_do_not_stop_generation() {
    let dir = workspace(&[("com/example/loose", r#""a": {"type": "unknown"}"#)]);
    let result = codegen(dir.path(), &FOLDERS);
    assert_eq!(result.status.code(), Some(0));
    assert!(text(&result.stderr).starts_with("warning: lexicons/com/example/loose.json:2:16: defs.a: "));
    assert!(
        text(&result.stdout).starts_with(
            "1 document: 0 queries, 0 procedures, 0 subscriptions, 0 records, 0 permission sets; "
        )
    );
}

#[test]
fn typos_in_arguments_are_explained() {
    let dir = tempfile::tempdir().unwrap();
    for (arguments, hint) in [
        (vec!["chekc"], "check"),
        (vec!["--lexcions", "x"], "--lexicons"),
        (vec!["import"], "<SOURCE>"),
        (vec!["import", "x", "--integrity", "md5-abc"], "sha512-"),
    ] {
        let result = codegen(dir.path(), &arguments);
        assert_eq!(result.status.code(), Some(2), "{arguments:?}");
        assert!(text(&result.stderr).contains(hint), "{}", text(&result.stderr));
    }
}

#[test]
fn outside_of_a_workspace_the_folders_must_be_given() {
    let dir = tempfile::tempdir().unwrap();
    let result = codegen(dir.path(), &["check"]);
    assert_eq!(result.status.code(), Some(1));
    assert!(text(&result.stderr).contains("give --lexicons and --out"));
    let result = codegen(dir.path(), &["--lexicons", "nowhere", "--out", "api"]);
    assert_eq!(result.status.code(), Some(1));
    assert!(text(&result.stderr).contains("error: nowhere: expected documents, found none"));
}

#[test]
fn import_makes_the_folder_and_says_what_changed() {
    let dir = workspace(&[("com/example/a", r#""main": {"type": "query", "description": "Theirs."}"#)]);
    let import = |source: &str| {
        codegen(
            dir.path(),
            &["import", source, "--lexicons", "made", "--package-name", "p", "--package-version", "1"],
        )
    };
    let result = import("lexicons");
    assert_eq!(result.status.code(), Some(0), "{}", text(&result.stderr));
    assert_eq!(
        text(&result.stdout),
        "added: com.example.a\nwithout a description: com.example.a\n1 documents, 0 of them extra: 1 added, 0 changed, 0 removed; \
         0 descriptions kept, 0 lost; 1 primary definitions without a description\n"
    );
    assert!(fs::read_to_string(dir.path().join("made/manifest.json")).unwrap().contains("\"name\": \"p\""));
    assert!(text(&import("lexicons").stdout).starts_with(
        "without a description: com.example.a\n1 documents, 0 of them extra: 0 added, 0 changed"
    ));

    let result = import("nowhere");
    assert_eq!(result.status.code(), Some(1));
    assert_eq!(text(&result.stderr), "error: nowhere: expected a folder\nnothing was written\n");
}

#[test]
fn import_shows_upstream_descriptions_that_have_changed() {
    let dir = workspace(&[]);
    let query = |description: &str| {
        format!(
            r#"{{"lexicon": 1, "id": "com.example.a", "defs": {{"main": {{"type": "query", "description": "{description}"}}}}}}"#
        )
    };
    for (version, text) in [("old", "Two\\nlines."), ("new", "Needs a DID.")] {
        fs::create_dir(dir.path().join(version)).unwrap();
        fs::write(dir.path().join(version).join("a.json"), query(text)).unwrap();
    }
    let import = |source: &str, options: &[&str]| {
        let all = [&["import", source, "--lexicons", "made"], options].concat();
        let result = codegen(dir.path(), &all);
        assert_eq!(result.status.code(), Some(0), "{}", text(&result.stderr));
        text(&result.stdout)
    };
    import("old", &[]);
    let file = dir.path().join("made/com/example/a.json");
    fs::write(&file, query("Gets it.")).unwrap();

    let manifest = dir.path().join("made/manifest.json");
    let before = fs::read_to_string(&manifest).unwrap();
    let shown = import("new", &["--previous", "old"]);
    let expected = "upstream description changed: com.example.a defs.main\n  old: Two\n    lines.\n  new: Needs a DID.\n  \
                    our own: Gets it.\nupstream descriptions: 0 new, 1 changed, 0 removed; ";
    assert!(shown.contains(expected), "{shown}");
    assert!(!shown.contains("--previous"), "{shown}");
    assert!(!import("new", &[]).contains("upstream"));

    fs::write(&manifest, &before).unwrap();
    let shown = import("new", &[]);
    assert!(shown.contains("  old: (only its hash is known)\n  new: Needs a DID.\n"), "{shown}");
    assert!(
        shown.ends_with("`--previous PACKAGE`, the unpacked package imported before, shows the old texts\n"),
        "{shown}"
    );

    fs::write(&manifest, &before).unwrap();
    let shown = import("new", &["--previous", "new"]);
    assert!(shown.contains("  old: (not in new, which is not what was imported before)\n"), "{shown}");
}

#[test]
fn extra_documents_have_no_package() {
    let dir = workspace(&[("com/example/a", r#""main": {"type": "query"}"#)]);
    let result = codegen(
        dir.path(),
        &["import", "lexicons", "--extra", "--package-version", "1", "--lexicons", "made"],
    );
    assert_eq!(result.status.code(), Some(2));
    let result = codegen(dir.path(), &["import", "lexicons", "--extra", "--lexicons", "made"]);
    assert_eq!(result.status.code(), Some(0), "{}", text(&result.stderr));
    assert!(
        text(&result.stdout).contains("1 documents, 1 of them extra: 1 added"),
        "{}",
        text(&result.stdout)
    );
}

#[test]
fn generation_is_repeatable_and_check_finds_every_difference() {
    let dir = workspace(&[
        (
            "com/example/one",
            r#""main": {"type": "query", "output": {"encoding": "application/json", "schema": {"type": "object", "properties": {}}}}"#,
        ),
        ("com/example/two", r#""main": {"type": "object", "properties": {"a": {"type": "string"}}}"#),
    ]);
    let run = |check: bool| {
        codegen(dir.path(), &[FOLDERS.as_slice(), if check { &["check"] } else { &[] }].concat())
    };
    let missing = run(true);
    assert_eq!(missing.status.code(), Some(1));
    assert!(
        text(&missing.stdout).lines().all(|line| line.starts_with("missing: api/")),
        "{}",
        text(&missing.stdout)
    );
    assert!(!dir.path().join("api").exists());

    let first = text(&run(false).stdout);
    assert!(
        first.starts_with("2 documents: 1 query, 0 procedures") && !first.contains(" 0 written"),
        "{first}"
    );
    assert!(text(&run(false).stdout).contains(" 0 written, 0 removed, in "));
    assert_eq!(run(true).status.code(), Some(0));

    let file = dir.path().join("api/com/example/two.rs");
    let made = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{made}// x\n")).unwrap();
    fs::copy(&file, dir.path().join("api/com/old.rs")).unwrap();
    let differs = run(true);
    assert_eq!(differs.status.code(), Some(1));
    assert_eq!(text(&differs.stdout), "would change: api/com/example/two.rs\nstale: api/com/old.rs\n");
    assert!(text(&run(false).stdout).contains(" 1 written, 1 removed, in "));
    assert_eq!(fs::read_to_string(&file).unwrap(), made);
    assert!(!dir.path().join("api/com/old.rs").exists());

    // A document gone bad leaves everything as it is.
    fs::write(dir.path().join("lexicons/com/example/one.json"), "{").unwrap();
    assert_eq!((run(false).status.code(), fs::read_to_string(&file).unwrap()), (Some(1), made));
    assert!(dir.path().join("api/com/example/one.rs").exists());
}
