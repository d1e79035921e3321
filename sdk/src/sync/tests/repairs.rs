//! Gaps, and how they are repaired.

use std::{collections::BTreeMap, time::Duration};

use super::{super::*, world::*};
use crate::{repo::RepoError, sync::Repair, types::Cid};

fn repairing(net: &Arc<Net>) -> Stream {
    Stream::with(net, |verifier| verifier.repair(Repair::fetch()))
}

/// Fetches have to wait.
fn hold(net: &Net) {
    net.fetch.forget_permits(1 << 20);
}

#[tokio::test]
async fn e10_after_a_gap_the_repository_is_fetched_and_the_chain_goes_on() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(2))).await;
    let known = alice.editor.last_commit().unwrap().clone();
    alice.write(1);
    let next = alice.write(1);
    net.host(&alice);
    let Verified::Resynced(resynced) = stream.one(commit(&next)).await else { panic!() };
    assert_eq!((resynced.did(), resynced.repository().rev()), (&alice.did, next.commit.rev()));
    let head = resynced.known().unwrap();
    assert_eq!((&head.rev, &head.data), (known.rev(), known.data()));
    let entries = resynced.repository().entries().map(|entry| entry.unwrap());
    let paths: Vec<_> = entries.map(|entry| format!("{}/{}", entry.collection, entry.rkey)).collect();
    assert_eq!(paths, alice.paths());
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    let stats = stream.core.stats();
    assert_eq!((stats.repairs, stats.gaps, stats.waiting, stats.fetching), (1, 0, 0, 0));
}

#[tokio::test]
async fn e10_a_sync_message_leads_to_a_fetch() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(1))).await;
    let new = alice.write(1);
    net.host(&alice);
    assert_eq!(name(&stream.one(sync(&new)).await), "resynced");
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

#[tokio::test]
async fn what_was_fetched_is_compared_with_what_the_consumer_has() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    let Verified::Commit(first) = stream.one(commit(&alice.write(3))).await else { panic!() };
    let mut index: BTreeMap<String, Cid> = first
        .operations()
        .iter()
        .map(|operation| (operation.path(), operation.cid().unwrap().clone()))
        .collect();
    let rkey = |text: &str| crate::types::RecordKey::new(text).unwrap();
    alice.editor.delete_untyped(&collection(), &rkey("00001")).unwrap();
    alice.editor.put_untyped(&collection(), &rkey("00002"), &record(77)).unwrap();
    alice.write(0);
    let next = alice.write(1);
    net.host(&alice);
    let Verified::Resynced(resynced) = stream.one(commit(&next)).await else { panic!() };
    let changes = resynced.changes(index.clone()).unwrap();
    let names: Vec<_> =
        changes.iter().map(|change| (change.action_name(), &change.path[change.path.len() - 1..])).collect();
    assert_eq!(names, [("update", "2"), ("create", "4"), ("delete", "1")]);
    for change in changes {
        match change.cid() {
            Some(cid) => index.insert(change.path.clone(), cid.clone()),
            None => index.remove(&change.path),
        };
    }
    assert!(resynced.changes(index).unwrap().is_empty());
}

#[tokio::test]
async fn an_account_that_is_being_fetched_holds_up_nobody_else_and_its_events_stay_in_order() {
    let (net, mut alice, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    net.host(&alice);
    net.host(&bob);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(1))).await;
    hold(&net);
    alice.write(1);
    let trigger = alice.write(1);
    stream.send(commit(&trigger));
    let before = alice.write(1);
    stream.send(commit(&before));
    net.host(&alice);
    stream.send(identity(&alice.did));
    let after = alice.write(1);
    stream.send(commit(&after));
    for _ in 0..5 {
        let signed = bob.write(1);
        stream.send(commit(&signed));
        assert_eq!(stream.next().await.unwrap().message.account(), Some(&bob.did));
    }
    assert_eq!(stream.core.stats().fetching, 1);
    net.fetch.add_permits(1);
    // `before` is part of what was fetched.
    assert_eq!(names(&stream.outputs().await), ["resynced", "identity", "commit"]);
    assert_eq!(stream.core.stats().old, 1);
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_cannot_be_fetched_leaves_a_gap_that_is_told() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(1))).await;
    alice.write(1);
    net.accounts.lock().unwrap().get_mut(&alice.did).unwrap().car = b"nonsense".to_vec();
    let Verified::Gap(gap) = stream.one(commit(&alice.write(1))).await else { panic!() };
    assert!(matches!(gap.problem, Some(RepairError::Repository(RepoError::Car { .. }))), "{:?}", gap.problem);
    assert!(gap.changes.is_some());
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
    // An account that makes gaps all the time is fetched less and less often, and then not at all for a while.
    let mut too_soon = 0;
    for _ in 0..20 {
        alice.write(1);
        let Verified::Gap(gap) = stream.one(commit(&alice.write(1))).await else { panic!() };
        too_soon += usize::from(matches!(gap.problem, Some(RepairError::TooSoon)));
    }
    assert_eq!((count(&net.fetches), too_soon), (5, 16));
    tokio::time::advance(limits::REPAIR_FORGOTTEN).await;
    alice.write(1);
    let next = alice.write(1);
    net.host(&alice);
    assert_eq!(name(&stream.one(commit(&next)).await), "resynced");
}

#[tokio::test]
async fn e10_what_a_pds_gives_as_the_repository_is_verified() {
    let mut mallory = Writer::new("mallory");
    mallory.write(1);
    for lie in 0..4 {
        let (net, mut alice) = (Net::new(), Writer::new("alice"));
        net.host(&alice);
        let mut stream = repairing(&net);
        stream.one(commit(&alice.write(1))).await;
        alice.write(1);
        let next = alice.write(1);
        let car = match lie {
            // That of somebody else.
            0 => mallory.car(),
            // With another signature.
            1 => {
                let other = crate::repo::SigningKey::generate_p256().unwrap();
                let key = std::mem::replace(&mut alice.key, other);
                alice.write(0);
                let car = alice.car();
                alice.key = key;
                car
            }
            // Without the last block.
            2 => {
                let commit = alice.editor.last_commit().unwrap();
                let mut writer = crate::repo::CarWriter::new(Vec::new(), &commit.cid()).unwrap();
                writer.write(&commit.cid(), commit.as_bytes()).unwrap();
                writer.finish().unwrap()
            }
            _ => {
                let mut car = alice.car();
                *car.last_mut().unwrap() ^= 1;
                car
            }
        };
        net.accounts.lock().unwrap().get_mut(&alice.did).unwrap().car = car;
        let Verified::Gap(gap) = stream.one(commit(&next)).await else { panic!("lie {lie}") };
        let Some(RepairError::Repository(problem)) = gap.problem else {
            panic!("lie {lie}: {:?}", gap.problem)
        };
        let is_right = match lie {
            0 => matches!(problem, RepoError::WrongRepository { .. }),
            1 => matches!(problem, RepoError::Signature { .. }),
            2 => matches!(problem, RepoError::MissingBlock { .. }),
            _ => matches!(problem, RepoError::WrongHash { .. }),
        };
        assert!(is_right, "lie {lie}: {problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn e10_a_repository_that_is_older_than_the_stream_is_fetched_again() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(1))).await;
    alice.write(1);
    net.host(&alice);
    let Verified::Gap(gap) = stream.one(commit(&alice.write(1))).await else { panic!() };
    assert!(matches!(gap.problem, Some(RepairError::Stale { .. })), "{:?}", gap.problem);
    assert_eq!(count(&net.fetches), usize::try_from(limits::REPAIR_ATTEMPTS).unwrap());
}

#[tokio::test]
async fn a_repository_that_is_too_large_is_not_fetched() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = Stream::with(&net, |verifier| verifier.repair(Repair::fetch().max_size(2_000)));
    stream.one(commit(&alice.write(1))).await;
    alice.write(100);
    let next = alice.write(1);
    net.host(&alice);
    let Verified::Gap(gap) = stream.one(commit(&next)).await else { panic!() };
    assert!(
        matches!(gap.problem, Some(RepairError::Repository(RepoError::TooLarge { .. }))),
        "{:?}",
        gap.problem
    );
}

#[tokio::test]
async fn unknown_repositories_are_fetched_if_that_is_wanted() {
    let (net, mut alice, mut bob) = (Net::new(), Writer::new("alice"), Writer::new("bob"));
    let mut stream = Stream::with(&net, |verifier| verifier.repair(Repair::fetch()).fetch_unknown());
    alice.write(1);
    let next = alice.write(1);
    net.host(&alice);
    let Verified::Resynced(resynced) = stream.one(commit(&next)).await else { panic!() };
    assert!(resynced.known().is_none());
    // Nothing is missing of a new one.
    let first = bob.write(1);
    net.host(&bob);
    assert_eq!(name(&stream.one(commit(&first)).await), "commit");
    assert_eq!(count(&net.fetches), 1);
}

/// More than can wait: what is dropped shows as another gap, which is repaired too.
#[tokio::test(start_paused = true)]
async fn a_flood_during_a_fetch_is_bounded_and_loses_nothing() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    let mut stream = repairing(&net);
    stream.one(commit(&alice.write(1))).await;
    hold(&net);
    alice.write(1);
    let trigger = alice.write(1);
    net.host(&alice);
    stream.send(commit(&trigger));
    // Until it is being fetched.
    while stream.core.stats().fetching == 0 {
        assert!(poll_once(&mut stream).await.is_none());
    }
    for _ in 0..QUEUE * 3 {
        let signed = alice.write(0);
        stream.send(commit(&signed));
        stream.send(identity(&alice.did));
        stream.send(status(&alice.did, true));
        assert!(stream.core.stats().waiting <= QUEUE + 10, "{}", stream.core.stats().waiting);
    }
    net.fetch.add_permits(1);
    assert_eq!(name(&stream.next().await.unwrap().message), "resynced");
    // What was dropped is fetched as well.
    net.host(&alice);
    net.fetch.add_permits(1);
    let outputs = names(&stream.outputs().await);
    assert_eq!(outputs.iter().filter(|name| **name == "resynced").count(), 1, "{outputs:?}");
    assert!(!outputs.contains(&"gap"));
    assert!(stream.core.stats().dropped > 0);
    assert_eq!((stream.core.stats().waiting, stream.core.bytes), (0, 0));
    assert_eq!(name(&stream.one(commit(&alice.write(1))).await), "commit");
}

/// Lets the jobs run for a moment.
async fn poll_once(stream: &mut Stream) -> Option<Output> {
    tokio::task::yield_now().await;
    std::future::poll_fn(|cx| match stream.core.poll_output(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output.unwrap())),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// A PDS that does not answer takes places for minutes.
#[tokio::test(start_paused = true)]
async fn repositories_of_one_domain_do_not_take_all_places() {
    let net = Net::new();
    let mut stream = repairing(&net);
    hold(&net);
    let mut writers: Vec<_> = (0..20).map(|number| Writer::of(plc(number))).collect();
    for (number, writer) in writers.iter_mut().enumerate() {
        net.host(writer);
        let pds = format!("https://pds{number}.slow.example.com");
        net.accounts.lock().unwrap().get_mut(&writer.did).unwrap().pds = pds;
        stream.send(commit(&writer.write(1)));
        writer.write(1);
        stream.send(commit(&writer.write(1)));
    }
    let mut alice = Writer::of(plc(1_000));
    net.host(&alice);
    stream.send(commit(&alice.write(1)));
    alice.write(1);
    stream.send(commit(&alice.write(1)));
    net.host(&alice);
    net.accounts.lock().unwrap().get_mut(&alice.did).unwrap().pds = "https://other.example.org".to_owned();
    while count(&net.fetches) < 4 {
        while poll_once(&mut stream).await.is_some() {}
    }
    assert_eq!(net.fetched.lock().unwrap().iter().filter(|did| **did == alice.did).count(), 1);
}

/// So many accounts with gaps, at PDSs of as many domains, whose repositories have to wait.
async fn many_gaps(net: &Arc<Net>, stream: &mut Stream, accounts: usize) {
    hold(net);
    for number in 0..accounts {
        let mut writer = Writer::of(plc(number));
        net.host(&writer);
        let pds = format!("https://pds.host{number}.example");
        net.accounts.lock().unwrap().get_mut(&writer.did).unwrap().pds = pds.clone();
        stream.send(commit(&writer.write(1)));
        assert_eq!(name(&stream.next().await.unwrap().message), "commit");
        writer.write(1);
        stream.send(commit(&writer.write(1)));
        net.host(&writer);
        net.accounts.lock().unwrap().get_mut(&writer.did).unwrap().pds = pds;
    }
    while stream.core.stats().fetching < accounts {
        assert!(poll_once(stream).await.is_none());
    }
}

/// Each takes up to 16 MiB of memory, or a file.
#[tokio::test]
async fn no_more_repositories_are_there_than_may_be_fetched_at_once_until_the_consumer_takes_them() {
    let (net, accounts, at_once) = (Net::new(), 50, 4);
    let mut stream = Stream::with(&net, |verifier| verifier.repair(Repair::fetch().at_once(at_once)));
    many_gaps(&net, &mut stream, accounts).await;
    net.fetch.add_permits(1 << 20);
    let mut taken = Vec::new();
    loop {
        // The consumer is busy with something else.
        tokio::time::sleep(Duration::from_millis(if taken.is_empty() { 300 } else { 5 })).await;
        let open = count(&net.fetches) - taken.len();
        assert!(open <= at_once, "{open} after {}", taken.len());
        // It keeps what it has got, and asks for the next one.
        let Some(output) = stream.next().await else { break };
        assert_eq!(name(&output.message), "resynced");
        taken.push(output);
    }
    assert_eq!((taken.len(), stream.core.stats().gaps), (accounts, 0));
}

#[tokio::test(start_paused = true)]
async fn repositories_wait_for_a_consumer_that_takes_its_time() {
    let (net, accounts) = (Net::new(), 10);
    let mut stream = Stream::with(&net, |verifier| verifier.repair(Repair::fetch().at_once(2)));
    many_gaps(&net, &mut stream, accounts).await;
    net.fetch.add_permits(1 << 20);
    for _ in 0..accounts {
        tokio::time::sleep(limits::REPAIR_WAIT / 2).await;
        let output = stream.next().await.unwrap();
        assert_eq!(name(&output.message), "resynced", "{:?}", output.message);
    }
}

/// Events of accounts that are all unknown, whose repositories are fetched one by one, and do not come.
fn unknown(accounts: usize) -> (Arc<Net>, Stream) {
    let net = Net::new();
    let repair = Repair::fetch().at_once(1).waiting(1);
    let mut stream = Stream::with(&net, |verifier| verifier.repair(repair).fetch_unknown());
    hold(&net);
    for number in 0..accounts {
        let mut writer = Writer::of(plc(number));
        writer.write(1);
        stream.send(commit(&writer.write(1)));
        net.host(&writer);
    }
    (net, stream)
}

#[tokio::test(start_paused = true)]
async fn every_unknown_repository_is_fetched_although_the_stream_has_to_wait_for_that() {
    let accounts = 6;
    let (net, mut stream) = unknown(accounts);
    let has_room = async |stream: &mut Stream| {
        std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_room(cx).is_ready())).await
    };
    while stream.core.waiting.len() < accounts - 2 {
        assert!(poll_once(&mut stream).await.is_none());
    }
    assert_eq!((stream.core.stats().fetching, has_room(&mut stream).await), (2, false));
    // The second one does not give up because the first one takes long, as long as there are answers.
    tokio::time::sleep(limits::REPAIR_WAIT / 2).await;
    net.fetch.add_permits(1);
    tokio::time::sleep(limits::REPAIR_WAIT * 2 / 3).await;
    net.fetch.add_permits(1 << 20);
    assert_eq!(names(&stream.outputs().await), ["resynced"; 6]);
    assert!(has_room(&mut stream).await);
    assert_eq!((stream.core.stats().waiting, stream.core.bytes), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_does_not_answer_does_not_hold_the_stream_although_every_repository_is_to_be_fetched() {
    let accounts = 6;
    let (_net, mut stream) = unknown(accounts);
    let begun = tokio::time::Instant::now();
    for _ in 0..accounts {
        let output = stream.next().await.unwrap();
        assert_eq!(names(&[output.message]), ["gap"]);
    }
    assert!(begun.elapsed() < limits::REPAIR_WAIT * 6, "{:?}", begun.elapsed());
}
