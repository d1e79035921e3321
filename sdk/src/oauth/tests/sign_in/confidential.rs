//! Confidential clients: assertions at every endpoint, and keys that rotate (protocol O13).

use serde_json::Value;

use super::*;
use crate::{
    oauth::{BuildError, ClientKey, Keyset, SessionError, app::keyset::tests::verify},
    xrpc,
};

const CLIENT_ID: &str = "https://app.example/client-metadata.json";

pub(super) fn keyset() -> Keyset {
    Keyset::new([ClientKey::generate().unwrap()]).unwrap()
}

impl Net {
    /// The same app after a restart, with these keys.
    pub(super) fn confidential(&self, keys: &Keyset) -> OAuth {
        let metadata =
            ClientMetadata::confidential(CLIENT_ID, keys).redirect_uri("https://app.example/callback");
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let builder = OAuth::builder(metadata).keyset(keys.clone()).shared_store(store);
        builder.resolver(resolver(&self.stub)).allow_loopback_http().build().unwrap()
    }

    /// The key and the claims of the assertion in the last request to an endpoint.
    fn assertion(&self, path: &str, keys: &Keyset) -> (String, Value) {
        let form = self.stub.last(path).form;
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let (kid, claims) =
            verify(&form["client_assertion"], &serde_json::from_str(&keys.to_jwks()).unwrap());
        assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some(CLIENT_ID), Some(CLIENT_ID)));
        assert_eq!(claims["aud"], self.stub.origin);
        assert_eq!(form["client_id"], CLIENT_ID);
        (kid, claims)
    }
}

#[tokio::test]
async fn o13_every_request_to_the_server_carries_an_assertion_of_its_own() {
    let net = Net::start().await;
    let keys = keyset();
    let oauth = net.confidential(&keys);
    oauth.authorize("alice.example.com", AuthorizeOptions::new()).await.unwrap();
    // The first one was rejected because of its nonce, and repeated.
    let pushed = net.stub.requests("/par");
    assert_eq!(pushed.len(), 2);
    assert_ne!(pushed[0].form["client_assertion"], pushed[1].form["client_assertion"]);
    let callback = CallbackParams::from_query(&net.stub.consent()).unwrap();
    let client = oauth.callback(&callback).await.unwrap().client;
    client.refresh().await.unwrap_err(); // the stub has one grant
    let ids: Vec<String> =
        ["/par", "/token"].iter().map(|path| net.assertion(path, &keys).1["jti"].to_string()).collect();
    assert_eq!(net.stub.last("/token").form["grant_type"], "refresh_token");
    assert_ne!(ids[0], ids[1]);

    oauth.authorize("alice.example.com", AuthorizeOptions::new()).await.unwrap();
    let callback = CallbackParams::from_query(&net.stub.consent()).unwrap();
    oauth.callback(&callback).await.unwrap().client.sign_out().await.unwrap();
    net.assertion("/revoke", &keys);
}

#[tokio::test]
async fn o13_a_session_keeps_the_key_that_it_began_with() {
    let net = Net::start().await;
    let old = keyset();
    let oauth = net.confidential(&old);
    oauth.authorize("alice.example.com", AuthorizeOptions::new()).await.unwrap();
    // The keys are rotated during the sign-in, and the code is still exchanged with the first one.
    let rotated = old.rotated(ClientKey::generate().unwrap()).unwrap();
    let oauth = net.confidential(&rotated);
    let callback = CallbackParams::from_query(&net.stub.consent()).unwrap();
    let session = oauth.callback(&callback).await.unwrap().client;
    let first = old.kids().next().unwrap();
    assert_eq!(net.assertion("/token", &rotated).0, first);
    // A new sign-in uses the newest key.
    oauth.authorize("alice.example.com", AuthorizeOptions::new()).await.unwrap();
    assert_eq!(net.assertion("/par", &rotated).0, rotated.kids().next().unwrap());
    assert_ne!(rotated.kids().next().unwrap(), first);
    session.sign_out().await.unwrap();
    assert_eq!(net.assertion("/revoke", &rotated).0, first);
}

#[tokio::test]
async fn o13_a_key_that_was_taken_away_is_named_and_the_session_stays() {
    let net = Net::start().await;
    let old = keyset();
    let oauth = net.confidential(&old);
    oauth.authorize("alice.example.com", AuthorizeOptions::new()).await.unwrap();
    let id = {
        let callback = CallbackParams::from_query(&net.stub.consent()).unwrap();
        oauth.callback(&callback).await.unwrap().client.session_id().clone()
    };
    let client = net.confidential(&keyset()).client_for(&id).await.unwrap();
    let asked = net.stub.requests("/token").len();
    let error = client.refresh().await.unwrap_err();
    assert!(error_text(&error).contains(old.kids().next().unwrap()), "{}", error_text(&error));
    assert_eq!(net.stub.requests("/token").len(), asked, "nothing was sent");
    assert_eq!(net.stored("session/").await, 1);
    // It does not pass, so nobody is told to try later.
    assert!(matches!(error, SessionError::Unusable { .. }), "{error:?}");
    let error: xrpc::Error = error.into_transport(client.did()).into();
    assert_eq!(error.kind(), xrpc::ErrorKind::Internal);
}

#[test]
fn o13_keys_and_metadata_have_to_fit() {
    let keys = keyset();
    let metadata = ClientMetadata::confidential(CLIENT_ID, &keys).redirect_uri("https://app.example/cb");
    assert!(matches!(OAuth::builder(metadata.clone()).build(), Err(BuildError::NoKeyset)));
    let public = ClientMetadata::web(CLIENT_ID).redirect_uri("https://app.example/cb");
    assert!(matches!(OAuth::builder(public).keyset(keys.clone()).build(), Err(BuildError::UnusedKeyset)));
    let other = keys.rotated(ClientKey::generate().unwrap()).unwrap();
    let built = OAuth::builder(metadata.clone()).keyset(other.clone()).build();
    assert!(
        matches!(built, Err(BuildError::KeyNotInMetadata { kid }) if kid == other.kids().next().unwrap())
    );
    let served = metadata.jwks_uri("https://app.example/jwks.json");
    let oauth = OAuth::builder(served).keyset(other.clone()).build().unwrap();
    assert_eq!(oauth.jwks().unwrap(), other.to_jwks());
}
