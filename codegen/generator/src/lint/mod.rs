//! What is wrong with documents, and what is unwise: the rules of the language and the conventions of the
//! [style guide](https://atproto.com/guides/lexicon-style-guide), each with a stable name.
//!
//! ```
//! use atproto_sdk_codegen::lint::{Options, lint_sources};
//!
//! let text = r##"{"lexicon": 1, "id": "com.example.doThing", "defs": {"main": {"type": "query", "description": "Does it.",
//!     "output": {"encoding": "application/json", "schema": {"type": "ref", "ref": "#thing"}}}}}"##;
//! let report = lint_sources([("com/example/doThing.json".into(), text.as_bytes().to_vec())], &Options::default());
//! assert_eq!(report.findings[0].rule.name(), "unresolved-ref");
//! assert_eq!(report.exit_code(false), 1);
//! ```
//!
#![doc = include_str!("../../docs/lints.md")]

mod finding;
mod language;
mod rule;
mod sites;
mod source;
mod style;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use self::sites::{Sites, uses};
use self::source::{Node, Source, read, tree};
use crate::catalog::{Catalog, path_of};
use crate::diagnostic::{Diagnostic, Problem, Report, Severity};
use crate::document::{DefId, Document};
use crate::json::{Kind, Position, Value};

pub use finding::Finding;
pub use rule::{Rule, UnknownRule};

/// What is looked at, and what is not reported.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Rules whose findings are left out.
    pub allow: BTreeSet<Rule>,
    /// Documents, or folders of them, that refs may lead into, and that are not checked themselves.
    pub context: Vec<PathBuf>,
    /// Other documents that refs may lead into, such as those of [`sdk_documents`](crate::bundle::sdk_documents).
    pub known: Vec<Document>,
    /// NSIDs and beginnings of NSIDs (`com.atproto`) that refs may lead into without a document being there.
    pub external: Vec<String>,
}

/// All findings, by file and place. `Display` shows each with its source line, and the counts at the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LintReport {
    /// Sorted by file and place.
    pub findings: Vec<Finding>,
}

impl LintReport {
    /// How many findings are errors.
    pub fn error_count(&self) -> usize {
        self.findings.iter().filter(|it| it.severity() == Severity::Error).count()
    }

    /// How many findings are warnings.
    pub fn warning_count(&self) -> usize {
        self.findings.len() - self.error_count()
    }

    /// What a command that shows the findings exits with: 1 if there are errors, or warnings where these are `denied` too,
    /// otherwise 0.
    pub fn exit_code(&self, denied: bool) -> u8 {
        u8::from(self.error_count() > 0 || (denied && !self.findings.is_empty()))
    }

    /// The findings for machines: `findings` (see [`Finding::to_json`]), and their counts.
    pub fn to_json(&self) -> Value {
        let count = |count: usize| Value::new(Kind::Number(count.to_string()));
        let findings = self.findings.iter().map(Finding::to_json).collect();
        Value::object([
            ("findings", Value::new(Kind::Array(findings))),
            ("errors", count(self.error_count())),
            ("warnings", count(self.warning_count())),
        ])
    }
}

impl fmt::Display for LintReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}\n")?;
        }
        let number = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        write!(f, "{}, {}", number(self.error_count(), "error"), number(self.warning_count(), "warning"))
    }
}

/// Checks documents and every document below folders. A document in a folder must stand in the file that its id names.
pub fn lint(paths: &[PathBuf], options: &Options) -> LintReport {
    check(paths.iter().flat_map(|path| read(path)).collect(), options)
}

/// Checks documents from memory; the paths are for messages only.
pub fn lint_sources(sources: impl IntoIterator<Item = (PathBuf, Vec<u8>)>, options: &Options) -> LintReport {
    let sources = sources.into_iter().map(|(path, text)| Source { path, relative: None, text: Ok(text) });
    check(sources.collect(), options)
}

fn check(sources: Vec<Source>, options: &Options) -> LintReport {
    let trees: Vec<Option<Value>> = sources.iter().map(|source| tree(source.text.as_ref().ok()?)).collect();
    let mut findings = Findings::new(&sources, &trees, options);
    let documents = findings.parse();
    let context = context(options, &documents);
    let known: HashMap<&str, &Document> =
        context.iter().chain(documents.iter().flatten()).map(|it| (it.id.as_str(), it)).collect();
    let uses = uses(&known);
    let ids: BTreeSet<&str> = documents.iter().flatten().map(|document| document.id.as_str()).collect();
    for (at, document) in documents.iter().enumerate() {
        let (Some(document), Some(tree)) = (document, &trees[at]) else { continue };
        let root = Node::top(tree);
        let sites = Sites::of(document, &root, &uses).without(&findings.wrong[at]);
        let linted = Linted { document, root, sites, ids: &ids, known: &known };
        style::check(&linted, &mut |rule, place: Place, message: String| {
            findings.add(at, rule, place, message)
        });
    }
    findings.check_refs(&documents, context);
    findings.report()
}

/// A document with everything that the rules look at.
struct Linted<'a> {
    document: &'a Document,
    root: Node<'a>,
    sites: Sites<'a>,
    /// The NSIDs of all documents that are checked.
    ids: &'a BTreeSet<&'a str>,
    /// All documents.
    known: &'a HashMap<&'a str, &'a Document>,
}

/// Where a finding is.
#[derive(Debug, Clone)]
struct Place {
    position: Option<Position>,
    path: String,
}

impl Place {
    /// The value itself.
    fn value(node: &Node<'_>) -> Self {
        Self { position: Some(node.value.position), path: node.path.clone() }
    }

    /// The key of the value.
    fn key(node: &Node<'_>) -> Self {
        Self { position: Some(node.key), path: node.path.clone() }
    }
}

/// Documents that are only referred to. What is wrong with them is not asked; those that are checked come first.
fn context(options: &Options, checked: &[Option<Document>]) -> Vec<Document> {
    let mut ids: HashSet<String> = checked.iter().flatten().map(|document| document.id.clone()).collect();
    let mut documents = Vec::new();
    for source in options.context.iter().flat_map(|path| read(path)) {
        let Ok(text) = source.text else { continue };
        let document = Document::parse(&source.path, &text, &mut Report::default());
        documents.extend(document.filter(|document| ids.insert(document.id.clone())));
    }
    documents.extend(options.known.iter().filter(|document| ids.insert(document.id.clone())).cloned());
    documents
}

/// Collects findings over all files.
struct Findings<'a> {
    sources: &'a [Source],
    trees: &'a [Option<Value>],
    options: &'a Options,
    found: Vec<(usize, Finding)>,
    /// The NSIDs of documents that were refused: refs into them are no findings of their own.
    refused: HashSet<String>,
    /// Definitions that were left out of documents, likewise.
    left_out: HashSet<DefId>,
    /// For each file, the JSON paths of what is wrong in it: style is not asked of it.
    wrong: Vec<Vec<String>>,
}

impl<'a> Findings<'a> {
    fn new(sources: &'a [Source], trees: &'a [Option<Value>], options: &'a Options) -> Self {
        Self {
            sources,
            trees,
            options,
            found: Vec::new(),
            refused: HashSet::new(),
            left_out: HashSet::new(),
            wrong: vec![Vec::new(); sources.len()],
        }
    }

    fn add(&mut self, at: usize, rule: Rule, place: Place, message: String) {
        if self.options.allow.contains(&rule) {
            return;
        }
        let source = &self.sources[at];
        let text = source.text.as_deref().unwrap_or_default();
        let finding = Finding {
            rule,
            file: source.path.clone(),
            position: place.position,
            json_path: place.path,
            message,
            source_line: place.position.and_then(|position| source::line(text, position)),
        };
        self.found.push((at, finding));
    }

    /// Parses every file; findings of the parser are reported.
    fn parse(&mut self) -> Vec<Option<Document>> {
        let mut documents = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            let mut report = Report::default();
            let document = match &source.text {
                Ok(text) => Document::parse(&source.path, text, &mut report),
                Err(error) => {
                    report.error(&source.path, None, "", Problem::Unreadable(error.clone()));
                    None
                }
            };
            // What takes the place of something that is wrong is no matter of style.
            let document = document.filter(|_| report.error_count() == 0);
            for diagnostic in report.diagnostics {
                if diagnostic.severity == Severity::Error {
                    self.wrong[at].push(diagnostic.json_path.clone());
                }
                self.diagnostic(at, diagnostic);
            }
            match &document {
                Some(document) => {
                    self.check_path(at, document);
                    let id = |name: &String| DefId { nsid: document.id.clone(), name: name.clone() };
                    self.left_out.extend(document.left_out.iter().map(id));
                }
                None => {
                    let id = self.trees[at].as_ref().and_then(|tree| tree.get("id")?.as_str());
                    self.refused.extend(id.map(str::to_owned));
                }
            }
            documents.push(document);
        }
        documents
    }

    fn check_path(&mut self, at: usize, document: &Document) {
        let Some(relative) = &self.sources[at].relative else { return };
        let expected = path_of(&document.id);
        if *relative != expected {
            let (expected, found) = (expected.display().to_string(), relative.display().to_string());
            let problem = Problem::WrongPath { expected, found };
            let file = self.sources[at].path.clone();
            let (severity, json_path) = (Severity::Error, "id".to_owned());
            self.diagnostic(
                at,
                Diagnostic { severity, file, position: None, json_path, problem, outcome: None },
            );
        }
    }

    fn diagnostic(&mut self, at: usize, diagnostic: Diagnostic) {
        let root = self.trees[at].as_ref();
        let rule = language::rule_of(&diagnostic, root);
        // Some are about a file as a whole, and say in words what value is meant.
        let value = root.and_then(|root| source::steps(root, &diagnostic.json_path).last().cloned());
        let position = diagnostic.position.or(value.map(|step| step.value.position));
        self.add(at, rule, Place { position, path: diagnostic.json_path }, diagnostic.problem.to_string());
    }

    /// Whether every ref leads to something that may stand there, among all documents.
    fn check_refs(&mut self, documents: &[Option<Document>], context: Vec<Document>) {
        let files: HashMap<&Path, usize> =
            self.sources.iter().enumerate().map(|(at, source)| (source.path.as_path(), at)).collect();
        let all = context.into_iter().chain(self.without_duplicates(documents));
        let diagnostics = match Catalog::from_documents(all) {
            Ok(catalog) => catalog.warnings().to_vec(),
            Err(rejected) => rejected.0.diagnostics,
        };
        for diagnostic in diagnostics {
            // Those of the context are not asked for.
            let Some(at) = files.get(diagnostic.file.as_path()).copied() else { continue };
            let here = diagnostic.file.as_path();
            let document = documents.get(at).and_then(Option::as_ref).filter(|it| it.path == here);
            let is_known = self.wrong[at].contains(&diagnostic.json_path);
            if !is_known && !self.is_excused(&diagnostic.problem, document) {
                self.diagnostic(at, diagnostic);
            }
        }
    }

    /// The documents to which refs can lead: of several with the same id, the first.
    fn without_duplicates(&mut self, documents: &[Option<Document>]) -> Vec<Document> {
        let mut unique: IndexMap<String, Document> = IndexMap::new();
        for (at, document) in documents.iter().enumerate() {
            let Some(document) = document else { continue };
            if let Some(first) = unique.get(&document.id) {
                let problem =
                    Problem::DuplicateDocument { id: document.id.clone(), first: first.path.clone() };
                let (severity, json_path) = (Severity::Error, "id".to_owned());
                let file = document.path.clone();
                self.diagnostic(
                    at,
                    Diagnostic { severity, file, position: None, json_path, problem, outcome: None },
                );
            } else {
                unique.insert(document.id.clone(), document.clone());
            }
        }
        unique.into_values().collect()
    }

    /// Whether a ref leads to something that is known to be wrong itself, or that is somewhere else.
    fn is_excused(&self, problem: &Problem, document: Option<&Document>) -> bool {
        let Problem::UnresolvedRef { reference, .. } = problem else { return false };
        let (nsid, name) = reference.split_once('#').unwrap_or((reference, "main"));
        let is_below = |prefix: &String| {
            nsid.strip_prefix(prefix.trim_end_matches(".*"))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let owner = if nsid.is_empty() { document.map_or("", |it| it.id.as_str()) } else { nsid };
        let target = DefId { nsid: owner.to_owned(), name: name.to_owned() };
        self.left_out.contains(&target)
            || (!nsid.is_empty()
                && (self.refused.contains(nsid) || self.options.external.iter().any(is_below)))
    }

    fn report(self) -> LintReport {
        let mut found = self.found;
        found.sort_by(|(a, left), (b, right)| {
            (a, left.position, left.rule).cmp(&(b, right.position, right.rule))
        });
        LintReport { findings: found.into_iter().map(|(_, finding)| finding).collect() }
    }
}
