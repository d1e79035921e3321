//! A running verified stream.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::time::{Instant, timeout_at};

use super::{
    StopError, VerifiedRepos, VerifiedStreamError, Verifier, VerifierStats,
    core::{Core, Output},
    job::Raw,
    saver::Unsaved,
};
use crate::{
    api::com::atproto::sync::subscribe_repos::SubscribeRepos,
    limits,
    store::StoreError,
    stream::{self, Event, Events, ForEachError, Notice, Rules, Stats, Subscribe},
};

/// How many events may be given since the first that is not acknowledged, unless another number was set: as many as come in the time
/// that a repair takes, for which the cursor waits if the states do not outlive the process.
const UNACKNOWLEDGED: usize = 200_000;

impl<'c> Subscribe<'c, SubscribeRepos> {
    /// Starts the subscription, and verifies what comes.
    ///
    /// If the server begins to count anew, which the error
    /// [`FutureCursor`](crate::api::com::atproto::sync::subscribe_repos::Error::FutureCursor) shows, resume the stream under another
    /// name, or remove the entry of its cursor. Then no position in the [states](crate::sync::StoredStates) counts any longer, whatever
    /// their name; everything else in them does.
    ///
    /// See the [module documentation](crate::sync).
    pub fn verified(self, verifier: Verifier) -> VerifiedEvents<'c> {
        let core = Core::new(verifier, &self.server());
        let saver = core.saver().clone();
        // States that are behind the cursor would show gaps that are none.
        let before = move || {
            let saver = saver.clone();
            let saving: crate::xrpc::BoxFuture<'static, _> = Box::pin(async move { saver.save().await });
            saving
        };
        // While a repository is fetched, what comes after its event is acknowledged and waits for it.
        let events = self.before_save(Box::new(before)).usually_unacknowledged(UNACKNOWLEDGED).stream();
        VerifiedEvents { core, events, end: End::No }
    }
}

/// A running stream of verified events. Returned by [`Subscribe::verified`].
///
/// The events of an account are in order; those of different accounts need not be, because none waits for another. So the
/// position of an event does not say that everything before it was given: use
/// [`resume`](crate::stream::Subscribe::resume), which keeps account of that.
pub struct VerifiedEvents<'c> {
    core: Core,
    events: Events<'c, SubscribeRepos>,
    end: End,
}

/// Whether the stream has ended.
enum End {
    No,
    /// What is inside is still given, and then this.
    Soon(Option<Box<VerifiedStreamError>>),
    Yes,
}

impl VerifiedEvents<'_> {
    /// Returns the next event, or `None` after an error that has ended the stream.
    ///
    /// # Errors
    ///
    /// See [`VerifiedStreamError`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Event<VerifiedRepos>, VerifiedStreamError>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Event<VerifiedRepos>, VerifiedStreamError>>> {
        // It says how to read the states: without it, they stay as they are, and the stream ends.
        if self.core.is_new()
            && let Some(life) = ready!(self.events.poll_life(cx))
        {
            self.core.start(life);
        }
        loop {
            if let Some(Unsaved { error, lasting }) = self.core.saver().unsaved() {
                self.events.tell(&Notice::StatesNotSaved { error, lasting });
            }
            if matches!(self.end, End::Yes) {
                return Poll::Ready(None);
            }
            // What the consumer has dropped counts, also when nothing more is read.
            self.events.settle();
            match self.core.poll_output(cx) {
                Poll::Ready(Ok(output)) => {
                    let output = self.core.give(output, || self.events.give_beside());
                    return Poll::Ready(Some(Ok(event(output))));
                }
                Poll::Ready(Err(error)) => {
                    self.end = End::Yes;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Pending => {}
            }
            if let End::Soon(error) = &mut self.end {
                self.core.leave_left_over();
                if !self.core.is_idle() {
                    return Poll::Pending;
                }
                let error = error.take();
                self.end = End::Yes;
                return Poll::Ready(error.map(|error| Err(*error)));
            }
            if self.core.poll_room(cx).is_pending() {
                self.events.poll_report(cx);
                return Poll::Pending;
            }
            match ready!(Pin::new(&mut self.events).poll_next(cx)) {
                Some(Ok(event)) => self.core.accept(raw(event)),
                Some(Err(error)) if error.is_end() => self.end = End::Soon(Some(Box::new(error.into()))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => self.end = End::Soon(None),
            }
        }
    }

    /// Processes up to `limit` events at once, until the stream ends, and then [stops](Self::stop) it. Those of one account are processed
    /// one after another, in their order. Every event is acknowledged when it has been processed.
    ///
    /// # Errors
    ///
    /// Returns the first error of the stream or of the processing, as
    /// [`Events::for_each_concurrent`](crate::stream::Events::for_each_concurrent) does.
    pub async fn for_each_concurrent<F, R, E>(
        mut self,
        limit: usize,
        process: F,
    ) -> Result<(), ForEachError<VerifiedStreamError, E>>
    where
        F: FnMut(Event<VerifiedRepos>) -> R,
        R: Future<Output = Result<(), E>>,
        E: fmt::Debug + fmt::Display,
    {
        let account = |event: &Event<VerifiedRepos>| event.message().account().cloned();
        let events = futures_util::StreamExt::map(&mut self, |event| event.map(Event::with_acknowledgement));
        let rules = Rules { limit, account, is_end: VerifiedStreamError::is_end };
        let processed = stream::for_each(std::pin::pin!(events), rules, process).await;
        let stopped = self.stop().await;
        processed.and(stopped.map_err(|error| ForEachError::Stream(error.into())))
    }

    /// Returns how much has been read, how fast, and how old it is.
    pub fn stats(&self) -> Stats {
        self.events.stats()
    }

    /// Returns what has been verified, refused and repaired.
    pub fn verifier_stats(&self) -> VerifierStats {
        self.core.stats()
    }

    /// Ends the stream, and saves the states of repositories and then the cursor, which may take up to two minutes in all. What has
    /// not been given, or not been acknowledged, comes again.
    ///
    /// A stream that is dropped saves them too, but some time later: another one with the same states should begin after this
    /// has returned.
    ///
    /// # Errors
    ///
    /// Returns an error if one of them cannot be saved.
    pub async fn stop(self) -> Result<(), StopError> {
        let Self { mut core, events, .. } = self;
        let limit = limits::VERIFIED_END;
        let end = Instant::now() + limit;
        core.give_up();
        // Before the cursor, which is not saved without them, and has less time. An error is that of the last attempt, below.
        let _ = core.save(limit - limits::CURSOR_END - limits::STREAM_CLOSE).await;
        let cursor = events.stop().await;
        let saved = timeout_at(end, core.stop()).await.unwrap_or(Err(StoreError::Timeout { limit }));
        saved.map_err(StopError::States)?;
        cursor.map_err(StopError::Cursor)
    }
}

impl Stream for VerifiedEvents<'_> {
    type Item = Result<Event<VerifiedRepos>, VerifiedStreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for VerifiedEvents<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedEvents")
            .field("events", &self.events)
            .field("stats", &self.core.stats())
            .finish_non_exhaustive()
    }
}

fn raw(event: Event<SubscribeRepos>) -> Raw {
    let (seq, time) = (event.seq(), event.time());
    let (message, acknowledgement) = event.into_parts();
    // What is dropped in here was not given to the consumer.
    Raw { message, seq, time, acknowledgement: acknowledgement.explicit(), is_owed: false }
}

fn event(output: Output) -> Event<VerifiedRepos> {
    let Output { message, seq, time, acknowledgement, .. } = output;
    Event::of(message, seq, time, acknowledgement.for_consumer())
}
