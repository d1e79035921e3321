//! Hosts that send more than they should.

use std::time::Duration;

use super::{super::*, world::*};
use crate::types::Tid;

#[tokio::test(start_paused = true)]
async fn unknown_accounts_are_looked_up_at_a_bounded_pace_and_number() {
    let net = Net::new();
    let mut stream = Stream::with(&net, |verifier| verifier.lookups(8, 50));
    let signed = Writer::new("alice").write(1);
    let begun = tokio::time::Instant::now();
    for number in 0..500 {
        stream.send(claimed(&plc(number), &signed));
    }
    let outputs = stream.outputs().await;
    assert_eq!(names(&outputs), ["refused"; 500]);
    assert_eq!(count(&net.lookups), 500);
    assert!(count(&net.most) <= 8, "{}", count(&net.most));
    // Fifty at once after a pause, and then fifty a second.
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(8) && took <= Duration::from_secs(11), "{took:?}");
}

#[tokio::test]
async fn no_more_is_taken_than_the_window_has_room_for() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.look.forget_permits(1 << 20);
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let signed = alice.write(1);
    let mut taken = 0;
    for number in 0.. {
        let has_room = std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_room(cx).is_ready())).await;
        if !has_room {
            break;
        }
        stream.send(claimed(&plc(number % 1000), &signed));
        taken += 1;
        assert!(taken <= WINDOW);
    }
    assert_eq!((taken, stream.core.stats().waiting), (WINDOW, WINDOW));
    net.look.add_permits(1 << 20);
    assert_eq!(stream.outputs().await.len(), WINDOW);
    assert_eq!((stream.core.stats().waiting, stream.core.bytes), (0, 0));
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes() {
    let (net, mut alice) = (Net::new(), Writer::of(plc(7_777)));
    net.look.forget_permits(1 << 20);
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let mut message = commit_message(&alice.write(1));
    message.blocks = crate::types::Bytes::from(vec![0; 2_000_000]);
    let mut taken = 0;
    while std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_room(cx).is_ready())).await {
        // Also those of many accounts, which are being looked up.
        if taken % 2 == 0 {
            message.repo = plc(taken);
        }
        stream.send(message.clone());
        taken += 1;
        assert!(taken < 100);
    }
    assert!(stream.core.bytes < WINDOW_BYTES + 3_000_000);
    net.look.add_permits(1 << 20);
    assert_eq!(stream.outputs().await.len(), taken);
    assert_eq!((stream.core.stats().waiting, stream.core.bytes), (0, 0));
}

#[tokio::test]
async fn accounts_in_memory_are_bounded_and_come_back_from_where_they_are_kept() {
    let net = Net::new();
    let states = Arc::new(crate::sync::MemoryStates::new());
    let mut stream =
        Stream::with(&net, |verifier| verifier.states(Arc::clone(&states)).accounts_in_memory(20));
    let mut writers: Vec<_> = (0..60).map(|number| Writer::new(&format!("writer{number}"))).collect();
    writers.iter().for_each(|writer| net.host(writer));
    for round in 0..2 {
        for writer in &mut writers {
            assert_eq!(name(&stream.one(commit(&writer.write(1))).await), "commit", "round {round}");
            stream.core.saver().save().await.unwrap();
            assert!(stream.core.stats().accounts <= 20, "{}", stream.core.stats().accounts);
        }
    }
    assert_eq!((states.len(), stream.core.stats().gaps), (60, 0));
}

#[tokio::test]
async fn when_states_cannot_be_saved_no_more_is_taken() {
    struct Full;
    impl crate::sync::RepoStates for Full {
        fn load<'a>(
            &'a self,
            _: &'a Did,
        ) -> crate::xrpc::BoxFuture<'a, Result<Option<crate::sync::RepoState>, StoreError>> {
            Box::pin(std::future::ready(Ok(None)))
        }
        fn save<'a>(
            &'a self,
            _: &'a [(Did, crate::sync::RepoState)],
        ) -> crate::xrpc::BoxFuture<'a, Result<(), StoreError>> {
            Box::pin(std::future::ready(Err(StoreError::backend(std::io::Error::other("the disk is full")))))
        }
    }
    let net = Net::new();
    let mut stream = Stream::with(&net, |verifier| verifier.states(Full).accounts_in_memory(20));
    let mut taken = 0;
    while std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_room(cx).is_ready())).await {
        let mut writer = Writer::new(&format!("writer{taken}"));
        net.host(&writer);
        stream.one(commit(&writer.write(1))).await;
        taken += 1;
        assert!(taken < 20);
    }
    assert_eq!(taken, 10);
    assert!(stream.core.saver().save().await.is_err());
}

#[tokio::test]
async fn old_events_are_dropped_without_the_cost_of_a_verification() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let old = alice.write(1);
    stream.one(commit(&old)).await;
    stream.one(commit(&alice.write(1))).await;
    // Nothing but the revision is looked at.
    let mut broken = commit_message(&old);
    broken.blocks = crate::types::Bytes::default();
    broken.rev = Tid::from_parts(1, 0);
    assert!(stream.give(broken).await.is_empty());
    assert_eq!(stream.core.stats().old, 1);
}

/// Anybody has servers that do not answer.
fn nobody(number: usize, domain: usize) -> Did {
    Did::new(format!("did:web:nobody{number}.domain{domain}.com")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn hanging_look_ups_of_made_up_accounts_do_not_hold_up_honest_ones() {
    let (net, mut made_up) = (Net::new(), Writer::new("alice"));
    net.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let signed = made_up.write(1);
    let mut honest = [Writer::of(plc(1)), Writer::of(plc(2)), Writer::new("bob")];
    honest.iter().for_each(|writer| net.host(writer));
    let mut stream = Stream::new(&net);
    // Known ones of did:web.
    stream.one(commit(&honest[2].write(1))).await;
    stream.one(identity(&honest[2].did)).await;
    let begun = tokio::time::Instant::now();
    for number in 0..500 {
        stream.send(claimed(&nobody(number, number % 100), &signed));
    }
    for writer in &mut honest {
        let signed = writer.write(1);
        net.host(writer);
        stream.send(commit(&signed));
    }
    let mut given = 0;
    while given < honest.len() {
        let output = stream.next().await.unwrap();
        given += usize::from(name(&output.message) == "commit");
    }
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hanging_look_ups_at_one_domain_do_not_hold_up_those_at_others() {
    let (net, mut made_up, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    net.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let signed = made_up.write(1);
    net.host(&bob);
    let mut stream = Stream::new(&net);
    for number in 0..1_000 {
        stream.send(claimed(&nobody(number, 1), &signed));
    }
    let begun = tokio::time::Instant::now();
    stream.send(commit(&bob.write(1)));
    while name(&stream.next().await.unwrap().message) != "commit" {}
    assert!(begun.elapsed() < Duration::from_millis(100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn hanging_look_ups_end_soon_and_fill_no_window() {
    let (net, mut made_up) = (Net::new(), Writer::new("alice"));
    net.hangs.store(true, std::sync::atomic::Ordering::SeqCst);
    let signed = made_up.write(1);
    let mut stream = Stream::new(&net);
    let begun = tokio::time::Instant::now();
    let mut most = 0;
    for number in 0..20_000 {
        while std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_room(cx).is_pending())).await {
            stream.next().await.unwrap();
        }
        stream.send(claimed(&nobody(number, number % 2_000), &signed));
        if number % 100 == 0 {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            while std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_output(cx).is_ready())).await {}
            most = most.max(stream.core.stats().waiting);
        }
    }
    stream.outputs().await;
    assert!(most <= WINDOW / 2, "{most}");
    assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(count(&net.most) <= 32, "{}", count(&net.most));
    assert_eq!((stream.core.stats().waiting, count(&net.now)), (0, 0));
}
