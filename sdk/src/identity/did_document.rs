//! The DID document: what a DID says of its handle, keys and services (O5).

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use url::Url;

use super::{error::IdentityError, handle::parse_handle};
use crate::types::{Did, Handle};

/// A DID document, as far as the protocol uses it. Unknown fields and entries of another shape are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DidDocument {
    /// The DID that the document is of.
    pub id: Did,
    /// Names that the DID claims; handles stand here as `at://<handle>`.
    #[serde(default, deserialize_with = "readable")]
    pub also_known_as: Vec<String>,
    /// Public keys.
    #[serde(default, deserialize_with = "readable")]
    pub verification_method: Vec<VerificationMethod>,
    /// Services, the PDS among them.
    #[serde(default, deserialize_with = "readable")]
    pub service: Vec<Service>,
}

/// A public key in a DID document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct VerificationMethod {
    /// `#<name>`, or the same with the DID in front.
    pub id: String,
    /// The kind of key, `Multikey` today.
    #[serde(rename = "type")]
    pub kind: String,
    /// The DID that holds the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The key in multibase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_multibase: Option<String>,
}

/// A service in a DID document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Service {
    /// `#<name>`, or the same with the DID in front.
    pub id: String,
    /// The kind of service, such as `AtprotoPersonalDataServer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its URL.
    pub service_endpoint: String,
}

impl DidDocument {
    /// Origin of the PDS, without a slash at its end (O5).
    ///
    /// Whether it may be asked (https, a public address) is checked when it is. Errors: [`IdentityError::NoPds`],
    /// [`IdentityError::InvalidPds`].
    pub fn pds(&self) -> Result<String, IdentityError> {
        let service = self.service("atproto_pds").filter(|s| s.kind == "AtprotoPersonalDataServer");
        let service = service.ok_or_else(|| IdentityError::NoPds { did: self.id.clone() })?;
        origin(&service.service_endpoint).map_err(|problem| IdentityError::InvalidPds {
            did: self.id.clone(),
            // Cut, because a stranger chose it.
            url: service.service_endpoint.chars().filter(|c| !c.is_control()).take(200).collect(),
            problem,
        })
    }

    /// The handle that the document claims: the first valid one (O5). It counts only once it leads back to the DID.
    pub fn handle(&self) -> Option<Handle> {
        self.also_known_as.iter().find_map(|name| parse_handle(name.strip_prefix("at://")?).ok())
    }

    /// The account's signing key (`#atproto`, type `Multikey`) in multibase.
    pub fn signing_key(&self) -> Option<&str> {
        let key = self.verification_method.iter().find(|method| self.is_named(&method.id, "atproto"))?;
        if key.kind == "Multikey" { key.public_key_multibase.as_deref() } else { None }
    }

    /// The first service of a name, given without `#`, such as `bsky_labeler`.
    pub fn service(&self, name: &str) -> Option<&Service> {
        self.service.iter().find(|service| self.is_named(&service.id, name))
    }

    /// Ids stand relative (`#name`) or with the DID in front.
    fn is_named(&self, id: &str, name: &str) -> bool {
        let fragment = id.strip_prefix(self.id.as_str()).unwrap_or(id);
        fragment.strip_prefix('#') == Some(name)
    }
}

/// A URL that is nothing but an origin, in its canonical form.
pub(super) fn origin(text: &str) -> Result<String, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is not an absolute URL")?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err("it must be https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it carries credentials");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("it must be an origin: no path, query or fragment");
    }
    Ok(url.origin().ascii_serialization())
}

/// Reads the entries that have the shape used here; one of another shape (an endpoint that is a map, say) is no
/// reason to lose the document.
fn readable<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Vec<T>, D::Error> {
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
