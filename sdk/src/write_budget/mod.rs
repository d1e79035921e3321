//! Pacing of writes by the points that servers give to each account.

mod account;
mod cost;
mod ledger;
mod others;
mod shared;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use account::Account;
use cost::Cost;
use ledger::{Millis, Seen, millis};

use crate::{
    clock, limits, random,
    store::Store,
    xrpc::{BoxFuture, PacedCall, Pacing, TransportError, Turn},
};

/// From this number on, budgets that are not in use are forgotten.
const MANY_ACCOUNTS: usize = 1024;

/// A [`Pacing`] of writes, so that a server does not have to refuse them.
///
/// Servers limit what an account may write. On the common ones, a create costs three points, an update two and a
/// delete one, of 5,000 in an hour and 35,000 in a day. Calls that write wait until there are enough points,
/// according to the rate limit in the responses of the server; the first call finds out, and if the server names no
/// limit, nothing waits. Uploads of blobs, and calls of `createSession`, have limits of their own; the sign-ins of a
/// [`PasswordClient`](crate::PasswordClient) are no calls and do not wait. Other calls, and those that are forwarded to
/// another service, do not wait either.
///
/// Clones share the budgets, which are kept for each account. So one `WriteBudget` can serve all clients of an app;
/// with [`over`](Self::over), it also does so in several processes.
///
/// ```no_run
/// # async fn example(client: atproto_sdk::PasswordClient, posts: Vec<atproto_sdk::api::app::bsky::feed::post::Post>)
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use atproto_sdk::{
///     WriteBudget,
///     api::app::bsky::feed::post::Post,
///     xrpc::{Error, TransportError},
/// };
///
/// let client = client.pacing(WriteBudget::new());
/// for post in posts {
///     match client.records::<Post>().create(&post).await {
///         Ok(created) => println!("{}", created.uri),
///         // The points of the day are used up: go on with this post tomorrow.
///         Err(Error::Transport(TransportError::BudgetSpent { wait, .. })) => {
///             println!("continue in {wait:?}");
///             break;
///         }
///         Err(error) => return Err(error.into()),
///     }
/// }
/// # Ok(()) }
/// ```
///
/// A call that waits can be dropped at any time; nothing has been sent then.
#[derive(Clone)]
pub struct WriteBudget {
    accounts: Arc<Mutex<HashMap<String, Arc<Account>>>>,
    sharing: Sharing,
    longest_wait: Duration,
}

/// Who else uses the budgets.
#[derive(Clone)]
struct Sharing {
    store: Option<Arc<dyn Store>>,
    /// The name of this process in the store.
    holder: String,
    /// The time since the Unix epoch.
    clock: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Sharing {
    fn now(&self) -> Millis {
        millis((self.clock)())
    }
}

impl WriteBudget {
    /// Creates budgets for this process.
    pub fn new() -> Self {
        Self::build(None)
    }

    /// Creates budgets that are shared by all processes that use the same store.
    ///
    /// Each process takes a part of what is left, and returns to the store when it has been spent. A process that
    /// dies keeps its part for two minutes, also if its clock is wrong. If the store fails, the process goes on alone.
    ///
    /// ```no_run
    /// # async fn example(oauth: atproto_sdk::oauth::OAuthBuilder) -> Result<(), Box<dyn std::error::Error>> {
    /// use atproto_sdk::{WriteBudget, store, xrpc::CallSettings};
    ///
    /// let store = store::connect("sqlite:sessions.db").await?;
    /// let settings = CallSettings::new().pacing(WriteBudget::over(store.clone()));
    /// let oauth = oauth.shared_store(store).call_settings(settings).build()?;
    /// # Ok(()) }
    /// ```
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self::build(Some(store))
    }

    fn build(store: Option<Arc<dyn Store>>) -> Self {
        // If there are no random bytes, the address of the map is different in this process at least.
        let accounts = Arc::default();
        let holder = random::base64url::<9>()
            .map(|name| name.as_str().to_owned())
            .unwrap_or_else(|_| format!("{}-{:p}", std::process::id(), Arc::as_ptr(&accounts)));
        let sharing = Sharing { store, holder, clock: Arc::new(clock::since_1970) };
        Self { accounts, sharing, longest_wait: limits::LONGEST_BUDGET_WAIT }
    }

    /// Sets how long a call may wait for points. If it would have to wait for longer, it fails at once with
    /// [`TransportError::BudgetSpent`].
    ///
    /// The default is a little more than an hour, so that calls wait for the points of the next hour, but not for
    /// those of the next day.
    #[must_use]
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    fn account(&self, key: &str) -> Arc<Account> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = accounts.get(key) {
            return Arc::clone(account);
        }
        if accounts.len() >= MANY_ACCOUNTS && accounts.len().is_power_of_two() {
            let now = self.sharing.now();
            accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_idle(now));
        }
        Arc::clone(accounts.entry(key.to_owned()).or_default())
    }
}

impl Default for WriteBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl Pacing for WriteBudget {
    fn turn<'a>(&'a self, call: PacedCall<'a>) -> BoxFuture<'a, Result<Turn, TransportError>> {
        let Some(cost) = Cost::of(&call) else { return Box::pin(async { Ok(Turn::free()) }) };
        let longest_wait = call.time_left.map_or(self.longest_wait, |left| left.min(self.longest_wait));
        Box::pin(async move {
            let account = self.account(&cost.key);
            account.wait(&cost, &self.sharing, longest_wait).await?;
            let sharing = self.sharing.clone();
            Ok(Turn::taking_over(move |response| {
                let seen = response.map(|response| Seen::of(response.status, &response.headers));
                account.end(&cost, seen.as_ref(), &sharing)
            }))
        })
    }
}

impl fmt::Debug for WriteBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBudget")
            .field("shared", &self.sharing.store.is_some())
            .field("longest_wait", &self.longest_wait)
            .finish_non_exhaustive()
    }
}
