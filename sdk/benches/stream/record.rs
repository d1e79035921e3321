//! What a PDS on this machine sends while accounts write: creates, updates, deletes, identities, accounts.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use atproto_sdk::{
    PasswordClient, PublicClient,
    api::{
        app::bsky::{
            actor::profile::Profile,
            feed::{like::Like, post::Post},
            graph::follow::Follow,
        },
        com::atproto::{
            repo::strong_ref::StrongRef,
            sync::subscribe_repos::{Message, Params, SubscribeRepos},
        },
    },
    stream::Subscribe,
    types::{Datetime, Did, Expected, RecordKey},
    xrpc::{BoxFuture, Request, Transport, TransportError, TransportResponse, Upgraded},
};
use bytes::Bytes;
use tests::Network;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How many records there are before anything is recorded: the trees of real repositories are not small.
const BEFORE: usize = 2000;

/// Frames as they were received.
pub(crate) async fn frames() -> Vec<Bytes> {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let (account, friend) = (network.account("mia").await.unwrap(), network.account("ben").await.unwrap());
    let client =
        PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap();
    let mut writes = client.writes();
    for number in 0..BEFORE {
        writes.create(&post(number));
    }
    writes.send().await.unwrap();
    let subject = StrongRef::from(client.records::<Post>().create(&post(0)).await.unwrap());

    let tap = Tapped { client: PublicClient::new(network.pds()).unwrap(), bytes: Arc::default() };
    let bytes = Arc::clone(&tap.bytes);
    let mut events = Subscribe::<SubscribeRepos>::new(tap, Params::new()).stream();
    let writing = async {
        // The stream begins when it is connected, and with the first of these.
        for number in 0..300 {
            match number % 20 {
                0..11 => {
                    drop(client.records::<Like>().create(&Like::new(subject.clone(), Datetime::now())).await)
                }
                11..15 => drop(client.records::<Post>().create(&post(number)).await),
                15 | 16 => {
                    let follow = Follow::new(Did::new(friend.did.as_str()).unwrap(), Datetime::now());
                    drop(client.records::<Follow>().create(&follow).await);
                }
                17 => {
                    let profile = Profile::new().description(text(number));
                    let key = RecordKey::new("self").unwrap();
                    drop(client.records::<Profile>().put(&key, &profile, Expected::Any).await);
                }
                _ => {
                    let made = client.records::<Post>().create(&post(number)).await.unwrap();
                    client.delete_at(&made.uri).await.unwrap();
                }
            }
            if number % 60 == 59 {
                network.change_handle(&friend, &format!("ben{number}.test")).await.unwrap();
                network.deactivate(&friend).await.unwrap();
                network.activate(&friend).await.unwrap();
            }
        }
        client.records::<Post>().create(&post(usize::MAX)).await.unwrap()
    };
    let reading = async {
        let mut last = None;
        let end = writing;
        tokio::pin!(end);
        loop {
            tokio::select! {
                made = &mut end, if last.is_none() => last = made.uri.record_key(),
                event = events.next() => {
                    if let Message::Commit(commit) = event.unwrap().unwrap().message()
                        && let Some(key) = &last
                        && commit.ops.iter().any(|op| op.path.ends_with(key.as_str()))
                    {
                        return;
                    }
                }
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(120), reading).await.unwrap();
    let bytes = std::mem::take(&mut *bytes.lock().unwrap());
    messages(&bytes)
}

fn text(number: usize) -> String {
    let words = ["a", "quiet", "morning", "with", "much", "to", "read", "and", "nothing", "to", "say"];
    (0..8 + number % 30).map(|word| words[(word * 7 + number) % words.len()]).collect::<Vec<_>>().join(" ")
}

fn post(number: usize) -> Post {
    Post::new(text(number % 1000), Datetime::now())
}

/// The payloads of the binary messages that a server sends.
fn messages(mut bytes: &[u8]) -> Vec<Bytes> {
    let mut all = Vec::new();
    while let [kind, length, rest @ ..] = bytes {
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes(*rest.first_chunk().unwrap())), &rest[2..]),
            127 => (u64::from_be_bytes(*rest.first_chunk().unwrap()).try_into().unwrap(), &rest[8..]),
            length => (usize::from(*length), rest),
        };
        // What is incomplete has not been read either.
        let Some((payload, after)) = rest.split_at_checked(length) else { break };
        if *kind == 0x82 {
            all.push(Bytes::copy_from_slice(payload));
        }
        bytes = after;
    }
    all
}

/// A client that keeps what its streams receive.
struct Tapped {
    client: PublicClient,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Transport for Tapped {
    fn send<'a>(&'a self, request: Request) -> BoxFuture<'a, Result<TransportResponse, TransportError>> {
        Box::pin(async move {
            let mut response = self.client.send(request).await?;
            Ok(match response.take_upgrade() {
                Some(connection) => {
                    let bytes = Arc::clone(&self.bytes);
                    response.with_upgrade(Upgraded::new(Tap { connection, bytes }))
                }
                None => response,
            })
        })
    }
}

struct Tap {
    connection: Upgraded,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.connection).poll_read(cx, buffer))?;
        self.bytes.lock().unwrap().extend_from_slice(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
