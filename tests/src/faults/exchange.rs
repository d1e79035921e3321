//! What the proxy saw of a request: what the server did, and what the client can have known of it.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use serde::Deserialize;

use super::answer::Answered;
use crate::Received;

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// When it came, since the proxy was started.
    pub began: Duration,
    /// When the answer was written or the connection was ended.
    pub ended: Duration,
    /// The method.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The name of the fault that happened to it.
    pub fault: Option<String>,
    /// The statuses of the server's answers, one for each time that it got the request.
    pub server: Vec<u16>,
    /// Whether it was sent to the server and no answer came back, as during a restart.
    pub unanswered: bool,
    /// The status that the client was told.
    pub told: Option<u16>,
    /// How much of the server's answer reached the client.
    pub delivered: Delivered,
    /// What it says about tokens, if it is a token request.
    pub token: Option<TokenExchange>,
}

/// How much of the server's answer reached the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// All of it, with the same status, body and type.
    Whole,
    /// Something else or something that differs, such as the page of a gateway.
    Altered,
    /// A part of it, or nothing.
    Lost,
}

/// A token request.
#[derive(Debug, Clone)]
pub struct TokenExchange {
    /// What it presented.
    pub grant: Grant,
    /// The tokens that the server gave, whether they reached the client or not.
    pub given: Option<Given>,
    /// The error of the server.
    pub error: Option<String>,
}

/// What a token request presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// A code from a sign-in.
    Code,
    /// This refresh token.
    Refresh(Fingerprint),
}

/// Tokens that the server gave.
#[derive(Debug, Clone)]
pub struct Given {
    /// The account.
    pub sub: String,
    /// The refresh token.
    pub refresh: Fingerprint,
}

/// Tells secrets apart without keeping them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// The fingerprint of a secret, the same in every process of one program.
    pub fn of(secret: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        secret.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl Exchange {
    pub(super) fn begin(request: &Received, began: Duration) -> Self {
        let grant = match request.form("grant_type").as_deref() {
            Some("refresh_token") => {
                request.form("refresh_token").map(|token| Grant::Refresh(Fingerprint::of(&token)))
            }
            Some("authorization_code") => Some(Grant::Code),
            _ => None,
        };
        Self {
            began,
            ended: began,
            method: request.method.clone(),
            path: request.path.clone(),
            fault: None,
            server: Vec::new(),
            unanswered: false,
            told: None,
            delivered: Delivered::Lost,
            token: grant.map(|grant| TokenExchange { grant, given: None, error: None }),
        }
    }

    /// Notes an answer of the server.
    pub(super) fn note(&mut self, answer: &Answered) {
        #[derive(Deserialize)]
        struct Fields {
            refresh_token: Option<String>,
            sub: Option<String>,
            error: Option<String>,
        }
        self.server.push(answer.status);
        let Some(token) = &mut self.token else { return };
        let Ok(fields) = serde_json::from_slice::<Fields>(&answer.body) else { return };
        if let (Some(refresh), Some(sub)) = (fields.refresh_token, fields.sub) {
            token.given = Some(Given { sub, refresh: Fingerprint::of(&refresh) });
        }
        if fields.error.is_some() {
            token.error = fields.error;
        }
    }

    /// The refresh token that it presents.
    pub fn presents(&self) -> Option<Fingerprint> {
        match self.token.as_ref()?.grant {
            Grant::Refresh(token) => Some(token),
            Grant::Code => None,
        }
    }

    /// Whether the server gave tokens for it.
    pub fn gave_tokens(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.given.is_some())
    }
}
