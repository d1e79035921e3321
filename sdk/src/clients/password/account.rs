//! What a server says about the account when signing in and when refreshing (X14).

use std::{convert::Infallible, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use crate::{
    identity::DidDocument,
    limits,
    types::{Did, Handle},
};

/// What the server has said about the account of a [`PasswordClient`](super::PasswordClient), when it was signed in or its
/// session was last refreshed. Returned by [`PasswordClient::account`](super::PasswordClient::account).
///
/// Servers need not say all of this. What a server did not say, or said in an unknown form, is `None`.
///
/// ```no_run
/// # fn example(client: atproto_sdk::PasswordClient) {
/// use atproto_sdk::AccountStatus;
///
/// let account = client.account();
/// if account.active == Some(false) && account.status == Some(AccountStatus::Deactivated) {
///     println!("{} must be reactivated before it can post", account.did);
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PasswordAccount {
    /// The DID.
    pub did: Did,
    /// The handle.
    #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
    pub handle: Option<Handle>,
    /// The email address.
    #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Whether the email address has been confirmed.
    #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
    pub email_confirmed: Option<bool>,
    /// Whether the account is active.
    #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Why the account is not active.
    #[serde(default, deserialize_with = "if_understood", skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
    /// The DID document.
    #[serde(
        default,
        rename = "didDoc",
        deserialize_with = "if_understood",
        skip_serializing_if = "Option::is_none"
    )]
    pub did_document: Option<DidDocument>,
}

/// Why an account is not active. See [`PasswordAccount`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum AccountStatus {
    /// The server has taken it down.
    TakenDown,
    /// The server has suspended it for a time.
    Suspended,
    /// Its owner has deactivated it.
    Deactivated,
    /// Another reason.
    Other(String),
}

impl From<String> for AccountStatus {
    fn from(text: String) -> Self {
        match text.as_str() {
            "takendown" => Self::TakenDown,
            "suspended" => Self::Suspended,
            "deactivated" => Self::Deactivated,
            _ => Self::Other(text),
        }
    }
}

impl FromStr for AccountStatus {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.to_owned().into())
    }
}

impl From<AccountStatus> for String {
    fn from(status: AccountStatus) -> Self {
        match status {
            AccountStatus::TakenDown => "takendown".to_owned(),
            AccountStatus::Suspended => "suspended".to_owned(),
            AccountStatus::Deactivated => "deactivated".to_owned(),
            AccountStatus::Other(text) => text,
        }
    }
}

/// A field that is not needed must not make a response unusable.
fn if_understood<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

impl PasswordAccount {
    /// Takes over what a later response says. What it does not say remains as it was.
    pub(super) fn update(&mut self, newer: Self) {
        let Self { did: _, handle, email, email_confirmed, active, status, did_document } = newer;
        if active.is_some() {
            // A status belongs to an `active` of the same response.
            (self.active, self.status) = (active, status);
        }
        self.handle = handle.or(self.handle.take());
        self.email = email.or(self.email.take());
        self.email_confirmed = email_confirmed.or(self.email_confirmed);
        self.did_document = did_document.or(self.did_document.take());
    }

    /// Forgets a DID document that is too long to be stored with every refresh.
    pub(super) fn drop_long_document(&mut self) {
        let is_short = |document: &DidDocument| {
            serde_json::to_vec(document).is_ok_and(|text| text.len() <= limits::DID_DOCUMENT_LENGTH)
        };
        self.did_document = self.did_document.take().filter(is_short);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn account(json: &str) -> PasswordAccount {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn x14_what_is_not_understood_is_left_out() {
        let odd = account(
            r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": 7, "email": null, "emailConfirmed": "yes",
                "active": {}, "status": [], "didDoc": "none", "other": 1}"#,
        );
        assert_eq!(odd, account(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#));
        let told = account(
            r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "alice.example", "email": "a@b.example",
                "emailConfirmed": true, "active": false, "status": "resting",
                "didDoc": {"id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}}"#,
        );
        assert_eq!(told.status, Some(AccountStatus::Other("resting".into())));
        assert!(told.did_document.is_some() && told.email_confirmed == Some(true));
        assert_eq!(account(&serde_json::to_string(&told).unwrap()), told);
        for status in ["takendown", "suspended", "deactivated", "x"] {
            assert_eq!(String::from(status.parse::<AccountStatus>().unwrap()), status);
        }
    }

    #[test]
    fn x14_a_did_document_that_is_too_long_to_store_is_left_out() {
        for (length, kept) in [(100, true), (limits::DID_DOCUMENT_LENGTH, false)] {
            let name = format!("at://{}.example", "a".repeat(length));
            let mut told = account(&format!(
                r#"{{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz",
                    "didDoc": {{"id": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "alsoKnownAs": ["{name}"]}}}}"#
            ));
            assert!(told.did_document.is_some());
            told.drop_long_document();
            assert_eq!(told.did_document.is_some(), kept, "{length}");
        }
    }

    #[test]
    fn x14_later_responses_change_what_they_say() {
        let mut known = account(
            r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "email": "a@b.example", "active": false,
                "status": "deactivated"}"#,
        );
        known.update(account(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "handle": "alice.example"}"#));
        assert_eq!((known.active, &known.status), (Some(false), &Some(AccountStatus::Deactivated)));
        known.update(account(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "active": true}"#));
        assert_eq!((known.active, known.status.clone()), (Some(true), None));
        assert_eq!(known.email.as_deref(), Some("a@b.example"));
        assert_eq!(known.handle.unwrap().as_str(), "alice.example");
    }
}
