//! A plan: who calls what, at which server, and what goes wrong.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{fault::Fault, store_gate::Trouble};

/// Why a plan cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not a plan.
    #[error("{} is not a plan", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: toml::de::Error,
    },
    /// There is none of that name.
    #[error("there is no plan {name}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that exist.
        known: String,
    },
}

/// A plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Plan {
    /// The name: that of the file.
    #[serde(skip)]
    pub name: String,
    /// What it is about.
    pub about: String,
    /// Whether it runs with every other test, with a few seeds.
    #[serde(default)]
    pub short: bool,
    /// How many seeds it runs with at most, because it takes long.
    pub most_seeds: Option<u64>,
    /// For how many seconds calls are begun.
    pub seconds: u64,
    /// How many processes call.
    pub processes: u32,
    /// How many apps each process has, which share its store.
    pub apps: u32,
    /// How many tasks of an app call at the same time.
    pub tasks: u32,
    /// How many accounts there are, with one session each.
    pub accounts: u32,
    /// How long access tokens live.
    pub token_seconds: u64,
    /// By how many seconds the clocks of the processes are ahead, one after the other.
    #[serde(default)]
    pub client_clocks: Vec<i64>,
    /// The stores that the seeds take turns with.
    pub stores: Vec<String>,
    /// What is called.
    pub calls: Calls,
    /// What the server does besides answering.
    #[serde(default)]
    pub server: Server,
    /// What goes wrong.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// What becomes of the store, in this order and one after the other. A file is moved away for as long.
    #[serde(default, rename = "outage")]
    pub outages: Vec<Outage>,
}

/// A time in which processes cannot use their store.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Outage {
    /// What happens.
    pub trouble: Trouble,
    /// When it begins, after the first call.
    pub at_millis: u64,
    /// How long it lasts; a restart takes the time that it takes.
    #[serde(default)]
    pub millis: u64,
}

/// How often each kind of call is made, relative to the others, and how fast.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Calls {
    /// Records are read.
    pub read: u64,
    /// Records are created, every other one under a key of the client's.
    pub create: u64,
    /// Records are deleted.
    pub delete: u64,
    /// The longest pause of a task between two calls.
    pub pause_millis: u64,
}

/// What the server and the users do on their own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Server {
    /// Every response has a nonce of its own, and that many of them are good.
    pub changing_nonces: Option<u32>,
    /// Every so many milliseconds, all nonces become worthless.
    pub rotate_nonces_millis: Option<u64>,
    /// How far the server's clock is ahead.
    #[serde(default)]
    pub clock_seconds: i64,
    /// How far the `Date` of answers is ahead; as the clock, if it is not said.
    pub date_seconds: Option<i64>,
    /// Every so many milliseconds, it is started again.
    pub restart_millis: Option<u64>,
    /// Every so many milliseconds, all access tokens become invalid before their time.
    pub expire_tokens_millis: Option<u64>,
    /// Every so many milliseconds, it ends all sessions of one account.
    pub end_sessions_millis: Option<u64>,
    /// Every so many milliseconds, the user of one account signs out.
    pub sign_out_millis: Option<u64>,
}

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    /// When it cannot be read or is not a plan.
    pub fn read(path: &Path) -> Result<Self, PlanError> {
        let text =
            fs::read_to_string(path).map_err(|source| PlanError::Read { path: path.to_owned(), source })?;
        let mut plan: Self =
            toml::from_str(&text).map_err(|source| PlanError::Format { path: path.to_owned(), source })?;
        plan.name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(plan)
    }

    /// All plans of this repository, by name.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn all() -> Result<Vec<Self>, PlanError> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
        let failed = |source| PlanError::Read { path: folder.clone(), source };
        let files = fs::read_dir(&folder).map_err(failed)?;
        let mut paths: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The plan of that name.
    ///
    /// # Errors
    /// When there is none.
    pub fn named(name: &str) -> Result<Self, PlanError> {
        let mut plans = Self::all()?;
        match plans.iter().position(|plan| plan.name == name) {
            Some(found) => Ok(plans.swap_remove(found)),
            None => {
                let known = plans.iter().map(|plan| plan.name.as_str()).collect::<Vec<_>>().join(", ");
                Err(PlanError::Unknown { name: name.to_owned(), known })
            }
        }
    }
}
