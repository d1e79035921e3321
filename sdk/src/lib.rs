//! A Rust SDK for the [AT Protocol](https://atproto.com): typed calls, and OAuth sessions that sign their requests and
//! refresh on their own.
//!
//! Every method of a [Lexicon](https://atproto.com/specs/lexicon) is a typed method on every client, and every record is a
//! struct. Types and methods are generated; this crate's runtime signs, retries and decodes calls, and refreshes sessions.
//!
//! # A first program
//!
//! ```no_run
//! # #[cfg(all(feature = "client", feature = "app-bsky"))]
//! # mod example {
//! use atproto_sdk::{
//!     Report,
//!     api::app::bsky::feed::post::Post,
//!     oauth::{ClientMetadata, OAuth},
//!     store::FileStore,
//!     types::Datetime,
//! };
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Report> {
//!     let store = FileStore::open("sessions.json")?;
//!     let oauth = OAuth::builder(ClientMetadata::loopback()).store(store).build()?;
//!
//!     // Opens the browser the first time; later runs find the session in the store.
//!     let client = oauth.resume_or_sign_in("alice.example.com").print_url().await?.client;
//!
//!     let post = Post::new("Hello from Rust", Datetime::now());
//!     let created = client.records::<Post>().create(&post).await?;
//!     println!("{}", created.uri);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # Choosing a client
//!
//! | for | client |
//! | --- | --- |
//! | users who sign in with OAuth | [`oauth::OAuthClient`], from [`oauth::OAuth`] |
//! | a web site on axum | the same, as an extractor: module `axum` |
//! | a bot with an app password | [`PasswordClient`] |
//! | services that answer everybody | [`PublicClient`] |
//! | administrators of a PDS | [`AdminClient`] |
//! | code that serves any of these | [`Client`], which all of them convert to |
//! | anything else | your own [`xrpc::Transport`] |
//!
//! All of them have the same methods: `client.com_atproto_repo().list_records(params)`. A method takes its parameters as an
//! argument if at least one of them is required; otherwise they can be set on the call, which is sent when it is awaited:
//!
//! ```no_run
//! # #[cfg(all(feature = "client", feature = "app-bsky"))]
//! # mod example {
//! use std::time::Duration;
//!
//! use atproto_sdk::{
//!     PublicClient,
//!     api::app::bsky::{actor::search_actors, feed::get_author_feed},
//!     handle,
//! };
//!
//! # async fn example(client: PublicClient) -> Result<(), Box<dyn std::error::Error>> {
//! let params = get_author_feed::Params::new(handle!("alice.example.com")).limit(10);
//! let feed = client.app_bsky_feed().get_author_feed(params).timeout(Duration::from_secs(5)).await?;
//!
//! let found = client.app_bsky_actor().search_actors().params(search_actors::Params::new().q("rust")).await?;
//! # let _ = (feed, found);
//! # Ok(()) }
//! # }
//! ```
//!
//! # The modules
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`api`] | the generated bindings, one module per Lexicon document |
//! | [`types`] | identifiers, dates, links, blobs, undecoded values; JSON and DAG-CBOR, validation |
//! | [`xrpc`] | calls and their options, responses, errors, pages; [`xrpc::Transport`] for clients of your own |
//! | [`records`] | typed records: list, get, create, put, delete; many writes at once |
//! | [`oauth`] | signing in, sessions, client metadata and keys |
//! | [`mod@scopes`] | permissions: [`scopes!`] builds a scope at compile time |
//! | [`store`] | where sessions are stored: memory, file, SQLite, PostgreSQL, Redis, encrypted |
//! | [`identity`] | resolving handles and DIDs |
//! | `bsky` | what an application on Bluesky needs besides single calls |
//! | `stream` | streams of typed events: subscriptions, such as `client.com_atproto_sync().subscribe_repos()`, Jetstream and Tap |
//! | `repo` | whole repositories: reading, records with proof, editing, signing and verification |
//! | `archive` | copies of whole accounts: repository and blobs |
//! | `lexicon` | published lexicons: finding them, with proof |
//! | `sync` | the stream of all repositories, verified |
//! | `axum` | sign-in for web sites on axum |
//!
//! # Errors
//!
//! A call fails with [`xrpc::Error`]. Errors that the method's lexicon names are variants of its own enum, returned by
//! [`Error::lexicon_error`](xrpc::Error::lexicon_error); [`Error::kind`](xrpc::Error::kind) says what to do about any other
//! error, in the same way for every method:
//!
//! | kind | what to do |
//! | --- | --- |
//! | [`SignInAgain`](xrpc::ErrorKind::SignInAgain) | ask the user to sign in again: the session has ended |
//! | [`AccountUnavailable`](xrpc::ErrorKind::AccountUnavailable) | show the message: the account is deactivated, suspended, taken down or gone, and signing in again does not help |
//! | [`MissingScope`](xrpc::ErrorKind::MissingScope) | sign in with the scope that [`Error::missing_scope`](xrpc::Error::missing_scope) names; the session can still be used for the rest |
//! | [`TryLater`](xrpc::ErrorKind::TryLater) | network, overload, or a store that failed: the same call may succeed later |
//! | [`InvalidInput`](xrpc::ErrorKind::InvalidInput) | change the call |
//! | [`BadAnswer`](xrpc::ErrorKind::BadAnswer) | the server broke the protocol: report it |
//! | [`Internal`](xrpc::ErrorKind::Internal) | the app cannot use the stored session: mend its store or its keys, or ask the user to sign in again |
//!
//! By then, queries have already been retried where that is safe. Errors never contain tokens, keys or passwords.
//!
//! What an error contains is told once: either in its text, or as its [`source`](std::error::Error::source). A `main` that
//! returns `Result<(), `[`Report`]`>` prints an error with its causes; in handlers of axum, `?` with `axum::HandlerError` answers.
//!
//! # Limits, retries and pacing
//!
//! A call ends within a time limit, which covers a refresh of the session, all attempts and a response that is read
//! into memory. The size of such a response is limited too. These limits, the policies for retries, and the pacing
//! can be set for a client and for a single call, see [`xrpc::CallSettings`]. Servers limit how much an account may
//! write; for bulk work, [`records::Writes`] makes many writes with few calls, and [`WriteBudget`] makes calls wait until
//! they are accepted:
//!
//! ```no_run
//! # #[cfg(feature = "client")]
//! # mod example {
//! use std::time::Duration;
//!
//! use atproto_sdk::{PasswordClient, WriteBudget};
//!
//! # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let bot = PasswordClient::sign_in_as("bot.example.com", password).await?;
//! let bot = bot.timeout(Duration::from_secs(10)).max_response_size(1 << 20).pacing(WriteBudget::new());
//! # Ok(()) }
//! # }
//! ```
//!
//! # Services, labelers and headers
//!
//! The account's own server forwards the calls of applications to a service, which it chooses unless the call names one. A client
//! can have a service for all such calls or for those of a namespace, labelers whose labels every answer should have, and headers;
//! a single call can have others. What is about the account and its repository is never forwarded, and chats are found without
//! being told; see [`xrpc::CallSettings`].
//!
//! ```no_run
//! # #[cfg(all(feature = "client", feature = "app-bsky"))]
//! # mod example {
//! use atproto_sdk::{PasswordClient, did, xrpc::{Labeler, services}};
//!
//! # async fn example(client: PasswordClient) -> Result<(), Box<dyn std::error::Error>> {
//! let client = client
//!     .proxy(services::BLUESKY)
//!     .labelers([Labeler::redacting(did!("did:plc:ar7c4by46qjdydhdevvrndac"))])
//!     .header("accept-language", "pt-BR, en");
//! let timeline = client.app_bsky_feed().get_timeline().await?;
//! # let _ = timeline;
//! # Ok(()) }
//! # }
//! ```
//!
//! # Features
//!
//! | feature | what it adds | default |
//! | --- | --- | --- |
//! | `client` | clients, OAuth, identity, stores; without it there are only types and bindings, and no HTTP | yes |
//! | `app-bsky`, `chat-bsky`, `network-bsky`, `site-standard`, `tools-ozone` | the bindings of these namespaces; `com.atproto` is always included | `app-bsky` |
//! | `bsky` | what an application on Bluesky needs besides single calls: rich text, posts, link cards, likes, follows and more | no |
//! | `images` | images of posts are made smaller where they do not fit | no |
//! | `http2` | HTTP/2, for many concurrent calls over one connection | no |
//! | `stream` | subscriptions of every lexicon as typed streams that resume by themselves, and Tap; with `repo`, the stream of all repositories, verified | no |
//! | `jetstream` | Jetstream v1 and v2, with the archive | no |
//! | `sqlite`, `postgres`, `redis` | session stores in these databases | no |
//! | `encryption` | encryption of stored sessions | no |
//! | `axum` | sign-in for web sites: routes, cookies, extractors | no |
//! | `pem` | client keys in PEM | no |
//! | `repo` | whole repositories: reading, records with proof, editing, signing and verification; with `client`, downloads of repositories and blobs, and resolution of published lexicons | no |
//!
//! # Runtime and TLS
//!
//! Clients need a [tokio](https://tokio.rs) runtime with time and I/O enabled; `current_thread` is enough. Refreshes run in
//! tasks of their own, so dropping a request does not lose tokens. Host names are looked up by the system's resolver, on at most
//! 56 threads of their own, so that names that are not resolved do not hold up what blocks elsewhere.
//!
//! TLS is [rustls](https://docs.rs/rustls) with the `ring` provider and the trusted roots of the system. The provider is
//! installed for the process unless the program has already installed another one.
//!
//! Requests go only to the servers that accounts and apps name, to the PLC directory, and to the system's name servers.
//! Events and spans go through [tracing](https://docs.rs/tracing).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::exhaustive_enums, clippy::exhaustive_structs)]

// The layers, from top to bottom; nothing uses what is above it:
//
//   axum                                      sign-in for web sites
//   bsky                                      what an application on Bluesky needs besides single calls
//   records, lexicon, archive, sync           typed records; published lexicons; copies of accounts; the verified stream
//   stream::jetstream, stream::tap            other kinds of streams, over bindings and clients
//   references                                from what servers return to strong references and replies
//   api, clients, accessor                    generated bindings; clients without OAuth; their common methods
//   oauth                                     its own layers are listed in its mod.rs
//   session                                   the state machine of OAuth and password sessions
//   stream                                    subscriptions
//   write_budget                              pacing of writes
//   scopes, store, identity                   permissions; session stores; handles and DIDs
//   repo                                      repositories: trees, commits, proofs
//   xrpc                                      calls over a transport
//   types                                     data types and their codec, no I/O
//   clock, random, limits, report, html, server_text, sha256, jwt_key, verifying_key, http_client, name_lookup,
//   domains                                   shares of what strangers can take
// The data of the benchmarks, which tests use too, names the crate from outside.
#[cfg(test)]
extern crate self as atproto_sdk;

#[cfg(feature = "client")]
mod accessor;
#[rustfmt::skip]
pub mod api;
#[cfg(all(feature = "client", feature = "repo"))]
pub mod archive;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "bsky")]
pub mod bsky;
#[cfg(feature = "client")]
mod clients;
mod clock;
#[cfg(feature = "client")]
mod domains;
#[cfg(feature = "client")]
mod html;
#[cfg(feature = "client")]
mod http_client;
#[cfg(feature = "client")]
pub mod identity;
#[cfg(feature = "client")]
mod jwt_key;
#[cfg(all(feature = "client", feature = "repo"))]
pub mod lexicon;
#[cfg(feature = "client")]
mod limits;
#[cfg(feature = "client")]
mod name_lookup;
#[cfg(feature = "client")]
pub mod oauth;
#[cfg(feature = "client")]
mod random;
#[cfg(feature = "client")]
pub mod records;
mod references;
#[cfg(feature = "repo")]
pub mod repo;
mod report;
#[cfg(feature = "client")]
pub mod scopes;
mod server_text;
#[cfg(feature = "client")]
mod session;
mod sha256;
#[cfg(feature = "client")]
pub mod store;
#[cfg(feature = "stream")]
pub mod stream;
#[cfg(all(feature = "stream", feature = "repo"))]
pub mod sync;
#[cfg(all(test, feature = "client"))]
mod test_lexicons;
pub mod types;
#[cfg(feature = "repo")]
mod verifying_key;
#[cfg(feature = "client")]
mod write_budget;
pub mod xrpc;

#[cfg(feature = "client")]
pub use clients::{
    AccountStatus, AdminClient, AdminClientBuilder, Client, PasswordAccount, PasswordClient,
    PasswordClientBuilder, PasswordError, PublicClient, PublicClientBuilder,
};
#[cfg(feature = "client")]
pub use http_client::InvalidProxy;
#[cfg(feature = "client")]
pub use random::NoRandom;
pub use report::Report;
#[cfg(feature = "client")]
pub use write_budget::WriteBudget;

#[doc(hidden)]
pub mod __v1;

/// What the fuzz targets in `sdk/fuzz` need and nobody else does. It exists only when they are built.
#[cfg(all(fuzzing, feature = "axum"))]
#[doc(hidden)]
pub mod fuzzing {
    #[cfg(feature = "bsky")]
    pub use crate::bsky::post::fuzzing as bsky;
    #[cfg(feature = "jetstream")]
    pub use crate::stream::{jetstream::fuzzing as jetstream, tap::fuzzing as tap};
    pub use crate::{axum::fuzzing as axum, identity::fuzzing as identity, oauth::fuzzing as oauth};
}

#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../../README.md")]
struct ReadmeDoctests;
