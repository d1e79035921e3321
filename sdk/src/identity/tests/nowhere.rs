//! Names that do not exist, which no later attempt finds either.

use std::{io, net::SocketAddr};

use super::*;

/// The system's resolver, which does not tell why.
fn no_name() -> Lookup {
    Arc::new(|_| Box::pin(async { Err(io::Error::other("failed to lookup address information")) }))
}

async fn http_asking(server: SocketAddr) -> UntrustedHttp {
    let egress = http::Egress { name_server: Some(server), ..Default::default() };
    UntrustedHttp::with(&egress, no_name(), Duration::from_secs(5)).unwrap()
}

/// A resolver in whose world the system's resolver finds nothing, with a name server of its own.
async fn handles(server: SocketAddr) -> HandleLookup {
    let dns = super::super::dns::DidRecords::new(Some(server));
    let http = http_asking(server).await;
    HandleLookup::Public(Box::new(PublicLookup { dns, http, well_known: super::super::handle::WELL_KNOWN }))
}

/// What a visitor of a web site is told.
#[cfg(feature = "axum")]
fn told(error: IdentityError) -> (u16, String) {
    use crate::{axum::WebError, oauth::AuthorizeError};
    let identifier = "alice.wrong-name.com".to_owned();
    let source = Box::new(AuthorizeError::Identity { input: identifier.clone(), source: error });
    let error = WebError::Authorize { source, identifier, return_to: None };
    (error.status().as_u16(), error.user_message())
}

fn misspelled() -> Handle {
    Handle::new("alice.wrong-name.com").unwrap()
}

#[tokio::test]
async fn o2_a_misspelled_handle_is_no_outage() {
    let error = handles(net::dns(&[]).await).await.resolve(&misspelled()).await.unwrap_err();
    let IdentityError::HandleUnresolved { dns: None, well_known, .. } = &error else { panic!("{error:?}") };
    assert!(matches!(**well_known, FetchError::NoSuchHost { .. }), "{well_known:?}");
    assert!(!error.is_temporary(), "{error}");
    #[cfg(feature = "axum")]
    {
        let (status, message) = told(error);
        assert!(status == 400 && message.contains("There is no account “alice.wrong-name.com”"), "{message}");
    }
}

#[tokio::test]
async fn o2_a_handle_of_which_dns_says_nothing_may_be_found_later() {
    // Nobody answers at this address.
    let nobody = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = handles(nobody).await.resolve(&misspelled()).await.unwrap_err();
    let IdentityError::HandleUnresolved { dns: Some(_), well_known, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(**well_known, FetchError::Connect { .. }), "{well_known:?}");
    assert!(error.is_temporary());
    #[cfg(feature = "axum")]
    {
        let (status, message) = told(error);
        assert!(status == 502 && message.contains("could not be reached"), "{message}");
    }
}

#[tokio::test]
async fn o2_a_record_that_is_no_did_has_to_be_corrected() {
    let records = [("_atproto.alice.wrong-name.com", ["did=garbage"].as_slice())];
    let error = handles(net::dns(&records).await).await.resolve(&misspelled()).await.unwrap_err();
    let IdentityError::HandleRecord { found, .. } = &error else { panic!("{error:?}") };
    assert_eq!(found, "garbage");
    assert!(!error.is_temporary());
    #[cfg(feature = "axum")]
    {
        let (status, message) = told(error);
        assert!(status == 502 && message.contains("not set up correctly"), "{message}");
    }
    // HTTPS may know better.
    let web = Web::start().await;
    web.text("/alice.example.com", ALICE);
    let records = [(ALICE_TXT, ["did=garbage"].as_slice())];
    let found = lookup(&records, well_known_at(&web)).await.resolve(&alice_handle()).await;
    assert_eq!(found.unwrap().as_str(), ALICE);
}

#[tokio::test]
async fn o4_a_did_and_a_server_at_a_host_that_does_not_exist() {
    let http = http_asking(net::dns(&[]).await).await;
    for url in ["https://web.example.com/.well-known/did.json", "https://pds.example.com/a"] {
        let error = http.get_json::<Value>(url).await.unwrap_err();
        assert!(matches!(&error, FetchError::NoSuchHost { url: told } if told == url), "{error:?}");
        assert!(!error.is_temporary());
    }
}
