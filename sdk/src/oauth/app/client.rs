//! The app as authorization servers know it: a client with an id and, if it is confidential, keys.

use super::{ClientKey, Keyset};

/// The client that an app is.
pub(crate) struct Client {
    pub(crate) client_id: String,
    /// Of a confidential client.
    pub(crate) keyset: Option<Keyset>,
}

/// The client that a sign-in or a session was begun with, which it stays with for its life.
#[derive(Clone, Copy)]
pub(crate) struct ClientRef<'a> {
    pub(crate) client_id: &'a str,
    /// The name of its key, if it was confidential.
    pub(crate) key_id: Option<&'a str>,
}

/// How a client proves to a server who it is (protocol O13).
#[derive(Clone, Copy)]
pub(crate) enum ClientProof<'a> {
    /// Not at all: a public client.
    None,
    /// By assertions of this key.
    Key(&'a ClientKey),
    /// By a key of this name, which is no longer in the keyset.
    Missing(&'a str),
}

impl Client {
    /// What a new sign-in begins with: the newest key signs.
    pub(crate) fn newest(&self) -> ClientRef<'_> {
        let key_id = self.keyset.as_ref().map(|keys| keys.newest().kid());
        ClientRef { client_id: &self.client_id, key_id }
    }

    /// How this app proves that it is the client of a sign-in or a session.
    pub(crate) fn proof<'a>(&'a self, client: ClientRef<'a>) -> ClientProof<'a> {
        match client.key_id {
            None => ClientProof::None,
            Some(kid) => match self.keyset.as_ref().and_then(|keys| keys.get(kid)) {
                Some(key) => ClientProof::Key(key),
                None => ClientProof::Missing(kid),
            },
        }
    }
}
