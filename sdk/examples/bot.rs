//! A bot: posts with facets and an image, replies, likes, follows, lists what it wrote, and deletes it.
//!
//! `cargo run --example bot --features bsky` starts a network on this machine, and creates the accounts there.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{error::Error, process::ExitCode};

use atproto_sdk::{
    PasswordClient,
    api::app::bsky::feed::post::Post,
    bsky::{PostBuilder, RichText, post::ImageFile},
    types::Did,
};
use futures_util::TryStreamExt as _;
use local_network::Network;

/// A black dot.
const PICTURE: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run().await else { return ExitCode::SUCCESS };
    eprintln!("Error: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  caused by: {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}

async fn run() -> Result<(), Box<dyn Error>> {
    let network = Network::start(&|step| println!("{step}")).await?;
    let (account, friend) = (network.account("crab").await?, network.account("friend").await?);
    let client = PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await?;
    bot(&client, friend.handle.as_str(), Did::new(friend.did.as_str())?).await
}

async fn bot(client: &PasswordClient, friend: &str, friend_did: Did) -> Result<(), Box<dyn Error>> {
    let bluesky = client.bluesky();

    let text = bluesky
        .rich_text(format!("Hello @{friend}, I am written in #rust: https://www.rust-lang.org"))
        .await?;
    let image = bluesky.upload_image(ImageFile::new(PICTURE)?, "A black dot").await?;
    let post = bluesky.post(&PostBuilder::new(text).image(image).lang("en".try_into()?).build()).await?;
    println!("Posted {}", post.uri);

    let reply = PostBuilder::new("And I reply.").reply(bluesky.reply_to(&post.uri).await?);
    bluesky.post(&reply.build()).await?;
    let like = bluesky.like(post.clone()).await?;
    let follow = bluesky.follow(friend_did).await?;

    let posts: Vec<_> = client.records::<Post>().list().try_collect().await?;
    for post in &posts {
        println!(
            "{}",
            RichText::from(&post.value).segments().map(|segment| segment.text).collect::<Vec<_>>().join("|")
        );
    }

    bluesky.undo(&like.uri).await?;
    bluesky.undo(&follow.uri).await?;
    for post in posts {
        client.delete_at(&post.uri).await?;
    }
    println!("Deleted everything again.");
    Ok(())
}
