//! Subscriptions of a PDS with every kind of client.

use std::{collections::BTreeMap, time::Duration};

use atproto_sdk::{
    Client, PasswordClient, PublicClient,
    api::{
        app::bsky::feed::post::Post,
        com::atproto::sync::subscribe_repos::{self, Message, SubscribeRepos},
    },
    stream::{Events, Notice, StreamError, Subscribe},
    types::Expected,
};

use crate::{World, post};

/// What a test waits for is there long before.
const LIMIT: Duration = Duration::from_secs(30);

async fn next(events: &mut Events<'_, SubscribeRepos>) -> Message {
    let event = tokio::time::timeout(LIMIT, events.next()).await.unwrap().unwrap().unwrap();
    let lag = event.lag().unwrap();
    assert!(lag < Duration::from_secs(600), "{lag:?}");
    event.into_message()
}

/// The operations on records, in their order, until there are so many.
async fn operations(events: &mut Events<'_, SubscribeRepos>, count: usize) -> Vec<(i64, String)> {
    let mut all = Vec::new();
    while all.len() < count {
        if let Message::Commit(commit) = next(events).await {
            all.extend(commit.ops.iter().map(|op| (commit.seq, format!("{} {}", op.action, op.path))));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_every_client_reads_what_the_pds_sends_and_goes_on_after_a_cursor() {
    let world = World::new().await;
    let pds = world.network.pds();
    let signed_in = world.sign_in().await;
    let password =
        PasswordClient::sign_in(pds, world.account.handle.as_str(), &world.account.password).await.unwrap();
    let clients: Vec<(&str, Client)> = vec![
        ("public", PublicClient::new(pds).unwrap().into()),
        ("password", password.into()),
        ("OAuth", signed_in.clone().into()),
    ];
    // From the beginning: the account, and its empty repository.
    let mut kinds = BTreeMap::<&str, usize>::new();
    let mut events = clients[0].1.com_atproto_sync().subscribe_repos().after(0).stream();
    while kinds.len() < 4 {
        let kind = match next(&mut events).await {
            Message::Commit(_) => "commit",
            Message::Identity(_) => "identity",
            Message::Account(_) => "account",
            Message::Sync(_) => "sync",
            other => panic!("{other:?}"),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    events.stop().await.unwrap();

    let mut live = Vec::new();
    for (name, client) in &clients {
        let (sender, connected) = tokio::sync::oneshot::channel();
        let mut sender = Some(sender);
        let observe = move |notice: &Notice| {
            if matches!(notice, Notice::Connected { .. }) {
                sender.take().unwrap().send(()).unwrap();
            }
        };
        let subscribe = client.com_atproto_sync().subscribe_repos().observe(observe);
        live.push((name, subscribe.stream(), connected));
    }
    // A stream connects when it is polled.
    for (name, events, connected) in &mut live {
        tokio::select! {
            event = events.next() => panic!("{name}: {event:?}"),
            connected = connected => connected.unwrap(),
        }
    }
    let posts = signed_in.records::<Post>();
    let made = posts.create(&post("one")).await.unwrap();
    let key = made.uri.record_key().unwrap();
    posts.put(&key, &post("two"), Expected::Any).await.unwrap();
    posts.delete(&key, Expected::Any).await.unwrap();
    let expected: Vec<String> = ["create", "update", "delete"]
        .map(|action| format!("{action} app.bsky.feed.post/{}", key.as_str()))
        .to_vec();
    let mut first = 0;
    for (name, events, _) in &mut live {
        let all = operations(events, 3).await;
        let found: Vec<&str> = all.iter().map(|(_, operation)| operation.as_str()).collect();
        assert_eq!(found, expected, "{name}");
        let stats = events.stats();
        assert_eq!((stats.position, stats.messages, stats.reconnects), (Some(all[2].0), 3, 0), "{name}");
        first = all[0].0;
    }
    // After the first one, the other two come, in a stream that owns its client.
    for (name, client) in &clients {
        let mut events =
            Subscribe::<SubscribeRepos>::new(client.clone(), subscribe_repos::Params::new().cursor(first))
                .stream();
        let all = operations(&mut events, 2).await;
        assert_eq!(
            (all[0].1.as_str(), all[1].1.as_str()),
            (expected[1].as_str(), expected[2].as_str()),
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn e3_the_pds_refuses_a_cursor_of_the_future() {
    let world = World::new().await;
    let client = PublicClient::new(world.network.pds()).unwrap();
    let mut events = client.com_atproto_sync().subscribe_repos().after(1_000_000_000).stream();
    let error = tokio::time::timeout(LIMIT, events.next()).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, StreamError::Ended { .. }), "{error:?}");
    assert_eq!(error.lexicon_error(), Some(subscribe_repos::Error::FutureCursor), "{error}");
    assert!(events.next().await.is_none());
}
