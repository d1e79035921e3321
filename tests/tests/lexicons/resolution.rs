//! Published lexicons: on a real PDS, with the tests' own name server, and on servers that lie.

use std::error::Error as _;

use atproto_sdk::{
    identity::IdentityError,
    lexicon::{LexiconGroup, PublishedLexicon, ResolutionError},
    repo::{RepoError, verify_record},
    types::{Cid, Data as _, RecordKey, Value, from_json},
};
use serde_json::{Value as Json, json};
use tests::{Answer, Stub};

use super::{COLLECTION, DNS_NAME, World, car, document, nsid, resolver};

const GET_RECORD: &str = "/xrpc/com.atproto.sync.getRecord";

#[tokio::test]
async fn l12_a_published_lexicon_is_resolved_with_proof() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    let cid = world.publish(id, document(id)).await;
    let lexicon = world.resolver().resolve(&nsid(id)).await.unwrap();
    assert_eq!((lexicon.nsid.as_str(), lexicon.did.as_str()), (id, world.account.did.as_str()));
    assert_eq!((lexicon.pds.as_str(), &lexicon.cid), (world.network.pds(), &cid));
    assert_eq!(serde_json::from_str::<Json>(lexicon.json()).unwrap(), document(id));
    // The CID can be computed again from either form.
    assert_eq!(Cid::of_cbor(&lexicon.cbor), cid);
    assert_eq!(from_json::<Value>(lexicon.json()).unwrap().to_cbor().unwrap(), lexicon.cbor);
    assert_eq!(world.dns.asked(), [DNS_NAME]);
}

#[tokio::test]
async fn l12_the_newest_version_is_resolved() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    let first = world.publish(id, document(id)).await;
    let resolver = world.resolver();
    let before = resolver.resolve(&nsid(id)).await.unwrap();
    let mut changed = document(id);
    changed["description"] = json!("changed");
    let second = world.publish(id, changed).await;
    let after = resolver.resolve(&nsid(id)).await.unwrap();
    assert_eq!((before.cid, &after.cid), (first, &second));
    assert!(after.rev > before.rev);
}

#[tokio::test]
async fn l12_a_lexicon_that_is_not_published_is_proven_absent() {
    let world = World::new().await;
    for number in 0..40 {
        let id = format!("com.example.shop.item{number}");
        world.publish(&id, document(&id)).await;
    }
    let missing = nsid("com.example.shop.missing");
    let error = world.resolver().resolve(&missing).await.unwrap_err();
    assert!(matches!(error, ResolutionError::NotPublished { .. }), "{error}");
    let text = error.to_string();
    for part in [missing.as_str(), world.account.did.as_str(), world.network.pds(), "shop.example.com"] {
        assert!(text.contains(part), "{text}");
    }
    // The PDS's answer is a proof of absence, not only an error.
    let authority = world.resolver().authority(&LexiconGroup::of(&missing)).await.unwrap();
    let proof = world.proof(missing.as_str()).await;
    let (collection, rkey) = (nsid(COLLECTION), RecordKey::new(missing.as_str()).unwrap());
    assert_eq!(verify_record(&proof, world.client.did(), &authority.key, &collection, &rkey), Ok(None));
}

#[tokio::test]
async fn l12_the_dns_name_is_exactly_that_of_the_authority() {
    let world = World::new().await;
    let (above, below) = ("com.example.item", "com.example.shop.cart.item");
    for id in [above, below] {
        world.publish(id, document(id)).await;
        let error = world.resolver().resolve(&nsid(id)).await.unwrap_err();
        assert!(matches!(error, ResolutionError::NoPublisher { .. }), "{error}");
        let name = LexiconGroup::of(&nsid(id)).dns_name();
        assert!(error.to_string().contains(&name), "{error}");
        assert_eq!(world.dns.asked().last(), Some(&name));
    }
    world.dns.set("_lexicon.example.com", &[&format!("did={}", world.account.did)]);
    assert!(world.resolver().resolve(&nsid(above)).await.is_ok());
    let error = world.resolver().resolve(&nsid(below)).await.unwrap_err();
    assert!(matches!(error, ResolutionError::NoPublisher { .. }), "{error}");
}

#[tokio::test]
async fn l12_dns_names_exactly_one_account() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    world.publish(id, document(id)).await;
    let own = format!("did={}", world.account.did);
    let resolve = async || world.resolver().resolve(&nsid(id)).await;

    // The same value twice is one account.
    world.dns.set(DNS_NAME, &[&own, &own]);
    assert!(resolve().await.is_ok());
    world.dns.set(DNS_NAME, &[&own, "did=did:web:example.com"]);
    let error = resolve().await.unwrap_err();
    assert!(matches!(error, ResolutionError::AmbiguousPublisher { .. }), "{error}");
    assert!(
        error.to_string().contains(world.account.did.as_str()) && error.to_string().contains(DNS_NAME),
        "{error}"
    );
    world.dns.set(DNS_NAME, &["did=alice.example.com"]);
    let error = resolve().await.unwrap_err();
    assert!(error.to_string().contains("`alice.example.com`, which is not a DID"), "{error}");
    for none in [&["v=spf1 -all"][..], &[]] {
        world.dns.set(DNS_NAME, none);
        let error = resolve().await.unwrap_err();
        assert!(matches!(error, ResolutionError::NoPublisher { .. }), "{error}");
        assert!(!error.is_temporary());
    }
    world.dns.fail(true);
    let error = resolve().await.unwrap_err();
    assert!(matches!(error, ResolutionError::Dns { .. }) && error.is_temporary(), "{error}");
}

#[tokio::test]
async fn l12_an_account_that_does_not_exist_is_named() {
    let world = World::new().await;
    world.dns.set(DNS_NAME, &["did=did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"]);
    let error = world.resolver().resolve(&nsid("com.example.shop.item")).await.unwrap_err();
    let ResolutionError::Publisher { did, source, .. } = &error else { panic!("{error}") };
    assert_eq!(did.as_str(), "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(matches!(**source, IdentityError::DidNotFound { .. }), "{source}");
}

#[tokio::test]
async fn l12_a_record_that_is_another_lexicon_is_refused() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    let mut newer = document(id);
    newer["lexicon"] = json!(2);
    let mut without_id = document(id);
    without_id.as_object_mut().unwrap().remove("id");
    for (published, problem) in [
        (document("com.example.shop.other"), "its `id` is `com.example.shop.other`"),
        (without_id, "it has no `id`"),
        (newer, "version 2"),
    ] {
        world.publish(id, published).await;
        let error = world.resolver().resolve(&nsid(id)).await.unwrap_err();
        assert!(matches!(error, ResolutionError::Document { .. }), "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

async fn resolve_at(world: &World, stub: &Stub, id: &str) -> Result<PublishedLexicon, ResolutionError> {
    resolver(&world.dns, &stub.url()).resolve(&nsid(id)).await
}

fn proof_error(error: &ResolutionError) -> &RepoError {
    let ResolutionError::Proof { source, .. } = error else { panic!("{error}: {:?}", error.source()) };
    source
}

#[tokio::test]
async fn l12_an_answer_that_was_tampered_with_is_refused() {
    let world = World::new().await;
    let (id, other) = ("com.example.shop.item", "com.example.shop.other");
    let cid = world.publish(id, document(id)).await;
    world.publish(other, document(other)).await;
    let proof = world.proof(id).await;
    let stub = world.elsewhere(|_| ()).await;

    stub.replace(GET_RECORD, car(proof.clone()));
    assert_eq!(resolve_at(&world, &stub, id).await.unwrap().cid, cid);

    // Another document under the CID of the true one.
    let mut changed = proof.clone();
    let at = changed.windows(4).rposition(|window| window == b"name").unwrap();
    changed[at] = b'g';
    stub.replace(GET_RECORD, car(changed));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(
        matches!(proof_error(&error), RepoError::WrongHash { cid: found, .. } if *found == cid),
        "{error}"
    );

    stub.replace(GET_RECORD, car(proof[..proof.len() - 10].to_vec()));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(proof_error(&error), RepoError::Car { problem: "it is cut off", .. }), "{error}");

    stub.replace(GET_RECORD, car(b"not a CAR file".to_vec()));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(proof_error(&error), RepoError::Car { .. }), "{error}");

    // The proof of another record has no block of this one.
    stub.replace(GET_RECORD, car(world.proof(other).await));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(proof_error(&error), RepoError::MissingBlock { what: "the record", .. }), "{error}");
    assert!(
        error.to_string().contains(world.account.did.as_str()) && error.to_string().contains(&stub.url()),
        "{error}"
    );
}

#[tokio::test]
async fn l12_the_repository_is_signed_with_the_key_in_the_did_document() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    world.publish(id, document(id)).await;
    let proof = world.proof(id).await;

    let other_key = "zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc";
    let with_key = |key: Json| {
        world.elsewhere(move |document| {
            document["verificationMethod"][0]["type"] = json!("Multikey");
            document["verificationMethod"][0]["publicKeyMultibase"] = key;
        })
    };
    let stub = with_key(json!(other_key)).await;
    stub.replace(GET_RECORD, car(proof.clone()));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(proof_error(&error), RepoError::Signature { .. }), "{error}");
    let asked = stub.received_at(&format!("/{}", world.account.did)).len();
    assert_eq!(asked, 2, "the document in the cache may have had an older key");

    for (key, has_source) in [(json!("zQ3shq"), true), (Json::Null, false)] {
        let error = resolve_at(&world, &with_key(key).await, id).await.unwrap_err();
        assert!(matches!(error, ResolutionError::SigningKey { .. }), "{error}");
        assert_eq!(error.source().is_some(), has_source);
    }

    // The repository of another account, which is signed with its own key.
    let stranger = World::new().await;
    stranger.publish(id, document(id)).await;
    let stub = world.elsewhere(|_| ()).await;
    stub.replace(GET_RECORD, car(stranger.proof(id).await));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    let found = stranger.account.did.clone();
    let expected = world.account.did.clone();
    assert_eq!(*proof_error(&error), RepoError::WrongRepository { expected, found });
}

#[tokio::test]
async fn l12_errors_of_the_server_name_the_lexicon_and_the_server() {
    let world = World::new().await;
    let id = "com.example.shop.item";
    let stub = world.elsewhere(|_| ()).await;
    let refuse =
        |name: &str| Answer::json(json!({"error": name, "message": "no"}).to_string()).with_status(400);
    stub.replace(GET_RECORD, refuse("RecordNotFound"));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(error, ResolutionError::NotPublished { .. }), "{error}");
    stub.replace(GET_RECORD, refuse("RepoDeactivated"));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(error, ResolutionError::Fetch { .. }) && !error.is_temporary(), "{error}");
    assert!(error.source().unwrap().to_string().contains("RepoDeactivated"), "{error:?}");
    assert!(error.to_string().contains(id) && error.to_string().contains(&stub.url()), "{error}");

    // More than any proof has, whatever the header says.
    stub.replace(GET_RECORD, car(vec![0; 9 << 20]));
    let error = resolve_at(&world, &stub, id).await.unwrap_err();
    assert!(matches!(error, ResolutionError::Fetch { .. }), "{error}");
}

#[tokio::test]
async fn o9_the_pds_of_a_publisher_has_a_public_address() {
    let world = World::new().await;
    let private =
        world.elsewhere(|document| document["service"][0]["serviceEndpoint"] = json!("https://10.0.0.1"));
    let private = private.await;
    let error = resolve_at(&world, &private, "com.example.shop.item").await.unwrap_err();
    let ResolutionError::Publisher { source, .. } = &error else { panic!("{error}") };
    assert!(matches!(**source, IdentityError::InvalidPds { .. }), "{source}");
}

#[tokio::test]
async fn l12_all_lexicons_of_a_group_are_listed() {
    let world = World::new().await;
    let mut expected = Vec::new();
    // More than a page, in a repository that publishes other groups as well.
    for number in 0..120 {
        let id = format!("com.example.shop.item{number}");
        world.publish(&id, document(&id)).await;
        expected.push(nsid(&id));
    }
    for id in ["com.example.shop.cart.item", "com.example.shopping.item", "org.example.item"] {
        world.publish(id, document(id)).await;
    }
    expected.sort();
    let resolver = world.resolver();
    let group: LexiconGroup = "com.example.shop.*".parse().unwrap();
    let authority = resolver.authority(&group).await.unwrap();
    assert_eq!(resolver.list(&authority).await.unwrap(), expected);
    let first = resolver.resolve_from(&authority, &expected[0]).await.unwrap();
    assert_eq!(first.nsid, expected[0]);
    assert_eq!(world.dns.asked().len(), 1, "the authority is looked up once");
    let error = resolver.resolve_from(&authority, &nsid("org.example.item")).await.unwrap_err();
    assert_eq!(error.to_string(), "org.example.item does not belong to com.example.shop.*");
}

#[tokio::test]
async fn l12_a_listing_without_an_end_is_given_up() {
    let world = World::new().await;
    let stub = world.elsewhere(|_| ()).await;
    let path = "/xrpc/com.atproto.repo.listRecords";
    let did = world.account.did.as_str();
    let page = |page: usize| {
        let record = |number: usize| {
            let uri = format!("at://{did}/{COLLECTION}/com.example.shop.item{page}x{number}");
            json!({"uri": uri, "cid": Cid::of_cbor(b"").to_string(), "value": {}})
        };
        let records: Vec<Json> = (0..1000).map(record).collect();
        Answer::json(json!({"cursor": page.to_string(), "records": records}).to_string())
    };
    (0..12).for_each(|number| stub.answer(path, page(number)));
    let resolver = resolver(&world.dns, &stub.url());
    let authority = resolver.authority(&"com.example.shop.*".parse().unwrap()).await.unwrap();
    let error = resolver.list(&authority).await.unwrap_err();
    assert!(matches!(error, ResolutionError::TooMany { limit: 10_000, .. }), "{error}");
}
