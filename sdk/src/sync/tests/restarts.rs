//! Consumers that end and begin again: states, and acknowledgements.

use std::time::Duration;

use super::{super::*, world::*};
use crate::{
    store::{MemoryStore, Store},
    stream::cursor_tests::{Acknowledgements, EventId, Ledger, Progress},
    sync::{MemoryStates, Repair, StoredStates, VerifierBuilder},
};

#[tokio::test]
async fn e5_the_chain_goes_on_after_a_restart() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let states = Arc::new(StoredStates::shared(store));
    let mut before = Stream::kept(&net, &states);
    before.one(commit(&alice.write(1))).await;
    before.one(status(&alice.did, false)).await;
    before.core.stop().await.unwrap();

    let mut after = Stream::kept(&net, &states);
    after.seq = 2;
    assert!(matches!(refusal(after.one(commit(&alice.write(1))).await), Refusal::Inactive { .. }));
    after.one(status(&alice.did, true)).await;
    assert_eq!(name(&after.one(commit(&alice.write(1))).await), "gap", "one was refused");
    assert_eq!(name(&after.one(commit(&alice.write(1))).await), "commit");
}

/// The state is saved, but the events were not acknowledged.
#[tokio::test]
async fn e5_events_that_were_not_acknowledged_come_again_although_their_states_are_known() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let states = Arc::new(MemoryStates::new());
    let signed: Vec<_> = (0..4).map(|_| alice.write(1)).collect();
    let mut before = Stream::kept(&net, &states);
    for signed in &signed {
        before.one(commit(signed)).await;
    }
    before.core.stop().await.unwrap();

    // The cursor is behind the first one.
    let mut after = Stream::kept(&net, &states);
    after.seq = 1;
    for signed in &signed[1..] {
        assert_eq!(name(&after.one(commit(signed)).await), "commit");
    }
    assert_eq!(name(&after.one(commit(&alice.write(1))).await), "commit");
    // Under a new position, they are old.
    for signed in &signed {
        assert!(after.give(commit(signed)).await.is_empty());
    }
}

#[tokio::test]
async fn e5_a_repair_that_was_not_acknowledged_is_made_again() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let states = Arc::new(MemoryStates::new());
    let with = |verifier: VerifierBuilder| verifier.states(Arc::clone(&states)).repair(Repair::fetch());
    let mut before = Stream::with(&net, with);
    before.one(commit(&alice.write(1))).await;
    alice.write(1);
    let trigger = alice.write(1);
    net.host(&alice);
    assert_eq!(name(&before.one(commit(&trigger)).await), "resynced");
    let next = alice.write(1);
    assert_eq!(name(&before.one(commit(&next)).await), "commit");
    before.core.stop().await.unwrap();

    net.host(&alice);
    let mut after = Stream::with(&net, with);
    after.seq = 1;
    assert_eq!(name(&after.one(commit(&trigger)).await), "resynced");
    // It is part of what was fetched.
    assert!(after.give(commit(&next)).await.is_empty());
    assert_eq!(name(&after.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn positions_of_another_server_say_nothing() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let states = Arc::new(MemoryStates::new());
    let mut before = Stream::kept(&net, &states);
    before.seq = 1_000_000;
    let signed = alice.write(1);
    before.one(commit(&signed)).await;
    before.one(status(&alice.did, false)).await;
    before.core.stop().await.unwrap();

    let network: Arc<dyn crate::sync::network::Network> = Arc::<Net>::clone(&net);
    let verifier = Verifier::over(network).states(Arc::clone(&states)).build();
    let mut after = Stream::over(verifier, "https://other.example.com");
    assert!(after.give(commit(&signed)).await.is_empty(), "it is old");
    assert_eq!(name(&after.one(commit(&alice.write(1))).await), "commit");
}

/// A server that counts anew, which each run may see first.
#[tokio::test]
async fn positions_of_an_earlier_life_of_the_cursor_say_nothing() {
    let (net, mut alice, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    net.host(&alice);
    net.host(&bob);
    let states = Arc::new(MemoryStates::new());
    let of_life = |life| {
        let network: Arc<dyn crate::sync::network::Network> = Arc::<Net>::clone(&net);
        let verifier = Verifier::over(network).states(Arc::clone(&states)).build();
        Stream::of_life(verifier, "https://relay.example.com", life)
    };
    let mut before = of_life(7);
    before.seq = 1_000_000;
    let both = [alice.write(1), bob.write(1)];
    for (signed, did) in both.iter().zip([&alice.did, &bob.did]) {
        before.one(commit(signed)).await;
        before.one(status(did, false)).await;
    }
    before.core.stop().await.unwrap();

    for (writer, signed) in [&mut alice, &mut bob].into_iter().zip(&both) {
        // Each in a process of its own, of which the second one finds the cursor of the first one.
        let mut after = of_life(8);
        assert!(after.give(commit(signed)).await.is_empty(), "it is old, and does not come again");
        // What the host has said of the account counts until it says something else.
        let new = writer.write(1);
        assert!(matches!(refusal(after.one(commit(&new)).await), Refusal::Inactive { .. }));
        after.one(status(&writer.did, true)).await;
        assert_eq!(name(&after.one(commit(&new)).await), "commit");
        after.core.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn states_that_cannot_be_read_end_the_stream() {
    struct Broken;
    impl crate::sync::RepoStates for Broken {
        fn load<'a>(
            &'a self,
            _: &'a Did,
        ) -> crate::xrpc::BoxFuture<'a, Result<Option<crate::sync::RepoState>, StoreError>> {
            Box::pin(std::future::ready(Err(StoreError::backend(std::io::Error::other("gone")))))
        }
        fn save<'a>(
            &'a self,
            _: &'a [(Did, crate::sync::RepoState)],
        ) -> crate::xrpc::BoxFuture<'a, Result<(), StoreError>> {
            Box::pin(std::future::ready(Ok(())))
        }
    }
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    let mut stream = Stream::with(&net, |verifier| verifier.states(Broken));
    stream.send(commit(&alice.write(1)));
    let failed = std::future::poll_fn(|cx| stream.core.poll_output(cx)).await;
    let Err(VerifiedStreamError::States { did, source }) = failed else { panic!() };
    assert!(matches!(source, StoreError::Backend { .. }) && did == alice.did);
}

/// Only somebody who looks at it can say what it was.
#[tokio::test(start_paused = true)]
async fn a_damaged_state_ends_the_stream_at_once_and_stays_as_it_is() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let key = format!("repo:{}", alice.did);
    store.put(&key, br#"{"v":1,"head":{"#, None, crate::store::Expected::Any).await.unwrap();
    let states = Arc::new(StoredStates::shared(Arc::clone(&store)));
    let mut stream = Stream::kept(&net, &states);
    let begun = tokio::time::Instant::now();
    for _ in 0..3 {
        stream.send(commit(&alice.write(1)));
    }
    stream.send(status(&alice.did, false));
    let failed = std::future::poll_fn(|cx| stream.core.poll_output(cx)).await;
    assert!(failed.is_err());
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    stream.core.give_up();
    stream.core.stop().await.unwrap();
    assert_eq!(&**store.get(&key).await.unwrap().unwrap().value, br#"{"v":1,"head":{"#);
}

/// Implementations of users may panic: then nothing is saved, and it is tried again.
#[tokio::test(start_paused = true)]
async fn states_whose_saving_panics_are_not_taken_for_saved() {
    #[derive(Default)]
    struct Panicking(MemoryStates, std::sync::atomic::AtomicUsize);
    impl crate::sync::RepoStates for Panicking {
        fn load<'a>(
            &'a self,
            did: &'a Did,
        ) -> crate::xrpc::BoxFuture<'a, Result<Option<crate::sync::RepoState>, StoreError>> {
            self.0.load(did)
        }
        fn save<'a>(
            &'a self,
            states: &'a [(Did, crate::sync::RepoState)],
        ) -> crate::xrpc::BoxFuture<'a, Result<(), StoreError>> {
            let times = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert!(times > 2, "a mistake before the future");
            Box::pin(async move {
                assert!(times > 5, "a mistake in the future");
                self.0.save(states).await
            })
        }
    }
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let states = Arc::new(Panicking::default());
    let mut stream = Stream::kept(&net, &states);
    stream.one(commit(&alice.write(1))).await;
    let saver = stream.core.saver().clone();
    assert!(saver.save().await.is_err() && states.0.is_empty());
    while states.0.is_empty() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    saver.save().await.unwrap();
    drop(saver);
    stream.core.stop().await.unwrap();
    assert_eq!(states.0.len(), 1);
}

/// A ledger, and a stream whose events are in it.
pub(super) struct Acknowledged {
    all: Acknowledgements,
    pub(super) stream: Stream,
}

impl Acknowledged {
    pub(super) fn new(net: &Arc<Net>, set: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Self {
        let all = Acknowledgements::new(Ledger::new(Progress::default(), 0, 1_000), false);
        let mut stream = Stream::with(net, set);
        stream.beside = Some(all.clone());
        Self { all, stream }
    }

    pub(super) fn send(&mut self, message: Message) {
        let mut raw = self.stream.raw(message);
        let id = EventId { position: raw.seq.unwrap(), distinguisher: 0 };
        raw.acknowledgement = self.all.give(Some(id)).unwrap().explicit();
        self.stream.core.accept(raw);
    }

    pub(super) fn outstanding(&self) -> usize {
        self.all.settle();
        self.all.outstanding()
    }
}

#[tokio::test]
async fn an_event_counts_when_the_consumer_has_acknowledged_it_and_an_old_one_by_itself() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Acknowledged::new(&net, |verifier| verifier);
    let signed = [(); 2].map(|()| alice.write(1));
    for signed in [&signed[0], &signed[1], &signed[0]] {
        stream.send(commit(signed));
    }
    let first = stream.stream.next().await.unwrap();
    let second = stream.stream.next().await.unwrap();
    assert!(stream.stream.next().await.is_none());
    assert_eq!(stream.outstanding(), 2);
    second.acknowledgement.ack();
    assert_eq!(stream.outstanding(), 1);
    // Dropping it is the same, as in every stream.
    drop(first.acknowledgement.for_consumer());
    assert_eq!(stream.outstanding(), 0);
}

#[tokio::test]
async fn what_was_not_given_does_not_count_when_the_stream_ends() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    net.look.forget_permits(1 << 20);
    let mut stream = Acknowledged::new(&net, |verifier| verifier);
    for _ in 0..10 {
        let signed = alice.write(1);
        stream.send(commit(&signed));
    }
    stream.stream.core.give_up();
    tokio::task::yield_now().await;
    assert_eq!(stream.outstanding(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_acknowledgement_of_a_repair_is_that_of_the_events_that_were_dropped_for_it() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Acknowledged::new(&net, |verifier| verifier.repair(Repair::fetch()));
    net.fetch.forget_permits(1 << 20);
    stream.send(commit(&alice.write(1)));
    stream.stream.next().await.unwrap().acknowledgement.ack();
    alice.write(1);
    let trigger = alice.write(1);
    stream.send(commit(&trigger));
    while stream.stream.core.stats().fetching == 0 {
        tokio::task::yield_now().await;
        let _ = std::future::poll_fn(|cx| Poll::Ready(stream.stream.core.poll_output(cx).is_pending())).await;
    }
    net.host(&alice);
    for _ in 0..QUEUE + 50 {
        let signed = alice.write(0);
        stream.send(commit(&signed));
    }
    net.fetch.add_permits(1 << 20);
    let resynced = stream.stream.next().await.unwrap();
    assert_eq!(name(&resynced.message), "resynced");
    net.host(&alice);
    let before = stream.outstanding();
    resynced.acknowledgement.ack();
    assert_eq!(stream.outstanding(), before - 1);
    let mut outputs = Vec::new();
    while let Some(output) = stream.stream.next().await {
        outputs.push(output);
    }
    // The last one stands for those that were dropped.
    let last = outputs.pop().unwrap();
    assert_eq!(name(&last.message), "resynced");
    outputs.into_iter().for_each(|output| output.acknowledgement.ack());
    assert_eq!(stream.outstanding(), 51);
    last.acknowledgement.ack();
    assert_eq!(stream.outstanding(), 0);
}
