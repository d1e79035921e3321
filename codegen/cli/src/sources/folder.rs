//! Documents on this machine: in a folder or a file, in an npm package, in a git repository.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::{
    config::Source,
    folder::files_below,
    json::to_pretty,
    package::{bundle_files, bundled_documents},
};

use super::program::run;
use crate::document::{Document, is_lexicon};

/// The documents of a source.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) documents: BTreeMap<Nsid, Document>,
    /// Files that are meant to be lexicons and cannot be read, with the reason.
    pub(crate) problems: Vec<String>,
}

/// Reads the documents of a source other than the network. Paths are relative to `root`. The error says what to do.
pub(crate) fn open(source: &Source, root: &Path) -> Result<Folder, String> {
    match source {
        Source::Path(path) => read(&root.join(path)),
        Source::Npm { package, version } => npm(package, version),
        Source::Git { url, rev, path } => git(url, rev, path, root),
        _ => Err("this source is not known; a newer atproto-sdk may know it".to_owned()),
    }
}

fn read(path: &Path) -> Result<Folder, String> {
    let files = if path.is_dir() {
        files_below(path, "json").map_err(|error| error.to_string())?
    } else if path.is_file() {
        vec![path.to_owned()]
    } else {
        return Err(format!("{} does not exist", path.display()));
    };
    let mut folder = Folder::default();
    for file in files {
        let bytes = fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        if !is_lexicon(&bytes) {
            continue;
        }
        match Document::parse(&bytes) {
            Ok(document) => {
                let nsid = document.nsid.clone();
                if folder.documents.insert(nsid.clone(), document).is_some() {
                    folder.problems.push(format!("{}: {nsid} is in another file as well", file.display()));
                }
            }
            Err(problem) => folder.problems.push(format!("{}: {problem}", file.display())),
        }
    }
    if folder.documents.is_empty() && folder.problems.is_empty() {
        return Err(format!("{} has no lexicons (JSON files with `lexicon` and `id`)", path.display()));
    }
    Ok(folder)
}

/// Fetches a package with the program `npm`, which knows the user's registry.
fn npm(package: &str, version: &str) -> Result<Folder, String> {
    let is_name =
        |text: &str| !text.starts_with('-') && !text.contains(['"', '\'', '&', '|', '<', '>', '^', '%', ' ']);
    if !is_name(package) || !is_name(version) {
        return Err(format!("`{package}@{version}` is not a package with a version"));
    }
    let folder = temporary()?;
    let spec = format!("{package}@{version}");
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let need = "install Node.js, or unpack the package yourself and use { path = \"..\" }";
    run(program, &["pack", "--silent", "--ignore-scripts", &spec], folder.path(), need)?;
    let entries = fs::read_dir(folder.path()).map_err(|error| error.to_string())?;
    let archive = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.ends_with(".tgz"))
        .ok_or_else(|| format!("`npm pack {spec}` has made no archive"))?;
    run("tar", &["xzf", &archive], folder.path(), "unpack the package yourself and use { path = \"..\" }")?;
    read_package(&folder.path().join("package"))
        .map_err(|error| error.replace(&folder.path().display().to_string(), &spec))
}

/// The JSON documents of an unpacked package or, if it has none, those in its code.
fn read_package(package: &Path) -> Result<Folder, String> {
    let no_documents = match read(package) {
        Ok(folder) => return Ok(folder),
        Err(error) => error,
    };
    let mut folder = Folder::default();
    for file in bundle_files(package).map_err(|error| error.to_string())? {
        let shown = file.display();
        let text = fs::read_to_string(&file).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let Ok(Some(documents)) = bundled_documents(&text) else { continue };
        for value in documents {
            match Document::parse(to_pretty(&value).as_bytes()) {
                Ok(document) => {
                    folder.documents.insert(document.nsid.clone(), document);
                }
                Err(problem) => folder.problems.push(format!("{shown}: {problem}")),
            }
        }
        // The others are the same in another form.
        return Ok(folder);
    }
    Err(no_documents)
}

/// Fetches one commit with the program `git`, which knows the user's credentials.
fn git(url: &str, rev: &str, path: &Path, root: &Path) -> Result<Folder, String> {
    if url.starts_with('-') || rev.starts_with('-') {
        return Err(format!("`{url}` at `{rev}` is not a repository with a commit"));
    }
    if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("{} is not a folder inside of the repository", path.display()));
    }
    let folder = temporary()?;
    // A folder on this machine is relative to the configuration; git runs elsewhere.
    let local = root.join(url);
    let url = if local.is_dir() { fs::canonicalize(&local).unwrap_or(local) } else { PathBuf::from(url) };
    let url = url.display().to_string();
    let need = "install git, or clone the repository yourself and use { path = \"..\" }";
    let git = |arguments: &[&str]| run("git", arguments, folder.path(), need);
    git(&["init", "--quiet"])?;
    // Not every server gives single commits.
    if git(&["fetch", "--quiet", "--depth", "1", &url, rev]).is_err() {
        git(&["fetch", "--quiet", "--tags", &url, "+refs/heads/*:refs/remotes/origin/*"])?;
        let found = git(&["checkout", "--quiet", "--detach", rev]);
        if found.is_err() {
            git(&["checkout", "--quiet", "--detach", &format!("origin/{rev}")])?;
        }
    } else {
        git(&["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
    }
    let name = format!("{url} at {rev}");
    read(&folder.path().join(path))
        .map_err(|error| error.replace(&folder.path().display().to_string(), &name))
}

fn temporary() -> Result<tempfile::TempDir, String> {
    tempfile::Builder::new()
        .prefix("atproto-sdk-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))
}
