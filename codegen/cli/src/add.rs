//! `add`: documents of others as dependencies.

use std::path::PathBuf;

use atproto_sdk_codegen::{config::Source, pattern::Pattern};

use crate::{
    CliError, Streams,
    project::Project,
    requests::{self, Requests},
    sources::NetworkArguments,
    sync::{EditArguments, Refresh, Sync, Synced},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Documents, or groups of them such as com.example.shop.*
    #[arg(value_name = "NSID|GROUP", required = true)]
    patterns: Vec<Pattern>,
    /// Takes them from this folder or file, instead of from the network; with --git, a folder in the repository
    #[arg(long, value_name = "PATH", conflicts_with = "npm")]
    path: Option<PathBuf>,
    /// Takes them from a package of the npm registry; needs the program npm
    #[arg(long, value_name = "PACKAGE@VERSION", value_parser = parse_package)]
    npm: Option<(String, String)>,
    /// Takes them from a git repository; needs the program git
    #[arg(long, value_name = "URL", requires = "rev", conflicts_with = "npm")]
    git: Option<String>,
    /// The commit, tag or branch of the git repository
    #[arg(long, value_name = "REV", requires = "git")]
    rev: Option<String>,
    #[command(flatten)]
    edits: EditArguments,
    #[command(flatten)]
    network: NetworkArguments,
}

/// `@scope/name@1.2.3`
fn parse_package(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('@') {
        Some((package, version)) if !package.is_empty() && !version.is_empty() => {
            Ok((package.to_owned(), version.to_owned()))
        }
        _ => Err("expected a package with its exact version, such as @scope/name@1.2.3".to_owned()),
    }
}

impl Arguments {
    fn source(&self) -> Source {
        match (&self.npm, &self.git, &self.path) {
            (Some((package, version)), ..) => {
                Source::Npm { package: package.clone(), version: version.clone() }
            }
            (None, Some(url), path) => Source::Git {
                url: url.clone(),
                rev: self.rev.clone().unwrap_or_default(),
                path: path.clone().unwrap_or_default(),
            },
            (None, None, Some(path)) => Source::Path(path.clone()),
            (None, None, None) => Source::Network,
        }
    }
}

pub(crate) fn run(
    project: &Project,
    arguments: &Arguments,
    streams: &mut Streams<'_>,
) -> Result<u8, CliError> {
    let source = arguments.source();
    let mut requests = project.requests().clone();
    for pattern in &arguments.patterns {
        match requests.insert(pattern.clone(), source.clone()) {
            Some(other) if other != source => return Err(CliError::OtherSource(pattern.clone())),
            _ => {}
        }
    }
    let network = crate::network(&arguments.network)?;
    let sync = Sync::new(project, requests, Refresh::Nothing, arguments.edits.edits(), network)?;
    let synced = crate::block_on(sync.run(streams))??;
    let added: Requests = arguments
        .patterns
        .iter()
        .filter(|pattern| !project.requests().contains_key(*pattern) && has_any(&synced, pattern, &source))
        .map(|pattern| (pattern.clone(), source.clone()))
        .collect();
    let mut changes = synced.changes(project);
    // The requests of which nothing came are not in the file, so they cannot be in the lock either.
    if !added.is_empty() {
        let text = requests::add(&project.config_text()?, &added);
        changes.config = Some(text.map_err(|error| CliError::Edit(Box::new(error)))?);
    }
    let requested = changes.documents.iter().filter(|(nsid, _)| {
        arguments.patterns.iter().any(|pattern| requests::includes(pattern, &source, nsid))
    });
    let requested = requested.count();
    let dependencies = changes.documents.len() - requested;
    project.apply(changes)?;
    synced.warn(project, streams);
    let code = synced.report(streams);
    let next = if code == 0 { "; next: `atproto-sdk generate`" } else { "" };
    match (requested, dependencies) {
        (0, 0) if code != 0 => {}
        (0, 0) => {
            streams.out(["everything is there already; `atproto-sdk update` fetches the newest versions"])
        }
        (_, 0) => streams.out([format!("added {}{next}", counted(requested))]),
        _ => streams.out([format!(
            "added {}, and {} that they refer to{next}",
            counted(requested),
            counted(dependencies)
        )]),
    }
    Ok(code)
}

fn has_any(synced: &Synced, pattern: &Pattern, source: &Source) -> bool {
    synced.listed.contains_key(pattern)
        || synced.held.keys().any(|nsid| requests::includes(pattern, source, nsid))
}

pub(crate) fn counted(documents: usize) -> String {
    format!("{documents} {}", if documents == 1 { "document" } else { "documents" })
}
