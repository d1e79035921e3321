//! A crate with a `lexicons.toml`: its folder of documents, its lock, and what other crates have bindings of.

use std::{
    cell::OnceCell,
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::{
    Generator,
    catalog::{External, MANIFEST, path_of},
    config::Source,
    folder::files_below,
    lint,
    output::Plan,
};

use crate::{
    CliError,
    document::Document,
    lock::{self, LOCK_FILE, Lock},
    requests::Requests,
    sources,
};

/// A crate with a `lexicons.toml`.
pub(crate) struct Project {
    generator: Generator,
    /// `lexicons.toml`.
    config: PathBuf,
    /// Read when they are needed, because cargo may have to be asked.
    externals: OnceCell<Vec<External>>,
    pub(crate) lock: Lock,
}

/// What is to be written.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// The texts of documents.
    pub(crate) documents: Vec<(Nsid, String)>,
    /// Documents whose files go.
    pub(crate) removed: Vec<Nsid>,
    /// The new lock.
    pub(crate) lock: Lock,
    /// The new `lexicons.toml`, if it changes.
    pub(crate) config: Option<String>,
}

/// A file in the folder of documents that was not fetched.
#[derive(Debug)]
pub(crate) struct OwnDocument {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// The document, or why it cannot be read.
    pub(crate) document: Result<Document, String>,
}

/// Whether another crate has bindings of a document.
pub(crate) fn has_bindings(externals: &[External], nsid: &Nsid) -> bool {
    externals.iter().any(|external| external.document(nsid.as_str()).is_some())
}

impl Project {
    pub(crate) fn load(config: PathBuf) -> Result<Self, CliError> {
        let generator = Generator::load(&config)?;
        for (pattern, source) in &generator.config().documents {
            // Messages and the lock would repeat it.
            if matches!(source, Source::Git { url, .. } if sources::has_password(url)) {
                return Err(CliError::PasswordInUrl(pattern.clone()));
            }
        }
        let lock = lock::load(&generator.root().join(LOCK_FILE))?;
        Ok(Self { generator, config, externals: OnceCell::new(), lock })
    }

    /// What `lexicons.toml` asks for.
    pub(crate) fn requests(&self) -> &Requests {
        &self.generator.config().documents
    }

    /// The folder that paths in `lexicons.toml` are relative to.
    pub(crate) fn root(&self) -> &Path {
        self.generator.root()
    }

    pub(crate) fn config_text(&self) -> Result<String, CliError> {
        let path = self.config.clone();
        fs::read_to_string(&path).map_err(|problem| CliError::File { action: "read", path, problem })
    }

    /// The documents that other crates have bindings of.
    pub(crate) fn externals(&self) -> Result<&[External], CliError> {
        if let Some(externals) = self.externals.get() {
            return Ok(externals);
        }
        let externals = self.generator.externals()?;
        Ok(self.externals.get_or_init(|| externals))
    }

    /// The settings for `lint`: what is not reported, and which documents of other crates refs may lead to.
    pub(crate) fn lint_options(&self) -> Result<lint::Options, CliError> {
        let mut options = lint::Options::default();
        options.allow.extend(&self.generator.config().lint.allow);
        options.context.push(self.generator.lexicons());
        let known = self.externals()?.iter().flat_map(|external| external.catalog.documents());
        options.known.extend(known.cloned());
        Ok(options)
    }

    /// The file of a document.
    pub(crate) fn file(&self, nsid: &Nsid) -> PathBuf {
        self.generator.lexicons().join(path_of(nsid.as_str()))
    }

    /// Reads the file of a document; `None` if there is none. The error says what is wrong with it.
    pub(crate) fn read(&self, nsid: &Nsid) -> Option<Result<Document, String>> {
        let bytes = match fs::read(self.file(nsid)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        Some(match Document::parse(&bytes) {
            Ok(document) if document.nsid == *nsid => Ok(document),
            Ok(document) => Err(format!("its `id` is `{}`", document.nsid)),
            Err(problem) => Err(problem),
        })
    }

    /// Whether the folder has a document that was not fetched.
    pub(crate) fn is_own(&self, nsid: &Nsid) -> bool {
        !self.lock.documents.contains_key(nsid) && self.file(nsid).exists()
    }

    /// The documents of the folder that were not fetched.
    pub(crate) fn own_documents(&self) -> Result<Vec<OwnDocument>, CliError> {
        let folder = self.generator.lexicons();
        let locked: BTreeSet<PathBuf> = self.lock.documents.keys().map(|nsid| self.file(nsid)).collect();
        let mut own = Vec::new();
        for path in files_below(&folder, "json")? {
            if locked.contains(&path) || path == folder.join(MANIFEST) {
                continue;
            }
            let bytes = fs::read(&path).map_err(|problem| CliError::File {
                action: "read",
                path: path.clone(),
                problem,
            })?;
            let document = Document::parse(&bytes);
            own.push(OwnDocument { path, bytes, document });
        }
        Ok(own)
    }

    /// Writes what has changed. Each file is replaced as a whole, the lock after the documents that it names.
    pub(crate) fn apply(&self, changes: Changes) -> Result<(), CliError> {
        let documents = changes.documents.iter();
        let files = documents.map(|(nsid, text)| (path_of(nsid.as_str()), text.clone())).collect();
        Plan::new(&self.generator.lexicons(), files, Vec::new())?.apply()?;
        for nsid in &changes.removed {
            let path = self.file(nsid);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(CliError::File { action: "remove", path, problem: error });
                }
                _ => {}
            }
        }
        let mut files = vec![(PathBuf::from(LOCK_FILE), lock::print(&changes.lock))];
        let name = PathBuf::from(self.config.file_name().unwrap_or_default());
        files.extend(changes.config.map(|text| (name, text)));
        Ok(Plan::new(self.root(), files, Vec::new())?.apply()?)
    }
}
