//! A bot with an app password: posts with a mention, a link, a tag and an image, replies, likes, follows, lists and deletes.
//!
//! `cargo run --example bot --features bsky` starts a network on this machine. With the variables that
//! `cargo run -p local-network` prints, it uses that one; with `ATPROTO_PDS`, `ATPROTO_HANDLE` and `ATPROTO_PASSWORD` of your own
//! bot, the real network, where it deletes in the end what it has written.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;

use atproto_sdk::{
    PasswordClient, Report,
    api::{app::bsky::feed::post::Post, com::atproto::identity::resolve_handle},
    bsky::{PostBuilder, post::ImageFile},
    types::Handle,
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
        (Some(pds), Some(handle), Some(password)) => {
            let bot = PasswordClient::sign_in(&pds, &handle, &password).await?;
            // Nobody else is told about a test.
            let friend = Handle::new(&handle)?;
            run(&bot, &friend).await
        }
        (None, None, None) => {
            let network = Network::start(&|step| eprintln!("{step}")).await?;
            let (account, friend) = (network.account("dotty").await?, network.account("friend").await?);
            let bot =
                PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await?;
            run(&bot, &friend.handle).await
        }
        _ => Err("set ATPROTO_PDS, ATPROTO_HANDLE and ATPROTO_PASSWORD, or none of them".into()),
    }
}

async fn run(bot: &PasswordClient, friend: &Handle) -> Result<(), Report> {
    let bluesky = bot.bluesky();

    let text = bluesky.rich_text(format!("Hello @{friend}, look at https://example.com/dots #dots")).await?;
    let image = bluesky.upload_image(ImageFile::new(PICTURE)?, "A red dot").await?;
    let first = bluesky.post(&PostBuilder::new(text).image(image).build()).await?;
    println!("posted    {}", first.uri);

    let reply = PostBuilder::new("And this is a reply.").reply(bluesky.reply_to(&first.uri).await?);
    let reply = bluesky.post(&reply.build()).await?;
    println!("replied   {}", reply.uri);

    let like = bluesky.like(first.clone()).await?;
    println!("liked     {}", like.uri);

    let params = resolve_handle::Params::new(friend.clone());
    let friend = bot.com_atproto_identity().resolve_handle(params).await?.did;
    let follow = bluesky.follow(friend).await?;
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
