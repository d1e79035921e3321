#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;

fn id(position: i64) -> EventId {
    EventId { position, distinguisher: 0 }
}

fn ledger(cursor: Option<i64>) -> Ledger {
    Ledger::new(Progress { cursor, beyond: BTreeSet::new() }, 0, 100)
}

fn give(ledger: &mut Ledger, position: i64) -> Ticket {
    match ledger.give(Some(id(position))) {
        Given::New(ticket) => ticket,
        Given::Known => panic!("{position} is known"),
    }
}

fn positions(ledger: &Ledger) -> Vec<i64> {
    ledger.progress().beyond.iter().map(|id| id.position).collect()
}

#[test]
fn the_cursor_moves_only_over_what_has_no_hole() {
    let mut ledger = ledger(None);
    let tickets: Vec<_> = [10, 20, 30, 40].map(|position| give(&mut ledger, position)).into();
    ledger.acknowledge(tickets[2]);
    ledger.acknowledge(tickets[1]);
    assert_eq!((ledger.progress().cursor, positions(&ledger)), (None, vec![20, 30]));
    ledger.acknowledge(tickets[0]);
    assert_eq!((ledger.progress().cursor, positions(&ledger)), (Some(30), vec![]));
    ledger.acknowledge(tickets[3]);
    assert_eq!((ledger.progress().cursor, ledger.outstanding()), (Some(40), 0));
}

#[test]
fn an_acknowledgement_counts_once() {
    let mut ledger = ledger(None);
    let (first, second) = (give(&mut ledger, 1), give(&mut ledger, 2));
    assert_eq!((ledger.acknowledge(second), ledger.acknowledge(second)), (Some(2), None));
    assert_eq!((ledger.acknowledge(first), ledger.acknowledge(first)), (Some(1), None));
    assert_eq!((ledger.acknowledge(99), ledger.epoch()), (None, 2));
}

#[test]
fn after_a_restart_only_what_was_not_acknowledged_comes_again() {
    let mut before = ledger(Some(5));
    let tickets: Vec<_> = (6..=9).map(|position| give(&mut before, position)).collect();
    before.acknowledge(tickets[0]);
    before.acknowledge(tickets[2]);
    let saved = before.progress().clone();
    assert_eq!((saved.cursor, positions(&before)), (Some(6), vec![8]));

    let mut after = Ledger::new(saved, 0, 100);
    assert_eq!(after.resume_after(), Some(6));
    let again: Vec<_> = (5..=10).filter(|&position| after.give(Some(id(position))) != Given::Known).collect();
    assert_eq!(again, [7, 9, 10]);
    // What was acknowledged before does not hold up the cursor.
    after.acknowledge(0);
    assert_eq!((after.progress().cursor, positions(&after)), (Some(7), vec![8]));
    after.acknowledge(1);
    assert_eq!((after.progress().cursor, positions(&after)), (Some(9), vec![]));
}

#[test]
fn what_is_dropped_counts_when_the_next_event_is_asked_for() {
    let mut ledger = ledger(None);
    let ticket = give(&mut ledger, 1);
    ledger.release(ticket);
    assert_eq!(ledger.progress().cursor, None);
    assert_eq!((ledger.settle(), ledger.settle()), (vec![1], vec![]));
    assert_eq!(ledger.progress().cursor, Some(1));
}

#[test]
fn there_is_room_again_when_the_first_event_is_acknowledged() {
    let mut ledger = Ledger::new(Progress::default(), 0, 2);
    let (first, second) = (give(&mut ledger, 1), give(&mut ledger, 2));
    assert!(!ledger.has_room());
    // The second is remembered as long as the first is not acknowledged, which takes room too.
    ledger.acknowledge(second);
    assert!(!ledger.has_room());
    ledger.acknowledge(first);
    assert!(ledger.has_room());
}

#[test]
fn an_event_without_a_position_holds_up_the_cursor_and_does_not_move_it() {
    let mut ledger = ledger(Some(1));
    let Given::New(notice) = ledger.give(None) else { panic!() };
    let second = give(&mut ledger, 2);
    ledger.acknowledge(second);
    assert_eq!(ledger.progress().cursor, Some(1));
    ledger.acknowledge(notice);
    assert_eq!((ledger.progress().cursor, positions(&ledger)), (Some(2), vec![]));
}

#[test]
fn an_abandoned_event_is_reported_unless_it_was_acknowledged() {
    let mut ledger = ledger(None);
    let (first, second) = (give(&mut ledger, 1), give(&mut ledger, 2));
    ledger.acknowledge(second);
    ledger.abandon(second);
    assert_eq!(ledger.abandoned(), None);
    ledger.abandon(first);
    assert_eq!(ledger.abandoned(), Some(Some(1)));
}

#[test]
fn e8_with_an_overlap_what_was_acknowledged_within_it_is_remembered() {
    let event = |position, distinguisher| EventId { position, distinguisher };
    let mut ledger = Ledger::new(Progress::default(), 10, 100);
    for (position, distinguisher) in [(100, 1), (100, 2), (105, 1), (112, 1)] {
        let Given::New(ticket) = ledger.give(Some(event(position, distinguisher))) else { panic!() };
        ledger.acknowledge(ticket);
    }
    assert_eq!(ledger.progress().cursor, Some(112));
    let mut again = Ledger::new(ledger.progress().clone(), 10, 100);
    assert_eq!(again.resume_after(), Some(102));
    // The stream begins a little before the cursor, and has an event that came late.
    let new: Vec<_> = [(103, 7), (105, 1), (112, 1), (112, 2), (113, 1)]
        .into_iter()
        .filter(|&(position, distinguisher)| again.give(Some(event(position, distinguisher))) != Given::Known)
        .collect();
    assert_eq!(new, [(103, 7), (112, 2), (113, 1)]);
}

/// A consumer that works on several events at once and is killed at any time.
#[test]
fn any_order_of_acknowledgements_and_kills_loses_and_repeats_nothing() {
    for seed in 0..300_u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut acknowledged = BTreeSet::new();
        let mut saved = Progress::default();
        while acknowledged.len() < 60 {
            let mut ledger = Ledger::new(saved.clone(), 0, 8);
            let mut open = Vec::new();
            let mut next = ledger.resume_after().unwrap_or(0) + 1;
            // Until the process is killed.
            for _ in 0..random(60) {
                if ledger.has_room() && random(2) == 0 && next <= 60 {
                    match ledger.give(Some(id(next))) {
                        Given::New(ticket) => {
                            assert!(!acknowledged.contains(&next), "seed {seed}: {next} comes again");
                            open.push((next, ticket));
                        }
                        Given::Known => assert!(acknowledged.contains(&next), "seed {seed}: {next} is lost"),
                    }
                    next += 1;
                } else if !open.is_empty() {
                    let (position, ticket) = open.swap_remove(random(open.len() as u64) as usize);
                    ledger.acknowledge(ticket);
                    acknowledged.insert(position);
                    saved = ledger.progress().clone();
                }
            }
        }
    }
}
