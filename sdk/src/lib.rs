//! Typed AT Protocol calls over OAuth sessions that sign and refresh by themselves.

pub mod types;
pub mod xrpc;

#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
pub mod oauth;

/// What generated code names; not for users.
#[doc(hidden)]
pub mod __private {
    pub use compact_str::CompactString;
    pub use serde::{Deserialize, Deserializer, Serialize, Serializer, de::MapAccess, ser::SerializeMap};
    pub use std::marker::PhantomData;
}
