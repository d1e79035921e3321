//! One line of the terminal that shows how far something is.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How long a line stays as it is.
const PAUSE: Duration = Duration::from_millis(100);
/// The length of a bar.
const WIDTH: usize = 30;

/// A line of the terminal. Where there is none, only its end is shown.
pub(crate) struct Line {
    name: &'static str,
    last: Mutex<Instant>,
    is_terminal: bool,
}

impl Line {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, last: Mutex::new(Instant::now()), is_terminal: stderr().is_terminal() }
    }

    /// Shows how much has been received of something whose size is not known.
    pub(crate) fn show_bytes(&self, bytes: u64) {
        self.show(|| format!("{:.1} MB", bytes as f64 / 1e6));
    }

    /// Shows a bar.
    pub(crate) fn show_part(&self, done: u64, of: u64, bytes: u64) {
        self.show(|| {
            let full = (done * WIDTH as u64).checked_div(of).unwrap_or(0) as usize;
            let bar = format!("[{:<WIDTH$}]", "#".repeat(full.min(WIDTH)));
            let bytes = if bytes > 0 { format!(", {:.1} MB", bytes as f64 / 1e6) } else { String::new() };
            format!("{bar} {done} of {of}{bytes}")
        });
    }

    fn show(&self, text: impl FnOnce() -> String) {
        if !self.is_terminal {
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed() >= PAUSE {
            *last = Instant::now();
            let _ = write!(stderr(), "\r\x1b[K{:<11} {}", self.name, text());
            let _ = stderr().flush();
        }
    }

    /// Ends the line with what has been done.
    pub(crate) fn end(&self, text: &str) {
        if self.is_terminal {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        println!("{:<11} {text}", self.name);
    }
}
