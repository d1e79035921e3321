#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{
    super::{
        Acknowledgement, EventId,
        flaky::{Flaky, Outcome},
        ledger::Ledger,
    },
    *,
};
use crate::store::MemoryStore;

const INTERVAL: Duration = Duration::from_secs(1);

fn stream() -> StreamName {
    StreamName { server: "https://pds.example".into(), subscription: "com.example.watch".into() }
}

struct Consumer {
    acknowledgements: Acknowledgements,
    keeper: Keeper,
    reports: Arc<AtomicUsize>,
}

impl Consumer {
    async fn start(store: &Arc<Flaky>) -> Self {
        let store: Arc<dyn Store> = Arc::<Flaky>::clone(store);
        let mut place = Place::new(store, "indexer").unwrap();
        let progress = place.load(&stream()).await.unwrap();
        let acknowledgements = Acknowledgements::new(Ledger::new(progress, 0, 100), false);
        let reports = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reports);
        let report: Report = Box::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let keeper = Keeper::start(acknowledgements.clone(), place, stream(), INTERVAL, report, None);
        Self { acknowledgements, keeper, reports }
    }

    fn give(&self, position: i64) -> Acknowledgement {
        self.acknowledgements.give(Some(EventId { position, distinguisher: 0 })).unwrap()
    }
}

async fn cursor(store: &Arc<Flaky>) -> Option<i64> {
    let store: Arc<dyn Store> = Arc::<Flaky>::clone(store);
    Place::new(store, "indexer").unwrap().load(&stream()).await.unwrap().cursor
}

#[tokio::test(start_paused = true)]
async fn the_cursor_is_saved_at_an_interval_and_at_the_end() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    for position in 1..=500 {
        consumer.give(position).ack();
    }
    tokio::time::sleep(INTERVAL / 2).await;
    assert_eq!(cursor(&store).await, None);
    tokio::time::sleep(INTERVAL).await;
    assert_eq!((cursor(&store).await, store.writes.load(Ordering::SeqCst)), (Some(500), 1));
    tokio::time::sleep(INTERVAL * 100).await;
    assert_eq!(store.writes.load(Ordering::SeqCst), 1, "nothing has changed");

    consumer.give(501).ack();
    consumer.keeper.end().await.unwrap();
    assert_eq!(cursor(&store).await, Some(501));
}

#[tokio::test(start_paused = true)]
async fn what_has_been_saved_survives_a_kill_and_concurrent_saves_share_a_write() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    let given: Vec<_> = (1..=50).map(|position| consumer.give(position)).collect();
    let saved = given.into_iter().map(Acknowledgement::ack_saved);
    futures_util::future::try_join_all(saved).await.unwrap();
    let open = consumer.give(51);
    consumer.give(52).ack_saved().await.unwrap();
    assert!(store.writes.load(Ordering::SeqCst) <= 3);
    // As if the process were killed.
    consumer.keeper.task.abort();
    std::mem::forget(open);

    let next = Consumer::start(&store).await;
    assert_eq!(next.acknowledgements.resume_after(), Some(50));
    let known = |position| next.acknowledgements.give(Some(EventId { position, distinguisher: 0 })).is_none();
    assert_eq!([50, 51, 52, 53].map(known), [true, false, true, false]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_is_tried_again() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    *store.next.lock().unwrap() = vec![Outcome::Fails, Outcome::Fails, Outcome::Fails];
    consumer.give(1).ack_saved().await.unwrap();
    assert_eq!((cursor(&store).await, consumer.reports.load(Ordering::SeqCst)), (Some(1), 3));
}

#[tokio::test(start_paused = true)]
async fn whoever_waited_while_the_store_was_away_makes_no_later_save_earlier() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    *store.next.lock().unwrap() = vec![Outcome::Fails];
    let first = consumer.give(1).ack_saved();
    let second = async {
        while consumer.reports.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        consumer.give(2).ack_saved().await
    };
    let (first, second) = tokio::join!(first, second);
    first.unwrap();
    second.unwrap();
    consumer.give(3).ack();
    tokio::time::sleep(INTERVAL / 2).await;
    assert_eq!(cursor(&store).await, Some(2));
    tokio::time::sleep(INTERVAL).await;
    assert_eq!(cursor(&store).await, Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_not_taken_for_that_of_another_consumer() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    *store.next.lock().unwrap() = vec![Outcome::IsLost];
    consumer.give(1).ack_saved().await.unwrap();
    consumer.give(2).ack_saved().await.unwrap();
    assert_eq!(cursor(&store).await, Some(2));
    consumer.keeper.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_second_consumer_of_a_name_is_told() {
    let store = Arc::new(Flaky::default());
    let (first, second) = (Consumer::start(&store).await, Consumer::start(&store).await);
    first.give(1).ack_saved().await.unwrap();
    let error = second.give(1).ack_saved().await.unwrap_err();
    assert!(matches!(error, CursorError::Taken { .. }), "{error}");
    assert!(matches!(second.acknowledgements.problem(), Some(CursorError::Taken { .. })));
    assert!(matches!(second.keeper.end().await, Err(CursorError::Taken { .. })));
    first.give(2).ack_saved().await.unwrap();
    first.keeper.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn after_the_end_an_acknowledgement_is_refused() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    let late = consumer.give(1);
    consumer.keeper.end().await.unwrap();
    assert!(matches!(late.ack_saved().await, Err(CursorError::Ended)));
    assert_eq!(cursor(&store).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_consumer_that_is_dropped_saves_what_was_acknowledged() {
    let store = Arc::new(Flaky::default());
    let consumer = Consumer::start(&store).await;
    consumer.give(1).ack();
    drop(consumer);
    tokio::time::sleep(INTERVAL).await;
    assert_eq!(cursor(&store).await, Some(1));
}

#[tokio::test]
async fn a_foreign_entry_is_refused_and_not_changed() {
    let store = Arc::new(Flaky::default());
    let key = "cursor:indexer";
    store.put(key, b"something else", None, Expected::Any).await.unwrap();
    let as_store: Arc<dyn Store> = Arc::<Flaky>::clone(&store);
    let mut place = Place::new(as_store, "indexer").unwrap();
    assert!(matches!(place.load(&stream()).await, Err(CursorError::Format { .. })));
    assert_eq!(**store.get(key).await.unwrap().unwrap().value, *b"something else");
}

#[test]
fn names_of_cursors_are_checked() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    for name in ["", "a b", "ä", "a/b", &"x".repeat(201)] {
        let error = Place::new(Arc::clone(&store), name).map(drop).unwrap_err();
        assert!(matches!(error, CursorError::Name { .. }), "{name}");
    }
    assert!(Place::new(store, "indexer-2.posts:v1_x").is_ok());
}
