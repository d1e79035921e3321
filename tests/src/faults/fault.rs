//! What can go wrong with a request, as a plan says it.

use std::{collections::BTreeSet, time::Duration};

use serde::Deserialize;

use crate::Received;

/// A fault: what happens, to which requests, and how often.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name in the report.
    pub name: String,
    /// What happens.
    #[serde(rename = "does")]
    pub kind: Kind,
    /// Which requests it can happen to.
    #[serde(rename = "where", default)]
    pub matches: Matches,
    /// Which of those it happens to.
    #[serde(default)]
    pub which: Which,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// It is sent on, or its answer is returned, only after a while.
    Delay {
        /// For how long.
        millis: u64,
        /// Whether it is the answer that is late.
        #[serde(default)]
        answer: bool,
    },
    /// It never reaches the server, and the connection ends.
    Drop,
    /// The same, after a while in which nothing happens.
    Hang {
        /// For how long.
        millis: u64,
    },
    /// The server has processed it, and the connection ends without an answer.
    Lose,
    /// Like `drop` and `lose`, with a reset instead of an orderly end.
    Reset {
        /// Whether the server processes it first.
        processed: bool,
    },
    /// The connection ends in the middle of the answer's body.
    Cut,
    /// The server gets it twice.
    Duplicate {
        /// Whether the client gets the second answer.
        #[serde(default)]
        second: bool,
    },
    /// Somebody else answers: a gateway, a rate limit.
    Answer {
        /// The status.
        status: u16,
        /// The body.
        body: Body,
        /// The header `Retry-After`.
        #[serde(default, rename = "retry-after")]
        retry_after: Option<String>,
        /// Whether the server processes it first.
        #[serde(default)]
        processed: bool,
    },
    /// The answer says that it is of another type.
    ContentType {
        /// The type.
        value: String,
    },
    /// The answer has no `DPoP-Nonce`.
    NoNonce,
    /// The answer has the first `DPoP-Nonce` that was ever seen.
    StaleNonce,
    /// The answer's `Date` is wrong.
    Date {
        /// By how much.
        seconds: i64,
    },
    /// The body of the answer comes in small pieces.
    Drip {
        /// How many.
        pieces: u32,
        /// The pause between two.
        millis: u64,
    },
    /// The client is sent elsewhere.
    Redirect {
        /// The status.
        status: u16,
        /// Where to; to the same path if it is an origin.
        to: String,
    },
}

/// The body that somebody else answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// None.
    Empty,
    /// A page.
    Html,
    /// An error in the format of XRPC and OAuth.
    Json,
}

impl Kind {
    /// Whether the server gets the request.
    pub fn reaches_server(&self) -> bool {
        match self {
            Self::Drop | Self::Hang { .. } | Self::Redirect { .. } => false,
            Self::Reset { processed } | Self::Answer { processed, .. } => *processed,
            _ => true,
        }
    }
}

/// Which requests a fault can happen to. What is absent matches all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matches {
    /// The method.
    pub method: Option<String>,
    /// The path, or with `*` at its end how the path begins.
    pub path: Option<String>,
    /// The `grant_type` of a token request.
    pub grant: Option<String>,
}

impl Matches {
    /// Whether it is one of those.
    pub fn matches(&self, request: &Received) -> bool {
        let path = |pattern: &String| match pattern.strip_suffix('*') {
            Some(beginning) => request.path.starts_with(beginning),
            None => request.path == *pattern,
        };
        self.method.as_ref().is_none_or(|method| request.method == *method)
            && self.path.as_ref().is_none_or(path)
            && self
                .grant
                .as_ref()
                .is_none_or(|grant| request.form("grant_type").is_some_and(|found| found == *grant))
    }
}

/// Which of the matching requests a fault happens to: by their number or by chance.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// These, counted from 1.
    pub nth: Option<BTreeSet<u64>>,
    /// How likely each of them is hit.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many at most.
    pub at_most: Option<u64>,
}

impl Default for Which {
    fn default() -> Self {
        Self { nth: None, probability: always(), at_most: None }
    }
}

fn always() -> f64 {
    1.0
}

/// A pause in milliseconds.
pub(super) fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
