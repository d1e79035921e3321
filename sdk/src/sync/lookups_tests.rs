#![allow(clippy::unwrap_used)]
use super::*;

#[tokio::test(start_paused = true)]
async fn a_pace_allows_a_burst_and_then_so_many_a_second() {
    let now = Instant::now();
    let mut pace = Pace::new(10, now);
    let turns: Vec<_> = (0..40).map(|_| pace.turn(now).duration_since(now).as_millis()).collect();
    assert!(turns[..11].iter().all(|turn| *turn == 0), "{turns:?}");
    assert_eq!(&turns[11..14], [100, 200, 300]);
    // After a pause there is a burst again, and not a larger one.
    let later = now + Duration::from_secs(60);
    let turns: Vec<_> = (0..13).map(|_| pace.turn(later).duration_since(later).as_millis()).collect();
    assert!(turns[..11].iter().all(|turn| *turn == 0), "{turns:?}");
    assert_eq!(turns[11], 100);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_takes_no_turn_of_later_ones() {
    let now = Instant::now();
    let mut pace = Pace::new(10, now);
    assert_eq!((0..1_000).filter(|_| pace.take(now)).count(), 11);
    let later = now + Duration::from_millis(250);
    assert_eq!((0..1_000).filter(|_| pace.take(later)).count(), 2);
}
