//! The rules of the document, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::scopes::{Scopes, Transition};

const ID: &str = "https://app.example/client-metadata.json";

fn redirect_problem(metadata: ClientMetadata) -> String {
    match metadata.check() {
        Err(ClientMetadataError::RedirectUri { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn o10_loopback_client_id_carries_redirect_and_scope() {
    let metadata = ClientMetadata::loopback().scope("atproto");
    metadata.check().unwrap();
    assert_eq!(
        metadata.client_id(),
        "http://localhost?redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback&scope=atproto"
    );
    let own = ClientMetadata::loopback().redirect_uri("http://[::1]:8080/back");
    own.check().unwrap();
    assert!(own.client_id().starts_with("http://localhost?redirect_uri=http%3A%2F%2F%5B%3A%3A1%5D%3A8080"));
    assert_eq!(own.redirect_uris().collect::<Vec<_>>(), ["http://[::1]:8080/back"]);
}

#[test]
fn o10_client_id_must_be_a_fetchable_https_url() {
    for (id, words) in [
        ("http://app.example/c.json", "https"),
        ("https://app.example/", "path"),
        ("https://app.example/c/", "path"),
        ("https://10.0.0.1/c.json", "address"),
        ("https://localhost/c.json", "localhost"),
        ("https://u:p@app.example/c.json", "credentials"),
        ("https://app.example/c.json#x", "fragment"),
        ("https://APP.example/c.json", "canonical"),
        ("nonsense", "not a URL"),
    ] {
        let error = ClientMetadata::web(id).redirect_uri("https://app.example/cb").check().unwrap_err();
        assert!(error.to_string().contains(words), "{id}: {error}");
    }
}

#[test]
fn o11_document_has_every_field() {
    let metadata = ClientMetadata::web(ID)
        .redirect_uri("https://app.example/cb")
        .name("App")
        .home_page("https://app.example");
    metadata.check().unwrap();
    assert_eq!(
        serde_json::to_value(&metadata).unwrap(),
        serde_json::json!({
            "client_id": ID, "application_type": "web", "client_name": "App",
            "client_uri": "https://app.example",
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "atproto transition:generic", "response_types": ["code"],
            "redirect_uris": ["https://app.example/cb"],
            "token_endpoint_auth_method": "none", "dpop_bound_access_tokens": true,
        })
    );
    assert_eq!(ClientMetadata::web(ID).check(), Err(ClientMetadataError::NoRedirectUri));
    let foreign =
        ClientMetadata::web(ID).redirect_uri("https://app.example/cb").home_page("https://b.example");
    assert!(matches!(foreign.check(), Err(ClientMetadataError::ClientUri { .. })));
}

#[test]
fn o11_scope_must_contain_atproto_once() {
    for (scope, words) in [
        ("transition:generic", "atproto"),
        ("", "one space"),
        ("atproto  x", "one space"),
        ("atproto atproto", "twice"),
        ("atproto a\"b", "characters"),
    ] {
        let error = ClientMetadata::loopback().scope(scope).check().unwrap_err();
        assert!(error.to_string().contains(words), "{scope:?}: {error}");
    }
}

#[test]
fn o12_custom_scheme_is_the_reversed_host_with_one_slash() {
    ClientMetadata::native(ID).redirect_uri("example.app:/callback").check().unwrap();
    for uri in ["example.app://callback", "com.other:/callback", "myapp:/callback", "example.app:callback"] {
        redirect_problem(ClientMetadata::native(ID).redirect_uri(uri));
    }
    assert!(redirect_problem(ClientMetadata::web(ID).redirect_uri("example.app:/cb")).contains("https only"));
    redirect_problem(ClientMetadata::loopback().redirect_uri("example.app:/cb"));
}

#[test]
fn o11_redirect_uris_that_servers_refuse() {
    let native = |uri: &str| redirect_problem(ClientMetadata::native(ID).redirect_uri(uri));
    assert!(native("http://localhost:8080/cb").contains("127.0.0.1"));
    assert!(native("http://app.example/cb").contains("127.0.0.1"));
    assert!(native("https://u@app.example/cb").contains("credentials"));
    assert!(native("https://app.example/cb#x").contains("fragment"));
    assert!(native("https://127.0.0.1/cb").contains("public host"));
    assert!(native("no url").contains("not a URL"));
    let web = |uri: &str| redirect_problem(ClientMetadata::web(ID).redirect_uri(uri));
    assert!(web("http://127.0.0.1/cb").contains("https only"));
}

#[test]
fn o17_requested_scope_is_a_subset() {
    let metadata = ClientMetadata::loopback().scope("atproto repo:a.b.c transition:generic");
    metadata.check_requested_scope("atproto").unwrap();
    metadata.check_requested_scope("transition:generic atproto").unwrap();
    assert!(metadata.check_requested_scope("atproto blob:*/*").unwrap_err().contains("blob:*/*"));
    assert!(metadata.check_requested_scope("repo:a.b.c").unwrap_err().contains("atproto"));
}

#[test]
fn o10_any_port_where_the_listed_redirect_has_none() {
    let free = ClientMetadata::loopback();
    assert!(free.accepts_redirect_uri("http://127.0.0.1:4711/callback"));
    assert!(free.accepts_redirect_uri("http://127.0.0.1/callback"));
    assert!(!free.accepts_redirect_uri("http://127.0.0.1:4711/other"));
    assert!(!free.accepts_redirect_uri("http://[::1]:4711/callback"));
    let fixed = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:80/cb");
    assert!(fixed.accepts_redirect_uri("http://127.0.0.1:80/cb"));
    let fixed = ClientMetadata::loopback().redirect_uri("http://127.0.0.1:8080/cb");
    assert!(!fixed.accepts_redirect_uri("http://127.0.0.1:8081/cb"));
}

fn keys() -> Keyset {
    Keyset::new([crate::oauth::ClientKey::generate().unwrap()]).unwrap()
}

fn confidential() -> ClientMetadata {
    ClientMetadata::confidential(ID, &keys()).redirect_uri("https://app.example/cb")
}

/// The document with some fields changed; `null` removes a field.
fn read(changes: Value) -> Result<ClientMetadata, ReadMetadataError> {
    let mut document = serde_json::to_value(confidential()).unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(document.as_object_mut().unwrap().remove(name)),
            value => document[name] = value.clone(),
        }
    }
    ClientMetadata::from_json(&document.to_string())
}

#[test]
fn o11_the_document_of_a_confidential_client() {
    let metadata = confidential().name("App").home_page("https://app.example/");
    metadata.check().unwrap();
    let document: Value = serde_json::from_str(&metadata.to_json()).unwrap();
    assert_eq!(document["application_type"], "web");
    assert_eq!(document["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!(document["token_endpoint_auth_signing_alg"], "ES256");
    assert_eq!(document["dpop_bound_access_tokens"], true);
    assert_eq!(document["jwks"]["keys"][0]["alg"], "ES256");
    assert!(document["jwks"]["keys"][0].get("d").is_none() && document.get("jwks_uri").is_none());
    let served = confidential().jwks_uri("https://app.example/jwks.json");
    served.check().unwrap();
    let document = serde_json::to_value(&served).unwrap();
    assert!(document.get("jwks").is_none() && document["jwks_uri"] == "https://app.example/jwks.json");
    assert_eq!(read(json!({})).unwrap().authentication(), ClientAuthentication::PrivateKeyJwt);
}

#[test]
fn o11_documents_that_servers_refuse() {
    for (changes, words) in [
        (json!({"client_id": null}), "`client_id` is missing"),
        (json!({"scope": null}), "`scope` is missing"),
        (json!({"grant_types": null}), "`grant_types` is missing"),
        (json!({"grant_types": ["refresh_token"]}), "authorization_code"),
        (json!({"grant_types": ["authorization_code", "implicit"]}), "`implicit`"),
        (json!({"response_types": ["token"]}), "code"),
        (json!({"dpop_bound_access_tokens": false}), "must be true"),
        (json!({"dpop_bound_access_tokens": null}), "must be true"),
        (json!({"token_endpoint_auth_method": null}), "`token_endpoint_auth_method` is missing"),
        (json!({"token_endpoint_auth_method": "client_secret_basic"}), "private_key_jwt"),
        (json!({"token_endpoint_auth_method": "none"}), "for `private_key_jwt` only"),
        (json!({"token_endpoint_auth_signing_alg": "RS256"}), "ES256"),
        (json!({"jwks": null}), "`jwks` or `jwks_uri`"),
        (json!({"jwks_uri": "https://app.example/j"}), "mutually exclusive"),
        (json!({"jwks": null, "jwks_uri": "http://app.example/j"}), "https"),
        (json!({"jwks": {"keys": []}}), "no key"),
        (json!({"jwks": {"keys": [{"kid": "a", "d": "secret"}]}}), "private key"),
        (json!({"jwks": {"keys": [{"kty": "EC"}]}}), "`kid`"),
        (json!({"jwks": {"keys": [{"kid": "a"}, {"kid": "a"}]}}), "two keys"),
        (json!({"application_type": "native"}), "cannot keep a secret"),
        (json!({"application_type": "desktop"}), "`desktop`"),
        (json!({"redirect_uris": []}), "at least one"),
        (json!({"logo_uri": "http://app.example/logo.png"}), "logo_uri"),
        (json!({"client_uri": "https://other.example/"}), "client_uri"),
        (json!({"redirect_uris": "https://app.example/cb"}), "line 1"),
    ] {
        let error = read(changes.clone()).unwrap_err();
        assert!(error.to_string().contains(words), "{changes}: {error}");
        assert!(!error.to_string().contains("secret\""), "{error}");
    }
    assert!(matches!(ClientMetadata::from_file("/no/such/file"), Err(ReadMetadataError::File { .. })));
}

#[tokio::test]
async fn o10_a_fetched_document_is_that_of_its_address() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/client.json", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let body = confidential().to_json();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    let http = crate::identity::http::UntrustedHttp::configured(&crate::identity::http::Egress {
        allow_loopback_http: true,
        ..Default::default()
    })
    .unwrap();
    let error = ClientMetadata::fetch_through(&http, &url).await.unwrap_err();
    assert!(
        matches!(&error, ReadMetadataError::OtherClient { client_id, .. } if client_id == ID),
        "{error:?}"
    );
    // A URL that servers would not fetch is not fetched here either.
    assert!(matches!(ClientMetadata::fetch(&url).await, Err(ReadMetadataError::Fetch(_))));
}

#[test]
fn o41_permissions_in_the_scope_must_be_valid() {
    let check = |scope: &str| ClientMetadata::loopback().scope(scope).check();
    check("atproto repo:a.b.c rpc:a.b.c?aud=* future:thing openid").unwrap();
    for (scope, words) in [
        ("atproto repo:a.b", "expected the NSID of a collection"),
        ("atproto rpc:*?aud=*", "cannot both be `*`"),
        ("atproto blob:image", "expected a MIME type"),
    ] {
        let error = check(scope).unwrap_err().to_string();
        assert!(error.contains(words), "{scope}: {error}");
    }
    let scopes = Scopes::new().with(Transition::Generic);
    assert_eq!(ClientMetadata::loopback().scope(scopes).scopes(), "atproto transition:generic");
}
