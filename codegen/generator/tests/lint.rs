//! Every rule of the linter, by documents that break it and documents that do not.
//!
//! `lint/<rule>/bad` and `lint/<rule>/good` are documents (or folders of them), and `expected.txt` is the output for the bad
//! ones; the bad document of `unreadable` is one that is not there. `UPDATE_GOLDEN=1 cargo test -p atproto-sdk-codegen --test lint` writes it again.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use atproto_sdk_codegen::diagnostic::Severity;
use atproto_sdk_codegen::folder::files_below;
use atproto_sdk_codegen::json;
use atproto_sdk_codegen::lint::{Finding, LintReport, Options, Rule, lint, lint_sources};

fn data(rule: Rule) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint").join(rule.name())
}

/// `bad` or `good` of a rule: a document, or several in a folder. Only where it is about their places is the folder meant.
fn paths(rule: Rule, name: &str) -> Vec<PathBuf> {
    let folder = data(rule).join(name);
    match rule {
        Rule::WrongPath => vec![folder],
        _ if folder.is_dir() => files_below(&folder, "json").unwrap(),
        _ => vec![data(rule).join(format!("{name}.json"))],
    }
}

/// What is found in `bad` or `good` of a rule, as it is wherever this stands.
fn lint_data(rule: Rule, name: &str) -> LintReport {
    let root = data(rule);
    let mut report = lint(&paths(rule, name), &Options::default());
    for finding in &mut report.findings {
        finding.file = finding.file.strip_prefix(&root).unwrap().to_owned();
        finding.message = finding.message.replace(&format!("{}/", root.display()), "");
    }
    report
}

/// Only definitions that are refs themselves can make a circle.
fn also_broken(rule: Rule) -> Option<Rule> {
    (rule == Rule::RefCircle).then_some(Rule::LooseDefinition)
}

#[test]
fn each_bad_document_breaks_only_its_rule_and_is_shown_as_expected() {
    let mut wrong = Vec::new();
    for rule in Rule::ALL.iter().copied() {
        let report = lint_data(rule, "bad");
        let rules: BTreeSet<Rule> = report.findings.iter().map(|finding| finding.rule).collect();
        if rules != also_broken(rule).into_iter().chain([rule]).collect() {
            wrong.push(format!("{rule}: found {rules:?}\n{report}"));
        }
        let (file, text) = (data(rule).join("expected.txt"), format!("{report}\n"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &text).unwrap();
        } else if fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push(format!("{rule}: not as in {}\n{text}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_documents_break_no_rule_at_all() {
    let mut wrong = Vec::new();
    for rule in Rule::ALL.iter().copied() {
        let report = lint_data(rule, "good");
        if !report.findings.is_empty() {
            wrong.push(format!("{rule}:\n{report}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The folders are those of rules, so that none is left over when a rule is renamed.
#[test]
fn test_data_and_documentation_are_of_rules_that_exist() {
    let names: BTreeSet<String> = Rule::ALL.iter().map(|rule| rule.name().to_owned()).collect();
    assert_eq!(names.len(), Rule::ALL.len(), "two rules have the same name");
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint")).unwrap();
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, names);
    let page = include_str!("../docs/lints.md");
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| Some(line.strip_prefix("### `")?.strip_suffix('`')?.to_owned()))
        .collect();
    assert_eq!(headings, names);
}

#[test]
fn every_name_leads_back_to_its_rule() {
    for rule in Rule::ALL.iter().copied() {
        assert_eq!(rule.name().parse(), Ok(rule));
        assert!(rule.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{rule}");
        assert!(!rule.help().is_empty());
    }
    let error = "no-max-lenght".parse::<Rule>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "expected the name of a lint rule, found `no-max-lenght`; did you mean `no-max-length`?"
    );
}

#[test]
fn allowed_rules_are_left_out() {
    for rule in Rule::ALL.iter().copied() {
        let allow = also_broken(rule).into_iter().chain([rule]).collect();
        let options = Options { allow, ..Options::default() };
        assert_eq!(lint(&paths(rule, "bad"), &options).findings, [], "{rule}");
    }
}

#[test]
fn only_errors_fail_unless_warnings_are_denied() {
    let error = lint_data(Rule::UnresolvedRef, "bad");
    assert_eq!((error.exit_code(false), error.exit_code(true)), (1, 1));
    let warning = lint_data(Rule::MissingDescription, "bad");
    assert_eq!((warning.exit_code(false), warning.exit_code(true)), (0, 1));
    let clean = lint_data(Rule::MissingDescription, "good");
    assert_eq!((clean.exit_code(false), clean.exit_code(true)), (0, 0));
    assert_eq!(clean.to_string(), "0 errors, 0 warnings");
}

#[test]
fn findings_have_a_form_for_machines() {
    let report = lint_data(Rule::UnknownFormat, "bad");
    let value: serde_json::Value = serde_json::from_str(&json::to_pretty(&report.to_json())).unwrap();
    assert_eq!(value["errors"], 1);
    assert_eq!(value["warnings"], 0);
    let finding = &value["findings"][0];
    let Finding { position, json_path, message, .. } = &report.findings[0];
    assert_eq!(finding["rule"], "unknown-format");
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["file"], "bad.json");
    assert_eq!(finding["line"], position.unwrap().line);
    assert_eq!(finding["column"], position.unwrap().column);
    assert_eq!(finding["path"], json_path.as_str());
    assert_eq!(finding["message"], message.as_str());
    assert_eq!(finding["help"], Rule::UnknownFormat.help());
}

fn source(path: &str, text: &str) -> (PathBuf, Vec<u8>) {
    (path.into(), text.as_bytes().to_vec())
}

const REFERS: &str = r#"{"lexicon": 1, "id": "com.example.note", "defs": {"main": {"type": "record", "key": "tid",
    "description": "A note.", "record": {"type": "object", "properties": {
    "subject": {"type": "ref", "ref": "com.other.defs#subject"}}}}}}"#;

#[test]
fn refs_may_lead_into_documents_that_are_not_checked() {
    let other = r#"{"lexicon": 1, "id": "com.other.defs", "defs": {"subject": {"type": "object", "properties": {
        "bad_name": {"type": "string"}}}}}"#;
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("com/other")).unwrap();
    fs::write(folder.path().join("com/other/defs.json"), other).unwrap();
    let lint = |options: &Options| lint_sources([source("note.json", REFERS)], options);
    assert_eq!(lint(&Options::default()).findings[0].rule, Rule::UnresolvedRef);
    let context = Options { context: vec![folder.path().to_owned()], ..Options::default() };
    assert_eq!(lint(&context).findings, []);
    for (external, is_excused) in
        [("com.other", true), ("com.other.defs", true), ("com.other.*", true), ("com.oth", false)]
    {
        let options = Options { external: vec![external.to_owned()], ..Options::default() };
        assert_eq!(lint(&options).findings.is_empty(), is_excused, "{external}");
    }
}

/// A document that is refused has findings of its own; refs into it are none.
#[test]
fn refs_into_refused_documents_are_no_findings() {
    let other = r#"{"lexicon": 2, "id": "com.other.defs", "defs": {"subject": {"type": "token", "description": "A."}}}"#;
    let report =
        lint_sources([source("note.json", REFERS), source("other.json", other)], &Options::default());
    let rules: Vec<Rule> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::LanguageVersion]);
}

/// A definition that is left out has a finding of its own, and what is wrong is asked for no style.
#[test]
fn one_mistake_is_one_finding() {
    let text = r##"{"lexicon": 1, "id": "com.example.note", "defs": {"main": {"type": "record", "key": "tid",
        "description": "A note.", "record": {"type": "object", "properties": {
        "view": {"type": "ref", "ref": "#view"}, "text": {"type": "strin"}}}}, "view": {"type": "thnig"}}}"##;
    let report = lint_sources([source("note.json", text)], &Options::default());
    let found: Vec<_> = report.findings.iter().map(|it| (it.rule, it.json_path.as_str())).collect();
    assert_eq!(
        found,
        [(Rule::UnknownType, "defs.main.record.properties.text.type"), (Rule::UnknownType, "defs.view.type"),]
    );
}

/// Refs are checked although an id is there twice.
#[test]
fn one_finding_does_not_hide_others() {
    let report = lint_sources([source("a.json", REFERS), source("b.json", REFERS)], &Options::default());
    let rules: Vec<Rule> = report.findings.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, [Rule::UnresolvedRef, Rule::DuplicateDocument]);
}

/// Whatever is wrong with a document, it is a finding and no panic.
#[test]
fn damaged_documents_give_findings() {
    for rule in Rule::ALL.iter().copied() {
        let Ok(text) = fs::read(data(rule).join("bad.json")) else { continue };
        for at in (0..text.len() - 2).step_by(7) {
            let report = lint_sources([("cut.json".into(), text[..at].to_vec())], &Options::default());
            assert!(report.error_count() > 0, "{rule} cut at {at}");
            let mut changed = text.clone();
            changed[at] = b'0';
            let report = lint_sources([("changed.json".into(), changed)], &Options::default());
            drop(report.to_string());
        }
    }
}

/// What the bundle has was published by those who wrote the rules: nothing of it breaks the language.
#[test]
fn the_bundled_documents_have_no_errors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lexicons");
    let report = lint(&[folder], &Options::default());
    let errors: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(report.warning_count() > 0);
}
