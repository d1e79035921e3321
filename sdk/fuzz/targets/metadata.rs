//! Metadata documents of servers and clients: what is accepted leads only to places that may be asked.
#![no_main]

use atproto_sdk::{
    fuzzing::oauth::{authorization_server, protected_resource},
    oauth::ClientMetadata,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use url::{Host, Url};

const ISSUER: &str = "https://pds.example.com";

fn good() -> Value {
    json!({
        "issuer": ISSUER, "authorization_endpoint": "https://pds.example.com/authorize",
        "token_endpoint": "https://pds.example.com/token", "revocation_endpoint": "https://pds.example.com/revoke",
        "pushed_authorization_request_endpoint": "https://pds.example.com/par",
        "require_pushed_authorization_requests": true, "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
        "dpop_signing_alg_values_supported": ["ES256"], "scopes_supported": ["atproto"],
        "authorization_response_iss_parameter_supported": true, "client_id_metadata_document_supported": true,
    })
}

fn check_endpoint(text: &str) {
    let url = Url::parse(text).expect("it is a URL");
    assert!(url.scheme() == "https" && url.fragment().is_none(), "{text}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text}");
    match url.host().expect("it has a host") {
        Host::Domain(_) => {}
        Host::Ipv4(ip) => assert!(!ip.is_private() && !ip.is_loopback() && !ip.is_link_local(), "{text}"),
        Host::Ipv6(ip) => assert!(!ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast(), "{text}"),
    }
}

fuzz_target!(|input: (&[u8], u8, &str)| {
    let (bytes, field, text) = input;
    if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
        let _ = (authorization_server(ISSUER, &document), protected_resource(ISSUER, &document));
        // A good document, with a field that is replaced.
        let mut changed = good();
        let fields = changed.as_object_mut().expect("it is an object");
        let name = fields.keys().nth(usize::from(field) % fields.len()).expect("it is in range").clone();
        fields.insert(name, document.clone());
        if let Some(endpoints) = authorization_server(ISSUER, &changed) {
            assert_eq!(changed["issuer"], ISSUER);
            endpoints.iter().for_each(|endpoint| check_endpoint(endpoint));
        }
    }
    let endpoints = ["authorization_endpoint", "token_endpoint", "revocation_endpoint"];
    let mut changed = good();
    changed[endpoints[usize::from(field) % 3]] = text.into();
    if let Some(endpoints) = authorization_server(ISSUER, &changed) {
        endpoints.iter().for_each(|endpoint| check_endpoint(endpoint));
    }
    let resource = json!({ "resource": ISSUER, "authorization_servers": [text] });
    if let Some(issuer) = protected_resource(ISSUER, &resource) {
        assert_eq!(issuer, text);
        check_endpoint(&issuer);
        assert_eq!(Url::parse(text).expect("it is a URL").path(), "/");
    }
    if let Ok(json) = std::str::from_utf8(bytes)
        && let Ok(client) = ClientMetadata::from_json(json)
    {
        client.check().expect("it was checked");
        assert_eq!(ClientMetadata::from_json(&client.to_json()).expect("it was written by us"), client);
    }
});
