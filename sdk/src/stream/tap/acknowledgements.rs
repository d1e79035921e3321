//! Which events are to be acknowledged, and how that reaches the server.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

use crate::stream::channel::Sender;

/// What a stream, its protocol and its events share.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Sends on the last connection.
    sender: Option<Sender>,
    /// What has come and is not acknowledged: Tap sends it again after a time, and on another connection, although it is still being
    /// processed.
    open: HashMap<i64, Open>,
    /// Done with, which counts when the consumer asks for the next event.
    done: Vec<i64>,
    /// Acknowledged while there was no connection.
    unsent: Vec<i64>,
    /// The consumer, which waits for the next event.
    consumer: Option<Waker>,
}

/// Who has to do with an event that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// Nobody yet, or nobody who would tell that it is done with.
    Come,
    /// A consumer has it, or had it and is done with it.
    Given,
}

fn message(id: i64) -> String {
    format!(r#"{{"type":"ack","id":{id}}}"#)
}

impl State {
    fn acknowledge(&mut self, id: i64) {
        self.open.remove(&id);
        let sent = self.sender.as_ref().is_some_and(|sender| sender.send(message(id)));
        if !sent {
            self.unsent.push(id);
        }
    }
}

impl Acknowledgements {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection has been made.
    pub(super) fn connect(&self, sender: Sender) {
        let mut state = self.state();
        state.sender = Some(sender);
        // What nobody has comes anew. What is being processed is acknowledged on this connection.
        state.open.retain(|_, open| *open == Open::Given);
        for id in std::mem::take(&mut state.unsent) {
            state.acknowledge(id);
        }
    }

    /// An event has come. Returns `false` if it is still being processed.
    pub(super) fn open(&self, id: i64) -> bool {
        match self.state().open.entry(id) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(Open::Come);
                true
            }
        }
    }

    /// The consumer has an event, and will tell what becomes of it.
    pub(super) fn note_given(&self, id: i64) {
        self.state().open.insert(id, Open::Given);
    }

    /// Acknowledges an event at once, or as soon as there is a connection.
    pub(super) fn acknowledge(&self, id: i64) {
        self.state().acknowledge(id);
    }

    /// The consumer is done with an event.
    pub(super) fn note_done(&self, id: i64) {
        let mut state = self.state();
        state.done.push(id);
        let consumer = state.consumer.take();
        drop(state);
        if let Some(consumer) = consumer {
            consumer.wake();
        }
    }

    /// The consumer has given up on an event, which may come again.
    pub(super) fn note_undone(&self, id: i64) {
        self.state().open.remove(&id);
    }

    /// Acknowledges everything that the consumer is done with.
    pub(super) fn settle(&self, consumer: Option<&Waker>) {
        let mut state = self.state();
        for id in std::mem::take(&mut state.done) {
            state.acknowledge(id);
        }
        state.consumer = consumer.cloned();
    }
}
