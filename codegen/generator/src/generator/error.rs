//! Why there are no bindings.

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
    /// A module or crate is named by something that is no path.
    #[error("lexicons.toml: expected a path in Rust such as `crate::lexicons`, found `{0}`")]
    InvalidPath(String),
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
