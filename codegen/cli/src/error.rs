//! Why a command failed.

use std::path::PathBuf;

use atproto_sdk_codegen::{GenerateError, config::ConfigError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There are no bindings.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no crate to start in.
    #[error("{} has no Cargo.toml; make a crate first with `cargo new --lib NAME`", .0.display())]
    NoCrate(PathBuf),
    /// There is a configuration already.
    #[error("{} is there already; edit it, or delete it to start again", .0.display())]
    Exists(PathBuf),
}

impl CliError {
    /// The lines for people.
    pub(crate) fn shown(&self) -> String {
        match self {
            // Findings say by themselves what they are.
            Self::Generate(GenerateError::Rejected(rejected)) => format!("{rejected}\nnothing was written"),
            _ => format!("error: {self}"),
        }
    }
}
