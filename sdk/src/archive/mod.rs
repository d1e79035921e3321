//! Copies of whole accounts: the repository and the blobs, checked and resumable.
//!
//! Everything here can be read without signing in, from the account's PDS, whose address is in its DID document:
//!
//! ```no_run
//! use atproto_sdk::{PublicClient, archive::BlobDownload, identity::Resolver, repo::Repository};
//!
//! # async fn example(resolver: Resolver) -> Result<(), Box<dyn std::error::Error>> {
//! let identity = resolver.resolve("alice.example.com").await?;
//! let client = PublicClient::new(&identity.pds)?;
//!
//! let download = Repository::download(&client, &identity.did).verify_with(&resolver);
//! let repository = download.save("backup/repo.car").await?;
//! println!("{} at revision {}", repository.did(), repository.rev());
//!
//! let blobs = BlobDownload::new(&client, &identity.did, "backup/blobs").await?;
//! println!("{} blobs, {} of them new, {} failed", blobs.listed, blobs.downloaded, blobs.failed.len());
//! # Ok(()) }
//! ```
//!
//! It requires the features `client` and `repo`.

mod blob;
mod blobs;
mod identity;
mod part;
mod repository;
#[cfg(test)]
mod tests;

pub use blob::BlobError;
pub use blobs::{BlobDownload, BlobProgress, BlobsError, DownloadedBlobs};
pub use identity::VerifyError;
pub use part::FileError;
pub use repository::{DownloadError, RepositoryDownload};
