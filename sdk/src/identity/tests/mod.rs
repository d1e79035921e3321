//! Resolution and fetching against servers on loopback.

#![allow(clippy::unwrap_used)]

mod crowds;
mod dns;
mod hostile;
mod net;
mod nowhere;

use std::{net::IpAddr, sync::Arc, time::Duration};

use net::{Web, answer_with};
use serde_json::{Value, json};

use super::{
    handle::{HandleLookup, PublicLookup},
    http::{Lookup, UntrustedHttp},
    *,
};

const ALICE: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB: &str = "did:plc:44ybard66vv44zksje25o7dz";

fn document(did: &str, handle: &str) -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": [format!("at://{handle}")],
        "service": [{
            "id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://pds.example.com"
        }],
    })
}

fn http(development: bool) -> UntrustedHttp {
    UntrustedHttp::new(&http::Egress { allow_loopback_http: development, ..Default::default() }).unwrap()
}

/// A client in whose world every name has the given addresses.
fn http_where_names_are(addresses: &'static [&'static str]) -> UntrustedHttp {
    let lookup: Lookup = Arc::new(move |_| {
        Box::pin(async move { Ok(addresses.iter().map(|a| a.parse().unwrap()).collect()) })
    });
    UntrustedHttp::for_tests(false, lookup, Duration::from_secs(2)).unwrap()
}

fn xrpc_resolver(web: &Web) -> Resolver {
    Resolver::builder()
        .plc_directory(&web.origin)
        .handle_resolver(HandleResolver::Xrpc(web.origin.clone()))
        .allow_loopback_http(true)
        .build()
        .unwrap()
}

fn handle_points_to(web: &Web, handle: &str, did: &str) {
    let path = format!("/xrpc/com.atproto.identity.resolveHandle?handle={handle}");
    web.json(&path, &json!({"did": did}));
}

async fn lookup(records: &[(&str, &[&str])], well_known: &'static str) -> HandleLookup {
    let dns = super::dns::DidRecords::new(Some(net::dns(records).await));
    HandleLookup::Public(Box::new(PublicLookup { dns, http: http(true), well_known }))
}

fn well_known_at(web: &Web) -> &'static str {
    Box::leak(format!("{}/{{handle}}", web.origin).into_boxed_str())
}

fn alice_handle() -> Handle {
    Handle::new("alice.example.com").unwrap()
}

const ALICE_TXT: &str = "_atproto.alice.example.com";
const ALICE_RECORD: &str = "did=did:plc:ewvi7nxzyoun6zhxrhs64oiz";
const BOB_RECORD: &str = "did=did:plc:44ybard66vv44zksje25o7dz";

#[tokio::test]
async fn d5_a_did_that_was_decoded_and_is_not_valid_is_not_mended() {
    let resolver = Resolver::builder().build().unwrap();
    for text in [
        " did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "https://x.example/profile/did:plc:ewvi7nxzyoun6zhxrhs64oiz",
        "",
    ] {
        let did: Did = crate::types::from_json(format!("{text:?}")).unwrap();
        let error = resolver.identity(&did).await.unwrap_err();
        assert!(matches!(error, IdentityError::InvalidDid { .. }), "{error}");
    }
}

#[tokio::test]
async fn o2_dns_wins_over_well_known_and_other_records_are_ignored() {
    let web = Web::start().await;
    web.text("/alice.example.com", BOB);
    let records = [(ALICE_TXT, ["v=spf1 -all", ALICE_RECORD, ALICE_RECORD].as_slice())];
    let found = lookup(&records, well_known_at(&web)).await.resolve(&alice_handle()).await;
    assert_eq!(found.unwrap().as_str(), ALICE);
}

#[tokio::test]
async fn o2_well_known_serves_where_dns_has_nothing() {
    let web = Web::start().await;
    web.text("/alice.example.com", &format!("\n  {ALICE} \r\n"));
    for records in [[].as_slice(), &[(ALICE_TXT, ["v=spf1"].as_slice())]] {
        let found = lookup(records, well_known_at(&web)).await.resolve(&alice_handle()).await;
        assert_eq!(found.unwrap().as_str(), ALICE);
    }
}

#[tokio::test]
async fn o2_two_different_dids_are_a_failure() {
    let web = Web::start().await;
    web.text("/alice.example.com", ALICE);
    let records = [(ALICE_TXT, [ALICE_RECORD, BOB_RECORD].as_slice())];
    let error = lookup(&records, well_known_at(&web)).await.resolve(&alice_handle()).await.unwrap_err();
    assert!(matches!(error, IdentityError::HandleAmbiguous { .. }), "{error}");
}

#[tokio::test]
async fn o2_a_handle_that_leads_nowhere_says_what_was_tried() {
    let web = Web::start().await;
    web.text("/alice.example.com", "<html>welcome</html>");
    let lookup = lookup(&[], well_known_at(&web)).await;
    let error = lookup.resolve(&alice_handle()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("has no `did=` record") && text.contains("is not a DID"), "{text}");
    let other = Handle::new("bob.example.com").unwrap();
    let error = lookup.resolve(&other).await.unwrap_err();
    let IdentityError::HandleUnresolved { dns: None, well_known, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**well_known, FetchError::Status { status: 404, .. }));
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn o2_reserved_tlds_never_resolve() {
    let web = Web::start().await;
    let lookup = lookup(&[], well_known_at(&web)).await;
    for tld in ["alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"] {
        let handle = Handle::new(format!("alice.{tld}")).unwrap();
        let error = lookup.resolve(&handle).await.unwrap_err();
        assert!(matches!(error, IdentityError::ReservedTld { .. }), "{error}");
    }
    let resolver = xrpc_resolver(&web);
    let error = resolver.resolve("bob.invalid").await.unwrap_err();
    assert!(matches!(error, IdentityError::ReservedTld { .. }), "{error}");
    // What apps show in place of a handle is none.
    let error = resolver.resolve("handle.invalid").await.unwrap_err();
    assert!(matches!(error, IdentityError::InvalidHandle { .. }), "{error}");
    assert_eq!(web.hits(), 0);
    handle_points_to(&web, "alice.test", ALICE);
    web.json(&format!("/{ALICE}"), &document(ALICE, "alice.test"));
    assert_eq!(resolver.resolve("alice.test").await.unwrap().did.as_str(), ALICE);
}

#[tokio::test]
async fn o2_redirects_of_well_known_are_bounded_and_checked() {
    let web = Web::start().await;
    web.redirect("/a", "/b");
    web.redirect("/b", "/c");
    web.redirect("/c", "/d");
    web.text("/d", ALICE);
    web.redirect("/z", "/a");
    web.redirect("/out", "https://10.0.0.1/");
    web.redirect("/plain", "http://example.com/");
    let http = http(true);
    let url = |path: &str| format!("{}{path}", web.origin);
    assert_eq!(http.get_text(&url("/a"), 3).await.unwrap(), ALICE);
    assert!(matches!(http.get_text(&url("/z"), 3).await, Err(FetchError::Redirect { .. })));
    assert!(matches!(
        http.get_text(&url("/out"), 3).await,
        Err(FetchError::ForbiddenAddress { range: "private", .. })
    ));
    assert!(matches!(http.get_text(&url("/plain"), 3).await, Err(FetchError::InsecureUrl { .. })));
}

#[tokio::test]
async fn o1_o3_a_handle_counts_only_if_the_document_claims_it() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    handle_points_to(&web, "alice.example.com", ALICE);
    handle_points_to(&web, "liar.example.com", ALICE);
    web.json(&format!("/{ALICE}"), &document(ALICE, "alice.example.com"));
    let alice = resolver.resolve("Alice.Example.com").await.unwrap();
    assert_eq!(alice.handle, Some(alice_handle()));
    assert_eq!(alice.pds, "https://pds.example.com");
    let error = resolver.resolve("liar.example.com").await.unwrap_err();
    assert!(matches!(error, IdentityError::HandleNotClaimed { .. }), "{error}");
    let error = resolver.resolve("nobody.example.com").await.unwrap_err();
    assert!(matches!(error, IdentityError::HandleNotFound { .. }), "{error}");
}

#[tokio::test]
async fn o1_o3_from_a_did_an_unverified_handle_is_left_out() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    handle_points_to(&web, "alice.example.com", ALICE);
    web.json(&format!("/{ALICE}"), &document(ALICE, "alice.example.com"));
    web.json(&format!("/{BOB}"), &document(BOB, "alice.example.com"));
    assert_eq!(resolver.resolve(ALICE).await.unwrap().handle, Some(alice_handle()));
    let bob = resolver.resolve(BOB).await.unwrap();
    assert_eq!((bob.handle.as_ref(), bob.display_handle()), (None, "handle.invalid"));
    assert_eq!(bob.handle_problem, Some(format!("alice.example.com resolves to {ALICE} instead")));
    web.json(&format!("/{BOB}"), &document(BOB, "nobody.example.com"));
    resolver.invalidate(&Did::new(BOB).unwrap());
    let problem = resolver.resolve(BOB).await.unwrap().handle_problem.unwrap();
    assert!(problem.contains("nobody.example.com"), "{problem}");
    assert_eq!(resolver.resolve(ALICE).await.unwrap().display_handle(), "alice.example.com");
}

#[tokio::test]
async fn o6_what_is_shown_may_be_older_than_what_sign_in_relies_on() {
    let web = Web::start().await;
    handle_points_to(&web, "alice.example.com", ALICE);
    web.json(&format!("/{ALICE}"), &document(ALICE, "alice.example.com"));
    let resolver = Resolver::builder()
        .plc_directory(&web.origin)
        .handle_resolver(HandleResolver::Xrpc(web.origin.clone()))
        .allow_loopback_http(true)
        .cache_lifetime(Duration::from_secs(1))
        .build()
        .unwrap();
    resolver.resolve(ALICE).await.unwrap();
    resolver.resolve(ALICE).await.unwrap();
    assert_eq!(web.hits(), 2);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    resolver.resolve_for_display(ALICE).await.unwrap();
    assert_eq!(web.hits(), 2, "old enough to be shown");
    resolver.resolve(ALICE).await.unwrap();
    assert_eq!(web.hits(), 4, "too old to sign in with");
}

#[tokio::test]
async fn o4_three_different_errors() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    for bad in [
        "did:",
        "did:PLC:x",
        "did:plc:short",
        "did:plc:ewvi7nxzyoun6zhxrhs64oi0",
        "did:web:a.b:c",
        "did:web:",
    ]
    .iter()
    .chain(&[
        "did:web:127.0.0.1",
        "did:web:a.com%3A80",
        "did:web:a.com%2Fb",
        "did:plc:a/../../x",
        "did:web:x",
        "did:web:a.8",
        "did:web:-a.com",
        "did:web:a.internal",
    ]) {
        let error = resolver.resolve(bad).await.unwrap_err();
        assert!(matches!(error, IdentityError::InvalidDid { .. }), "{bad}: {error}");
        // A DID in a server's answer need not be one.
        let did = crate::types::from_json::<Did>(format!("{bad:?}")).unwrap();
        let error = resolver.resolve_did(&did).await.unwrap_err();
        assert!(matches!(error, IdentityError::InvalidDid { .. }), "{bad}: {error}");
    }
    let handle = crate::types::from_json::<crate::types::Handle>("\"alice.example/x?\"").unwrap();
    let error = resolver.resolve_handle(&handle).await.unwrap_err();
    assert!(matches!(error, IdentityError::InvalidHandle { .. }), "{error}");
    let error = resolver.resolve("did:key:zQ3sh").await.unwrap_err();
    assert!(matches!(error, IdentityError::UnsupportedMethod { .. }), "{error}");
    assert_eq!(web.hits(), 0);
    let error = resolver.resolve(ALICE).await.unwrap_err();
    assert!(matches!(error, IdentityError::DidNotFound { .. }), "{error}");
    web.status(&format!("/{ALICE}"), "410 Gone");
    let error = resolver.resolve(ALICE).await.unwrap_err();
    assert!(matches!(error, IdentityError::DidDeleted { .. }), "{error}");
    web.status(&format!("/{ALICE}"), "503 Service Unavailable");
    let error = resolver.resolve(ALICE).await.unwrap_err();
    assert!(matches!(error, IdentityError::DidUnresolved { .. }) && error.is_temporary(), "{error}");
}

#[tokio::test]
async fn o4_the_document_is_that_of_the_did() {
    let web = Web::start().await;
    web.json(&format!("/{ALICE}"), &document(BOB, "alice.example.com"));
    let error = xrpc_resolver(&web).resolve(ALICE).await.unwrap_err();
    assert!(matches!(error, IdentityError::WrongDocument { .. }), "{error}");
}

#[tokio::test]
async fn o4_did_web_is_read_from_its_host() {
    let web = Web::start().await;
    let did = format!("did:web:localhost%3A{}", web.port);
    let body = document(&did, "web.example.com").to_string();
    let answer = answer_with("200 OK", "content-type: application/did+ld+json; charset=utf-8\r\n", &body);
    web.raw("/.well-known/did.json", answer);
    let found = xrpc_resolver(&web).resolve(&did).await.unwrap();
    assert_eq!((found.did.as_str(), found.handle), (did.as_str(), None));
    let strict = Resolver::builder().build().unwrap();
    for development_only in [&did, "did:web:a.test"] {
        let error = strict.resolve(development_only).await.unwrap_err();
        assert!(matches!(error, IdentityError::InvalidDid { .. }), "{error}");
    }
}

#[tokio::test]
async fn o5_o9_a_pds_that_may_not_be_asked_is_refused() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    for url in
        ["http://pds.example.com", "https://10.0.0.1", "https://[fe80::1]", "https://a:b@pds.example.com"]
    {
        let mut body = document(ALICE, "alice.example.com");
        body["service"][0]["serviceEndpoint"] = json!(url);
        web.json(&format!("/{ALICE}"), &body);
        resolver.invalidate(&Did::new(ALICE).unwrap());
        let error = resolver.resolve(ALICE).await.unwrap_err();
        assert!(matches!(error, IdentityError::InvalidPds { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn o6_answers_are_kept_until_invalidated() {
    let web = Web::start().await;
    let resolver = xrpc_resolver(&web);
    handle_points_to(&web, "alice.example.com", ALICE);
    web.json(&format!("/{ALICE}"), &document(ALICE, "alice.example.com"));
    for _ in 0..3 {
        resolver.resolve("alice.example.com").await.unwrap();
    }
    assert_eq!(web.hits(), 2);
    resolver.invalidate(&Did::new(ALICE).unwrap());
    resolver.resolve("alice.example.com").await.unwrap();
    assert_eq!(web.hits(), 4);
    assert!(crate::limits::LONGEST_IDENTITY_CACHE < Duration::from_secs(600));
}

#[tokio::test]
async fn o7_o8_metadata_is_200_json_without_redirect() {
    let web = Web::start().await;
    let (http, url) = (http(true), |path: &str| format!("{}{path}", web.origin));
    web.json("/good", &json!({"a": 1}));
    let good = answer_with("200 OK", "content-type: Application/JSON; charset=utf-8\r\n", "{}");
    web.raw("/charset", good);
    web.raw("/created", answer_with("201 Created", "content-type: application/json\r\n", "{}"));
    web.redirect("/moved", "/good");
    web.text("/text", "{}");
    web.raw("/untyped", answer_with("200 OK", "", "{}"));
    web.raw("/broken", answer_with("200 OK", "content-type: application/json\r\n", "{\"a\":"));
    assert_eq!(http.get_json::<Value>(&url("/good")).await.unwrap(), json!({"a": 1}));
    http.get_json::<Value>(&url("/charset")).await.unwrap();
    let error = async |path: &str| http.get_json::<Value>(&url(path)).await.unwrap_err();
    assert!(matches!(error("/created").await, FetchError::Status { status: 201, .. }));
    assert!(matches!(error("/nothing").await, FetchError::Status { status: 404, .. }));
    assert!(matches!(error("/moved").await, FetchError::Redirect { status: 302, .. }));
    assert!(matches!(error("/text").await, FetchError::ContentType { found: Some(_), .. }));
    assert!(matches!(error("/untyped").await, FetchError::ContentType { found: None, .. }));
    assert!(matches!(error("/broken").await, FetchError::Json { .. }));
}

#[tokio::test]
async fn o9_bodies_are_bounded_also_when_no_length_is_given() {
    let web = Web::start().await;
    let big = "x".repeat(300 * 1024);
    web.raw("/length", answer_with("200 OK", "content-type: application/json\r\n", &big));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
    web.raw("/endless", format!("{head}{big}"));
    for path in ["/length", "/endless"] {
        let error = http(true).get_json::<Value>(&format!("{}{path}", web.origin)).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{path}: {error:?}");
    }
}

#[tokio::test]
async fn o9_the_whole_fetch_is_bounded_in_time() {
    let web = Web::start().await;
    web.raw("/hang", "hang");
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([127, 0, 0, 1])]) }));
    let http = UntrustedHttp::for_tests(true, lookup, Duration::from_millis(200)).unwrap();
    let error = http.get_text(&format!("{}/hang", web.origin), 0).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }) && error.is_temporary(), "{error:?}");
}

#[tokio::test]
async fn o9_names_with_addresses_that_are_not_public_are_refused() {
    for (addresses, range) in [
        (["127.0.0.1"].as_slice(), "loopback"),
        (&["10.0.0.1"], "private"),
        (&["::1"], "loopback"),
        (&["fe80::1"], "link-local"),
        (&["::ffff:127.0.0.1"], "loopback"),
        (&["224.0.0.1", "169.254.169.254"], "link-local"),
    ] {
        let error =
            http_where_names_are(addresses).get_text("https://alice.example.com/", 0).await.unwrap_err();
        match error {
            FetchError::ForbiddenAddress { range: found, .. } => assert_eq!(found, range),
            other => panic!("{addresses:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn o9_urls_are_checked_before_anything_is_sent() {
    let strict = http(false);
    for url in ["https://127.0.0.1/", "https://0x7f.1/", "https://[::ffff:10.0.0.1]/", "http://127.0.0.1/"] {
        let error = strict.get_text(url, 0).await.unwrap_err();
        assert!(matches!(error, FetchError::ForbiddenAddress { .. }), "{url}: {error}");
    }
    for url in ["http://example.com/", "http://localhost/", "file:///etc/passwd", "/relative", "https:// x@y"]
    {
        let error = strict.get_text(url, 0).await.unwrap_err();
        assert!(matches!(error, FetchError::InsecureUrl { .. }), "{url}: {error}");
    }
    let error = http(true).get_text("https://user:hunter2@example.com/", 0).await.unwrap_err();
    assert!(matches!(error, FetchError::InsecureUrl { .. }));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    // Development opens http to this machine only.
    assert!(matches!(
        http(true).get_text("http://example.com/", 0).await,
        Err(FetchError::InsecureUrl { .. })
    ));
    assert!(matches!(
        http(true).get_text("https://10.0.0.1/", 0).await,
        Err(FetchError::ForbiddenAddress { .. })
    ));
}

#[tokio::test]
async fn o9_localhost_that_strays_from_this_machine_is_refused() {
    let lookup: Lookup = Arc::new(|_| Box::pin(async { Ok(vec![IpAddr::from([1, 1, 1, 1])]) }));
    let http = UntrustedHttp::for_tests(true, lookup, Duration::from_secs(2)).unwrap();
    let error = http.get_text("http://localhost/", 0).await.unwrap_err();
    assert!(matches!(error, FetchError::ForbiddenAddress { range: "not loopback", .. }), "{error:?}");
}

#[test]
fn o1_text_that_is_no_handle_is_refused() {
    for bad in [
        "",
        "alice",
        "alice.example.com/x",
        "a..b",
        "-a.com",
        "a.com?x",
        "a.1com",
        "@a.com",
        "a@b.com",
        "a.com:1",
    ] {
        assert!(matches!(parse_handle(bad), Err(IdentityError::InvalidHandle { .. })), "{bad}");
    }
}

#[test]
fn configuration_is_checked_when_the_resolver_is_built() {
    let build = |url: &str| Resolver::builder().plc_directory(url).build();
    for url in
        ["http://plc.example.com", "https://plc.example.com/path", "plc", "https://a:b@plc.example.com"]
    {
        assert!(matches!(build(url), Err(IdentityError::Configuration { .. })), "{url}");
    }
    build("https://plc.example.com/").unwrap();
}

#[test]
fn resolving_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let resolver = Resolver::builder().build().unwrap();
    is_send(resolver.resolve("alice.example.com"));
}
