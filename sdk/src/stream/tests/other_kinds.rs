//! The machine with another protocol than that of lexicons: texts in both directions, an inclusive cursor, positions
//! that repeat, and a transport of its own.

use std::{
    sync::{Arc, Mutex},
    task::Poll,
};

use serde_json::Value;
use tests::stream_server::{Script, StreamServer};

use super::{LIMIT, Quick, client};
use crate::{
    stream::{
        FrameError,
        channel::{Incoming, Sender},
        engine::{Engine, Over},
        options::StreamOptions,
        positions::Order,
        protocol::{Protocol, Read, StreamRequest},
    },
    xrpc::NoError,
};

/// Numbers as texts.
struct Numbers(Arc<str>, Arc<Mutex<Option<Sender>>>);

impl Protocol for Numbers {
    type Message = Value;

    fn name(&self) -> &Arc<str> {
        &self.0
    }

    fn request(&self, after: Option<i64>) -> StreamRequest {
        let query = after.map(|after| format!("cursor={after}")).unwrap_or_default();
        StreamRequest { query, subprotocols: vec!["numbers"], ..StreamRequest::default() }
    }

    fn begin(&mut self, chosen: Option<&str>) -> Result<(), String> {
        if chosen == Some("numbers") { Ok(()) } else { Err("no numbers".to_owned()) }
    }

    fn connected(&mut self, sender: Sender) {
        assert!(sender.send("hello".to_owned()));
        *self.1.lock().unwrap() = Some(sender);
    }

    fn read(&mut self, incoming: Incoming) -> Result<Read<Value>, FrameError> {
        let Incoming::Text(text) = incoming else { return Ok(Read::Skipped) };
        let message: Value = serde_json::from_str(&text).map_err(|_| FrameError::Untyped)?;
        let position = message["at"].as_i64();
        Ok(Read::Message { message, position, distinguisher: 0, time: None, outdated: false })
    }

    fn order(&self) -> Order {
        Order { inclusive: true, repeats: true, ..Order::default() }
    }
}

fn number(at: i64, id: &str) -> String {
    format!(r#"{{"at": {at}, "id": "{id}"}}"#)
}

#[tokio::test]
async fn another_protocol_has_texts_in_both_directions_and_positions_of_its_own() {
    let server = StreamServer::start().await.unwrap();
    server.then(
        Script::accept_as("numbers")
            .await_texts(1)
            .text(number(1, "a"))
            .text(number(2, "b"))
            .text(number(2, "c"))
            .await_texts(2)
            .cut(),
    );
    server.then(
        Script::accept_as("numbers")
            .text(number(2, "b"))
            .text(number(2, "c"))
            .text(number(2, "d"))
            .text(number(3, "e")),
    );
    let options = StreamOptions { backoff: Some(Arc::new(Quick)), ..StreamOptions::default() };
    let over = Over::Owned(Arc::new(client(&server)));
    let sender = Arc::<Mutex<Option<Sender>>>::default();
    let protocol = Box::new(Numbers("com.example.numbers".into(), Arc::clone(&sender)));
    let mut engine: Engine<'_, Value, NoError> = Engine::new(over, protocol, options);
    let mut ids = Vec::new();
    while ids.len() < 5 {
        let next = std::future::poll_fn(|cx| engine.poll_next(cx));
        let given = tokio::time::timeout(LIMIT, next).await.unwrap().unwrap().unwrap();
        ids.push(given.message["id"].as_str().unwrap().to_owned());
        if ids.len() == 3 {
            assert!(sender.lock().unwrap().as_ref().unwrap().send("thanks".to_owned()));
        }
    }
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
    let seen = server.seen();
    assert_eq!(
        (seen[0].texts.as_slice(), seen[1].cursor()),
        (&["hello".to_owned(), "thanks".to_owned()][..], Some(2))
    );
    assert_eq!(seen[1].request.header("sec-websocket-protocol"), Some("numbers"));
    server.wait_for(|seen| seen[1].texts == ["hello"]).await;
    engine.stop().await;
    assert!(!sender.lock().unwrap().as_ref().unwrap().send("too late".to_owned()));
    let over = std::future::poll_fn(|cx| Poll::Ready(engine.poll_next(cx).is_ready())).await;
    assert!(over, "a stream that was stopped has ended");
}
