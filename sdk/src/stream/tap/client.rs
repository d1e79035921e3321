//! What a Tap is told and asked, besides its stream.

use std::fmt;

use http::HeaderValue;
use serde::Deserialize;

use super::Channel;
use crate::{
    stream::endpoint::{At, Endpoint, is_exposed, origin_of},
    types::{DataError, Did, Handle, Nsid, Problem, SmallString, Tid, Unknown},
    xrpc::{Caller, DecodeError, Error, InvalidService, UntypedCall, service::basic},
};

/// How many accounts are told in one request.
const AT_ONCE: usize = 1000;

/// A client for a Tap. Cheap to clone.
///
/// ```no_run
/// use atproto_sdk::{did, stream::tap::Tap};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let tap = Tap::builder("https://tap.example.com").password(&std::env::var("TAP_ADMIN_PASSWORD")?).build()?;
/// tap.health().await?;
/// let alice = did!("did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// tap.add_repos([alice.clone()]).await?;
/// if let Some(info) = tap.repo_info(&alice).await? {
///     println!("{}: {} records", info.state, info.records);
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Tap {
    endpoint: Endpoint,
}

/// What a Tap knows about a repository. Returned by [`Tap::repo_info`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RepoInfo {
    /// The account.
    pub did: Did,
    /// The handle, if Tap knows a valid one.
    pub handle: Option<Handle>,
    /// What Tap does with it: `pending`, `resyncing`, `active`, `desynchronized` or `error`, for example.
    pub state: SmallString,
    /// The revision up to which it has been read. `None` if it has not been read yet.
    pub rev: Option<Tid>,
    /// How many records it has.
    pub records: u64,
    /// Why it could not be fetched, if that is so.
    pub error: Option<String>,
    /// How often it was tried again to fetch it.
    pub retries: u64,
}

/// The figures of a Tap. Returned by [`Tap::stats`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapStats {
    /// How many repositories it follows.
    pub repos: u64,
    /// How many records these have.
    pub records: u64,
    /// How many events have not been acknowledged.
    pub outbox: u64,
    /// How many events wait for their repository to be fetched.
    pub resync: u64,
    /// The position in the stream of the relay. `None` if Tap does not read one.
    pub firehose: Option<i64>,
}

impl Tap {
    /// Creates a client for the Tap at an address: a host, or a URL that begins with `http://`, `https://`, `ws://` or `wss://`.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is something else, or if the TLS configuration of the system cannot be used.
    pub fn new(address: &str) -> Result<Self, InvalidService> {
        Self::builder(address).build()
    }

    /// Creates a builder for a client, for a Tap with a password.
    pub fn builder(address: impl Into<String>) -> TapBuilder {
        TapBuilder { address: address.into(), authorization: None, allow_http: false }
    }

    /// Returns the stream of events, which can be configured before it is started. With several streams, each event goes to one of
    /// them.
    pub fn channel<'c>(&self) -> Channel<'c> {
        Channel::new(self.endpoint.clone())
    }

    /// Has Tap follow these repositories: their records come as events, and then what changes. Those that it follows already are left
    /// as they are.
    ///
    /// # Errors
    ///
    /// Returns an error if Tap cannot be reached, or refuses. Of more than a thousand accounts, some may have been added then; adding
    /// all of them again does no harm.
    pub async fn add_repos(&self, dids: impl IntoIterator<Item = Did>) -> Result<(), Error> {
        self.tell("/repos/add", "tap.repos.add", dids).await
    }

    /// Has Tap forget these repositories. Events that wait to be acknowledged still come.
    ///
    /// # Errors
    ///
    /// See [`add_repos`](Self::add_repos).
    pub async fn remove_repos(&self, dids: impl IntoIterator<Item = Did>) -> Result<(), Error> {
        self.tell("/repos/remove", "tap.repos.remove", dids).await
    }

    /// Returns what Tap knows about a repository, or `None` if it does not follow it.
    ///
    /// # Errors
    ///
    /// Returns an error if Tap cannot be reached, refuses, or answers with something else.
    pub async fn repo_info(&self, did: &Did) -> Result<Option<RepoInfo>, Error> {
        #[derive(Deserialize)]
        struct Fields {
            did: String,
            #[serde(default)]
            handle: String,
            #[serde(default)]
            state: SmallString,
            #[serde(default)]
            rev: String,
            #[serde(default)]
            records: u64,
            #[serde(default)]
            error: Option<String>,
            #[serde(default)]
            retries: u64,
        }
        let name = Nsid::known("tap.repos.info");
        let answer = match self.ask(format!("/info/{did}"), &name).await {
            Err(Error::Server(response)) if response.status == http::StatusCode::NOT_FOUND => {
                return Ok(None);
            }
            answer => answer?,
        };
        let fields: Fields = decode(&name, &answer)?;
        Ok(Some(RepoInfo {
            did: Did::new(&fields.did).unwrap_or_else(|_| did.clone()),
            handle: Handle::new(&fields.handle).ok(),
            state: fields.state,
            rev: Tid::new(&fields.rev).ok(),
            records: fields.records,
            error: fields.error.filter(|error| !error.is_empty()),
            retries: fields.retries,
        }))
    }

    /// Checks that Tap runs and accepts the password.
    ///
    /// # Errors
    ///
    /// Returns an error if Tap cannot be reached, or refuses.
    pub async fn health(&self) -> Result<(), Error> {
        self.ask("/health".to_owned(), &Nsid::known("tap.server.health")).await.map(drop)
    }

    /// Returns the figures of the Tap, which take it a while if it follows many repositories.
    ///
    /// # Errors
    ///
    /// Returns an error if Tap cannot be reached, refuses, or answers with something else.
    pub async fn stats(&self) -> Result<TapStats, Error> {
        #[derive(Deserialize)]
        struct Cursors {
            firehose: Option<i64>,
        }
        let name = Nsid::known("tap.stats.cursors");
        let cursors: Cursors = decode(&name, &self.ask("/stats/cursors".to_owned(), &name).await?)?;
        Ok(TapStats {
            repos: self.count("/stats/repo-count", "repo_count").await?,
            records: self.count("/stats/record-count", "record_count").await?,
            outbox: self.count("/stats/outbox-buffer", "outbox_buffer").await?,
            resync: self.count("/stats/resync-buffer", "resync_buffer").await?,
            firehose: cursors.firehose,
        })
    }

    async fn count(&self, path: &'static str, field: &str) -> Result<u64, Error> {
        let name = Nsid::known("tap.stats.count");
        let answer = self.ask(path.to_owned(), &name).await?;
        decode(&name, &answer.get(field).unwrap_or_else(Unknown::null))
    }

    async fn ask(&self, path: String, name: &Nsid) -> Result<Unknown, Error> {
        let at = At { endpoint: self.endpoint.clone(), path: path.into() };
        UntypedCall::get(Caller::new(&at), name, &()).await
    }

    async fn tell(
        &self,
        path: &'static str,
        name: &'static str,
        dids: impl IntoIterator<Item = Did>,
    ) -> Result<(), Error> {
        let at = At { endpoint: self.endpoint.clone(), path: path.into() };
        let dids: Vec<Did> = dids.into_iter().collect();
        for some in dids.chunks(AT_ONCE) {
            let body = serde_json::json!({ "dids": some });
            UntypedCall::post(Caller::new(&at), &Nsid::known(name), &body).await?;
        }
        Ok(())
    }
}

fn decode<T: serde::de::DeserializeOwned>(name: &Nsid, answer: &Unknown) -> Result<T, Error> {
    answer.deserialize().map_err(|error| {
        let problem = DataError::at(0, Problem::Serde(error.to_string().into()));
        Error::Decode(DecodeError::Json { nsid: name.as_str().into(), problem })
    })
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tap").field("endpoint", &self.endpoint).finish()
    }
}

/// Configures and builds a [`Tap`]. Created by [`Tap::builder`].
#[must_use = "call `build` to create the client"]
pub struct TapBuilder {
    address: String,
    authorization: Option<HeaderValue>,
    allow_http: bool,
}

impl TapBuilder {
    /// Sets the password that Tap is run with, `TAP_ADMIN_PASSWORD`.
    pub fn password(mut self, password: &str) -> Self {
        self.authorization = Some(basic("admin", password));
        self
    }

    /// Sends the password in plain text, to an http URL on another machine. By default, http is used with a password only for
    /// `localhost` and loopback addresses.
    pub fn allow_http(mut self) -> Self {
        self.allow_http = true;
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// Returns an error if the address is neither a host nor a URL without a path, if the password would be sent in plain text to
    /// another machine, or if the TLS configuration of the system cannot be used.
    pub fn build(self) -> Result<Tap, InvalidService> {
        let origin = origin_of(&self.address, "/channel")?;
        if self.authorization.is_some() && !self.allow_http && is_exposed(&origin) {
            return Err(InvalidService::Insecure { address: origin });
        }
        Ok(Tap { endpoint: Endpoint::new(&origin, self.authorization)? })
    }
}

impl fmt::Debug for TapBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}
