//! Accounts that have moved to another PDS, which their sessions at the old one do not notice.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crate::{identity::ResolveIdentity, limits, types::Did};

/// How many accounts are remembered.
const MAX_ACCOUNTS: usize = 1000;

/// Finds out where accounts are hosted now. An account is looked up at most once in [`limits::ACCOUNT_LOOKUP`], because every
/// call of a deactivated account asks.
#[derive(Debug)]
pub(crate) struct AccountMoves {
    resolver: Arc<dyn ResolveIdentity>,
    recent: Mutex<HashMap<Did, Lookup>>,
}

#[derive(Debug, Clone)]
struct Lookup {
    begun: Instant,
    /// The PDS that was found. `None` if it is not known, or not yet.
    pds: Option<String>,
}

impl AccountMoves {
    pub(crate) fn new(resolver: Arc<dyn ResolveIdentity>) -> Self {
        Self { resolver, recent: Mutex::default() }
    }

    /// Returns the PDS that an account has moved to, or `None` if it is still at `pds`, or if that cannot be found out.
    pub(crate) async fn moved_from(&self, did: &Did, pds: &str) -> Option<String> {
        let known = {
            let mut recent = self.recent();
            let known =
                recent.get(did).filter(|lookup| lookup.begun.elapsed() < limits::ACCOUNT_LOOKUP).cloned();
            if known.is_none() {
                recent.retain(|_, lookup| lookup.begun.elapsed() < limits::ACCOUNT_LOOKUP);
                if recent.len() < MAX_ACCOUNTS {
                    recent.insert(did.clone(), Lookup { begun: Instant::now(), pds: None });
                }
            }
            known
        };
        let current = match known {
            Some(lookup) => lookup.pds,
            None => {
                let mut unfinished = Unfinished { moves: self, did: Some(did) };
                let current = self.look_up(did).await;
                unfinished.did = None;
                current
            }
        };
        current.filter(|current| current != pds)
    }

    async fn look_up(&self, did: &Did) -> Option<String> {
        // What is cached can be from before the move.
        self.resolver.invalidate(did);
        match self.resolver.resolve(did.as_str()).await {
            Ok(identity) => {
                if let Some(lookup) = self.recent().get_mut(did) {
                    lookup.pds = Some(identity.pds.clone());
                }
                Some(identity.pds)
            }
            Err(error) => {
                tracing::debug!(%did, %error, "it is unknown whether the account has moved");
                None
            }
        }
    }

    fn recent(&self) -> MutexGuard<'_, HashMap<Did, Lookup>> {
        // No code panics while it is locked.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look-up in progress. If it is cut off, it is not remembered.
struct Unfinished<'a> {
    moves: &'a AccountMoves,
    did: Option<&'a Did>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(did) = self.did {
            self.moves.recent().remove(did);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::{
        identity::{Identity, IdentityError},
        xrpc::BoxFuture,
    };

    /// Says that every account is at the same PDS, and counts how often it is asked.
    #[derive(Debug, Default)]
    struct Everywhere {
        asked: AtomicUsize,
        invalidated: AtomicUsize,
    }

    impl ResolveIdentity for Everywhere {
        fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let document = format!(
                r##"{{"id":"{input}","service":[{{"id":"#atproto_pds","type":"AtprotoPersonalDataServer",
                "serviceEndpoint":"https://new.example"}}]}}"##
            );
            Box::pin(async move { Identity::new(serde_json::from_str(&document).unwrap(), None) })
        }

        fn invalidate(&self, _: &Did) {
            self.invalidated.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn an_account_is_looked_up_without_the_cache_and_not_again_soon() {
        let resolver = Arc::new(Everywhere::default());
        let moves = AccountMoves::new(resolver.clone());
        let did = Did::new("did:web:alice.example").unwrap();
        for _ in 0..5 {
            let moved = moves.moved_from(&did, "https://old.example").await;
            assert_eq!(moved.as_deref(), Some("https://new.example"));
            assert_eq!(moves.moved_from(&did, "https://new.example").await, None);
        }
        let counts = [&resolver.asked, &resolver.invalidated].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(counts, [1, 1]);
    }

    /// Never answers.
    #[derive(Debug)]
    struct Silent;

    impl ResolveIdentity for Silent {
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
            Box::pin(std::future::pending())
        }

        fn invalidate(&self, _: &Did) {}
    }

    #[tokio::test]
    async fn a_look_up_that_was_cut_off_is_not_remembered() {
        let moves = AccountMoves::new(Arc::new(Silent));
        let did = Did::new("did:web:alice.example").unwrap();
        let looking = moves.moved_from(&did, "https://old.example");
        assert!(tokio::time::timeout(std::time::Duration::from_millis(20), looking).await.is_err());
        assert!(moves.recent().is_empty());
    }

    #[tokio::test]
    async fn the_number_of_remembered_accounts_is_bounded() {
        let moves = AccountMoves::new(Arc::new(Everywhere::default()));
        for n in 0..MAX_ACCOUNTS + 10 {
            let did = Did::new(format!("did:web:a{n}.example")).unwrap();
            assert!(moves.moved_from(&did, "https://old.example").await.is_some());
        }
        assert_eq!(moves.recent().len(), MAX_ACCOUNTS);
    }
}
