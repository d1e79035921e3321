//! Documents on this machine: in a folder or a file, in an npm package, in a git repository.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::Read as _,
    path::{Component, Path, PathBuf},
};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::{
    config::Source,
    folder::files_below,
    json::{self, to_pretty},
    package::{bundle_files, bundled_documents},
};

use super::program::run;
use crate::document::{Document, is_lexicon};

/// The largest file that is read as a document; the largest one known has a tenth of that.
const MAX_DOCUMENT: u64 = 2 * 1024 * 1024;
/// The largest file of code that is read for the documents in it.
const MAX_CODE: u64 = 32 * 1024 * 1024;

/// The documents of a source.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) documents: BTreeMap<Nsid, Document>,
    /// Documents that cannot be used, with the reason.
    pub(crate) unusable: BTreeMap<Nsid, String>,
    /// Files that are meant to be lexicons, or may be, and do not say which, with the reason.
    pub(crate) unreadable: Vec<String>,
}

/// Who has made a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// The user, whose links lead where they are meant to.
    User,
    /// Somebody else, whose links may lead to the user's secrets.
    Other,
}

/// Reads the documents of a source other than the network. Paths are relative to `root`. The error says what to do.
pub(crate) fn open(source: &Source, root: &Path) -> Result<Folder, String> {
    match source {
        Source::Path(path) => read(&root.join(path), Maker::User),
        Source::Npm { package, version } => npm(package, version),
        Source::Git { url, rev, path } => git(url, rev, path, root),
        _ => Err("this source is not known; a newer atproto-sdk may know it".to_owned()),
    }
}

fn read(path: &Path, maker: Maker) -> Result<Folder, String> {
    let files = if path.is_dir() {
        files_below(path, "json").map_err(|error| error.to_string())?
    } else if path.is_file() {
        vec![path.to_owned()]
    } else {
        return Err(format!("{} does not exist", path.display()));
    };
    let mut folder = Folder::default();
    for file in files.into_iter().filter(|file| maker == Maker::User || is_plain(file)) {
        match bytes(&file, MAX_DOCUMENT)? {
            Some(bytes) if !is_lexicon(&bytes) => {}
            Some(bytes) => folder.take(&file, &bytes),
            None => folder
                .unreadable
                .push(format!("{}: has more than {MAX_DOCUMENT} bytes, and was not read", file.display())),
        }
    }
    if folder.documents.is_empty() && folder.unusable.is_empty() && folder.unreadable.is_empty() {
        return Err(format!("{} has no lexicons (JSON files with `lexicon` and `id`)", path.display()));
    }
    Ok(folder)
}

/// Whether this is a file itself, and not a link to one.
fn is_plain(file: &Path) -> bool {
    fs::symlink_metadata(file).is_ok_and(|it| it.is_file())
}

/// The contents of a file; `None` if there are more bytes than the limit.
fn bytes(file: &Path, limit: u64) -> Result<Option<Vec<u8>>, String> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|opened| opened.take(limit + 1).read_to_end(&mut bytes));
    let read = read.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok((read as u64 <= limit).then_some(bytes))
}

impl Folder {
    /// Takes the document in a file, or remembers what is wrong with it.
    fn take(&mut self, file: &Path, bytes: &[u8]) {
        let shown = file.display();
        match Document::parse(bytes) {
            Ok(document) => self.add(document, || shown.to_string()),
            Err(problem) => match id(bytes) {
                Some(nsid) => drop(self.unusable.insert(nsid, format!("{shown}: {problem}"))),
                None => self.unreadable.push(format!("{shown}: {problem}")),
            },
        }
    }

    /// Adds a document. The same one may be there twice, and two different ones are of no use.
    fn add(&mut self, document: Document, place: impl Fn() -> String) {
        let nsid = document.nsid.clone();
        match self.documents.get(&nsid) {
            Some(other) if other.cid == document.cid => {}
            Some(_) => {
                let problem = format!("{}: another file has a different {nsid}; remove one of them", place());
                self.unusable.insert(nsid, problem);
            }
            None => drop(self.documents.insert(nsid, document)),
        }
    }

    /// Whether there is a document, usable or not.
    pub(crate) fn has(&self, nsid: &Nsid) -> bool {
        self.documents.contains_key(nsid) || self.unusable.contains_key(nsid)
    }

    /// A document, if there is one. The error says why it cannot be used.
    pub(crate) fn get(&self, nsid: &Nsid) -> Result<Option<Document>, String> {
        match self.unusable.get(nsid) {
            Some(problem) => Err(problem.clone()),
            None => Ok(self.documents.get(nsid).cloned()),
        }
    }

    /// What is wrong with documents that were not asked for.
    pub(crate) fn warnings(&self, asked_for: &BTreeSet<Nsid>) -> Vec<String> {
        let others = self.unusable.iter().filter(|(nsid, _)| !asked_for.contains(*nsid));
        self.unreadable.iter().chain(others.map(|(_, problem)| problem)).cloned().collect()
    }
}

/// The NSID of a document that has one, and cannot be read otherwise.
fn id(bytes: &[u8]) -> Option<Nsid> {
    Nsid::new(json::parse(bytes).ok()?.get("id")?.as_str()?).ok()
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
    inside(folder.path(), Path::new("package"))
        .and_then(|package| read_package(&package))
        .map_err(|error| error.replace(&folder.path().display().to_string(), &spec))
}

/// The JSON documents of an unpacked package or, if it has none, those in its code.
fn read_package(package: &Path) -> Result<Folder, String> {
    let (mut folder, no_documents) = match read(package, Maker::Other) {
        Ok(folder) if folder.documents.is_empty() && folder.unusable.is_empty() => (folder, None),
        Ok(folder) => return Ok(folder),
        Err(error) => (Folder::default(), Some(error)),
    };
    let files = bundle_files(package).map_err(|error| error.to_string())?;
    for file in files.into_iter().filter(|file| is_plain(file)) {
        let Some(text) = bytes(&file, MAX_CODE)?.and_then(|bytes| String::from_utf8(bytes).ok()) else {
            continue;
        };
        let Ok(Some(documents)) = bundled_documents(&text) else { continue };
        for value in documents {
            folder.take(&file, to_pretty(&value).as_bytes());
        }
        // The others are the same in another form.
        return Ok(folder);
    }
    match no_documents {
        Some(error) => Err(error),
        None => Ok(folder),
    }
}

/// Fetches one commit with the program `git`, which knows the user's credentials.
fn git(url: &str, rev: &str, path: &Path, root: &Path) -> Result<Folder, String> {
    if has_password(url) {
        return Err("the URL of a git repository has a password in it, which would be in lexicons.toml and \
                    lexicons.lock for all to see; take it out, and give it to a credential helper of git \
                    (`git help credentials`)"
            .to_owned());
    }
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
    inside(folder.path(), path)
        .and_then(|path| read(&path, Maker::Other))
        .map_err(|error| error.replace(&folder.path().display().to_string(), &name))
}

/// A path in a folder that somebody else has filled. The error says if it leads out of it.
fn inside(folder: &Path, path: &Path) -> Result<PathBuf, String> {
    let joined = folder.join(path);
    let missing = |_| format!("{} does not exist", joined.display());
    let real = fs::canonicalize(&joined).map_err(missing)?;
    if fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder)) {
        Ok(joined)
    } else {
        Err(format!("{} is a link that leads out of it", joined.display()))
    }
}

/// Whether a URL has the form `https://user:password@host`.
pub(crate) fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn temporary() -> Result<tempfile::TempDir, String> {
    tempfile::Builder::new()
        .prefix("atproto-sdk-")
        .tempdir()
        .map_err(|error| format!("cannot make a temporary folder: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn document(id: &str, description: &str) -> String {
        format!(r#"{{"lexicon":1,"id":"{id}","description":"{description}","defs":{{}}}}"#)
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.documents.keys().map(Nsid::as_str).collect()
    }

    #[cfg(unix)]
    #[test]
    fn links_of_others_are_not_followed() {
        use std::os::unix::fs::symlink;
        let (secret, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(secret.path().join("a.json"), document("com.example.secret", "")).unwrap();
        fs::write(given.path().join("b.json"), document("com.example.open", "")).unwrap();
        symlink(secret.path().join("a.json"), given.path().join("a.json")).unwrap();
        symlink(secret.path(), given.path().join("folder")).unwrap();
        assert_eq!(names(&read(given.path(), Maker::Other).unwrap()), ["com.example.open"]);
        assert_eq!(
            names(&read(given.path(), Maker::User).unwrap()),
            ["com.example.open", "com.example.secret"],
            "one's own links to files are"
        );
        let error = inside(given.path(), Path::new("folder")).unwrap_err();
        assert!(error.contains("leads out of it"), "{error}");
        assert!(inside(given.path(), Path::new("a.json")).is_err());
        assert!(inside(given.path(), Path::new("b.json")).is_ok());
        assert!(inside(given.path(), Path::new("none")).unwrap_err().contains("does not exist"));
    }

    #[test]
    fn files_that_are_too_large_are_told_and_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let long = "a".repeat(usize::try_from(MAX_DOCUMENT).unwrap());
        fs::write(folder.path().join("a.json"), document("com.example.a", &long)).unwrap();
        fs::write(folder.path().join("b.json"), document("com.example.b", &long[200..])).unwrap();
        let found = read(folder.path(), Maker::User).unwrap();
        assert_eq!(names(&found), ["com.example.b"]);
        let warnings = found.warnings(&BTreeSet::new());
        assert!(
            warnings.len() == 1 && warnings[0].contains("a.json: has more than 2097152 bytes"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_large_file_does_not_hide_the_documents_in_code() {
        let package = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(package.path().join(name), text).unwrap();
        write("data.json", &" ".repeat(usize::try_from(MAX_DOCUMENT).unwrap() + 1));
        write(
            "lexicons.js",
            "export const schemaDict = { A: { lexicon: 1, id: 'com.example.a', defs: {} } }",
        );
        let found = read_package(package.path()).unwrap();
        assert_eq!(names(&found), ["com.example.a"]);
        assert_eq!(found.warnings(&BTreeSet::new()).len(), 1);
    }

    #[test]
    fn documents_may_be_there_twice_if_they_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.json", &document("com.example.a", "one"));
        write("a2.json", &document("com.example.a", "one").replace(',', ", "));
        write("b.json", &document("com.example.b", "one"));
        write("b2.json", &document("com.example.b", "two"));
        write("c.json", r#"{"lexicon":1,"id":"com.example.c","defs":1.5}"#);
        let found = read(folder.path(), Maker::User).unwrap();
        let unusable: Vec<&str> = found.unusable.keys().map(Nsid::as_str).collect();
        assert_eq!(unusable, ["com.example.b", "com.example.c"]);
        assert!(found.unusable.values().next().unwrap().contains("b2.json: another file has a different"));
        assert!(found.documents.contains_key(&"com.example.a".parse::<Nsid>().unwrap()));
        let asked_for = BTreeSet::from(["com.example.b".parse().unwrap()]);
        assert_eq!(found.warnings(&asked_for).len(), 1);
    }

    #[test]
    fn a_url_with_a_password_is_refused_without_showing_it() {
        for (url, has) in [
            ("https://user:TOKEN@example.com/x.git", true),
            ("https://:TOKEN@example.com", true),
            ("https://user@example.com/x.git", false),
            ("https://example.com/a:b@c", false),
            ("ssh://git@example.com:22/x", false),
            ("git@example.com:x.git", false),
            ("../folder", false),
        ] {
            assert_eq!(has_password(url), has, "{url}");
        }
        let problem = git("https://user:TOKEN@example.com/x.git", "main", Path::new(""), Path::new("."));
        let problem = problem.unwrap_err();
        assert!(problem.contains("credential helper") && !problem.contains("TOKEN"), "{problem}");
    }
}
