//! A bot with an app password: posts with a mention, a link, a tag and an image, replies, likes, follows, lists and deletes.
//!
//! `cargo run --example bot` starts a network on this machine. With the variables that `cargo run -p local-network` prints, it
//! uses that one; with `ATPROTO_PDS`, `ATPROTO_HANDLE` and `ATPROTO_PASSWORD` of your own bot, the real network, where it
//! deletes in the end what it has written.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::env;

use atproto_sdk::{
    PasswordClient, Report,
    api::{
        app::bsky::{
            embed::{
                defs::AspectRatio,
                images::{Image, Images},
            },
            feed::{
                like::Like,
                post::{Post, PostEmbed, ReplyRef},
            },
            graph::follow::Follow,
            richtext::facet::{ByteSlice, Facet, FacetFeaturesItem, Link, Mention, Tag},
        },
        com::atproto::{
            identity::resolve_handle,
            repo::{create_record, strong_ref::StrongRef},
        },
    },
    types::{AtUri, Datetime, Expected, Handle, Record, RecordKey, Uri},
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
    let posts = bot.records::<Post>();

    let (text, facets) =
        rich_text(bot, &format!("Hello @{friend}, look at https://example.com/dots #dots")).await?;
    let mut post = Post::new(text, Datetime::now());
    post.facets = Some(facets);
    let picture = bot.com_atproto_repo().upload_blob(PICTURE).content_type("image/png").await?.blob;
    let image = Image::new(picture, "A red dot").aspect_ratio(AspectRatio::new(1, 1));
    post.embed = Some(PostEmbed::Images(Box::new(Images::new(vec![image]))));
    let first = strong_ref(&posts.create(&post).await?);
    println!("posted    {}", first.uri);

    let mut reply = Post::new("And this is a reply.", Datetime::now());
    reply.reply = Some(Box::new(ReplyRef::new(first.clone(), first.clone())));
    let reply = posts.create(&reply).await?;
    println!("replied   {}", reply.uri);

    let like = bot.records::<Like>().create(&Like::new(first.clone(), Datetime::now())).await?;
    println!("liked     {}", like.uri);

    let params = resolve_handle::Params::new(friend.clone());
    let friend = bot.com_atproto_identity().resolve_handle(params).await?.did;
    let follow = bot.records::<Follow>().create(&Follow::new(friend, Datetime::now())).await?;
    println!("followed  {}", follow.uri);

    let listed: Vec<_> = posts.list().try_collect().await?;
    for entry in &listed {
        println!("listed    {}", entry.value.text);
    }

    delete::<Follow>(bot, &follow.uri).await?;
    delete::<Like>(bot, &like.uri).await?;
    delete::<Post>(bot, &reply.uri).await?;
    delete::<Post>(bot, &first.uri).await?;
    println!("deleted   everything again");
    Ok(())
}

fn strong_ref(created: &create_record::Output) -> StrongRef {
    StrongRef::new(created.uri.clone(), created.cid.clone())
}

async fn delete<R: Record>(bot: &PasswordClient, uri: &AtUri) -> Result<(), Report> {
    let rkey = RecordKey::new(uri.rkey().unwrap_or_default())?;
    bot.records::<R>().delete(&rkey, Expected::Any).await?;
    Ok(())
}

/// Marks mentions, links and tags between spaces.
async fn rich_text(bot: &PasswordClient, text: &str) -> Result<(String, Vec<Facet>), Report> {
    let mut facets = Vec::new();
    let mut at = 0;
    for word in text.split(' ') {
        let part = word.trim_end_matches([',', '.', '!', '?']);
        let feature = if let Some(handle) = part.strip_prefix('@') {
            let params = resolve_handle::Params::new(Handle::new(handle)?);
            let did = bot.com_atproto_identity().resolve_handle(params).await?.did;
            Some(FacetFeaturesItem::Mention(Box::new(Mention::new(did))))
        } else if part.starts_with("https://") {
            Some(FacetFeaturesItem::Link(Box::new(Link::new(Uri::new(part)?))))
        } else {
            part.strip_prefix('#').map(|tag| FacetFeaturesItem::Tag(Box::new(Tag::new(tag))))
        };
        if let Some(feature) = feature {
            let (start, end) = (i64::try_from(at)?, i64::try_from(at + part.len())?);
            facets.push(Facet::new(ByteSlice::new(start, end), vec![feature]));
        }
        at += word.len() + 1;
    }
    Ok((text.to_owned(), facets))
}
