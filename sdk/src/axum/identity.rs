//! What it means for a visitor that an account or its server was not found, or that a sign-in did not start there.

use super::HandlerErrorKind as Kind;
use crate::{
    identity::IdentityError,
    oauth::{AuthorizeError, DiscoveryError, ServerError},
};

/// Why a sign-in could not be started: the visitor has typed something else than an account or a server, the account or its
/// server cannot be used, or the app is set up wrongly.
pub(super) fn kind_of_authorize(error: &AuthorizeError) -> Kind {
    match error {
        AuthorizeError::Input { .. } => Kind::InvalidInput,
        AuthorizeError::Identity { source, .. } => kind_of_identity(source),
        AuthorizeError::Discovery(source) => kind_of_discovery(source),
        AuthorizeError::Server { source, .. } => kind_of_server(source),
        AuthorizeError::Prompt { .. } | AuthorizeError::Answer { .. } => Kind::BadAnswer,
        AuthorizeError::Pending(_)
        | AuthorizeError::NoRandom(_)
        | AuthorizeError::Key(_)
        | AuthorizeError::Scope { .. }
        | AuthorizeError::RedirectUri { .. } => Kind::Internal,
    }
}

/// The authorization server could not be reached, or is none.
pub(super) fn kind_of_discovery(error: &DiscoveryError) -> Kind {
    match error {
        error if error.is_temporary() => Kind::TryLater,
        error if error.is_about_input() => Kind::InvalidInput,
        _ => Kind::BadAnswer,
    }
}

/// An authorization server did not accept a request of the app.
pub(super) fn kind_of_server(error: &ServerError) -> Kind {
    match error {
        ServerError::OAuth { status, error, .. } => match status {
            408 | 425 | 429 | 500.. => Kind::TryLater,
            _ if matches!(error.as_str(), "temporarily_unavailable" | "slow_down") => Kind::TryLater,
            // Such as `invalid_client_metadata` and `invalid_scope`: the app has to be changed.
            _ => Kind::Internal,
        },
        ServerError::BadResponse { status: 408 | 425 | 429 | 500.., .. }
        | ServerError::Connect { .. }
        | ServerError::Exchange { .. }
        | ServerError::Timeout { .. }
        | ServerError::LockLost { .. } => Kind::TryLater,
        ServerError::BadResponse { .. } | ServerError::MissingNonce { .. } | ServerError::Endpoint { .. } => {
            Kind::BadAnswer
        }
        ServerError::ClientKeyMissing { .. } | ServerError::Dpop(_) => Kind::Internal,
    }
}

/// The account does not exist, its data are broken, or the app is set up wrongly.
pub(super) fn kind_of_identity(error: &IdentityError) -> Kind {
    match error {
        error if error.is_temporary() => Kind::TryLater,
        IdentityError::Configuration { .. } | IdentityError::Setup(_) => Kind::Internal,
        error if is_broken(error) => Kind::BadAnswer,
        _ => Kind::InvalidInput,
    }
}

/// Whether the account exists, and what is published about it cannot be used. A typing error is not the reason.
fn is_broken(error: &IdentityError) -> bool {
    matches!(
        error,
        IdentityError::HandleService { .. }
            | IdentityError::HandleRecord { .. }
            | IdentityError::HandleAmbiguous { .. }
            | IdentityError::DidUnresolved { .. }
            | IdentityError::WrongDocument { .. }
            | IdentityError::NoPds { .. }
            | IdentityError::InvalidPds { .. }
            | IdentityError::UnreachablePds { .. }
    )
}
