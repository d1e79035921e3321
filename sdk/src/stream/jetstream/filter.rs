//! What a stream of Jetstream should contain.

use std::{collections::HashSet, fmt};

use crate::{
    server_text::{SHORT, excerpt},
    stream::connection::WRITE_BUFFER,
    types::{Did, Nsid},
};

/// How many accounts the servers accept in a filter. Version 2 has it in a URL, which is too short for more than about 1,400 of
/// them: see [`InvalidFilter::TooLong`].
pub const MOST_DIDS: usize = 10_000;
/// How many collections and prefixes the servers accept in a filter.
pub const MOST_COLLECTIONS: usize = 100;
/// How long the texts of a filter may be: version 1 may send it in one message, beside which there are pongs.
const LONGEST: usize = WRITE_BUFFER - (64 << 10);

/// A kind of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventKind {
    /// A record was created, updated or deleted.
    Commit,
    /// The handle or DID document of an account may have changed.
    Identity,
    /// The status of an account has changed.
    Account,
    /// What is known about a repository must be replaced.
    Sync,
}

impl EventKind {
    /// Returns the name that the servers use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Identity => "identity",
            Self::Account => "account",
            Self::Sync => "sync",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a stream should contain: commits of some collections, events of some accounts, messages up to a size. The default
/// is everything.
///
/// Collections are about commits only: changes of identities and accounts come in any case, because whoever stores records
/// must learn that an account is gone.
///
/// A stream of version 1 takes as many as [`MOST_DIDS`] accounts. One of version 2 asks for them in its URL, where there is room for
/// about 1,400: for more, use several streams, or leave events out on your side.
///
/// ```
/// use atproto_sdk::{did, stream::jetstream::Filter};
///
/// let filter = Filter::new()
///     .collections(["app.bsky.feed.post", "app.bsky.graph.*"])
///     .dids([did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz")]);
/// assert!(filter.check().is_ok());
///
/// let error = Filter::new().collections(["app.bsky.feed.po*"]).check().unwrap_err();
/// assert!(error.to_string().contains("app.bsky.feed.po*"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) collections: Vec<String>,
    pub(super) dids: Vec<Did>,
    pub(super) max_message_size: Option<u32>,
}

impl Filter {
    /// Creates a filter that everything passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only commits of these collections: NSIDs, or everything below a prefix, such as `app.bsky.feed.*`. Replaces those
    /// that were set before; none means all.
    #[must_use]
    pub fn collections<C: Into<String>>(mut self, collections: impl IntoIterator<Item = C>) -> Self {
        self.collections = collections.into_iter().map(Into::into).collect();
        self
    }

    /// Only events of these accounts. Replaces those that were set before; none means all.
    #[must_use]
    pub fn dids(mut self, dids: impl IntoIterator<Item = Did>) -> Self {
        self.dids = dids.into_iter().collect();
        self
    }

    /// Only messages of at most so many bytes. The server leaves out what is longer, deletions included, so this is not for
    /// programs that keep a copy of the network.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u32) -> Self {
        self.max_message_size = Some(bytes);
        self
    }

    /// Checks what the servers would refuse.
    ///
    /// # Errors
    ///
    /// Returns an error if there are more than [`MOST_COLLECTIONS`] collections or [`MOST_DIDS`] accounts, counting each
    /// once, if one of the collections is neither an NSID nor a prefix, or if all of it is too long to be sent. Version 2 has less
    /// room, which is checked when the stream is started.
    pub fn check(&self) -> Result<(), InvalidFilter> {
        let collections: HashSet<&str> = self.collections.iter().map(String::as_str).collect();
        if collections.len() > MOST_COLLECTIONS {
            return Err(InvalidFilter::TooManyCollections { count: collections.len() });
        }
        let dids: HashSet<&Did> = self.dids.iter().collect();
        if dids.len() > MOST_DIDS {
            return Err(InvalidFilter::TooManyDids { count: dids.len() });
        }
        if let Some(collection) = self.collections.iter().find(|collection| !is_collection(collection)) {
            return Err(InvalidFilter::Collection { collection: excerpt(collection, SHORT).into() });
        }
        let in_json = |text: &str| serde_json::to_string(text).map_or(usize::MAX, |json| json.len() + 1);
        let texts = dids.iter().map(|did| did.as_str()).chain(collections.iter().copied());
        let bytes = texts.fold(0, |bytes: usize, text| bytes.saturating_add(in_json(text)));
        if bytes > LONGEST { Err(InvalidFilter::TooLong { bytes, limit: LONGEST }) } else { Ok(()) }
    }

    /// Without repetitions, in an order of their own, so that equal filters are sent as equal requests.
    pub(super) fn normal(mut self) -> Self {
        self.collections.sort_unstable();
        self.collections.dedup();
        self.dids.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        self.dids.dedup();
        self
    }
}

/// Whether a text is an NSID, or a prefix of at least one segment with `.*` behind it.
fn is_collection(text: &str) -> bool {
    match text.strip_suffix(".*") {
        // Whatever can be completed to an NSID.
        Some(prefix) => Nsid::new(format!("{prefix}.a.b")).is_ok(),
        None => Nsid::new(text).is_ok(),
    }
}

/// Why a filter would be refused by the servers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFilter {
    /// There are too many collections.
    #[error(
        "the filter has {count} collections, and the servers accept {MOST_COLLECTIONS}: use prefixes such as `app.bsky.feed.*`"
    )]
    TooManyCollections {
        /// How many there are, counting each once.
        count: usize,
    },
    /// There are too many accounts.
    #[error(
        "the filter has {count} accounts, and the servers accept {MOST_DIDS}: use several streams, or leave accounts out on your side"
    )]
    TooManyDids {
        /// How many there are, counting each once.
        count: usize,
    },
    /// The filter does not fit into what is sent: the URL of version 2, or a message of version 1.
    #[error(
        "the filter takes {bytes} bytes, and the stream can be asked with {limit}: use several streams with fewer accounts each, or leave events out on your side"
    )]
    TooLong {
        /// How long it is, in bytes.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A collection is neither an NSID nor a prefix.
    #[error(
        "`{collection}` is neither a collection like `app.bsky.feed.post` nor a prefix like `app.bsky.feed.*`"
    )]
    Collection {
        /// The beginning of the text.
        collection: Box<str>,
    },
    /// Collections are asked for, but not commits.
    #[error("the filter has collections, which are about commits, and kinds that exclude commits")]
    KindsWithoutCommits,
}

/// Decides about single events, as the servers do: what comes from an archive has not been filtered exactly.
#[derive(Debug, Clone)]
pub(super) struct Matcher {
    kinds: HashSet<EventKind>,
    dids: HashSet<String>,
    collections: HashSet<String>,
    /// With the dot at the end.
    prefixes: Vec<String>,
}

impl Matcher {
    pub(super) fn new(filter: &Filter, kinds: &[EventKind]) -> Self {
        let (prefixes, collections): (Vec<_>, Vec<_>) =
            filter.collections.iter().partition(|collection| collection.ends_with(".*"));
        Self {
            kinds: kinds.iter().copied().collect(),
            dids: filter.dids.iter().map(|did| did.as_str().to_owned()).collect(),
            collections: collections.into_iter().cloned().collect(),
            prefixes: prefixes.into_iter().map(|prefix| prefix.trim_end_matches('*').to_owned()).collect(),
        }
    }

    /// Whether an event of this kind, account and collection is wanted. Only commits have a collection.
    pub(super) fn wants(&self, kind: EventKind, did: &str, collection: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.dids.is_empty() || self.dids.contains(did))
            && (kind != EventKind::Commit || self.wants_collection(collection))
    }

    fn wants_collection(&self, collection: &str) -> bool {
        (self.collections.is_empty() && self.prefixes.is_empty())
            || self.collections.contains(collection)
            || self.prefixes.iter().any(|prefix| collection.starts_with(prefix.as_str()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn e8_filters_are_checked_before_a_server_refuses_them() {
        let many = |count: usize| (0..count).map(|number| format!("com.example.c{number}.*"));
        Filter::new().collections(many(MOST_COLLECTIONS)).check().unwrap();
        // One that is named twice counts once, as on the servers.
        Filter::new().collections(many(MOST_COLLECTIONS).chain(many(1))).check().unwrap();
        let error = Filter::new().collections(many(MOST_COLLECTIONS + 1)).check().unwrap_err();
        assert_eq!(error, InvalidFilter::TooManyCollections { count: 101 });

        let dids =
            |count: usize| (0..count).map(|number| Did::new(format!("did:web:a{number}.test")).unwrap());
        Filter::new().dids(dids(MOST_DIDS)).check().unwrap();
        let error = Filter::new().dids(dids(MOST_DIDS + 1)).check().unwrap_err();
        assert_eq!(error, InvalidFilter::TooManyDids { count: 10_001 });
    }

    #[test]
    fn e8_a_filter_that_cannot_be_sent_is_refused() {
        // A message that is longer than what may wait to be sent is never sent.
        let long = |count: usize| {
            (0..count).map(|number| Did::new(format!("did:web:a{number}.{}.test", "b".repeat(230))).unwrap())
        };
        let error = Filter::new().dids(long(5000)).check().unwrap_err();
        assert!(matches!(error, InvalidFilter::TooLong { bytes, limit } if bytes > limit), "{error}");
        assert!(error.to_string().contains("several streams"), "{error}");
        let longest = Filter::new().dids(long(3500));
        longest.check().unwrap();
        assert!(crate::stream::jetstream::v1::options_update(&longest).len() < WRITE_BUFFER - (32 << 10));
    }

    #[test]
    fn e8_collections_are_nsids_or_whole_segments_with_a_star() {
        for good in ["app.bsky.feed.post", "app.bsky.feed.*", "app.bsky.*", "app.*", "com.example.record"] {
            Filter::new().collections([good]).check().unwrap();
        }
        for bad in ["", "*", ".*", "app.bsky.feed.po*", "app.bsky", "app.bsky.feed.*.post", "app..*", "a b.*"]
        {
            let error = Filter::new().collections([bad]).check().unwrap_err();
            assert_eq!(error, InvalidFilter::Collection { collection: bad.into() }, "{bad}");
        }
    }

    #[test]
    fn e8_each_part_of_a_filter_is_about_something_else() {
        let alice = Did::new("did:plc:ewvi7nxzyoun6zhxrhs64oiz").unwrap();
        let everything = Matcher::new(&Filter::new(), &[]);
        assert!(everything.wants(EventKind::Commit, "did:web:bob.test", "app.bsky.feed.post"));

        let filter =
            Filter::new().collections(["app.bsky.feed.post", "app.bsky.graph.*"]).dids([alice.clone()]);
        let matcher = Matcher::new(&filter, &[]);
        for (collection, wanted) in [
            ("app.bsky.feed.post", true),
            ("app.bsky.feed.postgate", false),
            ("app.bsky.graph.follow", true),
            ("app.bsky.graphics.chart", false),
            ("app.bsky.graph", false),
        ] {
            assert_eq!(matcher.wants(EventKind::Commit, alice.as_str(), collection), wanted, "{collection}");
            assert!(!matcher.wants(EventKind::Commit, "did:web:bob.test", collection));
        }
        // Whoever keeps records must learn that their account is gone.
        assert!(matcher.wants(EventKind::Account, alice.as_str(), ""));
        assert!(!matcher.wants(EventKind::Account, "did:web:bob.test", ""));
        // Unless only commits are asked for.
        let commits = Matcher::new(&filter, &[EventKind::Commit]);
        assert!(!commits.wants(EventKind::Account, alice.as_str(), ""));
        assert!(commits.wants(EventKind::Commit, alice.as_str(), "app.bsky.feed.post"));
    }

    #[test]
    fn equal_filters_are_sent_as_equal_requests() {
        let filter = |collections: [&str; 3]| Filter::new().collections(collections).normal();
        let [a, b, c] = ["app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.post"];
        assert_eq!(filter([a, b, c]), filter([b, c, a]));
        assert_eq!(filter([a, b, c]).collections, ["app.bsky.feed.like", "app.bsky.feed.post"]);
    }
}
