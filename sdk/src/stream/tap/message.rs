//! What Tap sends, in a channel or to a webhook.

use crate::{
    stream::frame::memory_for,
    types::{
        AtUri, Cid, DataError, Did, Extra, Handle, Nsid, Record, RecordKey, SmallString, Tid, Unknown,
        codec::from_json_within, from_json,
    },
};

/// A message of Tap.
///
/// The body of a request to a webhook is one of them:
///
/// ```
/// use atproto_sdk::stream::tap::Message;
///
/// let body = br#"{"id":12345,"type":"identity","identity":{"did":"did:plc:ewvi7nxzyoun6zhxrhs64oiz",
///     "handle":"alice.example.com","is_active":true,"status":"active"}}"#;
/// let Message::Identity(event) = Message::from_json(body)? else { panic!() };
/// assert_eq!((event.id, event.is_active), (12345, true));
/// # Ok::<_, atproto_sdk::types::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// A record was created, updated or deleted.
    Record(Box<RecordEvent>),
    /// The handle or the status of an account.
    Identity(Box<IdentityEvent>),
    /// A message of another type, as it was sent.
    Other(Unknown),
}

/// A record was created, updated or deleted, or was found in a repository that Tap has fetched.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RecordEvent {
    /// The number of the event, with which it is acknowledged.
    pub id: i64,
    /// Whether it comes from the stream of the relay, and not from a repository that was fetched.
    pub live: bool,
    /// The account.
    pub did: Did,
    /// The revision of the repository.
    pub rev: Tid,
    /// The collection of the record.
    pub collection: Nsid,
    /// The key of the record in the collection.
    pub rkey: RecordKey,
    /// What happened to the record.
    pub action: Action,
    /// The record, unless it was deleted.
    pub record: Option<Unknown>,
    /// The CID of the record, unless it was deleted.
    pub cid: Option<Cid>,
    /// Fields that this library does not know.
    pub extra: Extra,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// `create`
    Create,
    /// `update`
    Update,
    /// `delete`
    Delete,
    /// Any other value.
    Other(SmallString),
}

crate::__open_string! {
    Action { Create = "create", Update = "update", Delete = "delete" }
}

/// The handle and the status of an account, when Tap begins to follow it and when they change.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IdentityEvent {
    /// The number of the event, with which it is acknowledged.
    pub id: i64,
    /// The account.
    pub did: Did,
    /// The handle, if Tap knows a valid one.
    pub handle: Option<Handle>,
    /// Whether the account is active.
    pub is_active: bool,
    /// The status.
    pub status: AccountStatus,
    /// Fields that this library does not know.
    pub extra: Extra,
}

/// The status of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountStatus {
    /// `active`
    Active,
    /// `takendown`
    Takendown,
    /// `suspended`
    Suspended,
    /// `deactivated`
    Deactivated,
    /// `deleted`
    Deleted,
    /// Any other value.
    Other(SmallString),
}

crate::__open_string! {
    AccountStatus {
        Active = "active",
        Takendown = "takendown",
        Suspended = "suspended",
        Deactivated = "deactivated",
        Deleted = "deleted",
    }
}

/// A message as it is sent.
#[derive(Clone)]
struct Sent {
    id: i64,
    kind: kind::Kind,
    record: Option<SentRecord>,
    identity: Option<SentIdentity>,
    extra: Extra,
}

crate::__object! {
    Sent, "a message of Tap", record: false, {
        0 id: "id" required,
        1 kind: "type" required,
        2 record: "record" optional,
        3 identity: "identity" optional,
    }
}

mod kind {
    #![allow(unreachable_pub, reason = "the macro is for types that are public")]
    use crate::types::SmallString;

    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub(super) enum Kind {
        Record,
        Identity,
        Other(SmallString),
    }

    crate::__open_string! {
        Kind { Record = "record", Identity = "identity" }
    }
}

#[derive(Clone)]
struct SentRecord {
    live: bool,
    did: Did,
    rev: Tid,
    collection: Nsid,
    rkey: RecordKey,
    action: Action,
    record: Option<Unknown>,
    cid: Option<Cid>,
    extra: Extra,
}

crate::__object! {
    SentRecord, "a record event of Tap", record: false, {
        0 live: "live" required,
        1 did: "did" required,
        2 rev: "rev" required,
        3 collection: "collection" required,
        4 rkey: "rkey" required,
        5 action: "action" required,
        6 record: "record" optional,
        7 cid: "cid" optional,
    }
}

#[derive(Clone)]
struct SentIdentity {
    did: Did,
    /// Not always a valid handle.
    handle: Option<String>,
    is_active: Option<bool>,
    /// What the documents call it.
    active: Option<bool>,
    status: AccountStatus,
    extra: Extra,
}

crate::__object! {
    SentIdentity, "an identity event of Tap", record: false, {
        0 did: "did" required,
        1 handle: "handle" optional,
        2 is_active: "is_active" optional,
        3 active: "isActive" optional,
        4 status: "status" required,
    }
}

/// The number of a message of which nothing else may be valid.
#[derive(Clone)]
struct Numbered {
    id: i64,
    extra: Extra,
}

crate::__object! { Numbered, "a message of Tap", record: false, { 0 id: "id" required } }

/// The number of a message, which has to be acknowledged whatever else it contains.
pub(super) fn id_of(json: &[u8]) -> Option<i64> {
    from_json_within::<Numbered>(json, memory_for(json.len())).ok().map(|message| message.id)
}

impl Message {
    /// Decodes a message: the body of a request to a webhook.
    ///
    /// Tap repeats the request until it is answered with a status between 200 and 299, so it should be sent after the event
    /// was processed. If Tap has a password, the request has it too, as that of the user `admin`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not a message of Tap, or one with invalid identifiers.
    pub fn from_json(json: impl AsRef<[u8]>) -> Result<Self, DataError> {
        let json = json.as_ref();
        let sent: Sent = from_json_within(json, memory_for(json.len()))?;
        Ok(match (sent.kind, sent.record, sent.identity) {
            (kind::Kind::Record, Some(record), _) => {
                let SentRecord { live, did, rev, collection, rkey, action, record, cid, extra } = record;
                let id = sent.id;
                let event = RecordEvent { id, live, did, rev, collection, rkey, action, record, cid, extra };
                Self::Record(Box::new(event))
            }
            (kind::Kind::Identity, _, Some(identity)) => {
                let SentIdentity { did, handle, is_active, active, status, extra } = identity;
                let is_active = is_active.or(active).unwrap_or(status == AccountStatus::Active);
                let handle = handle.and_then(|handle| Handle::new(handle).ok());
                Self::Identity(Box::new(IdentityEvent { id: sent.id, did, handle, is_active, status, extra }))
            }
            _ => Self::Other(from_json(json)?),
        })
    }

    /// Returns the number of the event, with which it is acknowledged.
    pub fn id(&self) -> Option<i64> {
        match self {
            Self::Record(event) => Some(event.id),
            Self::Identity(event) => Some(event.id),
            Self::Other(message) => message.get("id")?.decode().ok(),
        }
    }

    /// Returns the account that the message is about.
    pub fn did(&self) -> Option<&Did> {
        match self {
            Self::Record(event) => Some(&event.did),
            Self::Identity(event) => Some(&event.did),
            Self::Other(_) => None,
        }
    }

    /// Returns the record that was created or updated, decoded, if it is in the collection of `R`. See
    /// [`RecordEvent::record`].
    pub fn record<R: Record>(&self) -> Option<Result<R, DataError>> {
        if let Self::Record(event) = self { event.record() } else { None }
    }
}

impl RecordEvent {
    /// Returns the record that was created or updated, decoded, if it is in the collection of `R`. Returns `None` for
    /// records of other collections, and for deletions.
    ///
    /// # Errors
    ///
    /// Returns an error if the record is not what the lexicon of its collection says. Everybody can write records like that,
    /// so an error is not a reason to stop.
    pub fn record<R: Record>(&self) -> Option<Result<R, DataError>> {
        let record = self.record.as_ref().filter(|_| self.collection == R::COLLECTION)?;
        Some(record.decode())
    }

    /// Returns the URI of the record.
    pub fn uri(&self) -> AtUri {
        AtUri::record(&self.did, &self.collection, &self.rkey)
    }
}
