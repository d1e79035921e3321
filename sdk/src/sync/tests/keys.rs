//! Whose keys are believed for how long.

use super::{super::*, world::*};
use crate::repo::SigningKey;

/// Another key, which the network knows.
fn rotate(net: &Net, writer: &mut Writer) {
    writer.key = SigningKey::generate_p256().unwrap();
    net.host(writer);
}

#[tokio::test]
async fn o6_a_key_is_looked_up_once_for_many_events() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    for _ in 0..20 {
        let signed = alice.write(1);
        stream.send(commit(&signed));
    }
    assert_eq!(names(&stream.outputs().await), ["commit"; 20]);
    assert_eq!((count(&net.lookups), count(&net.fresh)), (1, 0));
}

#[tokio::test]
async fn e10_after_a_rotation_the_key_is_looked_up_again() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    rotate(&net, &mut alice);
    assert_eq!(names(&stream.give(commit(&alice.write(1))).await), ["commit"]);
    assert_eq!((count(&net.lookups), count(&net.fresh)), (2, 1));
    assert_eq!(names(&stream.give(commit(&alice.write(1))).await), ["commit"]);
    assert_eq!(count(&net.lookups), 2);
}

#[tokio::test(start_paused = true)]
async fn forged_commits_do_not_make_the_account_be_looked_up_all_the_time() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    let true_key = std::mem::replace(&mut alice.key, SigningKey::generate_p256().unwrap());
    for _ in 0..50 {
        let forged = alice.write(1);
        assert!(is_signature(&refusal(stream.one(commit(&forged)).await)));
    }
    assert_eq!(count(&net.fresh), 1);
    // Later it is looked up once more, and a new key is then found.
    tokio::time::advance(limits::SIGNER_REFRESH).await;
    net.host(&alice);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "gap");
    assert_eq!(count(&net.fresh), 2);
    alice.key = true_key;
}

#[tokio::test]
async fn nobody_waits_for_an_account_that_is_looked_up_again() {
    let net = Net::new();
    let mut writers: Vec<Writer> = (0..30).map(|number| Writer::new(&format!("user{number}"))).collect();
    let mut stream = Stream::with(&net, |verifier| verifier.cores(1));
    for writer in &mut writers {
        net.host(writer);
        stream.send(commit(&writer.write(1)));
    }
    assert_eq!(names(&stream.outputs().await), ["commit"; 30]);
    // From here on, look-ups wait.
    net.look.forget_permits(1 << 20);
    for (number, writer) in writers.iter_mut().enumerate() {
        if number % 10 == 0 {
            writer.key = SigningKey::generate_p256().unwrap();
        }
        stream.send(commit(&writer.write(1)));
    }
    for _ in 0..27 {
        assert_eq!(name(&stream.next().await.unwrap().message), "commit");
    }
    assert!(!stream.core.is_idle());
    net.look.add_permits(3);
    assert_eq!(names(&stream.outputs().await), ["refused"; 3]);
}

#[tokio::test]
async fn an_identity_event_makes_the_account_be_looked_up_again_in_its_place() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    let before = alice.write(1);
    stream.send(commit(&before));
    stream.send(identity(&alice.did));
    let next = alice.write(1);
    stream.send(commit(&next));
    assert_eq!(names(&stream.outputs().await), ["commit", "identity", "commit"]);
    assert_eq!((count(&net.lookups), count(&net.fresh), count(&net.forgotten)), (2, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_looked_up_is_not_looked_up_for_each_event() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    let mut stream = Stream::new(&net);
    for _ in 0..30 {
        let signed = alice.write(1);
        assert!(matches!(refusal(stream.one(commit(&signed)).await), Refusal::Signer(_)));
    }
    assert_eq!(count(&net.lookups), 1);
    tokio::time::advance(limits::SIGNER_FAILED).await;
    net.host(&alice);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "first");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_fails_for_a_moment_costs_no_event() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    net.failing.store(2, std::sync::atomic::Ordering::SeqCst);
    let mut stream = Stream::new(&net);
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    assert_eq!(count(&net.lookups), 3);
}

#[tokio::test]
async fn a_host_can_only_speak_for_the_accounts_that_it_hosts() {
    let (net, mut alice, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    net.host(&alice);
    net.host(&bob);
    net.accounts.lock().unwrap().get_mut(&bob.did).unwrap().pds = "https://other.example.com".to_owned();
    let mut stream = Stream::with(&net, |verifier| verifier.hosted_by("https://PDS.example.com/"));
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    assert_eq!(name(&stream.one(status(&alice.did, true)).await), "account");
    let signed = bob.write(1);
    for message in [commit(&signed), sync(&signed), status(&bob.did, false)] {
        let refused = refusal(stream.one(message).await);
        assert!(matches!(&refused, Refusal::OtherHost { pds, .. } if pds.contains("other")), "{refused}");
    }
    assert_eq!(count(&net.fresh), 1, "it may have moved here");
    // It has moved here, and its identity event says so.
    net.accounts.lock().unwrap().get_mut(&bob.did).unwrap().pds = PDS.to_owned();
    assert_eq!(name(&stream.one(identity(&bob.did)).await), "identity");
    assert_eq!(name(&stream.one(commit(&signed)).await), "commit");
}
