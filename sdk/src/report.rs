//! Errors with their causes, as text for people.

use std::{error::Error, fmt};

/// An error that shows its whole chain of causes, for `main`.
///
/// A `main` that returns `Result<(), Box<dyn Error>>` prints the `Debug` representation of the error, such as `NotAKey`.
/// One that returns a `Result<(), Report>` prints what the error says, and each of its causes on a line of its own:
///
/// ```text
/// Error: the account `alice.example.com` could not be resolved
///   caused by: the handle alice.example.com could not be looked up at the configured service
///   caused by: could not connect to https://pds.example.com; check the name or try again later
/// ```
///
/// Every error converts to it with `?`, and so do texts:
///
/// ```
/// use atproto_sdk::{Report, types::Did};
///
/// fn main() -> Result<(), Report> {
/// # fn run() -> Result<(), Report> {
///     let did = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz")?;
///     if did.method() != "plc" {
///         return Err("the account is not of the PLC directory".into());
///     }
///     Ok(())
/// # }
/// # run()
/// }
/// ```
///
/// [`Display`](fmt::Display) has the same in one line, for logs: the causes follow their errors after a colon.
///
/// ```
/// use atproto_sdk::Report;
///
/// let not_found = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
/// let report = Report::new(not_found);
/// assert_eq!(report.to_string(), "no such file");
/// assert_eq!(format!("{report:?}"), "no such file");
/// assert!(report.error().downcast_ref::<std::io::Error>().is_some());
/// ```
///
/// Like the error types of other crates for this purpose, it is not an [`Error`] itself. Those of `anyhow` and `eyre` show
/// the causes too, so programs that use them need no `Report`.
pub struct Report(Box<dyn Error + Send + Sync>);

impl Report {
    /// Wraps an error, or a text.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into())
    }

    /// Returns the error.
    pub fn error(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }

    /// Returns the error itself, for APIs that take a `Box<dyn Error + Send + Sync>`.
    pub fn into_error(self) -> Box<dyn Error + Send + Sync> {
        self.0
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Report {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_chain(f, &*self.0, ": ")
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_chain(f, &*self.0, "\n  caused by: ")
    }
}

/// An error and its causes in one line, where they become part of another error's text.
#[cfg_attr(not(feature = "client"), allow(dead_code, reason = "errors with causes come from clients"))]
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> impl fmt::Display {
    struct OneLine<'a>(&'a (dyn Error + 'static));
    impl fmt::Display for OneLine<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write_chain(f, self.0, ": ")
        }
    }
    OneLine(error)
}

/// Writes an error and its causes. The errors of this crate say nothing twice, but those of other crates may: a cause whose
/// text the error above it has already is left out.
fn write_chain(f: &mut fmt::Formatter<'_>, error: &(dyn Error + 'static), between: &str) -> fmt::Result {
    let mut said = error.to_string();
    f.write_str(&said)?;
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !text.is_empty() && !said.contains(&text) {
            write!(f, "{between}{text}")?;
            said = text;
        }
        cause = error.source();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    fn chain(texts: &[&'static str]) -> Told {
        let source = (texts.len() > 1).then(|| Box::new(chain(&texts[1..])));
        Told { text: texts[0], source }
    }

    #[test]
    fn debug_shows_every_cause_on_a_line_of_its_own() {
        let report = Report::new(chain(&["it failed", "no connection", "refused"]));
        assert_eq!(format!("{report:?}"), "it failed\n  caused by: no connection\n  caused by: refused");
        assert_eq!(report.to_string(), "it failed: no connection: refused");
        assert_eq!(with_causes(report.error()).to_string(), "it failed: no connection: refused");
    }

    #[test]
    fn what_another_crate_says_twice_is_shown_once() {
        let report = Report::new(chain(&[
            "it failed: refused (os error 111)",
            "refused",
            "by a rule",
            "by a rule",
            "",
        ]));
        assert_eq!(report.to_string(), "it failed: refused (os error 111): by a rule");
    }

    #[test]
    fn texts_and_boxed_errors_convert_too() {
        fn fails(text: bool) -> Result<(), Report> {
            if text {
                Err("a text")?;
            }
            let boxed: Box<dyn Error + Send + Sync> = Box::new(chain(&["boxed", "inside"]));
            Err(boxed)?
        }
        assert_eq!(format!("{:?}", fails(true).unwrap_err()), "a text");
        assert_eq!(fails(false).unwrap_err().to_string(), "boxed: inside");
        let back = fails(false).unwrap_err().into_error();
        assert!(back.downcast_ref::<Told>().is_some());
    }
}
