//! Posts, replies, likes and what else people do on Bluesky, against the reference PDS, with each kind of client.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use atproto_sdk::{
    Client, PasswordClient,
    api::{
        app::bsky::feed::{
            like::Like,
            post::{Post, PostEmbed},
        },
        com::atproto::repo::{create_record, get_record},
    },
    bsky::{
        PostBuilder, RichText,
        post::{ImageFile, LinkCards, ReferenceError, UndoError},
        rich_text::ThreadOptions,
    },
    identity::{HandleResolver, Resolver},
    oauth::{AuthorizeOptions, CallbackParams, ClientMetadata, OAuth, OAuthClient},
    record_key,
    store::MemoryStore,
    types::{AtUri, Blob, Cid, Did, Record},
};
use futures_util::StreamExt as _;
use tests::{Account, Answer, Network, Stub};

/// The smallest image there is.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\x0cIDATx\x9cc\xf8\xcf\xc0\0\0\x03\x01\x01\0\x18\xdd\x8d\xb0\0\0\0\0IEND\xaeB`\x82";

fn resolver(network: &Network) -> Resolver {
    Resolver::builder()
        .plc_directory(network.plc())
        .handle_resolver(HandleResolver::Xrpc(network.pds().to_owned()))
        .allow_loopback_http(true)
        .build()
        .unwrap()
}

async fn with_oauth(network: &Network, account: &Account) -> OAuthClient {
    let oauth = OAuth::builder(ClientMetadata::loopback())
        .store(MemoryStore::new())
        .resolver(resolver(network))
        .allow_loopback_http()
        .build()
        .unwrap();
    let authorization = oauth.authorize(account.handle.as_str(), AuthorizeOptions::new()).await.unwrap();
    let callback = network.approve(&authorization.url, account).await.unwrap();
    let query = callback.split_once('?').unwrap().1;
    oauth.callback(&CallbackParams::from_query(query).unwrap()).await.unwrap().client
}

async fn with_password(network: &Network, account: &Account) -> PasswordClient {
    PasswordClient::sign_in(network.pds(), account.handle.as_str(), &account.password).await.unwrap()
}

async fn get<R: Record>(client: &Client, uri: &AtUri) -> R {
    client.records_of::<R>(uri.repo().unwrap()).get(&uri.record_key().unwrap()).await.unwrap().value
}

async fn count<R: Record>(client: &Client) -> usize {
    client.records::<R>().list().map(Result::unwrap).count().await
}

/// Everything that a person does, over any client.
async fn act(client: &Client, other: &Account) {
    let bluesky = client.bluesky();
    let other_did = Did::new(&other.did).unwrap();

    let text = format!("Hello @{}, see example.com/page #rust @nobody.test", other.handle);
    let text = bluesky.rich_text(text).await.unwrap();
    let image = bluesky.upload_image(ImageFile::new(PNG).unwrap(), "A dot").await.unwrap();
    let first = bluesky.post(&PostBuilder::new(text).image(image).build()).await.unwrap();
    let post: Post = get(client, &first.uri).await;
    let read = RichText::from(&post);
    let segments: Vec<_> = read.segments().filter(|segment| segment.facet.is_some()).collect();
    assert_eq!(segments.len(), 3, "{read:?}");
    assert_eq!(
        (segments[0].text, segments[0].mention()),
        (format!("@{}", other.handle).as_str(), Some(&other_did))
    );
    assert_eq!(segments[1].link().map(|uri| uri.as_str()), Some("https://example.com/page"));
    assert_eq!(segments[2].tag(), Some("rust"));
    let Some(PostEmbed::Images(images)) = &post.embed else { panic!("{:?}", post.embed) };
    assert_eq!((images.images[0].alt.as_str(), images.images[0].image.cid()), ("A dot", &Cid::of_raw(PNG)));

    // A reply, and a reply to that, are in the thread of the first post.
    let reply = PostBuilder::new("A reply").reply(bluesky.reply_to(&first.uri).await.unwrap()).build();
    let second = bluesky.post(&reply).await.unwrap();
    let reply = bluesky.reply_to(&second.uri).await.unwrap();
    assert_eq!((&reply.root, &reply.parent), (&first, &second));
    let third = PostBuilder::new("A quote").reply(reply).quote(bluesky.reference(&first.uri).await.unwrap());
    let third = bluesky.post(&third.build()).await.unwrap();
    let post: Post = get(client, &third.uri).await;
    let Some(PostEmbed::Record(quoted)) = &post.embed else { panic!("{:?}", post.embed) };
    assert_eq!(quoted.record, first);

    // Likes and the rest, and undoing them.
    let like = bluesky.like(first.clone()).await.unwrap();
    assert_eq!(get::<Like>(client, &like.uri).await.subject, first);
    let repost = bluesky.repost(first.clone()).await.unwrap();
    let follow = bluesky.follow(other_did.clone()).await.unwrap();
    let block = bluesky.block(other_did).await.unwrap();
    assert_eq!(count::<Like>(client).await, 1);
    for reaction in [&like, &repost, &follow, &block] {
        bluesky.undo(&reaction.uri).await.unwrap();
        // Once more is no error.
        bluesky.undo(&reaction.uri).await.unwrap();
        assert!(matches!(bluesky.reference(&reaction.uri).await, Err(ReferenceError::Call { .. })));
    }
    assert_eq!(count::<Like>(client).await, 0);
    assert!(matches!(bluesky.undo(&first.uri).await, Err(UndoError::NotAReaction { .. })));
    for post in [&third, &second, &first] {
        client.delete_at(&post.uri).await.unwrap();
    }
    assert_eq!(count::<Post>(client).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_act_in_the_same_way_with_each_kind_of_client() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let alice = network.account("alice").await.unwrap();
    let bob = network.account("bob").await.unwrap();
    act(&with_password(&network, &alice).await.into(), &bob).await;
    act(&with_oauth(&network, &alice).await.into(), &bob).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_text_becomes_a_thread() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let alice = network.account("alice").await.unwrap();
    let client = Client::from(with_password(&network, &alice).await);
    let essay = format!(
        "# Title\n{} See [the rest](https://example.com).",
        "A sentence of **many** words. ".repeat(30)
    );
    let text = RichText::from_markdown(&essay).resolved(&resolver(&network)).await.unwrap();
    let texts = text.split(ThreadOptions::new().numbered());
    let posts: Vec<Post> = texts.into_iter().map(|text| PostBuilder::new(text).build()).collect();
    let thread = client.bluesky().thread(posts.clone()).await.unwrap();
    assert_eq!(thread.len(), 3);
    for (index, reference) in thread.iter().enumerate() {
        let post: Post = get(&client, &reference.uri).await;
        assert_eq!(post.text, posts[index].text);
        assert!(post.text.ends_with(&format!(" ({}/3)", index + 1)), "{}", post.text);
        let reply = post.reply.map(|reply| (reply.root, reply.parent));
        let expected = index.checked_sub(1).map(|before| (thread[0].clone(), thread[before].clone()));
        assert_eq!(reply, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_card_and_its_image_are_accepted() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let alice = network.account("alice").await.unwrap();
    let client = Client::from(with_password(&network, &alice).await);
    let web = Stub::start().await.unwrap();
    let html = "<title>A page</title><meta name=description content='About a page'><meta property=og:image content=/i.png>";
    web.answer("/page", Answer::html(html));
    web.answer("/i.png", Answer::status(200).header("content-type", "image/png").body(PNG));
    let url = format!("{}/page", web.url());

    let card = client.bluesky().link_card(&LinkCards::for_development().unwrap(), &url).await.unwrap();
    let post = PostBuilder::new(format!("See {url}")).card(card).build();
    let created = client.bluesky().post(&post).await.unwrap();
    let post: Post = get(&client, &created.uri).await;
    let Some(PostEmbed::External(card)) = post.embed else { panic!("{:?}", post.embed) };
    let card = card.external;
    assert_eq!(
        (card.uri.as_str(), card.title.as_str(), card.description.as_str()),
        (url.as_str(), "A page", "About a page")
    );
    assert_eq!(card.thumb.as_ref().map(Blob::cid), Some(&Cid::of_raw(PNG)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_is_told_by_name() {
    let network = Network::start(&|step| eprintln!("{step}")).await.unwrap();
    let alice = network.account("alice").await.unwrap();
    let client = Client::from(with_password(&network, &alice).await);
    let bluesky = client.bluesky();
    let missing = AtUri::record(client.did().unwrap(), &Post::collection(), &record_key!("3jzfcijpj2z2a"));
    let Err(ReferenceError::Call { source, .. }) = bluesky.reply_to(&missing).await else {
        panic!("there is no such post")
    };
    assert_eq!(source.lexicon_error(), Some(get_record::Error::RecordNotFound));
    // A blob that nobody has uploaded.
    let image = atproto_sdk::api::app::bsky::embed::images::Image::new(
        Blob::new(Cid::of_raw(b"-"), "image/png", 1),
        "",
    );
    let error = bluesky.post(&PostBuilder::new("").image(image).build()).await.unwrap_err();
    assert_eq!(error.lexicon_error(), None::<create_record::Error>);
    assert!(error.to_string().contains("blob"), "{error}");
}
