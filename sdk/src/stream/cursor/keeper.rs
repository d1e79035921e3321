//! The task that writes the progress of a consumer into a store.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{
    Acknowledgements, CursorError,
    ledger::Progress,
    saved::{self, StreamName, Unusable},
};
use crate::{
    limits, random,
    server_text::{SHORT, excerpt},
    store::{Entry, Expected, Store, StoreError, Version, key_hash, limited},
    xrpc::BoxFuture,
};

/// What the keys of cursors start with.
const PREFIX: &str = "cursor:";
/// The longest name.
const LONGEST_NAME: usize = 200;

/// Where a cursor is stored.
pub(crate) struct Place {
    store: Arc<dyn Store>,
    name: String,
    /// What tells this consumer from another one that uses the same name.
    writer: String,
    /// What is in the store as far as this consumer knows.
    version: Option<Version>,
    /// What tells this cursor from earlier ones of the same stream, which were removed or have another name.
    life: u32,
    /// Who wrote what was loaded, until this consumer has written. A process that was killed can have sent a write that arrives
    /// only after that.
    predecessor: Option<String>,
}

impl Place {
    pub(crate) fn new(store: Arc<dyn Store>, name: &str) -> Result<Self, CursorError> {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_name) {
            return Err(CursorError::Name { name: excerpt(name, SHORT) });
        }
        let no_random = |error| CursorError::Store {
            name: name.to_owned(),
            action: "saved",
            source: StoreError::backend(error),
        };
        let writer = random::base64url::<12>().map_err(no_random)?.to_string();
        // Half of the hash of something random. Zero is that of earlier versions of this crate.
        let life = u32::try_from(key_hash(&writer) >> u32::BITS).unwrap_or_default().max(1);
        Ok(Self { store, name: name.to_owned(), writer, version: None, life, predecessor: None })
    }

    /// What tells this cursor from earlier ones of the same stream.
    pub(crate) fn life(&self) -> u32 {
        self.life
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    fn failed(&self, action: &'static str, source: StoreError) -> CursorError {
        CursorError::Store { name: self.name.clone(), action, source }
    }

    async fn entry(&self) -> Result<Option<Entry>, StoreError> {
        limited(limits::STORE_OPERATION, self.store.get(&self.key())).await
    }

    /// Reads the progress of earlier consumers of this name.
    pub(crate) async fn load(&mut self, stream: &StreamName) -> Result<Progress, CursorError> {
        let entry = self.entry().await.map_err(|source| self.failed("read", source))?;
        let Some(entry) = entry else {
            self.version = None;
            return Ok(Progress::default());
        };
        let name = self.name.clone();
        let (progress, life) = saved::decode(stream, &entry.value).map_err(|problem| match problem {
            Unusable::Format(problem) => CursorError::Format { name, problem },
            Unusable::Newer(found) => CursorError::Newer { name, found },
            Unusable::OtherStream(StreamName { server, subscription }) => {
                CursorError::OtherStream { name, server, subscription }
            }
        })?;
        (self.version, self.life) = (Some(entry.version), life);
        self.predecessor = saved::writer(&entry.value);
        Ok(progress)
    }

    pub(crate) async fn save(&mut self, stream: &StreamName, progress: &Progress) -> Result<(), CursorError> {
        let failed = |place: &Self, source| place.failed("saved", source);
        let value = saved::encode(stream, &self.writer, self.life, progress)
            .map_err(|error| failed(self, StoreError::backend(error)))?;
        // An attempt whose outcome is unknown may have been the last write.
        for _ in 0..2 {
            let expected = self.version.map_or(Expected::Absent, Expected::Version);
            match limited(limits::STORE_OPERATION, self.store.put(&self.key(), &value, None, expected)).await
            {
                Ok(version) => {
                    (self.version, self.predecessor) = (Some(version), None);
                    return Ok(());
                }
                Err(StoreError::Conflict) => {}
                Err(source) => return Err(failed(self, source)),
            }
            let entry = self.entry().await.map_err(|source| failed(self, source))?;
            match entry {
                Some(entry)
                    if saved::writer(&entry.value).is_some_and(|writer| {
                        writer == self.writer || Some(&writer) == self.predecessor.as_ref()
                    }) =>
                {
                    self.version = Some(entry.version);
                }
                Some(_) => break,
                None => return Err(CursorError::Removed { name: self.name.clone() }),
            }
        }
        Err(CursorError::Taken { name: self.name.clone() })
    }
}

/// Called when the cursor could not be saved for the moment.
pub(crate) type Report = Box<dyn Fn(&CursorError) + Send + Sync>;

/// Saves what must not be behind the cursor.
pub(crate) type BeforeSave = Box<dyn Fn() -> BoxFuture<'static, Result<(), StoreError>> + Send + Sync>;

/// The owner of the task. When it is dropped, the task saves the cursor a last time and ends.
pub(crate) struct Keeper {
    /// The name of the cursor.
    name: String,
    ends: watch::Sender<bool>,
    task: JoinHandle<Result<(), CursorError>>,
}

impl Keeper {
    /// Starts to keep the progress. It is saved at most once in `interval`, unless somebody waits for it.
    pub(crate) fn start(
        acknowledgements: Acknowledgements,
        place: Place,
        stream: StreamName,
        interval: Duration,
        report: Report,
        before: Option<BeforeSave>,
    ) -> Self {
        let (ends, end) = watch::channel(false);
        let name = place.name.clone();
        let keeping = Keeping { acknowledgements, place, stream, interval, report, before, saved: 0 };
        Self { name, ends, task: tokio::spawn(keeping.run(end)) }
    }

    /// Saves the cursor a last time.
    pub(crate) async fn end(self) -> Result<(), CursorError> {
        let Self { name, ends, task } = self;
        drop(ends);
        let limit = limits::CURSOR_END;
        match timeout(limit, task).await {
            // The runtime is shutting down if the task was cancelled.
            Ok(ended) => ended.unwrap_or(Err(CursorError::Ended)),
            // The task ends by itself, after its last attempt.
            Err(_) => {
                Err(CursorError::Store { name, action: "saved", source: StoreError::Timeout { limit } })
            }
        }
    }
}

/// Tells those who wait that nothing is saved any longer.
struct Ending(Acknowledgements);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.kept(|kept| {
            kept.end.get_or_insert(CursorError::Ended);
        });
        self.0.wake();
    }
}

struct Keeping {
    acknowledgements: Acknowledgements,
    place: Place,
    stream: StreamName,
    interval: Duration,
    report: Report,
    before: Option<BeforeSave>,
    /// How often the progress had changed when it was saved.
    saved: u64,
}

impl Keeping {
    async fn run(mut self, mut end: watch::Receiver<bool>) -> Result<(), CursorError> {
        // Also if a store panics.
        let ending = Ending(self.acknowledgements.clone());
        let result = self.keep(&mut end).await;
        if let Err(error) = &result {
            self.acknowledgements.kept(|kept| kept.end = Some(error.clone()));
        }
        drop(ending);
        result
    }

    /// Returns when the stream has ended, or when the cursor can no longer be saved.
    async fn keep(&mut self, end: &mut watch::Receiver<bool>) -> Result<(), CursorError> {
        let mut failures = 0;
        loop {
            let mut is_end = false;
            tokio::select! {
                // Fails when the owner is dropped.
                _ = end.changed() => is_end = true,
                () = self.acknowledgements.changed(), if failures == 0 => {}
                () = sleep(limits::cursor_retry(failures)), if failures > 0 => {}
            }
            if !is_end && failures == 0 {
                tokio::select! {
                    _ = end.changed() => is_end = true,
                    () = self.acknowledgements.wanted(self.saved) => {}
                    () = sleep(self.interval) => {}
                }
            }
            match self.save().await {
                Ok(()) => failures = 0,
                Err(error @ CursorError::Store { .. }) if !is_end => {
                    failures += 1;
                    tracing::warn!(%error, failures, "the cursor of a stream is not saved");
                    (self.report)(&error);
                }
                Err(error) => return Err(error),
            }
            if is_end {
                return Ok(());
            }
        }
    }

    async fn save(&mut self) -> Result<(), CursorError> {
        let (epoch, progress) = self.acknowledgements.progress();
        if epoch != self.saved {
            if let Some(before) = &self.before {
                before().await.map_err(|source| self.place.failed("saved", source))?;
            }
            self.place.save(&self.stream, &progress).await?;
            self.saved = epoch;
            self.acknowledgements.kept(|kept| kept.epoch = epoch);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
