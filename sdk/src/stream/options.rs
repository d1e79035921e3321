//! The options of every kind of stream.

use std::{sync::Arc, time::Duration};

use http::HeaderMap;

use super::{Notice, channel::Room, connection::Terms, durable::Resume};
use crate::{
    limits,
    store::Store,
    xrpc::{Backoff, InvalidRequest, insert_header},
};

/// The largest message, by default: the specification limits frames to 5 MB.
const MAX_MESSAGE_SIZE: usize = 5 << 20;
/// How many messages may wait for the consumer, by default.
const BUFFER: usize = 1024;
/// How many bytes the messages that wait may have, by default.
const BUFFER_BYTES: usize = 16 << 20;

/// Called with what happens to a stream.
pub(super) type Observer<'c> = Box<dyn FnMut(&Notice) + Send + 'c>;

pub(crate) struct StreamOptions<'c> {
    pub(super) after: Option<i64>,
    pub(super) observer: Option<Observer<'c>>,
    pub(super) terms: Terms,
    pub(super) backoff: Option<Arc<dyn Backoff>>,
    pub(super) give_up_after: Option<Duration>,
    pub(super) resume: Resume,
    pub(super) headers: HeaderMap,
    pub(super) problem: Option<InvalidRequest>,
}

impl Default for StreamOptions<'_> {
    fn default() -> Self {
        Self {
            after: None,
            observer: None,
            terms: Terms {
                room: Room { messages: BUFFER, bytes: BUFFER_BYTES },
                max_message_size: MAX_MESSAGE_SIZE,
                keep_alive: limits::STREAM_KEEP_ALIVE,
            },
            backoff: None,
            give_up_after: None,
            resume: Resume::default(),
            headers: HeaderMap::new(),
            problem: None,
        }
    }
}

impl StreamOptions<'_> {
    /// A header of the caller, which can be a credential whatever its name is.
    pub(super) fn header(&mut self, name: &str, value: &str) {
        if let Err(problem) = insert_header(&mut self.headers, name, value, true) {
            self.problem.get_or_insert(problem);
        }
    }

    pub(super) fn resume(&mut self, name: &str, store: Arc<dyn Store>) {
        (self.resume.name, self.resume.store) = (Some(name.to_owned()), Some(store));
    }

    pub(super) fn buffer(&mut self, messages: usize, bytes: usize) {
        self.terms.room = Room { messages, bytes };
    }
}

/// The options of a stream, as methods of its builder; those of one without positions are fewer.
macro_rules! stream_options {
    () => {
        /// Starts after this position, instead of with what comes from now on: the position of the last message that
        /// was processed, [`Event::seq`](crate::stream::Event::seq).
        ///
        /// Servers keep messages for some time, often a few days. If this one does not have everything any more, a
        /// [`Notice::Gap`](crate::stream::Notice::Gap) tells what is lost. Servers of Jetstream do otherwise: see its streams.
        pub fn after(mut self, position: i64) -> Self {
            self.options.after = Some(position);
            self
        }

        /// Keeps in a store what has been processed, under a name, so that the next process goes on from there. Nothing
        /// is lost, even if this process is killed, and nothing comes again but what was not acknowledged and saved.
        ///
        /// Every event has to be acknowledged, in any order: with [`Event::ack`](crate::stream::Event::ack) or
        /// [`Event::ack_saved`](crate::stream::Event::ack_saved), or by dropping it, which counts when the next event
        /// is asked for. An event that is dropped by a panic does not count, and ends the stream.
        ///
        /// The store is one of those for sessions. The first time, the stream begins with what comes from now on, or
        /// [`after`](Self::after) a position. A name is for one stream of one server, and for one process at a time; see
        /// [`CursorError`](crate::stream::CursorError).
        ///
        /// ```no_run
        /// use atproto_sdk::{PublicClient, store::FileStore};
        ///
        /// # async fn index<T>(_: T) -> Result<(), std::io::Error> { Ok(()) }
        /// # async fn example(relay: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
        /// let store = FileStore::open("indexer.json")?;
        /// let mut events = relay.com_atproto_sync().subscribe_repos().resume("indexer", store).stream();
        /// while let Some(event) = events.next().await {
        ///     let event = match event {
        ///         Ok(event) => event,
        ///         // One message is not what its lexicon says. The stream goes on.
        ///         Err(error) if !error.is_end() => {
        ///             eprintln!("{error}");
        ///             continue;
        ///         }
        ///         Err(error) => return Err(error.into()),
        ///     };
        ///     // If this fails, the event comes again when the program is started again.
        ///     index(event.message()).await?;
        /// }
        /// # Ok(()) }
        /// ```
        pub fn resume(self, name: &str, store: impl $crate::store::Store) -> Self {
            self.resume_shared(name, ::std::sync::Arc::new(store))
        }

        /// The same as [`resume`](Self::resume), with a store that something else uses as well.
        pub fn resume_shared(
            mut self,
            name: &str,
            store: ::std::sync::Arc<dyn $crate::store::Store>,
        ) -> Self {
            self.options.resume(name, store);
            self
        }

        /// Sets how often the progress is saved if nobody waits for it. The default is once a second. If the process is
        /// killed, what was acknowledged since the last time comes again.
        pub fn save_every(mut self, interval: ::std::time::Duration) -> Self {
            self.options.resume.interval = interval;
            self
        }

        /// Sets how many events may be given since the first that is not acknowledged. If there are as many, the next
        /// one is given when that one is acknowledged. The default is 10,000.
        pub fn max_unacknowledged(mut self, events: usize) -> Self {
            self.options.resume.max_unacknowledged = Some(events);
            self
        }

        /// Makes that only explicit acknowledgements count, and that an event which is dropped without one ends the stream with
        /// [`StreamError::Unacknowledged`](crate::stream::StreamError::Unacknowledged).
        pub fn explicit_acknowledgements(mut self) -> Self {
            self.options.resume.is_explicit = true;
            self
        }

        $crate::stream::options::stream_options!(without position);
    };
    (without position) => {
        /// Calls this with everything that happens to the stream besides its messages. It is called while the stream is
        /// polled, and should not take long.
        pub fn observe(mut self, observer: impl FnMut(&$crate::stream::Notice) + Send + 'c) -> Self {
            self.options.observer = Some(Box::new(observer));
            self
        }

        /// Sets after how long a silence a ping is sent. If the server then remains silent for as long again, the
        /// connection is taken for dead, and replaced. The default is 30 seconds,
        /// and the least is 50 milliseconds.
        ///
        /// A stream on which nothing happens is not silent, because the server answers pings.
        pub fn keep_alive(mut self, interval: ::std::time::Duration) -> Self {
            self.options.terms.keep_alive = interval;
            self
        }

        /// Limits the size of a message, in bytes. The default is 5 MiB.
        pub fn max_message_size(mut self, bytes: usize) -> Self {
            self.options.terms.max_message_size = bytes;
            self
        }

        /// Sets how many messages may wait for the consumer, and how many bytes these may have. The default is 1024 messages and
        /// 16 MiB.
        ///
        /// If there are more, nothing is read from the connection until the consumer has caught up, so that the server
        /// has to wait. Its pings are not answered meanwhile; if it ends the connection, the stream is resumed. One message more
        /// than these bytes may be waiting.
        pub fn buffer(mut self, messages: usize, bytes: usize) -> Self {
            self.options.buffer(messages, bytes);
            self
        }

        /// Sets how long it is until another attempt to connect, instead of the backoff of the client.
        pub fn backoff(mut self, backoff: impl $crate::xrpc::Backoff) -> Self {
            self.options.backoff = Some(::std::sync::Arc::new(backoff));
            self
        }

        /// Ends the stream with an error if it has had no connection for this long. By default, a stream that was
        /// connected once is resumed however long that takes.
        pub fn give_up_after(mut self, limit: ::std::time::Duration) -> Self {
            self.options.give_up_after = Some(limit);
            self
        }

        /// Adds a header to the request that starts the stream. A name or value that HTTP does not allow makes the
        /// stream end with an error.
        pub fn header(mut self, name: &str, value: &str) -> Self {
            self.options.header(name, value);
            self
        }
    };
}
pub(crate) use stream_options;
