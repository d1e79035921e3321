//! The SDK against the reference PDS, PLC directory and authorization server.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod bulk;
mod calls;
mod clients;
#[path = "../documents/mod.rs"]
mod documents;
mod imports;
mod page;
mod records;
mod sessions;
mod sign_in;
mod streams;
mod verified;

use std::sync::Arc;

use atproto_sdk::{
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackError, CallbackParams, ClientMetadata, OAuth, OAuthClient},
    store::{MemoryStore, Store},
    types::{Datetime, Did},
};
use tests::{Account, Network};

/// A network with an account, and an app that keeps its sessions in a store.
struct World {
    network: Network,
    account: Account,
    store: Arc<dyn Store>,
    oauth: OAuth,
}

impl World {
    async fn new() -> Self {
        Self::with_store(Arc::new(MemoryStore::new())).await
    }

    async fn with_store(store: Arc<dyn Store>) -> Self {
        Self::with_store_and_metadata(store, ClientMetadata::loopback()).await
    }

    async fn with_store_and_metadata(store: Arc<dyn Store>, metadata: ClientMetadata) -> Self {
        let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
        let account = network.account("alice").await.unwrap();
        let oauth = app_with(&network, store.clone(), metadata);
        Self { network, account, store, oauth }
    }

    fn did(&self) -> Did {
        self.account.did.clone()
    }

    async fn sign_in(&self) -> OAuthClient {
        self.sign_in_from(self.account.handle.as_str()).await.unwrap()
    }

    /// Signs in from a handle, a DID or a server.
    async fn sign_in_from(&self, input: &str) -> Result<OAuthClient, CallbackError> {
        let authorization = self.oauth.authorize(input, AuthorizeOptions::new()).await.unwrap();
        let callback = self.network.approve(&authorization.url, &self.account).await.unwrap();
        Ok(self.oauth.callback(&params(&callback)).await?.client)
    }
}

/// The app, as it is after a start.
fn app(network: &Network, store: Arc<dyn Store>) -> OAuth {
    app_with(network, store, ClientMetadata::loopback())
}

fn app_with(network: &Network, store: Arc<dyn Store>, metadata: ClientMetadata) -> OAuth {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    OAuth::builder(metadata).shared_store(store).resolver(resolver).allow_loopback_http().build().unwrap()
}

fn params(callback: &str) -> CallbackParams {
    CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap()
}

fn post(text: &str) -> atproto_sdk::api::app::bsky::feed::post::Post {
    atproto_sdk::api::app::bsky::feed::post::Post::new(text, Datetime::now())
}
