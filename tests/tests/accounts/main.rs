//! Accounts that change while they have sessions: deactivated, taken down, deleted, moved to another PDS, renamed; and
//! accounts with `did:web`. What is proven here is documented in `docs/accounts.md`.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod oauth;
mod password;

use atproto_sdk::{
    api::app::bsky::feed::post::Post,
    identity::{HandleResolver, Resolver, ResolverBuilder},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
    store::MemoryStore,
    types::{Datetime, Did},
};
use tests::{Account, Network};

/// A network with an account.
struct World {
    network: Network,
    account: Account,
    oauth: OAuth,
}

impl World {
    async fn new() -> Self {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        let account = network.account("bookworm").await.unwrap();
        let oauth = app(&network);
        Self { network, account, oauth }
    }

    fn did(&self) -> Did {
        self.account.did.clone()
    }

    async fn sign_in(&self) -> OAuthClient {
        let authorization =
            self.oauth.authorize(self.account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
        let callback = self.network.approve(&authorization.url, &self.account).await.unwrap();
        let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
        self.oauth.callback(&params).await.unwrap().client
    }
}

fn builder(network: &Network) -> ResolverBuilder {
    Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
}

fn app(network: &Network) -> OAuth {
    let resolver = builder(network).build().unwrap();
    let builder = OAuth::builder(ClientMetadata::loopback()).store(MemoryStore::new()).resolver(resolver);
    builder.allow_loopback_http().build().unwrap()
}

fn post() -> Post {
    Post::new("Hello", Datetime::now())
}
