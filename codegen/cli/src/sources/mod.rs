//! Where documents come from.

mod folder;
mod network;
mod program;

use std::path::PathBuf;

use atproto_sdk_codegen::config::Source;

pub(crate) use folder::{Folder, has_password, open};
pub(crate) use network::{Network, NetworkArguments};

/// A source in the words of the lock file.
pub(crate) fn key(source: &Source) -> String {
    match source {
        Source::Path(path) => format!("path {}", path.display()),
        Source::Npm { package, version } => format!("npm {package} {version}"),
        Source::Git { url, rev, path } => format!("git {url} {rev} {}", path.display()).trim_end().to_owned(),
        _ => "network".to_owned(),
    }
}

/// The source that the lock file means; `None` for words that it does not have.
pub(crate) fn from_key(key: &str) -> Option<Source> {
    let (kind, rest) = key.split_once(' ').unwrap_or((key, ""));
    match kind {
        "network" if rest.is_empty() => Some(Source::Network),
        "path" => Some(Source::Path(rest.into())),
        "npm" => {
            let (package, version) = rest.split_once(' ')?;
            Some(Source::Npm { package: package.to_owned(), version: version.to_owned() })
        }
        "git" => {
            let (url, rest) = rest.split_once(' ')?;
            let (rev, path) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(Source::Git { url: url.to_owned(), rev: rev.to_owned(), path: PathBuf::from(path) })
        }
        _ => None,
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_were_written() {
        let git = |path: &str| Source::Git {
            url: "https://example.com/x.git".to_owned(),
            rev: "0123abc".to_owned(),
            path: path.into(),
        };
        for source in [
            Source::Network,
            Source::Path("../with space".into()),
            Source::Npm { package: "@a/b".to_owned(), version: "1.2.3".to_owned() },
            git("lexicons/with space"),
            git(""),
        ] {
            assert_eq!(from_key(&key(&source)), Some(source));
        }
        for unknown in ["", "ftp x", "npm x", "git x", "network x"] {
            assert_eq!(from_key(unknown), None, "{unknown}");
        }
    }
}
