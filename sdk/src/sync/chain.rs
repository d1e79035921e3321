//! The chain of commits of one repository: what an event means after what is known (E10). No I/O, no cryptography: the
//! events have been verified by themselves.

use std::time::Duration;

use super::{Beginning, RepoHead};
use crate::types::{Cid, Tid};

/// What a verified event says of its repository.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) rev: &'a Tid,
    /// The root of the tree.
    pub(super) data: &'a Cid,
    pub(super) link: Link<'a>,
    /// The position in the stream.
    pub(super) seq: Option<i64>,
}

/// How an event is connected to the one before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Link<'a> {
    /// All operations are known that lead from the state before, which is `None` before the first commit.
    Operations { since: Option<&'a Tid>, prev_data: &'a Cid },
    /// Only the new state is known.
    State,
}

/// What an event means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next one in the chain.
    Next,
    /// The first one of the repository that has been seen, although there have been others.
    First,
    /// It was given before, and comes again because it was not acknowledged.
    Again,
    /// Only the revision is a new one.
    Unchanged,
    /// Something is missing before it.
    Gap,
    /// What it says has been known before, or is older.
    Old,
}

/// Judges an event. `again` is the last revision that has come again and been given again, or which need not be.
pub(super) fn judge(known: Option<&RepoHead>, again: Option<&Tid>, claim: &Claim<'_>) -> Verdict {
    let Some(known) = known else { return first(claim) };
    if let Some(beginning) = known.began_with(claim.seq)
        && again.is_none_or(|again| again < claim.rev)
    {
        return if beginning.is_gap { Verdict::Gap } else { first(claim) };
    }
    if *claim.rev <= known.rev {
        let was_given = matches!(claim.link, Link::Operations { .. }) && known.includes(claim.seq);
        let is_next = again.is_none_or(|again| again < claim.rev);
        return if was_given && is_next { Verdict::Again } else { Verdict::Old };
    }
    match claim.link {
        Link::Operations { since, prev_data } if since == Some(&known.rev) && *prev_data == known.data => {
            Verdict::Next
        }
        Link::State if *claim.data == known.data => Verdict::Unchanged,
        Link::Operations { .. } | Link::State => Verdict::Gap,
    }
}

fn first(claim: &Claim<'_>) -> Verdict {
    match claim.link {
        // Nothing is missing before the first commit of a repository.
        Link::Operations { since: None, .. } => Verdict::Next,
        Link::Operations { .. } | Link::State => Verdict::First,
    }
}

/// The state after an event.
pub(super) fn advance(known: Option<&RepoHead>, verdict: Verdict, claim: &Claim<'_>) -> RepoHead {
    let begins = |is_gap| claim.seq.map(|seq| Beginning { seq, is_gap });
    let known_beginning = || known.and_then(|known| known.beginning.clone());
    let beginning = match verdict {
        Verdict::First => begins(false),
        Verdict::Gap => begins(true),
        Verdict::Next | Verdict::Unchanged | Verdict::Again | Verdict::Old => known_beginning(),
    };
    // What comes again does not lead back.
    if let Some(known) = known.filter(|known| known.rev >= *claim.rev) {
        return RepoHead { seq: known.seq.max(claim.seq), beginning, ..known.clone() };
    }
    let seq = known.and_then(|known| known.seq).max(claim.seq);
    RepoHead { rev: claim.rev.clone(), data: claim.data.clone(), seq, beginning }
}

/// Whether a revision is further in the future than clocks may differ.
pub(super) fn is_future(rev: &Tid, now: Duration, allowed: Duration) -> bool {
    rev.unix_micros().is_none_or(|micros| Duration::from_micros(micros) > now.saturating_add(allowed))
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
