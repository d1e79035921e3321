//! DID documents: the handle, keys and services of a DID (O5).

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{
    error::{IdentityError, excerpt},
    syntax::{parse_handle, parse_origin},
};
use crate::types::{Did, Handle};
#[cfg(feature = "repo")]
use crate::verifying_key::{InvalidVerifyingKey, VerifyingKey};

/// A [DID document](https://atproto.com/specs/did#did-documents), restricted to the parts that the protocol uses.
///
/// Deserialization ignores unknown fields, and entries whose form it does not support.
///
/// ```
/// use atproto_sdk::{handle, identity::DidDocument};
///
/// let document: DidDocument = serde_json::from_str(
///     r##"{
///         "id": "did:web:example.com",
///         "alsoKnownAs": ["at://alice.example.com"],
///         "service": [{
///             "id": "#atproto_pds",
///             "type": "AtprotoPersonalDataServer",
///             "serviceEndpoint": "https://pds.example.com"
///         }]
///     }"##,
/// )?;
/// assert_eq!(document.handle(), Some(handle!("alice.example.com")));
/// assert_eq!(document.pds()?, "https://pds.example.com");
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DidDocument {
    /// The DID that the document describes.
    pub id: Did,
    /// The names that the DID claims; handles have the form `at://<handle>`.
    #[serde(default, deserialize_with = "supported_entries")]
    pub also_known_as: Vec<String>,
    /// The public keys.
    #[serde(default, deserialize_with = "supported_entries")]
    pub verification_method: Vec<VerificationMethod>,
    /// The services, including the PDS.
    #[serde(default, deserialize_with = "supported_entries")]
    pub service: Vec<Service>,
}

/// A public key in a DID document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VerificationMethod {
    /// The identifier: `#<name>`, or the same preceded by the DID.
    pub id: String,
    /// The type of key, currently `Multikey`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The DID that controls the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The key in multibase encoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_multibase: Option<String>,
}

/// A service in a DID document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Service {
    /// The identifier: `#<name>`, or the same preceded by the DID.
    pub id: String,
    /// The type of service, such as `AtprotoPersonalDataServer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL of the service.
    pub service_endpoint: String,
}

impl DidDocument {
    /// Returns the origin of the PDS (the service `#atproto_pds`), without a trailing slash.
    ///
    /// Whether connecting to it is allowed (https, a public address) is checked when a connection is made.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError::NoPds`] if the document has no such service, and [`IdentityError::InvalidPds`] if its URL
    /// is not an origin.
    pub fn pds(&self) -> Result<String, IdentityError> {
        let service = self.service("atproto_pds").filter(|s| s.kind == "AtprotoPersonalDataServer");
        let service = service.ok_or_else(|| IdentityError::NoPds { did: self.id.clone() })?;
        parse_origin(&service.service_endpoint).map_err(|problem| IdentityError::InvalidPds {
            did: self.id.clone(),
            url: excerpt(&service.service_endpoint),
            problem,
        })
    }

    /// Returns the handle that the document claims, which is the first valid one.
    ///
    /// It must not be used before it has been resolved and found to point to this DID; [`Resolver`](super::Resolver)
    /// does that.
    pub fn handle(&self) -> Option<Handle> {
        self.also_known_as.iter().find_map(|name| parse_handle(name.strip_prefix("at://")?).ok())
    }

    /// Returns the signing key of the account (`#atproto`, of type `Multikey`) in multibase encoding.
    ///
    /// ```
    /// # use atproto_sdk::identity::DidDocument;
    /// let document: DidDocument = serde_json::from_str(
    ///     r##"{"id":"did:web:example.com","verificationMethod":[{"id":"#atproto",
    ///     "type":"Multikey","publicKeyMultibase":"zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"}]}"##,
    /// )?;
    /// assert!(document.signing_key().unwrap().starts_with("zQ3sh")); // secp256k1
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn signing_key(&self) -> Option<&str> {
        let key = self.verification_method.iter().find(|method| self.is_named(&method.id, "atproto"))?;
        if key.kind == "Multikey" { key.public_key_multibase.as_deref() } else { None }
    }

    /// Returns the signing key of the account (`#atproto`), or `None` if the document has none of a supported type.
    ///
    /// Besides `Multikey`, the two types that preceded it are supported.
    ///
    /// # Errors
    ///
    /// Returns an error if the key is not a P-256 or secp256k1 public key.
    ///
    /// ```
    /// # use atproto_sdk::identity::DidDocument;
    /// let document: DidDocument = serde_json::from_str(
    ///     r##"{"id":"did:web:example.com","verificationMethod":[{"id":"#atproto",
    ///     "type":"Multikey","publicKeyMultibase":"zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"}]}"##,
    /// )?;
    /// assert_eq!(document.verifying_key()?.unwrap().algorithm(), "ES256K");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "repo")]
    pub fn verifying_key(&self) -> Result<Option<VerifyingKey>, InvalidVerifyingKey> {
        let key = self.verification_method.iter().find(|method| self.is_named(&method.id, "atproto"));
        let key =
            key.and_then(|key| VerifyingKey::from_method(&key.kind, key.public_key_multibase.as_deref()?));
        key.transpose()
    }

    /// Returns the first service with the given name, without the `#`, such as `atproto_labeler`.
    ///
    /// ```
    /// # use atproto_sdk::identity::DidDocument;
    /// let document: DidDocument = serde_json::from_str(
    ///     r##"{"id":"did:web:labels.example.com","service":[{"id":"#atproto_labeler",
    ///     "type":"AtprotoLabeler","serviceEndpoint":"https://labels.example.com"}]}"##,
    /// )?;
    /// let labeler = document.service("atproto_labeler").unwrap();
    /// assert_eq!(labeler.service_endpoint, "https://labels.example.com");
    /// # Ok::<_, serde_json::Error>(())
    /// ```
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.service.iter().find(|service| self.is_named(&service.id, name))
    }

    /// Identifiers are relative (`#name`) or preceded by the DID.
    fn is_named(&self, id: &str, name: &str) -> bool {
        let fragment = id.strip_prefix(self.id.as_str()).unwrap_or(id);
        fragment.strip_prefix('#') == Some(name)
    }
}

/// Deserializes the entries of a supported form. An entry of another form (such as an endpoint that is a map) does not
/// make the document unusable.
fn supported_entries<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let entries = Option::<Vec<serde_json::Value>>::deserialize(deserializer)?.unwrap_or_default();
    Ok(entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    const DID: &str = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";

    fn with_service(id: &str, kind: &str, endpoint: serde_json::Value) -> DidDocument {
        let service = json!([{"id": id, "type": kind, "serviceEndpoint": endpoint}]);
        serde_json::from_value(json!({"id": DID, "service": service, "extra": 1})).unwrap()
    }

    #[test]
    fn o5_the_pds_is_found_under_a_relative_or_absolute_id() {
        for id in ["#atproto_pds".to_owned(), format!("{DID}#atproto_pds")] {
            let document = with_service(&id, "AtprotoPersonalDataServer", json!("https://PDS.example.com/"));
            assert_eq!(document.pds().unwrap(), "https://pds.example.com");
        }
        for (id, kind) in [
            ("#other", "AtprotoPersonalDataServer"),
            ("did:plc:other#atproto_pds", "AtprotoPersonalDataServer"),
            ("atproto_pds", "AtprotoPersonalDataServer"),
            ("#atproto_pds", "Other"),
        ] {
            let document = with_service(id, kind, json!("https://pds.example.com"));
            assert!(matches!(document.pds(), Err(IdentityError::NoPds { .. })), "{id} {kind}");
        }
        let document =
            with_service("#atproto_pds", "AtprotoPersonalDataServer", json!({"uri": "https://a.b"}));
        assert!(matches!(document.pds(), Err(IdentityError::NoPds { .. })));
    }

    #[test]
    fn o5_the_pds_is_an_origin() {
        for url in [
            "https://pds.example.com/path",
            "https://pds.example.com?x=1",
            "https://pds.example.com/#x",
            "https://user@pds.example.com",
            "ftp://pds.example.com",
            "pds.example.com",
            "",
        ] {
            let document = with_service("#atproto_pds", "AtprotoPersonalDataServer", json!(url));
            assert!(matches!(document.pds(), Err(IdentityError::InvalidPds { .. })), "{url}");
        }
        let document =
            with_service("#atproto_pds", "AtprotoPersonalDataServer", json!("https://a.example:8443"));
        assert_eq!(document.pds().unwrap(), "https://a.example:8443");
    }

    #[test]
    fn o5_the_handle_is_the_first_valid_one() {
        let names = json!([
            "https://alice.example.com",
            "at://not a handle",
            7,
            "at://Alice.example.com",
            "at://b.c"
        ]);
        let document: DidDocument = serde_json::from_value(json!({"id": DID, "alsoKnownAs": names})).unwrap();
        assert_eq!(document.handle().unwrap().as_str(), "alice.example.com");
        let none: DidDocument = serde_json::from_value(json!({"id": DID, "alsoKnownAs": null})).unwrap();
        assert_eq!(none.handle(), None);
    }

    #[test]
    fn the_signing_key_is_the_multikey_named_atproto() {
        let method = |id: &str, kind: &str| {
            let methods = json!([{"id": id, "type": kind, "controller": DID, "publicKeyMultibase": "zKey"}]);
            serde_json::from_value::<DidDocument>(json!({"id": DID, "verificationMethod": methods})).unwrap()
        };
        assert_eq!(method("#atproto", "Multikey").signing_key(), Some("zKey"));
        assert_eq!(method(&format!("{DID}#atproto"), "Multikey").signing_key(), Some("zKey"));
        assert_eq!(method("#atproto_label", "Multikey").signing_key(), None);
        assert_eq!(method("#atproto", "JsonWebKey2020").signing_key(), None);
    }
}
