//! From a crate's `lexicons.toml` to its bindings.

mod accessors;
mod dependencies;
mod error;
mod names;

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

pub use dependencies::DependencyError;
pub use error::GenerateError;

use crate::{
    bundle::sdk_documents,
    catalog::{Catalog, CatalogBuilder, External},
    config::{CONFIG_FILE, Config, ConfigError},
    emit::{Accessors, GeneratedFile, Home, generate, generate_file},
    output::Plan,
};

/// Generates the bindings of one crate.
///
/// ```no_run
/// use atproto_sdk_codegen::Generator;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let generator = Generator::load("lexicons.toml")?;
/// for warning in generator.write()?.catalog.warnings() {
///     eprintln!("{warning}");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Generator {
    config: Config,
    root: PathBuf,
    /// The file that the configuration was read from.
    file: Option<PathBuf>,
}

/// Bindings, and what it takes to write them.
#[derive(Debug)]
#[non_exhaustive]
pub struct Bindings {
    /// What they are made of.
    pub catalog: Catalog,
    /// The files that differ.
    pub plan: Plan,
}

impl Generator {
    /// Reads a `lexicons.toml`, or that of a folder. Paths in it are relative to where it is.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be read, or has something in it that has no meaning.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = if path.is_dir() { path.join(CONFIG_FILE) } else { path.to_owned() };
        let config = Config::load(&file)?;
        let root = file.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self { config, root, file: Some(file) })
    }

    /// Uses a configuration, with paths relative to `root`.
    pub fn new(config: Config, root: impl Into<PathBuf>) -> Self {
        Self { config, root: root.into(), file: None }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The folder that the configuration's paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of documents.
    pub fn lexicons(&self) -> PathBuf {
        self.root.join(&self.config.lexicons)
    }

    /// Makes anything wrong in a document an error, whatever the configuration says.
    #[must_use]
    pub fn strict(mut self, strict: bool) -> Self {
        self.config.strict |= strict;
        self
    }

    /// Reads the documents, those of other crates included.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no documents, another crate's cannot be found, a name is chosen for something that
    /// is not there, or, in a [strict](Self::strict) configuration, if anything is wrong in a document.
    pub fn catalog(&self) -> Result<Catalog, GenerateError> {
        let mut catalog = self.builder(self.externals()?).load(&self.lexicons())?;
        if self.config.output.accessors {
            accessors::settle(&mut catalog, &self.config.rename, &self.root);
        } else {
            catalog.set_accessors(BTreeMap::new());
        }
        self.check_names(&catalog)?;
        Ok(catalog)
    }

    fn builder(&self, externals: Vec<External>) -> CatalogBuilder {
        let builder = CatalogBuilder::default().tolerant(!self.config.strict);
        externals.into_iter().fold(builder, CatalogBuilder::external)
    }

    /// Whether everything that the configuration names is there, and every name that it chooses can be had.
    fn check_names(&self, catalog: &Catalog) -> Result<(), GenerateError> {
        let unless_empty = |found: Vec<String>, error: fn(Vec<String>) -> GenerateError| {
            if found.is_empty() { Ok(()) } else { Err(error(found)) }
        };
        unless_empty(names::unknown(&self.config.rename, catalog), GenerateError::UnknownNames)?;
        unless_empty(names::refused(&self.config.rename, catalog), GenerateError::RefusedNames)?;
        let secrets = names::unknown_fields(&self.config.secret.fields, catalog);
        unless_empty(secrets, GenerateError::UnknownSecrets)?;
        unless_empty(names::unused_patterns(&self.config, catalog), GenerateError::UnusedPatterns)
    }

    /// The documents of other crates that refs may lead to, those of `atproto-sdk` included.
    ///
    /// # Errors
    ///
    /// Returns an error if a crate of the configuration cannot be found, or its documents not be read.
    pub fn externals(&self) -> Result<Vec<External>, GenerateError> {
        Ok(dependencies::externals(&self.config, &self.root)?)
    }

    /// Makes the bindings without writing any of them.
    ///
    /// # Errors
    ///
    /// Like those of [`catalog`](Self::catalog), and if a file of another origin is in the way.
    pub fn bindings(&self) -> Result<Bindings, GenerateError> {
        let path = self.config.output.path.clone().unwrap_or_else(|| PathBuf::from("src/lexicons"));
        self.bindings_at(&path, &self.root.join(&path))
    }

    fn bindings_at(&self, path: &Path, target: &Path) -> Result<Bindings, GenerateError> {
        let home = self.home(path)?;
        self.check_target(target)?;
        let catalog = self.catalog()?;
        let plan = if target.extension().is_some_and(|it| it == "rs") {
            let name = PathBuf::from(target.file_name().unwrap_or_default());
            let file = generate_file(&catalog, &home, name)?;
            Plan::for_file(target.parent().unwrap_or(Path::new("")), file)?
        } else {
            let files: Vec<GeneratedFile> = generate(&catalog, &home)?;
            Plan::for_rust(target, files)?
        };
        Ok(Bindings { catalog, plan })
    }

    /// Whether bindings can be written there without touching anything else.
    fn check_target(&self, target: &Path) -> Result<(), GenerateError> {
        if real(&self.root).starts_with(real(target)) {
            return Err(GenerateError::OutputAbove(target.to_owned()));
        }
        let other = match target.extension() {
            Some(extension) if extension == "rs" => target.with_extension("").join("mod.rs"),
            _ => target.with_extension("rs"),
        };
        if other.is_file() { Err(GenerateError::OtherForm(other)) } else { Ok(()) }
    }

    fn home(&self, path: &Path) -> Result<Home, GenerateError> {
        let path = path.strip_prefix(real(&self.root)).unwrap_or(path);
        let module = self.config.module(path).ok_or_else(|| GenerateError::NoModule(path.to_owned()))?;
        let invalid = |key, example, found: &str| {
            let found = found.to_owned();
            move || GenerateError::InvalidPath { key, example, found }
        };
        let no_module = invalid("output.module", "crate::lexicons", &module);
        let below_root = module.strip_prefix("crate::");
        if below_root.is_none() && module != "crate" {
            return Err(no_module());
        }
        let home = Home::foreign(below_root).map_err(|_| no_module())?;
        let no_crate = invalid("sdk", "::atproto_sdk", &self.config.sdk);
        let home = home.with_runtime(&self.config.sdk).map_err(|_| no_crate())?;
        let accessors = if self.config.output.accessors { Accessors::Extension } else { Accessors::Absent };
        let renames = self.config.rename.clone();
        let home = home.with_accessors(accessors).with_renames(renames);
        Ok(home.with_derives(self.config.derive.clone()).with_secrets(self.config.secret.fields.clone()))
    }

    /// Writes the bindings where the configuration says: files that differ, and no others.
    ///
    /// # Errors
    ///
    /// Like those of [`bindings`](Self::bindings), and if a file cannot be written. Files are replaced as a whole.
    pub fn write(&self) -> Result<Bindings, GenerateError> {
        let bindings = self.bindings()?;
        bindings.plan.apply()?;
        Ok(bindings)
    }

    /// Writes the bindings as a build script does: into the file `lexicons.rs` of the folder `OUT_DIR`, unless the
    /// configuration names another path. Tells cargo what the bindings depend on, and about every warning.
    ///
    /// # Errors
    ///
    /// Like those of [`write`](Self::write), and outside of a build script.
    pub fn build(&self) -> Result<Bindings, GenerateError> {
        let path = self.config.output.path.clone();
        let bindings = match path {
            Some(path) => self.bindings_at(&path, &self.root.join(&path))?,
            None => {
                let folder = env::var_os("OUT_DIR").ok_or(GenerateError::NotInBuildScript)?;
                let file = Path::new(&folder).join("lexicons.rs");
                self.bindings_at(Path::new("src/lexicons.rs"), &file)?
            }
        };
        bindings.plan.apply()?;
        for line in self.cargo_lines(&bindings.catalog) {
            // A build script talks to cargo in this way.
            use std::io::Write as _;
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        Ok(bindings)
    }

    fn cargo_lines(&self, catalog: &Catalog) -> Vec<String> {
        let lexicons = self.lexicons();
        let own = self.file.iter().chain([&lexicons]);
        let watched = own.chain(catalog.externals().iter().flat_map(|it| &it.read_from));
        let watched = watched.map(|path| format!("cargo::rerun-if-changed={}", path.display()));
        let (warnings, others) = catalog.first_warnings();
        let shown = warnings.iter().map(|it| format!("cargo::warning={}", it.without_severity()));
        let more = (others > 0)
            .then(|| format!("cargo::warning=... and {others} more; `atproto-sdk lint` shows all of them"));
        watched.chain(shown).chain(more).collect()
    }
}

/// Generates the bindings that the `lexicons.toml` beside `Cargo.toml` describes, in a build script.
///
/// ```no_run
/// // build.rs
/// fn main() -> Result<(), atproto_sdk_codegen::GenerateError> {
///     atproto_sdk_codegen::build()
/// }
/// ```
///
/// The crate then includes them:
///
/// ```ignore
/// pub mod lexicons {
///     include!(concat!(env!("OUT_DIR"), "/lexicons.rs"));
/// }
/// ```
///
/// # Errors
///
/// Like those of [`Generator::build`].
pub fn build() -> Result<(), GenerateError> {
    let root = env::var_os("CARGO_MANIFEST_DIR").ok_or(GenerateError::NotInBuildScript)?;
    Generator::load(Path::new(&root).join(CONFIG_FILE))?.build()?;
    Ok(())
}

/// A path without links, as far as it exists.
pub(crate) fn real(path: &Path) -> PathBuf {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The external that every crate has.
pub(crate) fn sdk_external(sdk: &str) -> External {
    External::new(format!("{sdk}::api"), sdk_documents())
}
