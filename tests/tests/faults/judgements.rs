//! The judge sees what must never happen, and nothing in what may.

use std::{collections::HashMap, time::Duration};

use tests::faults::{Delivered, Exchange, Fingerprint, Given, Grant, Plan, TokenExchange};

use crate::{
    judge::{Verdict, judge},
    protocol::{CallKind, CallReport, Failure, Reason, Report},
    run::{Action, Evidence, Stored},
};

const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const SESSION: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz#one";

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A token request, which was answered with other tokens unless `given` is absent.
fn token(seconds: u64, presented: Option<&str>, given: Option<&str>) -> Exchange {
    let grant = presented.map_or(Grant::Code, |token| Grant::Refresh(Fingerprint::of(token)));
    let given = given.map(|token| Given { sub: DID.to_owned(), refresh: Fingerprint::of(token) });
    let status = if given.is_some() { 200 } else { 400 };
    let error = given.is_none().then(|| "invalid_grant".to_owned());
    Exchange {
        began: at(seconds),
        ended: at(seconds) + Duration::from_millis(20),
        method: "POST".to_owned(),
        path: "/oauth/token".to_owned(),
        fault: None,
        server: vec![status],
        unanswered: false,
        told: Some(status),
        delivered: Delivered::Whole,
        token: Some(TokenExchange { grant, given, error }),
    }
}

fn lost(exchange: Exchange) -> Exchange {
    Exchange { fault: Some("lost".to_owned()), told: None, delivered: Delivered::Lost, ..exchange }
}

fn call(kind: CallKind, text: &str, read: Option<&str>, failure: Option<Failure>) -> Report {
    Report::Call(CallReport {
        did: DID.to_owned(),
        kind,
        rkey: Some(text.to_owned()),
        text: text.to_owned(),
        read: read.map(str::to_owned),
        failure,
        millis: 10,
    })
}

fn failure(kind: &str, name: Option<&str>) -> Failure {
    let name = name.map(str::to_owned);
    Failure { kind: kind.to_owned(), ended: None, name, message: "it failed".to_owned() }
}

fn ended(seconds: u64, reason: Reason) -> (Duration, Report) {
    (at(seconds), Report::Ended { did: DID.to_owned(), session: SESSION.to_owned(), reason })
}

/// A sign-in, two refreshes in time, and a record.
fn good() -> Evidence {
    let signed_in = Report::SignedIn { did: DID.to_owned(), session: SESSION.to_owned() };
    Evidence {
        plan: Plan::named("transport").unwrap(),
        store: "memory".to_owned(),
        exchanges: vec![
            token(1, None, Some("r1")),
            token(6, Some("r1"), Some("r2")),
            token(11, Some("r2"), Some("r3")),
        ],
        reports: vec![
            (at(2), signed_in),
            (at(3), call(CallKind::Create, "a", None, None)),
            (at(4), call(CallKind::Read, "a", Some("a"), None)),
        ],
        actions: Vec::new(),
        injected: HashMap::new(),
        stored: vec![Stored { did: DID.to_owned(), session: SESSION.to_owned(), failure: None }],
        inspected: at(20),
        store_problems: Vec::new(),
        records: [(DID.to_owned(), vec![("a".to_owned(), "a".to_owned())])].into(),
        samples: Vec::new(),
        no_sign_in: None,
        hanging: false,
        took: at(20),
    }
}

/// The verdict on a run that differs from a good one.
fn judged(change: impl FnOnce(&mut Evidence)) -> Verdict {
    let mut evidence = good();
    change(&mut evidence);
    judge(&evidence)
}

#[track_caller]
fn is_breach(part: &str, change: impl FnOnce(&mut Evidence)) {
    let breaches = judged(change).breaches;
    assert!(breaches.iter().any(|breach| breach.contains(part)), "{part}: {breaches:#?}");
}

#[test]
fn a_good_run_is_good() {
    let verdict = judged(|_| {});
    assert_eq!(verdict.breaches, Vec::<String>::new());
    assert_eq!((verdict.calls, verdict.sessions, verdict.refreshes, verdict.lost_answers), (2, 1, 2, 0));
}

#[test]
fn wrong_results_of_calls_are_breaches() {
    let report = |report: Report| move |it: &mut Evidence| it.reports.push((at(5), report));
    is_breach("something else was read", report(call(CallKind::Read, "a", Some("b"), None)));
    let missing = failure("invalid-input", Some("RecordNotFound"));
    is_breach("was not found", report(call(CallKind::Read, "a", None, Some(missing))));
    is_breach("is not there", report(call(CallKind::Create, "b", None, None)));
    is_breach("was deleted and is there", report(call(CallKind::Delete, "a", None, None)));
    let sign_in = failure(Failure::SIGN_IN_AGAIN, None);
    is_breach("has not ended", report(call(CallKind::Read, "a", None, Some(sign_in))));
    let invalid = failure("invalid-input", Some("InvalidRequest"));
    is_breach("does not understand", report(call(CallKind::Create, "c", None, Some(invalid))));
    is_breach("created 2 times", |it| {
        it.records.get_mut(DID).unwrap().push(("other".to_owned(), "a".to_owned()));
    });
    is_breach("come to an end", |it| it.hanging = true);
    is_breach("could sign in", |it| it.no_sign_in = Some("the proof was refused".to_owned()));
    // What failed for now may have been written or not.
    let later = failure("try-later", None);
    let verdict = judged(report(call(CallKind::Create, "c", None, Some(later))));
    assert_eq!((verdict.breaches.len(), verdict.failed_calls), (0, 1));
}

#[test]
fn o25_a_token_that_is_spent_twice_or_early_is_a_breach() {
    is_breach("spent twice", |it| it.exchanges.push(token(16, Some("r2"), None)));
    is_breach("at once", |it| {
        let mut first = token(16, Some("r3"), None);
        first.ended = at(18);
        it.exchanges.extend([first, token(17, Some("r3"), Some("r4"))]);
    });
    is_breach("was replaced after", |it| it.exchanges.push(token(12, Some("r3"), Some("r4"))));
    let told = judged(|it| {
        it.actions.push((at(11), Action::ExpireTokens));
        it.exchanges.push(token(12, Some("r3"), Some("r4")));
    });
    assert_eq!(told.breaches, Vec::<String>::new());
    // After a lost answer there is nothing to lose.
    let again = judged(|it| {
        let last = it.exchanges.len() - 1;
        it.exchanges[last] = lost(it.exchanges[last].clone());
        it.exchanges.push(token(16, Some("r2"), None));
        it.reports.push(ended(17, Reason::LostRefresh));
        it.stored.clear();
    });
    assert_eq!(again.breaches, Vec::<String>::new());
    assert_eq!((again.lost_answers, again.presented_again, again.lost_by["lost"]), (1, 1, 1));
}

#[test]
fn o28_a_session_that_ends_without_its_cause_is_a_breach() {
    let end = |reason| {
        move |it: &mut Evidence| {
            it.reports.push(ended(12, reason));
            it.stored.clear();
        }
    };
    is_breach("no answer was lost", end(Reason::LostRefresh));
    is_breach("has not refused", end(Reason::Revoked));
    is_breach("nobody signed out", end(Reason::SignedOut));
    is_breach("was that of the server", end(Reason::InvalidRefresh));
    is_breach("an answer was lost before", |it| {
        it.exchanges.push(lost(token(16, Some("r3"), Some("r4"))));
        it.exchanges.push(token(17, Some("r3"), None));
        it.reports.push(ended(18, Reason::Revoked));
        it.stored.clear();
    });
    is_breach("nobody has ended it", |it| {
        it.reports.push((at(12), Report::NoSession { did: DID.to_owned() }));
    });
    let refused = judged(|it| {
        it.exchanges.push(token(16, Some("r3"), None));
        it.reports.push(ended(17, Reason::Revoked));
        it.stored.clear();
    });
    assert_eq!(refused.breaches, Vec::<String>::new());
    // The server is told to end it while it answers something else.
    let unclear = judged(|it| {
        let first = token(16, Some("r3"), None);
        it.exchanges.push(Exchange { told: Some(500), server: vec![500], ..first });
        it.exchanges.push(token(17, Some("r3"), None));
        it.reports.push(ended(18, Reason::LostRefresh));
        it.stored.clear();
    });
    assert_eq!(unclear.breaches, Vec::<String>::new());
    let signed_out = judged(|it| {
        it.actions.push((at(15), Action::SignOut(DID.to_owned())));
        it.reports.push(ended(16, Reason::SignedOut));
        it.stored.clear();
    });
    assert_eq!(signed_out.breaches, Vec::<String>::new());
}

#[test]
fn o25_what_does_not_recover_from_an_outage_of_the_store_is_a_breach() {
    let outage = |it: &mut Evidence| {
        it.actions.extend([(at(5), Action::StoreAway), (at(8), Action::StoreBack)]);
    };
    is_breach("after the store was back", outage);
    let recovered = judged(|it| {
        outage(it);
        it.reports.push((at(12), call(CallKind::Read, "a", Some("a"), None)));
    });
    assert_eq!((recovered.breaches, recovered.unsaved), (Vec::<String>::new(), 1));
    // The run ends before anything can be said.
    let short = judged(|it| {
        outage(it);
        it.inspected = at(14);
    });
    assert_eq!(short.breaches, Vec::<String>::new());
}

#[test]
fn what_stays_in_the_store_must_work() {
    is_breach("is in the store", |it| {
        it.exchanges.push(token(16, Some("r3"), None));
        it.reports.push(ended(17, Reason::Revoked));
    });
    is_breach("does not work", |it| it.stored[0].failure = Some(failure("try-later", None)));
    is_breach("not JSON", |it| it.store_problems.push("session/x is not JSON".to_owned()));
}
