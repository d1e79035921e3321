use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use tests::stream_server::{Script, StreamServer};

use super::super::{Channel, Event, Events, Message, Tap};
use crate::{
    stream::StreamError,
    xrpc::{Attempt, Backoff},
};

/// What a test waits for happens long before.
const LIMIT: Duration = Duration::from_secs(20);

/// Hardly waits.
struct Quick;

impl Backoff for Quick {
    fn wait(&self, _: &Attempt<'_>) -> Duration {
        Duration::from_millis(5)
    }
}

fn event(id: i64) -> String {
    format!(
        r#"{{"id":{id},"type":"record","record":{{"live":true,"rev":"3jzfcijpj2z2a","did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz",
           "collection":"com.example.note","rkey":"3jzfcijpj2z2b","action":"delete"}}}}"#
    )
}

fn channel(server: &StreamServer) -> Channel<'static> {
    Tap::new(&server.url()).unwrap().channel().backoff(Quick)
}

async fn next(events: &mut Events<'_>) -> Option<Result<Event, StreamError>> {
    tokio::time::timeout(LIMIT, events.next()).await.unwrap()
}

/// The next event, whose number is told.
async fn take(events: &mut Events<'_>) -> (i64, Event) {
    let event = next(events).await.unwrap().unwrap();
    (event.id().unwrap(), event)
}

fn acks(ids: &[i64]) -> Vec<String> {
    ids.iter().map(|id| format!(r#"{{"type":"ack","id":{id}}}"#)).collect()
}

/// Waits until these were acknowledged on a connection, in any order.
async fn acknowledged(server: &StreamServer, connection: usize, ids: &[i64]) {
    let mut expected = acks(ids);
    expected.sort();
    let seen = server
        .wait_for(|seen| seen.get(connection).is_some_and(|seen| seen.texts.len() >= expected.len()))
        .await;
    let mut texts = seen[connection].texts.clone();
    texts.sort();
    assert_eq!(texts, expected);
}

#[tokio::test]
async fn e12_an_event_is_acknowledged_when_the_next_one_is_asked_for() {
    let server = StreamServer::start().await.unwrap();
    // Tap sends what comes after a live event only after that was acknowledged.
    server.then(Script::accept().text(event(7)).await_texts(1).text(event(8)).await_texts(2).text(event(9)));
    let mut events = channel(&server).stream();
    let (id, first) = take(&mut events).await;
    assert_eq!(id, 7);
    // Dropped: done with, unless what follows is the end.
    drop(first);
    assert!(server.seen()[0].texts.is_empty());
    assert_eq!(take(&mut events).await.0, 8);
    acknowledged(&server, 0, &[7]).await;
    let (id, last) = take(&mut events).await;
    assert_eq!(id, 9);
    drop(last);
    events.stop().await;
    acknowledged(&server, 0, &[7, 8, 9]).await;
    assert_eq!(server.seen()[0].request.path, "/channel");
}

#[tokio::test]
async fn e12_what_was_not_processed_to_its_end_is_not_acknowledged() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(event(1)).text(event(2)).text(event(3)));
    // An error ends the consumer.
    let mut events = channel(&server).stream();
    assert_eq!(take(&mut events).await.0, 1);
    drop(take(&mut events).await);
    drop(events);
    let seen = server.wait_for(|seen| seen[0].left).await;
    assert_eq!(seen[0].texts, acks(&[1]), "the second one was dropped by what ended the consumer");

    // A panic ends the processing of one.
    let mut events = channel(&server).stream();
    let (_, first) = take(&mut events).await;
    let processing = AssertUnwindSafe(async move {
        let _event = first;
        panic!("the database is gone");
    });
    assert!(processing.catch_unwind().await.is_err());
    assert_eq!(take(&mut events).await.0, 2);
    events.stop().await;
    acknowledged(&server, 1, &[2]).await;
}

#[tokio::test]
async fn e12_events_are_acknowledged_in_the_order_in_which_they_are_done_with() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(event(1)).text(event(2)).text(event(3)).await_texts(3).text(event(4)));
    let mut events = channel(&server).stream();
    let (first, second, third) =
        (take(&mut events).await.1, take(&mut events).await.1, take(&mut events).await.1);
    // From another task, while this one waits for the next event.
    let done = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(third);
        drop(first);
        second.ack();
    });
    assert_eq!(take(&mut events).await.0, 4);
    done.await.unwrap();
    let texts = server.seen()[0].texts.clone();
    assert_eq!(texts.len(), 3);
    assert!(
        texts.contains(&acks(&[2])[0])
            && texts.iter().position(|it| *it == acks(&[3])[0])
                < texts.iter().position(|it| *it == acks(&[1])[0])
    );
}

#[tokio::test]
async fn e12_many_can_be_processed_at_the_same_time() {
    let server = StreamServer::start().await.unwrap();
    let script = (1..=50).fold(Script::accept(), |script, id| script.text(event(id)));
    server.then(script);
    let events = channel(&server).stream();
    let processing = events.for_each_concurrent(8, |event| async move {
        tokio::time::sleep(Duration::from_millis(event.unwrap().id().unwrap() as u64 % 7)).await;
    });
    let all: Vec<i64> = (1..=50).collect();
    tokio::select! {
        () = processing => panic!("the stream does not end"),
        () = acknowledged(&server, 0, &all) => {}
    }
}

#[tokio::test]
async fn e12_by_hand_nothing_is_acknowledged_that_was_only_dropped() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(event(1)).text(event(2)).text(event(1)).text(event(3)));
    let mut events = channel(&server).explicit_acknowledgements().stream();
    drop(take(&mut events).await);
    take(&mut events).await.1.ack();
    // What was given up comes again, and is given again.
    let (id, again) = take(&mut events).await;
    assert_eq!(id, 1);
    again.ack();
    drop(take(&mut events).await);
    events.stop().await;
    acknowledged(&server, 0, &[2, 1]).await;
}

#[tokio::test]
async fn e12_an_event_that_is_being_processed_is_not_given_again() {
    let server = StreamServer::start().await.unwrap();
    // Tap has lost its patience.
    server.then(Script::accept().text(event(1)).text(event(1)).text(event(2)).await_texts(1).text(event(1)));
    let mut events = channel(&server).explicit_acknowledgements().stream();
    let (_, first) = take(&mut events).await;
    assert_eq!(take(&mut events).await.0, 2);
    assert_eq!(events.stats().repeated, 1);
    first.ack();
    // What comes after it was acknowledged is another delivery, which may be necessary.
    assert_eq!(take(&mut events).await.0, 1);
}

#[tokio::test]
async fn e12_an_event_that_is_being_processed_is_not_given_again_on_another_connection() {
    let server = StreamServer::start().await.unwrap();
    let bad = event(3).replace(r#""live":true"#, r#""live":"yes""#);
    server.then(Script::accept().text(event(1)).text(event(2)).text(&bad).cut());
    // Tap sends everything again that was not acknowledged.
    let again = Script::accept().text(event(1)).text(event(2)).text(&bad).text(event(4));
    server.then(again.await_texts(1).text(event(1)).text(event(5)));
    let mut events = channel(&server).explicit_acknowledgements().stream();
    let (_, first) = take(&mut events).await;
    // One that was given up is given again, and so is one that nobody has.
    drop(take(&mut events).await);
    assert!(matches!(next(&mut events).await, Some(Err(StreamError::Undecodable(_)))));
    assert_eq!(take(&mut events).await.0, 2);
    assert!(matches!(next(&mut events).await, Some(Err(StreamError::Undecodable(_)))));
    assert_eq!(take(&mut events).await.0, 4);
    assert_eq!(events.stats().repeated, 1);
    // It is acknowledged on the connection that there is.
    first.ack();
    acknowledged(&server, 1, &[1]).await;
    assert_eq!(take(&mut events).await.0, 1);
}

#[tokio::test]
async fn e12_what_is_acknowledged_without_a_connection_is_sent_with_the_next_one() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(event(1)).text(event(2)).cut());
    server.then(Script::accept().await_texts(2).text(event(2)).text(event(3)));
    let mut events = channel(&server).explicit_acknowledgements().stream();
    let (_, first) = take(&mut events).await;
    let (_, second) = take(&mut events).await;
    let third = tokio::spawn(async move {
        let third = take(&mut events).await;
        (third.0, events)
    });
    server.wait_for(|seen| seen.len() == 2).await;
    first.ack();
    second.ack();
    // On another connection, the same number is another delivery.
    let (id, _events) = third.await.unwrap();
    assert_eq!(id, 2);
    acknowledged(&server, 1, &[1, 2]).await;
}

#[tokio::test]
async fn e12_an_event_that_cannot_be_decoded_is_told_and_acknowledged() {
    let server = StreamServer::start().await.unwrap();
    let bad = event(1).replace(r#""live":true"#, r#""live":"yes""#);
    let unknown = r#"{"id":2,"type":"weather"}"#;
    server.then(Script::accept().text(&bad).text(unknown).text(event(3)));
    let mut events = channel(&server).stream();
    let Err(StreamError::Undecodable(undecodable)) = next(&mut events).await.unwrap() else { panic!() };
    assert_eq!((undecodable.seq, undecodable.kind.as_str()), (Some(1), "record"));
    // Whether the consumer asks for another one or not.
    acknowledged(&server, 0, &[1]).await;
    let (id, event) = take(&mut events).await;
    assert!(matches!(event.message(), Message::Other(_)) && id == 2);
    drop(event);
    take(&mut events).await;
    acknowledged(&server, 0, &[1, 2]).await;

    // By hand, that is up to the consumer.
    let mut events = channel(&server).explicit_acknowledgements().stream();
    let Err(StreamError::Undecodable(undecodable)) = next(&mut events).await.unwrap() else { panic!() };
    take(&mut events).await.1.ack();
    events.ack(undecodable.seq.unwrap());
    events.stop().await;
    acknowledged(&server, 1, &[1, 2]).await;
}

#[tokio::test]
async fn e12_a_tap_without_acknowledgements_gets_none() {
    let server = StreamServer::start().await.unwrap();
    server.then(Script::accept().text(event(1)).text(event(2)));
    let mut events = channel(&server).without_acknowledgements().stream();
    drop(take(&mut events).await);
    take(&mut events).await.1.ack();
    events.ack(1);
    events.stop().await;
    assert!(server.wait_for(|seen| seen[0].left).await[0].texts.is_empty());
}
