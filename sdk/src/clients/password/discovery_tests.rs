//! A client with a password that finds the PDS by itself (O1, O9, X11).
#![allow(clippy::unwrap_used)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tests::{Answer, Stub};

use super::{PasswordClient, PasswordClientBuilder, PasswordError};
use crate::{
    identity::{DidDocument, Identity, IdentityError, ResolveIdentity},
    store::{MemoryStore, Store},
    types::{Did, Handle},
    xrpc::BoxFuture,
};

const CREATE: &str = "/xrpc/com.atproto.server.createSession";
const DELETE: &str = "/xrpc/com.atproto.server.deleteSession";
const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const OTHER: &str = "did:plc:44ybard66vv44zksje25o7dz";

/// Finds one account, and remembers what it was asked for.
#[derive(Debug, Clone)]
struct Directory {
    pds: Arc<Mutex<String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ResolveIdentity for Directory {
    fn resolve<'a>(&'a self, input: &'a str) -> BoxFuture<'a, Result<Identity, IdentityError>> {
        self.asked.lock().unwrap().push(input.to_owned());
        let document = serde_json::json!({"id": DID, "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": *self.pds.lock().unwrap(),
        }]});
        let document: DidDocument = serde_json::from_value(document).unwrap();
        let handle = Handle::new("alice.example.com").unwrap();
        let found = match input {
            DID | "alice.example.com" => Identity::new(document, Some(handle)),
            _ => Err(IdentityError::HandleNotFound { handle }),
        };
        Box::pin(async { found })
    }

    fn invalidate(&self, _: &Did) {}
}

struct World {
    stub: Stub,
    directory: Directory,
    store: Arc<dyn Store>,
}

impl World {
    async fn new() -> Self {
        let stub = Stub::start().await.unwrap();
        stub.answer(CREATE, session(DID));
        let directory = Directory { pds: Arc::new(Mutex::new(stub.url())), asked: Arc::default() };
        Self { stub, directory, store: Arc::new(MemoryStore::new()) }
    }

    fn builder(&self) -> PasswordClientBuilder {
        PasswordClientBuilder::new()
            .resolver(self.directory.clone())
            .allow_loopback_http()
            .shared_store(Arc::clone(&self.store))
    }

    fn sign_ins(&self) -> Vec<HashMap<String, String>> {
        let received = self.stub.received_at(CREATE);
        received.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
    }
}

fn session(did: &str) -> Answer {
    Answer::json(format!(r#"{{"did": "{did}", "accessJwt": "a", "refreshJwt": "r"}}"#))
}

#[tokio::test]
async fn o1_the_pds_is_found_by_whatever_names_the_account() {
    let world = World::new().await;
    for typed in [
        "alice.example.com",
        " @Alice.Example.com. ",
        DID,
        "\u{202a}@alice.example.com\u{202c}",
        "https://bsky.app/profile/alice.example.com",
    ] {
        let client = world.builder().sign_in(typed, "hunter2").await.unwrap();
        assert_eq!((client.did().as_str(), client.origin()), (DID, &*world.stub.url()), "{typed}");
    }
    assert!(
        world
            .directory
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|asked| asked == "alice.example.com" || asked == DID)
    );
    assert!(
        world
            .sign_ins()
            .iter()
            .all(|sign_in| sign_in["identifier"] == DID && sign_in["password"] == "hunter2")
    );
    // The session is that of the account, whatever it was called.
    world.builder().resume_or_sign_in("@alice.example.com", "hunter2").await.unwrap();
    world.builder().resume_or_sign_in(DID, "hunter2").await.unwrap();
    assert_eq!((world.sign_ins().len(), world.store.list("").await.unwrap().len()), (5, 1));
}

#[tokio::test]
async fn o1_what_names_no_account_is_refused_in_words_for_people() {
    let world = World::new().await;
    for typed in ["", "alice", "alice@example.com", "https://alice.example.com", "alice example.com"] {
        let error = world.builder().sign_in(typed, "hunter2").await.unwrap_err();
        assert!(matches!(error, PasswordError::Account(_)), "{typed}: {error:?}");
        assert!(error.to_string().contains("does not name an account"), "{error}");
    }
    let error = world.builder().sign_in("bob.example.com", "hunter2").await.unwrap_err();
    assert!(matches!(error, PasswordError::Identity(_)), "{error:?}");
    assert!(world.sign_ins().is_empty());
}

#[tokio::test]
async fn o9_a_password_is_not_sent_to_a_pds_that_no_account_may_name() {
    let world = World::new().await;
    for pds in ["http://pds.example.com", "https://10.0.0.1", "https://127.0.0.1:1", "http://169.254.169.254"]
    {
        *world.directory.pds.lock().unwrap() = pds.to_owned();
        let builder = PasswordClientBuilder::new().resolver(world.directory.clone());
        let error = builder.sign_in(DID, "hunter2").await.unwrap_err();
        let PasswordError::Identity(error) = error else { panic!("{pds}: {error:?}") };
        assert!(matches!(*error, IdentityError::UnreachablePds { .. }), "{pds}: {error:?}");
    }
    // A name that leads to such an address is found out when it is connected to.
    *world.directory.pds.lock().unwrap() = world.stub.url().replace("127.0.0.1", "localhost");
    let builder = PasswordClientBuilder::new().resolver(world.directory.clone());
    assert!(builder.sign_in(DID, "hunter2").await.is_err());
    assert!(world.sign_ins().is_empty());
}

#[tokio::test]
async fn x11_a_session_of_another_account_is_revoked() {
    let world = World::new().await;
    world.stub.replace(CREATE, session(OTHER));
    world.stub.answer(DELETE, Answer::status(200));
    let error = world.builder().sign_in("alice.example.com", "hunter2").await.unwrap_err();
    assert!(
        matches!(&error, PasswordError::OtherAccount { did, found } if *did == DID && *found == OTHER),
        "{error:?}"
    );
    assert_eq!(world.stub.received_at(DELETE)[0].header("authorization"), Some("Bearer r"));
    assert!(world.store.list("").await.unwrap().is_empty());
}

#[tokio::test]
async fn x11_at_a_given_pds_handles_are_read_like_everywhere_and_email_addresses_stay() {
    let world = World::new().await;
    for (typed, sent) in [
        (" @Alice.Example.com. ", "alice.example.com"),
        (DID, DID),
        (" Alice@Example.com ", "Alice@Example.com"),
    ] {
        PasswordClient::sign_in(&world.stub.url(), typed, "hunter2").await.unwrap();
        assert_eq!(world.sign_ins().pop().unwrap()["identifier"], sent);
    }
    for typed in ["alice", "@", "alice.example.com/x"] {
        let error = PasswordClient::sign_in(&world.stub.url(), typed, "hunter2").await.unwrap_err();
        assert!(matches!(error, PasswordError::Account(_)), "{typed}: {error:?}");
    }
    assert_eq!(world.sign_ins().len(), 3);
}
