//! The identity of an app towards servers: its client metadata and its keys.

mod client;
mod client_key;
pub(crate) mod keyset;
mod metadata;

pub(crate) use client::{Client, ClientProof, ClientRef};
pub use client_key::{ClientKey, ClientKeyError};
pub use keyset::Keyset;
pub use metadata::{
    ApplicationType, ClientAuthentication, ClientMetadata, ClientMetadataError, ReadMetadataError,
};
