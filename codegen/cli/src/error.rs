//! Why a command failed.

use std::path::PathBuf;

use atproto_sdk::identity::IdentityError;
use atproto_sdk_codegen::{
    GenerateError, config::ConfigError, diagnostic::Rejected, folder::FolderError, one_line::one_line,
    output::OutputError, pattern::Pattern,
};

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
    /// Documents cannot be used.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {problem}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// A folder cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file cannot be replaced.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The lock file cannot be used.
    #[error("{}: {problem}; restore it, or delete it and run `atproto-sdk install`", path.display())]
    InvalidLock {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The configuration cannot be edited.
    #[error("lexicons.toml cannot be edited: {0}")]
    Edit(Box<toml_edit::TomlError>),
    /// A document is asked for from elsewhere already.
    #[error("lexicons.toml asks for {0} from another source already; edit it there")]
    OtherSource(Pattern),
    /// A password is where everybody can read it.
    #[error(
        "lexicons.toml asks for {0} from a git repository with a password in its URL; take it out, and give it to a \
         credential helper of git (`git help credentials`)"
    )]
    PasswordInUrl(Pattern),
    /// A document that is to be updated was never added.
    #[error("{0} is not in lexicons.lock; `atproto-sdk add {0}` fetches it")]
    NotAdded(Pattern),
    /// The network cannot be used.
    #[error("{}", crate::sources::chain(.0))]
    Network(IdentityError),
    /// Documents cannot be published.
    #[error("{0}")]
    Publish(String),
    /// There is no place for sessions.
    #[error(
        "the folder for settings is not known (HOME or APPDATA is not set); say where the session is kept with --sessions"
    )]
    NoConfigFolder,
    /// The asynchronous runtime cannot be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// What is given is no folder.
    #[error("{} is not a folder; name the folder of a crate", .0.display())]
    NoFolder(PathBuf),
    /// There is no crate to start in.
    #[error("{} has no Cargo.toml; make a crate first with `cargo new --lib NAME`", .0.display())]
    NoCrate(PathBuf),
    /// There is a configuration already.
    #[error("{} is there already; edit it, or delete it to start again", .0.display())]
    Exists(PathBuf),
}

impl From<IdentityError> for CliError {
    fn from(error: IdentityError) -> Self {
        Self::Network(error)
    }
}

impl CliError {
    /// The lines for people.
    pub(crate) fn shown(&self) -> String {
        match self {
            // Findings say by themselves what they are.
            Self::Generate(GenerateError::Rejected(rejected)) => format!("{rejected}\nnothing was written"),
            Self::Rejected(rejected) => rejected.to_string(),
            // What servers say is in them.
            Self::Network(_) | Self::Publish(_) => format!("error: {}", one_line(&self.to_string())),
            _ => format!("error: {self}"),
        }
    }
}
