//! Version 1: a stream of its own, with times as positions.

mod given;
mod message;
mod protocol;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[cfg(any(test, fuzzing))]
pub(crate) use message::read;
use protocol::V1Protocol;
#[cfg(test)]
pub(super) use protocol::options_update;

use super::{Dictionary, Events, FIRST_TIME, Filter, InvalidFilter, InvalidStream};
use crate::{
    stream::{
        channel::Sender,
        endpoint::{At, Endpoint, origin_of},
        engine::Over,
        options::{StreamOptions, stream_options},
    },
    types::Did,
};

/// The path of the stream at a server.
const PATH: &str = "/subscribe";

/// A stream of version 1 that has not been started. Returned by [`Jetstream::v1`](super::Jetstream::v1).
///
/// Positions are times, in microseconds since 1970: [`after`](Self::after) takes one, and [`Event::seq`](crate::stream::Event::seq)
/// returns it. Several events can have the same, and each server has times of its own, which differ by some seconds from those of
/// others. So what goes on by itself goes back by five seconds, and drops what it has given before: a stream whose connection was
/// lost, and one that is [resumed](Self::resume) by a later process, at the same server.
///
/// A stream that is started after a position does not go back: it gives the events of that microsecond again, and what comes then. To go
/// on at another server, start some seconds before the last position; what was in them comes again.
///
/// A server that does not keep everything since the position begins with the oldest event that it has, and does not tell it: there is no
/// [`Notice::Gap`](crate::stream::Notice::Gap). Whoever was away for longer compares [`Event::time`](crate::stream::Event::time) of the
/// first event with the position.
///
/// An event whose time is more than an hour in the future comes without a position and a time, because a stream that went on there would
/// miss everything until then.
///
/// ```no_run
/// use atproto_sdk::stream::jetstream::{Filter, Jetstream};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = Jetstream::v1("jetstream2.us-east.bsky.network").collections(["app.bsky.feed.post"]);
/// let filter = stream.live_filter();
/// let mut events = stream.stream()?;
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
///     if event.message().as_commit().is_some_and(|commit| commit.is_delete()) {
///         // From now on, and after every interruption.
///         filter.set(Filter::new().collections(["app.bsky.feed.*"]))?;
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a stream does nothing until `stream` is called, and what that returns is polled"]
pub struct V1<'c> {
    address: String,
    wanted: LiveFilter,
    dictionary: Option<Dictionary>,
    options: StreamOptions<'c>,
}

impl<'c> V1<'c> {
    pub(super) fn new(address: String) -> Self {
        Self { address, wanted: LiveFilter::default(), dictionary: None, options: StreamOptions::default() }
    }

    /// Sets what the stream should contain. Replaces what was set before.
    pub fn filter(self, filter: Filter) -> Self {
        self.wanted.wanted().filter = filter;
        self
    }

    /// Only commits of these collections: NSIDs, or everything below a prefix, such as `app.bsky.feed.*`. See
    /// [`Filter::collections`].
    pub fn collections<C: Into<String>>(self, collections: impl IntoIterator<Item = C>) -> Self {
        self.change(|filter| filter.collections(collections))
    }

    /// Only events of these accounts. See [`Filter::dids`].
    pub fn dids(self, dids: impl IntoIterator<Item = Did>) -> Self {
        self.change(|filter| filter.dids(dids))
    }

    fn change(self, change: impl FnOnce(Filter) -> Filter) -> Self {
        {
            let mut wanted = self.wanted.wanted();
            wanted.filter = change(std::mem::take(&mut wanted.filter));
        }
        self
    }

    /// Has the server compress messages, with a dictionary that it does not give: see [`Dictionary`].
    pub fn compressed_with(mut self, dictionary: Dictionary) -> Self {
        self.dictionary = Some(dictionary);
        self
    }

    /// Returns what changes the filter while the stream is running. A filter that is set before it starts is checked when it starts.
    pub fn live_filter(&self) -> LiveFilter {
        self.wanted.clone()
    }

    stream_options!();

    /// Starts the stream. It connects when it is polled.
    ///
    /// # Errors
    ///
    /// Returns an error if the address, the filter or the position is invalid.
    pub fn stream(self) -> Result<Events<'c>, InvalidStream> {
        let Self { address, wanted, dictionary, options } = self;
        let origin = origin_of(&address, PATH)?;
        if let Some(after) = options.after.filter(|after| *after < FIRST_TIME) {
            return Err(InvalidStream::NotATime { position: after });
        }
        wanted.wanted().normalize()?;
        let protocol = V1Protocol::new(wanted, dictionary, options.terms.max_message_size)?;
        let over = Over::Owned(Arc::new(At { endpoint: Endpoint::new(&origin, None)?, path: PATH.into() }));
        Ok(Events::new(over, Box::new(protocol), options))
    }
}

impl fmt::Debug for V1<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("V1")
            .field("address", &self.address)
            .field("filter", &self.wanted.wanted().filter)
            .finish_non_exhaustive()
    }
}

/// Changes the filter of a running stream. Returned by [`V1::live_filter`]. Cheap to clone.
///
/// ```no_run
/// use atproto_sdk::stream::jetstream::{Filter, InvalidFilter, LiveFilter};
///
/// fn follow(filter: &LiveFilter, collections: &[String]) -> Result<(), InvalidFilter> {
///     filter.set(Filter::new().collections(collections.iter().cloned()))
/// }
/// ```
#[derive(Clone, Default)]
pub struct LiveFilter(Arc<Mutex<Wanted>>);

#[derive(Default)]
struct Wanted {
    filter: Filter,
    /// Increases with every change.
    version: u64,
    /// Sends on the living connection.
    sender: Option<Sender>,
}

impl Wanted {
    fn normalize(&mut self) -> Result<(), InvalidFilter> {
        self.filter.check()?;
        self.filter = std::mem::take(&mut self.filter).normal();
        Ok(())
    }
}

impl LiveFilter {
    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the filter: sends it to the server at once if there is a connection, and with every connection that is made from now
    /// on. What has been received and not read yet, or is on its way, is still given.
    ///
    /// # Errors
    ///
    /// Returns an error if the servers would refuse the filter. Then nothing changes.
    pub fn set(&self, filter: Filter) -> Result<(), InvalidFilter> {
        filter.check()?;
        let mut wanted = self.wanted();
        wanted.filter = filter.normal();
        wanted.version += 1;
        if let Some(sender) = &wanted.sender {
            // Without a living connection, the next one is asked for with the new filter.
            sender.send(protocol::options_update(&wanted.filter));
        }
        Ok(())
    }

    /// Returns the filter.
    pub fn get(&self) -> Filter {
        self.wanted().filter.clone()
    }
}

impl fmt::Debug for LiveFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LiveFilter").field(&self.wanted().filter).finish()
    }
}
