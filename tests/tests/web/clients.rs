//! A confidential client, whose documents the site itself serves to the provider (O10, O11, O13).

use atproto_sdk::oauth::{AuthorizeOptions, CallbackParams, ClientKey, Keyset, Prompt, SessionId};

use super::*;

const PUBLIC: &str = "https://app.example.com";

/// A web backend behind TLS, with these keys; `served` says that they have an address of their own.
async fn backend(
    network: &Network,
    keyset: &Keyset,
    served: bool,
    store: &std::path::Path,
) -> (WebAuth, Visitor) {
    let mut metadata = ClientMetadata::confidential(format!("{PUBLIC}/auth/client-metadata.json"), keyset)
        .redirect_uri(format!("{PUBLIC}/auth/callback"))
        .name("The app")
        .home_page(PUBLIC);
    if served {
        metadata = metadata.jwks_uri(format!("{PUBLIC}/auth/jwks.json"));
    }
    let store = atproto_sdk::store::SqliteStore::open(store).unwrap();
    let oauth = app(network, metadata).keyset(keyset.clone()).store(store).build().unwrap();
    let told = |error: &atproto_sdk::axum::WebError| {
        axum::response::IntoResponse::into_response((error.status(), format!("{error:?}")))
    };
    let web = WebAuth::builder(oauth, keys()).error_page(told).build().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    network.serve_client(PUBLIC, &origin).await.unwrap();
    tokio::spawn(axum::serve(listener, router(&web)).into_future());
    (web, Visitor::new(&origin))
}

async fn sign_in(network: &Network, visitor: &mut Visitor, account: &Account) {
    let leaving = visitor.get_own(&format!("/auth/login?identifier={}", account.handle)).await;
    assert_eq!(leaving.status, 303, "{}", leaving.body);
    let callback = network.approve(leaving.location(), account).await.unwrap();
    let back = visitor.get(&callback).await;
    assert_eq!(back.status, 303, "{}", back.body);
}

async fn rotates(served: bool) {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("sessions.db");
    let old = Keyset::new([ClientKey::generate().unwrap()]).unwrap();
    let (web, mut visitor) = backend(&network, &old, served, &store).await;
    sign_in(&network, &mut visitor, &account).await;
    assert_eq!(visitor.get("/private").await.body, format!("private: {}", account.handle));
    let cookie = visitor.cookies.keys().next().unwrap();
    assert!(cookie.starts_with("__Host-atproto."), "with TLS the cookie is held to the host: {cookie}");
    let did = account.did.clone();
    web.oauth().client(&did).await.unwrap().refresh().await.unwrap();
    let first: SessionId = web.oauth().sessions(&did).await.unwrap()[0].id.clone();
    drop(web);

    // The backend starts again with a new key in front. The old session goes on with the old key, a new one takes the
    // new key, and both can be refreshed and revoked.
    let rotated = old.rotated(ClientKey::generate().unwrap()).unwrap();
    let (web, mut visitor) = backend(&network, &rotated, served, &store).await;
    web.oauth().client_for(&first).await.unwrap().refresh().await.unwrap();
    sign_in(&network, &mut visitor, &account).await;
    let sessions = web.oauth().sessions(&did).await.unwrap();
    assert_eq!(sessions.len(), 2);
    for session in sessions {
        let client = web.oauth().client_for(&session.id).await.unwrap();
        client.refresh().await.unwrap();
        client.com_atproto_server().get_session().await.unwrap();
        let signed_out = client.sign_out().await.unwrap();
        assert_eq!(signed_out, atproto_sdk::oauth::SignOut::Confirmed);
    }
    assert_eq!(network.sessions(&account).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn o13_a_confidential_client_signs_in_refreshes_rotates_and_signs_out() {
    rotates(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o13_with_its_keys_at_an_address_of_their_own() {
    rotates(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn o11_the_documents_are_served_as_servers_want_them() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keyset = Keyset::new([ClientKey::generate().unwrap()]).unwrap();
    let (web, mut visitor) = backend(&network, &keyset, true, &folder.path().join("s.db")).await;
    let page = visitor.get("/auth/client-metadata.json").await;
    assert_eq!((page.status, page.header("content-type")), (200, "application/json"));
    assert_eq!(ClientMetadata::from_json(&page.body).unwrap(), *web.oauth().metadata());
    let jwks = visitor.get("/auth/jwks.json").await;
    assert_eq!((jwks.status, jwks.header("content-type")), (200, "application/json"));
    assert!(jwks.body.contains(keyset.kids().next().unwrap()) && !jwks.body.contains("\"d\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn o19_silent_sign_in_tells_that_the_user_has_to_be_asked() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let account = network.account("alice").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let keyset = Keyset::new([ClientKey::generate().unwrap()]).unwrap();
    let (web, _) = backend(&network, &keyset, false, &folder.path().join("s.db")).await;
    // The provider allows it to confidential clients only.
    let silent = AuthorizeOptions::new().prompt(Prompt::None);
    let authorization = web.oauth().authorize(account.did.as_str(), silent).await.unwrap();
    // Nobody is signed in at the server in this browser, so that it comes back at once.
    let callback = network.approve(&authorization.url, &account).await.unwrap();
    let params = CallbackParams::from_query(callback.split_once('?').unwrap().1).unwrap();
    let error = web.oauth().callback(&params).await.unwrap_err();
    assert!(error.needs_interaction(), "{error:?}");
}
