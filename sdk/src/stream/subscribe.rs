//! Starting the subscriptions of lexicons.

use std::{fmt, sync::Arc};

use super::{
    Events, Subprotocol,
    engine::{Over, invalid},
    options::{StreamOptions, stream_options},
    protocol::{Lexicon, Protocol as _},
};
#[cfg(feature = "repo")]
use super::{cursor::BeforeSave, durable::server_of};
use crate::{
    types::Data as _,
    xrpc::{Caller, Subscription, Transport},
};

/// A subscription that has not been started. Returned by the methods of clients, such as
/// `client.com_atproto_sync().subscribe_repos()`.
///
/// ```no_run
/// use atproto_sdk::{PublicClient, api::com::atproto::sync::subscribe_repos::Message};
///
/// # async fn example(client: PublicClient, last: i64) -> Result<(), Box<dyn std::error::Error>> {
/// let mut events = client.com_atproto_sync().subscribe_repos().after(last).stream();
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
///     match event.message() {
///         Message::Commit(commit) => println!("{:?}: {}", event.seq(), commit.repo),
///         Message::Identity(identity) => println!("{:?}: {}", event.seq(), identity.did),
///         _ => {}
///     }
/// }
/// # Ok(()) }
/// ```
#[must_use = "a subscription does nothing until `stream` is called, and what that returns is polled"]
pub struct Subscribe<'c, S: Subscription> {
    over: Over<'c>,
    params: S::Params,
    offered: Option<Vec<Subprotocol>>,
    options: StreamOptions<'c>,
}

impl<S: Subscription> Subscribe<'static, S> {
    /// Creates a subscription over a client of its own, for types that keep a stream.
    ///
    /// ```no_run
    /// use atproto_sdk::{
    ///     PublicClient,
    ///     api::com::atproto::label::subscribe_labels::{Params, SubscribeLabels},
    ///     stream::{Events, Subscribe},
    /// };
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let labeler = PublicClient::new("https://labels.example.com")?;
    /// let events: Events<'static, SubscribeLabels> = Subscribe::new(labeler, Params::new()).stream();
    /// # drop(events);
    /// # Ok(()) }
    /// ```
    pub fn new(transport: impl Transport + 'static, params: S::Params) -> Self {
        Self::build(Over::Owned(Arc::new(transport)), params)
    }
}

impl<'c, S: Subscription> Subscribe<'c, S> {
    /// Creates one over a caller, for generated code.
    #[doc(hidden)]
    pub fn over(caller: Caller<'c>, params: S::Params) -> Self {
        Self::build(Over::Borrowed(caller), params)
    }

    fn build(over: Over<'c>, params: S::Params) -> Self {
        Self { over, params, offered: None, options: StreamOptions::default() }
    }

    /// Sets the parameters.
    ///
    /// A subscription takes its parameters as an argument if at least one of them is required. Those of others are
    /// optional, and set here. A cursor among them is where the stream starts [after](Self::after).
    pub fn params(mut self, params: S::Params) -> Self {
        self.params = params;
        self
    }

    /// Offers these subprotocols to the server, in the order of preference. By default, the one that the
    /// [lexicon names](Subscription::SUBPROTOCOL) is offered, and none if it names none.
    ///
    /// A server that chooses none of them sends what the lexicon names, or [`CborV0`](Subprotocol::CborV0) if that is nothing.
    ///
    /// ```no_run
    /// use atproto_sdk::{PublicClient, stream::Subprotocol};
    ///
    /// # fn example(client: PublicClient) {
    /// let readable = client.com_atproto_sync().subscribe_repos().subprotocols([Subprotocol::JsonV1]);
    /// # drop(readable);
    /// # }
    /// ```
    pub fn subprotocols(mut self, offered: impl IntoIterator<Item = Subprotocol>) -> Self {
        self.offered = Some(offered.into_iter().collect());
        self
    }

    stream_options!();

    /// Sets how many events may be given since the first that is not acknowledged, unless that has been set.
    #[cfg(feature = "repo")]
    pub(crate) fn usually_unacknowledged(mut self, events: usize) -> Self {
        self.options.resume.max_unacknowledged.get_or_insert(events);
        self
    }

    /// Sets what is saved each time before the cursor is.
    #[cfg(feature = "repo")]
    pub(crate) fn before_save(mut self, before: BeforeSave) -> Self {
        self.options.resume.before_save = Some(before);
        self
    }

    /// The name of the server, to tell its positions from those of others.
    #[cfg(feature = "repo")]
    pub(crate) fn server(&self) -> String {
        server_of(self.over.transport())
    }

    /// Starts the subscription. It connects when the stream is polled.
    pub fn stream(self) -> Events<'c, S> {
        let Self { over, params, offered, mut options } = self;
        let protocol;
        (protocol, options.after) = Lexicon::<S>::new(&params, offered, options.after);
        if over.transport().settings().validates_input {
            match params.validate() {
                Err(problem) => {
                    options.problem.get_or_insert_with(|| invalid(protocol.name(), problem));
                }
                Ok(warnings) if !warnings.is_empty() => {
                    tracing::warn!(nsid = S::NSID, %warnings, "sending what other software may refuse");
                }
                Ok(_) => {}
            }
        }
        Events::new(over, Box::new(protocol), options)
    }
}

impl<S: Subscription> fmt::Debug for Subscribe<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("nsid", &S::NSID)
            .field("after", &self.options.after)
            .finish_non_exhaustive()
    }
}
