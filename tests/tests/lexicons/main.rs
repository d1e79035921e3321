//! Lexicons of others: resolved with proof, and as dependencies of a crate.
#![allow(clippy::unwrap_used)]

mod agreement;
mod dependencies;
mod publishing;
mod resolution;

use atproto_sdk::{
    PasswordClient,
    api::com::atproto::{repo::put_record, sync::get_record},
    identity::Resolver,
    lexicon::LexiconResolver,
    types::{AtIdentifier, Cid, Nsid, RecordKey, Unknown},
};
use serde_json::{Value as Json, json};
use tests::{Account, Answer, DnsServer, Network, Stub};

const COLLECTION: &str = "com.atproto.lexicon.schema";
const DNS_NAME: &str = "_lexicon.shop.example.com";

/// An account of the network that publishes lexicons, and a name server that says so.
struct World {
    network: &'static Network,
    account: Account,
    client: PasswordClient,
    dns: DnsServer,
}

impl World {
    async fn new() -> Self {
        let network = Network::shared().await.unwrap();
        let account = network.account("publisher").await.unwrap();
        let client =
            PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
        let dns = DnsServer::start().await.unwrap();
        dns.set(DNS_NAME, &["v=spf1 -all", &format!("did={}", account.did)]);
        Self { network, account, client, dns }
    }

    fn resolver(&self) -> LexiconResolver {
        resolver(&self.dns, self.network.plc())
    }

    async fn publish(&self, nsid: &str, document: Json) -> Cid {
        let input = put_record::Input::new(
            AtIdentifier::from(self.client.did()),
            COLLECTION.parse().unwrap(),
            RecordKey::new(nsid).unwrap(),
            Unknown::from(document),
        );
        self.client.com_atproto_repo().put_record(input.with_validate(false)).await.unwrap().cid
    }

    /// The proof of a record, as the PDS makes it.
    async fn proof(&self, nsid: &str) -> Vec<u8> {
        let params = get_record::Params::new(
            self.client.did().clone(),
            COLLECTION.parse().unwrap(),
            RecordKey::new(nsid).unwrap(),
        );
        let body = self.client.com_atproto_sync().get_record(params).await.unwrap();
        body.bytes(1 << 20).await.unwrap().to_vec()
    }

    /// A directory and a PDS in one, where the account has moved to; its document is changed before it is served.
    async fn elsewhere(&self, change: impl FnOnce(&mut Json)) -> Stub {
        let stub = Stub::start().await.unwrap();
        let path = format!("/{}", self.account.did);
        let url = format!("{}{path}", self.network.plc());
        let mut document: Json =
            serde_json::from_str(&reqwest::get(url).await.unwrap().text().await.unwrap()).unwrap();
        document["service"][0]["serviceEndpoint"] = json!(stub.url());
        change(&mut document);
        stub.answer(&path, Answer::json(document.to_string()));
        stub
    }
}

fn resolver(dns: &DnsServer, plc: &str) -> LexiconResolver {
    let resolver =
        Resolver::builder().plc_directory(plc).name_server(dns.address()).allow_loopback_http(true).build();
    LexiconResolver::new(resolver.unwrap())
}

fn nsid(text: &str) -> Nsid {
    text.parse().unwrap()
}

fn document(id: &str) -> Json {
    json!({
        "$type": COLLECTION, "lexicon": 1, "id": id,
        "defs": {"main": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
    })
}

fn car(bytes: Vec<u8>) -> Answer {
    Answer::status(200).header("content-type", "application/vnd.ipld.car").body(bytes)
}
