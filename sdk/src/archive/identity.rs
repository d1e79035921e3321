//! Whether a repository is signed by the account that its DID document describes.

use std::sync::Arc;

use crate::{
    identity::{DidDocument, IdentityError, Resolver},
    repo::{Commit, InvalidVerifyingKey, RepoError, Repository, check_signature},
    types::Did,
};

/// The error returned when a repository cannot be verified against an identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The DID document could not be resolved.
    #[error("the identity of {did} cannot be resolved")]
    Identity {
        /// The account.
        did: Did,
        /// Why.
        source: IdentityError,
    },
    /// The DID document has no signing key.
    #[error("the DID document of {did} has no signing key")]
    NoKey {
        /// The account.
        did: Did,
    },
    /// The signing key in the DID document is not valid.
    #[error("the signing key in the DID document of {did} is invalid")]
    InvalidKey {
        /// The account.
        did: Did,
        /// What is wrong.
        source: InvalidVerifyingKey,
    },
    /// The repository is that of another account, or not signed with the key.
    #[error(transparent)]
    Repo(#[from] RepoError),
}

impl Repository {
    /// Checks that the repository is that of the account that a DID document describes, and signed with its key.
    ///
    /// # Errors
    ///
    /// Returns an error if it is not, or if the document has no valid signing key.
    pub fn verify_identity(&self, document: &DidDocument) -> Result<(), VerifyError> {
        verify_identity(self.commit(), document)
    }

    /// Resolves the DID of the repository, and checks that the commit is signed with the account's key.
    ///
    /// If it is not signed with the key in the resolver's cache, or that is none, the DID is resolved anew: the key may have
    /// changed. Make sure that [`did`](Self::did) is the account that you expect; a downloaded repository is always of the
    /// account that was asked for. [`RepositoryDownload::verify_with`](super::RepositoryDownload::verify_with) does this before
    /// a file is replaced.
    ///
    /// # Errors
    ///
    /// Returns an error if the DID cannot be resolved, or as for [`verify_identity`](Self::verify_identity).
    pub async fn verify_with(&self, resolver: &Resolver) -> Result<Arc<DidDocument>, VerifyError> {
        verify_with(self.commit(), resolver).await
    }
}

/// Checks that the commit is that of the account that a DID document describes, and signed with its key.
fn verify_identity(commit: &Commit, document: &DidDocument) -> Result<(), VerifyError> {
    let did = || document.id.clone();
    let key = document
        .verifying_key()
        .map_err(|source| VerifyError::InvalidKey { did: did(), source })?
        .ok_or_else(|| VerifyError::NoKey { did: did() })?;
    Ok(check_signature(commit, &document.id, &key)?)
}

/// Resolves the DID of a commit, and checks that it is signed with the account's key.
pub(super) async fn verify_with(
    commit: &Commit,
    resolver: &Resolver,
) -> Result<Arc<DidDocument>, VerifyError> {
    let document = resolve(commit.did(), resolver).await?;
    match verify_identity(commit, &document) {
        Ok(()) => Ok(document),
        Err(
            VerifyError::Repo(RepoError::Signature { .. })
            | VerifyError::NoKey { .. }
            | VerifyError::InvalidKey { .. },
        ) => {
            resolver.invalidate(commit.did());
            let document = resolve(commit.did(), resolver).await?;
            verify_identity(commit, &document).map(|()| document)
        }
        Err(error) => Err(error),
    }
}

async fn resolve(did: &Did, resolver: &Resolver) -> Result<Arc<DidDocument>, VerifyError> {
    let resolved = resolver.resolve_did(did).await;
    resolved.map_err(|source| VerifyError::Identity { did: did.clone(), source })
}
