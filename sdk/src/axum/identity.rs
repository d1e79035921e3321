//! What it means for a visitor that an account or its server was not found.

use super::HandlerErrorKind as Kind;
use crate::identity::IdentityError;

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
            | IdentityError::DidUnresolved { .. }
            | IdentityError::WrongDocument { .. }
            | IdentityError::NoPds { .. }
            | IdentityError::InvalidPds { .. }
            | IdentityError::UnreachablePds { .. }
    )
}
