//! Address look-ups through the system's resolver, apart from everything else that blocks.
//!
//! The system's resolver blocks its thread, for half a minute if a name server does not answer. On the threads of the
//! runtime, a stranger with a few hundred such names would hold up the stores, whose operations run there as well.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs as _},
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{
    runtime::{Builder, Runtime},
    sync::Semaphore,
    task::AbortHandle,
};

use crate::{
    domains::{Domains, domain},
    limits,
};

/// How many names from strangers are looked up at once.
const UNTRUSTED_SLOTS: usize = 24;
/// How many hosts of stored sessions are looked up at once. They have slots of their own, so that strangers cannot take
/// them.
const SESSION_SLOTS: usize = 24;
/// How many names from the app's configuration are looked up at once, in slots of their own as well.
const CONFIGURED_SLOTS: usize = 8;
/// How many names of one domain are looked up at once, of those from strangers and of hosts of stored sessions: whoever has
/// a domain can let each look-up take as long as the resolver waits. Many sessions are at the hosts of a few domains.
const UNTRUSTED_OF_DOMAIN: usize = 4;
const SESSIONS_OF_DOMAIN: usize = 12;
/// How many names are handed to the threads for each slot. Others wait for them.
const WAITING_PER_SLOT: usize = 64;
/// From this number of names on, those that nobody waits for any more are forgotten.
const MANY_NAMES: usize = 256;

/// Looks up the addresses of a name, and blocks.
type Blocking = Arc<dyn Fn(&str) -> io::Result<Vec<IpAddr>> + Send + Sync>;
/// The look-up of a name, for all who wait for it. It ends when the last of them gives up.
type Answer = BoxFuture<'static, Result<Arc<[IpAddr]>, Arc<io::Error>>>;

/// Threads for look-ups, and who may use them.
pub(crate) struct NameLookup {
    /// Its blocking threads are all that is used. `None` if it could not be created.
    threads: Option<Runtime>,
    /// Names that are being looked up, or wait for a thread.
    admitted: Arc<Semaphore>,
    domains: Domains,
    names: Mutex<Names>,
    blocking: Blocking,
}

/// The names that somebody waits for.
#[derive(Default)]
struct Names {
    answers: HashMap<String, WeakShared<Answer>>,
    /// How many there were after those without anybody were forgotten.
    kept: usize,
}

/// For hosts that strangers name: in handles, DIDs and documents, and the servers at which they begin to sign in.
pub(crate) fn untrusted() -> &'static NameLookup {
    static LOOKUP: LazyLock<NameLookup> =
        LazyLock::new(|| NameLookup::new(UNTRUSTED_SLOTS, UNTRUSTED_OF_DOMAIN, system()));
    &LOOKUP
}

/// For the servers of accounts that have signed in.
pub(crate) fn sessions() -> &'static NameLookup {
    static LOOKUP: LazyLock<NameLookup> =
        LazyLock::new(|| NameLookup::new(SESSION_SLOTS, SESSIONS_OF_DOMAIN, system()));
    &LOOKUP
}

/// For hosts that the app's configuration names.
pub(crate) fn configured() -> &'static NameLookup {
    static LOOKUP: LazyLock<NameLookup> =
        LazyLock::new(|| NameLookup::new(CONFIGURED_SLOTS, CONFIGURED_SLOTS, system()));
    &LOOKUP
}

/// The resolver of HTTP clients for hosts that the app's configuration names.
pub(crate) struct ConfiguredNames;

impl Resolve for ConfiguredNames {
    fn resolve(&self, name: Name) -> Resolving {
        let looked_up = configured().addresses(name.as_str().to_owned());
        Box::pin(async move {
            let addresses = looked_up.await?.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The system's resolver, including the hosts file.
fn system() -> Blocking {
    Arc::new(|name| Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect()))
}

/// Removes a look-up that nobody waits for any more, unless it is running.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NameLookup {
    fn new(slots: usize, of_domain: usize, blocking: Blocking) -> Self {
        let threads = Builder::new_current_thread()
            .max_blocking_threads(slots)
            .thread_name("name-lookup")
            .thread_keep_alive(limits::LOOKUP_THREAD_IDLE)
            .build()
            .inspect_err(|error| tracing::error!(%error, "no threads for name resolution"))
            .ok();
        let admitted = Arc::new(Semaphore::new(slots * WAITING_PER_SLOT));
        // Callers end the wait, and limit how many names there are.
        let domains = Domains::new(of_domain, usize::MAX, usize::MAX);
        Self { threads, admitted, domains, names: Mutex::default(), blocking }
    }

    /// Returns the addresses of a name. If the name is being looked up already, this waits for the same answer.
    ///
    /// # Errors
    ///
    /// Returns the error of the resolver, and an error if there is no answer in time.
    pub(crate) fn addresses(
        &'static self,
        name: String,
    ) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static {
        self.addresses_within(name, limits::ADDRESS_LOOKUP)
    }

    async fn addresses_within(&self, name: String, limit: Duration) -> io::Result<Vec<IpAddr>> {
        match tokio::time::timeout(limit, self.answer(name)?).await {
            Ok(Ok(addresses)) => Ok(addresses.to_vec()),
            Ok(Err(error)) => Err(io::Error::new(error.kind(), error)),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("the name was not resolved within {limit:?}"),
            )),
        }
    }

    /// The look-up of a name that somebody waits for, or else a new one.
    fn answer(&self, name: String) -> io::Result<Shared<Answer>> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = names.answers.get(&name).and_then(WeakShared::upgrade) {
            return Ok(answer);
        }
        if names.answers.len() >= MANY_NAMES.max(names.kept * 2) {
            names.answers.retain(|_, answer| answer.upgrade().is_some());
            names.kept = names.answers.len();
        }
        let answer = self.look_up(name.clone())?.shared();
        // It has not been polled, so it has not ended.
        if let Some(waiting) = answer.downgrade() {
            names.answers.insert(name, waiting);
        }
        Ok(answer)
    }

    fn look_up(&self, name: String) -> io::Result<Answer> {
        let Some(threads) = &self.threads else {
            return Err(io::Error::other("no threads for name resolution could be created"));
        };
        let (threads, admitted) = (threads.handle().clone(), Arc::clone(&self.admitted));
        let blocking = Arc::clone(&self.blocking);
        let Some(visit) = self.domains.enter(domain(&name)) else {
            return Err(io::Error::other("too many names are being looked up"));
        };
        Ok(Box::pin(async move {
            // Before anything that others wait for as well.
            let at_domain = visit.place().await;
            // Held until the answer is there or nobody waits for it. A look-up that is given up on keeps its thread, and its
            // place at the domain, until the resolver returns.
            let _admitted = admitted.acquire().await.map_err(|error| Arc::new(io::Error::other(error)))?;
            let running = threads.spawn_blocking(move || {
                let _at_domain = at_domain;
                blocking(&name)
            });
            let _abort = AbortOnDrop(running.abort_handle());
            let answer = running.await.unwrap_or_else(|error| Err(io::Error::other(error)));
            answer.map(Into::into).map_err(Arc::new)
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        sync::{
            Condvar, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::Instant,
    };

    use super::*;
    use crate::store::{FileStore, Store as _};

    /// A resolver whose name servers do not answer until it is opened.
    #[derive(Default)]
    struct Silent {
        open: Mutex<bool>,
        opened: Condvar,
        running: AtomicUsize,
        most: AtomicUsize,
        total: AtomicUsize,
    }

    impl Silent {
        fn answer(&self) -> io::Result<Vec<IpAddr>> {
            self.total.fetch_add(1, Ordering::SeqCst);
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(running, Ordering::SeqCst);
            let mut open = self.open.lock().unwrap();
            while !*open {
                open = self.opened.wait(open).unwrap();
            }
            self.running.fetch_sub(1, Ordering::SeqCst);
            Ok(vec![IpAddr::from([192, 0, 2, 1])])
        }

        fn open(&self) {
            *self.open.lock().unwrap() = true;
            self.opened.notify_all();
        }
    }

    fn lookup(silent: &Arc<Silent>, slots: usize) -> &'static NameLookup {
        let silent = Arc::clone(silent);
        // A runtime cannot be dropped inside another one.
        Box::leak(Box::new(NameLookup::new(slots, slots, Arc::new(move |_| silent.answer()))))
    }

    /// With as many blocking threads as a small machine's runtime has look-ups on its hands.
    fn runtime() -> Runtime {
        Builder::new_multi_thread().worker_threads(2).max_blocking_threads(8).enable_all().build().unwrap()
    }

    async fn store_operation(store: &FileStore) -> bool {
        let operation = store.put("session/a/b", b"value", None, crate::store::Expected::Any);
        tokio::time::timeout(Duration::from_secs(2), operation).await.is_ok_and(|result| result.is_ok())
    }

    #[test]
    fn a_thousand_hanging_lookups_do_not_hold_up_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let store = FileStore::open(folder.path().join("sessions.json")).unwrap();
        let silent = Arc::new(Silent::default());
        let lookup = lookup(&silent, 16);
        let runtime = runtime();
        runtime.block_on(async {
            let waiting: Vec<_> = (0..1000)
                .map(|n| {
                    tokio::spawn(lookup.addresses_within(format!("{n}.example"), Duration::from_secs(60)))
                })
                .collect();
            while silent.running.load(Ordering::SeqCst) < 16 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert!(store_operation(&store).await, "the store has threads of its own");
            assert_eq!(silent.most.load(Ordering::SeqCst), 16);

            // The same look-ups where the stores' operations run, as the HTTP library would make them.
            let in_the_runtime = Arc::new(Silent::default());
            for _ in 0..1000 {
                let silent = Arc::clone(&in_the_runtime);
                tokio::task::spawn_blocking(move || silent.answer());
            }
            assert!(!store_operation(&store).await, "this is what the threads of their own are for");
            in_the_runtime.open();
            silent.open();
            for answer in waiting {
                assert_eq!(answer.await.unwrap().unwrap(), [IpAddr::from([192, 0, 2, 1])]);
            }
        });
    }

    #[test]
    fn a_lookup_ends_in_time_and_leaves_no_work_behind() {
        let silent = Arc::new(Silent::default());
        let lookup = lookup(&silent, 2);
        let runtime = runtime();
        runtime.block_on(async {
            let begun = Instant::now();
            let limit = Duration::from_millis(100);
            let all = (0..50).map(|n| lookup.addresses_within(format!("{n}.example"), limit));
            for answer in futures_util::future::join_all(all).await {
                assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
            }
            assert!(begun.elapsed() < Duration::from_secs(5));
            silent.open();
            lookup.addresses_within("last.example".into(), Duration::from_secs(5)).await.unwrap();
            assert!(silent.total.load(Ordering::SeqCst) <= 3, "what nobody waited for was not looked up");
        });
    }

    #[test]
    fn more_names_than_can_wait_have_their_turn_later() {
        let silent = Arc::new(Silent::default());
        let lookup = lookup(&silent, 1);
        runtime().block_on(async {
            let limit = Duration::from_secs(60);
            let waiting: Vec<_> = (0..WAITING_PER_SLOT * 3)
                .map(|n| tokio::spawn(lookup.addresses_within(format!("{n}.example"), limit)))
                .collect();
            while lookup.admitted.available_permits() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let late = lookup.addresses_within("late.example".into(), Duration::from_millis(50)).await;
            assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
            silent.open();
            for answer in waiting {
                answer.await.unwrap().unwrap();
            }
            assert_eq!(silent.most.load(Ordering::SeqCst), 1);
        });
    }

    #[test]
    fn all_who_ask_for_a_name_share_one_lookup() {
        let silent = Arc::new(Silent::default());
        let lookup = lookup(&silent, 4);
        runtime().block_on(async {
            let limit = Duration::from_secs(60);
            let ask = |limit| tokio::spawn(lookup.addresses_within("pds.example.com".into(), limit));
            // Who gives up does not take the others along.
            let first = ask(Duration::from_millis(50));
            let waiting: Vec<_> = (0..2000).map(|_| ask(limit)).collect();
            assert_eq!(first.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
            while silent.running.load(Ordering::SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            silent.open();
            for answer in waiting {
                assert_eq!(answer.await.unwrap().unwrap(), [IpAddr::from([192, 0, 2, 1])]);
            }
            assert_eq!(silent.total.load(Ordering::SeqCst), 1);
            // An answer is not kept: addresses change.
            lookup.addresses_within("pds.example.com".into(), limit).await.unwrap();
            assert_eq!(silent.total.load(Ordering::SeqCst), 2);
        });
    }

    #[test]
    fn names_of_one_domain_that_hang_do_not_hold_up_others() {
        let silent = Arc::new(Silent::default());
        let resolver = Arc::clone(&silent);
        let blocking: Blocking = Arc::new(move |name| match name.ends_with(".evil.example") {
            true => resolver.answer(),
            false => Ok(vec![IpAddr::from([192, 0, 2, 2])]),
        });
        let lookup: &'static NameLookup = Box::leak(Box::new(NameLookup::new(24, 4, blocking)));
        runtime().block_on(async {
            // They are given up, and more come; their threads are still waiting for the resolver.
            for round in 0..3 {
                let limit = Duration::from_millis(100);
                let hanging =
                    (0..200).map(|n| lookup.addresses_within(format!("{round}-{n}.evil.example"), limit));
                for answer in futures_util::future::join_all(hanging).await {
                    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
                }
                assert_eq!(silent.running.load(Ordering::SeqCst), 4);
                let other = lookup.addresses_within("pds.example.com".into(), Duration::from_secs(60));
                assert_eq!(other.await.unwrap(), [IpAddr::from([192, 0, 2, 2])]);
            }
            silent.open();
            let late = lookup.addresses_within("late.evil.example".into(), Duration::from_secs(60));
            late.await.unwrap();
            assert_eq!(silent.most.load(Ordering::SeqCst), 4);
        });
    }

    #[test]
    fn names_that_nobody_waits_for_are_forgotten() {
        let silent = Arc::new(Silent::default());
        silent.open();
        let lookup = lookup(&silent, 4);
        runtime().block_on(async {
            for n in 0..MANY_NAMES * 4 {
                lookup.addresses_within(format!("{n}.example"), Duration::from_secs(60)).await.unwrap();
            }
        });
        assert!(lookup.names.lock().unwrap().answers.len() <= MANY_NAMES);
    }

    #[test]
    fn strangers_do_not_take_the_slots_of_sessions() {
        let classes = [untrusted(), sessions(), configured()];
        for (n, class) in classes.iter().enumerate() {
            assert!(classes.iter().skip(n + 1).all(|other| !std::ptr::eq(*class, *other)));
        }
    }

    #[test]
    fn the_systems_resolver_knows_this_machine() {
        let addresses = runtime().block_on(untrusted().addresses("localhost".into())).unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback));
    }
}
