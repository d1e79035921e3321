//! Version 2: a subscription of a lexicon, with an archive before it.

mod dictionaries;
mod protocol;

use std::{fmt, sync::Arc, time::SystemTime};

use zeroize::Zeroizing;

use super::{EventKind, Events, FIRST_TIME, Filter, InvalidFilter, InvalidStream};
use crate::{
    PublicClient,
    stream::{
        endpoint::{is_exposed, origin_of},
        engine::Over,
        options::{StreamOptions, stream_options},
    },
    types::Did,
    xrpc::{InvalidService, Transport},
};
use dictionaries::Compressing;
use protocol::V2Protocol;

/// How long the query of a filter may be: a URL has at most 65,534 bytes, and the server, a cursor and a dictionary are in it too.
const LONGEST_QUERY: usize = 60_000;

/// The path of the stream at a server.
const PATH: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";

/// A stream of version 2 that has not been started. Returned by [`Jetstream::v2`](super::Jetstream::v2).
///
/// Positions are sequence numbers of the server. Those of another server mean something else, and those of version 1 are times:
/// [`since`](Self::since) starts at one. A server keeps the events of about the last 36 hours for streams, and all of them in its
/// archive: [`replay`](Self::replay) reads that first.
///
/// Without a replay, a stream ends with the error
/// [`CursorTooOld`](crate::api::network::bsky::jetstream::subscribe_events::Error::CursorTooOld) if it is to begin, or to go on after an
/// interruption, after a position that is only in the archive. So nothing is left out in silence.
///
/// ```no_run
/// use std::env;
///
/// use atproto_sdk::stream::jetstream::Jetstream;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // All posts that there are, and then the new ones.
/// let mut events = Jetstream::v2("jetstream.us-east.bsky.network")
///     .collections(["app.bsky.feed.post"])
///     .after(0)
///     .replay()
///     .token(env::var("JETSTREAM_TOKEN")?)
///     .stream()?;
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
///     if let Some(commit) = event.message().as_commit() {
///         println!("{} {}", commit.operation, commit.uri());
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a stream does nothing until `stream` is called, and what that returns is polled"]
pub struct V2<'c> {
    server: Server,
    filter: Filter,
    kinds: Vec<EventKind>,
    since: Option<i64>,
    compressed: bool,
    replay: bool,
    token: Option<Zeroizing<String>>,
    options: StreamOptions<'c>,
}

enum Server {
    Address(String),
    Over(Arc<dyn Transport>),
}

impl<'c> V2<'c> {
    pub(super) fn new(address: String) -> Self {
        Self::build(Server::Address(address))
    }

    /// Creates a stream over a client for the server.
    pub(super) fn over(transport: impl Transport + 'static) -> Self {
        Self::build(Server::Over(Arc::new(transport)))
    }

    fn build(server: Server) -> Self {
        Self {
            server,
            filter: Filter::new(),
            kinds: Vec::new(),
            since: None,
            compressed: true,
            replay: false,
            token: None,
            options: StreamOptions::default(),
        }
    }

    /// Sets what the stream should contain. Replaces what was set before.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Only commits of these collections: NSIDs, or everything below a prefix, such as `app.bsky.feed.*`. See
    /// [`Filter::collections`].
    pub fn collections<C: Into<String>>(mut self, collections: impl IntoIterator<Item = C>) -> Self {
        self.filter = self.filter.collections(collections);
        self
    }

    /// Only events of these accounts, about 1,400 of them: the URL of the stream has no room for more. See [`Filter::dids`].
    pub fn dids(mut self, dids: impl IntoIterator<Item = Did>) -> Self {
        self.filter = self.filter.dids(dids);
        self
    }

    /// Only events of these kinds. Without it, or with none, all of them.
    ///
    /// Whoever stores records needs all of them: only an account event tells that the records of an account are gone.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Starts with the events that the server has seen at this time or later, unless the stream is started
    /// [after](Self::after) a position. It goes back as far as the server keeps events for streams, and a
    /// [`Notice::Gap`](crate::stream::Notice::Gap) is told only if there was a position. It cannot be combined with
    /// [`replay`](Self::replay), because an archive is read after a position.
    pub fn since(mut self, time: SystemTime) -> Self {
        let micros = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
        self.since = Some(i64::try_from(micros).unwrap_or(i64::MAX).max(FIRST_TIME));
        self
    }

    /// Has the server compress messages, with a dictionary that it gives. This is the default. A server that has none sends messages
    /// as they are. If the dictionary cannot be fetched for the moment, it is tried again with the next connection.
    pub fn compressed(mut self, compressed: bool) -> Self {
        self.compressed = compressed;
        self
    }

    /// Reads the archive of the server first, after the position that the stream is started [after](Self::after), or all of it. Then
    /// the stream goes on where the archive ends, so that nothing is missing or given twice. The same happens if the stream is
    /// interrupted for so long that what was missed is only in the archive.
    ///
    /// An archive has what was deleted or replaced since for some hours at most, and the events that tell so for ever, in the order in
    /// which everything happened: whoever applies each event in turn ends with what is there. It is read in blocks of a few megabytes,
    /// so memory does not depend on its size, but the whole network takes many hours.
    pub fn replay(mut self) -> Self {
        self.replay = true;
        self
    }

    /// Sets the token for the archive, which not every server requires. It is not sent with the stream.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Zeroizing::new(token.into()));
        self
    }

    stream_options!();

    /// Starts the stream. It connects when it is polled.
    ///
    /// # Errors
    ///
    /// Returns an error if the address, the filter or the position is invalid, if there is both a time and a replay, or if the
    /// token would be sent in plain text to another machine.
    pub fn stream(self) -> Result<Events<'c>, InvalidStream> {
        let Self { server, filter, kinds, since, compressed, replay, token, options } = self;
        filter.check()?;
        if !filter.collections.is_empty() && !kinds.is_empty() && !kinds.contains(&EventKind::Commit) {
            return Err(InvalidFilter::KindsWithoutCommits.into());
        }
        if replay && since.is_some() {
            return Err(InvalidStream::SinceWithReplay);
        }
        if let Some(after) = options.after.filter(|after| *after >= FIRST_TIME) {
            return Err(InvalidStream::NotASequenceNumber { position: after });
        }
        let filter = filter.normal();
        let bytes = protocol::query_of(&filter, &kinds).as_str().len();
        if bytes > LONGEST_QUERY {
            return Err(InvalidFilter::TooLong { bytes, limit: LONGEST_QUERY }.into());
        }
        let transport: Arc<dyn Transport> = match server {
            Server::Over(transport) => transport,
            Server::Address(address) => {
                let origin = origin_of(&address, PATH)?;
                if token.is_some() && is_exposed(&origin) {
                    return Err(InvalidStream::Server(InvalidService::Insecure { address: origin }));
                }
                Arc::new(PublicClient::new(&origin)?)
            }
        };
        let token = token.filter(|_| replay).map(Arc::new);
        let dictionaries = dictionaries::Dictionaries::new(compressed);
        let over = Arc::new(Compressing::new(Arc::clone(&transport), Arc::clone(&dictionaries)));
        let archive = replay.then_some(protocol::ArchiveOf { transport, token });
        let limit = options.terms.max_message_size;
        let protocol = V2Protocol::new(filter, kinds, since, dictionaries, archive, limit);
        Ok(Events::new(Over::Owned(over), Box::new(protocol), options))
    }
}

impl fmt::Debug for V2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = match &self.server {
            Server::Address(address) => address,
            Server::Over(_) => "..",
        };
        f.debug_struct("V2").field("address", &address).field("filter", &self.filter).finish_non_exhaustive()
    }
}
