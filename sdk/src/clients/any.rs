//! One client for code that serves accounts of any kind.

use std::{fmt, sync::Arc};

use super::{AdminClient, PasswordClient, PublicClient};
use crate::{
    oauth::OAuthClient,
    types::Did,
    xrpc::{BoxFuture, CallSettings, Request, Transport, TransportError, TransportResponse},
};

/// Any client: one that has signed in with OAuth or a password, a public one, an administrator's, or a
/// [`Transport`] of your own. Cheap to clone.
///
/// Write functions that take a `&Client`, and types that keep a `Client`, and they serve accounts of every kind, and tests. It
/// has the methods of the other clients: those of every namespace, records, writes, untyped calls and settings. Bindings of
/// other crates work with it as well.
///
/// ```no_run
/// use atproto_sdk::{
///     Client, PasswordClient, api::app::bsky::feed::post::Post, oauth::OAuthClient, types::Datetime,
/// };
///
/// /// Posts as any signed-in account.
/// async fn announce(client: &Client, text: &str) -> Result<(), Box<dyn std::error::Error>> {
///     let created = client.records::<Post>().create(&Post::new(text, Datetime::now())).await?;
///     println!("{}", created.uri);
///     Ok(())
/// }
///
/// struct Worker {
///     client: Client,
/// }
///
/// # async fn example(user: OAuthClient, bot: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
/// announce(&user.clone().into(), "from a user").await?;
/// announce(&bot.clone().into(), "from a bot").await?;
/// let workers = [Worker { client: user.into() }, Worker { client: bot.into() }];
/// # let _ = workers;
/// # Ok(()) }
/// ```
///
/// A server in a test:
///
/// ```
/// use atproto_sdk::{
///     Client, handle,
///     api::com::atproto::identity::resolve_handle,
///     xrpc::{BoxFuture, ByteStream, Request, Transport, TransportError, TransportResponse},
/// };
/// use http::{HeaderMap, StatusCode};
///
/// struct Fixed(&'static str);
///
/// impl Transport for Fixed {
///     fn send<'a>(&'a self, _: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
///         let body = ByteStream::new(futures_util::stream::iter([Ok(self.0.into())]));
///         Box::pin(async { Ok(TransportResponse::new(StatusCode::OK, HeaderMap::new(), body)) })
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new(Fixed(r#"{"did": "did:plc:ewvi7nxzyoun6zhxrhs64oiz"}"#));
/// let params = resolve_handle::Params::new(handle!("alice.example.com"));
/// assert_eq!(client.com_atproto_identity().resolve_handle(params).await?.did, "did:plc:ewvi7nxzyoun6zhxrhs64oiz");
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct Client {
    kind: Kind,
    settings: CallSettings,
}

#[derive(Clone)]
enum Kind {
    OAuth(OAuthClient),
    Password(PasswordClient),
    Public(PublicClient),
    Admin(AdminClient),
    Other(Arc<dyn Transport>),
}

impl Client {
    /// Creates a client from a [`Transport`] of your own.
    ///
    /// The other clients of this crate convert with `into()`, which also keeps what [`as_oauth`](Self::as_oauth) returns.
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self::of(Kind::Other(Arc::new(transport)))
    }

    fn of(kind: Kind) -> Self {
        let settings = kind.transport().settings().clone().of_client(crate::limits::PLAIN_CALL);
        Self { kind, settings }
    }

    /// Returns the account that calls are made as, or `None` if the client is not signed in.
    ///
    /// ```no_run
    /// # fn example(client: atproto_sdk::Client) {
    /// match client.did() {
    ///     Some(did) => println!("signed in as {did}"),
    ///     None => println!("not signed in"),
    /// }
    /// # }
    /// ```
    pub fn did(&self) -> Option<&Did> {
        self.kind.transport().account()
    }

    /// Returns the OAuth client that this client was made from, if it is one: for its scopes, its session, and signing out.
    ///
    /// Its settings are those that it had then.
    pub fn as_oauth(&self) -> Option<&OAuthClient> {
        match &self.kind {
            Kind::OAuth(client) => Some(client),
            _ => None,
        }
    }

    /// Returns the client with a password that this client was made from, if it is one.
    pub fn as_password(&self) -> Option<&PasswordClient> {
        match &self.kind {
            Kind::Password(client) => Some(client),
            _ => None,
        }
    }

    crate::xrpc::call_settings!(crate::limits::PLAIN_CALL);
}

impl Kind {
    fn transport(&self) -> &dyn Transport {
        match self {
            Self::OAuth(client) => client,
            Self::Password(client) => client,
            Self::Public(client) => client,
            Self::Admin(client) => client,
            Self::Other(transport) => &**transport,
        }
    }
}

macro_rules! from_clients {
    ($($client:ty => $kind:ident),*) => { $(
        impl From<$client> for Client {
            fn from(client: $client) -> Self {
                Self::of(Kind::$kind(client))
            }
        }

        impl From<&$client> for Client {
            fn from(client: &$client) -> Self {
                client.clone().into()
            }
        }
    )* };
}

from_clients! { OAuthClient => OAuth, PasswordClient => Password, PublicClient => Public, AdminClient => Admin }

impl From<&Client> for Client {
    fn from(client: &Client) -> Self {
        client.clone()
    }
}

impl Transport for Client {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        self.kind.transport().send(request)
    }

    fn settings(&self) -> &CallSettings {
        &self.settings
    }

    fn keeps_deadlines(&self) -> bool {
        self.kind.transport().keeps_deadlines()
    }

    fn account(&self) -> Option<&Did> {
        self.did()
    }

    fn service(&self) -> Option<&str> {
        self.kind.transport().service()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::OAuth(_) => "OAuth",
            Kind::Password(_) => "password",
            Kind::Public(_) => "public",
            Kind::Admin(_) => "administrator",
            Kind::Other(_) => "other",
        };
        f.debug_struct("Client").field("kind", &kind).field("did", &self.did()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::xrpc::Body as _;

    #[test]
    fn a_client_of_any_kind_can_be_kept_sent_and_cloned() {
        fn is_kept<T: Clone + Send + Sync + 'static>(_: &T) {}
        fn takes(client: impl Into<Client>) -> Client {
            client.into()
        }
        let public = PublicClient::new("https://pds.example.com").unwrap();
        let client = takes(&public);
        is_kept(&client);
        assert_eq!(client.did(), None);
        assert!(client.as_oauth().is_none() && client.as_password().is_none());
        assert!(format!("{:?}", takes(public)).contains("public"));
        assert!(format!("{:?}", takes(&client)).contains("public"));
        let admin = takes(AdminClient::new("https://pds.example.com", "hunter2").unwrap());
        assert!(!format!("{admin:?}").contains("hunter2"));
    }

    #[test]
    fn settings_are_those_of_the_client_until_they_are_changed() {
        let public = PublicClient::new("https://pds.example.com").unwrap().timeout(Duration::from_secs(3));
        let client = Client::from(&public);
        let body = crate::xrpc::Empty::<()>::encode(()).unwrap();
        assert_eq!(client.settings().time_limit(&body, &http::HeaderMap::new()), Duration::from_secs(3));
        let other = client.clone().timeout(Duration::from_secs(5));
        assert_eq!(other.settings().time_limit(&body, &http::HeaderMap::new()), Duration::from_secs(5));
        assert_eq!(client.settings().time_limit(&body, &http::HeaderMap::new()), Duration::from_secs(3));
    }
}
