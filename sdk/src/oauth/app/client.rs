//! The app as an OAuth client: its id and, if it is confidential, its keys.

use super::{ClientKey, Keyset};

/// The OAuth client of an app.
pub(crate) struct Client {
    pub(crate) client_id: String,
    /// `None` for a public client.
    pub(crate) keyset: Option<Keyset>,
}

/// The client that started a sign-in or a session. It remains the client of that session until the session ends.
#[derive(Clone, Copy)]
pub(crate) struct ClientRef<'a> {
    pub(crate) client_id: &'a str,
    /// The id of its key, if it was confidential.
    pub(crate) key_id: Option<&'a str>,
}

/// How a client authenticates to a server (O13).
#[derive(Clone, Copy)]
pub(crate) enum ClientProof<'a> {
    /// No authentication: a public client.
    None,
    /// Assertions signed with this key.
    Key(&'a ClientKey),
    /// The key with this id, which is no longer in the keyset.
    Missing(&'a str),
}

impl Client {
    /// The client for a new sign-in, with the newest key.
    pub(crate) fn newest(&self) -> ClientRef<'_> {
        let key_id = self.keyset.as_ref().map(|keys| keys.newest().kid());
        ClientRef { client_id: &self.client_id, key_id }
    }

    /// How this app authenticates as the client of a sign-in or a session.
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
