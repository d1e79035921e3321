#![allow(clippy::unwrap_used)]
use super::*;

fn rev(micros: u64) -> Tid {
    Tid::from_parts(1_700_000_000_000_000 + micros, 0)
}

fn data(number: u8) -> Cid {
    Cid::of_cbor(&[number])
}

/// Position 10, revision 10, tree 10.
fn known() -> RepoHead {
    RepoHead { seq: Some(10), ..RepoHead::new(rev(10), data(10)) }
}

fn commit(since: u64, prev: u8, to: u64, seq: i64) -> Verdict {
    on(Some(&known()), None, since, prev, to, seq)
}

fn on(known: Option<&RepoHead>, again: Option<u64>, since: u64, prev: u8, to: u64, seq: i64) -> Verdict {
    let (since, prev, to, tree) = (rev(since), data(prev), rev(to), data(99));
    let link = Link::Operations { since: Some(&since), prev_data: &prev };
    judge(known, again.map(rev).as_ref(), &Claim { rev: &to, data: &tree, link, seq: Some(seq) })
}

fn state(known: Option<&RepoHead>, to: u64, tree: u8, seq: i64) -> Verdict {
    let (to, tree) = (rev(to), data(tree));
    judge(known, None, &Claim { rev: &to, data: &tree, link: Link::State, seq: Some(seq) })
}

#[test]
fn e10_a_commit_must_continue_the_last_known_one_in_revision_and_tree() {
    assert_eq!(commit(10, 10, 11, 11), Verdict::Next);
    assert_eq!(commit(9, 10, 11, 11), Verdict::Gap, "another `since`");
    assert_eq!(commit(10, 9, 11, 11), Verdict::Gap, "another `prevData`");
    assert_eq!(commit(12, 12, 13, 11), Verdict::Gap);
}

#[test]
fn e10_a_first_commit_in_the_place_of_a_later_one_is_a_gap() {
    let (to, tree, empty) = (rev(11), data(11), data(0));
    let link = Link::Operations { since: None, prev_data: &empty };
    let claim = Claim { rev: &to, data: &tree, link, seq: Some(11) };
    assert_eq!(judge(Some(&known()), None, &claim), Verdict::Gap);
    assert_eq!(judge(None, None, &claim), Verdict::Next, "nothing is missing before it");
}

#[test]
fn e10_revisions_that_are_not_newer_are_old_wherever_they_come() {
    for (since, to) in [(10, 10), (9, 10), (8, 9), (10, 1)] {
        assert_eq!(commit(since, 10, to, 11), Verdict::Old, "{to}");
    }
    assert_eq!(state(Some(&known()), 10, 10, 11), Verdict::Old);
    assert_eq!(state(Some(&known()), 10, 77, 11), Verdict::Old, "the same revision with another tree");
    assert_eq!(state(Some(&known()), 9, 77, 11), Verdict::Old);
}

#[test]
fn e10_a_new_state_is_a_gap_unless_the_tree_is_the_same() {
    assert_eq!(state(Some(&known()), 11, 10, 11), Verdict::Unchanged);
    assert_eq!(state(Some(&known()), 11, 11, 11), Verdict::Gap);
    assert_eq!(state(None, 11, 11, 11), Verdict::First);
}

#[test]
fn the_first_event_of_an_unknown_repository_has_no_history() {
    assert_eq!(on(None, None, 1, 1, 2, 5), Verdict::First);
}

#[test]
fn e5_what_led_to_the_known_state_and_comes_again_is_given_again_once_and_in_order() {
    let known = known();
    assert_eq!(on(Some(&known), None, 7, 7, 8, 8), Verdict::Again);
    assert_eq!(on(Some(&known), Some(8), 7, 7, 8, 8), Verdict::Old);
    assert_eq!(on(Some(&known), Some(8), 8, 8, 9, 9), Verdict::Again);
    assert_eq!(on(Some(&known), Some(9), 9, 9, 10, 10), Verdict::Again);
    assert_eq!(on(Some(&known), Some(10), 10, 10, 11, 11), Verdict::Next);
    let without = RepoHead { seq: None, ..known };
    assert_eq!(on(Some(&without), None, 7, 7, 8, 8), Verdict::Old);
}

#[test]
fn e5_a_gap_whose_event_comes_again_is_a_gap_again() {
    let gap = RepoHead { beginning: Some(Beginning { seq: 9, is_gap: true }), ..known() };
    assert_eq!(on(Some(&gap), None, 8, 8, 9, 9), Verdict::Gap);
    assert_eq!(on(Some(&gap), Some(9), 8, 8, 9, 9), Verdict::Old, "it was told");
    let first = RepoHead { beginning: Some(Beginning { seq: 9, is_gap: false }), ..known() };
    assert_eq!(on(Some(&first), None, 8, 8, 9, 9), Verdict::First);
}

#[test]
fn the_state_after_an_event_never_goes_back() {
    let after = |verdict, to: u64, seq: i64| {
        let (to, tree) = (rev(to), data(99));
        advance(Some(&known()), verdict, &Claim { rev: &to, data: &tree, link: Link::State, seq: Some(seq) })
    };
    let next = after(Verdict::Next, 11, 11);
    assert_eq!((next.rev, next.data, next.seq, next.beginning), (rev(11), data(99), Some(11), None));
    let again = after(Verdict::Again, 8, 8);
    assert_eq!((again.rev, again.data, again.seq), (rev(10), data(10), Some(10)));
    let gap = after(Verdict::Gap, 12, 12);
    assert_eq!(gap.beginning, Some(Beginning { seq: 12, is_gap: true }));
}

/// A host that drops, repeats and exchanges the events of a repository: what is accepted as `Next` is always the true chain.
#[test]
fn e10_whatever_a_host_does_with_the_events_only_the_true_chain_is_accepted_as_one() {
    for seed in 0..400_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = move |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let mut head: Option<RepoHead> = None;
        let (mut true_rev, mut gaps) = (1, 0);
        for seq in 1..60 {
            // Mostly the next event, sometimes an older or a later one.
            let at = match below(6) {
                0 => below(true_rev) + 1,
                1 => true_rev + below(3),
                _ => true_rev,
            };
            let (since, prev, to, tree) =
                (rev(at), data(u8::try_from(at).unwrap()), rev(at + 1), data(u8::try_from(at + 1).unwrap()));
            let link = Link::Operations { since: Some(&since), prev_data: &prev };
            let claim = Claim { rev: &to, data: &tree, link, seq: Some(seq) };
            let verdict = judge(head.as_ref(), None, &claim);
            match verdict {
                Verdict::Next => assert_eq!(head.as_ref().unwrap().rev, since, "seed {seed}"),
                Verdict::Gap => gaps += 1,
                Verdict::Old => assert!(head.as_ref().unwrap().rev >= to, "seed {seed}"),
                Verdict::First => assert_eq!(head, None),
                Verdict::Again | Verdict::Unchanged => panic!("seed {seed}: {verdict:?}"),
            }
            if verdict != Verdict::Old {
                head = Some(advance(head.as_ref(), verdict, &claim));
                true_rev = at + 1;
            }
        }
        assert!(gaps < 60);
    }
}

#[test]
fn a_revision_of_the_future_is_seen_beyond_what_clocks_may_differ() {
    let now = Duration::from_micros(1_700_000_000_000_000);
    let allowed = Duration::from_secs(300);
    assert!(!is_future(&rev(0), now, allowed));
    assert!(!is_future(&rev(300_000_000), now, allowed));
    assert!(is_future(&rev(300_000_001), now, allowed));
}
