//! Repositories that are fetched for minutes: what is acknowledged meanwhile, and what a kill leaves.

use std::time::Duration;

use ::tests::{
    Answer,
    stream_server::{Script, message},
};

use super::{
    super::*,
    restarts::Acknowledged,
    wire::{World, frame, next},
    world::*,
};
use crate::{
    store::{Expected, MemoryStore, Store},
    sync::{MemoryStates, Repair, RepoStates, StoredStates, VerifiedEvents},
};

const GET_REPO: &str = "/xrpc/com.atproto.sync.getRepo";

/// What a process that is killed now leaves in its store.
async fn left(store: &Arc<dyn Store>) -> Arc<dyn Store> {
    let copy = MemoryStore::new();
    for key in store.list("").await.unwrap() {
        if let Some(entry) = store.get(&key).await.unwrap() {
            copy.put(&key, &entry.value, None, Expected::Any).await.unwrap();
        }
    }
    Arc::new(copy)
}

async fn cursor(store: &Arc<dyn Store>) -> serde_json::Value {
    match store.get("cursor:test").await.unwrap() {
        Some(entry) => serde_json::from_slice(&entry.value).unwrap(),
        None => serde_json::Value::Null,
    }
}

/// Waits until the store is as it should be.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..300 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

fn car(answer: Vec<u8>) -> Answer {
    Answer::status(200).header("content-type", "application/vnd.ipld.car").body(answer)
}

#[tokio::test]
async fn e5_a_repair_of_minutes_does_not_hold_the_cursor_and_is_taken_up_again_after_a_kill() {
    let mut world = World::new().await;
    let signed = [(); 5].map(|()| world.alice.write(1));
    let repository = world.alice.car();
    // A gap, a commit that waits behind it, and what others do.
    let mut frames = vec![
        frame("#commit", 1, &signed[0]),
        frame("#commit", 2, &signed[2]),
        frame("#commit", 3, &signed[3]),
    ];
    let bob =
        |seq| serde_json::json!({"seq": seq, "did": plc(1).as_str(), "time": "2026-11-27T00:00:00.000Z"});
    frames.extend((4..=20).map(|seq| message("#identity", &bob(seq))));
    world.server.then(Script::accept().frames(frames));
    (0..3).for_each(|_| world.server.then(Script::accept()));
    let last = world.alice.write(1);
    world.server.then(Script::accept().frame(frame("#commit", 21, &last)));
    world.pds.answer(GET_REPO, car(repository.clone()).delay(Duration::from_secs(600)));
    let killed = {
        let mut events = world.events(Repair::fetch());
        let mut commits = 0;
        for _ in 0..18 {
            let event = next(&mut events).await.unwrap().unwrap();
            commits += usize::from(name(event.message()) == "commit");
            event.ack();
        }
        assert_eq!(commits, 1);
        let moved = async || {
            // The stream goes on.
            let _ = tokio::time::timeout(Duration::from_millis(10), events.next()).await;
            cursor(&world.store).await["cursor"] == 20
        };
        until("the cursor is beyond the repair", moved).await;
        left(&world.store).await
    };

    // Killed, and once more: what is fetched now was not acknowledged.
    world.store = killed;
    world.pds.replace(GET_REPO, car(repository));
    for round in 1..=2 {
        let killed = {
            let mut events = world.events(Repair::fetch());
            let event = next(&mut events).await.unwrap().unwrap();
            let Verified::Resynced(resynced) = event.message() else { panic!("{event:?}") };
            assert_eq!(resynced.repository().rev(), signed[4].commit.rev());
            let rev = signed[4].commit.rev().as_str();
            let saved = async || state(&world.store, &world.alice.did).await["head"]["rev"] == rev;
            until("the state is saved", saved).await;
            connected(&world, &mut events, 1 + round).await;
            let killed = left(&world.store).await;
            event.ack();
            killed
        };
        world.store = killed;
    }

    // Acknowledged: nothing is left to be done.
    let killed = {
        let mut events = world.events(Repair::fetch());
        let event = next(&mut events).await.unwrap().unwrap();
        assert_eq!(name(event.message()), "resynced");
        event.ack_saved().await.unwrap();
        connected(&world, &mut events, 4).await;
        left(&world.store).await
    };
    world.store = killed;
    let fetched = world.pds.received_at(GET_REPO).len();
    let mut events = world.events(Repair::fetch());
    let event = next(&mut events).await.unwrap().unwrap();
    assert_eq!(name(event.message()), "commit");
    assert_eq!(world.pds.received_at(GET_REPO).len(), fetched);
}

/// Waits for a connection, so that the next one has the next script.
async fn connected(world: &World, events: &mut VerifiedEvents<'_>, connections: usize) {
    let is_there = async || {
        let nothing = tokio::time::timeout(Duration::from_millis(10), events.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        world.server.seen().len() == connections
    };
    until("the stream is connected", is_there).await;
}

/// The state of an account as it is stored.
async fn state(store: &Arc<dyn Store>, did: &Did) -> serde_json::Value {
    match store.get(&format!("repo:{did}")).await.unwrap() {
        Some(entry) => serde_json::from_slice(&entry.value).unwrap(),
        None => serde_json::Value::Null,
    }
}

/// An account with a gap, and a stream whose states outlive it.
struct Gapped {
    net: Arc<Net>,
    alice: Writer,
    store: Arc<dyn Store>,
    stream: Acknowledged,
}

impl Gapped {
    /// The repository is being fetched, and nothing is acknowledged that need not be.
    async fn new() -> Self {
        let (net, mut alice) = (Net::new(), Writer::new("alice"));
        net.host(&alice);
        net.fetch.forget_permits(1 << 20);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let mut stream = Self::again(&net, &store, Repair::fetch());
        stream.send(commit(&alice.write(1)));
        stream.stream.next().await.unwrap().acknowledgement.ack();
        alice.write(1);
        stream.send(commit(&alice.write(1)));
        net.host(&alice);
        while count(&net.fetches) == 0 {
            run(&mut stream.stream).await;
        }
        Self { net, alice, store, stream }
    }

    /// Another run over what is stored.
    fn again(net: &Arc<Net>, store: &Arc<dyn Store>, repair: Repair) -> Acknowledged {
        let states = StoredStates::shared(Arc::clone(store));
        Acknowledged::new(net, |verifier| verifier.states(states).repair(repair))
    }

    /// Ends as a killed process does: with what was saved before the cursor.
    async fn killed(self, repair: Repair) -> (Writer, Acknowledged, Arc<dyn Store>) {
        self.stream.stream.core.saver().save().await.unwrap();
        let store = left(&self.store).await;
        let mut stream = Self::again(&self.net, &store, repair);
        stream.stream.seq = self.stream.stream.seq;
        (self.alice, stream, store)
    }

    async fn unrepaired(&self) -> usize {
        self.stream.stream.core.saver().save().await.unwrap();
        unrepaired(&self.store).await
    }
}

async fn unrepaired(store: &Arc<dyn Store>) -> usize {
    StoredStates::shared(Arc::clone(store)).unrepaired().await.unwrap().unwrap().len()
}

/// Lets the jobs run for a moment.
async fn run(stream: &mut Stream) {
    tokio::task::yield_now().await;
    let is_pending = std::future::poll_fn(|cx| Poll::Ready(stream.core.poll_output(cx).is_pending())).await;
    assert!(is_pending);
}

#[tokio::test]
async fn events_that_come_during_a_repair_are_owed_until_the_last_one_is_acknowledged() {
    let mut gapped = Gapped::new().await;
    assert_eq!(gapped.stream.outstanding(), 0);
    for _ in 0..3 {
        let signed = gapped.alice.write(1);
        gapped.stream.send(commit(&signed));
    }
    assert_eq!(gapped.stream.outstanding(), 0);
    assert_eq!(gapped.unrepaired().await, 1);
    gapped.net.fetch.add_permits(1 << 20);
    let mut outputs = Vec::new();
    while let Some(output) = gapped.stream.stream.next().await {
        outputs.push(output);
    }
    let found: Vec<_> = outputs.iter().map(|output| name(&output.message)).collect();
    assert_eq!(found, ["resynced", "commit", "commit", "commit"]);
    // They have acknowledgements, for which the cursor waits.
    assert_eq!(gapped.stream.outstanding(), 4);
    for (left, output) in outputs.into_iter().enumerate() {
        assert_eq!((gapped.unrepaired().await, gapped.stream.outstanding()), (1, 4 - left));
        output.acknowledgement.ack();
    }
    assert_eq!((gapped.unrepaired().await, gapped.stream.outstanding()), (0, 0));
    let saved = state(&gapped.store, &gapped.alice.did).await;
    assert_eq!((&saved["v"], &saved["repair"]), (&1.into(), &serde_json::Value::Null));
}

/// The cursor waits where the end of the process takes what is known.
#[tokio::test]
async fn states_that_do_not_outlive_the_process_hold_the_cursor() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    net.fetch.forget_permits(1 << 20);
    let with = Arc::new(MemoryStates::new());
    let mut stream =
        Acknowledged::new(&net, |verifier| verifier.states(Arc::clone(&with)).repair(Repair::fetch()));
    stream.send(commit(&alice.write(1)));
    stream.stream.next().await.unwrap().acknowledgement.ack();
    alice.write(1);
    stream.send(commit(&alice.write(1)));
    while stream.stream.core.stats().fetching == 0 {
        run(&mut stream.stream).await;
    }
    assert_eq!(stream.outstanding(), 1);
    net.host(&alice);
    net.fetch.add_permits(1);
    let output = stream.stream.next().await.unwrap();
    assert_eq!((name(&output.message), stream.outstanding()), ("resynced", 1));
    output.acknowledgement.ack();
    assert_eq!(stream.outstanding(), 0);
}

#[tokio::test(start_paused = true)]
async fn e10_a_repair_that_fails_after_a_restart_is_told_as_a_gap() {
    for repair in [Repair::fetch(), Repair::report()] {
        let gapped = Gapped::new().await;
        let (known, net) = (gapped.alice.did.clone(), Arc::clone(&gapped.net));
        net.fetch.add_permits(1 << 20);
        net.accounts.lock().unwrap().get_mut(&known).unwrap().car = b"nonsense".to_vec();
        let is_report = repair.0.is_none();
        let (mut alice, mut stream, store) = gapped.killed(repair).await;
        let output = stream.stream.next().await.unwrap();
        assert_eq!((output.seq, stream.outstanding()), (Some(2), 1));
        let Verified::Gap(gap) = &output.message else { panic!("{:?}", output.message) };
        assert_eq!(gap.commit.rev(), alice.editor.last_commit().unwrap().rev());
        assert_eq!((gap.problem.is_none(), gap.changes.is_none()), (is_report, true));
        assert!(gap.known.as_ref().unwrap().rev < *gap.commit.rev());
        stream.stream.core.saver().save().await.unwrap();
        assert_eq!(unrepaired(&store).await, 1);
        output.acknowledgement.ack();
        stream.stream.core.saver().save().await.unwrap();
        assert_eq!(unrepaired(&store).await, 0);
        assert_eq!(name(&stream.stream.one(commit(&alice.write(1))).await), "commit");
    }
}

/// The event comes again, because the cursor was not saved, and new ones come before the repository is there.
#[tokio::test]
async fn e10_events_after_a_restart_wait_for_the_repair_that_was_left() {
    let mut gapped = Gapped::new().await;
    let trigger = gapped.alice.editor.last_commit().unwrap().clone();
    let next = gapped.alice.write(1);
    gapped.stream.send(commit(&next));
    gapped.net.host(&gapped.alice);
    let net = Arc::clone(&gapped.net);
    let (mut alice, mut stream, _) = gapped.killed(Repair::fetch()).await;
    let mut blocks = crate::repo::CarWriter::new(Vec::new(), &trigger.cid()).unwrap();
    blocks.write(&trigger.cid(), trigger.as_bytes()).unwrap();
    let again = crate::api::com::atproto::sync::subscribe_repos::SyncDef::new(
        0,
        alice.did.clone(),
        crate::types::Bytes::from(blocks.finish().unwrap()),
        trigger.rev().as_str(),
        crate::types::Datetime::now(),
    );
    stream.stream.seq = 1;
    stream.send(again.into());
    stream.send(commit(&next));
    stream.send(commit(&alice.write(1)));
    while count(&net.fetches) < 2 {
        run(&mut stream.stream).await;
    }
    assert_eq!(stream.outstanding(), 0);
    net.fetch.add_permits(1 << 20);
    let mut outputs = Vec::new();
    while let Some(output) = stream.stream.next().await {
        outputs.push(name(&output.message));
        output.acknowledgement.ack();
    }
    assert_eq!(outputs, ["resynced", "commit"]);
    assert_eq!((stream.outstanding(), stream.stream.core.stats().old), (0, 2));
}

/// Hosts can claim any revision: one that does not come is not waited for without end.
#[tokio::test(start_paused = true)]
async fn a_revision_that_is_only_claimed_is_waited_for_but_not_required() {
    let mut gapped = Gapped::new().await;
    let mut claim = commit_message(&gapped.alice.write(1));
    claim.rev = crate::types::Tid::now();
    gapped.stream.send(claim.into());
    assert_eq!(gapped.stream.outstanding(), 0);
    gapped.net.fetch.add_permits(1 << 20);
    let net = Arc::clone(&gapped.net);
    let before = count(&net.fetches);
    let (_, mut stream, _) = gapped.killed(Repair::fetch()).await;
    let output = stream.stream.next().await.unwrap();
    assert_eq!(name(&output.message), "resynced");
    assert_eq!(count(&net.fetches) - before, usize::try_from(limits::REPAIR_ATTEMPTS).unwrap());
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_in_a_flood_during_a_repair_is_owed_no_longer() {
    let mut gapped = Gapped::new().await;
    for _ in 0..QUEUE * 3 {
        let signed = gapped.alice.write(0);
        gapped.stream.send(commit(&signed));
        assert_eq!(gapped.stream.outstanding(), 0);
    }
    assert!(gapped.stream.stream.core.stats().dropped > 0);
    gapped.net.host(&gapped.alice);
    gapped.net.fetch.add_permits(1 << 20);
    while let Some(output) = gapped.stream.stream.next().await {
        output.acknowledgement.ack();
    }
    assert_eq!((gapped.unrepaired().await, gapped.stream.outstanding()), (0, 0));
    assert_eq!((gapped.stream.stream.core.stats().waiting, gapped.stream.stream.core.bytes), (0, 0));
}

/// More than may be fetched or wait at once.
#[tokio::test(start_paused = true)]
async fn many_repairs_that_were_left_have_their_turn_within_the_limits() {
    let net = Net::new();
    net.fetch.forget_permits(1 << 20);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut stream = Gapped::again(&net, &store, Repair::fetch());
    let mut writers: Vec<_> = (0..40).map(|number| Writer::of(plc(number))).collect();
    for writer in &mut writers {
        net.host(writer);
        stream.send(commit(&writer.write(1)));
        stream.stream.next().await.unwrap().acknowledgement.ack();
        writer.write(1);
        stream.send(commit(&writer.write(1)));
        net.host(writer);
    }
    while stream.stream.core.stats().fetching < 40 {
        run(&mut stream.stream).await;
    }
    stream.stream.core.saver().save().await.unwrap();
    let store = left(&store).await;
    drop(stream);
    net.now.store(0, std::sync::atomic::Ordering::SeqCst);
    net.fetch.add_permits(1 << 20);
    let mut stream = Gapped::again(&net, &store, Repair::fetch().at_once(2).waiting(3));
    let mut given = std::collections::BTreeSet::new();
    while let Some(output) = stream.stream.next().await {
        assert_eq!(name(&output.message), "resynced");
        assert!(stream.stream.core.stats().fetching <= 5);
        given.extend(output.message.account().cloned());
        output.acknowledgement.ack();
    }
    assert_eq!(given.len(), 40);
    stream.stream.core.saver().save().await.unwrap();
    assert_eq!(unrepaired(&store).await, 0);
}

/// The list may have accounts that have no repair any longer.
#[tokio::test]
async fn accounts_that_are_only_listed_are_looked_at_and_left_alone() {
    let (net, store): (_, Arc<dyn Store>) = (Net::new(), Arc::new(MemoryStore::new()));
    let listed: Vec<_> = (0..LISTED).map(|number| plc(number).to_string()).collect();
    let list = serde_json::json!({"v": 1, "accounts": listed}).to_string();
    store.put("repo:unrepaired", list.as_bytes(), None, Expected::Any).await.unwrap();
    let mut stream = Gapped::again(&net, &store, Repair::fetch());
    assert!(stream.stream.next().await.is_none());
    assert_eq!((stream.stream.core.stats().accounts, count(&net.fetches)), (LISTED, 0));
}

const LISTED: usize = 100;

/// Accounts whose repositories were left to be fetched, one at a time, and of each of which an event has come since then.
async fn crowded(net: &Arc<Net>, accounts: usize) -> (Acknowledged, Arc<dyn Store>) {
    net.fetch.forget_permits(1 << 20);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut stream = Gapped::again(net, &store, Repair::fetch());
    let mut writers: Vec<_> = (0..accounts).map(|number| Writer::of(plc(number))).collect();
    for writer in &mut writers {
        net.host(writer);
        stream.send(commit(&writer.write(1)));
        stream.stream.next().await.unwrap().acknowledgement.ack();
        writer.write(1);
        stream.send(commit(&writer.write(1)));
        net.host(writer);
    }
    while stream.stream.core.stats().fetching < accounts {
        run(&mut stream.stream).await;
    }
    stream.stream.core.saver().save().await.unwrap();
    let store = left(&store).await;
    drop(stream);
    let mut stream = Gapped::again(net, &store, Repair::fetch().at_once(1).waiting(0));
    stream.stream.seq = 100;
    for writer in &mut writers {
        stream.send(commit(&writer.write(1)));
        net.host(writer);
    }
    while stream.stream.core.waiting.len() < accounts - 1 {
        run(&mut stream.stream).await;
    }
    net.fetch.add_permits(1 << 20);
    (stream, store)
}

/// The places are taken by others, and events of the account come before it has its turn.
#[tokio::test(start_paused = true)]
async fn repairs_that_were_left_wait_for_their_turn_also_if_events_of_their_accounts_come() {
    let (mut stream, store) = crowded(&Net::new(), 5).await;
    let mut given = Vec::new();
    while let Some(output) = stream.stream.next().await {
        given.push(name(&output.message));
        output.acknowledgement.ack();
    }
    assert_eq!(given, ["resynced"; 5]);
    stream.stream.core.saver().save().await.unwrap();
    assert_eq!((unrepaired(&store).await, stream.outstanding()), (0, 0));
}

/// It ends because the server has ended it, for example.
#[tokio::test(start_paused = true)]
async fn repairs_that_wait_when_the_stream_ends_are_left_to_the_next_run() {
    let (mut stream, store) = crowded(&Net::new(), 5).await;
    stream.stream.core.leave_left_over();
    let output = stream.stream.next().await.unwrap();
    assert_eq!(name(&output.message), "resynced");
    output.acknowledgement.ack();
    assert!(stream.stream.next().await.is_none());
    stream.stream.core.saver().save().await.unwrap();
    // The events behind them were not acknowledged.
    assert_eq!((unrepaired(&store).await, stream.outstanding()), (4, 4));
}

#[tokio::test]
async fn what_a_host_says_of_an_account_during_a_repair_is_given_after_it_and_holds_no_cursor() {
    let mut gapped = Gapped::new().await;
    let did = gapped.alice.did.clone();
    gapped.stream.send(identity(&did));
    gapped.stream.send(status(&did, false));
    assert_eq!(gapped.stream.outstanding(), 0);
    gapped.net.fetch.add_permits(1 << 20);
    for expected in ["resynced", "identity", "account"] {
        assert_eq!(gapped.unrepaired().await, 1);
        let output = gapped.stream.stream.next().await.unwrap();
        assert_eq!((name(&output.message), gapped.stream.outstanding()), (expected, 1));
        output.acknowledgement.ack();
    }
    assert_eq!((gapped.unrepaired().await, gapped.stream.outstanding()), (0, 0));
    assert_eq!((gapped.stream.stream.core.stats().waiting, gapped.stream.stream.core.bytes), (0, 0));
}

/// A take-down must not be lost.
#[tokio::test]
async fn what_a_host_has_said_of_an_account_during_a_repair_is_given_after_a_kill() {
    let mut gapped = Gapped::new().await;
    let did = gapped.alice.did.clone();
    gapped.stream.send(status(&did, true));
    gapped.stream.send(identity(&did));
    gapped.stream.send(status(&did, false));
    gapped.net.fetch.add_permits(1 << 20);
    let (mut alice, mut stream, store) = gapped.killed(Repair::fetch()).await;
    let saved = state(&store, &did).await;
    assert_eq!(saved["v"], 3, "earlier versions would leave it out");
    let mut outputs = Vec::new();
    while let Some(output) = stream.stream.next().await {
        outputs.push(output);
    }
    let found: Vec<_> = outputs.iter().map(|output| (name(&output.message), output.seq)).collect();
    // Of two about the same, the last one counts.
    assert_eq!(found, [("resynced", Some(2)), ("identity", Some(4)), ("account", Some(5))]);
    let Verified::Account(told) = &outputs[2].message else { panic!() };
    assert_eq!((told.active, told.status.as_ref().unwrap().as_str()), (false, "deactivated"));
    for (left, output) in (1..=3).rev().zip(outputs) {
        stream.stream.core.saver().save().await.unwrap();
        assert_eq!((unrepaired(&store).await, stream.outstanding()), (1, left));
        output.acknowledgement.ack();
    }
    stream.stream.core.saver().save().await.unwrap();
    assert_eq!((unrepaired(&store).await, stream.outstanding()), (0, 0));
    assert_eq!((stream.stream.core.stats().waiting, stream.stream.core.bytes), (0, 0));
    assert_eq!(state(&store, &did).await["v"], 1);
    let refused = refusal(stream.stream.one(commit(&alice.write(1))).await);
    assert!(matches!(refused, Refusal::Inactive { .. }), "{refused:?}");
}

/// After a restart, what was said first must not come behind what was said last.
#[tokio::test]
async fn what_a_host_says_later_takes_the_place_of_what_was_noted() {
    let mut gapped = Gapped::new().await;
    let did = gapped.alice.did.clone();
    gapped.stream.send(status(&did, false));
    gapped.net.fetch.add_permits(1 << 20);
    let held = gapped.stream.stream.next().await.unwrap();
    gapped.stream.stream.next().await.unwrap().acknowledgement.ack();
    gapped.stream.send(status(&did, true));
    gapped.stream.stream.next().await.unwrap().acknowledgement.ack();
    let (_, mut stream, _) = gapped.killed(Repair::fetch()).await;
    drop(held);
    let (mut last, mut names) = (None, Vec::new());
    while let Some(output) = stream.stream.next().await {
        names.push(name(&output.message));
        if let Verified::Account(told) = output.message {
            last = Some(told.active);
        }
    }
    assert_eq!((names.as_slice(), last), (["resynced", "account"].as_slice(), Some(true)));
}

/// Another gap shows before what was noted for the first one is given.
#[tokio::test]
async fn what_a_host_has_said_survives_another_gap() {
    let mut gapped = Gapped::new().await;
    let did = gapped.alice.did.clone();
    // What the repository will not contain yet: it shows as another gap.
    gapped.alice.write(1);
    gapped.stream.send(commit(&gapped.alice.write(1)));
    gapped.stream.send(status(&did, false));
    gapped.net.fetch.add_permits(1);
    gapped.stream.stream.next().await.unwrap();
    run(&mut gapped.stream.stream).await;
    let (_, _, store) = gapped.killed(Repair::fetch()).await;
    assert_eq!(state(&store, &did).await["repair"]["status"]["active"], false);
}

/// Whether the account is at the host of the stream is known then, or found out when the event has its turn.
#[tokio::test]
async fn what_the_pds_of_an_account_says_during_a_repair_holds_no_cursor() {
    let (net, mut alice) = (Net::new(), Writer::new("alice"));
    net.host(&alice);
    net.fetch.forget_permits(1 << 20);
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let again = |store: &Arc<dyn Store>| {
        let states = StoredStates::shared(Arc::clone(store));
        Acknowledged::new(&net, |verifier| verifier.states(states).repair(Repair::fetch()).hosted_by(PDS))
    };
    let mut stream = again(&store);
    stream.send(commit(&alice.write(1)));
    stream.stream.next().await.unwrap().acknowledgement.ack();
    alice.write(1);
    stream.send(commit(&alice.write(1)));
    stream.send(identity(&alice.did));
    stream.send(status(&alice.did, false));
    net.host(&alice);
    while stream.stream.core.stats().fetching == 0 {
        run(&mut stream.stream).await;
    }
    assert_eq!(stream.outstanding(), 0);
    stream.stream.core.saver().save().await.unwrap();
    let killed = left(&store).await;
    net.fetch.add_permits(1 << 20);
    for mut stream in [stream, again(&killed)] {
        assert_eq!(names(&stream.stream.outputs().await), ["resynced", "identity", "account"]);
    }
}

/// More than may be given since the first that is not acknowledged.
#[tokio::test]
async fn an_account_that_is_fetched_for_minutes_does_not_stop_the_stream_whatever_is_said_of_it() {
    let mut world = World::new().await;
    let signed = [(); 3].map(|()| world.alice.write(1));
    let did = world.alice.did.clone();
    let told = |kind: &str, seq: i64, did: &Did| {
        let time = "2026-11-27T00:00:00.000Z";
        message(
            kind,
            &serde_json::json!({"seq": seq, "did": did.as_str(), "time": time, "active": false, "status": "takendown"}),
        )
    };
    let mut frames = vec![frame("#commit", 1, &signed[0]), frame("#commit", 2, &signed[2])];
    frames.extend([told("#identity", 3, &did), told("#account", 4, &did)]);
    frames.extend((5..=200).map(|seq| told("#identity", seq, &plc(1))));
    world.server.then(Script::accept().frames(frames));
    world.server.then(Script::accept());
    world.pds.answer(GET_REPO, car(world.alice.car()).delay(Duration::from_secs(600)));
    let most = 20;
    let killed = {
        let mut events = world.events_as("test", Repair::fetch(), |stream| stream.max_unacknowledged(most));
        for _ in 0..197 {
            next(&mut events).await.unwrap().unwrap().ack();
        }
        let moved = async || {
            let _ = tokio::time::timeout(Duration::from_millis(10), events.next()).await;
            let saved = cursor(&world.store).await;
            saved["cursor"] == 200 && saved.get("beyond").is_none()
        };
        until("the cursor is beyond the repair", moved).await;
        left(&world.store).await
    };
    world.store = killed;
    world.pds.replace(GET_REPO, car(world.alice.car()));
    let mut events = world.events_as("test", Repair::fetch(), |stream| stream.max_unacknowledged(most));
    let mut found = Vec::new();
    for _ in 0..3 {
        let event = next(&mut events).await.unwrap().unwrap();
        found.push((name(event.message()), event.seq()));
        event.ack_saved().await.unwrap();
    }
    assert_eq!(found, [("resynced", Some(2)), ("identity", Some(3)), ("account", Some(4))]);
    events.stop().await.unwrap();
    assert_eq!(unrepaired(&world.store).await, 0);
    assert_eq!(state(&world.store, &did).await["status"]["reason"], "takendown");
}
