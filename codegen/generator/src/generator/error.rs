//! Why there are no bindings.

use std::path::PathBuf;

use super::DependencyError;
use crate::{
    config::ConfigError, diagnostic::Rejected, emit::EmitError, folder::FolderError, output::OutputError,
};

/// Why no bindings were made, or not all of them written.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Documents cannot be used.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The documents of another crate cannot be found.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// Names are chosen for what is not there.
    #[error("lexicons.toml: [rename] names what is in no document: {}", .0.join(", "))]
    UnknownNames(Vec<String>),
    /// Names are chosen that cannot be had.
    #[error("lexicons.toml: [rename]: {}", .0.join("; "))]
    RefusedNames(Vec<String>),
    /// Fields are named as secrets that are not there.
    #[error("lexicons.toml: [secret] names what is in no document: {}", .0.join(", "))]
    UnknownSecrets(Vec<String>),
    /// Patterns that no document fits.
    #[error("lexicons.toml: no document fits {}", .0.join(", "))]
    UnusedPatterns(Vec<String>),
    /// A module or crate is named by something that is no path.
    #[error("lexicons.toml: expected a path such as `{example}` in `{key}`, found `{found}`")]
    InvalidPath {
        /// The key.
        key: &'static str,
        /// What could stand there.
        example: &'static str,
        /// What was found.
        found: String,
    },
    /// Nothing says which module the bindings are.
    #[error(
        "lexicons.toml: {} is not a module below src, such as src/lexicons or src/lexicons.rs; name the module that it is in \
         `output.module`", .0.display()
    )]
    NoModule(PathBuf),
    /// The folder for the bindings contains the crate.
    #[error("lexicons.toml: {} contains the crate; bindings need a folder of their own, such as src/lexicons", .0.display())]
    OutputAbove(PathBuf),
    /// There are bindings in the other form, a file instead of a folder or the reverse, which would be the same module.
    #[error("{} has bindings of the same module; delete it", .0.display())]
    OtherForm(PathBuf),
    /// Rust that does not parse: a defect of the generator.
    #[error(transparent)]
    Emit(#[from] EmitError),
    /// A file cannot be written, or belongs to somebody else.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A file or folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Cargo has not started this program as a build script.
    #[error("expected to be run by cargo as a build script (OUT_DIR and CARGO_MANIFEST_DIR are not set)")]
    NotInBuildScript,
}

/// As a person reads it: this is what a build script that returns the error prints.
impl std::fmt::Debug for GenerateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
