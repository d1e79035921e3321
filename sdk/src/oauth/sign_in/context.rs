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
    /// Whether sessions are lost with the process, as far as that is known.
    #[cfg_attr(
        not(feature = "axum"),
        allow(dead_code, reason = "only web sites have others' users to lose")
    )]
    pub(crate) in_memory: bool,
}
