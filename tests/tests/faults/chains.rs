//! The sessions as the proxy saw them: each a chain of refresh tokens that begins with a sign-in.

use std::{collections::HashMap, time::Duration};

use tests::faults::{Delivered, Exchange, Fingerprint, Grant};

/// A session at the server.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) did: String,
    /// When its first tokens were given.
    pub(crate) began: Duration,
    /// What has been tried to refresh it, in the order of the ends.
    pub(crate) attempts: Vec<Attempt>,
}

/// A request to refresh.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) began: Duration,
    pub(crate) ended: Duration,
    pub(crate) presented: Fingerprint,
    pub(crate) fault: Option<String>,
    /// Whether the server got it.
    pub(crate) reached: bool,
    /// Whether the server gave new tokens.
    pub(crate) gave: bool,
    /// Whether nobody knows what the server did: it went away.
    pub(crate) unknown: bool,
    /// The status that the client was told.
    pub(crate) told: Option<u16>,
    /// Whether its error was `invalid_grant`.
    pub(crate) refused: bool,
    pub(crate) delivered: Delivered,
}

impl Attempt {
    /// Whether new tokens may have been given that the client has not got.
    pub(crate) fn lost(&self) -> bool {
        (self.gave && self.delivered != Delivered::Whole) || self.unknown
    }

    /// Whether the client cannot know what the server did.
    pub(crate) fn unclear(&self) -> bool {
        self.told.is_none_or(|status| status >= 500) || self.delivered != Delivered::Whole
    }
}

impl Chain {
    /// The last attempts to which the server gave tokens, or may have.
    pub(crate) fn last_given(&self) -> Option<&Attempt> {
        self.attempts.iter().rev().find(|attempt| attempt.gave || attempt.unknown)
    }

    /// Whether the last attempt was refused, and an earlier one with the same token may have been processed, for all
    /// that the client can know.
    pub(crate) fn refused_in_doubt(&self) -> bool {
        let Some((last, earlier)) = self.attempts.split_last() else { return false };
        let same = |attempt: &&Attempt| attempt.presented == last.presented;
        last.refused && earlier.iter().filter(same).any(Attempt::unclear)
    }

    /// The attempts for which the server gave tokens.
    pub(crate) fn given(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.gave)
    }
}

/// Puts the chains together.
pub(crate) fn chains(exchanges: &[Exchange]) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut of_token: HashMap<Fingerprint, usize> = HashMap::new();
    for exchange in exchanges {
        let Some(token) = &exchange.token else { continue };
        let chain = match token.grant {
            Grant::Code => {
                let Some(given) = &token.given else { continue };
                chains.push(Chain { did: given.sub.clone(), began: exchange.began, attempts: Vec::new() });
                chains.len() - 1
            }
            Grant::Refresh(presented) => {
                let Some(chain) = of_token.get(&presented).copied() else { continue };
                chains[chain].attempts.push(Attempt {
                    began: exchange.began,
                    ended: exchange.ended,
                    presented,
                    fault: exchange.fault.clone(),
                    reached: !exchange.server.is_empty() || exchange.unanswered,
                    gave: token.given.is_some(),
                    unknown: exchange.unanswered,
                    told: exchange.told,
                    refused: token.error.as_deref() == Some("invalid_grant"),
                    delivered: exchange.delivered,
                });
                chain
            }
        };
        if let Some(given) = &token.given {
            of_token.insert(given.refresh, chain);
        }
    }
    chains
}
