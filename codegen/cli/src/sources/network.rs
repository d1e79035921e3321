//! Documents that their authorities have published.

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
};

use atproto_sdk::{
    identity::{HandleResolver, IdentityError, Resolver},
    lexicon::{Authority, LexiconGroup, LexiconResolver, PublishedLexicon, ResolutionError},
    types::Nsid,
};
use futures_util::{StreamExt as _, stream};

use super::chain;

/// How many requests are made at once.
const AT_ONCE: usize = 8;

/// How the network is reached.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArguments {
    /// The name server that is asked for TXT records, instead of the system's
    #[arg(long, value_name = "ADDRESS:PORT")]
    name_server: Option<SocketAddr>,
    /// The directory of did:plc
    #[arg(long, value_name = "URL")]
    plc_directory: Option<String>,
    /// Sends every HTTP request through this proxy
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// For tests: resolves handles at this service
    #[arg(long, value_name = "URL", hide = true)]
    handle_resolver: Option<String>,
    /// For tests: allows http to servers on this machine
    #[arg(long, hide = true)]
    pub(crate) allow_loopback_http: bool,
}

impl NetworkArguments {
    pub(crate) fn resolver(&self) -> Result<Resolver, IdentityError> {
        let mut builder = Resolver::builder().allow_loopback_http(self.allow_loopback_http);
        if let Some(address) = self.name_server {
            builder = builder.name_server(address);
        }
        if let Some(url) = &self.plc_directory {
            builder = builder.plc_directory(url);
        }
        if let Some(url) = &self.proxy {
            builder = builder.proxy(url);
        }
        if let Some(url) = &self.handle_resolver {
            builder = builder.handle_resolver(HandleResolver::Xrpc(url.clone()));
        }
        builder.build()
    }

    /// The proxy, for clients of their own.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }
}

/// Fetches published documents, and looks every authority up only once.
pub(crate) struct Network {
    lexicons: LexiconResolver,
    authorities: HashMap<LexiconGroup, Result<Authority, String>>,
}

impl Network {
    pub(crate) fn new(lexicons: LexiconResolver) -> Self {
        Self { lexicons, authorities: HashMap::new() }
    }

    /// Looks up the authorities that have not been looked up yet, and returns why some of those that are named could not be.
    pub(crate) async fn look_up(
        &mut self,
        groups: impl IntoIterator<Item = LexiconGroup>,
    ) -> Vec<(LexiconGroup, String)> {
        let groups: BTreeSet<LexiconGroup> = groups.into_iter().collect();
        let new = groups.iter().filter(|group| !self.authorities.contains_key(*group)).cloned();
        let new: Vec<LexiconGroup> = new.collect();
        let lexicons = &self.lexicons;
        let found: Vec<_> = stream::iter(new)
            .map(|group| async move {
                let authority = lexicons.authority(&group).await.map_err(|error| chain(&error));
                (group, authority)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        self.authorities.extend(found);
        let problem = |group: LexiconGroup| {
            let problem = self.authorities.get(&group)?.as_ref().err()?.clone();
            Some((group, problem))
        };
        groups.into_iter().filter_map(problem).collect()
    }

    fn authority(&self, group: &LexiconGroup) -> Option<&Authority> {
        self.authorities.get(group)?.as_ref().ok()
    }

    /// Lists the documents of a group whose authority has been looked up; `None` if that has failed.
    pub(crate) async fn list(&self, group: &LexiconGroup) -> Option<Result<Vec<Nsid>, String>> {
        let listed = self.lexicons.list(self.authority(group)?).await;
        Some(listed.map_err(|error| chain(&error)))
    }

    /// Fetches documents whose authorities have been looked up, in the same order, and tells each one that is there.
    /// Those of authorities that could not be found are left out.
    pub(crate) async fn fetch(
        &self,
        nsids: Vec<Nsid>,
        mut done: impl FnMut(&Nsid),
    ) -> Vec<(Nsid, Result<PublishedLexicon, ResolutionError>)> {
        let known = nsids.into_iter().filter_map(|nsid| {
            let authority = self.authority(&LexiconGroup::of(&nsid))?;
            Some((nsid, authority))
        });
        let mut fetched = Vec::new();
        let mut answers = stream::iter(known)
            .map(|(nsid, authority)| async move {
                let result = self.lexicons.resolve_from(authority, &nsid).await;
                (nsid, result)
            })
            .buffer_unordered(AT_ONCE);
        while let Some((nsid, result)) = answers.next().await {
            done(&nsid);
            fetched.push((nsid, result));
        }
        fetched.sort_by(|(a, _), (b, _)| a.cmp(b));
        fetched
    }
}
