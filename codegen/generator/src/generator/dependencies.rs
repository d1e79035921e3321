//! The documents of other crates whose bindings refs may lead to.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{accessors, real, sdk_external};
use crate::{
    catalog::{CatalogBuilder, External},
    config::{CONFIG_FILE, Config, ConfigError, Crate, is_module_path},
    diagnostic::Rejected,
    json::{self, Value},
    model::OWN,
    renames::Renames,
};

/// The name under which the documents of the runtime itself can be restricted.
const SDK: &str = "atproto-sdk";

/// Why the documents of another crate are not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DependencyError {
    /// Its configuration cannot be used.
    #[error("[crates.{name}]: {problem}")]
    Config {
        /// The crate.
        name: String,
        /// What is wrong.
        problem: ConfigError,
    },
    /// Its documents cannot be read.
    #[error("[crates.{name}]: {problem}")]
    Documents {
        /// The crate.
        name: String,
        /// What is wrong.
        problem: Rejected,
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
    /// The documents of the SDK are those that it has.
    #[error("[crates.{0}]: only `only` and `except` can be said of the documents of atproto-sdk")]
    OnlyPatterns(String),
    /// The folder of another crate's documents is the own one.
    #[error(
        "[crates.{name}]: {} is the folder of this crate's own documents; with `module`, `lexicons` is relative to this \
         lexicons.toml", path.display()
    )]
    OwnFolder {
        /// The crate.
        name: String,
        /// The folder.
        path: PathBuf,
    },
    /// Nothing says which module the bindings of the crate are.
    #[error("[crates.{name}]: {} is no module below src; name the module of its bindings in `module`", path.display())]
    NoModule {
        /// The crate.
        name: String,
        /// Where its bindings are.
        path: PathBuf,
    },
    /// Crates that depend on each other.
    #[error("[crates.{name}]: {} leads back to itself; bindings of crates cannot refer to each other in a circle", path.display())]
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
    for (name, settings) in config.crates.iter().filter(|(name, _)| is_sdk(name)) {
        if settings.path.is_some() || settings.lexicons.is_some() || settings.module.is_some() {
            return Err(DependencyError::OnlyPatterns(name.clone()));
        }
        restrict(&mut sdk, settings);
    }
    let mut externals = Vec::new();
    let mut found = None;
    for (name, settings) in config.crates.iter().filter(|(name, _)| !is_sdk(name)) {
        let mut external = match (&settings.lexicons, &settings.module, &settings.path) {
            (Some(lexicons), Some(module), None) => {
                let folder = root.join(lexicons);
                if real(&folder) == real(&root.join(&config.lexicons)) {
                    return Err(DependencyError::OwnFolder { name: name.clone(), path: folder });
                }
                documents_at(name, &folder, module, &sdk)?
            }
            (_, _, Some(path)) => crate_at(name, &identifier(name), settings, &root.join(path), on_the_way)?,
            _ => {
                let found: &mut Vec<_> = match &mut found {
                    Some(found) => found,
                    none => none.insert(dependencies(name, root)?),
                };
                let named = |it: &&Dependency| {
                    [&it.name, &it.package].iter().any(|it| identifier(it) == identifier(name))
                };
                let manifest = root.join("Cargo.toml");
                let missing = || DependencyError::Missing { name: name.clone(), manifest };
                let dependency = found.iter().find(named).ok_or_else(missing)?;
                let mut external =
                    crate_at(name, &dependency.name, settings, &dependency.folder, on_the_way)?;
                external.read_from.extend_from_slice(&dependency.found_by);
                external
            }
        };
        restrict(&mut external, settings);
        externals.push(external);
    }
    externals.push(sdk);
    Ok(externals)
}

fn is_sdk(name: &str) -> bool {
    identifier(name) == identifier(SDK)
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
    let mut catalog =
        catalog.map_err(|problem| DependencyError::Documents { name: name.to_owned(), problem })?;
    let root = module_path(name, module)?;
    // The module of another crate begins with the crate.
    let crate_name = root.trim_start_matches("::").split("::").next().unwrap_or(name);
    accessors::settle_named(&mut catalog, &Renames::default(), crate_name);
    let mut external = External::new(root, catalog);
    external.read_from = vec![folder.to_owned()];
    Ok(external)
}

/// A crate with a configuration of its own.
fn crate_at(
    name: &str,
    identifier: &str,
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
    let config = config.map_err(|problem| DependencyError::Config { name: name.to_owned(), problem })?;
    let builder = externals_of(&config, folder, on_the_way)?
        .into_iter()
        .fold(CatalogBuilder::default().tolerant(true), CatalogBuilder::external);
    on_the_way.pop();
    let lexicons = settings.lexicons.as_ref().unwrap_or(&config.lexicons);
    let mut catalog = builder
        .load(&folder.join(lexicons))
        .map_err(|problem| DependencyError::Documents { name: name.to_owned(), problem })?;
    if config.output.accessors {
        let crate_name = accessors::crate_name(folder).unwrap_or_else(|| OWN.to_owned());
        accessors::settle_named(&mut catalog, &config.rename, &crate_name);
    } else {
        catalog.set_accessors(BTreeMap::new());
    }
    let module = match &settings.module {
        Some(module) => module.clone(),
        None => {
            let path = config.output.path.as_deref().unwrap_or(Path::new("src/lexicons"));
            let module = config.module(path);
            let module = module.ok_or_else(|| DependencyError::NoModule {
                name: name.to_owned(),
                path: folder.join(path),
            })?;
            module.replacen("crate", identifier, 1)
        }
    };
    let mut external = External::new(module_path(name, &module)?, catalog);
    external.renames = config.rename;
    external.read_from = vec![folder.join(CONFIG_FILE), folder.join(lexicons)];
    Ok(external)
}

/// The path of a module of another crate, from the root of all crates.
fn module_path(name: &str, module: &str) -> Result<String, DependencyError> {
    let module = module.trim_start_matches("::");
    let is_other = !["crate", "self", "super"].contains(&module.split("::").next().unwrap_or_default());
    match is_other && is_module_path(module) {
        true => Ok(format!("::{module}")),
        false => Err(DependencyError::InvalidModule { name: name.to_owned(), module: module.to_owned() }),
    }
}

fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

/// A dependency of the crate.
#[derive(Debug)]
struct Dependency {
    /// The name by which the code knows it.
    name: String,
    /// The name of its package.
    package: String,
    folder: PathBuf,
    /// The files that say which version it is.
    found_by: Vec<PathBuf>,
}

/// The dependencies of the package in a folder.
fn dependencies(name: &str, root: &Path) -> Result<Vec<Dependency>, DependencyError> {
    let failed = |problem: String| DependencyError::Cargo { name: name.to_owned(), problem };
    let manifest = fs::canonicalize(root.join("Cargo.toml"));
    let manifest =
        manifest.map_err(|error| failed(format!("{}: {error}", root.join("Cargo.toml").display())))?;
    // First so that nothing is fetched or written. Only people who run a command by hand are given more than that.
    let is_build_script = std::env::var_os("OUT_DIR").is_some();
    let result = match metadata(&manifest, &["--offline", "--locked"]) {
        Err(_) if !is_build_script => metadata(&manifest, &[]),
        result => result,
    };
    Ok(read_dependencies(&result.map_err(failed)?, &manifest).unwrap_or_default())
}

/// What cargo knows about a package. The error is what it says.
fn metadata(manifest: &Path, arguments: &[&str]) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--all-features", "--manifest-path"]).arg(manifest);
    // Crates for other platforms need not be on the machine.
    if let Ok(target) = std::env::var("TARGET") {
        command.args(["--filter-platform", &target]);
    }
    // A build script's own settings are not those of the packages it asks for.
    let result =
        command.args(arguments).env_remove("RUSTFLAGS").output().map_err(|error| error.to_string())?;
    if !result.status.success() {
        return Err(String::from_utf8_lossy(&result.stderr).trim().to_owned());
    }
    json::parse(&result.stdout).map_err(|error| error.problem.to_string())
}

fn read_dependencies(metadata: &Value, manifest: &Path) -> Option<Vec<Dependency>> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let packages = metadata.get("packages")?.as_array()?;
    let package_of = |id: &str| packages.iter().find(|it| text(it, "id").as_deref() == Some(id));
    let manifest_of = |id: &str| text(package_of(id)?, "manifest_path").map(PathBuf::from);
    let nodes = metadata.get("resolve")?.get("nodes")?.as_array()?;
    let node = nodes.iter().find(|node| {
        text(node, "id")
            .and_then(|id| manifest_of(&id))
            .is_some_and(|it| it == manifest || fs::canonicalize(&it).is_ok_and(|it| it == manifest))
    })?;
    let lock = text(metadata, "workspace_root").map(|root| Path::new(&root).join("Cargo.lock"));
    let found_by: Vec<PathBuf> = [manifest.to_owned()].into_iter().chain(lock).collect();
    let dependencies = node.get("deps")?.as_array()?.iter().filter_map(|it| {
        let id = text(it, "pkg")?;
        let package = text(package_of(&id)?, "name")?;
        let folder = manifest_of(&id)?.parent()?.to_owned();
        Some(Dependency { name: text(it, "name")?, package, folder, found_by: found_by.clone() })
    });
    Some(dependencies.collect())
}
