//! The DID of the server that stores the videos of an account.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::{VideoError, Videos, did_web};
use crate::{
    api::com::atproto::server::describe_server::{self, DescribeServer},
    identity::{
        DidDocument, FetchError,
        http::{Egress, UntrustedHttp},
    },
    types::Did,
    xrpc::{Call, Caller, Error, Method as _, Transport, service::Origin},
};

/// The PDS that has said last what its DID is, with that DID.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<Option<(String, Did)>>);

impl Known {
    fn of(&self, pds: &str) -> Option<Did> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|(known, _)| known == pds).map(|(_, did)| did.clone())
    }

    fn set(&self, pds: &str, did: Did) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((pds.to_owned(), did));
    }
}

impl Videos {
    /// The DID of the PDS, for which a token of the account has to be. The DID document has its address; behind an
    /// entryway, what the client talks to is another server. Usually the DID is made of the address, but a server can
    /// have any.
    pub(super) async fn pds_did(&self) -> Result<String, VideoError> {
        let failed = |error: Error| VideoError::Token(Box::new(error));
        let session = self.account.com_atproto_server().get_session().send_untyped().await;
        let session = session.map_err(|error| failed(error.erase()))?.output;
        let document = session.get("didDoc").and_then(|document| document.deserialize::<DidDocument>().ok());
        let Some(pds) = document.and_then(|document| document.pds().ok()) else {
            return describe(&self.account).await.map(|did| did.to_string()).map_err(failed);
        };
        if let Some(did) = self.pds.of(&pds) {
            return Ok(did.to_string());
        }
        match self.ask(&pds).await {
            Some(did) => {
                self.pds.set(&pds, did.clone());
                Ok(did.to_string())
            }
            None => did_web(&pds).ok_or(VideoError::NoPds),
        }
    }

    /// What a PDS says its DID is. `None` if it says nothing of use; the call for the token tells then what is wrong.
    async fn ask(&self, pds: &str) -> Option<Did> {
        let own = match self.account.as_oauth() {
            Some(client) => client.session_info().await.ok().map(|session| session.pds),
            None => self.account.service().map(str::to_owned),
        };
        let answer = match own {
            Some(own) if own == pds => describe(&self.account).await.map_err(|error| error.to_string()),
            own => ask_stranger(pds, own.as_deref()).await.map_err(|error| error.to_string()),
        };
        match answer {
            Ok(did) if did.is_valid() => Some(did),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(pds, error, "a PDS did not say what its DID is");
                None
            }
        }
    }
}

/// Asks a PDS that the client does not talk to. Its address is the account's, so it is treated as that of any stranger
/// (O9), except that a client of a server on this machine is in development.
async fn ask_stranger(pds: &str, own: Option<&str>) -> Result<Did, FetchError> {
    #[derive(Deserialize)]
    struct Description {
        did: Did,
    }
    let in_development = own.and_then(|own| Origin::parse(own).ok()).is_some_and(|own| own.is_this_machine());
    let egress = Egress { allow_loopback_http: in_development, ..Egress::default() };
    egress.check_url(pds)?;
    let url = format!("{pds}/xrpc/{}", DescribeServer::NSID);
    let http =
        UntrustedHttp::new(&egress).map_err(|source| FetchError::Connect { url: url.clone(), source })?;
    http.get_json::<Description>(&url).await.map(|description| description.did)
}

async fn describe(server: &dyn Transport) -> Result<Did, Error> {
    let call = Call::<DescribeServer>::new(Caller::new(server), describe_server::Params::new(), ());
    call.await.map(|output| output.did).map_err(|error| error.erase())
}
