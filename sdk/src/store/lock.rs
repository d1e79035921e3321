//! Locks, and until when they are certainly held.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use super::StoreError;
use crate::xrpc::BoxFuture;

/// A lock that is released when it is dropped.
///
/// Some locks are held until then. Others are leases, such as those in PostgreSQL and Redis: they expire if their holder
/// cannot renew them, for example because the database cannot be reached, or because the machine was suspended. Their holder
/// must check [`holds_for`](Self::holds_for) before it does something that must not be done twice.
///
/// ```
/// use std::time::Duration;
///
/// use atproto_sdk::store::{MemoryStore, Store, StoreError};
///
/// # async fn f() -> Result<(), StoreError> {
/// let store = MemoryStore::new();
/// let lock = store.lock("key", Duration::from_secs(1)).await?;
/// assert!(lock.holds_for(Duration::from_secs(60)));
/// let second = store.lock("key", Duration::from_millis(10)).await;
/// assert!(matches!(second, Err(StoreError::LockTimeout { .. })));
/// drop(lock);
/// let lock = store.lock("key", Duration::from_millis(10)).await?;
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f()).unwrap();
/// ```
#[must_use = "the lock is released when this is dropped"]
pub struct StoreLock {
    lease: Lease,
    guard: Guard,
}

/// What releases a lock when it is dropped.
enum Guard {
    Plain { _guard: Box<dyn Send + Sync> },
    Renewable(Box<dyn RenewLease>),
}

impl StoreLock {
    /// Creates a lock that is held until `guard` is dropped, for implementations of [`Store`](super::Store).
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self { lease: Lease::in_term(Term::UntilReleased), guard: Guard::Plain { _guard: Box::new(guard) } }
    }

    /// Creates a lock that expires with `lease` and is released when `guard` is dropped, for implementations of
    /// [`Store`](super::Store).
    ///
    /// The implementation renews the lease in the background, for as long as `guard` exists.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::{
    ///     store::{Lease, RenewLease, StoreError, StoreLock},
    ///     xrpc::BoxFuture,
    /// };
    ///
    /// struct Row(Lease);
    ///
    /// impl RenewLease for Row {
    ///     fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
    ///         Box::pin(async {
    ///             let request = self.0.request();
    ///             // Here, update the row in the database.
    ///             request.granted(Duration::from_secs(45));
    ///             Ok(())
    ///         })
    ///     }
    /// }
    ///
    /// let lease = Lease::new();
    /// let request = lease.request();
    /// // Here, insert the row into the database.
    /// request.granted(Duration::from_secs(45));
    /// let lock = StoreLock::leased(lease.clone(), Row(lease));
    /// assert!(lock.holds_for(Duration::from_secs(40)) && !lock.holds_for(Duration::from_secs(45)));
    /// ```
    pub fn leased(lease: Lease, guard: impl RenewLease) -> Self {
        Self { lease, guard: Guard::Renewable(Box::new(guard)) }
    }

    /// Returns whether the lock is certainly held now and for at least this long, even if it cannot be renewed.
    ///
    /// The lifetime of a lease is counted from when its last renewal was requested. Time in which the machine was suspended
    /// counts.
    pub fn holds_for(&self, at_least: Duration) -> bool {
        self.lease.holds_for(at_least)
    }

    /// Makes sure that the lock is held for at least this long: renews it if [`holds_for`](Self::holds_for) is `false`.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError::LockLost`] if the lock has expired and may be held by another process, or if it does not last
    /// that long even if it has just been renewed. Returns other errors if the store fails; the lock may then still be held
    /// for a shorter time.
    pub async fn extend(&self, at_least: Duration) -> Result<(), StoreError> {
        if self.holds_for(at_least) {
            return Ok(());
        }
        if let Guard::Renewable(guard) = &self.guard {
            guard.renew().await?;
        }
        if self.holds_for(at_least) { Ok(()) } else { Err(StoreError::LockLost) }
    }

    /// Returns a handle that tells whether the lock is held, but does not hold it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use atproto_sdk::store::{MemoryStore, Store};
    ///
    /// # async fn f() -> Result<(), atproto_sdk::store::StoreError> {
    /// let lock = MemoryStore::new().lock("key", Duration::from_secs(1)).await?;
    /// let watch = lock.watch();
    /// assert!(watch.holds_for(Duration::from_secs(1)));
    /// drop(lock);
    /// assert!(!watch.holds_for(Duration::ZERO));
    /// # Ok(()) }
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(f()).unwrap();
    /// ```
    pub fn watch(&self) -> LockWatch {
        LockWatch(self.lease.clone())
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // Before the guard is dropped, which lets others acquire the lock.
        self.lease.end();
    }
}

impl fmt::Debug for StoreLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLock").field("held", &self.holds_for(Duration::ZERO)).finish_non_exhaustive()
    }
}

/// Tells whether a [`StoreLock`] is held, without holding it. Returned by [`StoreLock::watch`].
#[derive(Clone)]
pub struct LockWatch(Lease);

impl LockWatch {
    /// Returns whether the lock is certainly held now and for at least this long. See [`StoreLock::holds_for`].
    pub fn holds_for(&self, at_least: Duration) -> bool {
        self.0.holds_for(at_least)
    }
}

impl fmt::Debug for LockWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockWatch").field("held", &self.holds_for(Duration::ZERO)).finish()
    }
}

/// The guard of a [lease](StoreLock::leased), which can be renewed at any time.
pub trait RenewLease: Send + Sync + 'static {
    /// Requests that the lease be extended, and records the answer with [`LeaseRequest::granted`] or [`Lease::end`].
    ///
    /// # Errors
    ///
    /// Returns an error if the store fails. The lease then remains as it was.
    fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

/// Until when a lock is held that expires. Clones share the state.
///
/// See [`StoreLock::leased`] for an example.
#[derive(Clone)]
pub struct Lease(Arc<Mutex<Term>>);

impl Lease {
    /// Creates a lease that is not held yet.
    #[expect(
        clippy::new_without_default,
        reason = "a lease is created for a lock, and not as a part of other values"
    )]
    pub fn new() -> Self {
        Self::in_term(Term::NotYet)
    }

    fn in_term(term: Term) -> Self {
        Self(Arc::new(Mutex::new(term)))
    }

    /// Records when a request is sent that acquires or renews the lease. Must be called before it is sent: the store counts
    /// the lifetime from some time after that.
    pub fn request(&self) -> LeaseRequest {
        LeaseRequest { lease: self.clone(), sent: Moment::now() }
    }

    /// The lease has ended: it was released, or another holder has it. It cannot be held again.
    pub fn end(&self) {
        *self.term() = Term::Over;
    }

    fn holds_for(&self, at_least: Duration) -> bool {
        self.term().holds(Moment::now(), at_least)
    }

    fn term(&self) -> MutexGuard<'_, Term> {
        // No code panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lease").field(&*self.term()).finish()
    }
}

/// A request that acquires or renews a [`Lease`]. Dropping it changes nothing.
#[derive(Debug)]
#[must_use = "call `granted` if the request succeeds"]
pub struct LeaseRequest {
    lease: Lease,
    sent: Moment,
}

impl LeaseRequest {
    /// The store has granted the lease for this long.
    pub fn granted(self, lifetime: Duration) {
        self.lease.term().grant(self.sent, lifetime);
    }
}

/// Until when a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Term {
    NotYet,
    UntilReleased,
    For { sent: Moment, lifetime: Duration },
    Over,
}

impl Term {
    pub(super) fn holds(self, now: Moment, at_least: Duration) -> bool {
        match self {
            Self::NotYet | Self::Over => false,
            Self::UntilReleased => true,
            Self::For { sent, lifetime } => now.since(sent).saturating_add(at_least) < lifetime,
        }
    }

    /// Extends the term. The answers to requests may arrive in any order, and also after the end.
    pub(super) fn grant(&mut self, sent: Moment, lifetime: Duration) {
        let later = match self {
            Self::NotYet => true,
            Self::UntilReleased | Self::Over => false,
            Self::For { sent: earlier, .. } => sent.instant > earlier.instant,
        };
        if later {
            *self = Self::For { sent, lifetime };
        }
    }
}

/// A moment on two clocks: one that is never set, but on most systems stands still while the machine is suspended, and one that
/// goes on, but may be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Moment {
    pub(super) instant: Instant,
    pub(super) wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), wall: SystemTime::now() }
    }

    /// The time since `earlier`, by the clock for which it is longer. If the wall clock is set forward, a lease seems to expire
    /// early, which is safe.
    fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.duration_since(earlier.wall).unwrap_or_default();
        self.instant.saturating_duration_since(earlier.instant).max(wall)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(45);

    fn after(start: Moment, awake: u64, wall: i64) -> Moment {
        let wall = match u64::try_from(wall) {
            Ok(forward) => start.wall + Duration::from_secs(forward),
            Err(_) => start.wall - Duration::from_secs(wall.unsigned_abs()),
        };
        Moment { instant: start.instant + Duration::from_secs(awake), wall }
    }

    #[test]
    fn a_lease_counts_from_its_request_on_the_clock_that_has_gone_further() {
        let sent = Moment::now();
        let mut term = Term::NotYet;
        assert!(!term.holds(sent, Duration::ZERO));
        term.grant(sent, LIFETIME);
        let holds = |now, at_least| term.holds(now, Duration::from_secs(at_least));
        assert!(holds(after(sent, 0, 0), 44) && !holds(after(sent, 0, 0), 45));
        assert!(holds(after(sent, 30, 30), 14) && !holds(after(sent, 30, 30), 15));
        assert!(holds(after(sent, 44, 44), 0) && !holds(after(sent, 45, 45), 0));
        // The machine was suspended, or the wall clock was set back.
        assert!(!holds(after(sent, 1, 600), 0) && !holds(after(sent, 50, -600), 0));
        assert!(holds(after(sent, 1, -600), 40));
        assert!(!term.holds(sent, Duration::MAX));
    }

    #[test]
    fn answers_in_any_order_extend_a_lease_and_none_revives_it() {
        let first = Moment::now();
        let (second, third) = (after(first, 10, 10), after(first, 20, 20));
        let mut term = Term::NotYet;
        for sent in [first, third, second] {
            term.grant(sent, LIFETIME);
        }
        assert!(term.holds(after(first, 64, 64), Duration::ZERO));
        assert!(!term.holds(after(first, 65, 65), Duration::ZERO));
        term = Term::Over;
        term.grant(after(first, 30, 30), LIFETIME);
        assert_eq!(term, Term::Over);
    }

    struct Answers(Lease, Option<Duration>);

    impl RenewLease for Answers {
        fn renew(&self) -> BoxFuture<'_, Result<(), StoreError>> {
            Box::pin(async {
                match self.1 {
                    Some(lifetime) => self.0.request().granted(lifetime),
                    None => self.0.end(),
                }
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn a_lock_is_renewed_if_it_does_not_last_long_enough() {
        let lock = |answer| {
            let lease = Lease::new();
            lease.request().granted(Duration::from_secs(5));
            StoreLock::leased(lease.clone(), Answers(lease, answer))
        };
        let long = Duration::from_secs(30);
        let renewed = lock(Some(LIFETIME));
        assert!(!renewed.holds_for(long));
        renewed.extend(long).await.unwrap();
        assert!(renewed.holds_for(long));
        for answer in [None, Some(Duration::from_secs(10))] {
            assert!(matches!(lock(answer).extend(long).await, Err(StoreError::LockLost)));
        }
        // Nothing is asked if it lasts long enough.
        lock(None).extend(Duration::from_secs(1)).await.unwrap();
        StoreLock::new(()).extend(Duration::MAX).await.unwrap();
    }

    #[test]
    fn a_watch_sees_the_release_before_others_can_acquire_the_lock() {
        struct Checks(std::sync::mpsc::Sender<bool>, std::sync::Arc<std::sync::OnceLock<LockWatch>>);
        impl Drop for Checks {
            fn drop(&mut self) {
                self.0.send(self.1.get().unwrap().holds_for(Duration::ZERO)).unwrap();
            }
        }
        let (sender, seen) = std::sync::mpsc::channel();
        let watch = std::sync::Arc::new(std::sync::OnceLock::new());
        let lock = StoreLock::new(Checks(sender, watch.clone()));
        watch.set(lock.watch()).unwrap();
        assert!(lock.watch().holds_for(Duration::MAX));
        drop(lock);
        assert!(!seen.recv().unwrap());
    }
}
