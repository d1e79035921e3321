//! `lexicons.toml`: which documents a crate has, and what is made of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use syn::parse::Parser as _;

use crate::{emit::Derive, lint::Rule, pattern::Pattern, renames::Renames};

/// The name of the file, beside `Cargo.toml`.
pub const CONFIG_FILE: &str = "lexicons.toml";

/// The contents of `lexicons.toml`. Everything in it has a default.
///
/// ```toml
/// lexicons = "lexicons"                # the folder of documents
///
/// [output]
/// path = "src/lexicons"                # a folder, or a file that ends in `.rs`
///
/// [documents]                          # what `atproto-sdk install` fetches into the folder
/// "com.example.shop.*" = "network"
///
/// [crates.bookshelf-lexicons]          # a dependency with bindings of its own
///
/// [rename.types]
/// "com.example.shop.defs#item" = "ShopItem"
///
/// [rename.accessors]
/// "app.bsky.feed" = "app_bsky_feed_shop"
///
/// [[derive]]
/// documents = ["com.example.shop.*"]
/// traits = ["my_macros::Table"]
///
/// [secret]                             # what `Debug` does not show
/// fields = ["com.example.shop.defs#card.number"]
///
/// [lint]
/// allow = ["no-max-length"]
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Config {
    /// The folder of documents, relative to the file.
    pub lexicons: PathBuf,
    /// The path of the crate `atproto-sdk`, for crates that depend on it by another name.
    pub sdk: String,
    /// Whether anything wrong in a document is an error, instead of being left out with a warning.
    pub strict: bool,
    /// What is generated.
    pub output: Output,
    /// What is fetched into the folder, and from where.
    pub documents: BTreeMap<Pattern, Source>,
    /// Other crates with bindings, by the name that they have as dependencies. `atproto-sdk` is one in any case.
    pub crates: BTreeMap<String, Crate>,
    /// Names chosen by hand.
    pub rename: Renames,
    /// Derive macros for types, beside what they have already: `Clone`, `Debug`, `PartialEq`, `Default` where no field is
    /// required, and serde's traits. A macro that wants its trait of every field has to know the types of the SDK.
    pub derive: Vec<Derive>,
    /// What `Debug` does not show.
    pub secret: Secrets,
    /// What is checked.
    pub lint: LintSettings,
}

/// Fields whose values are secrets.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Secrets {
    /// Fields by definition and property, as in `[rename.fields]`: `com.example.shop.defs#card.number`. Those with names
    /// like `password`, `accessToken`, `apiKey` and `verificationCode` are hidden in any case.
    pub fields: BTreeSet<String>,
}

/// What is checked in documents.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct LintSettings {
    /// [Rules](crate::lint) whose findings are left out.
    pub allow: Vec<Rule>,
}

/// What is generated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Output {
    /// A folder, or a file that ends in `.rs`, relative to `lexicons.toml`. In a build script, the default is a file
    /// in `OUT_DIR`, and otherwise `src/lexicons`.
    pub path: Option<PathBuf>,
    /// The module that the bindings are. The default follows from [`path`](Self::path): `crate::lexicons` for
    /// `src/lexicons`.
    pub module: Option<String>,
    /// Whether clients get the methods of the documents.
    pub accessors: bool,
}

/// Where documents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The repository of the authority, which DNS names.
    Network,
    /// A folder or a file, relative to `lexicons.toml`.
    Path(PathBuf),
    /// A package of the npm registry.
    Npm {
        /// The name of the package.
        package: String,
        /// Its exact version.
        version: String,
    },
    /// A git repository.
    Git {
        /// Its URL, or a folder.
        url: String,
        /// The commit, tag or branch.
        rev: String,
        /// The folder of documents in it.
        path: PathBuf,
    },
}

/// Another crate with bindings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Crate {
    /// The folder of the crate. If it is not given, cargo is asked.
    pub path: Option<PathBuf>,
    /// The folder of its documents. If it is not given, the crate's own `lexicons.toml` says.
    pub lexicons: Option<PathBuf>,
    /// The module of its bindings, such as `bookshelf_lexicons::lexicons`. If it is not given, the crate's own
    /// `lexicons.toml` says.
    pub module: Option<String>,
    /// The documents that are used; all of them if none are named.
    pub only: Vec<Pattern>,
    /// Documents that are not used but generated here.
    pub except: Vec<Pattern>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {problem}{}", path.display(), hint(problem))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        problem: Box<toml::de::Error>,
    },
}

fn hint(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::NotFound { "; `atproto-sdk init` makes one" } else { "" }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// Returns an error with the line if the file cannot be read, has an unknown key or a value of the wrong type.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|problem| ConfigError::Read { path: path.to_owned(), problem })?;
        Self::parse(&text).map_err(|problem| {
            let problem = Box::new(problem);
            ConfigError::Invalid { path: path.to_owned(), problem }
        })
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The module that the bindings are, seen from inside of the crate, if they are written to `path`. `None` if nothing
    /// says: the path is not below `src`, or not that of a module.
    pub(crate) fn module(&self, path: &Path) -> Option<String> {
        if let Some(module) = &self.output.module {
            return Some(module.clone());
        }
        let parts = path.components().filter(|part| *part != Component::CurDir);
        let path = parts.collect::<PathBuf>();
        let below_src = path.strip_prefix("src").ok()?;
        let is_file = below_src.extension().is_some_and(|it| it == "rs");
        let below_src = if is_file { below_src.with_extension("") } else { below_src.to_owned() };
        let mut names: Vec<&str> = below_src.iter().map(|name| name.to_str()).collect::<Option<_>>()?;
        match names.last() {
            None => return None,
            // `src/lexicons/mod.rs` is the module of its folder.
            Some(&"mod" | &"lib" | &"main") if is_file => drop(names.pop()),
            Some(_) => {}
        }
        let is_name = |name: &&str| syn::parse_str::<syn::Ident>(name).is_ok();
        names.iter().all(is_name).then(|| ["crate"].into_iter().chain(names).collect::<Vec<_>>().join("::"))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lexicons: "lexicons".into(),
            sdk: "::atproto_sdk".to_owned(),
            strict: false,
            output: Output::default(),
            documents: BTreeMap::new(),
            crates: BTreeMap::new(),
            rename: Renames::default(),
            derive: Vec::new(),
            secret: Secrets::default(),
            lint: LintSettings::default(),
        }
    }
}

impl Default for Output {
    fn default() -> Self {
        Self { path: None, module: None, accessors: true }
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Word(String),
            Table(Table),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            path: Option<PathBuf>,
            npm: Option<String>,
            version: Option<String>,
            git: Option<String>,
            rev: Option<String>,
        }
        const EXPECTED: &str = "expected \"network\", { path = \"..\" }, { npm = \"..\", version = \"..\" } or \
                                { git = \"..\", rev = \"..\", path = \"..\" }";
        match Written::deserialize(deserializer).map_err(|_| D::Error::custom(EXPECTED))? {
            Written::Word(word) if word == "network" => Ok(Self::Network),
            Written::Table(Table { path: Some(path), npm: None, version: None, git: None, rev: None }) => {
                Ok(Self::Path(path))
            }
            Written::Table(Table {
                path: None,
                npm: Some(package),
                version: Some(version),
                git: None,
                rev: None,
            }) => Ok(Self::Npm { package, version }),
            Written::Table(Table { path, npm: None, version: None, git: Some(url), rev: Some(rev) }) => {
                Ok(Self::Git { url, rev, path: path.unwrap_or_default() })
            }
            _ => Err(D::Error::custom(EXPECTED)),
        }
    }
}

impl<'de> Deserialize<'de> for Renames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, default)]
        #[derive(Default)]
        struct Tables {
            modules: BTreeMap<String, Name>,
            types: BTreeMap<String, Name>,
            fields: BTreeMap<String, Name>,
            accessors: BTreeMap<String, Name>,
        }
        let tables = Tables::deserialize(deserializer)?;
        let plain =
            |names: BTreeMap<String, Name>| names.into_iter().map(|(key, name)| (key, name.0)).collect();
        Ok(Self {
            modules: plain(tables.modules),
            types: plain(tables.types),
            fields: plain(tables.fields),
            accessors: plain(tables.accessors),
        })
    }
}

/// A name that can stand in Rust as it is.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // What the parser takes beside a name: spaces, comments and raw identifiers.
        match syn::parse_str::<syn::Ident>(&name) {
            Ok(ident) if ident == name && !name.starts_with("r#") => Ok(Self(name)),
            _ => Err(D::Error::custom(format!("expected a name in Rust that is no keyword, found `{name}`"))),
        }
    }
}

impl<'de> Deserialize<'de> for Derive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            documents: Vec<Pattern>,
            traits: Vec<String>,
        }
        let Table { documents, traits } = Table::deserialize(deserializer)?;
        let has_it_already =
            |path: &str| ALREADY_DERIVED.contains(&path.rsplit("::").next().unwrap_or_default());
        match traits.iter().find(|path| !is_module_path(path) || has_it_already(path)) {
            Some(path) if is_module_path(path) => Err(D::Error::custom(format!(
                "expected a trait that types do not have already, found `{path}`"
            ))),
            Some(path) => Err(D::Error::custom(format!(
                "expected the path of a derive macro such as `my_macros::Table`, found `{path}`"
            ))),
            None => Ok(Self { documents, traits }),
        }
    }
}

/// What generated types have in any case.
const ALREADY_DERIVED: [&str; 7] =
    ["Clone", "Copy", "Debug", "Default", "Deserialize", "PartialEq", "Serialize"];

/// Whether a text is a path of names, without arguments.
pub(crate) fn is_module_path(text: &str) -> bool {
    syn::Path::parse_mod_style.parse_str(text).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_empty_file_has_defaults() {
        let config = Config::parse("").unwrap();
        assert_eq!(config.lexicons, Path::new("lexicons"));
        assert!(config.output.accessors && !config.strict && config.crates.is_empty());
    }

    #[test]
    fn everything_can_be_said() {
        let config = Config::parse(
            r##"
            lexicons = "schemas"
            sdk = "::my_sdk"
            strict = true
            [output]
            path = "src/gen.rs"
            module = "crate::gen"
            accessors = false
            [documents]
            "com.example.shop.*" = "network"
            "org.a.b" = { path = "../a" }
            "org.npm.*" = { npm = "@a/b", version = "1.2.3" }
            "org.git.*" = { git = "https://example.com/x", rev = "abc", path = "lexicons" }
            [crates.other-lexicons]
            only = ["com.other.*"]
            [rename.types]
            "com.example.a#b" = "C"
            [rename.accessors]
            "com.example" = "example"
            [[derive]]
            documents = ["com.example.*"]
            traits = ["Described", "my_macros::Table"]
            [secret]
            fields = ["com.example.a#b.c"]
            "##,
        )
        .unwrap();
        let sources: Vec<&Source> = config.documents.values().collect();
        assert_eq!(sources[..2], [&Source::Network, &Source::Path("../a".into())]);
        let (url, rev, path) = ("https://example.com/x".to_owned(), "abc".to_owned(), "lexicons".into());
        assert_eq!(sources[2], &Source::Git { url, rev, path });
        assert_eq!(config.rename.types["com.example.a#b"], "C");
        assert_eq!(config.rename.accessors["com.example"], "example");
        assert!(config.secret.fields.contains("com.example.a#b.c"));
        assert_eq!(config.derive[0].traits, ["Described", "my_macros::Table"]);
    }

    #[test]
    fn errors_name_the_line_and_what_is_expected() {
        for (text, expected) in [
            ("lexicon = 'x'", "unknown field `lexicon`, expected one of `lexicons`"),
            ("[documents]\n'com.example' = 'network'", "or a group such as `com.example.*`"),
            ("[documents]\n'com.example.*' = 'npm'", "expected \"network\", { path"),
            ("[documents]\n'com.example.*' = { npm = 'x' }", "version = \"..\""),
            ("[rename.types]\n'com.example.a' = 'type'", "that is no keyword, found `type`"),
            ("[[derive]]\ndocuments = []\ntraits = ['a b']", "such as `my_macros::Table`, found `a b`"),
            ("[[derive]]\ndocuments = []\ntraits = ['A<u8>']", "such as `my_macros::Table`, found `A<u8>`"),
            ("[[derive]]\ndocuments = []\ntraits = ['Clone']", "do not have already, found `Clone`"),
            ("[rename.types]\n'com.example.a' = 'r#type'", "that is no keyword, found `r#type`"),
            ("[rename.types]\n'com.example.a' = ' A '", "that is no keyword, found ` A `"),
            ("[lint]\nallow = ['no-such-rule']", "expected the name of a lint rule, found `no-such-rule`"),
            ("[rename.accessors]\n'com.example' = 'com.example'", "that is no keyword, found `com.example`"),
            ("[secret]\nfield = []", "unknown field `field`, expected `fields`"),
            ("strict = 1", "invalid type: integer `1`, expected a boolean"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("line "), "{error}");
        }
    }

    #[test]
    fn the_module_follows_from_the_path() {
        let config = Config::default();
        for (path, module) in [
            ("src/lexicons", Some("crate::lexicons")),
            ("./src/lexicons.rs", Some("crate::lexicons")),
            ("src/a/gen_/mod.rs", Some("crate::a::gen_")),
            ("src/main/lexicons", Some("crate::main::lexicons")),
            ("src/lib.rs", Some("crate")),
            ("src", None),
            ("src/gen.v1", None),
            ("generated", None),
            ("../src/lexicons", None),
        ] {
            assert_eq!(config.module(Path::new(path)).as_deref(), module, "{path}");
        }
    }
}
