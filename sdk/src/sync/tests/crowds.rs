//! One account that sends so much that nobody else would have room.

use std::time::Duration;

use tokio::time::{Instant, advance, timeout};

use super::{super::*, restarts::Acknowledged, world::*};
use crate::repo::SigningKey;

/// Waits until another event may be taken.
async fn has_room(stream: &mut Stream) -> bool {
    let room = std::future::poll_fn(|cx| {
        // Whoever asks has asked for an output before.
        stream.core.begin();
        stream.core.poll_room(cx)
    });
    timeout(Duration::from_secs(60), room).await.is_ok()
}

/// Lets the jobs run until the network is asked.
async fn until_asked(net: &Net) {
    while count(&net.now) == 0 {
        tokio::task::yield_now().await;
    }
}

/// Look-ups have to wait.
fn hold(net: &Net) {
    net.look.forget_permits(1 << 20);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Why {
    /// The key is not known.
    Unknown,
    /// The signature is not that of the key which is known.
    Forged,
    /// The account is at another host than the stream's.
    Elsewhere,
}

/// Its events are looked up because of something, which takes long, and gaps are only told.
async fn one_account_leaves_room_for_others(why: Why) {
    let (net, mut alice, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    net.host(&alice);
    net.host(&bob);
    let mut stream = Stream::with(&net, |verifier| match why {
        Why::Elsewhere => verifier.hosted_by(PDS),
        _ => verifier,
    });
    stream.one(commit(&bob.write(1))).await;
    match why {
        Why::Unknown => {}
        Why::Forged => {
            stream.one(commit(&alice.write(1))).await;
            alice.key = SigningKey::generate_p256().unwrap();
        }
        Why::Elsewhere => {
            let other = "https://other.example.com".to_owned();
            net.accounts.lock().unwrap().get_mut(&alice.did).unwrap().pds = other;
            stream.one(commit(&alice.write(1))).await;
            advance(limits::SIGNER_REFRESH).await;
        }
    }
    hold(&net);
    let message = commit_message(&alice.write(1));
    let begun = Instant::now();
    for taken in 0..WINDOW * 2 {
        assert!(has_room(&mut stream).await, "{why:?}: none after {taken}");
        stream.send(message.clone());
    }
    assert!(begun.elapsed() <= limits::LOOKUP_PATIENCE * 2, "{why:?}: {:?}", begun.elapsed());
    let stats = stream.core.stats();
    assert!(stats.dropped > 0 && stats.waiting <= QUEUE + 1, "{why:?}: {stats:?}");
    stream.send(commit(&bob.write(1)));
    let next = stream.next().await.unwrap().message;
    assert_eq!((name(&next), next.account()), ("commit", Some(&bob.did)), "{why:?}");
    net.look.add_permits(1 << 20);
    let outputs = stream.outputs().await;
    assert!(outputs.iter().all(|output| output.account() == Some(&alice.did)), "{why:?}");
    assert_eq!((stream.core.stats().waiting, stream.core.bytes), (0, 0), "{why:?}");
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_did_answers_slowly_leaves_room_for_others() {
    one_account_leaves_room_for_others(Why::Unknown).await;
}

#[tokio::test(start_paused = true)]
async fn forged_commits_of_a_known_account_leave_room_for_others() {
    one_account_leaves_room_for_others(Why::Forged).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_of_another_host_leaves_room_for_others() {
    one_account_leaves_room_for_others(Why::Elsewhere).await;
}

#[tokio::test(start_paused = true)]
async fn however_many_events_of_an_account_come_while_it_is_looked_up_none_is_lost_if_that_does_not_take_long()
 {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    hold(&net);
    let mut stream = Stream::new(&net);
    for _ in 0..QUEUE * 5 {
        stream.send(commit(&alice.write(1)));
    }
    until_asked(&net).await;
    advance(limits::LOOKUP_PATIENCE / 2).await;
    stream.send(commit(&alice.write(1)));
    net.look.add_permits(1 << 20);
    assert_eq!(names(&stream.outputs().await), vec!["commit"; QUEUE * 5 + 1]);
    assert_eq!(stream.core.stats().dropped, 0);
    // The next look-up is another one.
    hold(&net);
    stream.send(identity(&alice.did));
    for _ in 0..QUEUE * 2 {
        stream.send(commit(&alice.write(1)));
    }
    assert_eq!(stream.core.stats().dropped, 0);
}

#[tokio::test(start_paused = true)]
async fn commits_that_were_dropped_show_as_a_gap_and_are_acknowledged_with_it() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    hold(&net);
    let mut stream = Acknowledged::new(&net, |verifier| verifier);
    stream.send(commit(&alice.write(1)));
    until_asked(&net).await;
    advance(limits::LOOKUP_PATIENCE).await;
    for _ in 0..QUEUE + 50 {
        stream.send(commit(&alice.write(1)));
        assert!(stream.stream.core.stats().waiting <= QUEUE + 1);
    }
    assert_eq!((stream.outstanding(), stream.stream.core.stats().dropped), (QUEUE + 51, 50));
    net.look.add_permits(1 << 20);
    let mut outputs = Vec::new();
    while let Some(output) = stream.stream.next().await {
        outputs.push(output);
    }
    // The last one stands for those that were dropped.
    let last = outputs.pop().unwrap();
    assert_eq!(name(&last.message), "gap");
    assert!(outputs.iter().all(|output| name(&output.message) == "commit"));
    outputs.into_iter().for_each(|output| output.acknowledgement.ack());
    assert_eq!(stream.outstanding(), 51);
    last.acknowledgement.ack();
    assert_eq!(stream.outstanding(), 0);
    assert_eq!(name(&stream.stream.one(commit(&alice.write(1))).await), "commit");
}
