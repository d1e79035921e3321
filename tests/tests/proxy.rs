//! Everything goes through the proxy that an app names, and what can be checked is still checked.
#![allow(clippy::unwrap_used)]

use std::error::Error;

use atproto_sdk::{
    AdminClient, PasswordClient, PublicClient,
    api::com::atproto::server::describe_server,
    identity::Resolver,
    oauth::{AuthorizeOptions, ClientMetadata, OAuth},
};
use tests::{Answer, Stub};

/// A proxy that refuses every tunnel and remembers what it was asked for.
async fn proxy() -> Stub {
    Stub::start().await.unwrap()
}

fn asked(proxy: &Stub) -> Vec<String> {
    proxy.received().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

fn chain(error: &dyn Error) -> String {
    let cause = error.source().map(chain).unwrap_or_default();
    format!("{error}; {cause}")
}

#[tokio::test]
async fn o9_identities_are_resolved_through_the_proxy_alone() {
    let proxy = proxy().await;
    let resolver = Resolver::builder().proxy(proxy.url()).build().unwrap();
    resolver.resolve("did:plc:ewvi7nxzyoun6zhxrhs64oiz").await.unwrap_err();
    assert_eq!(asked(&proxy), ["CONNECT plc.directory:443"]);
    // Names are the proxy's to resolve; the machine itself is refused here.
    resolver.resolve("did:web:inside.example.com").await.unwrap_err();
    assert_eq!(asked(&proxy).len(), 2);
    resolver.resolve("did:web:localhost").await.unwrap_err();
    assert_eq!(asked(&proxy).len(), 2);
}

#[tokio::test]
async fn o9_sign_in_goes_through_the_proxy_and_private_addresses_do_not_reach_it() {
    let proxy = proxy().await;
    let oauth = OAuth::builder(ClientMetadata::loopback()).proxy(proxy.url()).build().unwrap();
    let authorize = async |server: &str| oauth.authorize(server, AuthorizeOptions::new()).await.unwrap_err();
    authorize("https://pds.example").await;
    // As a PDS, and as an authorization server.
    assert_eq!(asked(&proxy), ["CONNECT pds.example:443", "CONNECT pds.example:443"]);
    for inside in ["https://10.0.0.1", "https://[fd00::1]", "https://169.254.169.254", "https://localhost"] {
        let error = authorize(inside).await;
        assert_eq!(asked(&proxy).len(), 2, "{inside}: {}", chain(&error));
    }
}

#[tokio::test]
async fn plain_clients_go_through_the_proxy_with_their_credentials() {
    let proxy = proxy().await;
    proxy.answer("/xrpc/com.atproto.server.describeServer", Answer::status(404));
    proxy.answer("/xrpc/com.atproto.server.createSession", Answer::status(404));
    let origin = "http://pds.example";
    let public = PublicClient::builder(origin).proxy(proxy.url()).build().unwrap();
    public.com_atproto_server().describe_server().await.unwrap_err();
    let admin = AdminClient::builder(origin, "secret").proxy(proxy.url()).allow_http().build().unwrap();
    let params = describe_server::Params::new();
    admin.com_atproto_server().describe_server().params(params).await.unwrap_err();
    let password = PasswordClient::builder(origin).proxy(proxy.url()).allow_http();
    password.sign_in("alice.example", "secret").await.unwrap_err();
    let requests = proxy.received();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.header("host") == Some("pds.example")));
    assert!(requests[0].header("authorization").is_none() && requests[1].header("authorization").is_some());
}

#[tokio::test]
async fn addresses_of_proxies_are_checked_and_not_shown() {
    for bad in ["proxy.example:3128", "http://${PROXY}:3128", "socks5://proxy.example"] {
        let text = chain(&PublicClient::builder("https://pds.example").proxy(bad).build().unwrap_err());
        assert!(text.contains("http://proxy.example.com:3128"), "{text}");
        let text = chain(&OAuth::builder(ClientMetadata::loopback()).proxy(bad).build().unwrap_err());
        assert!(text.contains("http://proxy.example.com:3128"), "{text}");
        let text = chain(&Resolver::builder().proxy(bad).build().unwrap_err());
        assert!(text.contains("http://proxy.example.com:3128"), "{text}");
    }
    let url = "http://user:hunter2@127.0.0.1:9";
    let public = PublicClient::builder("https://pds.example").proxy(url);
    let admin = AdminClient::builder("https://pds.example", "x").proxy(url);
    let password = PasswordClient::builder("https://pds.example").proxy(url);
    let resolver = Resolver::builder().proxy(url);
    let oauth = OAuth::builder(ClientMetadata::loopback()).proxy(url);
    let mut shown = format!("{public:?} {admin:?} {password:?} {resolver:?} {oauth:?}");
    let (public, resolver, oauth) =
        (public.build().unwrap(), resolver.build().unwrap(), oauth.build().unwrap());
    shown.push_str(&format!("{public:?} {resolver:?} {oauth:?}"));
    assert!(!shown.contains("hunter2"), "{shown}");
}
