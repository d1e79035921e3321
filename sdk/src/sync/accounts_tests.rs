#![allow(clippy::unwrap_used)]
use super::*;
use crate::types::Cid;

fn did(number: usize) -> Did {
    Did::new(format!("did:web:host{number}.example.com")).unwrap()
}

fn changed(account: &mut Account, number: u64) {
    let rev = Tid::from_parts(number, 0);
    account.change(|state| state.head = Some(RepoHead::new(rev, Cid::of_cbor(b"x"))));
}

#[test]
fn what_is_not_saved_is_not_forgotten() {
    let mut accounts = Accounts::new(20);
    for number in 0..10 {
        accounts.with(&did(number), |account| changed(account, 1));
    }
    assert!(accounts.is_full());
    accounts.entry(&did(500)).is_busy = true;
    for number in 1000..1200 {
        accounts.entry(&did(number));
        assert!(accounts.len() <= 20, "{}", accounts.len());
    }
    assert!(accounts.entry(&did(500)).is_busy);
    let unsaved = accounts.unsaved();
    assert_eq!(unsaved.len(), 10);
    for (did, _, changes) in unsaved {
        accounts.saved(&did, changes);
    }
    assert!(!accounts.is_full() && accounts.unsaved().is_empty());
}

#[test]
fn what_changes_while_it_is_saved_is_saved_again() {
    let mut accounts = Accounts::new(20);
    accounts.with(&did(1), |account| changed(account, 1));
    let unsaved = accounts.unsaved();
    accounts.with(&did(1), |account| changed(account, 2));
    accounts.saved(&did(1), unsaved[0].2);
    assert_eq!(accounts.unsaved()[0].1.head.as_ref().unwrap().rev, Tid::from_parts(2, 0));
}

#[test]
fn failures_of_look_ups_are_believed_longer_each_time_within_limits() {
    assert_eq!(failure_pause(false, 1), limits::SIGNER_FAILED);
    assert_eq!(failure_pause(true, 3), limits::SIGNER_RETRY * 4);
    assert_eq!(failure_pause(false, 99), limits::LONGEST_SIGNER_FAILED);
}
