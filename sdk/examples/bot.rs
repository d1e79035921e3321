//! A bot with an app password: posts with a mention, a link, a tag and an image, replies, likes, follows, lists and deletes.
//!
//! `cargo run --example bot --features bsky` starts a network on this machine. With the variables that
//! `cargo run -p local-network` prints, it uses that one; with `ATPROTO_HANDLE` and `ATPROTO_PASSWORD` of your own bot, the real
//! network, where it deletes in the end what it has written. `ATPROTO_HANDLE` can also be a DID; `ATPROTO_PDS` is not needed then.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;

use atproto_sdk::{
    PasswordClient, Report,
    api::app::bsky::feed::post::Post,
    bsky::{PostBuilder, post::ImageFile},
    types::{Did, Handle},
};
use futures_util::TryStreamExt as _;
use local_network::Network;

/// A red dot.
const PICTURE: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDAT\x08\xd7c\xf8\
    \xcf\xc0\0\0\x03\x01\x01\0\x18\xdd\x8d\xb0\0\0\0\0IEND\xaeB`\x82";

#[tokio::main]
async fn main() -> Result<(), Report> {
    let variable = |name: &str| env::var(name).ok();
    let (pds, handle, password) =
        (variable("ATPROTO_PDS"), variable("ATPROTO_HANDLE"), variable("ATPROTO_PASSWORD"));
    match (pds, handle, password) {
        (pds, Some(account), Some(password)) => {
            let bot = match pds {
                Some(pds) => PasswordClient::sign_in(&pds, &account, &password).await?,
                None => PasswordClient::sign_in_as(&account, &password).await?,
            };
            // Nobody else is told about a test.
            let friend = Friend { did: bot.did().clone(), handle: bot.handle().cloned() };
            run(&bot, &friend).await
        }
        (None, None, None) => {
            let network = Network::start(&|step| eprintln!("{step}")).await?;
            let (account, friend) = (network.account("dotty").await?, network.account("friend").await?);
            let bot =
                PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await?;
            run(&bot, &Friend { did: friend.did, handle: Some(friend.handle) }).await
        }
        _ => Err("set ATPROTO_HANDLE and ATPROTO_PASSWORD, and ATPROTO_PDS for a server of your own, or none of them"
            .into()),
    }
}

/// Whom the bot mentions and follows.
struct Friend {
    did: Did,
    /// A server need not know the handle.
    handle: Option<Handle>,
}

/// Writes everything and deletes it again, and signs out whatever happens.
async fn run(bot: &PasswordClient, friend: &Friend) -> Result<(), Report> {
    let written = write(bot, friend).await;
    bot.sign_out().await?;
    written
}

async fn write(bot: &PasswordClient, friend: &Friend) -> Result<(), Report> {
    let bluesky = bot.bluesky();

    let name = friend.handle.as_ref().map_or_else(|| "friend".to_owned(), |handle| format!("@{handle}"));
    let text = bluesky.rich_text(format!("Hello {name}, look at https://example.com/dots #dots")).await?;
    let image = bluesky.upload_image(ImageFile::new(PICTURE)?, "A red dot").await?;
    let first = bluesky.post(&PostBuilder::new(text).image(image).build()).await?;
    println!("posted    {}", first.uri);

    let reply = PostBuilder::new("And this is a reply.").reply(bluesky.reply_to(&first.uri).await?);
    let reply = bluesky.post(&reply.build()).await?;
    println!("replied   {}", reply.uri);

    let like = bluesky.like(first.clone()).await?;
    println!("liked     {}", like.uri);

    let follow = bluesky.follow(friend.did.clone()).await?;
    println!("followed  {}", follow.uri);

    let listed: Vec<_> = bot.records::<Post>().list().try_collect().await?;
    for entry in &listed {
        println!("listed    {}", entry.value.text);
    }

    for uri in [&follow.uri, &like.uri, &reply.uri, &first.uri] {
        bot.delete_at(uri).await?;
    }
    println!("deleted   everything again");
    Ok(())
}
