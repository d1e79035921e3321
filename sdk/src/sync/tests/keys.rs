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
    assert_eq!((count(&net.lookups), count(&net.fresh), count(&net.forgotten)), (2, 1, 1));
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

#[tokio::test(start_paused = true)]
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
    // What is said about its identity is no more the host's business.
    let refused = refusal(stream.one(identity(&bob.did)).await);
    assert!(matches!(refused, Refusal::OtherHost { .. }), "{refused}");
    let nobody = Did::new("did:web:nobody.example.com").unwrap();
    for message in [identity(&nobody), status(&nobody, false)] {
        let refused = refusal(stream.one(message).await);
        assert!(matches!(refused, Refusal::Signer(_)), "{refused}");
    }
    // It has moved here, and its identity event says so.
    tokio::time::advance(limits::SIGNER_REFRESH).await;
    net.accounts.lock().unwrap().get_mut(&bob.did).unwrap().pds = PDS.to_owned();
    assert_eq!(name(&stream.one(identity(&bob.did)).await), "identity");
    assert_eq!(name(&stream.one(commit(&signed)).await), "commit");
}

/// What a host makes up while the directory is away must not silence an account.
#[tokio::test(start_paused = true)]
async fn a_forged_event_while_the_directory_is_away_costs_no_key() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    net.failing.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..3 {
        let mut forger = crate::repo::RepositoryEditor::open((), alice.editor.last_commit().unwrap().clone());
        let forged = forger.commit(&SigningKey::generate_p256().unwrap()).unwrap();
        assert!(is_signature(&refusal(stream.one(sync(&forged)).await)));
        assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
        tokio::time::advance(limits::SIGNER_REFRESH).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_identity_event_while_the_directory_is_away_costs_no_key() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    net.failing.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    let before = count(&net.lookups);
    for _ in 0..20 {
        stream.one(identity(&alice.did)).await;
        assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    }
    let asked = count(&net.lookups) - before;
    assert!((1..=6).contains(&asked), "{asked}");
    // When it is back, the account is looked up again.
    net.failing.store(0, std::sync::atomic::Ordering::SeqCst);
    rotate(&net, &mut alice);
    tokio::time::advance(limits::LONGEST_SIGNER_FAILED).await;
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_kept_for_a_while_when_the_directory_is_away_and_then_no_longer() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    net.failing.store(usize::MAX, std::sync::atomic::Ordering::SeqCst);
    tokio::time::advance(limits::SIGNER_CACHE).await;
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    tokio::time::advance(limits::SIGNER_CACHE * 10).await;
    assert!(matches!(refusal(stream.one(commit(&alice.write(1))).await), Refusal::Signer(_)));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_the_document_no_longer_has_is_not_kept() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    stream.one(commit(&alice.write(1))).await;
    net.accounts.lock().unwrap().clear();
    stream.one(identity(&alice.did)).await;
    assert!(matches!(refusal(stream.one(commit(&alice.write(1))).await), Refusal::Signer(_)));
}

/// Hosts can say of any account that its identity has changed.
#[tokio::test(start_paused = true)]
async fn identity_events_do_not_make_made_up_accounts_be_looked_up_all_the_time() {
    let net = Net::new();
    let signed = Writer::new("alice").write(1);
    let mut stream = Stream::new(&net);
    for _ in 0..50 {
        stream.one(identity(&plc(1))).await;
        assert!(matches!(refusal(stream.one(claimed(&plc(1), &signed)).await), Refusal::Signer(_)));
    }
    assert!(count(&net.lookups) <= 3, "{}", count(&net.lookups));
    // One that was created since is found soon after all.
    tokio::time::advance(limits::SIGNER_FAILED).await;
    stream.one(identity(&plc(1))).await;
    let mut late = Writer::of(plc(1));
    let first = late.write(1);
    net.host(&late);
    tokio::time::advance(limits::SIGNER_FAILED).await;
    assert_eq!(name(&stream.one(commit(&first)).await), "commit");
}

#[tokio::test(start_paused = true)]
async fn identity_events_do_not_make_a_known_account_be_looked_up_all_the_time() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::new(&net);
    for _ in 0..50 {
        stream.one(identity(&alice.did)).await;
        assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    }
    assert!(count(&net.lookups) <= 3, "{}", count(&net.lookups));
    assert!(count(&net.forgotten) <= 3, "{}", count(&net.forgotten));
    // What changes meanwhile is found because of the signature.
    rotate(&net, &mut alice);
    stream.one(identity(&alice.did)).await;
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

/// Each made-up account only a few times, but very many of them.
#[tokio::test(start_paused = true)]
async fn identity_events_of_many_accounts_lead_to_a_bounded_number_of_look_ups() {
    let net = Net::new();
    let signed = Writer::new("alice").write(1);
    let mut stream = Stream::with(&net, |verifier| verifier.lookups(32, 40));
    for number in 0..400 {
        stream.one(claimed(&plc(number), &signed)).await;
    }
    assert_eq!(count(&net.lookups), 400);
    tokio::time::advance(limits::SIGNER_REFRESH).await;
    for number in 0..400 {
        stream.one(identity(&plc(number))).await;
        stream.one(claimed(&plc(number), &signed)).await;
    }
    let again = count(&net.lookups) - 400;
    assert!((1..=80).contains(&again), "{again}");
}
