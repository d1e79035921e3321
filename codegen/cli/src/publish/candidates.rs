//! Which documents are published, and whether they are fit for it.

use atproto_sdk_codegen::{lint::lint_sources, one_line::one_line, pattern::Pattern};

use crate::{
    CliError, Streams,
    add::counted,
    project::{OwnDocument, Project},
};

/// The documents of one's own that are named; all of them if none are.
pub(super) fn find(project: &Project, patterns: &[Pattern]) -> Result<Vec<OwnDocument>, CliError> {
    let own = project.own_documents()?;
    let nsid = |it: &OwnDocument| it.document.as_ref().ok().map(|document| document.nsid.clone());
    for pattern in patterns {
        if own.iter().filter_map(nsid).any(|nsid| pattern.matches(nsid.as_str())) {
            continue;
        }
        let fetched = project.lock.documents.keys().find(|nsid| pattern.matches(nsid.as_str()));
        return Err(CliError::Publish(match fetched {
            Some(nsid) => {
                format!("{nsid} was fetched from others (lexicons.lock says from where), who publish it")
            }
            None => format!("{pattern}: there is no such document in the folder"),
        }));
    }
    let is_named = |it: &OwnDocument| match nsid(it) {
        Some(nsid) => patterns.is_empty() || patterns.iter().any(|it| it.matches(nsid.as_str())),
        // A file that cannot be read may be one of those that are meant.
        None => patterns.is_empty(),
    };
    let mut found: Vec<OwnDocument> = own.into_iter().filter(is_named).collect();
    found.sort_by_key(nsid);
    if found.is_empty() {
        return Err(CliError::Publish("there are no documents of your own in the folder".to_owned()));
    }
    Ok(found)
}

/// Checks the documents by every rule of the language, and shows what is wrong.
pub(super) fn check(
    project: &Project,
    candidates: &[OwnDocument],
    streams: &mut Streams<'_>,
) -> Result<bool, CliError> {
    let mut problems = Vec::new();
    for candidate in candidates {
        match &candidate.document {
            Err(problem) => problems.push(format!("{}: {problem}", candidate.path.display())),
            Ok(document) if project.file(&document.nsid) != candidate.path => problems.push(format!(
                "{} has the document {}, which belongs into {}",
                candidate.path.display(),
                document.nsid,
                project.file(&document.nsid).display()
            )),
            Ok(_) => {}
        }
    }
    let sources = candidates.iter().map(|it| (it.path.clone(), it.bytes.clone()));
    let report = lint_sources(sources, &project.lint_options()?);
    if !report.findings.is_empty() {
        streams.err([&report]);
    }
    streams.err(problems.iter().map(|problem| format!("error: {}", one_line(problem))));
    if problems.is_empty() && report.error_count() == 0 {
        return Ok(true);
    }
    streams.err([format!(
        "{} cannot be published as they are; nothing was published",
        counted(candidates.len())
    )]);
    Ok(false)
}
