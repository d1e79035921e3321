//! The documents of other crates whose bindings refs may lead to.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::sdk_external;
use crate::{
    catalog::{CatalogBuilder, External},
    config::{CONFIG_FILE, Config, ConfigError, Crate},
    diagnostic::Rejected,
    json::{self, Value},
};

/// The name under which the documents of the runtime itself can be restricted.
const SDK: &str = "atproto-sdk";

/// Why the documents of another crate are not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DependencyError {
    /// Its configuration cannot be used.
    #[error("[crates.{name}]: {source}")]
    Config {
        /// The crate.
        name: String,
        /// What is wrong.
        source: ConfigError,
    },
    /// Its documents cannot be read.
    #[error("[crates.{name}]: {source}")]
    Documents {
        /// The crate.
        name: String,
        /// What is wrong.
        source: Rejected,
    },
    /// It is not a dependency.
    #[error("[crates.{name}]: there is no such dependency in {}; add it with `cargo add {name}`, or say where it is with `path`", manifest.display())]
    Missing {
        /// The crate.
        name: String,
        /// The package that should depend on it.
        manifest: PathBuf,
    },
    /// Cargo does not say where it is.
    #[error("[crates.{name}]: cargo does not say where it is; say it with `path`: {problem}")]
    Cargo {
        /// The crate.
        name: String,
        /// What cargo said.
        problem: String,
    },
    /// Crates that depend on each other.
    #[error("[crates.{name}]: {} leads back to itself", path.display())]
    Circle {
        /// The crate.
        name: String,
        /// Its folder.
        path: PathBuf,
    },
    /// The module of its bindings is not named by a path.
    #[error("[crates.{name}]: expected the path of a module such as `{name}::lexicons`, found `{module}`")]
    InvalidModule {
        /// The crate.
        name: String,
        /// What was found.
        module: String,
    },
}

/// The crates of a configuration, and the SDK.
pub(super) fn externals(config: &Config, root: &Path) -> Result<Vec<External>, DependencyError> {
    externals_of(config, root, &mut vec![real(root)])
}

fn externals_of(
    config: &Config,
    root: &Path,
    on_the_way: &mut Vec<PathBuf>,
) -> Result<Vec<External>, DependencyError> {
    let mut sdk = sdk_external(&config.sdk);
    if let Some(settings) = config.crates.get(SDK) {
        restrict(&mut sdk, settings);
    }
    let mut externals = Vec::new();
    let mut found = None;
    for (name, settings) in config.crates.iter().filter(|(name, _)| *name != SDK) {
        let mut external = match (&settings.lexicons, &settings.module, &settings.path) {
            (Some(lexicons), Some(module), None) => documents_at(name, &root.join(lexicons), module, &sdk)?,
            (_, _, Some(path)) => crate_at(name, settings, &root.join(path), on_the_way)?,
            _ => {
                let found: &mut Vec<_> = match &mut found {
                    Some(found) => found,
                    none => none.insert(dependencies(name, root)?),
                };
                let folder = found.iter().find(|(it, _)| *it == identifier(name)).map(|(_, folder)| folder);
                let manifest = root.join("Cargo.toml");
                let missing = || DependencyError::Missing { name: name.clone(), manifest };
                crate_at(name, settings, folder.ok_or_else(missing)?, on_the_way)?
            }
        };
        restrict(&mut external, settings);
        externals.push(external);
    }
    externals.push(sdk);
    Ok(externals)
}

fn restrict(external: &mut External, settings: &Crate) {
    external.only.clone_from(&settings.only);
    external.except.clone_from(&settings.except);
}

/// A folder of documents whose bindings are in a module that is named.
fn documents_at(
    name: &str,
    folder: &Path,
    module: &str,
    sdk: &External,
) -> Result<External, DependencyError> {
    let catalog = CatalogBuilder::default().tolerant(true).external(sdk.clone()).load(folder);
    let catalog = catalog.map_err(|source| DependencyError::Documents { name: name.to_owned(), source })?;
    let mut external = External::new(module_path(name, module)?, catalog);
    external.read_from = vec![folder.to_owned()];
    Ok(external)
}

/// A crate with a configuration of its own.
fn crate_at(
    name: &str,
    settings: &Crate,
    folder: &Path,
    on_the_way: &mut Vec<PathBuf>,
) -> Result<External, DependencyError> {
    let real = real(folder);
    if on_the_way.contains(&real) {
        return Err(DependencyError::Circle { name: name.to_owned(), path: folder.to_owned() });
    }
    on_the_way.push(real);
    let config = Config::load(&folder.join(CONFIG_FILE));
    let config = config.map_err(|source| DependencyError::Config { name: name.to_owned(), source })?;
    let builder = externals_of(&config, folder, on_the_way)?
        .into_iter()
        .fold(CatalogBuilder::default().tolerant(true), CatalogBuilder::external);
    on_the_way.pop();
    let lexicons = settings.lexicons.as_ref().unwrap_or(&config.lexicons);
    let catalog = builder
        .load(&folder.join(lexicons))
        .map_err(|source| DependencyError::Documents { name: name.to_owned(), source })?;
    let module = match &settings.module {
        Some(module) => module.clone(),
        None => config.module(config.output.path.as_deref()).replacen("crate", &identifier(name), 1),
    };
    let mut external = External::new(module_path(name, &module)?, catalog);
    external.renames = config.rename;
    external.read_from = vec![folder.join(CONFIG_FILE), folder.join(lexicons)];
    Ok(external)
}

/// The path of a module of another crate, from the root of all crates.
fn module_path(name: &str, module: &str) -> Result<String, DependencyError> {
    let module = module.trim_start_matches("::");
    match syn::parse_str::<syn::Path>(module) {
        Ok(_) => Ok(format!("::{module}")),
        Err(_) => Err(DependencyError::InvalidModule { name: name.to_owned(), module: module.to_owned() }),
    }
}

fn real(folder: &Path) -> PathBuf {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// The dependencies of the package in a folder: the names by which its code knows them, and their folders.
fn dependencies(name: &str, root: &Path) -> Result<Vec<(String, PathBuf)>, DependencyError> {
    let failed = |problem: String| DependencyError::Cargo { name: name.to_owned(), problem };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = fs::canonicalize(root.join("Cargo.toml"));
    let manifest =
        manifest.map_err(|error| failed(format!("{}: {error}", root.join("Cargo.toml").display())))?;
    let run = |more: &[&str]| {
        let mut command = Command::new(&cargo);
        command.args(["metadata", "--format-version", "1", "--manifest-path"]).arg(&manifest).args(more);
        // A build script's own settings are not those of the packages it asks for.
        command.env_remove("RUSTFLAGS").output().map_err(|error| failed(error.to_string()))
    };
    // Mostly everything is there, and then the network is not needed.
    let mut result = run(&["--offline", "--locked"])?;
    if !result.status.success() {
        result = run(&[])?;
    }
    if !result.status.success() {
        return Err(failed(String::from_utf8_lossy(&result.stderr).trim().to_owned()));
    }
    let metadata = json::parse(&result.stdout).map_err(|error| failed(format!("{:?}", error.problem)))?;
    Ok(read_dependencies(&metadata, &manifest).unwrap_or_default())
}

fn read_dependencies(metadata: &Value, manifest: &Path) -> Option<Vec<(String, PathBuf)>> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let packages = metadata.get("packages")?.as_array()?;
    let manifest_of = |id: &str| {
        let package = packages.iter().find(|it| text(it, "id").as_deref() == Some(id))?;
        text(package, "manifest_path").map(PathBuf::from)
    };
    let nodes = metadata.get("resolve")?.get("nodes")?.as_array()?;
    let node = nodes.iter().find(|node| {
        text(node, "id")
            .and_then(|id| manifest_of(&id))
            .is_some_and(|it| it == manifest || fs::canonicalize(&it).is_ok_and(|it| it == manifest))
    })?;
    let dependencies = node.get("deps")?.as_array()?.iter().filter_map(|it| {
        let folder = manifest_of(&text(it, "pkg")?)?.parent()?.to_owned();
        Some((text(it, "name")?, folder))
    });
    Some(dependencies.collect())
}
