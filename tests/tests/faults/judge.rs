//! Holds what happened in a run against what must never happen.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use crate::{
    chains::{Attempt, Chain, chains},
    protocol::{CallKind, CallReport, Failure, Reason, Report},
    run::{Action, Evidence},
};

/// The longest that a call may take. Longer than a call's own limit, and than a refresh at its slowest with a busy
/// machine.
const LONGEST_CALL: Duration = Duration::from_secs(100);
/// How soon after an outage of the store some call succeeds.
const AGAIN: Duration = Duration::from_secs(10);
/// How far the clocks of what is said and what is seen may be apart.
const SLACK: Duration = Duration::from_millis(1500);

/// The numbers of a run, and what went wrong.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    pub(crate) calls: u64,
    pub(crate) failed_calls: u64,
    pub(crate) sessions: u64,
    /// Runs in which nobody could sign in.
    pub(crate) no_sign_in: u64,
    pub(crate) refreshes: u64,
    /// Refreshes whose new tokens the client did not get.
    pub(crate) lost_answers: u64,
    /// Refresh tokens that were presented again after that.
    pub(crate) presented_again: u64,
    /// Refreshes long before the token was due.
    pub(crate) early: u64,
    /// New tokens that arrived while the store was away.
    pub(crate) unsaved: u64,
    /// Ended sessions by reason.
    pub(crate) ended: BTreeMap<String, u64>,
    /// Sessions that were lost, by what took the tokens.
    pub(crate) lost_by: BTreeMap<String, u64>,
    /// How often each fault happened, and how often to a refresh.
    pub(crate) faults: BTreeMap<String, (u64, u64)>,
    pub(crate) longest_call: Duration,
    /// What failed calls said, without what differs from call to call.
    pub(crate) failures: BTreeMap<String, u64>,
    /// Every breach of an invariant.
    pub(crate) breaches: Vec<String>,
}

/// The sessions of an account as they were reported, oldest first: id, and from when.
type Sessions = HashMap<String, Vec<(Duration, String)>>;

pub(crate) fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(problem) = &evidence.no_sign_in {
        verdict.no_sign_in = 1;
        verdict.breaches.push(format!("nobody could sign in: {problem}"));
    }
    if evidence.hanging {
        verdict.breaches.push("calls did not come to an end".to_owned());
    }
    let chains = chains(&evidence.exchanges);
    judge_calls(evidence, &mut verdict);
    judge_refreshes(evidence, &chains, &mut verdict);
    judge_outages(evidence, &chains, &mut verdict);
    judge_ends(evidence, &chains, &mut verdict);
    judge_store(evidence, &chains, &mut verdict);
    for (name, times) in &evidence.injected {
        verdict.faults.entry(name.clone()).or_default().0 += times;
    }
    for exchange in evidence.exchanges.iter().filter(|exchange| exchange.presents().is_some()) {
        if let Some(fault) = &exchange.fault {
            verdict.faults.entry(fault.clone()).or_default().1 += 1;
        }
    }
    verdict
}

fn calls(evidence: &Evidence) -> impl Iterator<Item = &CallReport> {
    evidence.reports.iter().filter_map(|(_, report)| match report {
        Report::Call(call) => Some(call),
        _ => None,
    })
}

/// What a failure is about: its message without numbers, and not all of it.
fn kind_of(failure: &Failure) -> String {
    let text: String = failure.message.chars().filter(|c| !c.is_ascii_digit()).take(160).collect();
    format!("{}: {text}", failure.kind)
}

/// No call gives a wrong result, and no write is made twice, or lost without an error.
fn judge_calls(evidence: &Evidence, verdict: &mut Verdict) {
    let mut copies: HashMap<(&str, &str), usize> = HashMap::new();
    for (did, records) in &evidence.records {
        for (_, text) in records {
            *copies.entry((did, text)).or_default() += 1;
        }
    }
    // Records whose deletion was begun, by text.
    let deleted: HashSet<&str> =
        calls(evidence).filter(|call| call.kind == CallKind::Delete).map(|call| call.text.as_str()).collect();
    for call in calls(evidence) {
        verdict.calls += 1;
        if let Some(failure) = &call.failure {
            verdict.failed_calls += 1;
            *verdict.failures.entry(kind_of(failure)).or_default() += 1;
        }
        let took = Duration::from_millis(call.millis);
        verdict.longest_call = verdict.longest_call.max(took);
        let found = copies.get(&(call.did.as_str(), call.text.as_str())).copied().unwrap_or_default();
        let mut breach = |what: String| verdict.breaches.push(format!("{what}: {call:?}"));
        if took > LONGEST_CALL {
            breach("a call took too long".to_owned());
        }
        match (call.kind, &call.failure) {
            (CallKind::Read, None) if call.read.as_ref() != Some(&call.text) => {
                breach("something else was read".to_owned());
            }
            (CallKind::Read, Some(failure)) if failure.name.as_deref() == Some("RecordNotFound") => {
                breach("a record was not found that is there".to_owned());
            }
            (CallKind::Create, None) if found == 0 && !deleted.contains(call.text.as_str()) => {
                breach("a record was created and is not there".to_owned());
            }
            (CallKind::Create, _) if found > 1 => breach(format!("a record was created {found} times")),
            (CallKind::Delete, None) if found > 0 => breach("a record was deleted and is there".to_owned()),
            // No plan has the server say so; the call itself would be wrong.
            (_, Some(failure)) if failure.name.as_deref() == Some("InvalidRequest") => {
                breach("the server does not understand a call".to_owned());
            }
            (_, Some(failure)) if failure.kind == Failure::SIGN_IN_AGAIN && failure.ended.is_none() => {
                breach("a call says that the user must sign in, and the session has not ended".to_owned());
            }
            _ => {}
        }
    }
}

/// A refresh token is spent once, by one request at a time, and not before it is time. No plan stops a process for longer than
/// others wait for it; what they may do then is tested in `pauses.rs`.
fn judge_refreshes(evidence: &Evidence, chains: &[Chain], verdict: &mut Verdict) {
    let lifetime = Duration::from_secs(evidence.plan.token_seconds);
    for chain in chains {
        verdict.refreshes += chain.given().count() as u64;
        verdict.lost_answers +=
            chain.attempts.iter().filter(|attempt| attempt.gave && attempt.lost()).count() as u64;
        for (number, attempt) in chain.attempts.iter().enumerate() {
            for later in &chain.attempts[number + 1..] {
                let at_once = later.began < attempt.ended && later.reached && attempt.reached;
                if at_once && later.presented == attempt.presented {
                    verdict.breaches.push(format!("two refreshes at once: {attempt:?} and {later:?}"));
                }
                if attempt.gave && later.reached && later.presented == attempt.presented {
                    verdict.presented_again += 1;
                    if !attempt.lost() {
                        verdict.breaches.push(format!("a token was spent twice: {attempt:?} and {later:?}"));
                    }
                }
            }
        }
        // If their clocks differ, a process can take a fresh token of another one for an expired one, once for each.
        let others = evidence.plan.client_clocks.len().saturating_sub(1);
        let mut allowed = others;
        let mut fresh_since = chain.began;
        for attempt in chain.given() {
            // The margin is a tenth of the lifetime, and both ends count in whole seconds.
            let age = attempt.began.saturating_sub(fresh_since);
            let early = age + Duration::from_secs(2) < lifetime.mul_f64(0.9);
            let refused = evidence.actions.iter().any(|(at, action)| {
                *at + SLACK > fresh_since && *at < attempt.began + SLACK && *action == Action::ExpireTokens
            });
            if !early {
                allowed = others;
            } else if !refused && allowed > 0 {
                allowed -= 1;
            } else if !refused {
                verdict.early += 1;
                verdict.breaches.push(format!("a token was replaced after {age:?}: {attempt:?}"));
            }
            // Where in between its lifetime begins, nobody can know.
            fresh_since = attempt.began;
        }
    }
}

/// After an outage of the store, everything works again by itself. That the tokens are stored that arrived meanwhile shows in
/// that no session is lost by it.
fn judge_outages(evidence: &Evidence, chains: &[Chain], verdict: &mut Verdict) {
    let of = |wanted: Action| {
        let all = evidence.actions.iter().filter(move |(_, action)| *action == wanted);
        all.map(|(at, _)| *at)
    };
    for (away, back) in of(Action::StoreAway).zip(of(Action::StoreBack)) {
        let meanwhile = |attempt: &&Attempt| !attempt.lost() && attempt.ended > away && attempt.ended < back;
        verdict.unsaved += chains.iter().flat_map(Chain::given).filter(meanwhile).count() as u64;
        // The next outage, or the end of all calls, may come before anything can be said.
        let next = of(Action::StoreAway).find(|at| *at > back).unwrap_or(evidence.inspected);
        let works = evidence.reports.iter().any(|(at, report)| {
            *at > back
                && *at < back + AGAIN
                && matches!(report, Report::Call(CallReport { failure: None, .. }))
        });
        if next > back + AGAIN && !works {
            verdict.breaches.push(format!("no call succeeded within {AGAIN:?} after the store was back"));
        }
    }
}

/// A session ends only if the server ended it, the user signed out, or an answer was truly lost; and the client says
/// which.
fn judge_ends(evidence: &Evidence, chains: &[Chain], verdict: &mut Verdict) {
    let mut sessions: Sessions = HashMap::new();
    for (at, report) in &evidence.reports {
        if let Report::SignedIn { did, session } = report {
            verdict.sessions += 1;
            sessions.entry(did.clone()).or_default().push((*at, session.clone()));
        }
    }
    let mut ended: HashMap<&str, Duration> = HashMap::new();
    for (at, report) in &evidence.reports {
        let Report::Ended { did, session, reason } = report else { continue };
        // A client may say it to everybody who waits.
        if ended.contains_key(session.as_str()) {
            continue;
        }
        ended.insert(session, *at);
        *verdict.ended.entry(format!("{reason:?}")).or_default() += 1;
        let of_did = sessions.get(did).map(Vec::as_slice).unwrap_or_default();
        let signed_in = of_did.iter().find(|(_, id)| id == session).map(|(at, _)| *at);
        // A session that is ended while its sign-in completes is not reported.
        let signed_in = signed_in.unwrap_or(*at);
        let chain = chains.iter().rfind(|chain| chain.did == *did && chain.began < signed_in);
        let cause = if *reason == Reason::SignedOut { None } else { lost_by(chain) };
        if let Some(cause) = &cause {
            *verdict.lost_by.entry(cause.clone()).or_default() += 1;
        }
        if let Some(problem) = unjustified(evidence, did, *at, *reason, chain) {
            verdict.breaches.push(format!("{session} was ended as {reason:?}, but {problem}: {chain:#?}"));
        }
    }
    for (at, report) in &evidence.reports {
        let Report::NoSession { did } = report else { continue };
        let current = sessions.get(did).and_then(|all| all.iter().rfind(|(since, _)| *since + SLACK < *at));
        if let Some((_, session)) = current
            && ended.get(session.as_str()).is_none_or(|ended| *ended > *at + SLACK)
        {
            verdict.breaches.push(format!("{session} is gone, and nobody has ended it"));
        }
    }
    for stored in &evidence.stored {
        if let Some(when) = ended.get(stored.session.as_str()).filter(|when| **when < evidence.inspected) {
            verdict.breaches.push(format!("{} ended at {when:?} and is in the store", stored.session));
        }
    }
}

/// What took the last tokens of a session on their way.
fn lost_by(chain: Option<&Chain>) -> Option<String> {
    let last = chain?.last_given().filter(|attempt| attempt.lost())?;
    let unnamed = if last.unknown { "restart of the server" } else { "nothing that the plan did" };
    Some(last.fault.clone().unwrap_or_else(|| unnamed.to_owned()))
}

/// Why a session should not have ended for that reason.
fn unjustified(
    evidence: &Evidence,
    did: &str,
    at: Duration,
    reason: Reason,
    chain: Option<&Chain>,
) -> Option<&'static str> {
    let did_act = |wanted: Action| {
        evidence.actions.iter().any(|(when, action)| *action == wanted && *when < at + SLACK)
    };
    let Some(chain) = chain else { return Some("no sign-in was seen") };
    let last_lost = chain.last_given().is_some_and(Attempt::lost);
    let refused = chain.attempts.iter().any(|attempt| attempt.refused && !attempt.gave);
    match reason {
        Reason::SignedOut => (!did_act(Action::SignOut(did.to_owned()))).then_some("nobody signed out"),
        Reason::LostRefresh => (!last_lost && !chain.refused_in_doubt()).then_some("no answer was lost"),
        Reason::Revoked if last_lost => Some("an answer was lost before"),
        Reason::Revoked => (!refused).then_some("the server has not refused it"),
        // What differs from the server's answer may be refused by the client.
        Reason::InvalidRefresh => (!last_lost).then_some("the answer was that of the server"),
        Reason::NotFound | Reason::Other => Some("that is no reason"),
    }
}

/// The store is readable, and what is in it works.
fn judge_store(evidence: &Evidence, chains: &[Chain], verdict: &mut Verdict) {
    verdict.breaches.extend(evidence.store_problems.iter().cloned());
    for stored in &evidence.stored {
        let Some(failure) = &stored.failure else { continue };
        let chain = chains.iter().rfind(|chain| chain.did == stored.did);
        // Another process may have been faster.
        let ended_by = evidence.reports.iter().find_map(|(_, report)| match report {
            Report::Ended { session, reason, .. } if *session == stored.session => Some(*reason),
            _ => None,
        });
        if failure.ended == Some(Reason::NotFound) && ended_by.is_some() {
            continue;
        }
        let reason = failure.ended.unwrap_or(Reason::Other);
        let ended_by_server =
            evidence.actions.iter().any(|(_, action)| *action == Action::EndSessions(stored.did.clone()));
        if reason == Reason::Revoked && ended_by_server {
            continue;
        }
        if let Some(problem) = unjustified(evidence, &stored.did, Duration::MAX - SLACK, reason, chain) {
            let (session, message) = (&stored.session, &failure.message);
            verdict
                .breaches
                .push(format!("{session} is in the store and does not work: {message}; {problem}"));
        } else if reason == Reason::LostRefresh {
            *verdict.ended.entry(format!("{reason:?}")).or_default() += 1;
            if let Some(cause) = lost_by(chain) {
                *verdict.lost_by.entry(cause).or_default() += 1;
            }
        }
    }
}
