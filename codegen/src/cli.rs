//! The command line: `codegen`, `codegen check`, `codegen import`.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand};

use crate::import::{DescriptionChange, Difference, ImportError, ImportOptions, Summary, import};
use atproto_sdk_codegen::bundle::bundle;
use atproto_sdk_codegen::catalog::Catalog;
use atproto_sdk_codegen::diagnostic::{Diagnostic, Rejected};
use atproto_sdk_codegen::emit::{EmitError, Home, generate};
use atproto_sdk_codegen::folder::FolderError;
use atproto_sdk_codegen::json;
use atproto_sdk_codegen::output::{OutputError, Plan};

/// Makes Rust from Lexicon documents. Without a command it regenerates the bindings; files that are
/// already as they should be are not touched.
#[derive(Debug, Parser)]
#[command(name = "codegen")]
pub struct Cli {
    /// The folder of Lexicon documents [default: the workspace's lexicons]
    #[arg(long, value_name = "DIR", global = true)]
    lexicons: Option<PathBuf>,
    /// The folder for the generated Rust [default: the workspace's sdk/src/api]
    #[arg(long, value_name = "DIR", global = true)]
    out: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists generated files that would change, and exits with 1 if there are any; writes nothing
    Check,
    /// Brings the folder of documents up to date, keeping the project's own descriptions, and lists the upstream
    /// descriptions that have changed since the last import
    Import(ImportArguments),
}

#[derive(Debug, clap::Args)]
struct ImportArguments {
    /// An unpacked npm package (@atproto/api), or a folder of Lexicon JSON files; the folder of documents itself
    /// brings only its manifest up to date
    source: PathBuf,
    /// The source has documents that the package lacks: add them, or bring them up to date; imports from the package
    /// leave them
    #[arg(long, conflicts_with_all = ["integrity", "package_name", "package_version"])]
    extra: bool,
    /// The unpacked package (or folder) that was imported before: shows the old text of descriptions that have
    /// changed, of which only hashes are kept
    #[arg(long, value_name = "PACKAGE")]
    previous: Option<PathBuf>,
    /// The package's integrity as its registry gives it (sha512-...), for the manifest
    #[arg(long, value_parser = parse_integrity)]
    integrity: Option<String>,
    /// The package's name, where the source has no package.json
    #[arg(long, value_name = "NAME")]
    package_name: Option<String>,
    /// The package's version, where the source has no package.json
    #[arg(long, value_name = "VERSION")]
    package_version: Option<String>,
}

fn parse_integrity(text: &str) -> Result<String, String> {
    let hash = ["sha256-", "sha384-", "sha512-"].iter().find_map(|kind| text.strip_prefix(kind));
    let is_base64 =
        |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    if hash.is_some_and(is_base64) {
        Ok(text.to_owned())
    } else {
        Err("expected `sha512-` and a hash in base64".to_owned())
    }
}

#[derive(Debug, thiserror::Error)]
enum CliError {
    #[error(transparent)]
    Rejected(#[from] Rejected),
    #[error(transparent)]
    Emit(#[from] EmitError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(
        "cannot find the workspace (a folder with codegen/ and sdk/) from here; give --lexicons and --out"
    )]
    NoWorkspace,
}

impl CliError {
    fn findings(&self) -> Option<&[Diagnostic]> {
        match self {
            Self::Rejected(rejected) | Self::Import(ImportError::Rejected(rejected)) => {
                Some(&rejected.0.diagnostics)
            }
            _ => None,
        }
    }
}

impl Cli {
    /// Runs the command; the result is the exit code. Results go to `out`, findings to `err`.
    pub fn run(&self, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
        let result = match &self.command {
            None => self.regenerate(out, err),
            Some(Command::Check) => self.check(out, err),
            Some(Command::Import(arguments)) => self.import(arguments, out, err),
        };
        match result {
            Ok(code) => code,
            Err(error) => {
                match error.findings() {
                    Some(findings) => lines(err, findings),
                    None => lines(err, &[format!("error: {error}")]),
                }
                lines(err, &["nothing was written"]);
                1
            }
        }
    }

    fn regenerate(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, CliError> {
        let start = Instant::now();
        let (catalog, plan) = self.plan(err)?;
        plan.apply()?;
        if let Some(bundle) = self.bundle_plan(&catalog)? {
            bundle.apply()?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let (counts, files, written, removed) =
            (catalog.counts(), plan.files(), plan.written(), plan.stale.len());
        let line =
            format!("{counts}; {files} files, {written} written, {removed} removed, in {seconds:.1} s");
        lines(out, &[line]);
        Ok(0)
    }

    fn check(&self, out: &mut dyn Write, err: &mut dyn Write) -> Result<u8, CliError> {
        let (catalog, plan) = self.plan(err)?;
        let bundle = self.bundle_plan(&catalog)?.unwrap_or_default();
        lines(out, &plan.lines());
        lines(out, &bundle.lines());
        let (counts, files) = (catalog.counts(), plan.files());
        if plan.is_empty() && bundle.is_empty() {
            lines(out, &[format!("{counts}; {files} files, all as generated")]);
            return Ok(0);
        }
        let differ = plan.written() + plan.stale.len() + bundle.written();
        lines(err, &[format!("{differ} files differ from what `cargo run -p codegen` makes; run it")]);
        Ok(1)
    }

    fn import(
        &self,
        given: &ImportArguments,
        out: &mut dyn Write,
        err: &mut dyn Write,
    ) -> Result<u8, CliError> {
        let options = ImportOptions {
            source: given.source.clone(),
            extra: given.extra,
            previous: given.previous.clone(),
            package: given.package_name.clone(),
            version: given.package_version.clone(),
            integrity: given.integrity.clone(),
        };
        let summary = import(&options, &self.lexicons()?)?;
        lines(err, &summary.warnings);
        lines(out, &summary_lines(&summary));
        lines(out, &review_lines(&summary.upstream, given.previous.as_deref()));
        Ok(0)
    }

    fn plan(&self, err: &mut dyn Write) -> Result<(Catalog, Plan), CliError> {
        let catalog = Catalog::load(&self.lexicons()?)?;
        lines(err, catalog.warnings());
        let files = generate(&catalog, &Home::sdk())?;
        let plan = Plan::for_rust(&self.out()?, files)?;
        Ok((catalog, plan))
    }

    /// The documents as the generator has them for the refs of other crates; not where other folders are given.
    fn bundle_plan(&self, catalog: &Catalog) -> Result<Option<Plan>, CliError> {
        let Some(workspace) = workspace().filter(|_| self.lexicons.is_none() && self.out.is_none()) else {
            return Ok(None);
        };
        let mut values = Vec::new();
        for document in catalog.documents() {
            let bytes = fs::read(&document.path).map_err(FolderError::new("read", &document.path))?;
            // The catalog has read the same file.
            values.extend(json::parse(&bytes));
        }
        let file = (PathBuf::from("bundle.json"), bundle(&values));
        Ok(Some(Plan::new(&workspace.join("codegen/generator/src"), vec![file], Vec::new())?))
    }

    fn lexicons(&self) -> Result<PathBuf, CliError> {
        self.lexicons.clone().or_else(|| Some(workspace()?.join("lexicons"))).ok_or(CliError::NoWorkspace)
    }

    fn out(&self) -> Result<PathBuf, CliError> {
        self.out.clone().or_else(|| Some(workspace()?.join("sdk/src/api"))).ok_or(CliError::NoWorkspace)
    }
}

/// The workspace that cargo runs this for, or else the one around the current folder. Given relative to the
/// current folder where that is possible, so that messages are short.
fn workspace() -> Option<PathBuf> {
    let here = std::env::current_dir().ok();
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let starts = manifest.iter().chain(&here);
    let is_workspace =
        |it: &&Path| it.join("codegen/Cargo.toml").is_file() && it.join("sdk/Cargo.toml").is_file();
    let found = starts.flat_map(|it| it.ancestors()).find(is_workspace)?;
    let relative = here
        .as_deref()
        .and_then(|here| found.strip_prefix(here).ok().or_else(|| (here == found).then_some(Path::new(""))));
    Some(relative.unwrap_or(found).to_owned())
}

fn summary_lines(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    for (what, ids) in
        [("added", &summary.added), ("changed", &summary.changed), ("removed", &summary.removed)]
    {
        // A first import adds everything: the names would say nothing.
        let shown = if ids.len() <= 40 { ids.as_slice() } else { &[] };
        lines.extend(shown.iter().map(|id| format!("{what}: {id}")));
    }
    lines.extend(summary.adopted.iter().map(|id| format!("extra, for the manifest did not list it: {id}")));
    lines.extend(summary.moved.iter().map(|id| format!("no longer extra, for the package has it now: {id}")));
    lines.extend(summary.undescribed.iter().map(|id| format!("without a description: {id}")));
    lines.push(format!(
        "{} documents, {} of them extra: {} added, {} changed, {} removed; {} descriptions kept, {} lost; \
         {} primary definitions without a description",
        summary.documents,
        summary.extra,
        summary.added.len(),
        summary.changed.len(),
        summary.removed.len(),
        summary.descriptions_kept,
        summary.descriptions_lost,
        summary.undescribed.len(),
    ));
    lines
}

/// The upstream descriptions to review, each beside the project's own, and what to do with them.
fn review_lines(changes: &[DescriptionChange], previous: Option<&Path>) -> Vec<String> {
    if changes.is_empty() {
        return Vec::new();
    }
    let count = |kind: Difference| changes.iter().filter(|it| it.difference == kind).count();
    let mut lines: Vec<String> = changes.iter().flat_map(|it| review(it, previous)).collect();
    lines.push(format!(
        "upstream descriptions: {} new, {} changed, {} removed; see that our own still say all of it. To have this list \
         again, restore the manifest and import again",
        count(Difference::New),
        count(Difference::Changed),
        count(Difference::Removed),
    ));
    if previous.is_none() && count(Difference::New) < changes.len() {
        lines.push(
            "`--previous PACKAGE`, the unpacked package imported before, shows the old texts".to_owned(),
        );
    }
    lines
}

fn review(change: &DescriptionChange, previous: Option<&Path>) -> Vec<String> {
    let what = match change.difference {
        Difference::New => "new",
        Difference::Changed => "changed",
        Difference::Removed => "removed",
    };
    let mut lines = vec![format!("upstream description {what}: {} {}", change.document, change.path)];
    let text = |label: &str, text: &str| format!("  {label}: {}", text.replace('\n', "\n    "));
    if change.difference != Difference::New {
        let before = match (&change.before, previous) {
            (Some(before), _) => before.clone(),
            (None, None) => "(only its hash is known)".to_owned(),
            (None, Some(previous)) => {
                format!("(not in {}, which is not what was imported before)", previous.display())
            }
        };
        lines.push(text("old", &before));
    }
    lines.extend(change.now.as_deref().map(|now| text("new", now)));
    lines.push(text("our own", change.own.as_deref().unwrap_or("(none)")));
    lines
}

/// A closed pipe is no reason to fail: whoever closed it has read enough.
fn lines<T: Display>(to: &mut dyn Write, lines: &[T]) {
    let _ = lines.iter().try_for_each(|line| writeln!(to, "{line}")).and_then(|()| to.flush());
}
