//! Accounts that change during a session.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{sync::Arc, time::Duration};

use atproto_sdk::{
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
    store::MemoryStore,
    types::Datetime,
};
use tests::{Account, Network};

#[tokio::test(flavor = "multi_thread")]
async fn look() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    for what in ["deactivate", "takedown", "delete", "move", "handle", "web"] {
        for expire in [false, true] {
            let account = if what == "web" {
                network.web_account("webby").await
            } else {
                network.account("bookworm").await
            }
            .unwrap();
            let oauth = app(&network);
            let client = sign_in(&oauth, &network, &account).await;
            match what {
                "deactivate" => network.deactivate(&account).await.unwrap(),
                "takedown" => network.take_down(&account, true).await.unwrap(),
                "delete" => network.delete_account(&account).await.unwrap(),
                "move" => drop(network.move_account(&account).await.unwrap()),
                "handle" => {
                    network.change_handle(&account, &format!("renamed-{}", account.handle)).await.unwrap()
                }
                _ => {}
            }
            if expire {
                eprintln!("expired {:?}", network.expire_tokens(&account).await);
            }
            eprintln!("== {what} expire {expire} sessions {:?}", network.sessions(&account).await);
            eprintln!(
                "get_session {:?}",
                client.com_atproto_server().get_session().await.map(|s| (s.handle, s.active, s.status))
            );
            let post = atproto_sdk::api::app::bsky::feed::post::Post::new("text", Datetime::now());
            eprintln!("create {:?}", client.records().create(&post).await.map(drop));
            eprintln!("sessions {:?}", network.sessions(&account).await);
        }
    }
}

fn app(network: &Network) -> OAuth {
    let resolver = Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap();
    OAuth::builder(ClientMetadata::loopback())
        .shared_store(Arc::new(MemoryStore::new()))
        .resolver(resolver)
        .allow_loopback_http()
        .build()
        .unwrap()
}

async fn sign_in(oauth: &OAuth, network: &Network, account: &Account) -> OAuthClient {
    let authorization = oauth.authorize(&account.handle, AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, account).await.unwrap();
    let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
    oauth.callback(&params).await.unwrap().client
}
