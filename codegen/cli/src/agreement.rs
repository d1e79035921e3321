//! Whether `lexicons.toml`, the lock and the files agree, without the network.

use std::collections::BTreeSet;

use atproto_sdk::types::Nsid;
use atproto_sdk_codegen::one_line::one_line;

use crate::{
    CliError, Streams,
    add::counted,
    document::Document,
    lock::Locked,
    project::{self, Project},
    requests::owner,
    sources,
};

/// Compares them, and reports what differs; the result is the exit code.
pub(crate) fn check(project: &Project, streams: &mut Streams<'_>) -> Result<u8, CliError> {
    let mut problems = unfulfilled(project);
    for (nsid, locked) in &project.lock.documents {
        problems.extend(other_request(project, nsid, locked));
        problems.extend(other_file(project, nsid, locked));
    }
    problems.extend(dependencies(project)?);
    if problems.is_empty() {
        streams.out([format!("{}, all as locked", counted(project.lock.documents.len()))]);
        return Ok(0);
    }
    streams.err(problems.iter().map(|problem| format!("error: {}", one_line(problem))));
    streams.err(["`atproto-sdk install` without --locked brings them in agreement, or says why it cannot"]);
    Ok(1)
}

/// The requests for which nothing was fetched, or not all.
fn unfulfilled(project: &Project) -> Vec<String> {
    let mut problems = Vec::new();
    for (pattern, source) in project.requests() {
        let key = sources::key(source);
        let is_there = match pattern.group() {
            Some(_) => project.lock.listed.get(pattern) == Some(&key),
            None => project.lock.documents.keys().any(|nsid| nsid.as_str() == pattern.as_str()),
        };
        if !is_there {
            problems
                .push(format!("lexicons.toml asks for {pattern} from {key}, which is not in lexicons.lock"));
        }
    }
    problems
}

/// What is wrong if a document is locked for another request than the one that there is.
fn other_request(project: &Project, nsid: &Nsid, locked: &Locked) -> Option<String> {
    match owner(project.requests(), nsid) {
        Some((_, source)) if locked.requested && sources::key(source) == locked.source => None,
        Some((pattern, source)) => Some(format!(
            "lexicons.lock has {nsid} from {}, and lexicons.toml asks for {pattern} from {}",
            locked.source,
            sources::key(source)
        )),
        None if locked.requested => {
            Some(format!("lexicons.lock has {nsid}, which lexicons.toml does not ask for"))
        }
        None => None,
    }
}

/// What is wrong with the file of a document that is locked.
fn other_file(project: &Project, nsid: &Nsid, locked: &Locked) -> Option<String> {
    let file = project.file(nsid);
    let file = file.display();
    match project.read(nsid) {
        None => Some(format!("{file} is missing")),
        Some(Err(problem)) => Some(format!("{file}: {problem}")),
        Some(Ok(document)) if document.cid != locked.cid => Some(format!(
            "{file} has changed: its CID is {}, and that in lexicons.lock is {}",
            document.cid, locked.cid
        )),
        Some(Ok(_)) => None,
    }
}

/// Refs that lead to documents that are not there, and locked documents that no ref leads to.
fn dependencies(project: &Project) -> Result<Vec<String>, CliError> {
    let mut problems = Vec::new();
    // What cannot be read may refer to anything.
    let mut is_known = true;
    let mut reached: BTreeSet<&Nsid> = BTreeSet::new();
    let mut documents: Vec<Document> = Vec::new();
    for own in project.own_documents()? {
        match own.document {
            Ok(document) => documents.push(document),
            Err(problem) => {
                is_known = false;
                problems.push(format!("{}: {problem}", own.path.display()));
            }
        }
    }
    let requested = project.lock.documents.iter().filter(|(_, locked)| locked.requested);
    let mut waiting: Vec<&Nsid> = requested.map(|(nsid, _)| nsid).collect();
    let mut told = BTreeSet::new();
    loop {
        while let Some(nsid) = waiting.pop() {
            if reached.insert(nsid) {
                match project.read(nsid) {
                    Some(Ok(document)) => documents.push(document),
                    _ => is_known = false,
                }
            }
        }
        let Some(document) = documents.pop() else { break };
        for target in &document.refs {
            if let Some((target, _)) = project.lock.documents.get_key_value(target) {
                waiting.push(target);
            } else if !project.is_own(target)
                && !project::has_bindings(project.externals()?, target)
                && told.insert(target.clone())
            {
                problems.push(format!(
                    "{} refers to {target}, which is not in lexicons.lock, and there is no file of it",
                    document.nsid
                ));
            }
        }
    }
    if is_known {
        let unneeded = project.lock.documents.keys().filter(|nsid| !reached.contains(nsid));
        problems.extend(unneeded.map(|nsid| format!("lexicons.lock has {nsid}, which nothing needs")));
    }
    Ok(problems)
}
