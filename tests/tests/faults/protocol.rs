//! What a runner and the programs that drive a client say to each other: JSON, one object in a line.

use serde::{Deserialize, Serialize};
use tests::faults::Calls;

/// What a driver gets first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The origin of the PDS, which is also the authorization server.
    pub(crate) pds: String,
    /// The PLC directory.
    pub(crate) plc: String,
    /// The store that all drivers share, as a URL, or `memory`.
    pub(crate) store: String,
    /// The accounts, which have sessions or get them.
    pub(crate) accounts: Vec<Account>,
    /// The number of this driver, from 0.
    pub(crate) worker: u32,
    /// How many apps it has.
    pub(crate) apps: u32,
    /// How many tasks of an app call at the same time.
    pub(crate) tasks: u32,
    pub(crate) calls: Calls,
    pub(crate) seed: u64,
    /// For how long calls are begun.
    pub(crate) millis: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) did: String,
    pub(crate) handle: String,
}

/// What a driver is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Start a sign-in, and say where the browser has to go.
    SignIn { did: String },
    /// The browser has come back.
    Callback { did: String, query: String },
    /// End the session of an account.
    SignOut { did: String },
    /// Refresh the session of an account now.
    Refresh { did: String },
    /// Make one call with the session of an account, with the limits that calls have.
    Call { did: String },
    /// Begin to call.
    Go,
    /// Go on where the store holds you.
    Release,
}

/// What a driver tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "says", rename_all = "kebab-case")]
pub(crate) enum Report {
    /// It waits for commands.
    Ready,
    /// The browser has to go there.
    Authorize {
        did: String,
        url: String,
    },
    /// There is a session.
    SignedIn {
        did: String,
        session: String,
    },
    SignInFailed {
        did: String,
        error: String,
    },
    /// The user has been signed out.
    SignedOut {
        did: String,
        error: Option<String>,
    },
    /// The client has ended a session, for that reason.
    Ended {
        did: String,
        session: String,
        reason: Reason,
    },
    /// There is no session for the account. Whoever runs it may have somebody sign in.
    NoSession {
        did: String,
    },
    /// A refresh that was asked for.
    Refreshed {
        did: String,
        failure: Option<Failure>,
    },
    Call(CallReport),
    /// The one call that was asked for.
    Called {
        did: String,
        failure: Option<Failure>,
    },
    /// An operation of the store at which it stays.
    Held {
        step: u32,
        operation: String,
    },
    /// An operation of the store that is over.
    Step {
        step: u32,
        operation: String,
    },
    /// All calls have come to an end.
    Done,
}

/// Why a client has ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// It was asked to.
    SignedOut,
    /// The server has refused the refresh token.
    Revoked,
    /// New tokens were lost.
    LostRefresh,
    /// The answer to a refresh was not acceptable.
    InvalidRefresh,
    /// It is not in the store.
    NotFound,
    Other,
}

/// A call and its result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CallReport {
    pub(crate) did: String,
    pub(crate) kind: CallKind,
    pub(crate) rkey: Option<String>,
    /// The text that was written, or that ought to be read.
    pub(crate) text: String,
    /// The text that was read.
    #[serde(default)]
    pub(crate) read: Option<String>,
    /// None if it succeeded.
    #[serde(default)]
    pub(crate) failure: Option<Failure>,
    /// How long it took.
    pub(crate) millis: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CallKind {
    Read,
    Create,
    Delete,
}

/// A failed call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What to do about it, by the client's account: `sign-in-again`, or anything else.
    pub(crate) kind: String,
    /// Why the session has ended, if that is why.
    #[serde(default)]
    pub(crate) ended: Option<Reason>,
    /// The error's name in an answer of the server.
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) const SIGN_IN_AGAIN: &'static str = "sign-in-again";
}
