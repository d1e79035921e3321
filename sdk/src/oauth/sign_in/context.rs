//! The dependencies of sign-ins.

use std::sync::Arc;

use super::pending::PendingSignIns;
use crate::{
    identity::{ResolveIdentity, http::UntrustedHttp},
    oauth::{app::ClientMetadata, session::AppContext},
};

/// An app that signs users in.
pub(crate) struct SignInContext {
    pub(crate) metadata: ClientMetadata,
    pub(crate) resolver: Arc<dyn ResolveIdentity>,
    /// Fetches metadata from URLs in untrusted documents.
    pub(crate) untrusted: UntrustedHttp,
    pub(crate) pending: PendingSignIns,
    pub(crate) app: Arc<AppContext>,
    pub(crate) allow_loopback_http: bool,
}
