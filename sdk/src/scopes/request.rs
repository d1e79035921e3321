//! The permissions that a request requires, like in the reference server. If that is uncertain, none are required here.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use serde::Deserialize;

use super::{
    account::{AccountAction, AccountAttribute, IdentityAttribute},
    audience,
    grant::Grant,
    item::granting_item,
    mime,
    need::{Kind, Need},
    repo::{RepoAction, RepoActions},
    set::{Scopes, shortest_scope},
};
use crate::{
    types::Did,
    xrpc::{Request, RequestBody, TransportError},
};

/// The header of a call that is forwarded to another service. Looking for a text would be slower.
static PROXY: HeaderName = HeaderName::from_static("atproto-proxy");

/// The collection and the action of a write.
#[derive(Deserialize)]
struct Write<'a> {
    #[serde(borrow)]
    collection: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "$type")]
    kind: Option<Cow<'a, str>>,
}

/// The writes of `applyWrites`.
#[derive(Deserialize)]
struct Writes<'a> {
    #[serde(borrow)]
    writes: Vec<Write<'a>>,
}

impl Scopes {
    /// Rejects a request if the server would certainly reject it because of a missing scope.
    pub(crate) fn check(&self, request: &Request, account: Option<&Did>) -> Result<(), TransportError> {
        let nsid = request.nsid();
        let missing = match nsid.strip_prefix("com.atproto.") {
            Some(name) if request.headers().contains_key(&PROXY) => {
                // A server may handle its own methods itself despite the header, or forward them.
                if name == "moderation.createReport" { self.missing_call(request) } else { None }
            }
            Some(name) => self.missing_at_server(name, request),
            None => self.missing_call(request),
        };
        match missing {
            Some(scope) => {
                tracing::debug!(nsid, scope, "call not sent, because a scope is missing");
                let item = granting_item(&scope);
                let nsid = request.shared_nsid();
                let did = account.cloned();
                Err(TransportError::MissingScope { nsid, scope, item, did, response: None })
            }
            None => Ok(()),
        }
    }

    /// The scope to request, if a need is certainly not granted.
    fn missing(&self, kind: Kind<'_>) -> Option<String> {
        (self.grant(Need(kind)) == Grant::Missing).then(|| shortest_scope(&Need(kind)))
    }

    /// For methods that the PDS implements itself. Methods that are not listed require no permission.
    fn missing_at_server(&self, name: &str, request: &Request) -> Option<String> {
        let account = |attr| self.missing(Kind::Account { attr, action: AccountAction::Manage });
        let identity = |attr| self.missing(Kind::Identity { attr });
        match name {
            "repo.createRecord" => self.missing_write(request, RepoActions::only(RepoAction::Create)),
            // The server requires both, before it checks whether the record exists.
            "repo.putRecord" => {
                self.missing_write(request, RepoActions::only(RepoAction::Create).and(RepoAction::Update))
            }
            "repo.deleteRecord" => self.missing_write(request, RepoActions::only(RepoAction::Delete)),
            "repo.applyWrites" => self.missing_writes(request),
            "repo.uploadBlob" => {
                let accept = mime_type(request.headers())?;
                self.missing(Kind::Blob { accept })
            }
            "repo.importRepo" => account(AccountAttribute::Repo),
            "server.deactivateAccount" => account(AccountAttribute::Status),
            "server.requestEmailConfirmation" | "server.confirmEmail" => account(AccountAttribute::Email),
            "server.getServiceAuth" => self.missing_service_auth(request.query()),
            "identity.updateHandle" => identity(IdentityAttribute::Handle),
            "identity.requestPlcOperationSignature"
            | "identity.signPlcOperation"
            | "identity.submitPlcOperation" => identity(IdentityAttribute::Everything),
            "moderation.createReport" => self.missing_call(request),
            _ => None,
        }
    }

    /// The body, unless all writes are granted. A body that cannot be parsed is left to the server to reject.
    fn body_to_check<'r>(&self, request: &'r Request) -> Option<&'r [u8]> {
        let everything = Kind::Repo { collection: "*", actions: RepoActions::ALL };
        match request.body() {
            RequestBody::Bytes(bytes) if self.grant(Need(everything)) != Grant::Granted => Some(bytes),
            _ => None,
        }
    }

    fn missing_write(&self, request: &Request, actions: RepoActions) -> Option<String> {
        let write: Write<'_> = serde_json::from_slice(self.body_to_check(request)?).ok()?;
        let collection = &*write.collection?;
        self.missing(Kind::Repo { collection, actions })
    }

    fn missing_writes(&self, request: &Request) -> Option<String> {
        let writes: Writes<'_> = serde_json::from_slice(self.body_to_check(request)?).ok()?;
        writes.writes.iter().find_map(|write| {
            let action = match write.kind.as_deref()?.strip_prefix("com.atproto.repo.applyWrites#")? {
                "create" => RepoAction::Create,
                "update" => RepoAction::Update,
                "delete" => RepoAction::Delete,
                _ => return None,
            };
            let collection = write.collection.as_deref()?;
            self.missing(Kind::Repo { collection, actions: RepoActions::only(action) })
        })
    }

    /// A token for calling a service directly requires the same permission as the call.
    fn missing_service_auth(&self, query: &str) -> Option<String> {
        let value = |wanted| url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
        let (_, method) = value("lxm")?;
        let (_, audience) = value("aud")?;
        // A DID without a service id may be the DID of a service in the scopes.
        let audience = if audience::check(&audience).is_ok() { &*audience } else { "" };
        self.missing(Kind::Rpc { method: &method, audience })
    }

    /// For calls that the PDS forwards, to the service in the header or to one that it chooses. Without the header, it may
    /// handle methods other than those of Bluesky itself.
    fn missing_call(&self, request: &Request) -> Option<String> {
        let method = request.nsid();
        let header = match request.headers().get("atproto-proxy") {
            Some(value) => Some(value.to_str().ok()?),
            None => None,
        };
        let audience = match header {
            // These contain the service in their body, and the header is ignored.
            _ if method.starts_with("app.bsky.notification.") && method.ends_with("registerPush") => "",
            Some(service) if audience::check(service).is_ok() => service,
            // No scope can contain such a service, but that is left to the server to reject.
            Some(_) => return None,
            None if ["app.bsky.", "chat.bsky.", "com.atproto."].iter().any(|it| method.starts_with(it)) => "",
            None => return None,
        };
        self.missing(Kind::Rpc { method, audience })
    }
}

/// The MIME type of a body, without parameters.
fn mime_type(headers: &HeaderMap) -> Option<&str> {
    let mime = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next()?.trim();
    (mime::check(mime).is_ok() && !mime.contains('*')).then_some(mime)
}
